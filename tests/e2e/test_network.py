"""Builders that cannot be reached, refuse, fall silent or go away: said clearly, and in time."""

import re
import threading
import time

import trees
from harness import FAILURES, EndToEnd
from links import BlackHole
from relays import Relay

# How long a builder that refuses connections is waited for, and what a test allows on top.
PATIENCE, SLACK = 20, 5


class NetworkTest(EndToEnd):
    def setUp(self):
        super().setUp()
        self.context_folder = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n"})

    def fails(self, *patterns, within, env=None, builder=None):
        """Builds, in vain: all patterns are in what is said, and it ends within so many seconds."""
        result = self.build(
            "--progress=plain", self.context_folder, builder=builder, env=env, check=FAILURES, timeout=60
        )
        for pattern in patterns:
            self.assertRegex(result.stderr, re.compile(pattern, re.I))
        self.assertLess(result.seconds, within, str(result))
        return result


class Connecting(NetworkTest):
    def test_nobody_answers(self):
        # All at once, since each is waited for.
        hole = BlackHole()
        self.addCleanup(hole.close)
        refused, silent, silent_tls = self.closed_port(), self.silent_port(), self.silent_port()
        nowhere = str(self.folder / "nowhere.sock")
        running = {}
        tls = self.tls_variables()
        for name, url, env, address, says in (
            ("refused", f"tcp://{refused}", {}, refused, "connection refused.*20 s"),
            ("black hole", f"tcp://{hole.address}", {}, hole.address, "no connection|timed out"),
            ("silent", f"tcp://{silent}", {}, silent, "no answer"),
            ("silent TLS", f"tcp://{silent_tls}", tls, silent_tls, "TLS|no answer|no connection"),
            ("no socket", f"unix://{nowhere}", {}, nowhere, "no such|nobody listens"),
        ):
            plugin = self.start_plugin(
                "build", "--progress=plain", self.context_folder, builder=url, env=env
            )
            running[name] = (plugin, address, says)
        for name, (plugin, address, says) in running.items():
            with self.subTest(builder=name):
                # A user must not look at an empty screen meanwhile.
                plugin.wait_for_output(re.escape(address), seconds=5)
        for name, (plugin, address, says) in running.items():
            result = plugin.wait(2 * PATIENCE)
            with self.subTest(builder=name):
                self.assertIn(result.rc, FAILURES, str(result))
                error = result.stderr.partition("ERROR: ")[2]
                self.assertIn(address, error)
                self.assertRegex(error, re.compile(says, re.I))
                self.assertLess(result.seconds, PATIENCE + SLACK)
        result = running["refused"][0].result()
        self.assertGreater(result.seconds, PATIENCE - 2)
        self.assertEqual(result.stderr.count("waiting for builder"), 1)

    def test_it_comes_up_while_we_wait(self):
        address = self.closed_port()
        running = self.start_plugin("build", self.context_folder, builder=f"tcp://{address}")
        running.wait_for_output("waiting for builder")
        time.sleep(3)
        self.link(self.plain_address(), port=int(address.rpartition(":")[2]))
        result = running.wait(30)
        self.assertEqual(result.rc, 0, str(result))
        self.assertLess(result.seconds, 15)

    def test_no_such_name(self):
        name = "no-such-builder.invalid"
        self.fails(
            f"{name}:1234", "no such host|not known|resol", within=15, builder=f"tcp://{name}:1234"
        )

    def test_addresses_that_are_none(self):
        for address, pattern in {
            "tcp://127.0.0.1": "port",
            "tcp://127.0.0.1:0": "port",
            "tcp://127.0.0.1:99999": "port",
            "tcp://": "host",
            "tpc://127.0.0.1:1": "did you mean tcp",
            "unix://": "path|socket",
            "http://127.0.0.1:1": "tcp://",
            "nonsense": "nonsense",
            "tcp://127.0.0.1:1?cacrt=/x": "did you mean cacert",
            "ssh://-host": "not a host",
            "shh://host": "did you mean ssh",
        }.items():
            with self.subTest(address=address):
                result = self.build(self.context_folder, builder=address, check=None, timeout=30)
                self.assertIn(result.rc, (1, 110, 125))
                self.assertRegex(result.stderr, pattern)
                self.assertLess(result.seconds, 2)

    def test_engine_down(self):
        path = self.folder / "no-engine.sock"
        result = self.build(self.context_folder, check=FAILURES, timeout=60)
        self.assertRegex(result.stderr, f"(?i)(engine|daemon).*{path}")


