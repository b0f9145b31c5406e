"""The program that makes a remote builder of an engine, started per transport."""

import socket

import processes
import programs
from settings import TLS
from steps import step, wait_until

_LIBRARIES = ["-lssl", "-lcrypto"]


def compiled():
    """The path of the program."""
    return programs.compiled("builder_bridge", ["-pthread"], _LIBRARIES)


def start_builders(program, engine, arm64, ports):
    """The remote builder behind mutual TLS and the one on plain TCP, both the same engine; and another engine behind
    mutual TLS, which stands for a machine of another kind."""
    with step("started the remote builders: mutual TLS, plain, and arm64"):
        certificates = [
            "--tls-cert",
            TLS / "server.pem",
            "--tls-key",
            TLS / "server-key.pem",
            "--client-ca",
            TLS / "ca.pem",
        ]
        common = [program, "--engine", engine.socket]
        processes.start("builder", [*common, *certificates, "--port", ports["BUILDER"]])
        other = [program, "--engine", arm64.socket, *certificates]
        processes.start("builder-arm64", [*other, "--port", ports["BUILDER_ARM64"]])
        processes.start("builder-plain", [*common, "--plain", "--port", ports["BUILDER_PLAIN"]])
        for name in ("BUILDER", "BUILDER_PLAIN", "BUILDER_ARM64"):
            wait_until(lambda: accepts(ports[name]), 5, f"the bridge on port {ports[name]}")


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        return True
    except OSError:
        return False
