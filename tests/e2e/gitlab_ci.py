"""GitLab jobs without a GitLab: the templates of install/gitlab, run by gitlab-ci-local, and a signer of id_tokens.

    from gitlab_ci import JobTest

    class Jobs(JobTest):
        def test_a_push(self):
            project = self.project(template("build-and-push.yml"), {"Dockerfile": ...})
            self.pipeline(project, self.registry("basic"), DEPOT_TOKEN=..., DEPOT_BUILDER_KEY=InFile(text))

Jobs run on this machine, not in their images, each in a copy of its project: by the shell of busybox and with its tools
before the machine's, as Alpine has them. What a GitLab project has as CI/CD variables is in variables_file.
"""

import base64
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

from harness import write_tree
from pool import PoolTest

SOURCES = Path(__file__).resolve().parents[2]
TEMPLATES = SOURCES / "install" / "gitlab"
_REMOTE = "https://gitlab.example/group/app.git"
# What a job finds in its image or gets from its GitLab, and not from the environment of these tests.
_NOT_PASSED_ON = ("DOCKER_CONFIG", "BUILDX_NO_DEFAULT_ATTESTATIONS")


class InFile(str):
    """The value of a CI/CD variable of type file: the job sees the path of a file that holds it."""


def template(name):
    """The text of one of install/gitlab."""
    return (TEMPLATES / name).read_text()


class Issuer:
    """Signs what GitLab puts into a job's id_token. `settings()` is for a pool that takes its tokens."""

    URL, AUDIENCE = "https://gitlab.example", "https://pool.example"

    def __init__(self, folder):
        self._folder = folder
        self._key = folder / "gitlab.pem"
        _openssl("genrsa", "-out", self._key, "2048")

    def settings(self, project, claims):
        """For start_pool(oidc=[...]): tokens with these claims open the project."""
        modulus = _openssl("rsa", "-in", self._key, "-noout", "-modulus").decode().partition("=")[2]
        jwk = {"kty": "RSA", "kid": "k1", "use": "sig", "alg": "RS256", "e": "AQAB"}
        jwk["n"] = _base64url(bytes.fromhex(modulus.strip()))
        jwks = self._folder / "jwks.json"
        jwks.write_text(json.dumps({"keys": [jwk]}))
        allow = [{"project": project, "claims": claims}]
        return {"issuer": self.URL, "audience": self.AUDIENCE, "jwks": str(jwks), "allow": allow}

    def token(self, **claims):
        now = int(time.time())
        body = {"iss": self.URL, "aud": self.AUDIENCE, "iat": now, "nbf": now - 5, "exp": now + 600}
        body["sub"] = "project_path:group/app:ref_type:branch:ref:main"
        body |= {"project_path": "group/app", "ref_protected": "true", **claims}
        parts = ({"alg": "RS256", "kid": "k1", "typ": "JWT"}, body)
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in parts)
        signature = _openssl("dgst", "-sha256", "-sign", self._key, stdin=signed.encode())
        return f"{signed}.{_base64url(signature)}"


