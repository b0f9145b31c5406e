"""What a build asks of this machine before it begins: nothing that the call can hold. Each question is a round trip or more."""

import re

from harness import EndToEnd, symlink


class ContextCalls(EndToEnd):
    def files(self, dockerfile=None, **more):
        lines = dockerfile or f"FROM {self.rig['BASE']}\nCOPY . /w/\nRUN : {self.image_name()}; ls -A /w\n"
        return self.context({"Dockerfile": lines, "a": "1", "b.log": "2", **more})

    def questions(self, result):
        """What the builder had sent to it: each of these is a line with a number of bytes."""
        return re.findall(r"(?m)^#\d+ transferring (\w+): [\d.]+\w+ .*done$", result.stderr)

    def listed(self, result):
        return re.findall(r"(?m)^#\d+ [\d.]+ (\S+)$", result.stderr)

    def test_a_build_asks_for_its_context_only(self):
        # BuildKit 0.8 looks for the ignore file beside its Dockerfile and in the context at once.
        for builder, engine, asked in (("tls", None, ["context"]), (None, "oldest", ["context"] * 2)):
            with self.subTest(builder=builder or engine):
                context = self.files(**{".dockerignore": "*.log\n"})
                flags = ["--progress=plain", "--no-cache"]
                result = self.build(*flags, context, builder=builder, engine=engine)
                self.assertEqual(self.questions(result), asked)
                self.assertEqual(sorted(set(self.listed(result))), [".dockerignore", "Dockerfile", "a"])
                for name in ("load build definition from Dockerfile", "load .dockerignore", "load build context"):
                    self.assertRegex(result.stderr, rf"(?m)^#\d+ \[internal\] {re.escape(name)}$")

    def test_the_ignore_file_in_force_decides(self):
        for files, seen in (
            ({}, ["Dockerfile", "a", "b.log"]),
            ({".dockerignore": ""}, [".dockerignore", "Dockerfile", "a", "b.log"]),
            ({".dockerignore": "*", "Dockerfile.dockerignore": "Dockerfile*\n.docker*\na"}, ["b.log"]),
            ({"real": "Docker*\n.docker*\nreal\n*.log", ".dockerignore": symlink("real")}, ["a"]),
        ):
            with self.subTest(files=files):
                result = self.build("--progress=plain", "--no-cache", self.files(**files), builder="tls")
                self.assertEqual(sorted(set(self.listed(result))), seen)

    def test_it_is_asked_for_where_the_answer_tells_where_from(self):
        """The provenance of mode=max has the source of each line."""
        context = self.files()
        result = self.build("--progress=plain", "--provenance=mode=max", context, builder="tls")
        self.assertIn("dockerfile", self.questions(result))
        self.start_newest_engine()
        checked = self.build("--progress=plain", "--check", context, engine="newest")
        self.assertIn("dockerfile", self.questions(checked))

    def test_errors_point_at_the_same_lines(self):
        fails = f"FROM {self.rig['BASE']}\nRUN exit 3\n"
        long = "# said at length\n" * 2000 + fails
        for lines in ("FROM scratch\nCOPI a /\n", "FROM scratch\nCOPY nothing /\n", fails, long):
            with self.subTest(lines=lines[-80:]):
                context = self.files(lines)
                said = []
                for flags in ([], ["--provenance=mode=max"]):
                    result = self.build("--progress=plain", *flags, context, builder="tls", check=None)
                    excerpt = self.excerpt(result)
                    self.assertTrue(excerpt, result)
                    said.append((result.rc, excerpt))
                self.assertEqual(*said)

    def test_errors_of_long_files_are_those_of_buildx(self):
        """The builder's error has the whole file in it, and is one value of gRPC's trailers. BuildKit 0.8 says nothing of
        lines."""
        step = f"RUN echo {self.image_name()}; exit 3"
        for size in (60_000, 300_000):
            for last, builder, engine in ((step, "tls", None), ("COPI a /", "tls", None), (step, None, "oldest")):
                with self.subTest(last=last[:4], size=size, engine=engine):
                    filler = "# said at length\n" * (size // 17)
                    context = self.files(f"{filler}FROM {self.rig['BASE']}\n{last}")
                    where = {"builder": builder, "engine": engine}
                    rc = 3 if last == step else 1
                    ours = self.build("--progress=plain", "--exit-code=step", context, check=rc, **where)
                    theirs = self.run_buildx("build", "--progress=plain", context, check=None, **where)
                    self.assertNotEqual(theirs.rc, 0)
                    self.assertEqual(self.excerpt(ours), self.excerpt(theirs))
                    self.assertEqual(self.excerpt(ours) == "", engine == "oldest")
                    error = re.search(r"(?m)^ERROR: .*failed to solve: (?:rpc error: .* desc = )?(.*)$", theirs.stderr)[1]
                    self.assertIn(f"ERROR: build failed: {error}", ours.stderr)
                    self.assertNotRegex(ours.stderr, "connecting again|lost the builder|HPACK")

    def excerpt(self, result):
        found = re.search(r"(?ms)^Dockerfile:\d+\n.*?^-{10,}$.*?^-{10,}$", result.stderr)
        return found[0] if found else ""

    def test_warnings_point_at_the_same_lines(self):
        self.start_newest_engine()
        context = self.files(f"FROM {self.rig['BASE']} as x\nENV A b\n")
        said = []
        for provenance, asked in (("false", []), ("mode=max", ["dockerfile", "context"])):
            result = self.build("--progress=plain", f"--provenance={provenance}", context, engine="newest")
            self.assertEqual(self.questions(result), asked)
            # The two files are steps of either number.
            said.append(re.findall(r"(?m)^(?:#[12] )?(.*\(line \d+\)|#0 +warnings.*)$", result.stderr))
        self.assertGreater(len(said[0]), 2, result)
        self.assertEqual(*said)
