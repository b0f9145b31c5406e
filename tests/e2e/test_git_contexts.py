"""Contexts and files that the builder fetches: git and archives over HTTP, with credentials and without."""

import base64
import io
import signal
import subprocess
import tarfile
import unittest

import trees
from git_server import GIT, GitServer, commit
from harness import EndToEnd

_FILES = {
    "Dockerfile": "FROM scratch\nCOPY word /\n",
    "word": "from git\n",
    "sub/Dockerfile": "FROM scratch\nCOPY word /sub\n",
    "sub/word": "from sub\n",
    "other.Dockerfile": "FROM scratch\nCOPY word /other\n",
}


def basic(user, password):
    return "basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class GitContexts(EndToEnd):
    def serve(self, authorization=None, files=None):
        """A server with the repository team/app.git; the path of its work tree is self.tree."""
        self.root = self.work / "served"
        self.tree = self.root / "team" / "app"
        commit(self.tree, files or _FILES)
        self.publish()
        server = GitServer(self.root, authorization)
        self.addCleanup(server.close)
        return server

    def publish(self):
        bare = self.root / "team" / "app.git"
        if not bare.exists():
            subprocess.run([*GIT, "clone", "-q", "--bare", self.tree, bare], check=True, capture_output=True)
        subprocess.run([*GIT, "push", "-q", "--mirror", bare], cwd=self.tree, check=True)

    def out(self, *args, builder="tls", **options):
        """The tree that a build writes."""
        place = self.work / f"out{len(self.results)}"
        self.build("-o", place, *args, builder=builder, **options)
        return place

    def test_refs_subdirectories_and_dockerfiles_as_with_buildx(self):
        server = self.serve()
        subprocess.run([*GIT, "branch", "side"], cwd=self.tree, check=True)
        commit(self.tree, {"word": "second\n"}, "two")
        self.publish()
        url = server.url("team/app.git")
        for args, name, text in (
            ([url], "word", "second\n"),
            ([f"{url}#side"], "word", "from git\n"),
            ([f"{url}#side:sub"], "sub", "from sub\n"),
            ([f"{url}#:sub"], "sub", "from sub\n"),
            (["-f", "other.Dockerfile", f"{url}#main"], "other", "second\n"),
        ):
            with self.subTest(args):
                self.assertEqual(trees.text(self.out(*args), name), text)
                theirs = self.work / "theirs" / str(len(self.results))
                self.run_buildx("build", "-o", theirs, *args, builder="tls")
                self.assertEqual(trees.text(theirs, name), text)

    def test_a_subdirectory_that_is_not_there(self):
        refused = self.build(self.serve().url("team/app.git#main:none"), builder="tls", check=1)
        self.assertRegex(refused.stderr, "hint: the repository has no such directory")

    def test_a_query_says_what_this_builder_takes(self):
        server = self.serve()
        url = server.url("team/app.git?branch=main&subdir=sub")
        refused = self.build(url, builder="tls", check=1)
        self.assertIn("moby.buildkit.frontend.gitquerystring", refused.stderr)
        self.assertIn("URL#REF:SUBDIR", refused.stderr)
        self.run_buildx("build", url, builder="tls", check=1)

    def test_token_of_a_secret(self):
        server = self.serve(basic("x-access-token", "t0ken"))
        url = server.url("team/app.git")
        refused = self.build(url, builder="tls", check=112)
        self.assertIn("GIT_AUTH_TOKEN", refused.stderr)
        self.assertNotIn("which this build was not given", refused.stderr)
        for name in ("GIT_AUTH_TOKEN", f"GIT_AUTH_TOKEN.{server.host}"):
            out = self.out("--secret", f"id={name},env=TOKEN", url, env={"TOKEN": "t0ken"})
            self.assertEqual(trees.text(out, "word"), "from git\n")
        # The whole header, for what is no token.
        for name in ("GIT_AUTH_HEADER", f"GIT_AUTH_HEADER.{server.host}"):
            header = {"HEADER": basic("x-access-token", "t0ken")}
            out = self.out("--secret", f"id={name},env=HEADER", "--no-cache", url, env=header)
            self.assertEqual(trees.text(out, "word"), "from git\n")
        self.assert_no_leak("t0ken")

    def job(self, host, **more):
        name, _, port = host.partition(":")
        server = {"CI_SERVER_HOST": name, "CI_SERVER_PORT": port, "CI_SERVER_PROTOCOL": "http"}
        return {"GITLAB_CI": "true", "CI_JOB_TOKEN": "j0b-t0ken", **server, **more}

    def test_the_job_fetches_from_its_own_server(self):
        server = self.serve(basic("gitlab-ci-token", "j0b-t0ken"))
        url = server.url("team/app.git")
        self.assertEqual(trees.text(self.out(url, env=self.job(server.host)), "word"), "from git\n")
        self.assertIn(f"git on the builder fetches from {server.host} with the job's token", self.results[-1].stderr)
        # ADD in a Dockerfile as well.
        context = self.context({"Dockerfile": f"# syntax-free\nFROM scratch\nADD {url}#main /src\n"})
        self.assertEqual(trees.text(self.out(context, env=self.job(server.host)), "src/word"), "from git\n")
        self.assert_no_leak("j0b-t0ken")

    def test_the_job_token_is_for_no_other_server(self):
        server = self.serve(basic("gitlab-ci-token", "j0b-t0ken"))
        refused = self.build(server.url("team/app.git"), builder="tls", env=self.job("127.0.0.1:1"), check=112)
        self.assertEqual(set(server.authorizations), {None})
        self.assertNotIn("job's token", refused.stderr)

    def test_a_secret_comes_before_the_job_token(self):
        server = self.serve(basic("x-access-token", "own"))
        env = self.job(server.host, TOKEN="own")
        out = self.out("--secret", "id=GIT_AUTH_TOKEN,env=TOKEN", server.url("team/app.git"), env=env)
        self.assertEqual(trees.text(out, "word"), "from git\n")

    def archive(self, mode="w:gz"):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode=mode) as archive:
            for name, text in _FILES.items():
                info = tarfile.TarInfo(name)
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
        return made.getvalue()

    def test_archive_and_dockerfile_over_http(self):
        server = self.serve()
        (self.root / "context.tar.gz").write_bytes(self.archive())
        (self.root / "alone").write_text(f"FROM {self.rig['BASE']}\nRUN echo alone >/alone\n")
        self.assertEqual(trees.text(self.out(server.url("context.tar.gz")), "word"), "from git\n")
        self.assertEqual(trees.text(self.out(server.url("alone")), "alone"), "alone\n")

    def test_dockerfile_of_a_url(self):
        server = self.serve()
        (self.root / "remote").write_text("FROM scratch\nCOPY word /remote\n")
        context = self.context({"word": "local\n", "Dockerfile": "wrong\n"})
        for source, text in ((context, "local\n"), (server.url("team/app.git"), "from git\n")):
            out = self.out("-f", server.url("remote"), source)
            self.assertEqual(trees.text(out, "remote"), text)
        gone = self.build("-f", server.url("none"), context, builder="tls", check=1)
        self.assertIn("404", gone.stderr)
        port = self.closed_port()
        refused = self.build("-f", f"http://127.0.0.1:{port}/x", context, builder="tls", check=1)
        self.assertIn(f"127.0.0.1:{port}", refused.stderr)

    def test_packed_archives_on_standard_input(self):
        for mode in ("w:", "w:gz", "w:bz2", "w:xz"):
            with self.subTest(mode):
                place = self.work / f"stdin{mode[2:]}"
                place.write_bytes(self.archive(mode))
                with place.open("rb") as stdin:
                    self.assertEqual(trees.text(self.out("-", stdin=stdin), "word"), "from git\n")

    def test_zstd_is_unpacked_on_the_way(self):
        place = self.work / "packed.zst"
        place.write_bytes(subprocess.run(["zstd", "-q"], input=self.archive("w:"), capture_output=True, check=True).stdout)
        with place.open("rb") as stdin:
            self.assertEqual(trees.text(self.out("-", stdin=stdin), "word"), "from git\n")
        with place.open("rb") as stdin:
            out = self.out("--platform", "linux/amd64,linux/arm64", "-", stdin=stdin, builder="both")
        self.assertEqual(trees.text(out, "linux_arm64/word"), "from git\n")

    def test_archives_that_cannot_be_read_are_told(self):
        header = tarfile.TarInfo("word")
        header.size = 1 << 20
        for name, content, words in (
            ("zstd", b"\x28\xb5\x2f\xfd" + bytes(200), "zstd"),
            ("half", self.archive()[:-30], "it ends too early"),
            ("lie", b"\x1f\x8b\x08" + bytes(2000), "failed to read dockerfile: open Dockerfile: no such file"),
            ("larger than what follows", header.tobuf() + b"word".ljust(512, b"\0"), "it ends too early"),
            ("a checksum of another", self.archive("w:").replace(b"0000644", b"0000755", 1), "nor an archive that can be read"),
        ):
            with self.subTest(name):
                place = self.work / name
                place.write_bytes(content)
                with place.open("rb") as stdin:
                    refused = self.build("-", "-o", self.work / "none", stdin=stdin, builder="tls", check=1)
                self.assertIn(words, refused.stderr)
                self.assertFalse((self.work / "none").exists())

    def test_a_git_server_that_hangs_can_be_left(self):
        url = f"http://{self.silent_port()}/team/app.git"
        running = self.start_plugin("build", url, builder="tls")
        running.wait_for_output(rf"load git source {url}")
        running.wait_for_output("Initialized empty Git repository")
        running.send(signal.SIGINT)
        running.wait(20, check=130)


if __name__ == "__main__":
    unittest.main()
