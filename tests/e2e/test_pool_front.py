"""The pool's front before a builder: who comes in, who is cut off, and that nobody else notices it."""

import random
import signal
import socket

from harness import FAILURES, Bridge
from pool import CANCELED, FINISHED, PoolTest, accepts, token_record


class Front(PoolTest):
    def setUp(self):
        super().setUp()
        self.token = self.new_token_text()
        self.pool = self.start_pool_with_front(
            tokens=[token_record("ours", self.token, project="one")]
        )

    def dockerfile(self, command):
        return self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN {command}\n"})

    def small(self):
        return self.dockerfile(f"echo {self.image_name()}")

    def variables(self):
        return self.pool.variables(self.token, "one")

    def said(self, text, seconds=30):
        self.wait_until(
            lambda: text in self.pool.front.stderr(), seconds, f"the front never said {text!r}"
        )

    def start_endless(self):
        step = self.endless_step()
        running = self.start_plugin("build", self.dockerfile(step), env=self.variables())
        self.wait_for_step(step)
        return running, step

    def revoke(self):
        self.pool.command("token", "revoke", "ours")

    def assert_cut(self, tls):
        """The front ends the connection, without a word or with one of TLS."""
        tls.settimeout(30)
        try:
            while tls.recv(4096):
                pass
        except TimeoutError:
            self.fail("the connection is still there")
        except OSError:
            pass

    def test_both_clients_build(self):
        self.build(self.small(), env=self.variables())
        self.run_official("build", self.small(), env=self.variables())
        self.assertEqual(
            list(self.pool.builds(self.token, "one").values()), [FINISHED, FINISHED]
        )

    def test_much_goes_through_it_both_ways(self):
        entries = {"Dockerfile": "FROM scratch\nCOPY data /file\n", "data": random.randbytes(64000000)}
        context = self.context(entries)
        out = self.work / "out"
        self.build("-o", out, context, env=self.variables())
        self.assertEqual((out / "file").read_bytes(), entries["data"])

    def test_a_build_is_inside_until_it_ends(self):
        client, build, machine = self.machine(self.pool, self.token)
        inside = self.enter(machine)
        client.call("FinishBuild", {"build_id": build["build_id"], "success": {}})
        self.assert_refused(machine)
        self.said("the build is over: succeeded")
        self.assert_cut(inside)

    def test_a_build_that_loses_its_builder_is_cut_off(self):
        _, _, machine = self.machine(self.pool, self.token)
        inside = self.enter(machine)
        self.pool.settings["builders"][0]["projects"] = ["two"]
        self.pool.write()
        self.said("the build does not have this builder")
        self.assert_cut(inside)
        self.assert_refused(machine)

    def test_a_name_that_the_pool_does_not_have_is_said(self):
        path = self.pool.bridge.url.removeprefix("unix://")
        lost = self.pool.start_front("frist", path)
        warning = "warning: the pool sends no build here: it has no builder frist"
        self.wait_until(lambda: warning in lost.stderr(), 30, "nothing is said")
        self.assertNotIn("warning", self.pool.front.stderr())
        self.pool.settings["builders"][0]["name"] = "frist"
        self.pool.write()
        self.wait_until(lambda: "the pool has builder frist now" in lost.stderr(), 30, "nothing is said")

    def test_a_certificate_of_another_builder_is_refused(self):
        _, _, machine = self.machine(self.pool, self.token)
        path = self.pool.bridge.url.removeprefix("unix://")
        stranger = self.pool.start_front("second", path)
        confused = self.pool.start_front("first", path, called="third")
        for front in (stranger, confused):
            self.wait_until(lambda front=front: accepts(front.port), 30, "no front")
            self.assert_refused(machine, url=front.url)
        self.wait_until(
            lambda: "the certificate is for builder first" in confused.stderr(), 30, "not said"
        )
        self.enter(machine)

    def test_builds_of_a_revoked_token_get_no_machine_and_end(self):
        other = self.pool.token(user="ada")
        self.pool.file.write_text(self.pool.file.read_text().replace("slots: 4", "slots: 1"))
        running, step = self.start_endless()
        (build,) = self.pool.builds(self.token, "one")
        waiting = self.start_plugin("build", self.small(), env=self.variables())
        waiting.wait_for_output("(?i)wait|position|queue", 30)
        self.revoke()
        for client in (running, waiting):
            result = client.wait(60)
            self.results.append(result)
            self.assertIn(result.rc, FAILURES)
        self.assertRegex(result.stderr, "revoked")
        self.assertEqual(result.rc, 112, "no builder would be a reason to try again")
        self.assert_step_ends(step)
        self.build(self.small(), env=self.pool.variables(other, "one"))
        statuses = self.pool.builds(other, "one")
        self.assertEqual(statuses[build], CANCELED)

    def test_a_client_that_does_not_obey_is_cut_off_when_its_token_is_revoked(self):
        _, _, machine = self.machine(self.pool, self.token)
        inside = self.enter(machine)
        self.revoke()
        self.assert_cut(inside)
        self.assert_refused(machine)
        self.said("canceled")

    def test_a_build_survives_the_death_of_the_pool(self):
        name = self.image_name()
        context = self.dockerfile(f"sleep 12 # {name}")
        running = self.start_plugin("build", context, env=self.variables())
        running.wait_for_output(r"RUN sleep 12")
        _, _, machine = self.machine(self.pool, self.token)
        self.pool.kill()
        self.said("who is inside stays")
        self.enter(machine)
        self.pool.start()
        result = running.wait(60)
        self.results.append(result)
        self.assertEqual(result.rc, 0)

    def test_a_build_outlasts_the_renewal_of_all_certificates(self):
        mount = f"RUN --mount=type=cache,id={self.image_name()},target=/c"
        lasting = self.context(
            {"Dockerfile": f"FROM {self.rig['BASE']}\n{mount} until [ -e /c/go ]; do sleep 0.2; done\n"}
        )
        running = self.start_plugin("build", lasting, env=self.variables())
        running.wait_for_output(r"RUN --mount")
        _, _, old = self.machine(self.pool, self.token)
        place = self.pool.folder / "front-of-first-127.0.0.1"
        following = self.pool.folder / "next"
        shown = self.pool.command("ca", "show", "--builder", "first", "--state", following).stdout
        (place / "clients.pem").write_text((place / "clients.pem").read_text() + shown)
        self.said("the certificates have changed")
        for file in (following / "builders/first").iterdir():
            file.rename(self.pool.state / "builders/first" / file.name)
        self.wait_until(lambda: "signs from now on" in self.pool.log(), 30, "the pool does not take it up")
        _, _, machine = self.machine(self.pool, self.token)
        for one in (old, machine):
            self.enter(one)
        self.pool.command("ca", "server-certificate", "localhost", "--builder", "first", "--out", place)
        self.wait_until(lambda: self.is_refused(old), 30, "the old authority is good still")
        self.enter(machine)
        release = f"FROM {self.rig['BASE']}\n{mount} touch /c/go\n"
        self.build(self.context({"Dockerfile": release}), env=self.variables())
        result = running.wait(60)
        self.results.append(result)
        self.assertEqual(result.rc, 0)
        self.assertNotIn("lost the builder", result.stderr)

    def is_refused(self, machine):
        try:
            self.enter(machine)
        except OSError:
            return True
        return False

    def test_it_does_not_listen_while_its_builder_is_down(self):
        port = self.pool.front.port
        argv = self.pool.bridge.process.args
        self.pool.bridge.kill()
        self.wait_until(lambda: not accepts(port), 30, "the front still listens")
        again = Bridge(argv, lambda said: f"unix://{said}")
        self.addCleanup(again.kill)
        self.wait_until(lambda: accepts(port), 30, "the front does not listen again")
        self.build(self.small(), env=self.variables())

    def test_strangers_hold_up_nobody(self):
        at = ("127.0.0.1", self.pool.front.port)
        silent = [socket.create_connection(at, timeout=10) for _ in range(200)]
        self.addCleanup(lambda: [one.close() for one in silent])
        for number, one in enumerate(silent):
            if number % 2:
                one.sendall(b"GET / HTTP/1.1\r\n\r\n")
        self.build(self.small(), env=self.variables())

    def test_a_draining_front_ends_with_its_last_build(self):
        socket_path = self.pool.bridge.url.removeprefix("unix://")
        front = self.pool.start_front("first", socket_path, host="127.0.0.9", options=["--drain"])
        self.wait_until(lambda: accepts(front.port, "127.0.0.9"), 30, "the front does not listen")
        _, _, machine = self.machine(self.pool, self.token)
        inside = self.enter({**machine, "endpoint": front.url})
        front.send(signal.SIGTERM)
        self.wait_until(lambda: not accepts(front.port, "127.0.0.9"), 20, "it listens still")
        self.assertIsNone(front.process.poll())
        inside.close()
        front.wait(20, check=0)

    def test_a_terminated_front_ends_its_connections(self):
        _, _, machine = self.machine(self.pool, self.token)
        inside = self.enter(machine)
        self.pool.front.send(signal.SIGTERM)
        self.pool.front.wait(20, check=0)
        self.assert_cut(inside)
