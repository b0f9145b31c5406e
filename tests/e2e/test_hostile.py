"""Builders, and token servers, that ask for what is not theirs or send what they should not."""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import re
import resource
import socket
import threading
from pathlib import Path

import trees
from harness import FAILURES, EndToEnd, symlink
from hostile_builder import (
    DIRECTORY,
    NOT_FOUND,
    OK,
    SYMLINK,
    UNIMPLEMENTED,
    HostileBuilder,
)

SECRET = "not-for-builders-1f9c"
# Anything that starts an escape sequence, but for colours.
ESCAPES = re.compile(r"\x1b(?!\[[0-9;:]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


class HostileTest(EndToEnd):
    def setUp(self):
        super().setUp()
        (self.work / "outside").mkdir()
        (self.work / "outside" / "secret").write_text(SECRET)
        self.context_folder = self.context(
            {
                "Dockerfile": "FROM scratch\n",
                "hello": "hello",
                "dir/inside": "inside",
                "link": symlink(self.work / "outside" / "secret"),
                "dirlink": symlink("../outside"),
                "ignored": "ignored",
            },
            name="ctx",
        )

    def tearDown(self):
        super().tearDown()
        # Whatever was sent: of all programs that a test runs, a build and its builder.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
        if not os.environ.get("ASAN_OPTIONS"):
            self.assertLess(peak, 1 << 30, "the memory of the largest")

    def environment(self, engine=None, builder=None, env=None):
        # Each of them is met once.
        return super().environment(engine, builder, {"DEPOT_RETRIES": "0", **(env or {})})

    def provoke(self, script, *args, check=0, **options):
        """Builds on a builder with this script; returns the result and the builder's answers."""
        with HostileBuilder(self.folder, script) as builder:
            options.setdefault("timeout", 60)
            result = self.build(
                "--progress=plain",
                *args,
                self.context_folder,
                builder=builder.url,
                check=check,
                **options,
            )
            return result, builder.answers

    def export(self, entries, check=FAILURES, **more):
        """A builder sends these entries for -o out; returns the result."""
        action = {"do": "export", "id": "0", "entries": entries, **more}
        result, answers = self.provoke({"export": [action]}, "-o", "out", check=check)
        self.answer = answers[0]
        return result


class Requests(HostileTest):
    def test_what_was_offered_is_served(self):
        script = {
            "frontend": [
                {"do": "sync", "dir": "dockerfile", "follow": ["Dockerfile"]},
                {"do": "sync", "dir": "context", "exclude": ["ignored"]},
                {"do": "secret", "id": "known"},
            ]
        }
        (self.work / "known").write_text("the known secret")
        _, answers = self.provoke(script, "--secret", "id=known,src=known")
        dockerfile, context, secret = answers
        self.assertEqual((dockerfile["code"], list(dockerfile["entries"])), (OK, ["Dockerfile"]))
        self.assertEqual(context["code"], OK)
        self.assertEqual(context["entries"]["hello"], "hello")
        self.assertEqual(context["entries"]["dir/inside"], "inside")
        self.assertNotIn("ignored", context["entries"])
        self.assertEqual((secret["code"], secret["data"]), (OK, "the known secret"))

    def test_directories_that_were_not_offered(self):
        names = ["/etc", "home", "..", "context/..", "", "Context", "x" * 5000]
        result, answers = self.provoke({"frontend": [{"do": "sync", "dir": n} for n in names]})
        self.assertEqual([a["code"] for a in answers], [NOT_FOUND] * len(names))
        self.assertEqual([a["entries"] for a in answers], [{}] * len(names))
        self.assertRegex(result.stderr, r'refused directory "/etc"')

    def test_paths_out_of_the_context(self):
        paths = [
            ["../outside/secret"],
            ["dir/../../outside/secret"],
            ["/../outside/secret"],
            [str(self.work / "outside" / "secret")],
            ["link"],
            ["dirlink/secret"],
            ["dirlink/*"],
            ["*/secret"],
        ]
        asked = [{"do": "sync", "dir": "context", "follow": path} for path in paths]
        asked += [{"do": "sync", "dir": "context", "include": path} for path in paths]
        asked += [{"do": "sync", "dir": "dockerfile", "follow": path} for path in paths]
        _, answers = self.provoke({"frontend": asked})
        self.assertEqual(len(answers), len(asked))
        for question, answer in zip(asked, answers):
            with self.subTest(question=question):
                self.assertNotIn(SECRET, str(answer))
                for path in answer["entries"]:
                    self.assertFalse(path.startswith(("/", "..")), path)
        self.assertEqual(answers[4]["entries"], {"link": str(self.work / "outside" / "secret")})

    def test_file_ids_that_were_not_announced(self):
        asked = [{"do": "sync", "dir": "context", "ids": [n]} for n in (99, 2**32 - 1)]
        asked.append({"do": "sync", "dir": "context", "follow": ["dir"], "ids": [0]})
        _, answers = self.provoke({"frontend": asked})
        for answer in answers:
            self.assertNotEqual(answer["code"], OK)
            self.assertIn("invalid file id", answer["message"] + answer.get("told", ""))

    def test_a_file_that_became_a_link_out(self):
        # What the listing promised and what lies there at the time of the request may differ.
        big = self.context_folder / "a-first"
        big.write_bytes(b"x" * 1000)
        script = {"frontend": [{"do": "sync", "dir": "context"}]}
        stop = threading.Event()

        def swap():
            target, path = self.work / "outside" / "secret", self.context_folder / "hello"
            while not stop.is_set():
                fresh = self.context_folder / "fresh"
                fresh.symlink_to(target)
                fresh.rename(path)
                fresh.write_text("hello")
                fresh.rename(path)

        thread = threading.Thread(target=swap)
        thread.start()
        try:
            for _ in range(5):
                result, answers = self.provoke(script, check=None)
                self.assertNotIn(SECRET, str(answers))
                self.assertIn(result.rc, (0, 1))
        finally:
            stop.set()
            thread.join()

    def test_secrets_that_were_not_offered(self):
        asked = ["other", "../known", str(self.work / "outside" / "secret"), "", "HOME"]
        (self.work / "known").write_text("the known secret")
        result, answers = self.provoke(
            {"frontend": [{"do": "secret", "id": name} for name in asked]},
            "--secret",
            "id=known,src=known",
        )
        self.assertEqual([a["code"] for a in answers], [NOT_FOUND] * len(asked))
        self.assertEqual({a["data"] for a in answers}, {""})
        for name in asked:
            self.assertIn(f'asked for secret "{name}", which', result.stderr)

    def test_methods_that_were_not_offered(self):
        asked = [
            {"do": "call", "method": "/moby.sshforward.v1.SSH/CheckAgent"},
            {"do": "call", "method": "/moby.upload.v1.Upload/Pull"},
            {"do": "call", "method": "/moby.filesync.v1.FileSend/DiffCopy"},
            {"do": "call", "method": "/no.such.Service/Method"},
            {"do": "call", "method": "/"},
        ]
        _, answers = self.provoke({"frontend": asked})
        for answer in answers:
            self.assertIn(answer["code"], (UNIMPLEMENTED, NOT_FOUND))

    def test_requests_too_large_or_malformed_end_by_themselves(self):
        asked = [
            {"do": "call", "method": "/grpc.health.v1.Health/Check", "bytes": 17 << 20},
            {"do": "garbage", "method": "/moby.buildkit.secrets.v1.Secrets/GetSecret"},
            {"do": "garbage", "method": "/moby.filesync.v1.Auth/Credentials"},
            {"do": "garbage", "method": "/moby.filesync.v1.Auth/FetchToken"},
            {
                "do": "garbage",
                "method": "/moby.filesync.v1.FileSync/DiffCopy",
                "metadata": {"dir-name": "context"},
            },
            {"do": "garbage", "method": "/moby.filesync.v1.FileSync/DiffCopy"},
        ]
        for action in asked[1:]:
            action["text"] = "\x07\u00ff garbage \x1b[2J"
        _, answers = self.provoke({"frontend": [*asked, {"do": "sync", "dir": "context"}]})
        for question, answer in zip(asked, answers):
            with self.subTest(question=question):
                self.assertNotEqual(answer["code"], OK)
        self.assertEqual(answers[-1]["code"], OK, "the session lived on")

    def test_patterns_that_cost(self):
        pattern = "/".join(["**"] * 20) + "/" + "*a" * 30
        asked = [
            {"do": "sync", "dir": "context", "exclude": [pattern, "[a-", "!" + pattern]},
            {"do": "sync", "dir": "context", "exclude": [pattern]},
            {"do": "sync", "dir": "context", "include": [pattern] * 50},
            {"do": "sync", "dir": "context", "follow": ["*/" * 200 + "*"]},
        ]
        (self.context_folder / ("a" * 200)).write_text("x")
        result, answers = self.provoke({"frontend": asked})
        self.assertEqual(len(answers), len(asked))
        self.assertLess(result.seconds, 20)


class Credentials(HostileTest):
    def test_the_use_of_credentials_is_said(self):
        self.login("basic")
        host = self.registry_host("basic")
        result, answers = self.provoke(
            {
                "frontend": [
                    {"do": "credentials", "host": host},
                    {"do": "credentials", "host": "registry.example"},
                ]
            }
        )
        user, password = self.rig["PUSHER"].split(":")
        self.assertEqual((answers[0]["username"], answers[0]["secret"]), (user, password))
        self.assertEqual((answers[1]["username"], answers[1]["secret"]), ("", ""))
        self.assertIn(host, result.stderr)
        self.assertIn("config.json", result.stderr)
        self.assertNotIn(password, result.stderr)

    def ask_for_token(self, respond, realm=None):
        """A builder has a token fetched from a server that answers by `respond`."""
        seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen.append((self.path, body.decode() + str(self.headers)))
                respond(self)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.login("bearer")
        action = {
            "do": "token",
            "host": self.registry_host("bearer"),
            "realm": f"http://127.0.0.1:{server.server_port}/token" if realm is None else realm,
            "service": "registry",
            "scopes": ["repository:a/b:pull,push"],
        }
        result, answers = self.provoke({"frontend": [action]})
        self.assertNotIn(self.rig["PUSHER"].split(":")[1], result.stderr)
        return result, answers[0], seen

    def test_a_token_server_that_answers(self):
        def respond(handler):
            body = b'{"access_token": "t0ken", "expires_in": 60}'
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        result, answer, seen = self.ask_for_token(respond)
        self.assertEqual((answer["code"], answer["token"]), (OK, "t0ken"))
        self.assertIn("token for", result.stderr)
        self.assertNotIn("t0ken", result.stderr)
        self.assertEqual(len(seen), 1)

    def test_a_token_server_that_redirects(self):
        def respond(handler):
            if handler.path.startswith("/token"):
                handler.send_response(307)
                handler.send_header("Location", "/elsewhere")
            else:
                handler.send_response(200)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        result, answer, seen = self.ask_for_token(respond)
        self.assertNotEqual(answer["code"], OK)
        self.assertIn("307", answer["message"])
        self.assertEqual({path.partition("?")[0] for path, _ in seen}, {"/token"})

    def test_a_token_server_that_answers_nonsense(self):
        bodies = {
            "html": b"<html>\x1b[2Jlogin please</html>",
            "json": b"[1, 2, 3]",
            "empty": b"",
            "no token": b"{}",
            "number": b'{"token": 7}',
            "huge": b'{"token": "' + b"x" * (20 << 20) + b'"}',
        }
        for name, body in bodies.items():
            with self.subTest(body=name):

                def respond(handler, body=body):
                    handler.send_response(200)
                    handler.send_header("Content-Length", str(len(body)))
                    handler.end_headers()
                    with contextlib.suppress(OSError):
                        handler.wfile.write(body)

                result, answer, _ = self.ask_for_token(respond)
                self.assertNotEqual(answer["code"], OK)
                self.assertIn("token server", answer["message"])
                self.assertNotIn("\x1b[2J", answer["message"] + result.stderr)

    def test_realms_that_are_no_place_for_a_password(self):
        for realm in ("http://registry.example/token", "file:///etc/passwd", "ftp://x/", "", "\n", "http", "https"):
            with self.subTest(realm=realm):
                _, answer, seen = self.ask_for_token(lambda handler: None, realm)
                self.assertNotEqual(answer["code"], OK)
                self.assertEqual(answer["token"], "")
                self.assertEqual(seen, [])


class Results(HostileTest):
    def setUp(self):
        super().setUp()
        self.before = trees.tree_of(self.work / "outside")

    def tearDown(self):
        after = trees.tree_of(self.work / "outside")
        super().tearDown()
        self.assert_same_tree(self.before, after)

    def test_a_result_as_it_should_be(self):
        self.export(
            [
                {"path": "d", "mode": DIRECTORY | 0o755},
                {"path": "d/x", "content": "x"},
                {"path": "l", "mode": SYMLINK | 0o777, "link": "d/x"},
                {"path": "z", "mode": 0o755, "content": "z"},
            ],
            check=0,
        )
        self.assertEqual(self.answer["code"], OK)
        self.assertEqual(trees.text(self.work / "out", "d/x"), "x")
        self.assertEqual(os.readlink(self.work / "out" / "l"), "d/x")
        self.assertEqual((self.work / "out" / "z").stat().st_mode & 0o777, 0o755)

    def test_names_that_lead_out(self):
        names = ["../outside/new", "/etc/depot-was-here", "a/../../outside/new", "..", ".", ""]
        names += ["./x", "a//b", "d/", "nul\0x", "../outside/secret"]
        for name in names:
            with self.subTest(name=name):
                result = self.export([{"path": name, "content": "x"}])
                self.assertNotEqual(self.answer["code"], OK)
                self.assertIn("output directory", result.stderr)
        self.assertFalse(Path("/etc/depot-was-here").exists())
        self.assertEqual(trees.tree_of(self.work / "out"), {})

    def test_files_below_a_link(self):
        outside = str(self.work / "outside")
        for link in (outside, "../outside", "."):
            with self.subTest(link=link):
                self.export(
                    [
                        {"path": "d", "mode": SYMLINK | 0o777, "link": link},
                        {"path": "d/secret", "content": "x"},
                    ]
                )
                self.assertNotEqual(self.answer["code"], OK)

    def test_links_that_lie_in_the_destination_already(self):
        # The user's own links: what comes replaces them, and nothing behind them is touched.
        out = self.work / "out"
        out.mkdir()
        (out / "d").symlink_to("../outside")
        (out / "secret").symlink_to("../outside/secret")
        self.export(
            [
                {"path": "d", "mode": DIRECTORY | 0o755},
                {"path": "d/secret", "content": "x"},
                {"path": "secret", "content": "y"},
            ],
            check=0,
        )
        self.assertFalse((out / "d").is_symlink() or (out / "secret").is_symlink())
        self.assertEqual(trees.text(out, "d/secret"), "x")
        self.assertEqual(trees.text(out, "secret"), "y")

    def test_hard_links_out(self):
        for target in ("../outside/secret", str(self.work / "outside" / "secret"), "later", "l"):
            with self.subTest(target=target):
                result = self.export(
                    [
                        {"path": "h", "link": target},
                        {"path": "l", "mode": SYMLINK | 0o777, "link": "../outside/secret"},
                        {"path": "later", "content": "x"},
                    ]
                )
                self.assertNotEqual(self.answer["code"], OK)
                self.assertIn("link", result.stderr)
        result = self.export(
            [
                {"path": "l", "mode": SYMLINK | 0o777, "link": "../outside/secret"},
                {"path": "m", "link": "l"},
            ]
        )
        self.assertNotEqual(self.answer["code"], OK)

    def test_entries_out_of_order_or_twice(self):
        directory = {"path": "d", "mode": DIRECTORY | 0o755}
        for entries in (
            [{"path": "b", "content": "x"}, {"path": "a", "content": "x"}],
            [{"path": "a", "content": "x"}, {"path": "a", "content": "y"}],
            [{"path": "d/x", "content": "x"}],
            [directory, {"path": "e", "content": "x"}, {"path": "d/x", "content": "x"}],
            [{"path": "d", "content": "x"}, {"path": "d/x", "content": "x"}],
        ):
            with self.subTest(entries=entries):
                self.export(entries)
                self.assertNotEqual(self.answer["code"], OK)

    def test_modes_that_are_none(self):
        for mode in (DIRECTORY | SYMLINK, 1 << 19, 1 << 24, 0xFFFFFFFF):
            with self.subTest(mode=hex(mode)):
                self.export([{"path": "x", "mode": mode, "link": "y"}])
                self.assertNotEqual(self.answer["code"], OK)

    def test_data_nobody_asked_for(self):
        self.export([{"path": "a", "content": "x"}], unasked=[7])
        self.assertNotEqual(self.answer["code"], OK)
        self.assertFalse(trees.is_in(self.work / "out", "a"))

    def test_a_file_that_breaks_off(self):
        self.export([{"path": "a", "content": "half", "cut": True, "size": 8}], cut=True)
        self.assertFalse(trees.is_in(self.work / "out", "a"), "only whole files have their name")
        self.assertEqual(trees.tree_of(self.work / "out"), {})

    def test_outputs_that_do_not_exist(self):
        for number in ("1", "99", "-1", "18446744073709551616"):
            script = {"export": [{"do": "export", "id": number, "entries": []}]}
            result, answers = self.provoke(script, "-o", "out", check=None)
            with self.subTest(number=number):
                if answers[0]["code"] == OK:  # an id that is no number means the first output
                    self.assertFalse(number.isdigit() and len(number) < 9)
                else:
                    self.assertIn("refused a result", result.stderr)
        _, answers = self.provoke({"export": [{"do": "export", "id": "0", "entries": []}]})
        self.assertIn(answers[0]["code"], (UNIMPLEMENTED, NOT_FOUND), "no output was asked for")

    def test_an_archive_that_breaks_off(self):
        archive = self.work / "out.tar"
        archive.write_text("the old one")
        action = {"do": "stream", "id": "0", "text": "new", "zeros": 1 << 20, "cut": True}
        for script in (
            {"export": [action], "error": "the exporter failed"},
            {"export": [{**action, "cut": False}], "error": "the exporter failed"},
            {"export": [action]},
        ):
            result, _ = self.provoke(script, "-o", "type=tar,dest=out.tar", check=FAILURES)
            self.assertEqual(archive.read_text(), "the old one")
            if "error" in script:
                self.assertIn("the exporter failed", result.stderr)
        names = sorted(path.name for path in self.work.iterdir() if path.is_file())
        self.assertEqual(names, ["out.tar"], "nothing half-done is left")

    def test_names_and_attributes_of_a_size_that_no_file_has(self):
        link = {"path": "l", "mode": SYMLINK | 0o777}
        for entry, says in (
            ({"path": "x" * (8 << 20)}, "a file name|file information"),
            ({"path": "x" * 4096}, "a file name of 4096 bytes"),
            ({**link, "link": "y" * 4096}, "a link of 4096 bytes"),
            ({"path": "d", "mode": DIRECTORY, "xattrs": {"user.a": "x" * (2 << 20)}}, "attributes"),
            ({"path": "a", "size": -1}, "impossible size"),
        ):
            with self.subTest(says=says):
                result = self.export([entry])
                self.assertNotEqual(self.answer["code"], OK)
                self.assertRegex(result.stderr, says)
                self.assertLess(len(result.stderr), 4000)

    def test_a_builder_that_never_ends_after_our_refusal(self):
        # The outcome is known here: its word is not waited for.
        bad = {"do": "export", "id": "0", "entries": [{"path": "../x", "content": "x"}]}
        twice = [{"do": "stream", "id": "0", "text": word} for word in ("one", "two")]
        for script, args, says in (
            ({"export": [bad]}, ("-o", "out"), 'refused "../x"'),
            ({"export": twice}, ("-o", "type=tar,dest=out.tar"), "the builder sent output 0 twice"),
        ):
            with self.subTest(says=says):
                result, _ = self.provoke({**script, "waits": True}, *args, check=FAILURES)
                self.assertIn(f"ERROR: {says}", result.stderr)

    def test_a_builder_that_never_ends_after_an_input_that_cannot_be_had(self):
        for script, args, says in (
            ({"do": "secret", "id": "s"}, self.large_secret(), "secret \"s\": .*: larger than the 500 KiB"),
            (*self.damaged_layout(), "blobs/sha256/[0-9a-f]{64} is damaged"),
        ):
            with self.subTest(says=says):
                result, _ = self.provoke({"frontend": [script], "waits": True}, *args, check=FAILURES)
                self.assertRegex(result.stderr, f"ERROR: .*{says}")

    def large_secret(self):
        """From a pipe, so that its size is not known before."""
        pipe = self.work / "pipe"
        os.mkfifo(pipe)

        def write():
            with contextlib.suppress(BrokenPipeError):
                pipe.write_bytes(b"x" * (600 << 10))

        threading.Thread(target=write, daemon=True).start()
        return ("--secret", f"id=s,src={pipe}")

    def damaged_layout(self):
        """The builder's reading of a blob, and the flags that offer it."""
        blobs = self.work / "layout/blobs/sha256"
        blobs.mkdir(parents=True)
        digest = "sha256:" + hashlib.sha256(b"sound").hexdigest()
        (blobs / digest.removeprefix("sha256:")).write_bytes(b"bound")
        entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 5}
        index = {"schemaVersion": 2, "manifests": [entry]}
        (self.work / "layout/index.json").write_text(json.dumps(index))
        # A ReadContentRequest: its first field is the digest.
        request = "\n" + chr(len(digest)) + digest
        read = {"do": "garbage", "layout": "x", "method": "/containerd.services.content.v1.Content/Read", "text": request}
        return read, ("--build-context", f"x=oci-layout://{self.work}/layout@{digest}")

    def test_a_builder_that_never_ends_after_a_file_that_may_not_be_read(self):
        for path, mode in (("hello", 0), ("dir", 0o700)):
            (self.context_folder / path).chmod(mode)
            script = {"frontend": [{"do": "sync", "dir": "context"}], "waits": True}
            with self.subTest(path=path), HostileBuilder(self.folder, script) as builder:
                Path(builder.url.removeprefix("unix://")).chmod(0o666)
                done = self.as_nobody("build", "--progress=plain", self.context_folder, builder=builder.url)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertRegex(done.stderr, f"ERROR: .*{path}: permission denied")
            (self.context_folder / path).chmod(0o755)

    def test_an_archive_that_never_comes(self):
        self.provoke({}, "-o", "type=tar,dest=out.tar", check=FAILURES)
        self.assertFalse((self.work / "out.tar").exists())

    def test_an_archive_that_comes_twice(self):
        actions = [{"do": "stream", "id": "0", "text": word} for word in ("one", "two")]
        self.provoke({"export": actions}, "-o", "type=tar,dest=out.tar", check=None)
        with contextlib.suppress(FileNotFoundError):
            self.assertEqual((self.work / "out.tar").read_text(), "one")


