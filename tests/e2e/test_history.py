"""What docker buildx knows of our builds: its own records, the metadata file, and its builders' options."""

import json
import re

from harness import EndToEnd

ON = {"BUILDX_NO_DEFAULT_ATTESTATIONS": None}


class HistoryTest(EndToEnd):
    def setUp(self):
        super().setUp()
        self.buildx_folder = {"BUILDX_CONFIG": str(self.work / "buildx")}

    def source(self, *lines, name="app"):
        dockerfile = f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()} >/own\n"
        return self.context({"Dockerfile": dockerfile + "".join(lines)}, name=name)

    def instance(self, *options):
        """A builder that docker buildx has made, and only its files and ours know of."""
        name = f"facts{len(self.results)}"
        create = ["create", "--name", name, "--driver", "remote", *options]
        self.run_buildx(*create, self.rig["BUILDER_PLAIN"], env=self.buildx_folder)
        return name

    def metadata(self, *args, **options):
        self.build("--metadata-file", self.work / "m.json", *args, **options)
        return json.loads((self.work / "m.json").read_text())


class Records(HistoryTest):
    def history(self, *args, **options):
        return self.run_buildx(*args, env=self.buildx_folder, **options).stdout

    def listed(self, ref, *builder, **options):
        lines = self.history(*builder, "history", "ls", "--format", "json", **options).splitlines()
        found = [one for one in map(json.loads, lines) if one["ref"].endswith(ref.split("/")[-1])]
        self.assertEqual(len(found), 1, lines)
        return found[0]

    def test_buildx_names_our_builds(self):
        name, context = self.instance(), self.source()
        env = {**self.buildx_folder, "DEPOT_BUILDER": name}
        ref = self.metadata(context, env=env)["buildx.build.ref"]
        self.assertRegex(ref, rf"\A{name}/{name}0/[a-z0-9]+\Z")
        found = self.listed(ref, "--builder", name)
        self.assertEqual((found["ref"], found["name"]), (ref, "app"))
        flags = ["history", "inspect", "--format", "json", ref.split("/")[-1]]
        shown = json.loads(self.history("--builder", name, *flags))
        self.assertEqual((shown["Name"], shown["Context"]), ("app", context.name))
        self.assertEqual(shown["Status"], "completed")

    def test_a_failed_build_and_another_dockerfile(self):
        name, context = self.instance(), self.source("RUN false\n")
        (context / "other").write_text((context / "Dockerfile").read_text())
        env = {**self.buildx_folder, "DEPOT_BUILDER": name}
        self.build("-f", context / "other", context, env=env, check=1)
        (record,) = (self.work / "buildx/refs" / name / f"{name}0").iterdir()
        said = {"Target": "default", "LocalPath": str(context)}
        said["DockerfilePath"] = str(context / "other")
        self.assertEqual(json.loads(record.read_text()), said)
        found = self.listed(record.name, "--builder", name)
        self.assertEqual((found["name"], found["status"]), ("app/other", "Error"))

    def test_on_an_engine(self):
        """The Engine is a builder of buildx's by the name of its context."""
        for engine in ("containerd", "classic"):
            ref = self.metadata(self.source(), engine=engine, env=self.buildx_folder)
            ref = ref["buildx.build.ref"]
            self.assertRegex(ref, r"\Adefault/default/[a-z0-9]+\Z")
            self.assertEqual(self.listed(ref, engine=engine)["name"], "app")

    def test_an_address_has_no_name_and_leaves_nothing(self):
        ref = self.metadata(self.source(), builder="plain", env=self.buildx_folder)
        self.assertRegex(ref["buildx.build.ref"], r"\Adepot/depot0/[a-z0-9]+\Z")
        self.assertFalse((self.work / "buildx/refs").exists())


