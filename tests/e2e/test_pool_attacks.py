"""Attacks of people whom the pool does not know: builds go on under each of them."""

import base64
import contextlib
import json
import random
import resource
import socket
import sqlite3
import ssl
import threading
import time
from urllib.parse import urlsplit

import connect
from pool import FINISHED, Machine, PoolTest
from pool_clients import Honest

HONEST = 20
CALM = 4  # the same, of a pool that nobody attacks: what their calls take is what the machine takes


class Attacks(PoolTest):
    def setUp(self):
        super().setUp()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        self.issuer = f"https://{self.silent_port()}"
        machine = Machine()
        self.addCleanup(machine.close)
        self.pool = self.make_pool()
        self.pool.bridge = self.bridge(client_ca=self.pool.clients_of("real"))
        self.pool.add_builder("real", self.pool.bridge.url, projects=["one"])
        self.pool.add_builder("simulated", machine.url, slots=HONEST + 1, projects=["two"])
        rule = {"project": "one", "claims": {"sub": "nobody"}}
        oidc = {"issuer": self.issuer, "audience": "pool", "allow": [rule]}
        self.pool.settings["oidc"] = [oidc]
        self.pool.write()
        self.pool.start()
        self.token = self.pool.token(user="ada")
        self.calm = self.make_pool()
        self.calm.add_builder("simulated", machine.url, slots=CALM, projects=["two"])
        self.calm.write()
        self.calm.start()
        self.tls = ssl.create_default_context(cafile=self.pool.ca_file)
        self.held = []
        self.addCleanup(lambda: [one.close() for one in self.held])

    @contextlib.contextmanager
    def honest(self):
        """Twenty builds and a real one run before, and end well after what is done meanwhile; another
        begins and ends in its midst.
        """
        step = f"sleep 4.{random.randrange(10**7, 10**8)}"
        text = f"FROM {self.rig['BASE']}\nRUN {step}\n"
        folder = self.context({"Dockerfile": text})
        real = self.start_plugin("build", folder, env=self.pool.variables(self.token, "one"))
        self.wait_for_step(step)
        crowd = Honest(self.pool, self.token, "two", HONEST)
        calm = Honest(self.calm, self.calm.token(user="ada"), "two", CALM)
        try:
            yield
            newcomer = Honest(self.pool, self.token, "two", 1)
            newcomer.end()
            crowd.wait_for_asks()
        finally:
            crowd.end()
            calm.end()
        lives = crowd.lives + newcomer.lives + calm.lives
        self.assertEqual([life.error for life in lives if life.error], [])
        # All but one of a hundred. Other tests have the machine as well: what it takes beside the attack, it takes
        # under it, too.
        took = sorted(seconds for life in crowd.lives for seconds in life.latencies)
        beside = max(seconds for life in calm.lives for seconds in life.latencies)
        text = f"of {len(took)} calls the slowest took {took[-1]:.2f} s; beside the attack {beside:.2f} s"
        self.assertLess(took[len(took) * 99 // 100], max(1, 2 * beside), text)
        self._finish(real, 0, 60)
        self.assertEqual(self.pool.get("/healthz")[0], 200)

    def connection(self, source):
        """TLS from an address of its own."""
        port = urlsplit(self.pool.url).port
        plain = socket.create_connection(("127.0.0.1", port), 10, (source, 0))
        tls = self.tls.wrap_socket(plain, server_hostname="localhost")
        self.held.append(tls)
        return tls

    def head(self, method, *headers):
        lines = [f"POST {connect.PATHS[method]} HTTP/1.1", "Host: localhost", *headers]
        return "\r\n".join(lines).encode() + b"\r\n"

    def test_bodies_of_strangers_that_never_end(self):
        size = 4 << 20
        kind, length = "Content-Type: application/proto", f"Content-Length: {size}"
        with self.honest():
            for number in range(70):
                tls = self.connection(f"127.0.0.{2 + number % 4}")
                with contextlib.suppress(OSError):
                    tls.sendall(self.head("CreateBuild", kind, length) + b"\r\n")
                    for _ in range(63):
                        tls.sendall(bytes(size >> 6))
        turned_away = 'depot_pool_turned_away_total{what="bodies"}'
        self.assertNotIn(turned_away, self.pool.metrics())

    def test_bodies_of_one_client_that_never_end(self):
        size = 4 << 20
        kind, length = "Content-Type: application/proto", f"Content-Length: {size}"
        mine = f"Authorization: Bearer {self.token}"
        with self.honest():
            for _ in range(18):
                tls = self.connection("127.0.0.2")
                with contextlib.suppress(OSError):
                    tls.sendall(self.head("CreateBuild", kind, length, mine) + b"\r\n")
                    tls.sendall(bytes(size - 1))
        turned_away = 'depot_pool_turned_away_total{what="bodies of peer"}'
        self.assertGreater(self.pool.metrics()[turned_away], 0)

    def test_half_heads_from_five_addresses_on_all_connections(self):
        self.pool.stop()
        self.pool.start(prefix=["prlimit", "--nofile=500"])  # that is 300 connections
        with self.honest():
            for number in range(400):
                with contextlib.suppress(OSError):
                    tls = self.connection(f"127.0.0.{2 + number % 5}")
                    tls.sendall(self.head("CreateBuild"))
        turned_away = 'depot_pool_turned_away_total{what="connections"}'
        self.assertGreater(self.pool.metrics()[turned_away], 0)

    def test_five_hundred_idle_connections_of_ones_own_address(self):
        with self.honest():
            port = urlsplit(self.pool.url).port
            for _ in range(520):
                self.held.append(socket.create_connection(("127.0.0.1", port), 10))
        turned_away = 'depot_pool_turned_away_total{what="connections of peer"}'
        self.assertGreater(self.pool.metrics()[turned_away], 0)

    def test_unsigned_tokens_of_an_issuer_that_does_not_answer(self):
        def part(values):
            return base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()

        claims = {"iss": self.issuer, "aud": "pool", "sub": "nobody", "exp": time.time() + 600}
        claims["exp"] = int(claims["exp"])
        token = f"{part({'alg': 'RS256', 'kid': 'a'})}.{part(claims)}.{'A' * 342}"
        failures = []

        def ask():
            client = self.pool.client(token, timeout=40)
            try:
                client.call("ListProjects")
            except connect.Refused as refused:
                failures.append(refused.code)
            client.close()

        with self.honest():
            threads = [threading.Thread(target=ask) for _ in range(24)]
            for thread in threads:
                thread.start()
            time.sleep(1)  # They all wait now.
            self.assertEqual(failures, [])
        for thread in threads:
            thread.join()
        self.assertEqual(failures, ["unavailable"] * 24)

    def test_logins_that_nobody_approves(self):
        with self.honest():
            for number in range(101):
                tls = self.connection(f"127.0.1.{1 + number}")
                for _ in range(10):
                    kind = ("Content-Type: application/proto", "Content-Length: 0")
                    tls.sendall(self.head("StartLogin", *kind) + b"\r\n")
                    self.assertIn(b"200 OK", tls.recv(65536))
                tls.close()
            client = self.pool.client()
            login = client.call("StartLogin")
            client.close()
            page = urlsplit(login["approve_url"]).path
            self.assertEqual(self.pool.get(page)[0], 200)

    def test_another_process_locks_the_records(self):
        file = self.pool.state / "builds.sqlite"
        early = Honest(self.pool, self.token, "two", 1)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other, self.honest():
            other.execute("BEGIN IMMEDIATE")
            creates = [threading.Thread(target=self.create) for _ in range(16)]
            for thread in creates:
                thread.start()
            early.end()
            time.sleep(6)  # Longer than the pool waits for the lock, and clients for the pool.
            other.execute("ROLLBACK")
            for thread in creates:
                thread.join()
        self.assertIsNone(early.lives[0].error)
        self.wait_for_status(self.pool, self.token, "two", FINISHED)

    def create(self):
        client = self.pool.client(self.token)
        with contextlib.suppress(connect.Refused):
            client.call("CreateBuild", {"project_id": "one"})
        client.close()
