"""A real depot-pool of a test's own, its builders, and the clients that build through it.

    from pool import PoolTest

    class Builds(PoolTest):
        def test_a_build(self):
            pool = self.start_pool()
            token = pool.token(project="one")
            self.build(context, env=pool.variables(token, project="one"))

DEPOT_POOL names the depot-pool under test. The pool's projects are "one" and "two", its user "ada"
may use both, "bob" only "two"; builders are bridges that let in whom the pool sends to them, by
certificate alone as a buildkitd does, or behind the pool's own front.
"""

import contextlib
import datetime
import hashlib
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import connect
from harness import EndToEnd

RUNNING, FINISHED, FAILED, CANCELED = 1, 2, 3, 4
_OFFICIAL = {
    "DEPOT_ERROR_TELEMETRY": "0",
    "DEPOT_DISABLE_OTEL": "1",
    "DEPOT_NO_UPDATE_NOTIFIER": "1",
}


def yaml_text(value, indent=0):
    """Block style, as a person writes it; scalars as in JSON, which YAML understands."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        return "".join(f"{pad}{key}:{_yaml_value(one, indent + 1)}" for key, one in value.items())
    if isinstance(value, list) and value:
        texts = [yaml_text(one, indent + 1) for one in value]
        return "".join(f"{pad}- {text.lstrip()}" for text in texts)
    return f"{pad}{json.dumps(value)}\n"


def _yaml_value(value, indent):
    nested = isinstance(value, (dict, list)) and value
    return "\n" + yaml_text(value, indent) if nested else f" {json.dumps(value)}\n"


def token_record(name, text, project=None, user=None, days=None, revoked=False):
    """A stored token as the pool's file has it; `days` from now it expires."""
    today = datetime.datetime.now(datetime.timezone.utc)
    record = {"id": name, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    record |= {"project": project} if project else {"user": user}
    record["created"] = f"{today - datetime.timedelta(days=100):%Y-%m-%d}"
    if days is not None:
        record["expires"] = f"{today + datetime.timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
    return {**record, "revoked": True} if revoked else record


def accepts(port, host="127.0.0.1"):
    """Whether somebody listens on a port of this machine."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=5):
        return True
    return False


class Machine:
    """Takes connections and says nothing: a builder for clients that never talk to it."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                self._listener.accept()[0].close()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


class Pool:
    """The server with its folder: pool.yaml, TLS, state. Started by start(); may be killed and
    started again on the same port. `rig` has the certificates of server and builders.
    """

    def __init__(self, program, folder, rig, start, run):
        self._program, self._rig, self._start, self._run = program, rig, start, run
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"https://localhost:{port}"
        self.ca_file = rig["CACERT"]
        self.file = self.folder / "pool.yaml"
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)
        self.authority = self.folder / "ca.pem"
        self.settings = {
            "listen": f"127.0.0.1:{port}",
            "url": self.url,
            "tls": {"certificate": rig["SERVER_CERT"], "key": rig["SERVER_KEY"]},
            "state": "state",
            "projects": [{"id": "one", "name": "One"}, {"id": "two", "name": "Two"}],
            "users": [
                {"name": "ada", "projects": ["one", "two"]},
                {"name": "bob", "projects": ["two"]},
            ],
            "builders": [],
            "tokens": [],
        }
        self.process = None
        self.runs = []

    def add_builder(self, name, url, platform="linux/amd64", slots=4, projects=None):
        builder = {"name": name, "platform": platform, "endpoint": url, "slots": slots}
        builder |= {"server_name": self._rig["SERVERNAME"], "ca": self._rig["CACERT"]}
        self.settings["builders"].append({**builder, **({"projects": projects} if projects else {})})

    def write(self):
        """Writes pool.yaml from `settings`: tokens that `token create` added are lost."""
        fresh = self.folder / "pool.yaml.new"
        fresh.write_text(yaml_text({key: value for key, value in self.settings.items() if value}))
        fresh.chmod(0o600)
        fresh.rename(self.file)

    def command(self, *args, check=0):
        """`depot-pool ARGS... --config FILE`."""
        return self._run([self._program, *args, "--config", self.file], check)

    def make_authority(self):
        """The certificate of the authority of servers, in `authority`."""
        self.authority.write_text(self.command("ca", "show").stdout)

    def clients_of(self, name):
        """The path of the certificate of whom a builder lets in."""
        path = self.folder / f"clients-of-{name}.pem"
        path.write_text(self.command("ca", "show", "--builder", name).stdout)
        return path

    def start_front(self, name, socket_path, called=None, port=None, host="127.0.0.1", options=()):
        """`depot-pool front` of the builder `name`, on the way to a unix socket; started as one of the builder
        `called` if that is given, at the loopback address `host`. Its log is `stderr()`, and `url` is what clients connect to."""
        place = self.folder / f"front-of-{name}-{host}"
        names = ["localhost", "127.0.0.1"]
        self.command("ca", "server-certificate", *names, "--builder", name, "--out", place)
        if port is None:
            with socket.create_server((host, 0)) as free:
                port = free.getsockname()[1]
        argv = [self._program, "front", "--builder", called or name, "--pool", self.url]
        argv += ["--certificates", place, "--listen", f"{host}:{port}", "--socket", socket_path]
        front = self._start([*argv, *options])
        front.url = f"tcp://{host}:{port}"
        front.port = port
        return front

    def add_front(self, name, front, **options):
        """The builder that a front stands before."""
        self.add_builder(name, front.url, **options)
        own = {"server_name": "localhost", "ca": str(self.authority)}
        self.settings["builders"][-1] |= own

    def start(self, wait=True, prefix=()):
        self.process = self._start([*prefix, self._program, "serve", "--config", self.file])
        self.runs.append(self.process)
        if wait:
            self.wait_until_healthy()
        return self.process

    def wait_until_healthy(self, seconds=30):
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError):
                if self.get("/healthz")[0] == 200:
                    return
            ended = self.process.process.poll() is not None
            if ended or time.monotonic() > end:
                raise AssertionError(f"the pool does not serve:\n{self.process.result(ended)}")
            time.sleep(0.05)

    def kill(self):
        self.process.send(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, seconds=20):
        self.process.send(signal.SIGTERM)
        return self.process.wait(seconds)

    def get(self, path):
        """(status, text) of a page."""
        context = ssl.create_default_context(cafile=self.ca_file)
        try:
            with urllib.request.urlopen(self.url + path, timeout=10, context=context) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(errors="replace")

    def metrics(self):
        """{"name{labels}": value}."""
        lines = self.get("/metrics")[1].splitlines()
        rows = [line.rpartition(" ") for line in lines if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in rows}

    def audit(self):
        """The decisions so far, of all its runs, as dicts."""
        text = b"".join(run.stdout() for run in self.runs).decode()
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def log(self):
        return "".join(run.stderr() for run in self.runs)

    def token(self, *options, project=None, user=None):
        """A fresh token of `token create`; not run by command(), whose output stays in a file."""
        whose = ["--project", project] if project else ["--user", user]
        argv = [self._program, "token", "create", *whose, *options, "--config", self.file]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        (token,) = done.stdout.decode().split()
        assert token.encode() not in done.stderr
        if self.process:
            self._wait_until_known(token)
        return token

    def _wait_until_known(self, token):
        """The pool looks at its file once a second."""
        end = time.monotonic() + 10
        with contextlib.closing(self.client(token)) as client:
            while True:
                with contextlib.suppress(connect.Refused):
                    client.call("ListProjects")
                    return
                if time.monotonic() > end:
                    raise AssertionError(f"the pool does not take a fresh token:\n{self.log()}")
                time.sleep(0.1)

    def variables(self, token=None, project=None):
        """What a client needs to build through the pool, for env=."""
        values = {"DEPOT_API_URL": self.url, "SSL_CERT_FILE": self.ca_file, **_OFFICIAL}
        values |= {"DEPOT_TOKEN": token} if token else {}
        return {**values, **({"DEPOT_PROJECT_ID": project} if project else {})}

    def client(self, token="", timeout=30):
        return connect.Client(self.url, self.ca_file, token, timeout)

    def builds(self, token, project):
        """{build id: status} of the newest builds."""
        with contextlib.closing(self.client(token)) as client:
            answer = client.call("ListBuilds", {"project_id": project, "page_size": 100})
        return {build["id"]: build.get("status", 0) for build in answer.get("builds", [])}


