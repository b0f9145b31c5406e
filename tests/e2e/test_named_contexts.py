"""--build-context: directories, images, image layouts, git and archives under names."""

import json
import shutil
import subprocess
import tarfile
import unittest

import trees
from git_server import GIT, GitServer, commit
from harness import FAILURES, EndToEnd


class NamedContexts(EndToEnd):
    def out(self, *args, builder="tls", **options):
        place = self.work / f"out{len(self.results)}"
        self.build("-o", place, *args, builder=builder, **options)
        return place

    def same_as_buildx(self, *args):
        """The tree of ours, after a look at that of docker buildx."""
        ours, theirs = self.out(*args), self.work / f"theirs{len(self.results)}"
        self.run_buildx("build", "-o", theirs, *args, builder="tls")
        self.assert_same_tree(trees.tree_of(theirs), trees.tree_of(ours), ignore=("mtime",))
        return ours

    def layout(self, *tags):
        """An image layout with an image whose file /word says the tag, for each tag."""
        place = self.work / "layout"
        entries = []
        for tag in tags:
            made = self.context({"Dockerfile": f"FROM scratch\nCOPY word /\nENV TAG={tag}\n", "word": tag})
            archive = self.work / "layout.tar"
            self.build("-o", f"type=oci,dest={archive}", "--provenance=false", "-t", f"x:{tag}", made, builder="tls")
            with tarfile.open(archive) as tar:
                tar.extractall(place)
            entries += json.loads((place / "index.json").read_text())["manifests"]
        index = json.loads((place / "index.json").read_text())
        (place / "index.json").write_text(json.dumps({**index, "manifests": entries}))
        return place

    def test_directories_with_their_ignore_files(self):
        first = self.context({"a": "1", "skipped": "2", ".dockerignore": "skipped\n", "deep/b": "3"})
        second = self.context({"c": "4"})
        context = self.context(
            {
                "Dockerfile": "FROM scratch\nCOPY --from=first / /first\nCOPY --from=second c /\n"
                "COPY --from=dockerfile c /d\nCOPY own /\n",
                "own": "5",
            }
        )
        named = ["--build-context", f"first={first}", "--build-context", f"second={second}"]
        out = self.same_as_buildx(*named, "--build-context", f"dockerfile={second}", context)
        self.assertEqual(trees.files_in(out), ["c", "d", "first/.dockerignore", "first/a", "first/deep/b", "own"])

    def test_an_image_of_the_dockerfile_is_replaced(self):
        context = self.context({"Dockerfile": "FROM no.such.host.invalid/image:1 AS base\nCOPY word /\n", "word": "w"})
        self.assertIn(
            "word",
            trees.files_in(
                self.same_as_buildx(
                    "--build-context", f"no.such.host.invalid/image:1=docker-image://{self.rig['BASE']}", context
                )
            ),
        )

    def test_image_layouts_by_tag_and_digest(self):
        layout = self.layout("one", "two")
        digest = json.loads((layout / "index.json").read_text())["manifests"][1]["digest"]
        context = self.context({"Dockerfile": "FROM base\n"})
        for reference, word in ((f"{layout}:one", "one"), (f"{layout}@{digest}", "two"), (f"{layout}:one@{digest}", "two")):
            with self.subTest(reference):
                out = self.same_as_buildx("--build-context", f"base=oci-layout://{reference}", context)
                self.assertEqual(trees.text(out, "word"), word)
        missing = self.build("--build-context", f"base=oci-layout://{layout}", context, builder="tls", check=1)
        self.assertIn("lists 2 images, and none with the tag latest", missing.stderr)
        self.assertIn("one, two", missing.stderr)

    def test_the_only_image_of_a_layout(self):
        layout = self.layout("one")
        context = self.context({"Dockerfile": "FROM base\n"})
        out = self.same_as_buildx("--build-context", f"base=oci-layout://{layout}", context)
        self.assertEqual(trees.text(out, "word"), "one")

    def test_git_and_http(self):
        root = self.work / "served"
        commit(root / "app", {"sub/word": "from git\n"})
        subprocess.run([*GIT, "clone", "-q", "--bare", root / "app", root / "app.git"], check=True)
        (root / "context").write_text("from http\n")
        server = GitServer(root)
        self.addCleanup(server.close)
        context = self.context({"Dockerfile": "FROM scratch\nCOPY --from=src word /\nCOPY --from=web context /\n"})
        out = self.same_as_buildx(
            "--build-context",
            f"src={server.url('app.git#main:sub')}",
            "--build-context",
            f"web={server.url('context')}",
            context,
        )
        self.assertEqual(trees.text(out, "word"), "from git\n")
        self.assertEqual(trees.text(out, "context"), "from http\n")

    def test_two_builders(self):
        named, layout = self.context({"a": "1"}), self.layout("one")
        context = self.context({"Dockerfile": "FROM scratch\nCOPY --from=first a /\nCOPY --from=base word /\n"})
        out = self.out(
            "--platform",
            "linux/amd64,linux/arm64",
            "--build-context",
            f"first={named}",
            "--build-context",
            f"base=oci-layout://{layout}",
            context,
            builder="both",
        )
        for platform in ("linux_amd64", "linux_arm64"):
            self.assertEqual(trees.text(out, f"{platform}/a"), "1")
            self.assertEqual(trees.text(out, f"{platform}/word"), "one")

    def refusal(self, value, check=FAILURES):
        """That of a build which must not get to its builder."""
        context = self.context({"Dockerfile": "FROM scratch\n"}, name="refused")
        builder = f"tcp://127.0.0.1:{self.closed_port()}"
        shown = self.build("--build-context", value, context, builder=builder, check=check).stderr
        self.assertNotIn("refused", shown.split("build-context")[0])
        return shown

    def test_bad_ones_are_told_before_connecting(self):
        layout, text = self.layout("one"), self.work / "text"
        text.write_text("")
        corrupt = self.work / "corrupt"
        shutil.copytree(layout, corrupt)
        (corrupt / "index.json").write_text("{")
        empty = self.context({"a": ""})
        zeros = "sha256:" + 64 * "0"
        for value, words in (
            (f"x={self.work}/none", "does not exist"),
            (f"x={text}", "is not a directory"),
            (f"x=oci-layout://{self.work}/none", "none"),
            (f"x=oci-layout://{corrupt}", "index.json"),
            (f"x=oci-layout://{empty}", "index.json"),
            (f"x=oci-layout://{layout}@{zeros}", f"does not have {zeros}"),
            ("x=ssh://git@host/path", "git@HOST:PATH"),
        ):
            with self.subTest(value):
                shown = self.refusal(value)
                self.assertIn("--build-context x: ", shown)
                self.assertIn(words, shown)
        for value, words in (
            ("x", "invalid context value: x, expected key=value"),
            ("X=.", 'invalid context name "X"'),
            ("x=", "the value is empty"),
            ("x=target:y", "bake"),
        ):
            with self.subTest(value):
                self.assertIn(words, self.refusal(value, check=125))

    def test_a_builder_that_is_too_old_says_so(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        refused = self.build("--build-context", f"x={context}", context, engine="oldest", check=1)
        self.assertIn("--build-context needs BuildKit 0.10", refused.stderr)

    def test_links_of_a_context_lead_nowhere_else(self):
        (self.work / "secret").write_text("s")
        named = self.context({"a": "1"})
        (named / "link").symlink_to(self.work / "secret")
        context = self.context({"Dockerfile": "FROM scratch\nCOPY --from=first / /\n"})
        self.same_as_buildx("--build-context", f"first={named}", context)


if __name__ == "__main__":
    unittest.main()
