"""Many clients of one pool: fair, none lost; and hostile ones, who hold up nobody."""

import contextlib
import socket
import ssl
import time
from urllib.parse import urlsplit

import connect
from pool import FINISHED, Machine, PoolTest
from pool_clients import most_at_once, simulate


class Crowd(PoolTest):
    def pool_of(self, slots, weight=1):
        """A pool whose builders nobody talks to; the weight is that of the project two."""
        machine = Machine()
        self.addCleanup(machine.close)
        pool = self.make_pool()
        pool.settings["projects"][1]["weight"] = weight
        pool.add_builder("first", machine.url, slots=slots)
        pool.write()
        pool.start()
        return pool

    def assert_fair(self, lives):
        """Nobody failed, and nobody who waited was overtaken."""
        errors = [life.error for life in lives if life.error]
        self.assertEqual(errors, [])
        for life in lives:
            self.assertEqual(life.positions, sorted(life.positions, reverse=True))
            self.assertNotIn(0, life.positions)

    def test_200_clients_share_four_slots(self):
        pool = self.pool_of(slots=4)
        token = pool.token(project="one")
        lives = simulate(pool, token, 200, hold=0.1)
        self.assert_fair(lives)
        self.assertGreater(sum(life.asks > 1 for life in lives), 100, "hardly anybody waited")
        # At no moment more than four had a machine.
        self.assertLessEqual(most_at_once(lives), 4)
        self.assertEqual(set(pool.builds(token, "one").values()), {FINISHED})

    def test_machines_are_given_in_the_order_of_asking(self):
        pool = self.pool_of(slots=1)
        token = pool.token(project="one")
        lives = simulate(pool, token, 12, hold=0.6, longest_wait=0.05, apart=0.15)
        self.assert_fair(lives)
        self.assertEqual(
            [life.granted for life in lives], sorted(life.granted for life in lives)
        )

    def test_a_project_does_not_wait_behind_all_of_another(self):
        pool = self.pool_of(slots=1)
        client = pool.client(pool.token(user="ada"))
        for number in range(50):
            position = self.ask(client, "one")
            self.assertEqual(position, number)
        self.assertEqual(self.ask(client, "two"), 2)
        self.assertEqual(self.ask(client, "two"), 4)
        self.assertEqual(self.ask(client, "one"), 52)
        client.close()
        metrics = pool.metrics()
        labels = '{platform="linux/amd64",project="two"}'
        self.assertEqual(metrics[f"depot_pool_project_waiting{labels}"], 2)
        self.assertEqual(metrics[f"depot_pool_project_slots_in_use{labels}"], 0)

    def test_a_weight_is_so_many_turns(self):
        pool = self.pool_of(slots=1, weight=3)
        client = pool.client(pool.token(user="ada"))
        for _ in range(10):
            self.ask(client, "one")
        self.assertEqual([self.ask(client, "two") for _ in range(6)], [2, 3, 4, 6, 7, 8])
        client.close()

    def first_of_200(self, weight):
        """Whose the first 50 machines were, of 200 clients that all wait when the first machine is free; a quarter is
        of the project two, which has this weight.
        """
        pool = self.pool_of(slots=4, weight=weight)
        token = pool.token(user="ada")
        client = pool.client(token)
        holders = []
        for _ in range(4):
            build = client.call("CreateBuild", {"project_id": "one"})
            client.call("GetBuildKitConnection", {"build_id": build["build_id"], "platform": connect.AMD64}, build["build_token"])
            holders.append(build)

        def waiting():
            metrics = pool.metrics()
            labels = ('{platform="linux/amd64",project="one"}', '{platform="linux/amd64",project="two"}')
            return sum(metrics.get(f"depot_pool_project_waiting{one}", 0) for one in labels) == 200

        def begin():
            self.wait_until(waiting, 100, "not all of them wait")
            for build in holders:
                client.call("FinishBuild", {"build_id": build["build_id"], "success": {}}, build["build_token"])

        lives = simulate(pool, token, 200, projects=["one"] * 3 + ["two"], then=begin)
        client.close()
        self.assertEqual([life.error for life in lives if life.error], [])
        self.assertEqual(set(pool.builds(token, "two").values()), {FINISHED})
        first = sorted(lives, key=lambda life: life.granted)[:50]
        return [life.project for life in first]

    # Grants that come together are seen in any order by four clients: two of the 50 may be others.
    def test_200_clients_of_two_projects_take_turns(self):
        first = self.first_of_200(weight=1)
        self.assertAlmostEqual(first.count("two"), 25, delta=2, msg=first)

    def test_200_clients_take_turns_by_weight(self):
        first = self.first_of_200(weight=3)
        self.assertAlmostEqual(first.count("two"), 37.5, delta=2, msg=first)

    def ask(self, client, project):
        """The place in the queue of a fresh build, 0 when it has its machine."""
        build = client.call("CreateBuild", {"project_id": project})
        wanted = {"build_id": build["build_id"], "platform": connect.AMD64}
        client.call("GetBuildKitConnection", wanted, build["build_token"])
        queue = client.answer_headers.get("Depot-Pool-Queue", "position=0")
        return int(queue.removeprefix("position="))

    def test_the_order_survives_the_death_of_the_pool(self):
        pool = self.pool_of(slots=1)
        client = pool.client(pool.token(project="one"))
        builds = []
        for _ in range(4):
            build = client.call("CreateBuild", {"project_id": "one"})
            wanted = {"build_id": build["build_id"], "platform": connect.AMD64}
            client.call("GetBuildKitConnection", wanted, build["build_token"])
            builds.append((wanted, build["build_token"]))
        client.close()
        pool.kill()
        pool.start()
        client = pool.client()
        for number, (wanted, token) in reversed(list(enumerate(builds))):
            answer = client.call("GetBuildKitConnection", wanted, token)
            self.assertEqual("active" in answer, number == 0)
            if number:
                position = client.answer_headers["Depot-Pool-Queue"]
                self.assertEqual(position, f"position={number}")
        client.close()


