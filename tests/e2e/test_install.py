"""install/install.sh: what it installs, from where, and that it changes nothing when it fails."""

import contextlib
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import ssl
import stat
import subprocess
import threading
import time
from pathlib import Path

from bare_root import BareRootTest, busybox
from harness import Running, processes

SCRIPT = Path(__file__).resolve().parents[2] / "install" / "install.sh"
NAME = "docker-depot-linux-amd64"
SECRET = "glcbt-4f1e8c6a9d27b35"
# What the script needs besides a downloader and a checksum program.
TOOLS = """cat chmod cp dash grep head ln mkdir mktemp mv readlink rm sed sh tail tr uname wc""".split()


class Release:
    """A release on an HTTP server of this machine; `requests` are (path, headers), in order."""

    def __init__(self, files, tls=None):
        self.files = dict(files)
        self.requests = []
        self.seen_arguments = ""  # the command lines of all programs, at each request
        self.header = None  # (name, value) without which the answer is 403
        self.basic = None  # a header's value without which the answer is 401
        self.redirect_to = None  # a URL; redirects everything there
        self.claim = 0  # Content-Length says this much more
        self.pause = None  # an Event: half of a file, then nothing before it is set
        handler = functools.partial(_Handler, self)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = "127.0.0.1:%d" % self._server.server_address[1]
        self.url = f"http{'s' * bool(tls)}://{self.address}/v1"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        if self.pause:
            self.pause.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, release, *args):
        self.release = release
        super().__init__(*args)

    def do_GET(self):
        release = self.release
        release.requests.append((self.path, dict(self.headers)))
        for process in processes():
            with contextlib.suppress(OSError):
                release.seen_arguments += (process / "cmdline").read_text(errors="replace")
        if release.redirect_to:
            self._say(302, {"Location": release.redirect_to + self.path})
        elif release.basic and self.headers.get("Authorization") != release.basic:
            self._say(401, {"WWW-Authenticate": 'Basic realm="release"'})
        elif release.header and self.headers.get(release.header[0]) != release.header[1]:
            self._say(403)
        elif (content := release.files.get(self.path.removeprefix("/v1/"))) is None:
            self._say(404)
        else:
            self._give(content)

    def end_headers(self):
        # Otherwise wget asks again on a connection that is about to be closed.
        self.send_header("Connection", "close")
        super().end_headers()

    def _say(self, status, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _give(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) + self.release.claim))
        self.end_headers()
        with contextlib.suppress(OSError):
            if self.release.pause:
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                self.release.pause.wait(60)
            else:
                self.wfile.write(content)

    def log_message(self, *_):
        pass


def sums(files):
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())


def release_of(plugin):
    return {NAME: plugin, "SHA256SUMS": sums({NAME: plugin}).encode(), "install.sh": SCRIPT.read_bytes()}


class InstallTest(BareRootTest):
    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.ash = [shutil.copy(busybox(), self.folder / "busybox"), "ash"]
        self.plugin = self._plugin().read_bytes()
        # Another version is the same program with another number, which is as long.
        self.version = json.loads(self.run_plugin("docker-cli-plugin-metadata").stdout)["Version"]
        self.other_version = re.sub(r"\d", "9", self.version)
        self.other = self.plugin.replace(self.version.encode() + b"\0", self.other_version.encode() + b"\0")
        self.fresh()

    def fresh(self):
        """New folders for a new try."""
        self._count += 1
        self.target = self.folder / f"target{self._count}"
        self.plugins, self.bin = self.target / "plugins", self.target / "bin"
        self.target.mkdir()

    def release(self, tls=None, **attributes):
        server = Release(release_of(self.plugin), tls)
        self.addCleanup(server.close)
        for name, value in attributes.items():
            setattr(server, name, value)
        return server

    def on_disk(self, files):
        self._count += 1
        folder = self.folder / f"release{self._count}"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    def tools(self, *more):
        """A folder for PATH with the script's tools and those named."""
        self._count += 1
        folder = self.folder / f"tools{self._count}"
        folder.mkdir()
        for name in (*TOOLS, *more):
            (folder / name).symlink_to(shutil.which(name))
        return folder

    def shells(self):
        """dash, and busybox ash with its own tools, each with folders of its own to install to."""
        for argv in (["/bin/dash"], self.ash):
            self.fresh()
            yield argv

    def start_install(self, *args, shell=("/bin/dash",), script=SCRIPT, stdin=None, wrapper=(), **options):
        env = {
            "PATH": os.environ["PATH"],
            "DEPOT_INSTALL_DIR": str(self.plugins),
            "DEPOT_INSTALL_BIN": str(self.bin),
            **options.pop("env", {}),
        }
        self._count += 1
        place = self.folder / f"run{self._count}"
        place.mkdir()
        env = {name: str(value) for name, value in env.items() if value is not None}
        argv = [*wrapper, *shell, *([script] if script else []), *args]
        running = Running(argv, place, stdin, env=env, cwd=self.work, **options)
        self._started.append(running)
        return running

    def install(self, *args, url=None, check=0, env=None, **options):
        env = {**({"DEPOT_PLUGIN_URL": str(url)} if url else {}), **(env or {})}
        return self._finish(self.start_install(*args, env=env, **options), check, 60)

    def assert_installed(self, content=None):
        plugin, name = self.plugins / "docker-depot", self.bin / "depot"
        self.assertEqual(self.left(), [name, plugin])
        self.assertTrue(plugin.read_bytes() == (content or self.plugin), "another file is there")
        self.assertEqual(stat.S_IMODE(plugin.stat().st_mode), 0o755)
        self.assertEqual(os.readlink(name), str(plugin))

    def left(self):
        return sorted(path for path in self.target.rglob("*") if path.is_symlink() or not path.is_dir())

    def assert_nothing_left(self):
        self.assertEqual(self.left(), [])
        stages = [path for path in self.target.rglob(".*")]
        self.assertEqual(stages, [])


