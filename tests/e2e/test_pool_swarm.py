"""Docker Swarm for real: the pool as `install/swarm` has it, several replicas on one PostgreSQL, and builders that Swarm moves."""

import collections
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from pool import PoolTest
from replicas import Database
from swarm import ROOT, Swarm

# Seconds that the database is away, and that a build takes. docs/fleet.md says with which others it was run.
_AWAY = float(os.environ.get("DEPOT_SWARM_AWAY", "5"))
_BUILD = float(os.environ.get("DEPOT_SWARM_BUILD", "3"))
_WAVE = 5
# With an end: what has not happened by then never will.
_PATIENCE = 60 + _AWAY + _BUILD
_ENGINES = ("containerd", "classic", "arm64")


class OnSwarm(PoolTest):
    """Node a is the manager; the database and the clients are in the network of a container there, as plain containers would be. The
    builders are a service of fronts, which need no privileges; the BuildKits behind them are those of five Engines.
    """

    def setUp(self):
        super().setUp()
        self.swarm = Swarm(self.rig, self.make_folder("swarm"), self.make_image())
        self.addCleanup(self.swarm.close)
        self.addCleanup(self.tell)
        alias = ["--network", "fleet", "--network-alias", self.rig["SERVERNAME"]]
        self.swarm.docker(
            "a", "run", "--detach", "--name", "outside", *alias, "--entrypoint", "/busybox", "depot-pool", "sleep", "100000"
        )
        self.inside = self.swarm.inside("outside")
        self.database = Database(self.rig, self.inside[:2])
        self.addCleanup(self.database.close)
        self.running = []
        self.begin = time.monotonic()
        self.start_pools()
        self.start_builders()

    def tell(self):
        """What Swarm's tasks said, when the test has failed."""
        if self._outcome.result.errors or self._outcome.result.failures:
            for service in ("depot_pool", "builders"):
                print(self.swarm.docker("a", "service", "logs", "--timestamps", service, output=subprocess.STDOUT))

    def make_folder(self, name):
        place = self.folder / name
        place.mkdir(parents=True)
        return place

    def make_image(self):
        """As install/pool/Dockerfile; a program that is not static brings what it loads."""
        image = self.make_folder("image")
        program = Path(os.environ["DEPOT_POOL"]).resolve()
        files = {program: "usr/local/bin/depot-pool", Path(self.rig["BUSYBOX"]): "busybox"}
        loads = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        files |= {Path(name): name[1:] for name in re.findall(r"(/\S+) \(0x", loads)}
        for source, target in files.items():
            (image / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, image / target)
        return image

    def start_pools(self):
        """install/swarm with its replicas.yaml, but for names, numbers and certificates."""
        place = self.folder / "stack"
        shutil.copytree(ROOT / "install/swarm", place)
        (place / "pool").mkdir(mode=0o700)
        pool = self.make_pool()
        pool.file = place / "pool.yaml"
        for directory, *words in (("pool", "pool"), ("builder", "builder", "--builder", "amd64")):
            argv = [os.environ["DEPOT_POOL"], "ca", "server-certificate", *words, "--state", place / "pool", "--out", place / directory]
            subprocess.run(argv, check=True, timeout=30)
        shutil.copy(place / "pool/ca.pem", place)
        # Made before there is a database in the settings: only what runs on the network reaches that.
        self.token = pool.token(project="app")
        made = pool.file.read_text().replace("slots: 4", "slots: 1") + "home_wait_seconds: 0\n"
        url = f"postgresql://pool@{self.rig['SERVERNAME']}:{self.database.port}/postgres?sslmode"
        made = re.sub(r"(?m)^# (store: )postgresql://.*\?sslmode", rf"\1{url}", made)
        pool.file.write_text(made.replace("# store_password_file", "store_password_file"))
        shutil.copy(self.rig["CACERT"], place / "pool/store-ca.pem")
        (place / "pool/store-password").write_text(self.database.password + "\n")
        self.ca_file = place / "pool/ca.pem"
        for node in "ab":
            self.swarm.docker("a", "node", "update", "--label-add", "depot-pool=true", node)
        files = [word for name in ("stack", "replicas") for word in ("--compose-file", place / f"{name}.yaml")]
        self.swarm.docker("a", "stack", "deploy", "--resolve-image", "never", *files, "depot", env={"VERSION": "1"})

    def start_builders(self):
        """Wherever Swarm runs it, the builder of a slot has that slot's BuildKit, as a volume that follows it would have its cache."""
        for node in "ab":
            self.rig[f"ENGINE_{node.upper()}"] = f"unix://{self.swarm.socket(node)}"
        for number, engine in enumerate((*_ENGINES, "a", "b"), 1):
            place = self.make_folder(f"builders/{number}")
            path = Path(self.bridge("unix", engine=engine).url.removeprefix("unix://"))
            path.rename(place / "buildkitd.sock")
        folder = self.folder / "builders"
        mounts = [f"src={folder}/{{{{.Task.Slot}}}},dst=/run/buildkit", f"src={self.folder}/stack/builder,dst=/etc/builder,readonly"]
        self.swarm.docker(
            "a", "service", "create", "--detach", "--name", "builders", "--replicas", "2", "--endpoint-mode", "dnsrr",
            "--network", "name=fleet,alias=builders-amd64", "--no-resolve-image", "--user", "0", "--stop-grace-period", "6h",
            "--restart-delay", "1s", *[word for mount in mounts for word in ("--mount", f"type=bind,{mount}")],
            "--env", "SSL_CERT_FILE=/etc/builder/ca.pem",
            "depot-pool", "front", "--drain", "--builder", "amd64", "--pool", "https://pool:8443", "--certificates", "/etc/builder",
        )  # fmt: skip
        self.wait_for_builders(2)

    def ask(self, path, *options):
        """A page of some replica, or "" when it does not answer."""
        argv = [*self.inside, "curl", "--silent", "--fail", "--max-time", "5", "--cacert", self.ca_file, *options]
        return subprocess.run([*argv, f"https://pool:8443{path}"], capture_output=True, text=True, check=False).stdout

    def wait_for_pools(self):
        """Until both replicas run, and answer where the clients are."""
        self.wait_for_tasks("depot_pool", 2)

        def answer():
            found = subprocess.run([*self.inside, "getent", "ahostsv4", "pool"], capture_output=True, text=True, check=False).stdout
            places = {line.split()[0] for line in found.splitlines()}
            return len(places) == 2 and all(self.ask("/healthz", "--resolve", f"pool:8443:{place}") for place in places)

        self.wait_until(answer, _PATIENCE, "the pools do not answer")

    def wait_for_builders(self, count):
        """Until Swarm runs so many, and some replica sees all of them up."""
        self.wait_for_tasks("builders", count)
        up = r"(?m)^depot_pool_builder_up{.*} 1$"
        self.wait_until(lambda: len(re.findall(up, self.ask("/metrics"))) == count, _PATIENCE, f"not {count} builders are up")

    def wait_for_tasks(self, service, count, nodes="ab", but=()):
        """Until a service has so many tasks, all of which run, on these nodes, and none is one of `but`."""
        def are():
            tasks = self.swarm.tasks(service)
            run = all(node in nodes and state == desired == "running" for node, state, desired in tasks.values())
            return run and len(tasks) == count and not set(but) & set(tasks)

        self.wait_until(are, _PATIENCE, f"{service} has not {count} tasks on {nodes}")

    def start_wave(self, event):
        """More builds, which the pool has taken on, and a line of what is under way when `event` comes."""
        for _ in range(_WAVE):
            name = f"{len(self.running)}"
            files = {"Dockerfile": f'FROM scratch\nCOPY busybox name /\nRUN --network=none ["/busybox", "sleep", "{_BUILD}"]\n', "name": name + self.image_name()}
            context = self.context(files)
            shutil.copy(self.rig["BUSYBOX"], context)
            env = {"DEPOT_API_URL": "https://pool:8443", "SSL_CERT_FILE": self.ca_file, "DEPOT_TOKEN": self.token, "DEPOT_PROJECT_ID": "app"}
            argv = ["setpriv", "--pdeathsig", "KILL", *self.inside, self._plugin(), "build", "--progress=plain", "--lost-after=10s", "-o", "type=cacheonly", context]
            self.running.append(self._start(argv, None, None, env, None, None))
        for one in self.running[-_WAVE:]:
            one.wait_for_output("the build's page", _PATIENCE)
        under_way = sum(one.process.poll() is None for one in self.running)
        self.tell_count(f"{event}: {len(self.running)} begun, {under_way} under way")

    def tell_count(self, text):
        print(f"{time.monotonic() - self.begin:6.1f} s  {text}", flush=True)

    def watch_order(self):
        """Has the database write down, with each builder that is given, how many waited longer for one, and how many have that builder."""
        self.database.query(
            "CREATE TABLE given (build text, passed bigint, sharing bigint);"
            " CREATE FUNCTION given() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO given SELECT NEW.build,"
            " (SELECT count(*) FROM claims WHERE open = 1 AND builder = '' AND ticket < NEW.ticket),"
            " (SELECT count(*) FROM claims WHERE open = 1 AND builder = NEW.builder); RETURN NULL; END $$;"
        )
        # At the end of its transaction, which is what others see.
        for event, old in (("INSERT", ""), ("UPDATE", " AND OLD.builder <> NEW.builder")):
            self.database.query(
                f"CREATE CONSTRAINT TRIGGER given_by_{event} AFTER {event} ON claims DEFERRABLE INITIALLY DEFERRED"
                f" FOR EACH ROW WHEN (NEW.open = 1 AND NEW.builder <> ''{old}) EXECUTE FUNCTION given()"
            )

    def scale(self, count):
        self.swarm.docker("a", "service", "scale", "--detach", f"builders={count}")
        self.wait_for_builders(count)

    def kill_one(self, service, count):
        before = self.swarm.tasks(service)
        self.swarm.kill_one(service)
        self.wait_until(lambda: set(before) - set(self.swarm.tasks(service)), _PATIENCE, f"{service} lives")
        self.wait_for_tasks(service, count)
        self.wait_for_pools()

    def cut_the_link(self):
        """Long enough for Swarm to run on `a` what it had on `b`, where that goes on as well."""
        self.swarm.link("down")
        self.wait_until(lambda: self.swarm.state_of("b") == "down", _PATIENCE, "the node b is not missed")
        replaced = ("a", "running", "running")
        self.wait_until(
            lambda: list(self.swarm.tasks("builders").values()).count(replaced) == 5, _PATIENCE, "nothing takes the place of b"
        )
        self.swarm.link("up")
        self.wait_until(lambda: self.swarm.state_of("b") == "ready", _PATIENCE, "the node b is not back")
        self.wait_for_pools()
        self.wait_for_builders(5)

    def drain(self, node, other):
        self.swarm.docker("a", "node", "update", "--availability", "drain", node)
        self.wait_for_tasks("builders", 5, nodes=other)
        self.wait_for_builders(5)
        self.swarm.docker("a", "node", "update", "--availability", "active", node)
        self.wait_for_pools()

    def stop_the_database(self):
        self.database.kill()
        time.sleep(_AWAY)
        self.database.start()
        self.wait_for_pools()

    def test_no_build_is_lost_hung_or_overtaken(self):
        self.watch_order()
        events = {
            "two builders": lambda: None,
            "scaled to five": lambda: self.scale(5),
            "a builder killed": lambda: self.kill_one("builders", 5),
            "the link cut": self.cut_the_link,
            "a node drained": lambda: self.drain("a", "b"),
            "a pool killed": lambda: self.kill_one("depot_pool", 2),
            "the database stopped": self.stop_the_database,
            "scaled to two": lambda: self.scale(2),
        }
        for event, happen in events.items():
            self.start_wave(event)
            happen()
        codes = collections.Counter(one.wait(_PATIENCE + len(self.running) * _BUILD).rc for one in self.running)
        again = sum("connecting again" in one.stderr() for one in self.running)
        states = dict(self.database.query("SELECT state, count(*) FROM builds GROUP BY state"))
        ((given, passed, sharing),) = self.database.query("SELECT count(*), sum(passed), max(sharing) FROM given")
        self.tell_count(f"exit codes {dict(codes)}, {again} connected again; builds by state {states}")
        self.tell_count(f"{given} builders given, {passed} times before somebody who had waited longer, at most {sharing} builds on one")
        failed = [one.result() for one in self.running if one.process.returncode]
        self.assertEqual(codes, {0: len(events) * _WAVE}, "\n".join(map(str, failed)))
        self.assertEqual((passed, sharing), ("0", "1"))
