"""--call, --check, --print and --lint: what a frontend answers, and that nothing is made of it."""

import json
import subprocess
import unittest
from pathlib import Path

from harness import EndToEnd
from hostile_builder import HostileBuilder
from test_hostile import ESCAPES

ENGINES = Path(__file__).resolve().parents[1] / "engines"

OUTLINED = """\
# what it stands on
FROM BASE AS base
# which one
ARG VERSION=1
RUN --mount=type=secret,id=token,required true
# all of it
FROM base AS final
ARG OTHER
RUN --mount=type=ssh true
"""
CLEAN = "FROM scratch\nLABEL a=b\n"
WARNED = "FROM scratch as One\nMAINTAINER x\nLABEL a=b\n"
BROKEN = "FROM scratch\nCOPPY a b\n"


class CallTest(EndToEnd):
    def newest(self):
        """Where docker finds an engine whose frontend has checks."""
        started = subprocess.run([ENGINES, "newest"], capture_output=True, text=True, check=False)
        self.assertEqual(started.returncode, 0, started.stderr)
        return {"DOCKER_HOST": started.stdout.strip()}

    def file(self, text, name="ctx"):
        return self.context({"Dockerfile": text.replace("BASE", self.rig["BASE"])}, name=name)

    def compare(self, *args, check=0, **options):
        """Both answer the same; returns our result."""
        ours = self.build(*args, check=check, **options)
        theirs = self.run_buildx("build", "--progress=plain", *args, check=check, **options)
        self.assertEqual(*(self.without_sessions(run.stdout) for run in (ours, theirs)))
        return ours

    def without_sessions(self, answer):
        """JSON without the definitions in it, which name a session."""
        if not answer.startswith("{"):
            return answer
        found = json.loads(answer)
        for source in found.get("sources") or ():
            if isinstance(source, dict):
                source.pop("definition", None)
        return found


class Questions(CallTest):
    def test_answers_are_those_that_buildx_prints(self):
        context = self.file(OUTLINED)
        for method in ("outline", "targets", "subrequests.describe"):
            for flag in (f"--call={method}", f"--print={method}", f"--call={method},format=json"):
                with self.subTest(flag=flag):
                    answer = self.compare(flag, context, builder="tls")
                    self.assertRegex(answer.stdout, "VERSION" if method == "outline" else "(?i)target")

    def test_the_metadata_file_has_the_answer(self):
        context = self.file(OUTLINED)
        args = ("--call=targets", "--metadata-file=m.json", context)
        found = []
        for run in (self.build, lambda *a, **o: self.run_buildx("build", *a, **o)):
            run(*args, builder="tls", cwd=self.work)
            found.append(json.loads((self.work / "m.json").read_text()))
            (self.work / "m.json").unlink()
        self.assertEqual(*found)

    def test_nothing_is_pushed_loaded_or_written(self):
        image = self.image_name(registry="open")
        self.build("--push", "-t", image, self.file(CLEAN), builder="tls")
        digest = self.repository(image).digest("latest")
        result = self.build(
            *("--call=targets", "--push", "--load", "-t", image, "-o", "out", "--iidfile", "id"),
            *("--annotation", "a=b", "--provenance=true", self.file(OUTLINED, "other")),
            engine="containerd",
            cwd=self.work,
        )
        self.assertIn("final", result.stdout)
        self.assertRegex(result.stderr, "nothing is built.*--push, --load, --iidfile, --output")
        self.assertEqual(self.repository(image).digest("latest"), digest)
        self.assertEqual([p for p in ("out", "id") if (self.work / p).exists()], [])
        loaded = [tag for one in self.engine("containerd").images() for tag in one["RepoTags"] or ()]
        self.assertNotIn(f"{image}:latest", loaded)

    def test_one_of_several_builders_is_asked(self):
        result = self.build(
            *("--call=targets", "--platform=linux/amd64,linux/arm64", self.file(OUTLINED)),
            builder="both",
        )
        self.assertEqual(result.stdout.count("final"), 1)
        self.assertEqual(result.stderr.count("load build definition"), 1)

    def test_quiet_prints_the_answer(self):
        answer = self.build("-q", "--call=targets", self.file(OUTLINED), builder="tls")
        self.assertIn("final (default)", answer.stdout)
        self.assertEqual(answer.stderr, "")

    def test_a_question_that_no_frontend_has(self):
        result = self.compare("--call=nonsense", self.file(CLEAN), builder="tls", check=1)
        self.assertIn("unsupported request frontend.nonsense", result.stderr)
        self.assertIn("check, outline and targets", result.stderr)

    def test_a_builder_that_is_too_old_says_which_version_is_not(self):
        for method, where, version in (
            ("check", {"builder": "tls"}, "BuildKit 0.14"),
            ("outline", {"engine": "oldest"}, "BuildKit 0.11"),
        ):
            with self.subTest(method=method):
                result = self.build(f"--call={method}", self.file(CLEAN), check=1, **where)
                self.assertRegex(result.stderr, f"ERROR: build failed: .*--(check|call=outline).* needs {version}")
                self.assertIn("docker/dockerfile:1.", result.stderr)
                self.assertIn("hint: use a builder with that BuildKit or a newer one", result.stderr)
                self.assertNotIn("Unimplemented", result.stderr)
                self.assertEqual(result.stdout, "")