class Commands(HistoryTest):
    """`history` beside docker buildx, on the same records."""

    def setUp(self):
        super().setUp()
        self.name = self.instance()
        self.env = {**self.buildx_folder, "DEPOT_BUILDER": self.name}

    def both(self, *args, **options):
        """What docker buildx and we print."""
        theirs = self.run_buildx("--builder", self.name, "history", *args, env=self.buildx_folder, **options)
        ours = self.run_plugin("--builder", self.name, "history", *args, env=self.buildx_folder, **options)
        return theirs, ours

    def built(self, *args, check=0, **options):
        before = set((self.work / "buildx/refs").glob("*/*/*"))
        self.build(*args, env=self.env, check=check, **options)
        (made,) = set((self.work / "buildx/refs").glob("*/*/*")) - before
        return made.name

    def test_ls(self):
        good = self.built(self.source())
        bad = self.built("--target", "end", self.source("FROM scratch AS end\nCOPY none /\n", name="x" * 40), check=1)
        for args in (["--format", "json"], ["--filter", f"ref={good}", "--format", "json"],
                     ["--filter", f"ref={bad}"], ["--filter", f"ref={bad}", "--no-trunc"],
                     ["--filter", f"ref={good}", "--format", "{{.Ref}} {{.Name}} {{.Status}} {{.Duration}}"],
                     ["--filter", f"ref={good}", "--format", "table {{.Name}}\\t{{.Status}}"]):
            with self.subTest(args=args):
                theirs, ours = self.both("ls", *args)
                # Others build on it at the same time.
                mine = [[re.sub(r" \d+ \w+ ago", "", line).split() for line in one.stdout.splitlines()
                         if "NAME" in line or good in line or bad in line or "table" in args[-1] or "{" in args[-1]]
                        for one in (theirs, ours)]
                self.assertTrue(mine[0])
                self.assertEqual(*mine)

    def test_filters(self):
        good, bad = self.built(self.source()), self.built(self.source("RUN false\n"), check=1)
        rows = (
            (["status=error"], {bad}), (["status=completed"], {good}), (["status!=error"], {good}),
            (["duration>=0s", f"ref={bad}"], {bad}), (["duration>24h"], set()), (["startedAt>1h"], {good, bad}),
            (["startedAt<2020-01-01T00:00:00Z"], set()), (["completedAt>=2020-01-01T00:00:00+01:00"], {good, bad}),
        )
        for filters, wanted in rows:
            with self.subTest(filters=filters):
                words = [word for one in filters for word in ("--filter", one)]
                shown = self.run_plugin("history", "ls", "--format", "{{.Ref}}", *words, env=self.env).stdout.split()
                self.assertEqual({good, bad} & set(shown), wanted)

    def test_inspect(self):
        context = self.source("ARG WORD\nRUN echo $WORD >/w\n")
        args = ["--build-arg", "WORD=x", "--label", "a=b", "--no-cache-filter", "none", "--add-host", "h:127.0.0.9"]
        good = self.built(*args, context)
        bad = self.built(self.source("RUN exit 3\n", name="bad"), check=1)
        for ref in (good, bad):
            theirs, ours = (json.loads(one.stdout) for one in self.both("inspect", ref, "--format", "json"))
            theirs.get("Error", {}).pop("Sources", None)
            for key in ("Stack", "Logs", "Name"):
                theirs.get("Error", {}).pop(key, None)
            ours["Config"].pop("NoCacheFilter", None)  # which docker buildx loses
            self.assertEqual(theirs, ours)
            shown = [re.sub(r"\t+", "\t", one.stdout) for one in self.both("inspect", ref)]
            for line in shown[0].splitlines():
                if re.match(r"(Name|Context|Dockerfile|Started|Duration|Error|Build Steps|No Cache|Extra|WORD|a)\b", line):
                    self.assertIn(line, shown[1])
        fields = ("Ref", "Status", "Name", "Context", "Dockerfile", "Target", "VCSRepository", "VCSRevision")
        for ref in (good, self.built("-", stdin="FROM scratch\n")):
            shown = self.both("inspect", ref, "--format", "|".join(f"{{{{.{field}}}}}" for field in fields))
            self.assertEqual(*(one.stdout for one in shown))

    def test_logs(self):
        word = f"word-{self._token}"
        ref = self.built(self.source(f"RUN echo {word}-$((1+1))\n"))
        for one in self.both("logs", ref):
            self.assertRegex(one.stderr, rf"(?m)^#\d+ [\d.]+ {word}-2$")
            self.assertRegex(one.stderr, r"(?m)^#\d+ \[2/3\] RUN ")
        raw = self.both("logs", ref, "--progress=rawjson")
        self.assertTrue(all(word in one.stderr for one in raw))

    def test_rm_and_what_is_not_there(self):
        refs = [self.built(self.source()) for _ in range(3)]
        full = f"{self.name}/{self.name}0/{refs[2]}"
        self.assertEqual(self.run_plugin("history", "rm", refs[0], full, env=self.env).stdout, "")
        shown = self.run_buildx("--builder", self.name, "history", "ls", env=self.buildx_folder).stdout
        self.assertEqual([ref in shown for ref in refs], [False, True, False])
        for words, says in (
            (["inspect", "nothing"], 'ERROR: no record found for ref "nothing"\n'),
            (["logs", "nothing"], 'ERROR: no record found for ref "nothing"\n'),
            (["rm"], "ERROR: rm requires at least one argument\n"),
            (["rm", "--all", "x"], "rm requires either --all or at least one argument"),
            (["ls", "--filter", "foo=bar"], 'ERROR: unsupported filter "foo=bar"\n'),
            (["ls", "--filter", "foo"], 'invalid filter "foo"'),
            (["ls", "--filter", "startedAt>soon"], "invalid time soon"),
        ):
            with self.subTest(words=words):
                ended = self.run_plugin("history", *words, env=self.env, check=None)
                self.assertNotEqual(ended.rc, 0)
                self.assertIn(says, ended.stderr)

    def test_where_there_is_none(self):
        old = self.run_plugin("history", "ls", engine="oldest", check=1)
        self.assertIn("keeps no records", old.stderr)
        hosted = self.run_plugin("history", "ls", env={"DEPOT_TOKEN": "t", "DEPOT_PROJECT_ID": "p"}, check=1)
        self.assertIn("list builds", hosted.stderr)


