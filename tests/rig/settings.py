"""Where the rig keeps things, which ports it uses, and who may log in."""

import hashlib
import os
import socket
from pathlib import Path

RIG = Path(os.environ.get("DEPOT_RIG", "/var/tmp/depot-rig"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "docker-depot" / "rig"
SOURCES = Path(__file__).resolve().parent
ENV_FILE = RIG / "env.json"
TLS = RIG / "tls"
# Unix socket paths end at 107 bytes; containerd's lie the deepest below the rig's folder.
LONGEST_RIG_PATH = 50

SERVER_NAME = "builder.test"
PUSHER = ("pusher", "rig-pusher-pa55word")
READER = ("reader", "rig-reader-pa55word")
SHORT = ("short", "rig-short-pa55word")
SHORT_SECONDS = 5
TOKEN_SERVICE = "depot-rig"
TOKEN_ISSUER = "depot-rig-tokens"

PORTS = {
    "OPEN": 5000,
    "BASIC": 5001,
    "BEARER": 5002,
    "TOKEN": 5003,
    "BUILDER": 5010,
    "BUILDER_PLAIN": 5011,
    "CLASSIC": 5012,
    "BUILDER_ARM64": 5013,
}


class RigError(Exception):
    """Something a person has to read: what failed and what to do."""


def check_folders():
    if not RIG.is_absolute() or len(RIG.parts) < 3:
        raise RigError(
            f"DEPOT_RIG={RIG}: name an absolute path of a folder that is the rig's alone"
        )
    if len(str(RIG)) > LONGEST_RIG_PATH:
        raise RigError(
            f"DEPOT_RIG={RIG}: at most {LONGEST_RIG_PATH} characters, unix sockets lie in it"
        )


def number_of_rig():
    """Tells the bridges and address ranges of several rigs on one machine apart."""
    return int(hashlib.sha256(str(RIG).encode()).hexdigest()[:4], 16)


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def choose_ports(say):
    """A port for each server: DEPOT_RIG_PORT_<NAME>, else the usual one, else any free one."""
    chosen = {}
    for name, usual in PORTS.items():
        asked = os.environ.get(f"DEPOT_RIG_PORT_{name}")
        port = int(asked or usual)
        if not _is_free(port):
            if asked:
                raise RigError(f"port {port} is taken: set DEPOT_RIG_PORT_{name} to another one")
            with socket.socket() as any_port:
                any_port.bind(("127.0.0.1", 0))
                port = any_port.getsockname()[1]
            say(f"port {usual} is taken, {name.lower()} uses {port}")
        chosen[name] = port
    return chosen
