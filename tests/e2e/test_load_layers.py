"""--load moves only what the Engine lacks: bytes are counted on the way from the builder and to the Engine."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
import unittest

from harness import EndToEnd

ENGINES = ("containerd", "classic", "oldest", "newest")
_CONTAINERD = ("containerd", "newest")
_LAYER = 3_000_000
_SMALL = 250_000


def _plain(data):
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


class LoadLayers(EndToEnd):
    def setUp(self):
        super().setUp()
        self.start_newest_engine()
        self.own = self.image_name()
        self._links = []
        self.to_builder = self.link(self.rig["BUILDER_PLAIN"].removeprefix("tcp://"))

    def layers(self, *words, last=()):
        """A base, a layer of 3 MB for each word, and a small one."""
        lines = [f"FROM {self.rig['BASE']}"]
        # Of this test alone: the builder's cache knows it from the first build on.
        lines += [f"RUN echo {self.own} {word} && head -c {_LAYER} /dev/urandom >/{word}" for word in words]
        lines += [f"RUN echo {one} >/last-{one}" for one in last]
        return self.context({"Dockerfile": "\n".join([*lines, "CMD cat /last-*", ""])})

    def load(self, engine, image, context, *flags, env=None, check=0):
        """The build, the bytes from the builder, and those to the engine."""
        to_engine = self.link(self.rig[f"ENGINE_{engine.upper()}"].removeprefix("unix://"), port=self.folder / f"link-{len(self._links)}.sock")
        self._links.append(to_engine)
        before = self.to_builder.moved
        env = {"DOCKER_HOST": to_engine.url, **(env or {})}
        built = self.build("-t", image, "--load", *flags, context, builder=self.to_builder.url, env=env, check=check)
        return built, self.to_builder.moved - before, to_engine.moved

    def saved(self, engine, image):
        """Config digest and the plain layers' digests of what `docker save` gives, checked against the config."""
        archive = tarfile.open(fileobj=io.BytesIO(self.engine(engine).save(image)))
        read = lambda name: archive.extractfile(name).read()
        (found,) = json.loads(read("manifest.json"))
        config = read(found["Config"])
        digests = ["sha256:" + hashlib.sha256(_plain(read(layer))).hexdigest() for layer in found["Layers"]]
        self.assertEqual(digests, json.loads(config)["rootfs"]["diff_ids"])
        return hashlib.sha256(config).hexdigest(), digests

    def assert_as_a_full_load(self, engine, image, context):
        """What is in the engine is what the builder makes of this context."""
        self.build("-o", "type=oci,dest=full.tar", context, builder="plain")
        manifest = self.oci_layout(self.work / "full.tar").manifest()
        diff_ids = self.oci_layout(self.work / "full.tar").diff_ids()
        self.assertEqual(self.saved(engine, image), (manifest["config"]["digest"].removeprefix("sha256:"), diff_ids))

    def assert_pushes(self, engine, image):
        """All blobs are there for a registry that has nothing."""
        target = self.image_name(f"again-{engine}", registry="open")
        host, _, repository = target.rpartition(":")[0].partition("/")
        self.assertEqual(self.engine(engine).request("POST", f"/images/{image.partition(':')[0]}/tag?repo={host}/{repository}&tag=latest")[0], 201)
        pushed = self.run_docker("push", target, engine=engine)
        self.assertIn("digest: sha256:", pushed.stdout)
        self.assertEqual(self.repository(target).diff_ids(), self.saved(engine, image)[1])
        self.assertEqual(len(self.repository(target).layers()), len(self.saved(engine, image)[1]))

    def test_only_what_has_changed_moves(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                first = self.layers("one", "two", last=["first"])
                built, down, up = self.load(engine, image, first)
                self.assertGreater(up, 2 * _LAYER, built)
                self.assertEqual(self.engine(engine).run(image), (0, "first\n"))

                second = self.layers("one", "two", last=["second"])
                built, down, up = self.load(engine, image, second)
                self.assertLess(down, _SMALL, built)
                self.assertLess(up, _SMALL, built)
                self.assertRegex(built.stderr, r"moved \d.*B of .*MB: 3 of 4 layers were there")
                self.assertEqual(self.engine(engine).run(image), (0, "second\n"))
                self.assert_as_a_full_load(engine, image, second)
                if engine in _CONTAINERD:
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
                self.assertGreater(up, 2 * _LAYER, built)
                self.assertLess(up, 2.2 * _LAYER, built)
                self.assertLess(down, 2.2 * _LAYER, built)
                self.assert_as_a_full_load(engine, image, changed)

    def test_provenance_comes_along_or_is_left_out(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                context = self.layers("one", last=["x"])
                self.load(engine, image, context, "--provenance=mode=max")
                built, down, up = self.load(engine, image, context, "--provenance=mode=max")
                self.assertLess(down, 100_000, built)
                self.assertLess(up, 100_000, built)
                self.assertEqual(self.engine(engine).run(image), (0, "x\n"))
                if engine in _CONTAINERD:
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
                self.assertGreater(up, _LAYER, built)
                self.assert_as_a_full_load(engine, image, context)

    def test_an_engine_of_which_nothing_is_remembered(self):
        # Docker 28 tells whether an image is whole; of an older one nothing is known, and all moves.
        context, changed = self.layers("one", last=["x"]), self.layers("one", last=["y"])
        for engine, least, most in (("newest", 0, _SMALL), ("containerd", _LAYER, 10 * _LAYER)):
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
        self.assertIn("loading the whole image, as the Docker Engine lacks some of it", built.stderr)
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
                    self.assertEqual(one.wait(110).rc, 0, str(one.result()))
                self.assert_as_a_full_load(engine, image, context)

    def test_several_platforms(self):
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nCOPY Dockerfile /\nCMD cat /Dockerfile\n"})
        both = "--platform=linux/amd64,linux/arm64"
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                built, _, _ = self.load(engine, image, context, both)
                self.assertEqual(self.engine(engine).run(image, "uname", "-m"), (0, "x86_64\n"))
                if engine not in _CONTAINERD:
                    self.assertIn("holds one platform, and gets linux/amd64; left out: linux/arm64", built.stderr)
                    continue
                target = self.image_name(f"again-{engine}", registry="open")
                self.run_docker("tag", image, target, engine=engine)
                self.run_docker("push", target, engine=engine)
                for platform in ("linux/amd64", "linux/arm64"):
                    self.assertEqual(len(self.repository(target).layers("latest", platform)), 2)

    def test_load_and_push_in_one_solve(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name(engine, registry="open")
                context = self.layers("one", last=["x"])
                built, _, _ = self.load(engine, image, context, "--push")
                self.assertEqual(self.engine(engine).run(image), (0, "x\n"))
                self.assertEqual(self.repository(image).diff_ids(), self.saved(engine, image)[1])



if __name__ == "__main__":
    unittest.main()
