"""A Depot API that records what it is asked and misbehaves when told to: HTTPS, one process, threads.

    api = FakeApi(self.rig)
    api.will("CreateBuild", failure(503), cut_body())    # the first two times; then it works
    api.always("ReportBuildHealth", hang())
    ...
    [request.message for request in api.asked("FinishBuild")]

Without a fault it makes builds for any token and hands out the rig's builder behind mutual TLS.
"""

import contextlib
import dataclasses
import http.server
import json
import socket
import ssl
import struct
import threading
import time
from pathlib import Path

import connect
from http_body import read_body

_PROJECT = "proj1"
# As the API shows it.
PROJECT = {
    "project_id": _PROJECT,
    "organization_id": "org1",
    "name": "One",
    "region_id": "us-east-1",
    "created_at": {"seconds": 1_700_000_000},
    "cache_policy": {"keep_bytes": 50 << 30, "keep_days": 14},
}


@dataclasses.dataclass
class Request:
    """One call as it came. `message` is the decoded message, a list of them for a client stream."""

    method: str
    message: object
    headers: dict
    time: float

    @property
    def token(self):
        return self.headers.get("authorization", "").removeprefix("Bearer ")


def failure(status, code=None, message="made to fail", headers=None):
    """An error of the API: with `code` in the Connect protocol's form, else plain text."""

    def fault(handler, _):
        if code:
            body = json.dumps({"code": code, "message": message}).encode()
            handler.answer(status, body, "application/json", headers)
        else:
            handler.answer(status, message.encode(), "text/plain", headers)

    return fault


def html(status=200):
    """What a proxy or a wrong address answers."""
    return lambda handler, _: handler.answer(
        status, b"<html><body>Welcome to nginx</body></html>", "text/html"
    )


