"""A registry with faults: a proxy in front of a real one that answers some requests itself.

    with FaultyRegistry(target="127.0.0.1:5000") as registry:
        registry.will("PUT", r"/manifests/1$", answer(500), times=2)
        ...  # push to f"{registry.address}/app:1"
        registry.seen  # [("PUT", "/v2/app/manifests/1", "docker-depot/0.1.0", 500), ...]
"""

import contextlib
import dataclasses
import http.client
import http.server
import json
import re
import socket
import sys
import threading

from http_body import read_body

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


def answer(status, code="INJECTED", headers=None, message="injected by the test", reason=None):
    """The proxy answers instead of the registry, with an error as registries word them; `reason` stands behind the status,
    None for its usual words."""

    def fault(request):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        request.reply(status, (headers or {}).items(), body, reason)

    return fault


def web_page(status, headers=None):
    """What a firewall or a captive portal says in the registry's place."""

    def fault(request):
        shown = {"Content-Type": "text/html; charset=utf-8", **(headers or {})}
        request.reply(status, shown.items(), b"<html><h1>This page is blocked</h1></html>")

    return fault


def cut_before():
    """The connection ends before the request reaches the registry."""
    return lambda request: request.cut()


def cut_after():
    """The request reaches the registry, and the connection ends before its answer comes back."""

    def fault(request):
        request.ask_registry()
        request.cut()

    return fault


def cut_in_body():
    """The connection ends when half of the request's body has come."""

    def fault(request):
        request.rfile.read(int(request.headers["Content-Length"]) // 2)
        request.cut()

    fault.before_the_body = True
    return fault


@dataclasses.dataclass
class _Rule:
    method: str
    path: re.Pattern
    fault: object
    left: float
    agent: str

    def takes(self, request):
        asked = request.headers.get("User-Agent", "").startswith(self.agent)
        return (
            self.left > 0
            and asked
            and request.command == self.method
            and self.path.search(request.path) is not None
        )


class _Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Engines speak TLS first, and only an answer that begins with "HTTP/" makes them go on without.
    default_request_version = "HTTP/1.1"

    def _serve(self):
        # A client that was cancelled goes in the middle of a request.
        with contextlib.suppress(ConnectionError):
            rule = self.server.rule_for(self)
            if not hasattr(rule and rule.fault, "before_the_body"):
                self._body = read_body(self)
            if rule:
                rule.fault(self)
            else:
                self.reply(*self.ask_registry())

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _serve

    def ask_registry(self):
        """Sends the request on; (status, headers, body) of the answer."""
        connection = http.client.HTTPConnection(self.server.target, timeout=60)
        with contextlib.closing(connection):
            # The Host stays, since the registry makes its Location headers from it.
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(self._body)))
            connection.endheaders(self._body)
            response = connection.getresponse()
            self._length = response.headers.get("Content-Length", "0")
            kept = [(k, v) for k, v in response.getheaders() if k.lower() not in _HOP_BY_HOP]
            return response.status, kept, response.read()

    def reply(self, status, headers, body, reason=None):
        self.server.note(self, status)
        self.send_response(status, reason)
        for name, value in headers:
            self.send_header(name, value)
        length = getattr(self, "_length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self):
        self.server.note(self, None)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_):
        pass


class FaultyRegistry(http.server.ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1; `seen` is (method, path, agent, status or None)."""

    daemon_threads = True

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), _Request)
        self.target = target
        self.address = "127.0.0.1:%d" % self.server_address[1]
        self.seen = []
        self._rules = []
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        # A client that takes no more of an answer closes its end.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def will(self, method, path, fault, times=float("inf"), agent=""):
        """From now on `fault` happens to requests whose path has a match of the pattern, and whose
        User-Agent starts with `agent`; at most `times` times. The first rule that applies counts.
        """
        with self._lock:
            self._rules.append(_Rule(method, re.compile(path), fault, times, agent))

    def rule_for(self, request):
        with self._lock:
            for rule in self._rules:
                if rule.takes(request):
                    rule.left -= 1
                    return rule
        return None

    def note(self, request, status):
        with self._lock:
            agent = request.headers.get("User-Agent", "")
            self.seen.append((request.command, request.path, agent, status))