class Metadata(HistoryTest):
    def test_warnings_are_those_of_buildx(self):
        dockerfile = f"FROM scratch\nCOPY \\\n\n Dockerfile /{self.image_name().replace('/', '-')}\n"
        context = self.context({"Dockerfile": dockerfile})
        env = {"BUILDX_METADATA_WARNINGS": "1"}
        ours = self.metadata(context, builder="tls", env=env)["buildx.build.warnings"]
        flags = ["--metadata-file", self.work / "theirs.json", context]
        self.run_buildx("build", *flags, builder="tls", env=env)
        theirs = json.loads((self.work / "theirs.json").read_text())["buildx.build.warnings"]
        for warning in ours + theirs:  # each build has its own steps
            self.assertRegex(warning.pop("vertex"), r"\Asha256:[0-9a-f]{64}\Z")
        self.assertEqual(len(ours), 1)
        self.assertEqual(ours, theirs)
        self.assertNotIn("buildx.build.warnings", self.metadata(context, builder="tls"))

    def test_a_classic_engine_has_a_record_of_where_it_comes_from(self):
        image, context = self.image_name(), self.source()
        ours = self.metadata("-t", image, context, engine="classic")
        flags = ["-t", image, "--metadata-file", self.work / "theirs.json", context]
        self.run_buildx("build", *flags, engine="classic")
        theirs = json.loads((self.work / "theirs.json").read_text())
        self.assertEqual(sorted(ours), sorted(theirs))
        self.assertEqual(ours["buildx.build.provenance"], theirs["buildx.build.provenance"])
        self.engine("classic").remove(image)

    def test_the_oldest_engine_keeps_no_record_and_is_not_asked(self):
        image = self.image_name()
        said = self.metadata("-t", image, self.source(), engine="oldest")
        self.assertNotIn("buildx.build.provenance", said)
        self.assertNotIn("resolving provenance", self.results[-1].stderr)
        self.engine("oldest").remove(image)


class Provenance(HistoryTest):
    def test_what_is_attached_is_one_line(self):
        image = self.image_name(registry="open")
        for args, env, says in (
            ([], ON, "provenance (mode=min) is attached to the image by default"),
            (["--provenance=mode=max"], {}, "provenance (mode=max) is attached to the image\n"),
            (["--provenance=false"], ON, None),
            ([], {}, None),
        ):
            with self.subTest(args=args, env=env):
                context = self.source()
                said = self.build("-t", image, "--push", *args, context, builder="tls", env=env).stderr
                attached = "manifests" in self.repository(image).document("latest")
                self.assertEqual(attached, says is not None)
                self.assertEqual(said.count("provenance ("), int(attached))
                self.assertIn(says or "", said)


class Options(HistoryTest):
    def test_default_load_is_followed(self):
        name = self.instance("--driver-opt", "default-load=true")
        env = {**self.buildx_folder, "DEPOT_BUILDER": name}
        for engine in ("containerd", "classic"):
            image = self.image_name()
            self.build("-t", image, self.source(), env=env, engine=engine)
            self.assertTrue(self.engine(engine).inspect(image))
            self.engine(engine).remove(image)
        image = self.image_name()
        off = {**env, "BUILDX_NO_DEFAULT_LOAD": "1"}
        for args, values in ((["-o", "out"], env), ([], off)):
            self.build("-t", image, *args, self.source(), env=values, engine="containerd")
            self.assertNotIn(image, str(self.engine("containerd").images()))
