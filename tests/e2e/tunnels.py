"""Ways to a builder through another program: an sshd of the test's own, and stand-ins for programs in PATH."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# What `buildctl dial-stdio` does: bytes between standard input and output and the daemon's socket.
_COPY = """#!{python}
import os, socket, sys, threading
host, port = {address!r}.rsplit(":", 1)
far = socket.create_connection((host, int(port)))
def up():
    while data := os.read(0, 65536):
        far.sendall(data)
    far.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := far.recv(65536):
    os.write(1, data)
"""


def _children(pid):
    """None of a process that has ended."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


class Programs:
    """A folder for the front of PATH."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir()

    def path(self, rest=os.environ["PATH"]):
        return f"{self.folder}:{rest}"

    def add(self, name, script):
        """A shell script `name`."""
        place = self.folder / name
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)
        return place

    def add_dialler(self, name, address):
        """A program that leads to host:port and does not look at its arguments."""
        place = self.folder / name
        place.write_text(_COPY.format(python=sys.executable, address=address))
        place.chmod(0o755)
        return place

    def add_link(self, name, target):
        (self.folder / name).symlink_to(target)

    def add_recorder(self, name, address):
        """A program that writes down its arguments, one a line, and then leads to host:port. Gives the file."""
        record, dialler = self.folder / f"{name}.arguments", self.add_dialler(f"{name}-dial", address)
        self.add(name, f"printf '%s\\n' \"$@\" >'{record}'; echo $$ >'{self.folder / name}.pid'; exec '{dialler}'")
        return record


class Sshd:
    """A real sshd on loopback, with keys and a configuration of its own, whose logins find `programs` first in PATH.

    `client` is a folder for the front of the caller's PATH, with an ssh that uses the keys of this test alone.
    """

    def __init__(self, folder, programs):
        self._folder = Path(folder)
        self._folder.mkdir()
        for name in ("host", "user", "stranger"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._folder / name],
                check=True,
            )
        shutil.copy(self._folder / "user.pub", self._folder / "authorized")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        Path("/run/sshd").mkdir(exist_ok=True)
        config = self._folder / "sshd_config"
        config.write_text(
            f"""ListenAddress 127.0.0.1
Port {self.port}
HostKey {self._folder}/host
PidFile none
AuthorizedKeysFile {self._folder}/authorized
PasswordAuthentication no
PermitRootLogin yes
StrictModes no
UsePAM no
PrintMotd no
SetEnv PATH={programs.path('/usr/bin:/bin')}
"""
        )
        self.log = self._folder / "log"
        self._process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-f", config, "-E", self.log], start_new_session=True
        )
        self.client = Programs(self._folder / "client")
        self.use_key("user")
        self.know_host(True)
        self._wait()

    def use_key(self, name):
        """The key that ssh shows: "user", or "stranger", whom the server does not know."""
        config = self._folder / "ssh_config"
        config.write_text(
            f"""Host *
IdentityFile {self._folder}/{name}
IdentitiesOnly yes
UserKnownHostsFile {self._folder}/known
GlobalKnownHostsFile none
StrictHostKeyChecking yes
"""
        )
        self.client.add("ssh", f"exec /usr/bin/ssh -F '{config}' \"$@\"")

    def know_host(self, known):
        key = (self._folder / "host.pub").read_text() if known else ""
        line = f"[127.0.0.1]:{self.port} {key}" if known else ""
        (self._folder / "known").write_text(line)

    def url(self, path=""):
        return f"ssh://root@127.0.0.1:{self.port}{path}"

    def close_logins(self):
        """Ends every login of now, as a server that is restarted does."""
        for login in _children(self._process.pid):
            for process in (*_children(login), login):
                with contextlib.suppress(ProcessLookupError):  # it has ended with its child
                    os.kill(process, signal.SIGKILL)

    def close(self):
        self.close_logins()
        self._process.kill()
        self._process.wait()

    def _wait(self):
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"sshd does not run: {self.log.read_text()}") from None
                time.sleep(0.05)