class Tls(NetworkTest):
    """A refusal is final: no waiting for it to change."""

    def refused(self, *patterns, **env):
        url = self.rig["BUILDER"]
        env = {f"DEPOT_BUILDER_{name}": value for name, value in env.items()}
        result = self.fails(
            url.removeprefix("tcp://"), *patterns, within=2, builder="tls", env=env
        )
        self.assertNotIn("waiting for builder", result.stderr)
        return result

    def test_wrong_authority(self):
        self.refused(
            "certificate", "authority|CA|issuer|trust", CACERT=self.rig["STRANGER_CACERT"]
        )

    def test_client_certificate_of_a_stranger(self):
        self.refused(
            "client certificate",
            "refus|reject|not accept",
            CERT=self.rig["STRANGER_CERT"],
            KEY=self.rig["STRANGER_KEY"],
        )

    def test_no_client_certificate(self):
        self.refused("client certificate", CERT=None, KEY=None)

    def test_wrong_server_name(self):
        self.refused("other.test", "name|valid for", SERVERNAME="other.test")

    def test_stranger_as_server(self):
        bridge = self.bridge(certificate="STRANGER")
        self.fails("certificate", within=2, builder=bridge.url, env=self.tls_variables())

    def test_server_that_trusts_another_authority(self):
        bridge = self.bridge(client_ca="STRANGER_CACERT")
        self.fails("client certificate", within=2, builder=bridge.url, env=self.tls_variables())

    def test_a_load_balancer_that_hangs_up_by_chance(self):
        host, _, port = self.rig["BUILDER_PLAIN"].removeprefix("tcp://").rpartition(":")
        relay = Relay((host, int(port)), drops=4)
        self.addCleanup(relay.close)
        said = self.build(self.context({"Dockerfile": "FROM scratch\n"}), builder=f"tcp://127.0.0.1:{relay.port}").stderr
        self.assertLessEqual(said.count("waiting for builder"), 1)

    def test_plain_text_to_a_tls_port(self):
        url = self.rig["BUILDER"]
        # Drops may be chance, and are tried again for 5 s.
        self.fails(url.removeprefix("tcp://"), "TLS", within=8, builder=url)

    def test_tls_to_a_plain_port(self):
        url = self.rig["BUILDER_PLAIN"]
        self.fails(
            url.removeprefix("tcp://"), "TLS", within=3, builder=url, env=self.tls_variables()
        )

    def test_files_that_are_no_keys(self):
        garbage = self.work / "garbage"
        garbage.write_text("not a key")
        for env, pattern in (
            ({"CACERT": "/nonexistent/ca.pem"}, "/nonexistent/ca.pem"),
            ({"CACERT": garbage}, "PEM"),
            ({"KEY": None}, "key"),
            ({"CERT": None}, "certificate"),
            ({"KEY": self.rig["STRANGER_KEY"]}, "(?i)key.*(match|belong)|(match|belong).*key"),
            ({"KEY": self.rig["CERT"]}, "(?i)key"),
            ({"CERT": self.rig["KEY"]}, "(?i)certificate"),
        ):
            with self.subTest(env=env):
                env = {f"DEPOT_BUILDER_{name}": value for name, value in env.items()}
                result = self.build(
                    self.context_folder, builder="tls", env=env, check=None, timeout=30
                )
                self.assertIn(result.rc, (1, 110, 125))
                self.assertRegex(result.stderr, pattern)
                self.assertNotIn("PRIVATE KEY", result.stderr)