class Sources(InstallTest):
    def test_from_a_server_with_each_downloader(self):
        server = self.release()
        for shell in self.shells():
            for tools in (("curl",), ("wget",)):
                self.fresh()
                path = self.tools("sha256sum", *tools)
                result = self.install(url=server.url + "/", shell=shell, env={"PATH": path})
                self.assert_installed()
                self.assertIn(f"docker-depot {self.version} is installed: {self.plugins}", result.stdout)
                self.assertIn("is not in PATH", result.stderr)

    def test_from_a_folder_and_from_the_folder_of_the_script(self):
        folder = self.on_disk(release_of(self.plugin))
        for shell in self.shells():
            for how in (
                {"url": folder},
                {"url": f"file://{folder}"},
                {"script": folder / "install.sh"},
            ):
                self.fresh()
                self.install(shell=shell, **how)
                self.assert_installed()

    def test_the_page_of_a_release(self):
        for page, folder in (
            ("-/releases/v2", "-/releases/v2/downloads"),
            ("-/releases/permalink/latest/downloads", "-/releases/permalink/latest/downloads"),
            ("team/app/releases/tag/v2", "team/app/releases/download/v2"),
            ("team/app/releases/latest", "team/app/releases/latest/download"),
        ):
            with self.subTest(page=page):
                self.fresh()
                server = self.release()
                server.files = {f"{folder}/{name}": text for name, text in server.files.items()}
                self.install(url=f"{server.url}/{page}")
                self.assert_installed()

    def test_a_file_is_checked_when_there_is_something_to_check_it_with(self):
        alone = self.on_disk({"depot-new": self.plugin})
        listed = self.on_disk(release_of(self.plugin))
        wrong = self.on_disk({**release_of(self.other), NAME: self.plugin})
        for shell in self.shells():
            self.assertIn("not checked", self.install(alone / "depot-new", shell=shell).stderr)
            self.assert_installed()
            self.assertNotIn("not checked", self.install(listed / NAME, shell=shell).stderr)
            self.assertIn("damaged", self.install(wrong / NAME, shell=shell, check=1).stderr)

    def test_every_checksum_program_will_do(self):
        folder = self.on_disk(release_of(self.plugin))
        wrong = self.on_disk({**release_of(self.other), NAME: self.plugin})
        for program in ("sha256sum", "shasum", "openssl"):
            with self.subTest(program=program):
                self.fresh()
                path = {"PATH": self.tools(program, "perl" if program == "shasum" else "sleep")}
                self.assertIn("damaged", self.install(url=wrong, check=1, env=path).stderr)
                self.install(url=folder, env=path)
                self.assert_installed()

    def test_the_usual_places(self):
        folder = self.on_disk(release_of(self.plugin))
        home = self.target / "home"
        usual = {"HOME": home, "DEPOT_INSTALL_DIR": None, "DEPOT_INSTALL_BIN": self.bin}
        self.install(url=folder, env=usual)
        self.assertTrue((home / ".docker/cli-plugins/docker-depot").is_file())
        self.install(url=folder, env={**usual, "DOCKER_CONFIG": self.docker_config})
        self.assertIn("depot", self.run_docker("depot", "version").stdout)
        self.install("--uninstall", env={**usual, "DOCKER_CONFIG": self.docker_config})

    def test_an_empty_folder_for_the_name_leaves_the_name_out(self):
        folder = self.on_disk(release_of(self.plugin))
        self.install(url=folder, env={"DEPOT_INSTALL_BIN": ""})
        self.assertEqual(self.left(), [self.plugins / "docker-depot"])


