"""What every end-to-end test stands on: the rig, a clean environment, ways to look at results.

    from harness import EndToEnd, symlink

    class Push(EndToEnd):
        def test_push_to_a_basic_registry(self):
            self.login("basic")
            image = self.image_name(registry="basic")
            context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\\nRUN true\\n"})
            self.build("-t", image, "--push", context, builder="tls")
            self.assertTrue(self.repository(image).has(self.tag_of(image)))

DEPOT_PLUGIN names the binary under test; `tests/engines up` must have run. README.md beside this
file has the overview.
"""

import base64
import contextlib
import dataclasses
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import images
import trees
from links import Link

RIG_FOLDER = Path(os.environ.get("DEPOT_RIG", "/var/tmp/depot-rig"))
# What an instrumented build of the plugin needs to see of the caller's environment.
_PASSED_ON = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
_KEEP = "DEPOT_E2E_KEEP"
# A command that failed by itself: not by its usage (125), not cancelled (130). Which of these it is
# for which failure is test_exit_codes' business.
FAILURES = frozenset({1, 100, 102, 110, 111, 112, 113, 114})


@dataclasses.dataclass
class Result:
    """How a program ended. A negative `rc` is the signal that ended it."""

    argv: list
    rc: int
    stdout_bytes: bytes
    stderr: str
    seconds: float

    @property
    def stdout(self):
        return self.stdout_bytes.decode(errors="replace")

    def checked(self, check):
        """Itself, if its exit code is `check`, or one of them (FAILURES); None for any."""
        expected = check if isinstance(check, frozenset) else {check}
        if check is not None and self.rc not in expected:
            raise AssertionError(f"exit code {self.rc}, expected {check}\n{self}")
        return self

    def __str__(self):
        out = self.stdout_bytes[:2000].decode(errors="replace")
        return (
            f"$ {' '.join(self.argv)}\nexit code {self.rc} after {self.seconds:.1f} s\n"
            f"--- stdout\n{out}\n--- stderr\n{self.stderr[-8000:]}\n---"
        )


class Running:
    """A program that was started and not waited for. It leads a process group of its own."""

    def __init__(self, argv, folder, stdin=None, **options):
        self.argv = [str(part) for part in argv]
        self._files = [folder / name for name in ("stdout", "stderr")]
        self._begin = time.monotonic()
        source = subprocess.DEVNULL if stdin is None else stdin
        if isinstance(stdin, (bytes, str)):
            (folder / "stdin").write_bytes(stdin.encode() if isinstance(stdin, str) else stdin)
            source = open(folder / "stdin", "rb")
        with contextlib.ExitStack() as opened:
            if hasattr(source, "close"):
                opened.enter_context(source)
            out, err = (opened.enter_context(open(path, "wb")) for path in self._files)
            self.process = subprocess.Popen(
                self.argv, stdin=source, stdout=out, stderr=err, start_new_session=True, **options
            )

    @property
    def pid(self):
        return self.process.pid

    def stdout(self):
        return self._files[0].read_bytes()

    def stderr(self):
        return self._files[1].read_text(errors="replace")

    def send(self, number):
        """Sends a signal to the program alone, as `kill` does."""
        self.process.send_signal(number)

    def send_to_group(self, number):
        """Sends a signal to the program and all its children, as Ctrl-C does."""
        os.killpg(self.pid, number)

    def wait_for_output(self, pattern, seconds=30):
        """Waits until stderr or stdout has a match of `pattern`; returns it."""
        end = time.monotonic() + seconds
        while True:
            ended = self.process.poll() is not None
            text = self.stderr() + self.stdout().decode(errors="replace")
            if match := re.search(pattern, text):
                return match
            if ended or time.monotonic() > end:
                raise AssertionError(
                    f"no output like {pattern!r} within {seconds} s:\n{self.result(ended)}"
                )
            time.sleep(0.02)

    def wait(self, seconds=60, check=None):
        """Its result, in so many seconds."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(
                f"still running after {seconds} s, killed:\n{self.result()}"
            ) from None
        return self.result().checked(check)

    def end(self):
        """Kills what is left of the program and its children."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()

    def result(self, ended=True):
        rc = self.process.returncode if ended else None
        return Result(self.argv, rc, self.stdout(), self.stderr(), time.monotonic() - self._begin)