class Words(HostileTest):
    """What a builder says ends on a screen."""

    NASTY = (
        "\x1b]0;title\x07 \x1b]52;c;aGk=\x07 \x1b[2J\x1b[H \x1bc"
        " \x1b[?1049h \u009b2J \r\x1b[1A over"
    )

    def test_escape_sequences_stay_away(self):
        vertex = {"digest": "sha256:" + "1" * 64, "name": self.NASTY}
        digest = vertex["digest"]
        status = {
            "vertexes": [vertex],
            "statuses": [{"vertex": digest, "id": self.NASTY, "current": 1}],
            "logs": [
                {"vertex": digest, "text": self.NASTY + "\n"},
                {"vertex": digest, "base64": base64.b64encode(b"\x9b2J\xff\xfe\x1b").decode()},
                {"vertex": digest, "text": "[0m no start\n"},
                {"vertex": digest, "text": "\x1b[31mred\n"},
            ],
            "warnings": [{"vertex": digest, "text": self.NASTY, "url": self.NASTY}],
        }
        failed = {"vertexes": [{**vertex, "error": self.NASTY}]}
        script = {"status": [status, failed], "error": self.NASTY}
        for mode in ("plain", "auto"):
            result, _ = self.provoke(script, "--progress", mode, check=FAILURES)
            self.assertIn("title", result.stderr)
            if found := ESCAPES.search(result.stderr):
                around = result.stderr[max(0, found.start() - 60) : found.end() + 20]
                self.fail(f"{mode}: {found.group()!r} in {around!r}")
        result, _ = self.provoke(script, "--progress", "quiet", check=FAILURES)
        self.assertIsNone(ESCAPES.search(result.stderr), repr(result.stderr))

    def test_names_of_results_do_not_pass_either(self):
        script = {
            "response": {
                "containerimage.digest": "sha256:x\x1b[2J\nsecond line",
                "containerimage.config.digest": "\x1b[2J",
                "image.name": "\x1b[2J",
            }
        }
        for args in (("-q", "-o", "type=image"), ("--metadata-file", "m.json", "-o", "type=image")):
            result, _ = self.provoke(script, *args, "--progress=auto", check=None)
            self.assertIsNone(ESCAPES.search(result.stderr + result.stdout), str(result))
            self.assertLessEqual(len(result.stdout.splitlines()), 1)

    def test_text_that_deceives(self):
        # Right-to-left text itself stays.
        text = "a\u202egpj.exe\u2028#9 DONE\u200b \u05e9\u05dc\u05d5\u05dd"
        digest = "sha256:" + "5" * 64
        status = {
            "vertexes": [{"digest": digest, "name": f"name {text}"}],
            "statuses": [{"vertex": digest, "id": f"id {text}", "current": 1}],
            "logs": [{"vertex": digest, "text": f"log {text}\n"}],
            "warnings": [{"vertex": digest, "text": f"warning {text}", "url": text}],
        }
        result, _ = self.provoke({"status": [status], "error": f"error {text}"}, check=FAILURES)
        self.assertNotRegex(result.stderr, "[\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
        for place in ("name", "id", "warning", "ERROR: .*error"):
            self.assertRegex(result.stderr, f"{place} a<U\\+202E>gpj.exe<U\\+2028>#9 DONE<U\\+200B> ")
        self.assertIn("log agpj.exe #9 DONE \u05e9\u05dc\u05d5\u05dd", result.stderr)

    def test_times_that_overflow(self):
        digest = "sha256:" + "6" * 64
        vertex = {"digest": digest, "name": "far", "started": 2**62}
        status = {"vertexes": [vertex], "logs": [{"vertex": digest, "text": "log\n"}]}
        again = {"vertexes": [{**vertex, "started": -(2**62) + n} for n in range(50)]}
        result, _ = self.provoke({"status": [status, again]})
        self.assertNotRegex(result.stderr, r"(?<!\w)-\d|\bnan\b|\binf\b")

    def test_floods_end(self):
        digests = [f"sha256:{n:064x}" for n in range(500)]
        flood = {
            "vertexes": [{"digest": d, "name": f"step {d[-4:]}"} for d in digests],
            "logs": [{"vertex": d, "text": "word " * 20 + "\n"} for d in digests],
            "statuses": [{"vertex": digests[0], "id": f"s{n}"} for n in range(500)],
            "repeat": 60,
        }
        result, _ = self.provoke({"status": [flood]}, timeout=100)
        self.assertLess(result.seconds, 60)

    def test_one_long_line_and_huge_names(self):
        vertex = {"digest": "sha256:" + "2" * 64, "name": "long"}
        log = {"vertex": vertex["digest"], "text": "x" * (1 << 20)}
        status = [{"vertexes": [vertex], "logs": [log], "repeat": 10, "pad": 1 << 20}]
        result, _ = self.provoke({"status": status}, timeout=100)
        self.assertLess(result.seconds, 30)

    def test_messages_larger_than_allowed(self):
        vertex = {"digest": "sha256:" + "3" * 64, "name": "huge"}
        result, _ = self.provoke(
            {"status": [{"vertexes": [vertex], "pad": 80 << 20}]}, check=None, timeout=100
        )
        self.assertIn(result.rc, (0, 1))
        self.assertLess(len(result.stderr), 1 << 20)

    def test_status_about_unknown_steps(self):
        status = {
            "statuses": [{"vertex": "nobody", "id": "x", "current": -5, "total": -1}],
            "logs": [{"vertex": "", "text": "lost\n"}, {"vertex": "nobody", "text": "lost\n"}],
            "vertexes": [
                {"digest": "", "name": ""},
                {"digest": "a", "name": "far", "started": 2**62},
                {"digest": "b", "name": "past", "started": -(2**62)},
            ],
        }
        self.provoke({"status": [status]})

    def test_tokens_in_urls_are_hidden(self):
        url = f"https://user:{SECRET}@git.example/x?private_token={SECRET}"
        vertex = {"digest": "sha256:" + "4" * 64, "name": f"load git source {url}", "error": url}
        script = {"status": [{"vertexes": [vertex]}], "error": f"cannot fetch {url}"}
        result, _ = self.provoke(script, check=FAILURES)
        self.assertIn("git.example", result.stderr)
        self.assertNotIn(SECRET, result.stderr)


class Wire(HostileTest):
    def server(self, answer):
        """The address of a server that sends these bytes to everyone and then nothing more."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(answer)
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(65536):
                            pass

        threading.Thread(target=serve, daemon=True).start()
        return f"tcp://127.0.0.1:{listener.getsockname()[1]}"

    def test_servers_that_do_not_speak_http2(self):
        settings = b"\0\0\0\x04\0\0\0\0\0"
        answers = {
            "http/1.1": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
            "tls alert": b"\x15\x03\x01\x00\x02\x02\x46",
            "random": bytes(range(1, 256)) * 20,
            "settings, then garbage": settings + b"\xff" * 500,
            "huge frame": settings + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"x" * 100000,
            "goaway": settings + b"\0\0\x10\x07" + b"\0" * 12 + b"\x0b" + b"\x1b[2Jcalm",
        }
        for name, answer in answers.items():
            with self.subTest(answer=name):
                url = self.server(answer)
                result = self.build(self.context_folder, builder=url, check=FAILURES, timeout=40)
                self.assertIn(url.removeprefix("tcp://"), result.stderr)
                self.assertLess(result.seconds, 8)
                self.assertIsNone(ESCAPES.search(result.stderr), repr(result.stderr))

    def test_a_tunnel_that_carries_garbage(self):
        preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        for garbage in ("GET / HTTP/1.1\r\n\r\n", preface + "x" * 999):
            with self.subTest(garbage=garbage):
                script = {"session": garbage, "silent": True}
                result, _ = self.provoke(script, check=FAILURES)
                self.assertLess(result.seconds, 32)
                self.assertIn("builder", result.stderr)

    def test_a_builder_that_falls_silent(self):
        result, _ = self.provoke({"silent": True}, check=FAILURES)
        self.assertIn("no sign of life", result.stderr)
        self.assertLess(result.seconds, 32)

    def test_results_that_are_malformed(self):
        result, _ = self.provoke({"error": ""}, check=FAILURES)
        self.assertIn("builder", result.stderr)
