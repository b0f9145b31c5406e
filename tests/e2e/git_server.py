"""A server of git repositories and files over HTTP, which wants credentials and records what it is asked."""

import http.server
import os
import subprocess
import threading
from pathlib import Path

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]


def commit(repository, files, message="one"):
    """Writes {path: text} into a repository, which is made when it is not there, and commits. Gives the revision."""
    repository = Path(repository)
    if not (repository / ".git").exists():
        repository.mkdir(parents=True)
        subprocess.run([*GIT, "init", "-q"], cwd=repository, check=True)
    for name, text in files.items():
        place = repository / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for command in (["add", "."], ["commit", "-qm", message]):
        subprocess.run([*GIT, *command], cwd=repository, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True)
    return head.stdout.strip()


class GitServer:
    """Serves the folder `root` until close(): repositories below it by git's own http-backend, all else as files.

    authorization   what the header of that name must be for git; None: nothing is asked for
    """

    def __init__(self, root, authorization=None):
        self.authorizations = []  # of all requests, None where there was none
        self.paths = []
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=root)

            def do_GET(self):
                self._answer(super().do_GET)

            def do_POST(self):
                self._answer(None)

            def _answer(self, as_file):
                given = self.headers.get("Authorization")
                outer.paths.append(self.path)
                if ".git/" not in self.path:
                    as_file()
                    return
                outer.authorizations.append(given)
                if authorization is not None and given != authorization:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self._run_git()

            def _run_git(self):
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                # http-backend has no form for a request that comes in chunks.
                assert self.headers.get("Transfer-Encoding") is None
                done = subprocess.run(
                    ["git", "http-backend"],
                    input=body,
                    capture_output=True,
                    check=True,
                    env={
                        "PATH": os.environ["PATH"],
                        "GIT_PROJECT_ROOT": str(root),
                        "GIT_HTTP_EXPORT_ALL": "1",
                        "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                        "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                        "PATH_INFO": path,
                        "QUERY_STRING": query,
                        "REQUEST_METHOD": self.command,
                        "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                        "CONTENT_LENGTH": str(len(body)),
                        "REMOTE_ADDR": "127.0.0.1",
                    },
                )
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
                status = next((value for name, value in fields if name == "Status"), "200")
                self.send_response(int(status.split()[0]))
                for name, value in fields:
                    if name != "Status":
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://{self.host}/{path}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
