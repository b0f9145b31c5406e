"""tests/engines: up, down, env and status of the whole rig."""

import contextlib
import fcntl
import functools
import glob
import json
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import base_image
import bridge
import certificates
import disk
import emulation
import engine
import npm_package
import packages
import processes
import registries
from settings import (
    ENV_FILE,
    PUSHER,
    READER,
    SHORT,
    RIG,
    SERVER_NAME,
    TLS,
    RigError,
    check_folders,
    choose_ports,
)
from steps import run, say, step

_ENGINES = 6
# Only a folder that holds this file is ever removed.
_MARK = RIG / ".depot-rig"


@contextlib.contextmanager
def _alone():
    """One up or down at a time."""
    with open(f"{RIG}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up():
    begin = time.monotonic()
    with _alone():
        trouble = _trouble()
        if not trouble:
            say(f"already up in {RIG}")
            return
        if RIG.exists():
            say(f"cleaning up first: {trouble}")
            _tear_down()
            # What a long day of builds has left behind takes minutes to remove, and nobody waits for it.
            _start_to_remove_what_was_left()
        packages.install_missing()
        unpacked = packages.unpack_all()
        RIG.mkdir(parents=True)
        disk.mount()
        _MARK.touch()
        ports = choose_ports(say)
        with ThreadPoolExecutor() as pool:
            program = pool.submit(bridge.compiled)
            official_cli = pool.submit(npm_package.depot_cli)
            job_runner = pool.submit(npm_package.gitlab_ci_local)
            certificates.make()
            emulation.enable(
                unpacked["bookworm", "amd64", "qemu-user-static"][1] / "usr/bin/qemu-aarch64-static"
            )
            engines = engine.make_engines(unpacked, ports)
            starting = [pool.submit(one.start) for one in engines]
            registries.start(
                unpacked["bookworm", "amd64", "docker-registry"][1] / "usr/bin/docker-registry",
                ports,
            )
            base_image.push_everywhere(unpacked, ports)
            for one in starting:
                one.result()
            bridge.start_builders(program.result(), engines[0], engines[3], ports)
        fetched = {"DEPOT": official_cli.result(), "GITLAB_CI_LOCAL": job_runner.result()}
        _write_environment(unpacked, ports, engines, program.result(), fetched)
        say(f"up in {time.monotonic() - begin:.1f} s; tests/engines env says where")


def down():
    with _alone():
        if RIG.exists():
            with step("stopped everything"):
                _tear_down()
        if left := _left():
            with step(f"removed {' '.join(map(str, left))}"):
                run(_removal(left), attempts=3)


def env():
    _need_up()
    for name, value in json.loads(ENV_FILE.read_text())["env"].items():
        print(f"export {name}={shlex.quote(value)}")


def newest(name="newest"):
    """Starts the engine `newest`, or `newest-classic`, unless it runs, and prints where it is."""
    _need_up()
    with _alone():
        one = engine.make_newest(packages.unpack_newest(), name)
        if not processes.pid_of(one.name) or not engine.answers(one.socket):
            one.start()
    print(f"unix://{one.socket}")


def status():
    for name in processes.names():
        pid = processes.pid_of(name)
        print(f"{name:18} " + (f"pid {pid}" if pid else f"ended, see {processes.LOGS}/{name}.log"))
    trouble = _trouble()
    if ENV_FILE.exists():
        for name, version in json.loads(ENV_FILE.read_text())["versions"].items():
            print(f"{name:28} {version}")
    print(f"not up: {trouble}" if trouble else "up")
    return 1 if trouble else 0


def _need_up():
    if trouble := _trouble():
        raise RigError(f"not up ({trouble}): run tests/engines up first")


def _trouble():
    """Why the rig is not usable as it is, or None."""
    try:
        state = json.loads(ENV_FILE.read_text())
    except (OSError, ValueError):
        return "the last run did not finish" if RIG.exists() else f"nothing in {RIG}"
    for name in state["processes"]:
        if not processes.pid_of(name):
            return f"{name} is not running"
    for path in state["sockets"]:
        if not engine.answers(path):
            return f"nothing answers on {path}"
    for port in state["ports"]:
        if not bridge.accepts(port):
            return f"nothing listens on port {port}"
    return None


def _tear_down():
    """Ends everything, and moves the folder out of the way: see _left()."""
    if not _MARK.exists() and any(RIG.iterdir()):
        raise RigError(
            f"{RIG} was not made by tests/engines: remove it yourself or name another in DEPOT_RIG"
        )
    processes.stop_all()
    emulation.disable()
    disk.unmount()
    for number in range(_ENGINES):
        engine.remove_bridge(engine.bridge_name(number))
    RIG.rename(f"{RIG}.left-{os.getpid()}-{time.monotonic_ns()}")


def _left():
    """The folders of earlier rigs of this place, which are to be removed."""
    return sorted(RIG.parent.glob(f"{glob.escape(RIG.name)}.left-*"))


def _removal(folders):
    return ["nice", "rm", "-rf", "--one-file-system", *folders]


def _start_to_remove_what_was_left():
    # Whoever reads what `up` prints, as ctest does, is not kept waiting either.
    nothing = subprocess.DEVNULL
    subprocess.Popen(_removal(_left()), stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)


def _write_environment(unpacked, ports, engines, program, fetched):
    def address(name):
        return f"127.0.0.1:{ports[name]}"

    values = {f"DEPOT_RIG_ENGINE_{one.name.upper()}": f"unix://{one.socket}" for one in engines}
    values |= {
        "DEPOT_RIG": RIG,
        "DEPOT_RIG_CLASSIC_TLS": f"tcp://{address('CLASSIC')}",
        "DEPOT_RIG_CLASSIC_CERTS": TLS / "docker",
        "DEPOT_RIG_BUILDER": f"tcp://{address('BUILDER')}",
        "DEPOT_RIG_BUILDER_PLAIN": f"tcp://{address('BUILDER_PLAIN')}",
        "DEPOT_RIG_BUILDER_ARM64": f"tcp://{address('BUILDER_ARM64')}",
        "DEPOT_RIG_TLS": TLS,
        "DEPOT_RIG_CACERT": TLS / "ca.pem",
        "DEPOT_RIG_CERT": TLS / "client.pem",
        "DEPOT_RIG_KEY": TLS / "client-key.pem",
        "DEPOT_RIG_SERVERNAME": SERVER_NAME,
        "DEPOT_RIG_SERVER_CERT": TLS / "server.pem",
        "DEPOT_RIG_SERVER_KEY": TLS / "server-key.pem",
        "DEPOT_RIG_STRANGER_CACERT": TLS / "stranger-ca.pem",
        "DEPOT_RIG_STRANGER_CERT": TLS / "stranger.pem",
        "DEPOT_RIG_STRANGER_KEY": TLS / "stranger-key.pem",
        "DEPOT_RIG_REGISTRY_OPEN": address("OPEN"),
        "DEPOT_RIG_REGISTRY_BASIC": address("BASIC"),
        "DEPOT_RIG_REGISTRY_BEARER": address("BEARER"),
        "DEPOT_RIG_TOKEN_LOG": registries.TOKEN_LOG,
        "DEPOT_RIG_PUSHER": ":".join(PUSHER),
        "DEPOT_RIG_READER": ":".join(READER),
        "DEPOT_RIG_SHORT": ":".join(SHORT),
        "DEPOT_RIG_BASE": f"{address('OPEN')}/{base_image.NAME}",
        "DEPOT_RIG_SBOM_GENERATOR": f"{address('OPEN')}/{base_image.GENERATOR}",
        "DEPOT_RIG_BRIDGE": program,
        "DEPOT_RIG_DOCKER": unpacked["trixie", "amd64", "docker-cli"][1] / "usr/bin/docker",
        "DEPOT_RIG_BUILDX": "",
        "DEPOT_RIG_COMPOSE": "",
        "DEPOT_RIG_BUSYBOX": unpacked["bookworm", "amd64", "busybox-static"][1] / "bin/busybox",
    }
    values |= {f"DEPOT_RIG_{name}": path for name, path in fetched.items()}
    if ("sid", "amd64", "docker-buildx") in unpacked:
        plugins = unpacked["sid", "amd64", "docker-buildx"][1] / "usr/libexec/docker/cli-plugins"
        values["DEPOT_RIG_BUILDX"] = plugins / "docker-buildx"
        plugins = unpacked["sid", "amd64", "docker-compose"][1] / "usr/libexec/docker/cli-plugins"
        values["DEPOT_RIG_COMPOSE"] = plugins / "docker-compose"
    state = {
        "env": {name: str(value) for name, value in values.items()},
        "processes": processes.names(),
        "sockets": [str(one.socket) for one in engines],
        "ports": list(ports.values()),
        "versions": {
            f"{package} ({suite}, {arch})": v for (suite, arch, package), (v, _) in unpacked.items()
        },
    }
    fresh = ENV_FILE.with_suffix(".new")
    fresh.write_text(json.dumps(state, indent=1))
    fresh.rename(ENV_FILE)


def main(arguments):
    commands = {"up": up, "down": down, "env": env, "status": status}
    commands |= {name: functools.partial(newest, name) for name in engine.NEWEST}
    if len(arguments) != 1 or arguments[0] not in commands:
        print("usage: tests/engines up|down|env|status|newest|newest-classic", file=sys.stderr)
        return 125
    try:
        check_folders()
        if os.geteuid() != 0 and arguments[0] in ("up", "down", *engine.NEWEST):
            raise RigError("the engines need root")
        return commands[arguments[0]]() or 0
    except RigError as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