class PoolTest(EndToEnd):
    """A test with a pool."""

    def make_pool(self):
        """A pool with its authority, without builders, not started: for settings of one's own."""
        program = os.environ.get("DEPOT_POOL")
        self.assertTrue(program, "DEPOT_POOL names no depot-pool to test")

        def start(argv):
            return self._start(argv, None, None, {"SSL_CERT_FILE": self.rig["CACERT"]}, None, None)

        pool = Pool(
            Path(program).resolve(),
            self.folder / f"pool{self._count}",
            self.rig,
            start,
            lambda argv, check: self._finish(start(argv), check, 30),
        )
        pool.write()
        pool.make_authority()
        return pool

    def start_pool(self, slots=4, arm64=False, **settings):
        """A pool that serves, with one builder of so many slots, one for arm64 too if wanted."""
        pool = self.make_pool()
        pool.bridge = self.bridge(client_ca=pool.clients_of("first"))
        pool.add_builder("first", pool.bridge.url, slots=slots)
        if arm64:
            # A machine of its own: two that name an image at once in one Engine's store get in each other's way.
            url = self.bridge(engine="arm64", client_ca=pool.clients_of("arm")).url
            pool.add_builder("arm", url, "linux/arm64", slots)
        pool.settings |= settings
        pool.write()
        pool.start()
        return pool

    def start_pool_with_front(self, slots=4, **settings):
        """The same, but builds come to the builder through the pool's own front, `pool.front`."""
        pool = self.make_pool()
        pool.bridge = self.bridge("unix")
        pool.front = pool.start_front("first", pool.bridge.url.removeprefix("unix://"))
        self.wait_until(lambda: accepts(pool.front.port), 30, "the front does not listen")
        pool.add_front("first", pool.front, slots=slots)
        pool.settings |= settings
        pool.write()
        pool.start()
        return pool

    def machine(self, pool, token):
        """(client, build, machine): a build of project "one" with its machine; the client is for its calls."""
        client = pool.client(token)
        self.addCleanup(client.close)
        build = client.call("CreateBuild", {"project_id": "one"})
        client.token = build["build_token"]
        asked = {"build_id": build["build_id"], "platform": connect.AMD64}
        return client, build, client.call("GetBuildKitConnection", asked)["active"]

    def enter(self, machine, url=None, files=None):
        """A connection to the builder of `machine`, or to the one at `url`, with the certificate that came with the
        machine, or that of `files`; the builder has answered. Refusals are ssl.SSLError or ConnectionError."""
        at = urlsplit(url or machine["endpoint"])
        context = ssl.create_default_context(cadata=machine["ca_cert"]["cert"])
        context.check_hostname = url is None
        if not files:
            place = Path(tempfile.mkdtemp(dir=self.folder))
            files = (place / "client.pem", place / "client-key.pem")
            files[0].write_text(machine["cert"]["cert"])
            files[1].write_text(machine["cert"]["key"])
        context.load_cert_chain(*files)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection((at.hostname, at.port), timeout=20)
        self.addCleanup(plain.close)
        tls = context.wrap_socket(plain, server_hostname=machine["server_name"])
        self.addCleanup(tls.close)
        tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        if not tls.recv(9):
            raise ConnectionError("the builder closed the connection")
        return tls

    def assert_refused(self, *args, **options):
        """enter() must be refused by TLS."""
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.enter(*args, **options)

    def run_official(self, *args, check=0, timeout=120, **options):
        """The official Depot CLI: run_official("build", ..., env=pool.variables(...))."""
        return self._finish(self.start_official(*args, **options), check, timeout)

    def start_official(self, *args, engine=None, env=None, cwd=None):
        if not self.rig.get("DEPOT"):
            self.skipTest("npm does not fetch the official Depot CLI here")
        return self._start([self.rig["DEPOT"], *args], engine, None, env, cwd, None)

    def wait_for_status(self, pool, token, project, status, seconds=30):
        """Waits until the newest builds of a project all have a status; returns their ids."""
        self.wait_until(
            lambda: set(pool.builds(token, project).values()) == {status},
            seconds,
            f"builds of {project} are not all {status}: {pool.builds(token, project)}",
        )
        return list(pool.builds(token, project))

    def expect_refused(self, code, call, *args):
        """The call must be an error of this code; returns its message."""
        with self.assertRaises(connect.Refused) as caught:
            call(*args)
        self.assertEqual(caught.exception.code, code, str(caught.exception))
        return caught.exception.message

    def new_token_text(self):
        """A token for token_record()."""
        return "depot_test_" + secrets.token_urlsafe(32)
