"""Several pools on one PostgreSQL: one queue, one order, and none lost when one of them or the database goes."""

import contextlib
import http.client
import ssl
import time
from urllib.parse import urlsplit

import connect
from pool import FINISHED, Machine, PoolTest
from pool_clients import most_at_once, simulate
from replicas import Database, OneAddress, Replicas, share


class ReplicasTest(PoolTest):
    def start_replicas(self, count, slots=2, real=False, **settings):
        """So many pools on one database, in `self.database`; their builder is one that nobody talks to, unless it is to be `real`."""
        pools = [self.make_pool() for _ in range(count)]
        if real:
            machine = self.bridge(client_ca=pools[0].clients_of("first"))
        else:
            machine = Machine()
            self.addCleanup(machine.close)
        self.database = Database(self.rig)
        self.addCleanup(self.database.close)
        for pool in pools:
            pool.add_builder("first", machine.url, slots=slots)
        share(pools, self.database, **settings)
        return pools

    def ask(self, pool, wanted, token):
        """The place in the queue, 0 with a machine."""
        with contextlib.closing(pool.client(token)) as client:
            answer = client.call("GetBuildKitConnection", wanted)
            if "active" in answer:
                return 0
            return int(client.answer_headers["Depot-Pool-Queue"].removeprefix("position="))

    def create(self, pool, token, project="one"):
        with contextlib.closing(pool.client(token)) as client:
            build = client.call("CreateBuild", {"project_id": project})
        return {"build_id": build["build_id"], "platform": connect.AMD64}, build["build_token"]


class Queue(ReplicasTest):
    def test_clients_of_three_pools_lose_nothing_when_one_dies_and_the_database_stops(self):
        pools = self.start_replicas(3, slots=4)
        token = pools[0].token(project="one")

        def trouble():
            pools[2].kill()
            time.sleep(1)
            self.database.kill()
            time.sleep(3)
            self.database.start()

        lives = simulate(Replicas(pools), token, 40, hold=0.3, then=trouble)
        self.assertEqual([life.error for life in lives if life.error], [])
        # At no moment more than four had a machine.
        self.assertLessEqual(most_at_once(lives), 4)
        # A build that was begun while its answer was lost is begun again; all that clients know of have ended.
        statuses = list(pools[0].builds(token, "one").values())
        self.assertGreaterEqual(statuses.count(FINISHED), 40)
        self.assertNotIn(self.database.password, "".join(pool.log() for pool in pools))

    def knows(self, pool, token):
        with contextlib.closing(pool.client(token)) as client, contextlib.suppress(connect.Refused):
            client.call("ListProjects")
            return True
        return False

    def test_turns_and_places_are_the_same_everywhere_and_survive(self):
        pools = self.start_replicas(2, slots=1)
        token = pools[0].token(user="ada")
        self.assertTrue(self.knows(pools[1], token), "a token that was told is not known everywhere")
        builds = [self.create(pools[number % 2], token) for number in range(5)]
        builds.append(self.create(pools[0], token, "two"))
        for number, build in enumerate(builds):
            self.ask(pools[number % 2], *build)
        places = [0, 1, 3, 4, 5, 2]
        for pool in pools:
            self.wait_until(
                lambda pool=pool: [self.ask(pool, *build) for build in builds] == places, 30, "another order"
            )
        pools[0].kill()
        self.assertEqual([self.ask(pools[1], *build) for build in builds], places)
        self.assertIn("yes", pools[1].get(f"/builds/{builds[0][0]['build_id']}/on/first")[1])
        pools[0].start()
        self.assertEqual([self.ask(pools[0], *build) for build in builds], places)
        with contextlib.closing(pools[0].client(builds[0][1])) as client:
            client.call("FinishBuild", {"build_id": builds[0][0]["build_id"], "success": {}})
        # The builder's front may ask the pool that has not given it.
        self.wait_until(lambda: self.ask(pools[0], *builds[1]) == 0, 30, "nobody is next")
        self.assertIn("yes", pools[1].get(f"/builds/{builds[1][0]['build_id']}/on/first")[1])
        self.wait_until(lambda: self.ask(pools[1], *builds[5]) == 1, 30, "the project two is not next")

    def test_while_the_database_is_away_pools_say_so_and_go_on_afterwards(self):
        (pool,) = self.start_replicas(1, slots=1)
        token = pool.token(project="one")
        has, waits = self.create(pool, token), self.create(pool, token)
        self.assertEqual(self.ask(pool, *has), 0)
        self.assertEqual(self.ask(pool, *waits), 1)
        self.database.kill()
        self.wait_until(lambda: pool.get("/healthz")[0] == 503, 30, "it still is healthy")
        self.assertEqual(pool.get("/livez")[0], 200)
        self.assertIn("yes", pool.get(f"/builds/{has[0]['build_id']}/on/first")[1])
        self.assertEqual(self.ask(pool, *has), 0)
        self.assertEqual(self.ask(pool, *waits), 1)
        with contextlib.closing(pool.client(token)) as client:
            message = self.expect_refused("unavailable", client.call, "CreateBuild", {"project_id": "one"})
        self.assertIn("database", message)
        self.database.start()
        pool.wait_until_healthy()
        self.assertEqual(self.ask(pool, *has), 0)
        self.assertEqual(self.ask(pool, *waits), 1)


