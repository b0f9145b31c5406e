"""A pool whose builders are found by name: they come, go, and are asked who they are."""

import random
import re
import socket
from pathlib import Path

from name_server import NameServer
from pool import PoolTest, accepts

_STEP = "FROM scratch\nCOPY Dockerfile /\n"


def free_port(host):
    with socket.create_server((host, 0)) as free:
        return free.getsockname()[1]


class Fleet(PoolTest):
    def start_named_pool(self, records, **entry):
        """A pool that asks a DNS server of the test's own, with one source of builders, amd64."""
        address = f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}.53"
        self.names = NameServer(address, records)
        self.addCleanup(self.close_names)
        settings = Path(self.folder / "resolv.conf")
        settings.write_text(f"nameserver {address}\n")
        pool = self.make_pool()
        pool.settings["builders"].append(
            {
                "name": "amd64",
                "platform": "linux/amd64",
                "server_name": "localhost",
                "ca": str(pool.authority),
                "slots": 2,
                **entry,
            }
        )
        pool.write()
        mount = f'mount --bind {settings} /etc/resolv.conf && exec "$@"'
        pool.start(prefix=["unshare", "--mount", "sh", "-c", mount, "sh"])
        return pool

    def close_names(self):
        if self.names:
            self.names.close()
        self.names = None

    def start_builder(self, pool, host, port=None, engine="containerd"):
        bridge = self.bridge("unix", engine=engine)
        front = pool.start_front("amd64", bridge.url.removeprefix("unix://"), port=port, host=host)
        self.wait_until(lambda: accepts(front.port, host), 30, "the front does not listen")
        return front

    def up(self, pool):
        """The names of the builders that are up."""
        found = [
            re.fullmatch(r'depot_pool_builder_up\{builder="(amd64/[\w.:-]+)"\}', name)
            for name, value in pool.metrics().items()
            if value == 1
        ]
        return {match[1] for match in found if match}

    def wait_for_builders(self, pool, count):
        self.wait_until(
            lambda: len(self.up(pool)) == count, 40, f"not {count} builders: {pool.metrics()}"
        )
        return self.up(pool)

    def test_builders_come_and_go_with_their_name(self):
        port = free_port("127.0.0.2")
        records = {}
        pool = self.start_named_pool(records, discover=f"builders.test:{port}")
        first = self.start_builder(pool, "127.0.0.2", port)
        self.start_builder(pool, "127.0.0.3", port, engine="classic")
        self.assertEqual(self.up(pool), set())
        records["builders.test"] = ["127.0.0.2"]
        (one,) = self.wait_for_builders(pool, 1)
        env = pool.variables(pool.token(project="one"), "one")
        context = self.context({"Dockerfile": _STEP})
        built = self.build("--output", "type=local,dest=out", context, env=env)
        self.assertIn(f"builder {one}, a home of project one: its cache is kept there", built.stderr)
        (build,) = re.findall(r"/builds/([a-z0-9]{26})", built.stderr)[:1]
        self.assertIn(f"linux/amd64  builder {one}, a home of", pool.get(f"/builds/{build}")[1])

        records["builders.test"] = ["127.0.0.3", "127.0.0.2"]
        both = self.wait_for_builders(pool, 2)
        # A name server that does not answer takes nothing away.
        self.close_names()
        self.wait_until(lambda: "cannot be resolved" in pool.log(), 40, "it is not said")
        self.assertEqual(self.up(pool), both)
        # Who ends is down at once, and builds go to the other one.
        first.send(15)
        first.wait(20)
        self.assertEqual(self.wait_for_builders(pool, 1), both - {one})
        built = self.build("--output", "type=local,dest=out", context, env=env)
        self.assertIn(f"builder {min(both - {one})}", built.stderr)

    def test_services_say_their_ports_and_leave_with_their_records(self):
        records = {}
        pool = self.start_named_pool(records, srv="_buildkit._tcp.builders.test")
        front = self.start_builder(pool, "127.0.0.1")
        records["_buildkit._tcp.builders.test"] = [(front.port, "localhost")]
        (one,) = self.wait_for_builders(pool, 1)
        del records["_buildkit._tcp.builders.test"]
        self.wait_until(
            lambda: "there is nobody by the name" in pool.log(), 40, "the answer was not taken"
        )
        self.assertEqual(self.up(pool), {one})
        front.send(15)
        front.wait(20)
        self.wait_until(lambda: f"builder {one} is gone" in pool.log(), 40, "it stays")

    def test_a_builder_that_is_found_twice_is_used_once(self):
        port = free_port("127.0.0.4")
        pool = self.start_named_pool(
            {"builders.test": ["127.0.0.4", "127.0.0.5"]}, discover=f"builders.test:{port}"
        )
        for host in ("127.0.0.4", "127.0.0.5"):
            self.start_builder(pool, host, port)
        self.wait_until(
            lambda: "another one has the same worker's ID" in pool.log(), 40, "it is not said"
        )
        self.assertEqual(len(self.up(pool)), 1)
