"""Text that is not what it looks like, as a registry, the Depot API or an Engine says it: what it hides is shown."""

import http.server
import json
import socketserver
import threading

from fake_api import failure, say
from faulty_registry import FaultyRegistry, answer
from harness import FAILURES, EndToEnd
from hostile_builder import HostileBuilder
from test_depot_api import ApiTest

# Reorders, ends a line for some viewers, is not seen, begins a control sequence (C1); right-to-left text itself stays.
DECEIT = "a\u202egpj.exe\u2028ERROR: none\u200b\u2066\u009b2J \u05e9\u05dc\u05d5\u05dd"
SHOWN = "a<U+202E>gpj.exe<U+2028>ERROR: none<U+200B><U+2066>?2J \u05e9\u05dc\u05d5\u05dd"
_DECEIVES = "[\u0080-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]"


class Shown:
    def assert_shown(self, result):
        text = result.stderr + result.stdout
        self.assertNotRegex(text, _DECEIVES)
        self.assertIn(SHOWN, text)
        return text


class Registry(EndToEnd, Shown):
    def setUp(self):
        super().setUp()
        self.registry = FaultyRegistry(self.registry_host("open"))
        self.addCleanup(self.registry.__exit__)
        self.image = f"{self.registry.address}/{self.image_name()}"

    def push(self, *flags):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
        return self.build(*flags, "-t", self.image, "--push", context, builder="plain", check=FAILURES)

    def test_a_refusal_of_a_push(self):
        refusal = answer(403, code=f"DENIED{DECEIT}", message=DECEIT)
        self.registry.will("POST", "/blobs/uploads/", refusal)
        self.assertIn(f": DENIED{SHOWN}: {SHOWN}", self.assert_shown(self.push()))
        # What a builder repeats of it is up to the builder.
        self.assertNotRegex(self.push("--no-preflight").stderr, _DECEIVES)

    def test_a_failure_of_a_question(self):
        for status in (403, 404, 500):
            self.registry.will("GET", "/manifests/", answer(status, message=DECEIT))
            with self.subTest(status=status):
                self.assert_shown(self.run_plugin("imagetools", "inspect", self.image, check=FAILURES))


class Api(ApiTest, Shown):
    def test_errors(self):
        for method, fault in (
            ("CreateBuild", failure(403, "permission_denied", DECEIT)),
            ("GetBuildKitConnection", failure(400, "failed_precondition", DECEIT)),
            ("ListProjects", failure(400, "invalid_argument", DECEIT)),
        ):
            self.api.will(method, fault)
            with self.subTest(method=method):
                if method == "ListProjects":
                    result = self.run_plugin("list", "projects", env=self.variables(), check=FAILURES)
                else:
                    result = self.builds(check=FAILURES)
                self.assert_shown(result)

    def test_answers(self):
        project = {"id": "proj1", "name": DECEIT, "org_id": "org1", "org_name": DECEIT}
        self.api.will("ListProjects", say("ListProjects", projects=[project]))
        self.assert_shown(self.run_plugin("list", "projects", env=self.variables()))
        self.api.created = {"build_url": f"https://depot.example/{DECEIT}"}
        self.assert_shown(self.builds())


class _EngineHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        store = [["driver-type", "io.containerd.snapshotter.v1"]]
        self._reply(200, {"ServerVersion": "26.1", "DriverStatus": store})

    def do_POST(self):
        while size := int(self.rfile.readline().split(b";")[0], 16):
            self.rfile.read(size + 2)
        self.rfile.readline()
        self._reply(*self.server.load)

    def _reply(self, status, said):
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class Engine(EndToEnd, Shown):
    def test_what_it_says_of_a_load(self):
        path = self.folder / "engine.sock"
        server = socketserver.ThreadingUnixStreamServer(str(path), _EngineHandler)
        server.daemon_threads = True
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = self.context({"Dockerfile": "FROM scratch\n"})
        archive = {"export": [{"do": "stream", "id": "0", "text": "tar"}]}
        for load in (
            (500, {"message": DECEIT}),
            (200, {"error": DECEIT, "errorDetail": {"message": DECEIT}}),
            (200, {"stream": f"Loaded image: {DECEIT}\n"}),
        ):
            server.load = load
            check = 0 if "stream" in load[1] else FAILURES
            env = {"DOCKER_HOST": f"unix://{path}"}
            with self.subTest(load=load), HostileBuilder(self.folder, archive) as builder:
                self.assert_shown(
                    self.build("--load", "-t", "x", context, builder=builder.url, env=env, check=check)
                )