class Official(ReplicasTest):
    def test_the_official_client_builds_through_replicas_behind_one_address(self):
        pools = self.start_replicas(2, real=True)
        token = pools[0].token(project="one")
        address = OneAddress(pools)
        self.addCleanup(address.close)
        env = {**pools[0].variables(token, "one"), "DEPOT_API_URL": address.url}
        for alive in (pools, pools[1:]):
            dockerfile = f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()} >/proof\n"
            before = [len(pool.audit()) for pool in alive]
            # Each of its builds has a connection of its own or more: at least one of a few goes to each pool.
            for number in range(2):
                context = self.context({"Dockerfile": dockerfile + f"RUN : {number}\n"})
                self.run_official("build", "--output", f"type=local,dest=out{number}", context, env=env)
                self.assertTrue((self.work / f"out{number}/proof").exists())
            for pool, count in zip(alive, before, strict=True):
                self.assertGreater(len(pool.audit()), count, "a pool was not asked")
            if pools[0] in alive:
                pools[0].kill()
        self.assertEqual(list(pools[1].builds(token, "one").values()), [FINISHED] * 4)


class Identity(ReplicasTest):
    def test_tokens_logins_and_revocations_are_shared(self):
        pools = self.start_replicas(2)
        with contextlib.closing(pools[0].client()) as client:
            begun = client.call("StartLogin")
        code = begun["approve_url"].rpartition("/")[2]
        self.assertIn(code, pools[1].get(f"/login/{code}")[1])
        pools[1].command("login", "approve", code, "--user", "ada")
        token = self.finish_login(pools[1], begun["id"])
        for pool in pools:
            self.wait_until(lambda pool=pool: self.opens(pool, token), 30, "the token of the login opens nothing")
        listed = pools[0].command("token", "list").stdout
        self.assertIn("user ada", listed)
        build = self.create(pools[0], token)
        pools[1].command("token", "revoke", listed.split()[0])
        for pool in pools:
            self.wait_until(lambda pool=pool: not self.opens(pool, token), 30, "a revoked token opens something")
        self.wait_until(lambda: self.refused(pools[0], build), 30, "its build goes on")

    def finish_login(self, pool, login):
        """The answer is a stream of one message: a byte of flags and the length before it."""
        at = urlsplit(pool.url)
        tls = ssl.create_default_context(cafile=pool.ca_file)
        message = connect.encode("FinishLoginRequest", {"id": login})
        with contextlib.closing(http.client.HTTPSConnection(at.hostname, at.port, timeout=30, context=tls)) as client:
            body = b"\0" + len(message).to_bytes(4, "big") + message
            client.request("POST", connect.PATHS["FinishLogin"], body, {"Content-Type": "application/connect+proto"})
            answer = client.getresponse().read()
        return connect.decode("FinishLoginResponse", answer[5 : 5 + int.from_bytes(answer[1:5], "big")])["token"]

    def opens(self, pool, token):
        with contextlib.closing(pool.client(token)) as client, contextlib.suppress(connect.Refused):
            return bool(client.call("ListProjects")["projects"])
        return False

    def refused(self, pool, build):
        try:
            self.ask(pool, *build)
        except connect.Refused as error:
            return error.code == "permission_denied"
        return False

    def test_a_pool_moves_from_its_file_to_a_database(self):
        machine = Machine()
        self.addCleanup(machine.close)
        self.database = Database(self.rig)
        self.addCleanup(self.database.close)
        pool = self.make_pool()
        pool.add_builder("first", machine.url, slots=1)
        pool.write()
        pool.start()
        token = pool.token(project="one")
        builds = [self.create(pool, token) for _ in range(3)]
        for number, build in enumerate(builds):
            self.assertEqual(self.ask(pool, *build), number)
        (pool.folder / "password").write_text(self.database.password)
        stored = f"store: {self.database.url}\nstore_password_file: password\n"
        pool.file.write_text(stored + pool.file.read_text())
        self.assertIn("is open", pool.command("migrate", check=1).stderr)
        pool.stop()
        self.assertIn("3 builds", pool.command("migrate").stderr)
        self.assertIn("already", pool.command("migrate", check=1).stderr)
        pool.start()
        for number, build in enumerate(builds):
            self.assertEqual(self.ask(pool, *build), number)
        self.assertEqual(len(pool.builds(token, "one")), 3)
        self.assertIn(builds[0][0]["build_id"], pool.command("builds", "list").stdout)