class JobTest(PoolTest):
    """A test that runs pipelines."""

    def setUp(self):
        super().setUp()
        self._script = self.rig.get("GITLAB_CI_LOCAL")
        if not self._script:
            self.skipTest("npm does not fetch gitlab-ci-local here")
        self.bin = self.folder / "bin"
        self._alpine = self.folder / "alpine"
        self._alpine.mkdir()
        busybox = self.rig["BUSYBOX"]
        listed = subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, check=True)
        for applet in listed.stdout.decode().split():
            (self._alpine / applet).symlink_to(busybox)
        # Told to start the services of a job it does nothing: the engines of the rig stand for docker:dind. What it
        # prints is an answer to `image inspect`.
        self._services = self.folder / "services"
        self._services.write_text("#!/bin/sh\necho '[]'\n")
        self._services.chmod(0o755)
        # A job's script goes to a bash without arguments: here it is the shell of Alpine that reads it.
        shell = self._alpine / "bash"
        shell.write_text(f'#!/bin/bash\n[ $# -eq 0 ] || exec /bin/bash "$@"\nexec {busybox} sh\n')
        shell.chmod(0o755)
        self._release = None

    def release(self):
        """URL of a folder with what install/release makes, as far as install.sh needs it."""
        if not self._release:
            self._release = _serve(self.release_folder)
            self.addCleanup(self._release.server_close)
            self.addCleanup(self._release.shutdown)
        return f"http://127.0.0.1:{self._release.server_port}"

    @functools.cached_property
    def release_folder(self):
        folder = self.folder / "release"
        folder.mkdir()
        name = "docker-depot-linux-amd64"
        (folder / "install.sh").symlink_to(SOURCES / "install" / "install.sh")
        (folder / name).symlink_to(self._plugin())
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        (folder / "SHA256SUMS").write_text(f"{digest}  {name}\n")
        return folder

    def package_registry(self):
        """A server that takes what a job publishes, as GitLab's packages do; `posted` is the body of its last POST."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Packages)
        server.packages, server.posted = {}, None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def project(self, ci, files):
        """A git repository with a .gitlab-ci.yml and files as in context()."""
        self._count += 1
        place = write_tree(self.work / f"project{self._count}", {".gitlab-ci.yml": ci, **files})
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@gitlab.example"]
        for command in (
            ["init", "--quiet", "--initial-branch=main"],
            ["remote", "add", "origin", _REMOTE],
            ["add", "--all"],
            [*who, "commit", "--quiet", "--message=All of it"],
        ):
            done = self._start(["git", *command], None, None, None, place, None)
            self._finish(done, 0, 30)
        return place

    def fresh_clone(self, project):
        """Another clone of the same project, as another job has it."""
        self._count += 1
        place = self.work / f"clone{self._count}" / "app"
        for command in (["clone", "--quiet", project, place], ["-C", place, "remote", "set-url", "origin", _REMOTE]):
            self._finish(self._start(["git", *command], None, None, None, None, None), 0, 30)
        return place

    def pipeline(self, project, *variables, check=0, timeout=150, **more):
        """Runs all jobs of a project. `variables` are dicts of CI/CD variables, `more` further ones."""
        known = {"GITLAB_CI": "true", "DEPOT_PLUGIN_URL": self.release()}
        for some in (*variables, more):
            known |= some
        self._write_variables(known)
        # The schema is checked by jobs(), once for each file; the names are those that a GitLab sets.
        argv = ["--force-shell-executor", "--shell-isolation", "--no-json-schema-validation"]
        argv += ["--ignore-predefined-vars", "GITLAB_CI,CI_REGISTRY,CI_REGISTRY_IMAGE,CI_API_V4_URL,CI_COMMIT_TAG"]
        argv += ["--container-executable", self._services]
        return self._finish(self._start_local(project, argv), check, timeout)

    def jobs(self, project, check=0):
        """The jobs that gitlab-ci-local finds, by their names, once GitLab's own schema has let them pass; with `check`
        the Result instead."""
        self._write_variables({})
        result = self._finish(self._start_local(project, ["--list-json"]), check, 60)
        if check:
            return result
        # Warnings come before the list.
        listed = re.search(r"^\[.*", result.stdout, re.M | re.S)
        return {job["name"]: job for job in json.loads(listed[0])}

    def registry(self, name, user="PUSHER"):
        """GitLab's variables for a project whose container registry is one of the rig's."""
        user, _, password = self.rig[user].partition(":")
        repository = self.image_name(registry=name).rpartition(":")[0]
        values = {"CI_REGISTRY": self.registry_host(name), "CI_REGISTRY_IMAGE": repository}
        return {**values, "CI_REGISTRY_USER": user, "CI_REGISTRY_PASSWORD": password}

    def builder(self, *platforms):
        """A builder behind mutual TLS, its key material in variables of type file, as in a GitLab project."""
        values = {"DEPOT_BUILDER": self.two_builders() if platforms else self.rig["BUILDER"]}
        for name in ("CACERT", "CERT", "KEY"):
            values[f"DEPOT_BUILDER_{name}"] = InFile(Path(self.rig[name]).read_text())
        return {**values, "DEPOT_BUILDER_SERVERNAME": self.rig["SERVERNAME"]}

    def commit_of(self, project):
        """CI_COMMIT_SHORT_SHA."""
        result = self._start(["git", "rev-parse", "HEAD"], None, None, None, project, None)
        return self._finish(result, 0, 30).stdout[:8]

    @property
    def variables_file(self):
        return self.home / ".gitlab-ci-local" / "variables.yml"

    def _write_variables(self, values):
        known = {}
        for name, value in values.items():
            if isinstance(value, InFile):
                # Those that gitlab-ci-local writes stay in /tmp.
                place = self.folder / "file-variables" / name
                place.parent.mkdir(exist_ok=True)
                place.write_text(value)
                value = place
            known[name] = {"type": "variable", "values": {"*": str(value)}}
        self.variables_file.parent.mkdir(exist_ok=True)
        # JSON is YAML.
        self.variables_file.write_text(json.dumps({"global": known}))

    def _start_local(self, project, argv):
        tools = [self.bin, self._alpine, Path(self.rig["DOCKER"]).parent, os.environ["PATH"]]
        env = {"PATH": ":".join(map(str, tools)), "DEPOT_INSTALL_BIN": self.bin}
        env |= dict.fromkeys(_NOT_PASSED_ON)
        argv = [shutil.which("node"), self._script, *argv]
        return self._start(argv, None, None, env, project, None)


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class _Packages(http.server.BaseHTTPRequestHandler):
    def _body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _say(self, status, content=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _may(self):
        return bool(self.headers.get("JOB-TOKEN"))

    def do_PUT(self):
        self.server.packages[self.path] = self._body()
        self._say(201 if self._may() else 401)

    def do_POST(self):
        self.server.posted = self._body()
        self._say(201 if self._may() else 401)

    def do_GET(self):
        content = self.server.packages.get(self.path)
        self._say(404 if content is None else 200, content or b"")

    def log_message(self, *_):
        pass


def _serve(folder):
    handler = functools.partial(_Files, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _openssl(*args, stdin=None):
    pipe = subprocess.PIPE
    done = subprocess.run(["openssl", *args], input=stdin, stdout=pipe, stderr=pipe, check=True)
    return done.stdout


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
