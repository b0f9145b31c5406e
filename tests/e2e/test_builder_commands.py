"""create, use, ls, inspect, stop, rm, du and prune, on docker buildx's own files, beside docker buildx."""

import contextlib
import json
import re
import socket

from harness import EndToEnd


class Instances(EndToEnd):
    def setUp(self):
        super().setUp()
        self.folder_of_buildx = {"BUILDX_CONFIG": str(self.folder / "buildx")}

    def ours(self, *words, **options):
        return self.run_plugin(*words, env={**self.folder_of_buildx, **options.pop("env", {})}, **options)

    def theirs(self, *words, **options):
        return self.run_buildx(*words, **options)

    def create(self, name, *words, **options):
        address = self.rig["BUILDER_PLAIN"]
        return self.ours("create", "--name", name, "--driver", "remote", *words, address, **options)

    def test_what_one_writes_the_other_reads(self):
        self.assertEqual(self.create("mine", "--platform", "linux/amd64", engine="containerd").stdout, "mine\n")
        address = self.rig["BUILDER_PLAIN"]
        self.theirs("create", "--name", "other", "--driver", "remote", "--platform", "linux/amd64", address)
        files = [json.loads((self.folder / "buildx/instances" / name).read_text()) for name in ("mine", "other")]
        for file, name in zip(files, ("mine", "other")):
            self.assertEqual(file.pop("Name"), name)
            self.assertEqual(file["Nodes"][0].pop("Name"), f"{name}0")
        nodes = [{key: value for key, value in file["Nodes"][0].items() if value} for file in files]
        self.assertEqual(nodes[0], nodes[1])
        self.assertIn("running", self.theirs("inspect", "mine", engine="containerd").stdout)
        shown = self.ours("inspect", "other", engine="containerd").stdout
        wanted = self.theirs("inspect", "other", engine="containerd").stdout
        for heading in ("Name", "Driver", "Endpoint", "Status"):
            line = re.search(rf"^{heading}:.*$", wanted, re.MULTILINE)
            self.assertIn(line[0].split()[-1], shown)

    def test_use_chooses_for_both(self):
        self.create("mine", "--use", engine="containerd")
        self.assertRegex(self.theirs("ls", engine="containerd").stdout, r"(?m)^mine\* +remote")
        self.assertRegex(self.ours("ls", engine="containerd").stdout, r"(?m)^mine\* +remote")
        self.ours("use", "default", engine="containerd")
        self.assertRegex(self.theirs("ls", engine="containerd").stdout, r"(?m)^default\* +docker")
        self.assertRegex(self.ours("ls", engine="containerd").stdout, r"(?m)^default\* +docker")
        unknown = self.ours("use", "nobody", engine="containerd", check=1)
        self.assertIn('no builder "nobody"', unknown.stderr)

    def test_ls_in_its_forms(self):
        self.create("mine", engine="containerd")
        names = self.ours("ls", "--format", "{{.Name}} {{.DriverEndpoint}}", engine="containerd").stdout
        self.assertIn("mine remote\n", names)
        self.ours("create", "--name", "dead", "--driver", "remote", f"tcp://{self.closed_port()}", engine="containerd")
        listed = self.ours("ls", "--format", "json", engine="containerd")
        found = {row["Name"]: row for row in map(json.loads, listed.stdout.splitlines())}
        self.assertEqual(found["mine"]["Nodes"][0]["Status"], "running")
        self.assertEqual(found["dead"]["Nodes"][0]["Status"], "inactive")
        self.assertIn("dead", listed.stderr)

    def rows(self, run, **options):
        listed = run("ls", "--format", "json", **options).stdout.splitlines()
        return {row["Name"]: row for row in map(json.loads, listed)}

    def test_ls_says_what_buildx_says(self):
        self.create("mine", "--driver-opt", "default-load=true", engine="containerd")
        for engine in ("containerd", "classic", "oldest"):
            with self.subTest(engine=engine):
                ours, theirs = (self.rows(run, engine=engine) for run in (self.ours, self.theirs))
                self.assertEqual(ours, theirs)
                tables = [run("ls", engine=engine).stdout.splitlines() for run in (self.theirs, self.ours)]
                wanted, shown = (sorted(line.rstrip() for line in table) for table in tables)
                self.assertEqual(wanted, shown)
        views = [run("inspect", "mine", engine="containerd").stdout for run in (self.theirs, self.ours)]
        self.assertEqual(*views)

    def test_a_refused_connection_is_an_answer(self):
        address = f"tcp://{self.closed_port()}"
        self.ours("create", "--name", "dead", "--driver", "remote", address, engine="containerd")
        for words in (["ls"], ["inspect", "dead"]):
            shown = self.ours(*words, engine="containerd")
            self.assertRegex(shown.stdout, "inactive")
            self.assertRegex(shown.stderr, "dead0: .*connection refused\n")
            self.assertNotIn("trying again", shown.stderr)
        found = self.run_plugin("doctor", builder=address, engine="containerd", check=110)
        self.assertNotIn("trying again", found.stderr)

    def test_builders_that_say_nothing_are_waited_for_side_by_side(self):
        with contextlib.ExitStack() as opened:
            for name in ("one", "two", "three"):
                silent = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
                address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
                self.ours("create", "--name", name, "--driver", "remote", address, engine="containerd")
            shown = self.ours("ls", engine="containerd")
        self.assertEqual(shown.stdout.count("inactive"), 3)
        self.assertEqual(shown.stderr.count("no answer within 5 s"), 3, shown)
        waited, gave_up = (shown.stderr.find(text) for text in ("waiting for builder", "no answer within"))
        self.assertTrue(0 <= waited < gave_up, shown)

    def test_bootstrap_is_an_answer(self):
        self.create("mine", "--bootstrap", engine="containerd")
        self.assertIn("running", self.ours("inspect", "--bootstrap", "mine", engine="containerd").stdout)
        self.ours("create", "--name", "dead", "--driver", "remote", f"tcp://{self.closed_port()}", engine="containerd")
        failed = self.ours("inspect", "--bootstrap", "dead", engine="containerd", check=1)
        self.assertIn("does not answer", failed.stderr)

    def test_nodes_come_and_go(self):
        self.create("pair", engine="containerd")
        self.create("pair", "--append", "--node", "second", engine="containerd")
        again = self.create("pair", engine="containerd", check=1)
        self.assertIn("already", again.stderr)
        self.ours("create", "--name", "pair", "--leave", "--node", "pair0", engine="containerd")
        file = json.loads((self.folder / "buildx/instances/pair").read_text())
        self.assertEqual([node["Name"] for node in file["Nodes"]], ["second"])
        self.assertIn("pair removed", self.ours("rm", "pair", engine="containerd").stderr)
        self.assertNotIn("pair", self.theirs("ls", engine="containerd").stdout)
        self.assertIn('no builder "pair"', self.ours("rm", "pair", engine="containerd", check=1).stderr)

    def test_scripts_that_make_a_builder_go_on_with_a_remote_one(self):
        made = self.ours("create", "--name", "ci", "--use", "--bootstrap", builder="plain")
        self.assertEqual(made.stdout, "ci\n")
        self.assertRegex(made.stderr, r"create has no effect: building on tcp://.*DEPOT_BUILDER")
        self.assertIn("running", self.ours("inspect", "--bootstrap", "ci", builder="plain").stdout)
        for words in (["use", "ci"], ["stop", "ci"], ["rm", "-f", "ci"], ["install"], ["uninstall"]):
            self.assertIn("WARNING", self.ours(*words, builder="plain").stderr)
        alone = self.ours("create", "--use", engine="containerd", check=1)
        self.assertIn("starts no BuildKit", alone.stderr)

    def test_what_could_never_be_used_is_not_written(self):
        rows = (
            (["--name", "9x", "tcp://h:1"], "is no name"),
            (["--name", "x", "--driver", "remote"], "needs the address"),
            (["--name", "x", "--driver-opt", "cacert", "tcp://h:1"], "not KEY=VALUE"),
            (["--name", "x", "--driver", "remote", "foo://h:1"], "foo"),
            (["--name", "x", "--buildkitd-flags=--debug", "tcp://h:1"], "buildkitd-flags"),
        )
        for words, why in rows:
            with self.subTest(words=words):
                self.assertIn(why, self.ours("create", *words, engine="containerd", check=None).stderr)
        self.assertFalse((self.folder / "buildx/instances/x").exists())


