"""Several pools on one PostgreSQL of a test's own, and clients that take them for one."""

import contextlib
import http.client
import itertools
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import connect
from links import Link

ROOT = Path(__file__).resolve().parents[2]


class Database:
    """A PostgreSQL of the test's own, behind TLS with the certificate of the rig and a password: on loopback, or on all addresses of
    the network namespace that the words `inside` lead into.
    """

    def __init__(self, rig, inside=()):
        self._inside = list(inside)
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.folder.chmod(0o755)
        self.password = secrets.token_urlsafe(12)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        for name, mode in (("SERVER_CERT", 0o644), ("SERVER_KEY", 0o600)):
            shutil.copy(rig[name], self.folder / name)
            (self.folder / name).chmod(mode)
        self.url = f"postgresql://pool@localhost:{self.port}/postgres?sslmode=verify-full&sslrootcert={rig['CACERT']}"
        self.process = None
        self.start()

    def start(self):
        options = ["listen_addresses=" + ("*" if self._inside else "127.0.0.1"), f"port={self.port}", "ssl=on"]
        options += [f"ssl_cert_file={self.folder}/SERVER_CERT", f"ssl_key_file={self.folder}/SERVER_KEY"]
        argv = [*self._inside, ROOT / "tests/rig/postgres", self.folder]
        for option in options:
            argv += ["-c", option]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, env={**os.environ, "POOL_PASSWORD": self.password}
            )
        end = time.monotonic() + 60
        # It takes connections before that, to say that it is starting up.
        ready = ["pg_isready", "--quiet", "--host", self.folder, "--port", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"no PostgreSQL:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.05)

    def query(self, text):
        """The rows of an answer, asked on the machine itself; each is a list of texts."""
        argv = ["psql", "--no-psqlrc", "-qAtX", "-F", "\t", "-h", self.folder, "-p", str(self.port), "-U", "pool", "-c", text, "postgres"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def kill(self):
        """At once, as by the death of its machine."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def close(self):
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder)


class AnyOf:
    """A connect.Client through pools behind one address: what one cannot answer the next one is asked."""

    def __init__(self, pools, token, timeout):
        self._pools, self._timeout = list(pools), timeout
        random.shuffle(self._pools)
        self._client = None
        self.token = token

    @property
    def answer_headers(self):
        return self._client.answer_headers

    def call(self, method, values=None, token=None):
        end = time.monotonic() + 100
        while True:
            self._client = self._client or self._pools[0].client(self.token, self._timeout)
            self._client.token = self.token
            try:
                return self._client.call(method, values, token)
            except (OSError, http.client.HTTPException, connect.Refused) as error:
                passing = not isinstance(error, connect.Refused) or error.code == "unavailable"
                if not passing or time.monotonic() > end:
                    raise
            self.close()
            self._pools.append(self._pools.pop(0))
            time.sleep(0.2)

    def close(self):
        if self._client:
            self._client.close()
            self._client = None


class Replicas:
    """What simulated clients take for one pool."""

    def __init__(self, pools):
        self._pools = pools

    def client(self, token="", timeout=30):
        return AnyOf(self._pools, token, timeout)


class OneAddress(Link):
    """A port of localhost whose connections go to the pools in turn; those that are gone are left out."""

    def __init__(self, pools):
        self._next = itertools.cycle([("localhost", urlsplit(pool.url).port) for pool in pools])
        self._count = len(pools)
        super().__init__(pools[0].url)
        self.url = self.url.replace("tcp://127.0.0.1", "https://localhost")

    def _connect(self):
        for _ in range(self._count):
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection(next(self._next))
        raise ConnectionRefusedError


def share(pools, database, **settings):
    """Makes the settings of `pools` those of pools on one database, and starts them."""
    for pool in pools:
        # The authorities are a secret that they share.
        pool.settings["state"] = str(pools[0].state)
        (pool.folder / "database-password").write_text(database.password + "\n")
        pool.settings |= {"store": database.url, "store_password_file": "database-password", **settings}
        pool.write()
    for pool in pools:
        pool.start(wait=False)
    for pool in pools:
        pool.wait_until_healthy()
