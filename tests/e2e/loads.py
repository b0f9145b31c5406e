"""Loads into the engines: images of layers, the bytes that move, and what is in the engine afterwards."""

import gzip
import hashlib
import io
import json
import tarfile

from harness import EndToEnd

ENGINES = ("containerd", "classic", "oldest", "newest")
# "arm64" is as old as "containerd", and not the builder.
CONTAINERD = ("containerd", "newest", "arm64")
LAYER = 3_000_000


def _plain(data):
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


class LoadTest(EndToEnd):
    def setUp(self):
        super().setUp()
        self.start_newest_engine()
        self.own = self.image_name()
        self._links = 0
        self.to_builder = self.link(self.rig["BUILDER_PLAIN"].removeprefix("tcp://"))

    def layers(self, *words, last=()):
        """A base, a layer of 3 MB for each word, and a small one."""
        lines = [f"FROM {self.rig['BASE']}"]
        # Of this test alone: the builder's cache knows it from the first build on.
        lines += [f"RUN echo {self.own} {word} && head -c {LAYER} /dev/urandom >/{word}" for word in words]
        lines += [f"RUN : {self.own} && echo {one} >/last-{one}" for one in last]
        return self.context({"Dockerfile": "\n".join([*lines, f"LABEL own={self.own}", "CMD cat /last-*", ""])})

    def link_to(self, engine, before=None):
        """A way to the engine that counts; `before` as in Link."""
        target = self.rig[f"ENGINE_{engine.upper()}"].removeprefix("unix://")
        self._links += 1
        return self.link(target, port=self.folder / f"link-{self._links}.sock", before=before)

    def load(self, engine, image, context, *flags, env=None, check=0, before=None):
        """The build, the bytes from the builder, and those to the engine."""
        to_engine = self.link_to(engine, before)
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

    def assert_is_whole(self, engine, image, context, last):
        """It runs, `docker save` gives what a full load would, and a containerd store can push it."""
        self.assertEqual(self.engine(engine).run(image), (0, f"{last}\n"))
        self.assert_as_a_full_load(engine, image, context)
        if engine in CONTAINERD:
            self.assert_pushes(engine, image)

    def assert_pushes(self, engine, image):
        """All blobs are there for a registry that has nothing."""
        target = self.image_name(f"again-{engine}", registry="open")
        host, _, repository = target.rpartition(":")[0].partition("/")
        self.assertEqual(self.engine(engine).request("POST", f"/images/{image.partition(':')[0]}/tag?repo={host}/{repository}&tag=latest")[0], 201)
        pushed = self.run_docker("push", target, engine=engine)
        self.assertIn("digest: sha256:", pushed.stdout)
        self.assertEqual(self.repository(target).diff_ids(), self.saved(engine, image)[1])
        self.assertEqual(len(self.repository(target).layers()), len(self.saved(engine, image)[1]))