def cut_body():
    """A good answer of which half arrives."""

    def fault(handler, good):
        handler.begin(200, "application/proto", len(good) + 100)
        handler.wfile.write(good[: len(good) // 2])
        handler.close_connection = True

    return fault


def drop():
    """The connection ends instead of an answer."""

    def fault(handler, _):
        handler.close_connection = True

    return fault


def hang():
    """No answer until the API is closed."""

    def fault(handler, _):
        handler.server.stopped.wait()
        handler.close_connection = True

    return fault


def say(method, **values):
    """A good answer with these values."""
    message = connect.encode(f"{method}Response", values)
    return lambda handler, _: handler.answer(200, message, "application/proto")


class FakeApi:
    """Listens on loopback until close(). `machine` is what GetBuildKitConnection hands out; the next
    `reset_connections` TCP connections end in the middle of the TLS handshake.
    """

    def __init__(self, rig):
        self._lock = threading.Lock()
        self._requests = []
        self._faults = {}
        self._always = {}
        self._projects = {}  # each project has one build
        self.machine = {
            "endpoint": rig["BUILDER"],
            "server_name": rig["SERVERNAME"],
            "cert": {"cert": _text(rig["CERT"]), "key": _text(rig["KEY"])},
            "ca_cert": {"cert": _text(rig["CACERT"])},
        }
        self.created = {}
        self.reset_connections = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self._server.stopped = threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(rig["SERVER_CERT"], rig["SERVER_KEY"])
        context.set_alpn_protocols(["http/1.1"])
        self._server.context = context
        self.ca_file = rig["CACERT"]
        self.url = f"https://localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self):
        self._server.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def will(self, method, *faults):
        """The next calls of a method get these faults, one each."""
        with self._lock:
            self._faults.setdefault(method, []).extend(faults)

    def always(self, method, fault):
        with self._lock:
            self._always[method] = fault

    def asked(self, method=None):
        """What it was asked so far, in order."""
        with self._lock:
            return [one for one in self._requests if method in (None, one.method)]

    def finish(self):
        """How the build ended: "success", "canceled", "error", or None when nobody said."""
        for request in self.asked("FinishBuild"):
            return next(key for key in request.message if key != "build_id")
        return None

    # For the handler.

    def resets(self):
        """Whether the connection at hand is one of the `reset_connections`."""
        with self._lock:
            self.reset_connections -= 1
            return self.reset_connections >= 0

    def record(self, request):
        with self._lock:
            self._requests.append(request)
            if queue := self._faults.get(request.method):
                return queue.pop(0)
            return self._always.get(request.method)

    def good_answer(self, request):
        return getattr(self, f"_{request.method}", lambda _: {})(request.message)

    def _CreateBuild(self, message):
        project = message.get("project_id") or _PROJECT
        build = f"build{self._projects.setdefault(project, len(self._projects) + 1)}"
        return {
            "build_id": build,
            "build_token": f"token-of-{build}",
            "build_url": f"{self.url}/builds/{build}",
            "project_id": project,
            **self.created,
        }

    def _GetBuild(self, message):
        return {"build_id": message["build_id"], "project_id": _PROJECT, "build_url": self.url}

    def _GetBuildKitConnection(self, _):
        return {"active": self.machine}

    def _ListProjects(self, _):
        project = {"id": _PROJECT, "name": "One", "org_id": "org1", "org_name": "Org"}
        return {"projects": [project]}

    def _ListBuilds(self, _):
        return {"builds": [{"id": "build1", "status": 2, "created_at": {"seconds": 1_700_000_000}}]}

    def _GetProject(self, message):
        return {"project": {**PROJECT, "project_id": message["project_id"]}}

    def _CreateProject(self, message):
        return {"project": {**PROJECT, **message}}

    def _UpdateProject(self, message):
        return {"project": {**PROJECT, **message}}

    def _ListImages(self, message):
        if "page_token" in message:
            return {"images": [_image("newest", 3)]}
        return {"images": [_image("old", 1), _image("new", 2)], "next_page_token": "2"}


def _image(tag, age):
    return {"tag": tag, "digest": f"sha256:{age:064x}", "pushed_at": {"seconds": 1_700_000_000 + age}, "size_bytes": 1000 * age}


def _text(path):
    return Path(path).read_text()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Clients that go away are what the tests are about."""


def _reset(connection):
    """Ends a TCP connection as a process that dies does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        # Here and not in the accepting thread: a client that is slow to shake hands stops no other.
        self.request.settimeout(60)
        if self.server.api.resets():
            self.request.recv(1)
            _reset(self.request)
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self):
        with contextlib.suppress(OSError):
            super().finish()
        # The server closes the socket that it accepted, which TLS has taken over.
        self.request.close()

    def do_POST(self):
        body = read_body(self)
        method = self.path.rpartition("/")[2]
        if connect.PATHS.get(method) != self.path:
            self.answer(404, b"no such method", "text/plain")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        message = _decoded(method, headers.get("content-type", ""), body)
        request = Request(method, message, headers, time.time())
        fault = self.server.api.record(request)
        good = connect.encode(_response(method), self.server.api.good_answer(request))
        if fault:
            fault(self, good)
        elif method in connect.STREAMS:
            stream = connect.envelope(good) + connect.end_of_stream()
            self.answer(200, stream, "application/connect+proto")
        else:
            self.answer(200, good, "application/proto")

    def do_GET(self):
        self.answer(404, b"nothing here", "text/plain")

    def begin(self, status, content_type, size, headers=None):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(size))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def answer(self, status, body, content_type, headers=None):
        self.begin(status, content_type, len(body), headers)
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_):
        """Failing tests print what the clients say."""


def _response(method):
    known = f"{method}Response"
    return known if known in connect.MESSAGES else "Empty"


def _decoded(method, content_type, body):
    if content_type.startswith("application/connect+"):
        return [
            connect.decode(f"{method}Request", payload)
            for flags, payload in connect.envelopes(body)
            if not flags & 2
        ]
    return connect.decode(f"{method}Request", body)