class Encrypted(InstallTest):
    def setUp(self):
        super().setUp()
        self.tls = (self.rig["SERVER_CERT"], self.rig["SERVER_KEY"])

    def test_certificates_are_checked(self):
        server = self.release(self.tls)
        for tool in ("curl", "wget"):
            path = {"PATH": self.tools("sha256sum", tool)}
            self.install(url=server.url, env=path, check=1)
            self.assert_nothing_left()
        trusting = {"PATH": self.tools("sha256sum", "curl"), "SSL_CERT_FILE": self.rig["CACERT"]}
        self.install(url=server.url, env=trusting)
        self.assert_installed()

    def test_a_downloader_that_does_not_check_them_is_refused(self):
        server = self.release(self.tls)
        path = {"PATH": self.tools("sha256sum")}
        said = self.install(url=server.url, shell=self.ash, env=path, check=1).stderr
        self.assertIn("does not check the certificates of servers", said)
        self.assert_nothing_left()

    def test_what_is_encrypted_does_not_go_on_in_the_clear(self):
        plain = self.release()
        server = self.release(self.tls, redirect_to=f"http://{plain.address}")
        trusting = {"PATH": self.tools("sha256sum", "curl"), "SSL_CERT_FILE": self.rig["CACERT"]}
        said = self.install(url=server.url, env=trusting, check=1).stderr
        self.assertIn("which is not https", said)
        self.assertEqual(plain.requests, [])


