"""--load: images of a remote builder in the local engine."""

import json
import socket
import threading
import time
import unittest

import trees
from harness import EndToEnd

ENGINES = ("containerd", "classic", "oldest")


class Load(EndToEnd):
    def small(self, *lines):
        return self.context(
            {
                "Dockerfile": "\n".join(
                    [
                        f"FROM {self.rig['BASE']}",
                        f"RUN echo {self.image_name()} >/own && echo loaded >/word",
                        *lines,
                        "LABEL test.word=loaded",
                        "",
                    ]
                )
            }
        )

    def check_loaded(self, engine, image):
        found = self.engine(engine).inspect(image)
        self.assertIsNotNone(found, f"{engine} does not know {image}")
        self.assertEqual(found["Config"]["Labels"], {"test.word": "loaded"})
        self.assertEqual(self.engine(engine).run(image, "cat", "/word"), (0, "loaded\n"))
        return found["Id"]

    def check_load(self, engine):
        image = self.image_name()
        flags = ["--iidfile", "iid", "--metadata-file", "metadata.json"]
        self.build("-t", image, "--load", *flags, self.small(), builder="tls", engine=engine)
        found = self.check_loaded(engine, image)
        # What is said about the image is something that the engine knows.
        by_id = self.engine(engine).inspect((self.work / "iid").read_text())
        self.assertIsNotNone(by_id, "the engine does not know what --iidfile says")
        self.assertEqual(by_id["Id"], found)
        said = json.loads((self.work / "metadata.json").read_text())
        self.assertEqual(said["image.name"].removeprefix("docker.io/"), image)

    def test_load_into_the_containerd_store(self):
        self.check_load("containerd")

    def test_load_into_the_classic_store(self):
        self.check_load("classic")

    def test_load_into_20_10(self):
        self.check_load("oldest")

    def test_load_over_tcp_with_tls(self):
        image = self.image_name()
        self.build("-t", image, "--load", self.small(), builder="tls", engine="classic-tls")
        self.check_loaded("classic", image)

    def test_quiet_load_prints_what_the_engine_knows(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                context = self.small()
                quiet = self.build("-q", "--load", context, builder="tls", engine=engine)
                self.assertRegex(quiet.stdout, r"\Asha256:[0-9a-f]{64}\n\Z")
                self.assertIsNotNone(self.engine(engine).inspect(quiet.stdout.strip()))

    def test_quiet_load_beside_another_output_prints_what_the_engine_knows(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                flags = ["-q", "-o", "out", "--load"]
                quiet = self.build(*flags, self.small(), builder="tls", engine=engine)
                self.assertIsNotNone(self.engine(engine).inspect(quiet.stdout.strip()))

    def test_two_names(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                images = [self.image_name("one"), self.image_name("two", tag="v2")]
                names = [part for image in images for part in ("-t", image)]
                self.build(*names, "--load", self.small(), builder="tls", engine=engine)
                ids = {self.check_loaded(engine, image) for image in images}
                self.assertEqual(len(ids), 1)

    def test_output_docker_is_a_load(self):
        image = self.image_name()
        output = f"type=docker,name={image}"
        self.build("-o", output, self.small(), builder="plain", engine="classic")
        self.check_loaded("classic", image)

    def test_load_beside_a_local_output(self):
        image = self.image_name()
        flags = ["-t", image, "--load", "-o", "out"]
        self.build(*flags, self.small(), builder="tls", engine="classic")
        self.check_loaded("classic", image)
        self.assertEqual(trees.text(self.work / "out", "word"), "loaded\n")

    def test_load_and_push(self):
        image = self.image_name(registry="open")
        flags = ["-t", image, "--load", "--push"]
        self.build(*flags, self.small(), builder="tls", engine="containerd")
        self.check_loaded("containerd", image)
        self.assertTrue(self.repository(image).has("latest"))

    def test_load_of_an_engines_own_build(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                image = self.image_name()
                built = self.build("-t", image, "--load", self.small(), engine=engine)
                self.check_loaded(engine, image)
                self.assertNotIn("sending tarball", built.stderr)

    def test_steps_of_the_load_are_shown(self):
        image = self.image_name()
        built = self.build("-t", image, "--load", self.small(), builder="tls", engine="classic")
        self.assertIn("importing to docker", built.stderr)

    def test_engine_down_is_told_before_the_build(self):
        step = self.image_name()
        context = self.small(f"RUN echo {step}")
        refused = self.build("-t", step, "--load", context, builder="tls", check=None)
        self.assertNotEqual(refused.rc, 0)
        self.assertLess(refused.seconds, 5)
        self.assertIn("no-engine.sock", refused.stderr)
        self.assertNotIn("[2/", refused.stderr)

    def test_nothing_is_loaded_unasked(self):
        image = self.image_name()
        built = self.build("-t", image, self.small(), builder="tls", engine="classic")
        self.assertIsNone(self.engine("classic").inspect(image))
        self.assertRegex(built.stderr, r"(?s)--push.*--load|--load.*--push")

    def test_an_engine_that_is_busy_for_long_is_waited_for(self):
        # Syncing a large layer to a slow disk, an Engine reads nothing meanwhile.
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        threading.Thread(target=self.slow_engine, args=(listener, 33), daemon=True).start()
        context = self.small("RUN head -c 20000000 /dev/urandom >/random")
        host = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        self.build("--load", context, builder="tls", env={"DOCKER_HOST": host})

    def slow_engine(self, listener, pause):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as request:
                post = request.readline().startswith(b"POST")
                while request.readline() != b"\r\n":
                    pass
                if post:
                    time.sleep(pause)
                    while size := int(request.readline(), 16):
                        request.read(size + 2)
                head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                peer.sendall(head + b'{"ServerVersion": "1", "stream": "Loaded image"}')


if __name__ == "__main__":
    unittest.main()
