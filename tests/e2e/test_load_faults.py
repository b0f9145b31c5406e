"""--load while an Engine, a builder or another client changes its mind: the image is right, or the error is clear."""

import json
import signal
import threading
import unittest
import urllib.parse

from harness import alone
from loads import ENGINES, LAYER, LoadTest
from tunnels import Programs, Sshd

_LOAD = b"POST /images/load"


class LoadFaults(LoadTest):
    def loaded(self, engine, *words):
        """An image that is in the engine, and a context whose image differs in its last layer alone."""
        image = self.image_name(engine)
        self.load(engine, image, self.layers(*words, last=["first"]))
        return image, self.layers(*words, last=["second"])

    def prune(self, engine):
        """docker image prune -a, of this test's images alone."""
        chosen = urllib.parse.quote(json.dumps({"dangling": ["false"], "label": [f"own={self.own}"]}))
        status, body = self.engine(engine).request("POST", f"/images/prune?filters={chosen}")
        self.assertEqual(status, 200, body)
        self.assertTrue(json.loads(body)["ImagesDeleted"], body)

    def test_the_image_goes_between_the_question_and_the_load(self):
        for engine in ("classic", "oldest", "newest", "arm64"):
            with self.subTest(engine=engine):
                image, changed = self.loaded(engine, "one")
                forget = lambda: self.engine(engine).remove(image)
                built, _, up = self.load(engine, image, changed, before={_LOAD: forget})
                self.assertIn("loading the whole image", built.stderr)
                self.assertGreater(up, LAYER, built)
                self.assert_is_whole(engine, image, changed, "second")

    def test_images_are_pruned_between_the_question_and_the_load(self):
        for engine in ("classic", "newest"):
            with self.subTest(engine=engine):
                image, changed = self.loaded(engine, "one")
                built, _, _ = self.load(engine, image, changed, before={_LOAD: lambda: self.prune(engine)})
                self.assertIn("loading the whole image", built.stderr)
                self.assert_is_whole(engine, image, changed, "second")

    def test_the_image_goes_while_the_rest_is_sent(self):
        for engine in ("oldest", "newest"):
            with self.subTest(engine=engine):
                image, changed = self.loaded(engine, "one")
                forget = lambda: self.engine(engine).remove(image)
                built, _, _ = self.load(engine, image, changed, before={b"imageLayoutVersion": forget})
                self.assert_is_whole(engine, image, changed, "second")

    def test_what_is_unpacked_already_does_not_stand_for_the_blobs_that_went(self):
        for engine in ("newest", "arm64"):
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                zstd, gzip = (f"compression={one},force-compression=true" for one in ("zstd", "gzip"))
                first = self.layers("one", last=["first"])
                self.build("-o", f"type=docker,name={self.image_name('other')},{zstd}", first, builder="plain", engine=engine)
                self.build("-o", f"type=docker,name={image},{gzip}", first, builder="plain", engine=engine)
                forget = lambda: self.engine(engine).remove(image)
                link = self.link_to(engine, {_LOAD: forget})
                changed = self.layers("one", last=["second"])
                flags = ["-o", f"type=docker,name={image},{gzip}"]
                built = self.build(*flags, changed, builder="plain", env={"DOCKER_HOST": link.url})
                self.assertIn("loading the whole image", built.stderr)
                self.assert_is_whole(engine, image, changed, "second")

    def test_the_image_goes_before_it_is_named(self):
        for engine in ("classic", "newest"):
            with self.subTest(engine=engine):
                image, same = self.loaded(engine, "one")
                self.load(engine, image, same)
                forget = lambda: self.engine(engine).remove(image)
                self.load(engine, image, same, before={b"/tag?": forget})
                self.assert_is_whole(engine, image, same, "second")

    def test_two_images_that_share_layers_at_once(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                words = ("one", f"two{engine}")
                names = [self.image_name(f"{engine}{last}") for last in ("a", "b")]
                contexts = [self.layers(*words, last=[last]) for last in ("a", "b")]
                running = [
                    self.start_plugin("build", "-t", name, "--load", context, builder="plain", engine=engine)
                    for name, context in zip(names, contexts)
                ]
                for one in running:
                    one.wait(110, check=0)
                for name, context, last in zip(names, contexts, ("a", "b")):
                    self.assert_is_whole(engine, name, context, last)

    def test_a_client_that_is_killed_leaves_the_old_image(self):
        for engine in ("classic", "newest"):
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                first = self.layers("one", last=["first"])
                self.load(engine, image, first)
                before = self.engine(engine).inspect(image)["Id"]
                changed = self.layers("one", f"two{engine}", last=["second"])
                self.build(changed, builder="plain")
                running = []
                sent = threading.Event()

                def kill():
                    running[0].send(signal.SIGKILL)
                    running[0].process.wait()
                    sent.set()

                to_engine = self.link_to(engine, {b"imageLayoutVersion": kill})
                arguments = ["build", "-t", image, "--load", changed]
                running.append(self.start_plugin(*arguments, builder="plain", env={"DOCKER_HOST": to_engine.url}))
                self.assertTrue(sent.wait(100))
                self.assertEqual(self.engine(engine).inspect(image)["Id"], before)
                self.assert_is_whole(engine, image, first, "first")
                # TMPDIR is looked at after each test.
                self.load(engine, image, changed)
                self.assert_is_whole(engine, image, changed, "second")

    def test_a_builder_that_has_lost_its_disk_sends_an_archive(self):
        empty = self.bridge("plain", engine="newest").url.removeprefix("tcp://")
        for engine in ("classic", "containerd"):
            with self.subTest(engine=engine):
                image = self.image_name(engine)
                context = self.layers("one", last=[engine])
                self.to_builder = self.link(self.plain_address())
                moves = {b"GET /images/": lambda: self.to_builder.move(empty)}
                built, _, _ = self.load(engine, image, context, "--provenance=mode=max", before=moves)
                self.assertIn("loading the image as one archive, as the builder did not give all of it", built.stderr)
                self.assertEqual(self.engine(engine).run(image), (0, f"{engine}\n"))
                self.saved(engine, image)

    def test_only_what_is_missing_moves_over_ssh(self):
        remote = Programs(self.folder / "remote")
        remote.add_link("docker", self.rig["DOCKER"])
        sshd = Sshd(self.folder / "sshd", remote)
        self.addCleanup(sshd.close)
        for engine in ("classic", "newest"):
            with self.subTest(engine=engine):
                image, changed = self.loaded(engine, "one")
                socket = self.rig[f"ENGINE_{engine.upper()}"].removeprefix("unix://")
                env = {"DOCKER_HOST": sshd.url(socket), "PATH": sshd.client.path()}
                built = self.build("-t", image, "--load", changed, builder="plain", env=env)
                self.assertIn("2 of 3 layers were there", built.stderr)
                self.assert_is_whole(engine, image, changed, "second")

    def test_only_what_is_missing_moves_over_tls(self):
        image, changed = self.loaded("classic", "one")
        to_engine = self.link(self.rig["CLASSIC_TLS"].removeprefix("tcp://"))
        built = self.build("-t", image, "--load", changed, builder="plain", engine="classic-tls", env={"DOCKER_HOST": to_engine.url})
        self.assertIn("2 of 3 layers were there", built.stderr)
        self.assertLess(to_engine.moved, LAYER / 10)
        self.assert_is_whole("classic", image, changed, "second")

    @alone
    def test_an_engine_that_ends_before_or_while_the_image_is_sent(self):
        for moment in (_LOAD, b"imageLayoutVersion"):
            with self.subTest(moment=moment):
                image, changed = self.loaded("newest", f"one{len(moment)}")
                before = self.engine("newest").inspect(image)["Id"]
                built, _, _ = self.load("newest", image, changed, before={moment: self.stop_newest_engine}, env={"DEPOT_RETRIES": "0"}, check=114)
                self.assertRegex(built.stderr, "ERROR: .*the Docker Engine at")
                self.start_newest_engine()
                self.assertEqual(self.engine("newest").inspect(image)["Id"], before)
                self.load("newest", image, changed)
                self.assert_is_whole("newest", image, changed, "second")


if __name__ == "__main__":
    unittest.main()
