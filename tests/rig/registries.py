"""Three registries: open, behind Basic authentication, behind Bearer tokens of token_server.py."""

import json
import sys

import processes
from bridge import accepts
from settings import (
    PUSHER,
    READER,
    RIG,
    SHORT,
    SHORT_SECONDS,
    SOURCES,
    TLS,
    TOKEN_ISSUER,
    TOKEN_SERVICE,
)
from steps import run, step, wait_until

TOKEN_LOG = RIG / "token-requests.jsonl"


def start(program, ports):
    with step("started the registries: open, Basic, Bearer"):
        folder = RIG / "registries"
        folder.mkdir(exist_ok=True)
        users = folder / "htpasswd"
        users.write_text(
            "".join(f"{name}:{_bcrypt(password)}\n" for name, password in (PUSHER, READER))
        )
        bearer = {
            "realm": f"http://127.0.0.1:{ports['TOKEN']}/token",
            "service": TOKEN_SERVICE,
            "issuer": TOKEN_ISSUER,
            "rootcertbundle": str(TLS / "token.pem"),
        }
        _start_token_server(folder, ports["TOKEN"])
        _start_registry(program, folder, "open", ports["OPEN"], {})
        _start_registry(
            program,
            folder,
            "basic",
            ports["BASIC"],
            {"htpasswd": {"realm": "rig", "path": str(users)}},
        )
        _start_registry(program, folder, "bearer", ports["BEARER"], {"token": bearer})
        for name in ("TOKEN", "OPEN", "BASIC", "BEARER"):
            wait_until(
                lambda: accepts(ports[name]), 15, f"the {name.lower()} server on port {ports[name]}"
            )


def _start_registry(program, folder, name, port, auth):
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / name)},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{port}", "secret": "rig"},
    }
    if auth:
        config["auth"] = auth
    path = folder / f"{name}.yml"
    path.write_text(json.dumps(config, indent=1))  # JSON is YAML
    processes.start(f"registry-{name}", [program, "serve", path])


def _start_token_server(folder, port):
    users = {
        PUSHER[0]: {"password": PUSHER[1], "push": True},
        READER[0]: {"password": READER[1], "push": False},
        SHORT[0]: {"password": SHORT[1], "push": True, "seconds": SHORT_SECONDS},
    }
    config = {
        "port": port,
        "service": TOKEN_SERVICE,
        "issuer": TOKEN_ISSUER,
        "key": str(TLS / "token-key.pem"),
        "certificate": str(TLS / "token.pem"),
        "log": str(TOKEN_LOG),
        "users": users,
    }
    (folder / "token.json").write_text(json.dumps(config, indent=1))
    TOKEN_LOG.touch()
    processes.start(
        "token-server", [sys.executable, SOURCES / "token_server.py", folder / "token.json"]
    )


def _bcrypt(password):
    # perl is part of every Debian, and its crypt() is libxcrypt's, which knows bcrypt.
    script = "my $p = <STDIN>; print crypt($p, q($2b$05$abcdefghijklmnopqrstuu))"
    return run(["perl", "-e", script], input=password.encode()).decode()
