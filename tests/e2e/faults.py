"""Builds in which something fails on the way: TABLE says what and where, Bench runs one of them.

A point is where a build has come to when its fault strikes; a fault is what happens to it then. "a+b" is two of them, the
second a second after the first. Every fault happens once: what is connected, asked or started later is as good as new.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import fake_api
import faulty_registry
import trees
from harness import RIG_FOLDER, EndToEnd, processes

TABLE = [
    # A quarter of the context has been sent.
    ("context", "fin reset freeze killed INT TERM HUP KILL reset+reset freeze+INT"),
    # A step of 8 s runs.
    ("run", "fin reset freeze killed INT TERM HUP KILL reset+reset freeze+INT killed+reset"),
    # A step of 25 s has run for 14 s, and BuildKit is new enough: a second connection holds it. "first" leaves that one.
    ("long", "first reset freeze first+first"),
    # A quarter of the result has come.
    ("local", "fin reset freeze killed full INT TERM HUP KILL reset+full reset+reset"),
    ("tar", "fin reset freeze killed full INT TERM HUP KILL reset+full reset+reset"),
    ("oci", "fin reset freeze killed full INT TERM HUP KILL reset+full reset+reset"),
    # The layers go to the registry.
    ("push", "fin reset freeze killed 401 429 500 cut starved INT TERM HUP KILL reset+500 reset+cut"),
    # A quarter of what the Engine gets has come.
    ("load", "fin reset freeze killed engine INT TERM HUP KILL reset+engine reset+reset"),
    # The Depot API is asked for a build and a machine, of which it hears the end.
    ("api", "500 503 429 hang reset+503"),
]

_SIZE = 12 << 20
_STARVED_SIZE = 512 << 20
_RATE = 6 << 20
_STEP_SECONDS = {"run": 8, "long": 25}
_LONG_SECONDS = 14
# A build that has not ended so long after its fault hangs.
_PATIENCE = 180
# One that is told to end must, although machines are slow.
_ENDS_WITHIN = 15
_NOTICED = re.compile(r"lost the builder|again in|^ERROR", re.M)
_RESULTS = ("local", "tar", "oci", "load")
_TOKEN = "depot_project_00000000000000000000"


@dataclasses.dataclass(frozen=True)
class Fault:
    """`prepare` makes it ready before the client starts, `strike` lets it happen, both of a Trial; `ends`: the build is
    to end then, and to leave nothing behind, and else it is to be done all the same.
    """

    prepare: object = None
    strike: object = None
    ends: bool = False


@dataclasses.dataclass
class Outcome:
    """`right`: it ended as it should, with the right result; `left` are the names of what it left behind."""

    right: bool
    hung: bool
    seconds: float
    noticed: float  # seconds since the fault; None for one that nobody has to notice
    left: list
    said: str


def _cut(how):
    return Fault(strike=lambda trial: trial.link.cut(how))


def _sent(number):
    return Fault(strike=lambda trial: trial.running.send(number), ends=True)


def _registry(method, path, fault):
    return Fault(prepare=lambda trial: trial.registry().will(method, path, fault, times=1))


def _api(fault, undone=True):
    """`undone`: it says that nothing was done. Else a build may have been made, and no other one is asked for."""
    methods = ["GetBuildKitConnection", "FinishBuild"] + ["CreateBuild"] * undone

    def prepare(trial):
        for method in methods:
            trial.api.will(method, fault)

    return Fault(prepare=prepare)


FAULTS = {
    "fin": _cut("fin"),
    "reset": _cut("reset"),
    "freeze": _cut("freeze"),
    "first": Fault(strike=lambda trial: trial.link.cut_first()),
    "killed": Fault(prepare=lambda trial: trial.use_own_builder(), strike=lambda trial: trial.restart_newest()),
    "INT": _sent(signal.SIGINT),
    "TERM": _sent(signal.SIGTERM),
    "HUP": _sent(signal.SIGHUP),
    "KILL": _sent(signal.SIGKILL),
    "full": Fault(prepare=lambda trial: trial.make_target_small(), ends=True),
    "401": _registry("PUT", "/blobs/uploads/", faulty_registry.answer(401, "UNAUTHORIZED")),
    "429": _registry("PUT", "/blobs/uploads/", faulty_registry.answer(429, "TOOMANYREQUESTS", {"Retry-After": "1"})),
    "500": _registry("PUT", "/blobs/uploads/", faulty_registry.answer(500)),
    "cut": _registry("PUT", "/blobs/uploads/", faulty_registry.cut_in_body()),
    "starved": Fault(prepare=lambda trial: trial.starve()),
    "engine": Fault(prepare=lambda trial: trial.load_into_newest(), strike=lambda trial: trial.restart_newest()),
    # Of the API, in whose table the names of the registry's are taken.
    "api 500": _api(fake_api.failure(500, "internal"), undone=False),
    "api 503": _api(fake_api.failure(503)),
    "api 429": _api(fake_api.failure(429, headers={"Retry-After": "1"})),
    # Said after 30 s, and asked again.
    "api hang": _api(fake_api.hang(), undone=False),
}


def cells():
    """(point, name of the faults) of the whole table."""
    return [(point, fault) for point, faults in TABLE for fault in faults.split()]


def _faults_of(point, name):
    return [FAULTS.get(f"{point} {one}") or FAULTS[one] for one in name.split("+") if one != "calm"]


class Trial:
    """One build of `tool` ("depot" or "buildx"), with a link, a context and a place for its result of its own."""

    def __init__(self, bench, tool, point, name):
        self.bench, self.tool, self.point = bench, tool, point
        self.faults = _faults_of(point, name)
        self.image = bench.image_name(bench.next_name(), registry="open" if point == "push" else None)
        self.token = f"trial-{bench.next_name()}-{os.urandom(4).hex()}"
        self.target = bench.work / f"result-{bench.next_name()}"
        self.size = _STARVED_SIZE if name == "starved" else _SIZE
        self.engine = "classic" if point == "load" else None
        self.builder = bench.plain_address()
        self.api = fake_api.FakeApi(bench.rig) if point == "api" else None
        self.link = self.running = self._registry = self._limits = self._mount = self._starting = None
        self._undo = contextlib.ExitStack()

    # What faults do.

    def registry(self):
        """The one that the build pushes to, with faults."""
        if not self._registry:
            self._registry = faulty_registry.FaultyRegistry(self.bench.registry_host("open"))
            self._undo.callback(self._registry.__exit__)
            self.image = self.image.replace(self.bench.registry_host("open"), self._registry.address)
        return self._registry

    def use_own_builder(self):
        """One that may be killed: the engine "newest"."""
        self.bench.start_newest_engine()
        self.builder = self.bench.bridge("plain", engine="newest").url.removeprefix("tcp://")

    def load_into_newest(self):
        self.bench.start_newest_engine()
        self.engine = "newest"

    def restart_newest(self):
        """Kills it with -9, and starts it again while the build goes on."""
        pid = json.loads((RIG_FOLDER / "pids" / "newest.json").read_text())["pid"]
        os.kill(pid, signal.SIGKILL)
        # Where nobody waits for it, its number stays in use.
        (RIG_FOLDER / "engines/newest/docker.pid").unlink()
        self._starting = threading.Thread(target=self.bench.start_newest_engine)
        self._starting.start()

    def make_target_small(self):
        """A disk that has no room for the result."""
        place = self.target.with_suffix(".disk")
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE // 2}", "none", place], check=True)
        self._undo.callback(subprocess.run, ["umount", "-l", place], check=True)
        self.target = place / "result"

    def starve(self):
        """A tenth of a CPU and 64 MiB, from the start."""
        name = f"depot-{self.token}"
        groups = Path("/sys/fs/cgroup")
        limits = {"cpu": {"cpu.cfs_quota_us": 10_000}, "memory": {"memory.limit_in_bytes": 64 << 20}}
        if (groups / "cgroup.controllers").exists():
            limits = {"": {"cpu.max": "10000 100000", "memory.max": 64 << 20}}
        self._limits = []
        for controller, values in limits.items():
            group = groups / controller / name
            group.mkdir()
            self._undo.callback(group.rmdir)
            self._limits.append(group / "cgroup.procs")
            for key, value in values.items():
                (group / key).write_text(str(value))

    # The build.

    def run(self):
        with self._undo:
            if self.point == "long":
                self.use_own_builder()
            for fault in self.faults:
                if fault.prepare:
                    fault.prepare(self)
            content = self._make_context()
            begin = time.monotonic()
            noticed = self._start_and_strike()
            result, hung = self._wait()
            seconds = time.monotonic() - begin
            right = not hung and self._is_right(result, content)
            left = self._left(result.rc == 0)
        if self.api:
            self.api.close()
        return Outcome(right, hung, seconds, noticed, left, str(result))

    def _make_context(self):
        lines = [f"FROM {self.bench.rig['BASE']}", "COPY big /", f"RUN : {self.token} && true; date >/ended"]
        if seconds := _STEP_SECONDS.get(self.point):
            lines[-1] = f"RUN : {self.token}; sleep {seconds}; date >/ended"
        content = os.urandom(_SIZE) * (self.size // _SIZE)
        self.context = self.bench.context({"Dockerfile": "\n".join(lines), "big": content}, name=self.token)
        if self.point in _RESULTS:
            # Then the result alone is under way.
            self.bench.build("-o", "type=cacheonly", self.context, builder=f"tcp://{self.builder}")
        return hashlib.sha256(content).digest()

    def _output(self):
        outputs = {
            "tar": f"type=tar,dest={self.target}",
            "oci": f"type=oci,dest={self.target}",
            "push": f"type=image,name={self.image},push=true,store=false",
            "load": f"type=docker,name={self.image}",
        }
        return outputs.get(self.point, f"type=local,dest={self.target}")

    def _start(self):
        start = self.bench.start_plugin if self.tool == "depot" else self.bench.start_buildx
        arguments = ["build", "--progress=plain", "-o", self._output(), self.context]
        if not self.api:
            return start(*arguments, builder=self.link.url, engine=self.engine)
        self.api.machine["endpoint"] = self.link.url
        env = {"DEPOT_API_URL": self.api.url, "SSL_CERT_FILE": self.api.ca_file}
        return start(*arguments, env={**env, "DEPOT_TOKEN": _TOKEN, "DEPOT_PROJECT_ID": "proj1"})

    def _start_and_strike(self):
        """Seconds until the (first) fault was noticed."""
        quick = self.point in ("run", "long", "push", "api")
        builder = self.bench.rig["BUILDER"].removeprefix("tcp://") if self.api else self.builder
        self.link = self.bench.link(builder, rate=None if quick else _RATE)
        self._undo.callback(self.link.close)
        self.running = self._start()
        for group in self._limits or ():
            group.write_text(str(self.running.pid))
        strikes = [fault.strike for fault in self.faults if fault.strike]
        if not strikes:
            return None
        self._wait_for_point()
        for number, strike in enumerate(strikes):
            if number:
                time.sleep(1)
            if self.running.process.poll() is None:
                strike(self)
            struck = struck if number else time.monotonic()
        self._until(lambda: _NOTICED.search(self.running.stderr()))
        return time.monotonic() - struck

    def _wait_for_point(self):
        marks = {"run": r"\] RUN : ", "long": r"\] RUN : ", "api": r"\] RUN : ", "push": "pushing layers|exporting layers"}
        if mark := marks.get(self.point):
            self._until(lambda: re.search(mark, self.running.stderr()))
            time.sleep(_LONG_SECONDS if self.point == "long" else 0)
        else:
            before = self.link.moved
            self._until(lambda: self.link.moved - before > _SIZE // 4)

    def _until(self, ready):
        end = time.monotonic() + _PATIENCE
        while self.running.process.poll() is None and time.monotonic() < end and not ready():
            time.sleep(0.02)

    def _wait(self):
        ends = any(fault.ends and fault.strike for fault in self.faults)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.running.process.wait(_ENDS_WITHIN if ends else _PATIENCE)
        hung = self.running.process.poll() is None
        self.running.end()
        if self._starting:
            self._starting.join()
        return self.running.result(), hung

    # What has become of it.

    def _is_right(self, result, content):
        if any(fault.ends for fault in self.faults):
            return result.rc != 0
        if result.rc != 0:
            return False
        if self.point == "push":
            found = _digest_in(self.bench.repository(self.image).layers())
        elif self.point == "load":
            found = _digest_in(_files_in(self.bench.engine(self.engine).save(self.image)))
        elif self.point == "tar":
            found = _digest_in([self.target.read_bytes()])
        elif self.point == "oci":
            found = _digest_in(self.bench.oci_layout(self.target).layers())
        else:
            found = hashlib.sha256(trees.content(self.target, "big")).digest()
        return found == content

    def _left(self, done):
        """What there is of a build that has ended, beside the result of one that is done."""
        left = [str(path.relative_to(self.bench.tmp)) for path in self.bench.tmp.rglob("*")]
        left += [path.name for path in self.target.parent.glob(f"*{self.target.name}*") if path != self.target]
        if not done and self.point in ("tar", "oci") and self.target.exists():
            left.append(self.target.name)
        if self.point == "load":
            left += self._image_left(done)
        with contextlib.suppress(AssertionError):
            self.bench.wait_until(lambda: not self._steps(), 10, "")
        return left + self._steps()

    def _image_left(self, done):
        engine = self.bench.engine(self.engine)
        there = any(self.image in (image.get("RepoTags") or []) for image in engine.images())
        if there:
            engine.remove(self.image)
        return ["the image"] if there and not done else []

    def _steps(self):
        """The steps of this build that still run on the builder."""
        for process in processes():
            with contextlib.suppress(OSError):
                if f"{self.token};".encode() in (process / "cmdline").read_bytes():
                    return ["the step"]
        return []


def _files_in(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return [files.extractfile(one).read() for one in files if one.isfile()]


def _digest_in(archives):
    """Of `big` in the first of these that is an archive with it."""
    for archive in archives:
        with contextlib.suppress(tarfile.ReadError, KeyError), tarfile.open(fileobj=io.BytesIO(archive)) as files:
            return hashlib.sha256(files.extractfile("big").read()).digest()
    return None


class Bench(EndToEnd):
    """The harness for one trial after the other."""

    def runTest(self):
        """There is nothing to run: the methods below are called one by one."""

    def next_name(self):
        self._number = getattr(self, "_number", 0) + 1
        return f"n{self._number}"

    def trial(self, tool, point, name):
        """An Outcome; the name "calm" is a build without a fault."""
        return Trial(self, tool, point, name).run()

    def crowd(self, size, address=None, most=None):
        """That many builds at the same time, each with an image of its own, on one builder through one link of which a
        connection is cut by chance every second, `most` times: (which images are right, how often it was cut, the builds). They may
        lose their builder as often as it happens.
        """
        link = self.link(address or self.plain_address())
        ended = threading.Event()
        cuts = []

        def cut():
            while not ended.wait(1) and (most is None or sum(cuts) < most):
                cuts.append(link.cut_any())

        names = [self.image_name(f"crowd{number}", registry="open") for number in range(size)]
        cutting = threading.Thread(target=cut)
        cutting.start()
        try:
            builds = [
                self.start_plugin("build", "--progress=plain", "--retries=1000", "-t", name, "--push", self._own(name), builder=link.url)
                for name in names
            ]
            for one in builds:
                with contextlib.suppress(AssertionError):
                    one.wait(600)
        finally:
            ended.set()
            cutting.join()
        right = [name for name, one in zip(names, builds) if one.process.returncode == 0 and self._has_own(name)]
        return right, sum(cuts), builds

    def _own(self, name):
        lines = [f"FROM {self.rig['BASE']}", "COPY big /", f"RUN : {name}; sleep 4; cat big >/ended"]
        return self.context({"Dockerfile": "\n".join(lines), "big": name * 1000})

    def _has_own(self, name):
        repository = self.repository(name)
        if not repository.has("latest"):
            return False
        for layer in repository.layers():
            with contextlib.suppress(KeyError), tarfile.open(fileobj=io.BytesIO(layer)) as files:
                return files.extractfile("ended").read() == name.encode() * 1000
        return False
