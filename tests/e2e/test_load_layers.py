"""--load moves only what the Engine lacks: bytes are counted on the way from the builder and to the Engine."""

import json
import re
import unittest

import connect
import fake_api
from loads import CONTAINERD, ENGINES, LAYER, LoadTest

_SMALL = 250_000


class LoadLayers(LoadTest):
    def test_only_what_has_changed_moves(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                first = self.layers("one", "two", last=["first"])
                built, down, up = self.load(engine, image, first)
                self.assertGreater(up, 2 * LAYER, built)
                self.assertEqual(self.engine(engine).run(image), (0, "first\n"))

                second = self.layers("one", "two", last=["second"])
                built, down, up = self.load(engine, image, second)
                self.assertLess(down, _SMALL, built)
                self.assertLess(up, _SMALL, built)
                self.assertRegex(built.stderr, r"moved \d.*B of .*MB: 3 of 4 layers were there")
                self.assertEqual(len(re.findall(r"layer [0-9a-f]{12} is there already", built.stderr)), 3, built)
                self.assertRegex(built.stderr, r"layer [0-9a-f]{12} .* done")
                self.assertEqual(self.engine(engine).run(image), (0, "second\n"))
                self.assert_as_a_full_load(engine, image, second)
                if engine in CONTAINERD:
                    self.assert_pushes(engine, image)

                built, down, up = self.load(engine, image, second)
                self.assertLess(down, 100_000, built)
                self.assertLess(up, 100_000, built)
                self.assertRegex(built.stderr, r"4 of 4 layers were there")
                self.assertEqual(self.engine(engine).run(image), (0, "second\n"))

    def test_a_layer_in_the_middle_moves_with_those_above(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                self.load(engine, image, self.layers("one", "two", "three", last=["x"]))
                changed = self.layers("one", f"zwei{engine}", "three", last=["x"])
                built, down, up = self.load(engine, image, changed)
                self.assertGreater(up, 2 * LAYER, built)
                self.assertLess(up, 2.2 * LAYER, built)
                self.assertLess(down, 2.2 * LAYER, built)
                self.assert_is_whole(engine, image, changed, "x")

    def test_attestations_come_along_or_are_left_out(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                context = self.layers("one", last=["x"])
                flags = ["--provenance=mode=max", f"--sbom=generator={self.rig['SBOM_GENERATOR']}"]
                self.load(engine, image, context, *flags)
                built, down, up = self.load(engine, image, context, *flags)
                self.assertLess(down, 100_000, built)
                self.assertLess(up, 100_000, built)
                self.assertEqual(self.engine(engine).run(image), (0, "x\n"))
                if engine in CONTAINERD:
                    self.assert_pushes(engine, image)
                    pushed = self.repository(self.image_name(f"again-{engine}", registry="open")).document("latest")
                    self.assertIn("unknown", [entry["platform"]["os"] for entry in pushed["manifests"]])
                else:
                    self.saved(engine, image)
                    self.assertIn("holds no attestations; left out", built.stderr)

    def test_what_was_removed_moves_again(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                context = self.layers(f"one{engine}", last=["x"])
                self.load(engine, image, context)
                self.engine(engine).remove(image)
                built, _, up = self.load(engine, image, context)
                self.assertGreater(up, LAYER, built)
                self.assert_is_whole(engine, image, context, "x")

    def test_an_engine_of_which_nothing_is_remembered(self):
        # Docker 28 tells whether an image is whole; of an older one nothing is known, and all moves.
        context, changed = self.layers("one", last=["x"]), self.layers("one", last=["y"])
        for engine, least, most in (("newest", 0, _SMALL), ("containerd", LAYER, 10 * LAYER)):
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                self.load(engine, image, context, env={"XDG_CACHE_HOME": self.work / "first"})
                built, _, up = self.load(engine, image, changed, env={"XDG_CACHE_HOME": None, "HOME": None})
                self.assertGreater(up, least, built)
                self.assertLess(up, most, built)
                self.assert_as_a_full_load(engine, image, changed)
                self.assert_pushes(engine, image)

    def test_an_image_that_is_not_whole_gets_no_name_before_the_rest_is_there(self):
        # The engine has these layers, but compressed in another way: other blobs.
        image, other = self.image_name(), self.image_name("other")
        context = self.layers("one", last=["x"])
        output = f"type=docker,name={other},compression=zstd,force-compression=true"
        self.build("-o", output, context, builder="plain", engine="newest")
        output = f"type=docker,name={image},compression=gzip,force-compression=true"
        built = self.build("-o", output, context, builder="plain", engine="newest")
        self.assertIn("loading the whole image, as its missing layers were not enough", built.stderr)
        self.assertEqual(self.engine("newest").run(image), (0, "x\n"))
        self.assert_pushes("newest", image)

    def test_two_loads_at_once(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                context = self.layers("one", last=["x"])
                running = [
                    self.start_plugin("build", "-t", image, "--load", context, builder="plain", engine=engine)
                    for _ in range(2)
                ]
                for one in running:
                    one.wait(110, check=0)
                self.assert_as_a_full_load(engine, image, context)

    def test_several_platforms(self):
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nCOPY Dockerfile /\nCMD cat /Dockerfile\n"})
        both = "--platform=linux/amd64,linux/arm64"
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                built, _, _ = self.load(engine, image, context, both)
                self.assertEqual(self.engine(engine).run(image, "uname", "-m"), (0, "x86_64\n"))
                if engine not in CONTAINERD:
                    self.assertIn("holds one platform, and gets linux/amd64; left out: linux/arm64", built.stderr)
                    continue
                target = self.image_name(f"again-{engine}", registry="open")
                self.run_docker("tag", image, target, engine=engine)
                self.run_docker("push", target, engine=engine)
                for platform in ("linux/amd64", "linux/arm64"):
                    self.assertEqual(len(self.repository(target).layers("latest", platform)), 2)

    def machine_layers(self, last):
        """Layers that both machines have in another way, and a small one."""
        lines = [f"FROM {self.rig['BASE']}", f"RUN : {self.own} && head -c {LAYER} /dev/urandom >/one"]
        lines += [f"RUN : {self.own} && echo {last} $(uname -m) >/last", "CMD cat /last", ""]
        return self.context({"Dockerfile": "\n".join(lines)})

    def load_both(self, engine, image, context, *flags, before=None, env=None):
        to_engine = self.link_to(engine, before)
        flags = ["-t", image, "--load", "--platform=linux/amd64,linux/arm64", *flags]
        env = {"DOCKER_HOST": to_engine.url, **(env or {})}
        return self.build(*flags, context, builder="both", env=env), to_engine.moved

    def test_several_builders_load_only_what_has_changed(self):
        for engine in ("classic", "newest"):
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                _, up = self.load_both(engine, image, self.machine_layers("first"))
                self.assertGreater(up, LAYER)
                built, up = self.load_both(engine, image, self.machine_layers("second"), "--iidfile", "iid")
                self.assertLess(up, _SMALL, built)
                self.assertIsNotNone(self.engine(engine).inspect((self.work / "iid").read_text()))
                self.assert_has_both(engine, image, "second", built)

    def assert_has_both(self, engine, image, last, built):
        self.assertEqual(self.engine(engine).run(image), (0, f"{last} x86_64\n"))
        if engine not in CONTAINERD:
            self.assertIn("holds one platform, and gets linux/amd64; left out: linux/arm64", built.stderr)
            self.saved(engine, image)
            return
        target = self.image_name(f"again-{engine}", registry="open")
        self.run_docker("tag", image, target, engine=engine)
        self.run_docker("push", target, engine=engine)
        for platform in ("linux/amd64", "linux/arm64"):
            self.assertEqual(len(self.repository(target).layers("latest", platform)), 3)

    def test_several_builders_of_which_one_has_lost_its_disk(self):
        empty = self.bridge("tls", engine="newest").url.removeprefix("tcp://")
        for engine in ("classic", "containerd"):
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                link = self.link(self.rig["BUILDER"].removeprefix("tcp://"))
                env = {"DEPOT_BUILDER": self.two_builders().replace(self.rig["BUILDER"] + ",", link.url + ",")}
                moves = {b"GET /images/": lambda: link.move(empty)}
                flags = ["--provenance=mode=max", "--iidfile", "iid"]
                built, _ = self.load_both(engine, image, self.machine_layers(engine), *flags, before=moves, env=env)
                self.assertIn("as the builder did not give all of it", built.stderr)
                self.assertIsNotNone(self.engine(engine).inspect((self.work / "iid").read_text()))
                self.assert_has_both(engine, image, engine, built)

    def test_output_docker_moves_only_what_has_changed(self):
        for engine in ("classic", "newest"):
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                self.load(engine, image, self.layers("one", last=["first"]))
                changed, to_engine, before = self.layers("one", last=["second"]), self.link_to(engine), self.to_builder.moved
                output = ("-o", f"type=docker,name={image}")
                self.build(*output, changed, builder=self.to_builder.url, env={"DOCKER_HOST": to_engine.url})
                self.assertLess(to_engine.moved, _SMALL)
                self.assertLess(self.to_builder.moved - before, _SMALL)
                self.assert_is_whole(engine, image, changed, "second")

    def test_load_and_push_in_one_solve(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine, registry="open")
                context = self.layers("one", last=["x"])
                built, _, _ = self.load(engine, image, context, "--push")
                self.assertEqual(self.engine(engine).run(image), (0, "x\n"))
                self.assertEqual(self.repository(image).diff_ids(), self.saved(engine, image)[1])


class PullLayers(LoadTest):
    """`pull` of a saved build moves only what the Engine lacks, also when that was loaded and not pulled."""

    def setUp(self):
        super().setUp()
        self.api = fake_api.FakeApi(self.rig)
        self.addCleanup(self.api.close)

    def save(self, context):
        """An image in a registry behind a password, as the API names it; and the way to it that counts."""
        saved = self.image_name(f"saved-{self._links}", registry="basic")
        self.build("-t", saved, "--push", context, builder="plain", env={"DOCKER_AUTH_CONFIG": json.dumps({"auths": self.auths("basic")})})
        host, _, path = saved.partition("/")
        to_registry = self.link(host)
        user, _, password = self.rig["PUSHER"].partition(":")
        options = [{"command": connect.COMMAND_BUILD, "save": True}]
        reference = f"{to_registry.address}/{path}"
        answer = fake_api.say("GetPullInfo", reference=reference, username=user, password=password, options=options)
        self.api.always("GetPullInfo", answer)
        return to_registry

    def pull(self, engine, image, before=None):
        to_engine = self.link_to(engine, before)
        env = {"DEPOT_API_URL": self.api.url, "SSL_CERT_FILE": self.api.ca_file, "DEPOT_TOKEN": "depot_user_7d6e5f4a3b2c1d0e"}
        pulled = self.run_plugin("pull", "-t", image, "build1", env={**env, "DOCKER_HOST": to_engine.url})
        return pulled, to_engine.moved

    def assert_is_pulled(self, engine, image, context, to_registry):
        self.assert_is_whole(engine, image, context, "second")
        digests = self.engine(engine).inspect(image)["RepoDigests"]
        self.assertTrue([one for one in digests if one.startswith(to_registry.address)], digests)

    def test_a_pull_moves_only_what_has_changed(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                self.load(engine, image, self.layers("one", last=["first"]))
                changed = self.layers("one", last=["second"])
                to_registry = self.save(changed)
                for _ in range(2):
                    pulled, up = self.pull(engine, image)
                    self.assertLess(up, _SMALL, pulled)
                    self.assertLess(to_registry.moved, _SMALL, pulled)
                    self.assert_is_pulled(engine, image, changed, to_registry)

    def test_an_engine_without_any_of_it_pulls_by_itself(self):
        image = self.image_name()
        # The base, too, is a layer of its own.
        lines = [f"FROM {self.rig['BASE']} AS base", f"RUN : {self.own} && head -c {LAYER} /dev/urandom >/own"]
        context = self.context({"Dockerfile": "\n".join([*lines, "FROM scratch", "COPY --from=base / /", "CMD echo second", ""])})
        to_registry = self.save(context)
        pulled, up = self.pull("classic", image)
        self.assertIn("no layer is there: the pull brings all", pulled.stderr)
        self.assertLess(up, _SMALL, pulled)
        self.assertGreater(to_registry.moved, LAYER)
        self.assert_is_pulled("classic", image, context, to_registry)

    def test_an_engine_that_loses_its_layers_meanwhile_pulls_all(self):
        image = self.image_name()
        self.load("classic", image, self.layers("one", last=["first"]))
        changed = self.layers("one", last=["second"])
        to_registry = self.save(changed)
        pulled, _ = self.pull("classic", image, before={b"POST /images/load": lambda: self.engine("classic").remove(image)})
        self.assertIn("pulls the whole image, as its missing layers could not be brought", pulled.stderr)
        self.assert_is_pulled("classic", image, changed, to_registry)


if __name__ == "__main__":
    unittest.main()
