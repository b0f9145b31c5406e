"""Files about a build for others: the log, what later jobs and merge requests read, the timeline in a real browser."""

import json
import re
import shutil
import subprocess

from harness import EndToEnd


class ReportTest(EndToEnd):
    def context_with(self, *lines):
        text = "\n".join([f"FROM {self.rig['BASE']}", *lines, ""])
        return self.context({"Dockerfile": text})

    def written(self, name):
        return (self.work / name).read_text()


class Files(ReportTest):
    def test_the_log_is_whole_whatever_is_shown(self):
        context = self.context_with("RUN seq 1 3000", "RUN echo last; exit 3")
        result = self.build(
            "-q", "--no-cache", "--log-file", "log", context, builder="plain", check=1
        )
        self.assertNotIn(" 2999\n", result.stderr)
        log = self.written("log")
        for number in (1, 1500, 3000):
            self.assertRegex(log, rf"(?m)^#\d+ \d+\.\d+ {number}$")
        self.assertRegex(log, r"(?m)^ERROR: build failed: .*\nstep: \[3/3\] RUN echo last; exit 3$")
        again = self.build("--log-file", "log", self.context_with(), builder="plain")
        self.assertNotIn("ERROR", self.written("log"))
        self.assertIn("[internal] load build definition", again.stderr)

    def test_a_log_that_cannot_be_written(self):
        self.build("--log-file", "no/log", self.context_with(), builder="plain", check=1)
        full = self.build("--log-file", "/dev/full", self.context_with(), builder="plain", check=102)
        self.assertRegex(full.stderr, r"ERROR: --log-file /dev/full: no space left")

    def test_several_that_cannot_be_written_are_all_named(self):
        flags = ("--iidfile", "--metadata-file", "--dotenv-file", "--code-quality-file", "--timeline", "--log-file")

        def wanted(folder):
            return [word for flag in flags for word in (flag, folder / flag.strip("-"))]

        image = ("-o", f"type=image,name={self.image_name()}")
        refused = self.build(*image, *wanted(self.work / "no"), self.context_with(), builder="plain", check=1)
        self.assertNotIn("#1 ", refused.stderr)
        (error,) = re.findall(r"(?m)^ERROR: .*", refused.stderr)
        for flag in flags:
            self.assertIn(flag, error)

        # None of them is left empty, or half.
        full = self.folder / "full"
        full.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", full], check=True)
        self.addCleanup(subprocess.run, ["umount", full], check=True)
        (full / "filling").write_bytes(bytes(8192))
        result = self.build(*image, *wanted(full), self.context_with(), builder="plain", check=102)
        said = "".join(re.findall(r"(?m)^(?:ERROR|WARNING): .*", result.stderr))
        for flag in flags:
            # That one is about a build that succeeded.
            (self.assertNotIn if flag == "--dotenv-file" else self.assertIn)(flag, said)
        self.assertEqual([path.name for path in full.iterdir()], ["filling"])

    def test_what_later_jobs_read(self):
        image = self.image_name(registry="open")
        flags = ("--dotenv-file", "build.env", "--metadata-file", "meta.json")
        self.build("--push", "-t", image, *flags, self.context_with(), builder="plain")
        digest = json.loads(self.written("meta.json"))["containerimage.digest"]
        lines = dict(line.split("=", 1) for line in self.written("build.env").splitlines())
        self.assertEqual(lines["DEPOT_IMAGE"], image)
        self.assertEqual(lines["DEPOT_IMAGE_DIGEST"], digest)
        self.assertEqual(lines["DEPOT_IMAGE_REFERENCE"], f"{image.rpartition(':')[0]}@{digest}")
        # After a failure there is nothing to go on with.
        self.build(
            "--dotenv-file", "none.env", self.context_with("RUN false"), builder="plain", check=1
        )
        self.assertFalse((self.work / "none.env").exists())

    def test_what_merge_requests_read(self):
        engine = self.start_newest_engine()
        context = self.context_with("MAINTAINER somebody", "RUN true")
        (self.work / "app").mkdir()
        (self.work / "app/Dockerfile").write_text((context / "Dockerfile").read_text())
        host = engine if isinstance(engine, str) else self.rig["ENGINE_NEWEST"]
        self.build("--code-quality-file", "quality.json", "app", env={"DOCKER_HOST": host})
        (finding,) = json.loads(self.written("quality.json"))
        self.assertEqual(finding["check_name"], "MaintainerDeprecated")
        self.assertEqual(finding["location"], {"lines": {"begin": 2}, "path": "app/Dockerfile"})
        self.build("--code-quality-file", "none.json", self.context_with(), builder="plain")
        self.assertEqual(json.loads(self.written("none.json")), [])


class TimelineInABrowser(ReportTest):
    def page(self, path):
        """What a real browser makes of a page: its document, and a picture of it."""
        browser = shutil.which("chromium")
        self.assertTrue(browser, "the package chromium is missing (tests/packages-test.txt)")
        argv = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        argv += [f"--user-data-dir={self.folder}/browser", "--virtual-time-budget=1000"]
        run = subprocess.run(
            [*argv, "--dump-dom", f"file://{path}"],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
        )
        return run.stdout

    def test_hostile_names(self):
        evil = "<script>document.title='run'</script><img src=x onerror=document.title='run'>"
        context = self.context_with(
            "RUN echo plain step; sleep 1",
            f'RUN echo "{evil}"; true "</span></details>{evil}"',
            "RUN echo the end; exit 3",
        )
        flags = ("--no-cache", "--timeline", "time.html", "-t", "title-of-it")
        self.build(*flags, context, builder="plain", check=1)
        document = self.page(self.work / "time.html")
        self.assertEqual(re.findall(r"<title>(.*)</title>", document), ["Build of title-of-it"])
        self.assertNotIn("<script", document)
        self.assertNotIn("<img", document)
        rows = re.findall(r'<(?:details|div) class="([^"]*)"', document)
        self.assertGreater(len(rows), 5)
        self.assertEqual(rows.count("failed"), 1)
        bars = re.findall(r'<span class="bar" style="left: ?([\d.]+)%; ?width: ?([\d.]+)%', document)
        self.assertGreaterEqual(len(bars), len(rows))
        for left, width in bars:
            self.assertLessEqual(float(left) + float(width), 100.1)
        self.assertIn("&lt;script&gt;", document)
        self.assertRegex(document, r"<pre>[^<]*the end\n</pre>")

    def test_platforms_side_by_side(self):
        flags = ("--platform", "linux/amd64,linux/arm64", "--timeline", "time.html")
        self.build(*flags, self.context_with("RUN echo x"), builder="both")
        page = self.written("time.html")
        self.assertRegex(page, r"<h2>linux/amd64</h2>(.*\n)*<h2>linux/arm64</h2>")
