"""The rig and the harness themselves, with docker-buildx as the client: look here first."""

import json
import time
import unittest
import urllib.error

import trees
from harness import RIG_FOLDER, EndToEnd, alone, file, folder, hardlink, symlink


class Rig(EndToEnd):
    def dockerfile(self, *lines, base=None):
        base = base or self.rig["BASE"]
        return "\n".join([f"FROM {base}", f"RUN echo {self.image_name()}", *lines, ""])

    def test_remote_builder_pushes_to_every_registry(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN echo hi >/hi")})
        for registry in ("open", "basic", "bearer"):
            with self.subTest(registry=registry):
                self.login(registry)
                image = self.image_name(registry=registry)
                pushed = self.run_buildx(
                    "build", "-t", image, "--push", context, builder="tls", timeout=60
                )
                self.assertIn("pushing manifest", pushed.stderr)
                repository = self.repository(image)
                self.assertTrue(repository.has("latest"))
                self.assertFalse(repository.has("other"))
                self.assertEqual(len(repository.diff_ids()), 3)
                self.assertIn("hi", trees.tree_of_layers(repository.layers()))

    @alone
    def test_registries_refuse_strangers_and_readers(self):
        context = self.context({"Dockerfile": self.dockerfile()})
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                image = self.image_name(registry=registry)
                self.run_buildx("build", "-t", image, "--push", context, builder="tls", check=1)
                with self.assertRaises(urllib.error.HTTPError):
                    self.repository(image, user="READER").document("latest")
        self.login("bearer", user="READER")
        self.run_buildx("build", "-t", image, "--push", context, builder="tls", check=1)
        base = f"{self.registry_host('bearer')}/library/busybox"
        private = self.context({"Dockerfile": self.dockerfile(base=base)})
        since = time.time()
        self.run_buildx("build", "--pull", private, builder="tls")
        self.assertIn("reader", [entry["user"] for entry in self.token_requests(since)])

    def test_engines_build_and_run(self):
        step = "ping -c1 -W1 $(ip route | sed -n 's/.*via \\([0-9.]*\\).*/\\1/p')"
        context = self.context({"Dockerfile": self.dockerfile(f"RUN {step}")})
        for name in ("containerd", "classic", "oldest"):
            with self.subTest(engine=name):
                image = self.image_name()
                self.run_buildx("build", "-t", image, "--load", context, engine=name)
                self.assertEqual(self.engine(name).run(image, "uname", "-m"), (0, "x86_64\n"))
                self.assertEqual(len(self.engine(name).inspect(image)["RootFS"]["Layers"]), 3)
                self.assertIsNone(self.engine(name).inspect(image + "x"))

    def test_containers_have_a_network_and_a_small_hook(self):
        """The hook is runc_front and not dockerd, whose start is most of what a container costs."""
        for name in ("containerd", "classic", "oldest"):
            with self.subTest(engine=name):
                words = ["run", "--detach", "--rm", self.rig["BASE"], "sleep", "60"]
                container = self.run_docker(*words, engine=name).stdout.strip()
                self.addCleanup(self.engine(name).request, "DELETE", f"/containers/{container}?force=1")
                (settings,) = (RIG_FOLDER / "engines" / name / "exec").rglob(f"{container}/config.json")
                hook = json.loads(settings.read_text())["hooks"]["prestart"][0]
                self.assertIn("/runc_front-", hook["path"])
                self.assertIn("eth0", self.run_docker("exec", container, "ls", "/sys/class/net", engine=name).stdout)

    def test_classic_engine_answers_behind_tls(self):
        self.assertIn(
            "26.",
            self.run_docker(
                "version", "--format", "{{.Server.Version}}", engine="classic-tls"
            ).stdout,
        )

    def test_remote_build_loads_into_engines(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN echo loaded >/word")})
        for name in ("containerd", "classic"):
            image = self.image_name()
            self.run_buildx("build", "-t", image, "--load", context, builder="plain", engine=name)
            self.assertEqual(self.engine(name).run(image, "cat", "/word"), (0, "loaded\n"))

    def test_arm64_steps_run(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN uname -m | grep aarch64")})
        self.run_buildx("build", "--platform", "linux/arm64", context, builder="tls")

    def test_tree_survives_a_build(self):
        entries = {
            "d/a": file("a", 0o640, mtime=1e9),
            "d/b": hardlink("d/a"),
            "d/run": file(b"#!", 0o4755, mtime=1e9 + 7),
            "d/l": symlink("../nowhere", mtime=1e9),
            "d/empty": folder(0o700, mtime=1e9),
            "d/ü": file("x", mtime=1e9),
        }
        context = self.context({**entries, "Dockerfile": "FROM scratch\nCOPY d /d\n"})
        # The builder's cache does not look at times.
        self.run_buildx("build", "--no-cache", "-o", "out", context, builder="tls")
        self.run_buildx("build", "-o", "type=tar,dest=out.tar", context, builder="tls")
        self.run_buildx("build", "-o", "type=oci,dest=oci.tar", context, builder="tls")
        expected = trees.tree_of(context / "d")
        ignore = ("links",)  # COPY makes two files of them
        self.assert_same_tree(expected, trees.tree_of(self.work / "out" / "d"), ignore)
        tar = {
            path.removeprefix("d/"): e
            for path, e in trees.tree_of_tar(self.work / "out.tar").items()
            if path != "d"
        }
        self.assert_same_tree(expected, tar, ignore)
        layers = trees.tree_of_layers(self.oci_layout(self.work / "oci.tar").layers())
        self.assert_same_tree(
            tar, {p.removeprefix("d/"): e for p, e in layers.items() if p != "d"}, ignore
        )
        changed = dict(expected, a=trees.Entry("file", 0o644, 0, 0, 1))
        self.assertEqual(len(trees.differences(expected, changed)), 4)

    def test_steps_are_seen(self):
        step = self.endless_step()
        context = self.context({"Dockerfile": self.dockerfile(f"RUN {step}")})
        bridge = self.bridge("plain")
        running = self.start_buildx("build", context, builder=bridge.url)
        self.wait_for_step(step)
        bridge.kill()
        self.assert_step_ends(step)
        self.assertNotEqual(running.wait(30).rc, 0)


if __name__ == "__main__":
    unittest.main()
