"""GitHub's cache service for actions, as far as BuildKit's cache `type=gha` asks it: plain HTTP on loopback.

    with ActionsCache() as service:
        env = service.variables()    # what an action has
        ...
        service.names()              # what is kept
"""

import base64
import http.server
import json
import threading
import urllib.parse

from http_body import read_body

_PREFIX = "/_apis/artifactcache"


def _token():
    """Of the form that BuildKit reads: a JWT with the scopes; the secret part is checked here."""
    scopes = json.dumps([{"Scope": "refs/heads/main", "Permission": 3}])
    parts = ({"alg": "HS256", "typ": "JWT"}, {"ac": scopes, "exp": 4_000_000_000, "nbf": 1})
    text = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*text, base64.urlsafe_b64encode(b"5ecret-of-the-action").rstrip(b"=").decode()])


class ActionsCache:
    def __init__(self):
        self.token = _token()
        self._lock = threading.Lock()
        self._begun = {}  # by number [key, content]
        self._kept = {}  # by key the number
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.cache = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def variables(self):
        return {"ACTIONS_CACHE_URL": self.url, "ACTIONS_RUNTIME_TOKEN": self.token}

    def names(self):
        with self._lock:
            return sorted(self._kept)

    # For the handler.

    def find(self, keys):
        """The newest whose name is, or begins with, the first of `keys` that there is."""
        with self._lock:
            for key in keys:
                found = [(number, name) for name, number in self._kept.items() if name.startswith(key)]
                if found:
                    return max(found)
        return None

    def reserve(self, key):
        with self._lock:
            if any(name == key for name, _ in self._begun.values()):
                return None
            self._begun[len(self._begun) + 1] = [key, bytearray()]
            return len(self._begun)

    def write(self, number, offset, data):
        with self._lock:
            content = self._begun[number][1]
            content.extend(bytes(max(0, offset + len(data) - len(content))))
            content[offset : offset + len(data)] = data

    def commit(self, number):
        with self._lock:
            self._kept[self._begun[number][0]] = number

    def content(self, number):
        with self._lock:
            return bytes(self._begun[number][1])


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path.startswith("/blob/"):
            self._answer_part(self.server.cache.content(int(url.path.removeprefix("/blob/"))))
        elif self._allowed():
            found = self.server.cache.find(urllib.parse.parse_qs(url.query)["keys"][0].split(","))
            if found is None:
                self._answer(204, b"")
            else:
                place = f"{self.server.cache.url}blob/{found[0]}"
                self._say(200, {"cacheKey": found[1], "scope": "refs/heads/main", "archiveLocation": place})

    def do_POST(self):
        body = read_body(self)
        if not self._allowed():
            return
        path = self.path.removeprefix(f"{_PREFIX}/caches").strip("/")
        if path:
            self.server.cache.commit(int(path))
            self._answer(204, b"")
            return
        number = self.server.cache.reserve(json.loads(body)["key"])
        if number is None:
            self._say(409, {"message": "already exists", "typeKey": "ArtifactCacheItemAlreadyExistsException"})
        else:
            self._say(201, {"cacheId": number})

    def do_PATCH(self):
        body = read_body(self)
        if self._allowed():
            offset = int(self.headers["Content-Range"].split()[1].split("-")[0])
            self.server.cache.write(int(self.path.rpartition("/")[2]), offset, body)
            self._answer(204, b"")

    def log_message(self, *_):
        """Failing tests print what the clients say."""

    def _allowed(self):
        if self.headers.get("Authorization") == f"Bearer {self.server.cache.token}":
            return True
        self._say(401, {"message": "who are you?"})
        return False

    def _say(self, status, document):
        self._answer(status, json.dumps(document).encode())

    def _answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            if status != 204:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _answer_part(self, content):
        begin, _, end = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        first, last = int(begin), int(end) if end else len(content) - 1
        span = f"bytes {first}-{last}/{len(content)}"
        self._answer(206 if "Range" in self.headers else 200, content[first : last + 1], {"Content-Range": span})
