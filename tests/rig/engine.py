"""A Docker daemon with data, sockets, bridge and containerd of its own."""

import http.client
import json
import os
import socket
from pathlib import Path

import processes
import programs
from settings import RIG, TLS, number_of_rig
from steps import run, step, wait_until

_READY_SECONDS = 60


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=5):
        super().__init__("docker", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def answers(path):
    connection = UnixConnection(path)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class Engine:
    """`number` tells bridges apart, `files` are programs by name, `settings` go to daemon.json."""

    def __init__(self, name, number, files, settings, tls_port=None):
        self.name = name
        self.socket = RIG / f"{name}.sock"
        self._folder = RIG / "engines" / name
        self._bridge = bridge_name(number)
        self._address = f"10.{208 + number}.{number_of_rig() % 254 + 1}.1/24"
        self._files = files
        self._settings = settings
        self._tls_port = tls_port

    def start(self):
        with step(f"started engine {self.name} on {self.socket}"):
            self._make_bridge()
            bin_folder = self._link_programs()
            process = processes.start(
                self.name,
                self._command(bin_folder),
                env={
                    "PATH": f"{bin_folder}:{os.environ['PATH']}",
                    "DOCKER_TMPDIR": "",
                    "TMPDIR": "/var/tmp",
                },
            )
            wait_until(
                lambda: answers(self.socket),
                _READY_SECONDS,
                f"engine {self.name} (see {processes.LOGS}/{self.name}.log)",
                still_alive=lambda: process.poll() is None,
            )

    def _command(self, bin_folder):
        config = {
            "insecure-registries": ["127.0.0.0/8"],
            "bridge": self._bridge,
            **self._settings,
            # Nothing is to be reached but this machine, and the machine's own rules stay untouched.
            "iptables": False,
            "ip6tables": False,
            "ip-forward": False,
            "ip-masq": False,
        }
        (self._folder / "daemon.json").write_text(json.dumps(config, indent=1))
        command = [bin_folder / "dockerd", "--config-file", self._folder / "daemon.json"]
        command += ["--data-root", self._folder / "data", "--exec-root", self._folder / "exec"]
        command += [
            "--pidfile",
            self._folder / "docker.pid",
            "-H",
            f"unix://{self.socket}",
            "--group",
            "0",
        ]
        if self._tls_port:
            command += ["-H", f"tcp://127.0.0.1:{self._tls_port}", "--tlsverify"]
            command += [
                "--tlscacert",
                TLS / "ca.pem",
                "--tlscert",
                TLS / "server.pem",
                "--tlskey",
                TLS / "server-key.pem",
            ]
        return command

    def _link_programs(self):
        folder = self._folder / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        for name, target in self._files.items():
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(target)
        return folder

    def _make_bridge(self):
        remove_bridge(self._bridge)
        run(["ip", "link", "add", self._bridge, "type", "bridge"])
        run(["ip", "addr", "add", self._address, "dev", self._bridge])
        run(["ip", "link", "set", self._bridge, "up"])


def bridge_name(number):
    return f"rig{number_of_rig():04x}-{number}"


def remove_bridge(name):
    if Path(f"/sys/class/net/{name}").exists():
        run(["ip", "link", "del", name])


# Which image store they have, and their bridges.
NEWEST = {"newest": (True, 4), "newest-classic": (False, 5)}


def make_newest(unpacked, name):
    """An engine of NEWEST, beside the others; it takes its runc from the engine `containerd`."""
    files = _programs(unpacked["docker.io"][1], unpacked["containerd"][1])
    beside = RIG / "engines" / "containerd" / "bin"
    for program in ("runc", "docker-init"):
        files[program] = (beside / program).resolve()
    containerd_store, number = NEWEST[name]
    return Engine(name, number, files, {"features": {"containerd-snapshotter": containerd_store}})


def _programs(docker, containerd):
    names = {"dockerd": docker / "usr/sbin", "docker-proxy": docker / "usr/sbin"}
    names |= {name: containerd / "usr/bin" for name in ("containerd", "containerd-shim-runc-v2")}
    return {name: folder / name for name, folder in names.items()}


def make_engines(packages, ports):
    runc = packages["bookworm", "amd64", "runc"][1] / "usr/sbin/runc"
    if not os.environ.get("DEPOT_RIG_REAL_RUNC"):
        runc = programs.compiled("runc_front", ["-static", f'-DREAL_RUNC="{runc}"'])
    shared = {
        "runc": runc,
        "docker-init": packages["bookworm", "amd64", "tini"][1] / "usr/bin/tini-static",
    }

    def programs_of(suite):
        docker, containerd = (packages[suite, "amd64", name][1] for name in ("docker.io", "containerd"))
        return {**shared, **_programs(docker, containerd)}

    snapshotter = {"features": {"containerd-snapshotter": True}}
    # It would make the key of a long gone feature in /etc/docker.
    key = {"deprecated-key-path": str(RIG / "oldest-key.json")}
    return [
        Engine("containerd", 0, programs_of("trixie"), snapshotter),
        Engine("classic", 1, programs_of("trixie"), {}, tls_port=ports["CLASSIC"]),
        Engine("oldest", 2, programs_of("bookworm"), key),
        Engine("arm64", 3, programs_of("trixie"), snapshotter),
    ]
