"""The processes of the rig: started with a record, stopped by that record alone."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from settings import RIG, RigError

PIDS = RIG / "pids"
LOGS = RIG / "logs"
# A process that waits for a busy disk dies late.
_KILL_SECONDS = 60


def start(name, argv, env=None):
    """Starts a server in a session of its own, its output in logs/NAME.log; records it as NAME."""
    PIDS.mkdir(exist_ok=True)
    LOGS.mkdir(exist_ok=True)
    with open(LOGS / f"{name}.log", "ab") as log:
        process = subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
            cwd="/",
            start_new_session=True,
        )
    record = {"pid": process.pid, "started": _started(process.pid), "argv": [str(a) for a in argv]}
    (PIDS / f"{name}.json").write_text(json.dumps(record))
    return process


def names():
    return sorted(path.stem for path in PIDS.glob("*.json"))


def pid_of(name):
    """The process recorded as NAME while it lives, else None; a number used again is not it."""
    try:
        record = json.loads((PIDS / f"{name}.json").read_text())
    except (OSError, ValueError):
        return None
    return record["pid"] if _started(record["pid"]) == record["started"] else None


def stop_all(seconds=15):
    """Asks every recorded process to end, then kills what is left of them and of their children."""
    running = {name: pid for name in names() if (pid := pid_of(name))}
    for pid in running.values():
        _signal(pid, signal.SIGTERM)
    end = time.monotonic() + seconds
    while any(pid_of(name) for name in running) and time.monotonic() < end:
        _reap()
        time.sleep(0.05)
    for name in running:
        if pid := pid_of(name):
            _signal(pid, signal.SIGKILL)
    end = time.monotonic() + _KILL_SECONDS
    while strays := _strays():
        if time.monotonic() > end:
            raise RigError(f"these processes do not end, although killed: {strays}")
        for pid in strays:
            _signal(pid, signal.SIGKILL)
        _reap()
        time.sleep(0.05)


def _strays():
    """What an engine that crashed left behind: containerd, its shims, and steps of builds.

    The first two name the rig's folder in their arguments, the last live in another mount namespace
    whose root lies in the rig's folder.
    """
    found = []
    below = str(RIG) + "/"
    own_namespace = os.readlink("/proc/self/ns/mnt")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            binary = Path(argv[0]).name
            server = binary in ("containerd", "dockerd", "docker-proxy") or binary.startswith(
                "containerd-shim"
            )
            if server and any(below in part for part in argv):
                found.append(int(entry.name))
            elif os.readlink(entry / "ns/mnt") != own_namespace and _root_is_below(entry, below):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _root_is_below(process, folder):
    for line in (process / "mountinfo").read_text(errors="replace").splitlines():
        fields = line.split(" ")
        if fields[4] == "/":
            return f"={folder}" in line or f":{folder}" in line or fields[3].startswith(folder)
    return False


def _started(pid):
    """When a process started, in clock ticks since boot; None for none and for a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