class Busybox(InstallTest):
    def root(self):
        """A shell needs /dev/null."""
        root = self.bare_root(plugin=False)
        (root / "dev").mkdir()
        os.mknod(root / "dev" / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        (root / "dev" / "null").chmod(0o666)
        return root

    def test_a_user_without_rights_installs_at_home(self):
        server, root = self.release(), self.root()
        home = root / "home" / "user"
        home.mkdir(parents=True)
        os.chown(home, 12345, 12345)
        env = {"HOME": "/home/user", "DEPOT_PLUGIN_URL": server.url}
        piped = f"wget -qO- {server.url}/install.sh | sh"
        said = self.run_in(root, "/bin/sh", "-c", piped, env=env, user=12345)
        self.assertIn("/home/user/.docker/cli-plugins/docker-depot", said.stdout)
        self.assertIn("depot is the same program: /home/user/.local/bin/depot", said.stdout)
        self.assertIn("/home/user/.local/bin is not in PATH", said.stderr)
        self.run_in(root, "/home/user/.local/bin/depot", "version", env=env, user=12345)
        self.run_in(root, "/bin/sh", "-c", piped + " -s -- --uninstall", env=env, user=12345)
        self.assertEqual([path for path in home.rglob("*") if not path.is_dir()], [])

    def test_a_root_of_busybox_alone_installs_and_builds(self):
        server, root = self.release(), self.root()
        env = {"HOME": "/root", "DEPOT_PLUGIN_URL": server.url, "PATH": "/usr/local/bin:/bin"}
        piped = f"wget -qO- {server.url}/install.sh | sh"
        said = self.run_in(root, "/bin/sh", "-c", piped, env=env)
        self.assertIn("depot is the same program: /usr/local/bin/depot", said.stdout)
        self.assertEqual(said.stderr, "")
        self.write_in(root, "/src/Dockerfile", f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()}\n")
        self.run_in(root, "/usr/local/bin/depot", "build", "/src", env={**env, **self.pem_variables()})
        self.run_in(root, "/bin/sh", "-c", "cd src && depot build .", env={**env, **self.pem_variables()})
        self.run_in(root, "/bin/sh", "-c", piped + " -s -- --uninstall", env=env)
        self.assertEqual(list((root / "usr/local/bin").iterdir()), [])
        self.assertEqual(list((root / "root/.docker/cli-plugins").iterdir()), [])


class Changes(InstallTest):
    def test_upgrade_and_downgrade(self):
        new, old = (self.on_disk(release_of(one)) for one in (self.other, self.plugin))
        for shell in self.shells():
            self.install(url=old, shell=shell)
            self.assertIn(self.other_version, self.install(url=new, shell=shell).stdout)
            self.assert_installed(self.other)
            self.install(url=old, shell=shell)
            self.assert_installed()

    def test_a_program_that_runs_is_replaced(self):
        new, old = (self.on_disk(release_of(one)) for one in (self.other, self.plugin))
        self.install(url=old)
        read, write = os.pipe()
        with open(read, "rb") as waits, open(write, "wb"):
            argv = [self.plugins / "docker-depot", "build", "-"]
            running = self._start(argv, None, "plain", None, None, waits)
            time.sleep(0.3)
            self.install(url=new)
            self.assertIsNone(running.process.poll())
        running.end()
        self.assert_installed(self.other)

    def test_several_at_once(self):
        server = self.release()
        started = [
            self.start_install(env={"DEPOT_PLUGIN_URL": server.url}, shell=shell)
            for shell in 3 * (["/bin/dash"], self.ash)
        ]
        for one in started:
            self._finish(one, 0, 60)
        self.assert_installed()

    def test_uninstall_removes_what_was_installed_and_nothing_else(self):
        folder = self.on_disk(release_of(self.plugin))
        for shell in self.shells():
            self.install(url=folder, shell=shell)
            others = [self.plugins / "docker-compose", self.bin / "docker-depot"]
            for other in others:
                other.write_text("another program")
            self.install("--uninstall", shell=shell)
            self.assertEqual(self.left(), sorted(others))
            self.assertIn("not installed", self.install("--uninstall", shell=shell).stdout)

    def test_a_foreign_depot_stays_unless_forced(self):
        folder = self.on_disk(release_of(self.plugin))
        for shell in self.shells():
            self.bin.mkdir()
            for make in (
                lambda: (self.bin / "depot").write_text("the official one"),
                lambda: (self.bin / "depot").symlink_to("../Cellar/depot/bin/depot"),
            ):
                make()
                before = os.lstat(self.bin / "depot").st_ino
                self.assertIn("another program", self.install(url=folder, shell=shell).stderr)
                self.install("--uninstall", shell=shell)
                self.assertEqual(os.lstat(self.bin / "depot").st_ino, before)
                self.install("--force", url=folder, shell=shell)
                self.assert_installed()
                self.install("--uninstall", shell=shell)

    def test_another_depot_before_ours_in_path_is_said(self):
        folder = self.on_disk(release_of(self.plugin))
        tools = self.tools("sha256sum")
        (tools / "depot").symlink_to(shutil.which("true"))
        said = self.install(url=folder, env={"PATH": f"{tools}:{self.bin}"}).stderr
        self.assertIn(f"depot means {tools}/depot here", said)

    def test_an_interrupted_download_leaves_nothing(self):
        for shell in self.shells():
            for tools in (("curl",), ("wget",)):
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    self.fresh()
                    server = self.release(pause=threading.Event())
                    server.files["SHA256SUMS"] = self.plugin
                    env = {"DEPOT_PLUGIN_URL": server.url, "PATH": self.tools("sha256sum", *tools)}
                    running = self.start_install(shell=shell, env=env)
                    self.wait_until(lambda: server.requests, 10, "nothing is downloaded")
                    time.sleep(0.2)
                    running.send(number)
                    self._finish(running, 128 + number, 10)
                    self.assert_nothing_left()
                    self.assertFalse(_group(running.pid), "a program is left")
                    server.pause.set()

    def test_a_script_that_arrives_cut_short_does_nothing(self):
        folder = self.on_disk(release_of(self.plugin))
        script = SCRIPT.read_bytes()
        ends = [*range(0, len(script) - 60, 977), *range(len(script) - 60, len(script) - 1)]
        for shell in self.shells():
            for end in ends:
                part = {"stdin": script[:end], "script": None, "check": None}
                self.install(url=folder, shell=shell, **part)
                self.assert_nothing_left()
            self.install(url=folder, shell=shell, script=None, stdin=script)
            self.assert_installed()


class Refusals(InstallTest):
    """After each of these what was installed before is as it was, and nothing is beside it."""

    def assert_refused(self, *texts, shell=("/bin/dash",), **options):
        self.plugins.mkdir(exist_ok=True)
        before = self.left()
        result = self.install(shell=shell, check=1, **options)
        for text in texts:
            self.assertIn(text, result.stderr)
        self.assertEqual(self.left(), before)
        self.assertEqual(result.stdout, "")
        return result

    def test_a_damaged_or_incomplete_release(self):
        half = self.plugin[: len(self.plugin) // 2]
        good = release_of(self.plugin)
        refused = [
            ({**good, NAME: half}, {}, "damaged"),
            (good, {"claim": 1000}, "cannot download"),
            ({NAME: self.plugin}, {}, "404"),
            ({"SHA256SUMS": good["SHA256SUMS"]}, {}, f"the folder must hold SHA256SUMS and {NAME}"),
            ({**good, "SHA256SUMS": b""}, {}, f"does not have {NAME}"),
            ({**good, "SHA256SUMS": b"0123  " + NAME.encode()}, {}, "damaged"),
        ]
        for shell in self.shells():
            self.install(url=self.on_disk(release_of(self.other)), shell=shell)
            for files, attributes, text in refused:
                for tools in (("curl",), ("wget",)):
                    server = self.release(**attributes)
                    server.files = files
                    path = {"PATH": self.tools("sha256sum", *tools)}
                    self.assert_refused(text, url=server.url, shell=shell, env=path)
            self.assert_installed(self.other)

    def test_a_server_that_cannot_be_reached(self):
        for shell in self.shells():
            for tools in (("curl",), ("wget",)):
                path = {"PATH": self.tools("sha256sum", *tools)}
                for host in ("127.0.0.1:403", self.closed_port(), "no-such-host.invalid"):
                    said = ("cannot download", "can this machine reach it?")
                    self.assert_refused(*said, url=f"http://{host}/v1", shell=shell, env=path)

    def test_a_file_that_does_not_belong_here(self):
        of_arm = self.plugin[:18] + b"\xb7" + self.plugin[19:]
        for content, text in (
            (of_arm, "another kind of machine"),
            (b"<html>Please log in</html>", "is not a program"),
            (busybox().read_bytes(), "does not run"),
        ):
            for shell in self.shells():
                folder = self.on_disk(release_of(content))
                self.assert_refused(text, url=folder, shell=shell)

    def test_an_arm64_machine_takes_the_arm64_program(self):
        name = "docker-depot-linux-arm64"
        files = {name: self.plugin}
        folder = self.on_disk({**files, "SHA256SUMS": sums(files).encode()})
        tools = self.tools("sha256sum")
        (tools / "uname").unlink()
        (tools / "uname").write_text('#!/bin/sh\n[ "$1" = -m ] && echo aarch64 || echo Linux\n')
        (tools / "uname").chmod(0o755)
        said = ("another kind of machine", f"this one needs {name}")
        self.assert_refused(*said, url=folder, env={"PATH": tools})

    def test_a_machine_without_what_is_needed(self):
        server = self.release()
        neither = {"PATH": self.tools("sha256sum")}
        self.assert_refused("neither curl nor wget", "install.sh FILE", url=server.url, env=neither)
        self.assert_refused("neither sha256sum nor", url=server.url, env={"PATH": self.tools("curl")})
        self.assert_refused("nothing says what to install", "DEPOT_PLUGIN_URL")
        self.assert_refused("no known kind", url="ftp://release.example/v1")
        for shell in self.shells():
            homeless = {"DEPOT_INSTALL_DIR": None}
            self.assert_refused("HOME is not set", url=server.url, shell=shell, env=homeless)
            as_i386 = ("setarch", "i686")
            self.assert_refused("i686", "amd64 and arm64", url=server.url, shell=shell, wrapper=as_i386)
        self.assertEqual(server.requests, [])

    def test_a_folder_that_cannot_be_written_to(self):
        folder = self.on_disk(release_of(self.plugin))
        folder.chmod(0o755)
        for shell in self.shells():
            self.plugins.mkdir()
            nobody = {"user": 65534, "group": 65534, "extra_groups": []}
            said = ("cannot write to", "DEPOT_INSTALL_DIR names another")
            self.assert_refused(*said, url=folder, shell=shell, **nobody)
            below = {"DEPOT_INSTALL_DIR": self.plugins / "deeper"}
            self.assert_refused("cannot make the folder", url=folder, shell=shell, env=below, **nobody)
            self.plugins.chmod(0o777)
            said = ("cannot make the folder", "DEPOT_INSTALL_BIN names another")
            self.assert_refused(*said, url=folder, shell=shell, **nobody)

    def test_a_full_disk_and_one_where_nothing_may_run(self):
        server, folder = self.release(), self.on_disk(release_of(self.plugin))
        for shell in self.shells():
            for options, text in (("size=1m", "is there room in"), ("noexec", "mounted noexec?")):
                for source, tools in ((server.url, "curl"), (server.url, "wget"), (folder, "wget")):
                    self.fresh()
                    self.plugins.mkdir()
                    mount = ["mount", "-t", "tmpfs", "-o", options, "none", self.plugins]
                    subprocess.run(mount, check=True)
                    try:
                        path = {"PATH": self.tools("sha256sum", tools)}
                        self.assert_refused(text, url=source, shell=shell, env=path)
                    finally:
                        subprocess.run(["umount", self.plugins], check=True)

    def test_a_folder_in_the_place_of_the_file(self):
        (self.plugins / "docker-depot").mkdir(parents=True)
        self.assert_refused("is a folder", url=self.on_disk(release_of(self.plugin)))

    def test_wrong_arguments(self):
        self.assertIn("Usage:", self.install("--frobnicate", check=2).stderr)
        self.assertIn("DEPOT_PLUGIN_URL", self.install("--help").stdout)


class Credentials(InstallTest):
    def setUp(self):
        super().setUp()
        self.servers = []

    def tearDown(self):
        try:
            self.assert_no_leak(SECRET)
            for server in self.servers:
                self.assertNotIn(SECRET, server.seen_arguments)
        finally:
            super().tearDown()

    def release(self, **options):
        self.servers.append(super().release(**options))
        return self.servers[-1]

    def with_each(self):
        for tool in ("curl", "wget"):
            self.fresh()
            yield {"PATH": self.tools("sha256sum", tool)}

    def test_a_header_reaches_the_server(self):
        server = self.release(header=("JOB-TOKEN", f'{SECRET} "\\'))
        for env in self.with_each():
            header = {"DEPOT_PLUGIN_HEADER": f'JOB-TOKEN: {SECRET} "\\'}
            self.install(url=server.url, env={**env, **header})
            self.assert_installed()
            self.fresh()
            wrong = {"DEPOT_PLUGIN_HEADER": "JOB-TOKEN: other"}
            said = self.install(url=server.url, env={**env, **wrong}, check=1).stderr
            self.assertIn("403", said)
            self.assertIn("DEPOT_PLUGIN_HEADER", said)

    def test_a_header_does_not_reach_where_the_server_redirects(self):
        storage = self.release()
        server = self.release(redirect_to=f"http://{storage.address}")
        for env in self.with_each():
            header = {"DEPOT_PLUGIN_HEADER": f"JOB-TOKEN: {SECRET}"}
            self.install(url=server.url, env={**env, **header})
            self.assert_installed()
        for path, headers in storage.requests:
            self.assertNotIn("JOB-TOKEN", headers, path)
        self.assertEqual({headers.get("JOB-TOKEN") for _, headers in server.requests}, {SECRET})

    def test_redirects_without_end_end(self):
        server = self.release()
        server.redirect_to = server.url
        for env in self.with_each():
            self.assertIn("redirects too often", self.install(url=server.url, env=env, check=1).stderr)

    def test_a_password_in_the_url_is_used_and_never_shown(self):
        server = self.release(basic="Basic Y2k6Z2xjYnQtNGYxZThjNmE5ZDI3YjM1")
        for env in self.with_each():
            self.install(url=f"http://ci:{SECRET}@{server.address}/v1", env=env)
            self.assert_installed()
            missing = f"http://ci:{SECRET}@{server.address}/v2"
            said = self.install(url=missing, env=env, check=1).stderr
            self.assertIn(f"http://***@{server.address}/v2", said)
            self.install(url=f"http://ci:{SECRET}@{self.closed_port()}/v1", env=env, check=1)
        self.install(url=f"ssh://ci:{SECRET}@release.example/v1", check=1)
        self.install(url=f"{server.url}?token={SECRET}", check=1)

    def test_busybox_says_what_to_do_instead(self):
        server = self.release()
        shell, env = self.ash, {"PATH": self.tools("sha256sum", "wget")}
        for how in (
            {"env": {**env, "DEPOT_PLUGIN_HEADER": f"JOB-TOKEN: {SECRET}"}, "url": server.url},
            {"env": env, "url": f"http://ci:{SECRET}@{server.address}/v1"},
        ):
            said = self.install(shell=shell, check=1, **how).stderr
            self.assertIn("install curl", said)
        self.assertEqual(server.requests, [])


def _group(leader):
    """The programs of a process group."""
    found = []
    for process in processes():
        with contextlib.suppress(OSError, IndexError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader and fields[0] != "Z":
                found.append(process.name)
    return found
