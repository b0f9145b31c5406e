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

# How long the database is away, the link is cut for at least, and a build takes. docs/fleet.md says with which others it was run.
_AWAY = float(os.environ.get("DEPOT_SWARM_AWAY", "5"))
_BUILD = float(os.environ.get("DEPOT_SWARM_BUILD", "5"))
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
        self.told = []
        self.start_pools()
        self.start_builders()

    def tell(self):
        """What Swarm's tasks said, when the test has failed."""
        if not self._outcome.success:
            for service in ("depot_pool", "builders"):
                print(self.swarm.docker("a", "service", "logs", "--tail", "40", service, output=subprocess.STDOUT))

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

    def ask(self, path):
        """A page of some replica, or "" when there is none."""
        argv = [*self.inside, "curl", "--silent", "--max-time", "5", "--cacert", self.ca_file, f"https://pool:8443{path}"]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    def wait_for_builders(self, count, seconds=_PATIENCE):
        self.wait_until(
            lambda: len(re.findall(r'(?m)^depot_pool_builder_up{.*} 1$', self.ask("/metrics"))) == count,
            seconds,
            f"not {count} builders: {self.swarm.tasks('builders')}",
        )

    def wait_for_tasks(self, service, *wanted):
        """Until the tasks of a service are on these nodes, a letter each, and no others are left."""
        def are():
            tasks = self.swarm.tasks(service)
            self.last = tasks
            return sorted(node for node, _, *states in tasks if states == ["running", "running"]) == sorted(wanted) and len(
                tasks
            ) == len(wanted)

        self.wait_until(are, _PATIENCE, f"{service} is not on {wanted}: {getattr(self, 'last', '')}")

    def start_wave(self, event):
        """More builds, and a line of what was under way when `event` came."""
        for _ in range(_WAVE):
            name = f"{len(self.running)}"
            files = {"Dockerfile": f'FROM scratch\nCOPY busybox name /\nRUN --network=none ["/busybox", "sleep", "{_BUILD}"]\n', "name": name + self.image_name()}
            context = self.context(files)
            shutil.copy(self.rig["BUSYBOX"], context)
            env = {"DEPOT_API_URL": "https://pool:8443", "SSL_CERT_FILE": self.ca_file, "DEPOT_TOKEN": self.token, "DEPOT_PROJECT_ID": "app"}
            argv = [*self.inside, self._plugin(), "build", "--progress=plain", "--lost-after=10s", "-o", "type=cacheonly", context]
            self.running.append(self._start(argv, None, None, env, None, None))
        under_way = sum(one.process.poll() is None for one in self.running)
        self.told.append(f"{time.monotonic() - self.begin:5.1f} s: {event}: {len(self.running)} begun, {under_way} under way")
        print(self.told[-1], flush=True)

    def test_no_build_is_lost_hung_or_overtaken(self):
        self.begin = time.monotonic()
        self.start_wave("two builders")
        self.start_wave("five builders")
        self.swarm.docker("a", "service", "scale", "--detach", "builders=5")
        self.wait_for_builders(5)
        for one in self.running:
            self._finish(one, None, 200)
        for one in self.running: print(one.result().rc, one.result().seconds, one.stderr()[-300:])
        print(self.ask("/metrics"))