class Hostile(PoolTest):
    """A build goes on while others do their worst."""

    def setUp(self):
        super().setUp()
        self.pool = self.start_pool()
        self.client_token = self.pool.token(project="one")

    def connection(self, timeout=10):
        at = urlsplit(self.pool.url)
        plain = socket.create_connection(("127.0.0.1", at.port), timeout=timeout)
        context = ssl.create_default_context(cafile=self.pool.ca_file)
        tls = context.wrap_socket(plain, server_hostname="localhost")
        self.addCleanup(tls.close)
        return tls

    def assert_builds_go_on(self):
        context = self.context(
            {"Dockerfile": f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()}\n"}
        )
        self.build(context, env=self.pool.variables(self.client_token, "one"), timeout=60)
        self.assertEqual(self.pool.get("/healthz")[0], 200)

    def head(self, *headers, method="CreateBuild"):
        lines = [f"POST {connect.PATHS[method]} HTTP/1.1", "Host: localhost", *headers]
        return "\r\n".join(lines).encode() + b"\r\n"

    def status_of(self, tls):
        data = b""
        with contextlib.suppress(OSError):
            while b"\r\n" not in data and (piece := tls.recv(4096)):
                data += piece
        return int(data.split(b" ")[1]) if data.startswith(b"HTTP/") else None

    def test_slow_clients(self):
        slow = [self.connection() for _ in range(50)]
        for number, tls in enumerate(slow):
            tls.sendall(self.head()[: 20 + number])
        begin = time.monotonic()
        self.assert_builds_go_on()
        for tls in slow[:5]:
            tls.settimeout(60)
            self.assertIn(self.status_of(tls), (408, None))
        self.assertLess(time.monotonic() - begin, 90)

    def test_a_thousand_idle_connections(self):
        idle = []
        at = urlsplit(self.pool.url)
        for number in range(1000):
            source = (f"127.0.0.{2 + number % 2}", 0)
            with contextlib.suppress(OSError):
                idle.append(socket.create_connection(("127.0.0.1", at.port), 5, source))
        self.addCleanup(lambda: [one.close() for one in idle])
        self.assertGreater(len(idle), 300)
        self.assert_builds_go_on()

    def test_bodies_too_large(self):
        kind = "Content-Type: application/proto"
        length = f"Content-Length: {1 << 40}"
        stranger = self.connection()
        stranger.sendall(self.head(kind, length) + b"\r\n")
        self.assertEqual(self.status_of(stranger), 401, "its body is nobody's")
        known = f"Authorization: Bearer {self.client_token}"
        announced = self.connection()
        announced.sendall(self.head(kind, known, length) + b"\r\n")
        self.assertEqual(self.status_of(announced), 413)
        chunked = self.connection()
        chunked.sendall(self.head(kind, known, "Transfer-Encoding: chunked") + b"\r\n")
        piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(64):
                chunked.sendall(piece)
        self.assertIn(self.status_of(chunked), (413, None))
        self.assert_builds_go_on()
        self.assertLess(self.memory(), 400 << 20)

    def test_headers_too_large(self):
        tls = self.connection()
        with contextlib.suppress(OSError):
            tls.sendall(self.head(*(f"X-{number}: {'x' * 1000}" for number in range(200))))
        self.assertIn(self.status_of(tls), (431, 400, None))
        self.assert_builds_go_on()

    def test_nonsense(self):
        pieces = (
            b"\x16\x03\x01" * 100,
            b"GET / HTTP/9.9\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            self.head("Content-Length: 5", "Content-Length: 7") + b"\r\nhello",
            self.head("Content-Length: -1") + b"\r\n",
            self.head("Content-Length: 4", "Transfer-Encoding: chunked") + b"\r\n0\r\n\r\n",
            self.head("Transfer-Encoding: chunked") + b"\r\nFFFFFFFFFFFFFFFFF\r\n",
        )
        for piece in pieces:
            tls = self.connection()
            tls.sendall(piece)
            status = self.status_of(tls)
            self.assertTrue(status is None or 400 <= status <= 505, f"{piece[:60]}: {status}")
        self.assert_builds_go_on()

    def test_messages_that_are_none(self):
        token = f"Authorization: Bearer {self.client_token}"
        for body in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b""):
            for method in connect.PATHS:
                tls = self.connection()
                size = f"Content-Length: {len(body)}"
                kind = "connect+proto" if method in connect.STREAMS else "proto"
                kind = f"Content-Type: application/{kind}"
                tls.sendall(self.head(token, size, kind, method=method) + b"\r\n" + body)
                if (method, body) != ("FinishLogin", b""):
                    self.assertNotIn(self.status_of(tls), (500, None), f"{method} {body[:10]}")
        self.assert_builds_go_on()

    def test_floods_of_wrong_tokens(self):
        client = self.pool.client(self.new_token_text())
        for _ in range(300):
            self.expect_refused("unauthenticated", client.call, "ListProjects")
        client.close()
        self.assert_builds_go_on()
        self.assertGreaterEqual(self.pool.metrics()["depot_pool_rejected_tokens_total"], 300)

    def test_the_metrics_name_builders_and_builds(self):
        self.assert_builds_go_on()
        metrics = self.pool.metrics()
        self.assertEqual(metrics['depot_pool_builder_up{builder="first"}'], 1)
        self.assertEqual(metrics['depot_pool_slots{platform="linux/amd64"}'], 4)
        self.assertEqual(metrics['depot_pool_slots_in_use{platform="linux/amd64"}'], 0)
        self.assertEqual(metrics['depot_pool_requests_total{method="CreateBuild",code="ok"}'], 1)

    def memory(self):
        """Bytes of the pool's resident memory."""
        with open(f"/proc/{self.pool.process.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))
