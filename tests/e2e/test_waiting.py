"""Peers that say nothing, and peers that go: who it is, is said."""

import http.server
import json
import re
import signal
import socket
import socketserver
import threading

from harness import FAILURES, EndToEnd
from hostile_builder import HostileBuilder


class EngineThatFails(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers /info like an Engine with the containerd store; what becomes of a load, `load` says."""

    daemon_threads = True

    def __init__(self, path, load):
        self.load = load
        self.released = threading.Event()
        super().__init__(str(path), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.released.set()
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        store = [["driver-type", "io.containerd.snapshotter.v1"]]
        body = json.dumps({"ServerVersion": "26.1", "DriverStatus": store}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.load(self)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


def freeze(handler):
    handler.server.released.wait()


def go(handler):
    handler.rfile.read(1000)
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


class Waiting(EndToEnd):
    def setUp(self):
        super().setUp()
        self.socket = self.folder / "engine.sock"
        self.arguments = ("--load", "-t", "x", self.context({"Dockerfile": "FROM scratch\n"}))
        self.options = {"env": {"DOCKER_HOST": f"unix://{self.socket}"}}

    def builder(self, **more):
        image = {"do": "stream", "id": "0", "text": "tar", "zeros": 16 << 20}
        return HostileBuilder(self.folder, {"export": [image], **more})

    def test_a_frozen_engine_is_named(self):
        with EngineThatFails(self.socket, freeze), self.builder() as builder:
            build = self.start_plugin("build", *self.arguments, builder=builder.url, **self.options)
            build.wait_for_output(rf"waiting for the Docker Engine at unix://{self.socket} \(\d+ s\)")
            build.send(signal.SIGINT)
            build.wait(20, check=130)

    def test_whoever_a_command_asks_is_named(self):
        """A registry and a Depot API that take connections and say nothing."""
        silent = self.silent_port()
        api = {"DEPOT_API_URL": f"http://{silent}", "DEPOT_TOKEN": "token", "DEPOT_PROJECT_ID": "project"}
        image, base = f"{silent}/a:b", self.rig["BASE"]
        the_api, web = f"the Depot API http://{silent}", f"http://{silent}"
        commands = [
            (self.start_plugin(*args, env=api if who == the_api else None), who)
            for args, who in (
                (("imagetools", "inspect", image), web),
                (("imagetools", "create", "-t", image, base), web),
                (("list", "projects"), the_api),
                (("cache", "reset"), the_api),
                (("login",), the_api),
                (("doctor", image), web),
                (("bake", f"http://{silent}/docker-bake.hcl"), web),
            )
        ]
        for command, who in commands:
            with self.subTest(command.argv[1:]):
                command.wait_for_output(rf"waiting for {re.escape(who)} \(\d+ s\)")
                command.send(signal.SIGINT)
                command.wait(20, check=130)

    def test_a_builder_that_does_not_begin_is_named(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        with HostileBuilder(self.folder, {"silent": True}) as builder:
            build = self.start_plugin("build", context, builder=builder.url)
            build.wait_for_output(rf"waiting for the builder {builder.url} to begin \(\d+ s\)")
            build.send(signal.SIGINT)
            build.wait(20, check=130)

    def test_an_engine_that_is_gone_is_what_the_error_is_about(self):
        # Whether the builder ends with an echo of it, or not at all.
        echo = {"error": "failed to copy: rpc error: code = Unavailable desc = no such file"}
        for more in (echo, {"waits": True}):
            with self.subTest(more=more):
                self.socket.unlink(missing_ok=True)
                with EngineThatFails(self.socket, go), self.builder(**more) as builder:
                    result = self.build(
                        *self.arguments, builder=builder.url, check=FAILURES, **self.options
                    )
                error = result.stderr[result.stderr.rindex("ERROR: ") :]
                error = "\n".join(line for line in error.splitlines() if not line.startswith("builder: "))
                self.assertIn(f"the Docker Engine at unix://{self.socket}", error)
                for other in ("rpc error", ".dockerignore", builder.url, "the builder"):
                    self.assertNotIn(other, error)