class Cache(EndToEnd):
    def filled(self):
        """A marker that is in the description of one record of the shared builder's cache."""
        marker = f"marker-{self._token}"
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN echo {marker}\n"})
        self.build(context, builder="plain")
        return marker

    def test_du_shows_what_buildx_shows(self):
        marker = self.filled()
        words = ("du", "--filter", f"description~={marker}", "--format", "json")
        ours = [json.loads(line) for line in self.run_plugin(*words, builder="plain").stdout.splitlines()]
        theirs = [json.loads(line) for line in self.run_buildx(*words, builder="plain").stdout.splitlines()]
        self.assertEqual(len(ours), 1)
        for row in ours + theirs:
            row.pop("LastUsedAt")
        self.assertEqual(ours, theirs)
        table = self.run_plugin(*words[:3], builder="plain").stdout
        self.assertRegex(table, r"^ID +RECLAIMABLE +SIZE +LAST ACCESSED\n\w+")
        pretty = self.run_plugin(*words[:3], "--verbose", builder="plain").stdout
        self.assertRegex(pretty, rf"Description:  .*{marker}")
        self.assertRegex(self.run_plugin("du", builder="plain").stdout, r"Reclaimable:\t\S+B\nTotal:\t")

    def test_prune_does_what_buildx_does(self):
        fits = ("--filter", f"description~={self.filled()}")
        self.assertIn("--force", self.run_plugin("prune", *fits, builder="plain", check=125).stderr)
        words = ("prune", "--force", "--all", *fits)
        ours = self.run_plugin(*words, builder="plain").stdout
        self.assertRegex(ours, r"Total:\t\S+B\n$")
        self.assertEqual(ours, self.run_buildx(*words, builder="plain").stdout)

    def test_what_is_wrong_is_said(self):
        for words, why in (
            (["du", "--filter", "until=soon"], "no duration"),
            (["du", "--filter", "foo"], "bad format of filter"),
            (["prune", "-f", "--filter", "foo"], "bad format of filter"),
            (["du", "--filter", "id=1", "--filter", "id=2"], "given once"),
            (["prune", "-f", "--max-used-space", "lots"], "no size"),
            (["du", "--verbose", "--format", "json"], "cannot be used together"),
        ):
            self.assertIn(why, self.run_plugin(*words, builder="plain", check=125).stderr)