class Underway(NetworkTest):
    """How a loss is noticed; what a build makes of it is test_survive's."""

    def environment(self, engine=None, builder=None, env=None):
        return super().environment(engine, builder, {"DEPOT_RETRIES": "0", **(env or {})})

    def running_step(self, url):
        step = self.endless_step()
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN {step}\n"})
        running = self.start_plugin("build", "--progress=plain", context, builder=url)
        self.wait_for_step(step)
        return running, step

    def test_silence(self):
        # All at once, since it takes half a minute: a link without a word, a builder that is
        # frozen, and a step without a word, which is nothing bad: the builder's health checks tell.
        link, bridge = self.link(self.plain_address()), self.bridge("plain")
        mark = self.image_name()
        step = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN : {mark}; sleep 33\n"})
        calm = self.start_plugin("build", step, builder="plain")
        running = {url: self.running_step(url)[0] for url in (link.url, bridge.url)}
        link.stalled.set()
        bridge.freeze()
        begin = time.monotonic()
        for url, plugin in running.items():
            result = plugin.wait(60)
            with self.subTest(builder=url):
                self.assertLess(time.monotonic() - begin, 31)
                self.assertIn(result.rc, FAILURES)
                self.assertRegex(result.stderr, f"ERROR: .*{url}.*no sign of life")
        bridge.thaw()
        result = calm.wait(60)
        self.assertEqual(result.rc, 0, str(result))

    def test_the_builder_is_killed(self):
        for kind in ("plain", "unix"):
            with self.subTest(kind=kind):
                bridge = self.bridge(kind)
                running, step = self.running_step(bridge.url)
                bridge.kill()
                begin = time.monotonic()
                result = running.wait(20)
                self.assertIn(result.rc, FAILURES)
                self.assertLess(time.monotonic() - begin, 5)
                self.assertIn(bridge.url.partition("://")[2], result.stderr)
                self.assertRegex(result.stderr, "(?i)lost|closed|ended|reset")
                self.assert_step_ends(step)

    def test_the_connection_is_reset(self):
        link = self.link(self.plain_address())
        running, step = self.running_step(link.url)
        link.reset()
        begin = time.monotonic()
        result = running.wait(20)
        self.assertIn(result.rc, FAILURES)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertRegex(result.stderr, f"(?i)lost the builder.*{link.address}")
        self.assert_step_ends(step)

    def test_the_connection_is_cut_while_the_context_travels(self):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY big /\n"})
        with open(context / "big", "wb") as big:
            big.write(self.image_name().encode())
            big.truncate(64 << 20)
        link = self.link(self.plain_address(), rate=4 << 20)
        # Packed, it would be there too soon.
        running = self.start_plugin("build", "--progress=plain", "--context-compression=off", context, builder=link.url)
        running.wait_for_output("transferring context")
        threading.Timer(1, link.reset).start()
        result = running.wait(20)
        self.assertIn(result.rc, FAILURES)
        self.assertIn(link.address, result.stderr)

    def test_a_slow_link(self):
        lines = [f"FROM {self.rig['BASE']}", f"RUN echo {self.image_name()} >/word", "COPY f* /"]
        files = {f"f{n}": f"{n}" for n in range(50)}
        context = self.context({"Dockerfile": "\n".join(lines), **files})
        link = self.link(self.plain_address(), delay=0.05)
        result = self.build("-o", "out", context, builder=link.url)
        self.assertEqual(trees.text(self.work / "out", "f49"), "49")
        self.assertLess(result.seconds, 30)


class Registries(NetworkTest):
    def test_a_registry_that_is_down(self):
        image = f"{self.closed_port()}/x:latest"
        result = self.fails_to_push(image)
        self.assertIn(image.partition("/")[0], result.stderr)
        self.assertRegex(result.stderr, "(?i)refused")

    def fails_to_push(self, image):
        return self.build(
            "-t", image, "--push", self.context_folder, builder="plain", check=FAILURES, timeout=90
        )
