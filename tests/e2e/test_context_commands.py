"""`context ls`, `why` and `top`: what of a build context is sent, without a builder. And the line of a build whose context is
mostly what an image never needs."""

import json

import trees
from harness import EndToEnd


class ContextCommands(EndToEnd):
    def setUp(self):
        super().setUp()
        self.source = self.context(
            {
                "Dockerfile": f"FROM {self.rig['BASE']}\nCOPY . /copied\n",
                ".dockerignore": "# not these\n*.log\nout\n!out/keep\n",
                "a.log": "x",
                "src/main.c": "int main;",
                "src/large": "x" * 5000,
                "out/object": "o",
                "out/keep/this": "k",
                "odd\x1bname": "",
            }
        )
        (self.source / "link").symlink_to("src/main.c")

    def ask(self, *args, check=0, cwd=None):
        """With the folder as context, unless a working directory says which."""
        context = [] if cwd or "--context" in args else ["--context", self.source]
        return self.run_plugin("context", *args, *context, cwd=cwd, check=check)

    def objects(self, *args):
        return [json.loads(line) for line in self.ask(*args, "--json").stdout.splitlines()]

    def test_ls_is_what_a_build_gets(self):
        listed = {entry["path"]: entry for entry in self.objects("ls")}
        self.build("-o", "out", self.source, builder="plain")
        arrived = trees.tree_of(self.work / "out" / "copied")
        self.assertEqual(sorted(listed), sorted(p for p, e in arrived.items() if e.kind != "folder"))
        self.assertEqual(listed["src/large"]["size"], 5000)
        self.assertEqual(listed["link"]["type"], "symlink")

    def test_ls_for_people(self):
        result = self.ask("ls")
        self.assertRegex(result.stdout, r"(?m)^5kB +src/large$")
        self.assertRegex(result.stdout, r"(?m)^5\.\d+kB in 7 files of \S+, without what \.dockerignore keeps out$")
        self.assertNotIn("\x1b", result.stdout)
        self.assertRegex(self.ask("ls", "--context", self.source / "src").stdout, "no .dockerignore")

    def test_why(self):
        result = self.ask("why", "a.log", "out/object", "out/keep/this", "src/main.c")
        self.assertEqual(
            result.stdout.splitlines(),
            [
                "a.log: not sent, by line 2 of .dockerignore: *.log",
                "out/object: not sent, by line 3 of .dockerignore: out",
                "out/keep/this: sent, by line 4 of .dockerignore: !out/keep",
                "src/main.c: sent: no line of .dockerignore fits",
            ],
        )
        # From a folder of the context, and from elsewhere.
        self.assertIn("src/main.c: sent", self.ask("why", "--context", "..", "main.c", cwd=self.source / "src").stdout)
        self.assertIn("a.log: not sent", self.ask("why", "a.log", cwd=self.source).stdout)
        [one] = self.objects("why", "a.log")
        self.assertEqual((one["sent"], one["line"], one["pattern"]), (False, 2, "*.log"))

    def test_why_of_what_is_not_there(self):
        result = self.ask("why", "src/mian.c", check=1)
        self.assertIn("src/mian.c: there is no such file", result.stdout)
        self.assertIn("ERROR: there is no src/mian.c in ", result.stderr)

    def test_the_dockerfiles_own_list(self):
        (self.source / "app.Dockerfile").write_text("FROM scratch\n")
        (self.source / "app.Dockerfile.dockerignore").write_text("src\n")
        result = self.ask("why", "-f", self.source / "app.Dockerfile", "src/main.c", "a.log")
        self.assertIn("src/main.c: not sent, by line 1 of app.Dockerfile.dockerignore: src", result.stdout)
        self.assertIn("a.log: sent", result.stdout)

    def test_top(self):
        paths = [one["path"] for one in self.objects("top", "3")]
        # The folder src is hardly more than src/large.
        self.assertEqual(paths[0], "src/large")
        self.assertEqual(len(paths), 3)
        for number in range(20):
            (self.source / "src" / f"{number}").write_text("x" * 5000)
        first = self.objects("top")[0]
        self.assertEqual(first, {"path": "src/", "size": 105009, "files": 22})
        self.assertRegex(self.ask("top", "1").stdout, r"^105kB +22 files +src/\n105\.\d+kB in 27 files of ")

    def test_what_is_no_question(self):
        for args, says in (
            (["ls", "x"], "too many arguments"),
            (["why", "../x"], "../x is outside of the context"),
            (["why"], "needs a path"),
            (["why", "."], "is the context itself"),
            (["top", "none"], "'none' is no number"),
            (["top", "0"], "'0' is no number"),
            (["ls", "--context", "https://x/y.git"], "only a folder"),
            (["ls", "--context", "-"], "only a folder"),
        ):
            with self.subTest(args):
                self.assertIn(says, self.ask(*args, check=125).stderr)
        self.assertIn("no-such", self.ask("ls", "--context", "no-such", check=1).stderr)

    def test_a_build_says_what_makes_its_context_large(self):
        modules = self.source / "web" / "node_modules"
        modules.mkdir(parents=True)
        with open(modules / "large", "wb") as file:
            file.truncate(60_000_000)
        said = r"context: 60(\.0+)?MB of 60(\.\d+)?MB lie in web/node_modules, which images hardly ever need"
        self.assertRegex(self.build(self.source, builder="plain").stderr, said)
        (self.source / ".dockerignore").write_text("web/node_modules\n")
        self.assertNotIn("hardly ever", self.build(self.source, builder="plain").stderr)