class Bridge:
    """A remote builder of a test's own, to be frozen or killed. `url` is where it listens."""

    def __init__(self, argv, url_of):
        self.process = subprocess.Popen(
            [str(part) for part in argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.url = url_of(self.process.stdout.readline().strip())

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@dataclasses.dataclass(frozen=True)
class Special:
    """A value of context() that is more than bytes."""

    kind: str
    value: object
    mode: int = 0o644
    mtime: float = None


def file(content, mode=0o644, mtime=None):
    return Special("file", content, mode, mtime)


def folder(mode=0o755, mtime=None):
    return Special("folder", None, mode, mtime)


def symlink(target, mtime=None):
    return Special("symlink", target, mtime=mtime)


def hardlink(to):
    """`to` is a path of the same context that comes before."""
    return Special("hardlink", to)


def fifo():
    return Special("fifo", None)


def write_tree(root, entries):
    """Writes {path: content} below `root`; times last, since writing into a folder changes its.

    The tar exporter rounds times to seconds: to compare times, give an `mtime` in whole seconds.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    late = []
    for name, value in entries.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        value = value if isinstance(value, Special) else file(value)
        if value.kind == "file":
            path.write_bytes(value.value.encode() if isinstance(value.value, str) else value.value)
        elif value.kind == "folder":
            path.mkdir(exist_ok=True)
        elif value.kind == "symlink":
            path.symlink_to(value.value)
        elif value.kind == "hardlink":
            os.link(root / value.value, path)
        elif value.kind == "fifo":
            os.mkfifo(path)
        if value.kind in ("file", "folder"):
            path.chmod(value.mode)
        if value.mtime is not None:
            late.append((path, value.mtime))
    for path, mtime in late:
        os.utime(path, (mtime, mtime), follow_symlinks=False)
    return root


class RigValues(dict):
    """The rig's environment without the prefix: rig["BASE"] is DEPOT_RIG_BASE."""

    @classmethod
    def load(cls):
        try:
            state = json.loads((RIG_FOLDER / "env.json").read_text())
        except OSError as error:
            raise AssertionError(f"the rig is not up ({error}): run tests/engines up") from error
        return cls({key.removeprefix("DEPOT_RIG_"): value for key, value in state["env"].items()})


def alone(test):
    """Marks a case that looks at what all cases share, the log of the token server for one: tests/CMakeLists.txt runs
    no other end-to-end test meanwhile."""
    return test


class EndToEnd(unittest.TestCase):
    """A test with its own `self.folder`, and below it home, docker_config, tmp and work."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.rig = RigValues.load()

    def setUp(self):
        # Short, since sockets lie below it; not in TMPDIR of the caller, which may be deep.
        self.folder = Path(tempfile.mkdtemp(prefix="e2e-", dir="/var/tmp"))
        self.home, self.docker_config, self.tmp, self.work = (
            self.folder / name for name in ("home", "docker", "tmp", "work")
        )
        for path in (self.home, self.docker_config, self.tmp, self.work):
            path.mkdir()
        self._token = f"{os.getpid():x}{random.getrandbits(32):08x}"
        self._count = 0
        self._started = []
        self._bridges = []
        self.results = []

    def tearDown(self):
        for running in self._started:
            running.end()
        for bridge in self._bridges:
            bridge.kill()
        failed = not getattr(getattr(self, "_outcome", None), "success", True)
        left = sorted(str(path.relative_to(self.tmp)) for path in self.tmp.rglob("*"))
        if failed:
            told = "\n".join(str(result) for result in self.results[-6:])
            print(f"\n=== {self.id()} failed; what it ran:\n{told}", file=sys.stderr)
        if os.environ.get(_KEEP):
            print(f"\n{self.id()} keeps {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.assertEqual(left, [], "left behind in TMPDIR")

    # Running things.

    def build(self, *args, **options):
        """`docker-depot build ARGS...`; options as run_plugin."""
        return self.run_plugin("build", *args, **options)

    def run_plugin(self, *args, check=0, timeout=120, **options):
        """Runs the plugin by itself and waits. `check` is the exit code it must have, or FAILURES; None for any.

        engine  "containerd", "classic", "oldest", "classic-tls": what DOCKER_HOST names. None: an
                engine that does not exist, so that nothing reaches a real one by accident.
        builder None, "tls", "plain", or a URL: what DEPOT_BUILDER names.
        env     variables on top; the value None takes one away.
        stdin   bytes, str or an open file; nothing otherwise.
        """
        return self._finish(self.start_plugin(*args, **options), check, timeout)

    def start_plugin(self, *args, engine=None, builder=None, env=None, cwd=None, stdin=None):
        return self._start([self._plugin(), *args], engine, builder, env, cwd, stdin)

    def as_nobody(self, *args, **where):
        """Runs the plugin as another user, since root may read everything; a subprocess.CompletedProcess."""
        for path in (self.folder, self.docker_config, self.work):
            path.chmod(0o755)
        plugin = self.folder / "docker-depot"
        if not plugin.exists():
            shutil.copyfile(self._plugin(), plugin)
            plugin.chmod(0o755)
        return subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", plugin, *args],
            env=self.environment(**{"builder": "plain", "env": {"TMPDIR": "/tmp"}, **where}),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    def run_docker(self, *args, check=0, timeout=120, **options):
        """Runs the docker client with the plugin in place: run_docker("depot", "build", ...)."""
        return self._finish(self.start_docker(*args, **options), check, timeout)

    def start_docker(self, *args, engine=None, builder=None, env=None, cwd=None, stdin=None):
        plugins = self.docker_config / "cli-plugins"
        plugins.mkdir(exist_ok=True)
        for name, target in (
            ("docker-depot", os.environ.get("DEPOT_PLUGIN")),
            ("docker-buildx", self.rig["BUILDX"]),
        ):
            if target and not (plugins / name).exists():
                (plugins / name).symlink_to(Path(target).resolve())
        return self._start([self.rig["DOCKER"], *args], engine, builder, env, cwd, stdin)

    def run_buildx(self, *args, check=0, timeout=120, **options):
        """Runs docker-buildx on the same engines and builders: run_buildx("build", ...)."""
        return self._finish(self.start_buildx(*args, **options), check, timeout)

    def start_buildx(self, *args, engine=None, builder=None, env=None, cwd=None, stdin=None):
        if not self.rig["BUILDX"]:
            self.skipTest("the machine's Debian mirror has no docker-buildx in sid")
        env = {"BUILDX_CONFIG": str(self.folder / "buildx"), **(env or {})}
        if builder:
            env["BUILDX_BUILDER"] = self._buildx_instance(builder, env)
        return self._start([self.rig["BUILDX"], *args], engine, None, env, cwd, stdin)

    def two_builders(self):
        """Both machines of the rig, as --builder wants them; the keys come from the environment."""
        return f"linux/amd64={self.rig['BUILDER']},linux/arm64={self.rig['BUILDER_ARM64']}"

    def environment(self, engine=None, builder=None, env=None):
        """The environment that the run_ functions give; see run_plugin."""
        values = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        values |= {
            "HOME": self.home,
            "DOCKER_CONFIG": self.docker_config,
            "TMPDIR": self.tmp,
            "LANG": "C.UTF-8",
            # An image is one manifest then, and not an index with provenance beside it.
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }
        if engine == "classic-tls":
            values |= {"DOCKER_HOST": self.rig["CLASSIC_TLS"], "DOCKER_TLS_VERIFY": "1"}
            values["DOCKER_CERT_PATH"] = self.rig["CLASSIC_CERTS"]
        elif engine:
            values["DOCKER_HOST"] = self.rig[f"ENGINE_{engine.upper()}"]
        else:
            values["DOCKER_HOST"] = f"unix://{self.folder}/no-engine.sock"
        if builder in ("tls", "both"):
            values["DEPOT_BUILDER"] = self.rig["BUILDER"]
            if builder == "both":
                values["DEPOT_BUILDER"] = self.two_builders()
            values |= {
                f"DEPOT_BUILDER_{key}": self.rig[key]
                for key in ("CACERT", "CERT", "KEY", "SERVERNAME")
            }
        elif builder:
            values["DEPOT_BUILDER"] = self.rig["BUILDER_PLAIN"] if builder == "plain" else builder
        values |= env or {}
        return {name: str(value) for name, value in values.items() if value is not None}

    def _plugin(self):
        plugin = os.environ.get("DEPOT_PLUGIN")
        self.assertTrue(plugin, "DEPOT_PLUGIN names no docker-depot to test")
        return Path(plugin).resolve()

    def _start(self, argv, engine, builder, env, cwd, stdin):
        self._count += 1
        place = self.folder / f"run{self._count}"
        place.mkdir()
        environment = self.environment(engine, builder, env)
        running = Running(argv, place, stdin, env=environment, cwd=cwd or self.work)
        self._started.append(running)
        return running

    def _finish(self, running, check, timeout):
        result = running.wait(timeout)
        self.results.append(result)
        return result.checked(check)

    def _buildx_instance(self, builder, env):
        name = "rig-" + re.sub(r"[^a-z0-9]", "-", builder)
        url = {"tls": self.rig["BUILDER"], "plain": self.rig["BUILDER_PLAIN"]}.get(builder, builder)
        options = []
        if builder == "tls":
            keys = {"cacert": "CACERT", "cert": "CERT", "key": "KEY", "servername": "SERVERNAME"}
            options = [
                "--driver-opt",
                ",".join(f"{name}={self.rig[key]}" for name, key in keys.items()),
            ]
        if not (self.folder / "buildx" / "instances" / name).exists():
            create = [
                self.rig["BUILDX"],
                "create",
                "--name",
                name,
                "--driver",
                "remote",
                *options,
                url,
            ]
            # It asks the builder, and does not try again when the builder is busy.
            self.wait_until(
                lambda: self._start(create, None, None, env, None, None).wait(30).rc == 0,
                30,
                f"docker buildx makes no builder of {url}",
            )
        return name

    # Files.

    def context(self, entries, name=None):
        """Writes {path: content} as a folder and returns its path.

        A content is bytes, str, or one of file(), folder(), symlink(), hardlink(), fifo().
        """
        self._count += 1
        return write_tree(self.work / (name or f"context{self._count}"), entries)

    def docker_settings(self, **settings):
        """Adds settings to config.json of DOCKER_CONFIG: docker_settings(credsStore="x")."""
        path = self.docker_config / "config.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, **settings}, indent=1))

    def login(self, registry, user="PUSHER"):
        """Puts the credentials of PUSHER or READER for a registry into config.json."""
        path = self.docker_config / "config.json"
        known = json.loads(path.read_text()).get("auths", {}) if path.exists() else {}
        self.docker_settings(auths={**known, **self.auths(registry, user)})

    def auths(self, registry, user="PUSHER"):
        """The same as a value, for DOCKER_AUTH_CONFIG."""
        auth = base64.b64encode(self.rig[user].encode()).decode()
        return {self.registry_host(registry): {"auth": auth}}

    # Looking at results.

    def image_name(self, name="app", registry=None, tag="latest"):
        """A name no other test uses, in a registry ("open", "basic", "bearer") if one is named."""
        path = f"e2e-{self._token}/{name}:{tag}"
        return f"{self.registry_host(registry)}/{path}" if registry else path

    def tag_of(self, image):
        return image.rpartition(":")[2]

    def registry_host(self, registry):
        return self.rig[f"REGISTRY_{registry.upper()}"]

    def repository(self, image, user="PUSHER"):
        """images.Repository of an image name with a registry in it."""
        host, _, path = image.partition("/")
        return images.Repository(host, re.sub(r"(:[^/:]+)?(@.*)?$", "", path), self.rig[user])

    def engine(self, name):
        return images.Engine(self.rig[f"ENGINE_{name.upper()}"])

    def oci_layout(self, path):
        return images.OciLayout(path)

    def token_requests(self, since=0.0):
        """What the token server was asked since a time.time(): dicts, see rig/token_server.py."""
        lines = Path(self.rig["TOKEN_LOG"]).read_text().splitlines()
        return [entry for entry in map(json.loads, lines) if entry["time"] >= since]

    def assert_same_tree(self, expected, actual, ignore=()):
        """Compares trees of trees.py; `ignore` names fields of trees.Entry."""
        lines = trees.differences(expected, actual, ignore)
        if lines:
            self.fail(f"{len(lines)} differences:\n" + "\n".join(lines[:50]))

    def assert_no_leak(self, secret, *texts, written=()):
        """The secret, plain or in base64, is in no output of this test so far, in none of `texts`,
        and in no file below the test's folder but config.json and those `written` by the test.
        """
        forms = {secret, base64.b64encode(secret.encode()).decode()}
        for text in [*texts, *(str(r) + r.stdout + r.stderr for r in self.results)]:
            for form in forms:
                if (at := text.find(form)) >= 0:
                    self.fail(
                        f"the secret shows: ...{text[max(0, at - 200) : at + len(form) + 50]}..."
                    )
        allowed = {Path(path).resolve() for path in written} | {self.docker_config / "config.json"}
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.resolve() not in allowed:
                content = path.read_bytes()
                self.assertFalse(
                    any(form.encode() in content for form in forms), f"the secret is in {path}"
                )

    # Steps that run on a builder.

    def endless_step(self):
        """A command for RUN that ends in no test's time and that no other test uses."""
        return f"sleep {random.randrange(10**7, 10**8)}"

    def step_runs(self, command):
        """Also as an emulated one, whose arguments come after those of qemu."""
        wanted = command.split()
        for process in processes():
            with contextlib.suppress(OSError):
                if _arguments(process)[-len(wanted) :] == wanted:
                    return True
        return False

    def wait_for_step(self, command, seconds=60):
        self.wait_until(lambda: self.step_runs(command), seconds, f"no builder runs {command!r}")

    def assert_step_ends(self, command, seconds=10):
        """A solve was cancelled when its RUN step is gone."""
        self.wait_until(
            lambda: not self.step_runs(command), seconds, f"a builder still runs {command!r}"
        )

    def wait_until(self, ready, seconds, complaint):
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                told = "\n".join(
                    str(running.result(running.process.poll() is not None))
                    for running in self._started
                )
                self.fail(f"{complaint} after {seconds} s\n{told}")
            time.sleep(0.05)

    # Engines and endpoints of few tests.

    def start_newest_engine(self):
        """Starts the engine "newest" unless it runs, Docker 28 with a BuildKit of today; engine="newest" is it then."""
        if not self.rig["BUILDX"]:
            self.skipTest("the machine's Debian mirror has no sid")
        # Not by tests/engines, whose python3 may be a script of a version manager: many tests come here.
        rig = [sys.executable, Path(__file__).resolve().parents[1] / "rig/rig.py", "newest"]
        started = subprocess.run(rig, stdout=subprocess.PIPE, text=True, timeout=150, check=True)
        self.rig["ENGINE_NEWEST"] = started.stdout.strip()

    def stop_newest_engine(self):
        """Of a case that is @alone: it ends as on the machine's shutdown, and keeps what it has."""
        pid = json.loads((RIG_FOLDER / "pids" / "newest.json").read_text())["pid"]
        os.kill(pid, signal.SIGTERM)
        state = Path(f"/proc/{pid}/stat")
        self.wait_until(lambda: not state.exists() or ") Z " in state.read_text(), 60, "the engine does not end")

    def bridge(self, kind="tls", engine="containerd", certificate="SERVER", client_ca="CACERT"):
        """A builder of the test's own: kind "tls", "plain" or "unix". `certificate` "STRANGER"
        shows one that the rig's CA did not sign; `client_ca` "STRANGER_CACERT" refuses the rig's
        client certificate, as does the path of any other CA's.
        """
        argv = [self.rig["BRIDGE"], "--die-with-parent", "--engine"]
        argv.append(self.rig[f"ENGINE_{engine.upper()}"].removeprefix("unix://"))
        if kind == "tls":
            argv += [
                "--tls-cert",
                self.rig[f"{certificate}_CERT"],
                "--tls-key",
                self.rig[f"{certificate}_KEY"],
            ]
            argv += ["--client-ca", self.rig.get(client_ca, client_ca)]
        elif kind == "plain":
            argv.append("--plain")
        else:
            argv += ["--listen-unix", self.folder / f"builder{len(self._bridges)}.sock"]
        bridge = Bridge(
            argv, lambda said: f"unix://{said}" if kind == "unix" else f"tcp://127.0.0.1:{said}"
        )
        self._bridges.append(bridge)
        return bridge

    def tls_variables(self, certificate="CERT", key="KEY"):
        """DEPOT_BUILDER_* for a builder that is not "tls", for env=."""
        values = {"CACERT": "CACERT", "CERT": certificate, "KEY": key, "SERVERNAME": "SERVERNAME"}
        return {f"DEPOT_BUILDER_{name}": self.rig[source] for name, source in values.items()}

    def silent_port(self):
        """host:port of a server that takes connections and never says anything."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def plain_address(self):
        """host:port of the rig's builder without TLS."""
        return self.rig["BUILDER_PLAIN"].removeprefix("tcp://")

    def link(self, *args, **options):
        """A links.Link that is closed with the test."""
        link = Link(*args, **options)
        self.addCleanup(link.close)
        return link

    def closed_port(self):
        """host:port where nobody listens."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return f"127.0.0.1:{listener.getsockname()[1]}"


def processes():
    """The folder of each process in /proc; any of them may be gone by now."""
    return [Path("/proc", name) for name in os.listdir("/proc") if name.isdigit()]


def _arguments(process):
    return [
        part.decode(errors="replace")
        for part in (process / "cmdline").read_bytes().split(b"\0")[:-1]
    ]
