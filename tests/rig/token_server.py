"""A registry token server (distribution's docs/spec/auth/token.md and oauth.md), for tests.

It answers GET with Basic authentication and the OAuth2 POST with a password or a refresh token, and
writes a line of JSON per request to its log: what was asked by whom, and whether a password came
along, but never a password or token.
"""

import base64
import json
import secrets
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_TOKEN_SECONDS = 300
# A registry takes a token for so long after its end (distribution's registry/auth/token/token.go).
_LEEWAY = 60


class Refused(Exception):
    pass


class TokenServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, config):
        super().__init__(("127.0.0.1", config["port"]), Handler)
        self.config = config
        pem = Path(config["certificate"]).read_text()
        self._certificate = "".join(line for line in pem.splitlines() if "-----" not in line)
        self._refresh_tokens = {}
        self._log_lock = threading.Lock()

    def log_request_line(self, entry):
        with self._log_lock, open(self.config["log"], "a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")

    def check_password(self, user, password):
        known = self.config["users"].get(user)
        if not known or not secrets.compare_digest(known["password"].encode(), password.encode()):
            raise Refused("unknown user or wrong password")
        return user

    def make_refresh_token(self, user):
        token = secrets.token_urlsafe(24)
        self._refresh_tokens[token] = user
        return token

    def user_of_refresh_token(self, token):
        if token not in self._refresh_tokens:
            raise Refused("unknown refresh token")
        return self._refresh_tokens[token]

    def seconds_of(self, user):
        """How long a token for the user lives."""
        return self.config["users"].get(user, {}).get("seconds", _TOKEN_SECONDS)

    def make_access_token(self, user, scopes):
        now = int(time.time())
        claims = {
            "iss": self.config["issuer"],
            "sub": user or "",
            "aud": self.config["service"],
            "iat": now,
            "nbf": now - 60,
            "exp": now + self.seconds_of(user) - _LEEWAY,
            "jti": secrets.token_hex(8),
            "access": self._granted(user, scopes),
        }
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self._certificate]}
        signed = (
            f"{_base64url(json.dumps(header).encode())}.{_base64url(json.dumps(claims).encode())}"
        )
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.config["key"]],
            input=signed.encode(),
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        return f"{signed}.{_base64url(signature)}"

    def _granted(self, user, scopes):
        """Nothing without a login; pulling for every user; the rest for those who may push."""
        granted = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            if user and name:
                may_push = self.config["users"][user]["push"]
                allowed = [a for a in actions.split(",") if a == "pull" or may_push]
                granted.append({"type": kind, "name": name, "actions": allowed})
        return granted


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        user, password = "", ""
        if scheme.lower() == "basic":
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        entry = self._entry("GET", query, user, password)
        entry["offline_token"] = query.get("offline_token", [""])[0] == "true"

        def answer():
            who = self.server.check_password(user, password) if scheme else None
            return self._tokens(who, entry["scope"], entry["offline_token"])

        self._reply(entry, answer)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = parse_qs(body, keep_blank_values=True)

        def field(name):
            return form.get(name, [""])[0]

        entry = self._entry("POST", form, field("username"), field("password"))
        entry["grant_type"] = field("grant_type")
        entry["client_id"] = field("client_id")

        def answer():
            if field("grant_type") == "password":
                who = self.server.check_password(field("username"), field("password"))
                return self._tokens(who, entry["scope"], field("access_type") == "offline")
            if field("grant_type") == "refresh_token":
                who = self.server.user_of_refresh_token(field("refresh_token"))
                return {
                    **self._tokens(who, entry["scope"], False),
                    "refresh_token": field("refresh_token"),
                }
            raise Refused("unsupported grant_type")

        self._reply(entry, answer)

    def _entry(self, method, fields, user, password):
        return {
            "time": time.time(),
            "method": method,
            "path": urlsplit(self.path).path,
            "fields": sorted(fields),
            "service": fields.get("service", [""])[0],
            "scope": [s for value in fields.get("scope", []) for s in value.split(" ") if s],
            "user": user,
            "password_seen": bool(password),
            "refresh_token_seen": bool(fields.get("refresh_token", [""])[0]),
            "user_agent": self.headers.get("User-Agent", ""),
        }

    def _tokens(self, user, scopes, offline):
        token = self.server.make_access_token(user, scopes)
        reply = {
            "token": token,
            "access_token": token,
            "expires_in": self.server.seconds_of(user),
            "scope": " ".join(scopes),
        }
        reply["issued_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if offline and user:
            reply["refresh_token"] = self.server.make_refresh_token(user)
        return reply

    def _reply(self, entry, answer):
        try:
            status, reply = 200, answer()
        except Refused as refused:
            status, reply = 401, {"errors": [{"code": "UNAUTHORIZED", "message": str(refused)}]}
        entry["status"] = status
        self.server.log_request_line(entry)
        body = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass  # the default one would print query strings


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    TokenServer(json.loads(Path(sys.argv[1]).read_text())).serve_forever()