class Checks(CallTest):
    def test_checks_are_those_that_buildx_prints(self):
        env = self.newest()
        for text, check in ((CLEAN, 0), (WARNED, 1), (BROKEN, 1), ("# said at length\n" * 18_000 + BROKEN, 1)):
            context = self.file(text)
            for flag in ("--check", "--call=check", "--call=lint,format=json"):
                with self.subTest(text=text[-50:], flag=flag):
                    result = self.compare(flag, context, env=env, check=check)
                    if text.endswith(BROKEN):
                        self.assertIn("unknown instruction: COPPY", result.stderr)
                        self.assertIn(">>> COPPY", result.stderr)
            broken = int(text.endswith(BROKEN))
            self.compare("--call=check,ignorestatus=true", context, env=env, check=broken)
        self.compare("--check", ".", cwd=self.file(WARNED), env=env, check=1)
        self.compare("--check=false", "-o", "out", self.file(CLEAN), env=env, cwd=self.work)

    def test_lint_comes_before_the_build(self):
        env = self.newest()
        args = ("--lint", self.file(WARNED), "-o", "out")
        result = self.build(*args, env=env, cwd=self.work)
        self.assertRegex(result.stderr, "lint: WARNING: MaintainerDeprecated")
        result = self.build(*args, "--lint-fail-on=warn", env=env, cwd=self.work, check=1)
        self.assertIn("linting failed", result.stderr)
        self.assertNotIn("exporting", result.stderr)
        broken = self.build("--lint", self.file(BROKEN), env=env, check=1)
        self.assertIn("--lint: dockerfile parse error", broken.stderr)

    def test_lint_of_a_bake(self):
        """A target that has a finding ends the run, and is named."""
        place = self.file(CLEAN)
        (place / "warned").write_text(WARNED.replace("BASE", self.rig["BASE"]))
        (place / "docker-bake.hcl").write_text('target "clean" {}\ntarget "warned" { dockerfile = "warned" }\n')
        args = ["bake", "--progress=plain", "--lint", "clean", "warned"]
        self.assertRegex(self.run_plugin(*args, env=self.newest(), cwd=place).stderr, "lint: WARNING: MaintainerDeprecated")
        refused = self.run_plugin(*args, "--lint-fail-on=info", env=self.newest(), cwd=place, check=1).stderr
        self.assertIn("target warned: linting failed", refused)

    def test_lint_that_cannot_be_done_is_no_silence(self):
        args = ("--lint", self.file(CLEAN))
        result = self.build(*args, builder="tls", check=1)
        self.assertIn("BuildKit 0.14", result.stderr)
        result = self.build(*args, "--lint-fail-on=none", builder="tls")
        self.assertRegex(result.stderr, "WARNING: --lint: .*BuildKit 0.14")


class Hostile(CallTest):
    def ask(self, metadata, *args, check=0):
        with HostileBuilder(self.folder, {"metadata": metadata}) as builder:
            return self.build(*args, self.file(CLEAN), builder=builder.url, check=check)

    def test_an_answer_does_not_speak_to_the_terminal(self):
        evil = "a\x1b]0;title\x07b\r\u009b31mc\n"
        for metadata, args in (
            ({"result.txt": evil}, ("--call=outline",)),
            ({"result.json": '"\u009b31m"'}, ("--call=outline,format=json",)),
            ({"result.json": '{"warnings":[{}]}', "result.txt": evil}, ("--check",)),
        ):
            with self.subTest(args=args):
                result = self.ask(metadata, *args)
                self.assertNotRegex(result.stdout + result.stderr, ESCAPES)
                self.assertTrue(result.stdout)

    def test_an_error_that_it_makes_up_is_one_line(self):
        error = {"message": "a\x1b[2J\nb", "location": {"sourceIndex": -7}}
        result = self.ask({"result.json": json.dumps({"buildError": error})}, "--check", check=1)
        self.assertNotRegex(result.stderr, ESCAPES)
        self.assertRegex(result.stderr, "ERROR: a.*b\n")

    def test_an_answer_that_is_none_is_an_error(self):
        for metadata in ({}, {"result.json": "{"}, {"result.txt": ""}):
            with self.subTest(metadata=metadata):
                result = self.ask(metadata, "--call=outline,format=json", check=1)
                self.assertRegex(result.stderr, "ERROR: the frontend")


if __name__ == "__main__":
    unittest.main()
