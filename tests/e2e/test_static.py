"""The static binary where there is nothing: a container FROM scratch, and a root of busybox alone."""

import json
import random
import subprocess
from pathlib import Path

import connect
import fake_api
from harness import FAILURES
from bare_root import BareRootTest
from fake_api import say
from name_server import NameServer
from relays import Relay

LOGIN_TOKEN = "depot_user_5b8e0c2d9f7a41638e1d"
TOKEN = "depot_user_91c2e7f05d3b48a6b7f0"
HOSTS = "127.0.0.1 builder.test\n"
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Red Hat
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine
)


class StaticTest(BareRootTest):
    def api(self):
        api = fake_api.FakeApi(self.rig)
        self.addCleanup(api.close)
        message = connect.envelope(connect.encode("FinishLoginResponse", {"token": LOGIN_TOKEN}))
        stream = message + connect.end_of_stream()
        api.always("StartLogin", say("StartLogin", id="login1", approve_url="https://depot.example/a"))
        api.always("FinishLogin", lambda handler, _: handler.answer(200, stream, "application/connect+proto"))
        return api

    def authority(self):
        return Path(self.rig["CACERT"]).read_text()

    def auth_config(self, registry):
        return json.dumps({"auths": self.auths(registry)})

    def dockerfile(self):
        """With a step that is in no cache."""
        return f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()} >/proof\n"


class FromScratch(StaticTest):
    """Nothing in the container but the program and the rig's authority; the root folder cannot be written to."""

    def setUp(self):
        super().setUp()
        self.image = self.image_name("alone")
        files = {"Dockerfile": "FROM scratch\nCOPY . /\nENTRYPOINT [\"/docker-depot\"]\n"}
        files[".dockerignore"] = "Dockerfile\n.dockerignore\n"
        folder = self.context({**files, "etc/ssl/certs/ca-certificates.crt": self.authority()})
        self.link_or_copy(self._plugin(), folder / "docker-depot")
        self.build("-t", self.image, "--load", folder, engine="containerd")
        self.addCleanup(self.engine("containerd").remove, self.image)
        self.source = self.context({"Dockerfile": self.dockerfile()})

    def run_alone(self, *args, env=None, mounts=None, options=(), **more):
        """`mounts` is {path in the container: path here}. HOME is the root folder: the Engine has it so."""
        words = ["run", "--rm", "--read-only", "--network", "host", *options]
        for name in env or {}:
            words += ["--env", name]
        for inside, here in (mounts or {}).items():
            words += ["--volume", f"{here}:{inside}"]
        return self.run_docker(*words, self.image, *args, engine="containerd", env=env, **more)

    def test_builds_with_mutual_tls_and_pushes(self):
        image = self.image_name(registry="bearer")
        env = {**self.pem_variables(), "DOCKER_AUTH_CONFIG": self.auth_config("bearer")}
        for options in ((), ("--user", "12345:12345")):
            self.run_alone(
                "build", "--push", "-t", image, "/src", env=env, mounts={"/src": self.source}, options=options
            )
            self.assertTrue(self.repository(image).has("latest"))

    def test_trusts_a_builder_by_the_bundle(self):
        env = self.pem_variables(DEPOT_BUILDER_CACERT=None)
        self.run_alone("build", "/src", env=env, mounts={"/src": self.source})

    def test_loads_through_the_socket_of_the_engine(self):
        engine = self.engine("containerd")
        socket = self.rig["ENGINE_CONTAINERD"].removeprefix("unix://")
        mounts = {"/src": self.source, "/var/run/docker.sock": socket}
        for env in (self.pem_variables(), {}):
            image = self.image_name("loaded")
            self.run_alone("build", "--load", "-t", image, "/src", env=env, mounts=mounts)
            self.assertEqual(engine.run(image, "true")[0], 0)
            engine.remove(image)

    def test_writes_results_to_a_mounted_folder(self):
        out = self.folder / "out"
        out.mkdir()
        mounts = {"/src": self.source, "/out": out}
        env = self.pem_variables()
        self.run_alone("build", "--output", "type=local,dest=/out/tree", "/src", env=env, mounts=mounts)
        self.assertTrue((out / "tree" / "proof").is_file())
        self.run_alone("build", "--output", "type=oci,dest=/out/image.tar", "/src", env=env, mounts=mounts)
        self.assertTrue((out / "image.tar").is_file())

    def test_archives_of_two_machines_need_a_temporary_folder_and_say_so(self):
        out = self.folder / "out"
        out.mkdir()
        mounts = {"/src": self.source, "/out": out}
        env = self.pem_variables(DEPOT_BUILDER=self.two_builders())
        words = ("build", "--platform", "linux/amd64,linux/arm64", "--output", "type=oci,dest=/out/image.tar", "/src")
        said = self.run_alone(*words, env=env, mounts=mounts, check=1).stderr
        self.assertIn("TMPDIR", said)
        self.run_alone(*words, env={**env, "TMPDIR": "/out"}, mounts=mounts)
        self.assertEqual([path.name for path in out.iterdir()], ["image.tar"])

    def test_logs_in_where_it_may_keep_the_token(self):
        api = self.api()
        env = {"DEPOT_API_URL": api.url}
        said = self.run_alone("login", env=env, check=1).stderr
        self.assertIn("read-only file system", said)
        self.assertIn("XDG_CONFIG_HOME", said)
        state = self.folder / "state"
        state.mkdir()
        env["XDG_CONFIG_HOME"] = "/state"
        self.run_alone("login", env=env, mounts={"/state": state})
        self.run_alone("list", "projects", env=env, mounts={"/state": state})
        self.assertEqual([one.token for one in api.asked("ListProjects")], [LOGIN_TOKEN])

    def test_builds_through_the_api(self):
        api = self.api()
        env = {"DEPOT_API_URL": api.url, "DEPOT_TOKEN": TOKEN}
        self.run_alone("build", "/src", env=env, mounts={"/src": self.source})
        self.assertEqual(api.finish(), "success")


class BusyboxRoot(StaticTest):
    """No /dev, /proc and /tmp either."""

    def test_builds_pushes_and_loads(self):
        root = self.bare_root({"/src/Dockerfile": self.dockerfile()})
        image = self.image_name(registry="bearer")
        env = {**self.pem_variables(), "DOCKER_AUTH_CONFIG": self.auth_config("bearer")}
        self.run_in(root, "/bin/docker-depot", "build", "--push", "-t", image, "/src", env=env)
        self.assertTrue(self.repository(image).has("latest"))

        relay = self.link(self.rig["ENGINE_CONTAINERD"].removeprefix("unix://"), port=root / "engine.sock")
        self.assertTrue(relay.url)
        engine, image = self.engine("containerd"), self.image_name("loaded")
        env["DOCKER_HOST"] = "unix:///engine.sock"
        self.run_in(root, "/bin/docker-depot", "build", "--load", "-t", image, "/src", env=env)
        self.assertEqual(engine.run(image, "true")[0], 0)
        engine.remove(image)

    def test_logs_in(self):
        api = self.api()
        root = self.bare_root({BUNDLES[0]: self.authority(), "/etc/hosts": "127.0.0.1 localhost\n"})
        env = {"DEPOT_API_URL": api.url}
        said = self.run_in(root, "/bin/docker-depot", "login", env=env, check=1).stderr
        self.assertIn("HOME is not set", said)
        env["HOME"] = "/root"
        self.run_in(root, "/bin/docker-depot", "login", env=env)
        self.run_in(root, "/bin/docker-depot", "list", "projects", env=env)
        self.assertEqual([one.token for one in api.asked("ListProjects")], [LOGIN_TOKEN])

    def test_a_credential_helper_is_a_script_of_busybox(self):
        user, _, password = self.rig["PUSHER"].partition(":")
        answer = json.dumps({"ServerURL": "", "Username": user, "Secret": password})
        settings = {"credHelpers": {self.registry_host("bearer"): "note"}}
        root = self.bare_root(
            {"/src/Dockerfile": self.dockerfile(), "/root/.docker/config.json": json.dumps(settings)}
        )
        helper = f"#!/bin/sh\n[ \"$1\" = get ] && cat >/asked && echo '{answer}'\n"
        self.write_in(root, "/bin/docker-credential-note", helper, 0o755)
        image = self.image_name(registry="bearer")
        env = {**self.pem_variables(), "HOME": "/root"}
        said = self.run_in(root, "/bin/docker-depot", "build", "--push", "-t", image, "/src", env=env)
        self.assertIn("docker-credential-note", said.stderr)
        self.assertIn(self.registry_host("bearer"), (root / "asked").read_text())
        self.assertTrue(self.repository(image).has("latest"))


class Names(StaticTest):
    """The name of the builder's certificate is builder.test."""

    def name_server(self, records, address=None):
        address = address or f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}.53"
        server = NameServer(address, records)
        self.addCleanup(server.close)
        return server, f"nameserver {address}\n"

    def build_at(self, host, entries, check=0, **variables):
        root = self.bare_root({"/src/Dockerfile": "FROM scratch\nCOPY Dockerfile /\n", **entries})
        port = self.rig["BUILDER"].rpartition(":")[2]
        env = self.pem_variables(DEPOT_BUILDER=f"tcp://{host}:{port}", **variables)
        return self.run_in(root, "/bin/docker-depot", "build", "/src", env=env, check=check)

    def test_from_the_hosts_file(self):
        self.build_at("builder.test", {"/etc/hosts": HOSTS}, DEPOT_BUILDER_SERVERNAME=None)

    def test_from_a_name_server(self):
        server, settings = self.name_server({"builder.test": ["127.0.0.1"]})
        self.build_at("builder.test", {"/etc/resolv.conf": settings}, DEPOT_BUILDER_SERVERNAME=None)
        self.assertIn(("builder.test", "A"), server.questions)

    def test_modules_that_nsswitch_names_are_not_asked_for(self):
        _, settings = self.name_server({"builder.test": ["127.0.0.1"]})
        modules = "hosts: resolve [!UNAVAIL=return] mdns4_minimal [NOTFOUND=return] sss files dns\n"
        self.build_at("builder.test", {"/etc/resolv.conf": settings, "/etc/nsswitch.conf": modules})

    def test_from_the_second_of_an_answer_of_two_addresses(self):
        _, settings = self.name_server({"builder.test": ["127.99.99.99", "127.0.0.1"]})
        self.build_at("builder.test", {"/etc/resolv.conf": settings})

    def test_search_domains_and_ndots(self):
        server, settings = self.name_server({"machine.two.test": ["127.0.0.1"], "a.b.two.test": ["127.0.0.1"]})
        settings += "search one.test two.test\noptions ndots:2\n"
        for host in ("machine", "a.b"):
            server.questions.clear()
            self.build_at(host, {"/etc/resolv.conf": settings})
            asked = [name for name, kind in server.questions if kind == "A"]
            self.assertEqual(asked[:2], [f"{host}.one.test", f"{host}.two.test"])

    def test_a_name_server_with_an_ipv6_address(self):
        server, settings = self.name_server({"builder.test": ["127.0.0.1"]}, "::1")
        self.build_at("builder.test", {"/etc/resolv.conf": settings})
        self.assertIn(("builder.test", "A"), server.questions)

    def test_a_server_with_an_ipv6_address_alone(self):
        api = self.api()
        relay = Relay(("127.0.0.1", int(api.url.rpartition(":")[2])), "::1")
        self.addCleanup(relay.close)
        server, settings = self.name_server({"builder.test": ["::1"]})
        root = self.bare_root({BUNDLES[0]: self.authority(), "/etc/resolv.conf": settings})
        env = {"DEPOT_API_URL": f"https://builder.test:{relay.port}", "DEPOT_TOKEN": TOKEN}
        self.run_in(root, "/bin/docker-depot", "list", "projects", env=env)
        self.assertIn(("builder.test", "AAAA"), server.questions)

    def test_a_name_that_nobody_knows_is_said(self):
        _, settings = self.name_server({})
        said = self.build_at("builder.test", {"/etc/resolv.conf": settings}, check=110).stderr
        self.assertIn("look up host builder.test", said)
        self.assertIn("check the host name and the machine's DNS", said)


class Proxies(StaticTest):
    """The proxy knows builder.test, the root does not."""

    def setUp(self):
        super().setUp()
        self.proxy = Relay()
        self.addCleanup(self.proxy.close)
        self.variables = {"HTTPS_PROXY": f"http://127.0.0.1:{self.proxy.port}"}

    def root(self, entries=None):
        return self.bare_root({BUNDLES[0]: self.authority(), **(entries or {})})

    def test_the_api_is_reached_through_it(self):
        api = self.api()
        host = f"builder.test:{api.url.rpartition(':')[2]}"
        env = {**self.variables, "DEPOT_API_URL": f"https://{host}", "DEPOT_TOKEN": TOKEN}
        self.run_in(self.root(), "/bin/docker-depot", "list", "projects", env=env)
        self.assertEqual(self.proxy.asked, [host])
        direct = {**env, "NO_PROXY": ".test"}
        self.run_in(self.root({"/etc/hosts": HOSTS}), "/bin/docker-depot", "list", "projects", env=direct)
        self.assertEqual(self.proxy.asked, [host])

    def test_a_registry_is_reached_through_it(self):
        name, _, repository = self.rig["BASE"].partition("/")
        registry = Relay(
            ("127.0.0.1", int(name.rpartition(":")[2])), tls=(self.rig["SERVER_CERT"], self.rig["SERVER_KEY"])
        )
        self.addCleanup(registry.close)
        host = f"builder.test:{registry.port}"
        words = ("/bin/docker-depot", "imagetools", "inspect", f"{host}/{repository}")
        said = self.run_in(self.root(), *words, env=self.variables)
        self.assertIn("linux/amd64", said.stdout)
        self.assertEqual(set(self.proxy.asked), {host})

    def test_a_builder_is_reached_without_it(self):
        root = self.root({"/etc/hosts": HOSTS, "/src/Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
        port = self.rig["BUILDER"].rpartition(":")[2]
        env = {**self.variables, **self.pem_variables(DEPOT_BUILDER=f"tcp://builder.test:{port}")}
        self.run_in(root, "/bin/docker-depot", "build", "/src", env=env)
        self.assertEqual(self.proxy.asked, [])

    def test_one_that_does_not_answer_is_named(self):
        env = {"HTTPS_PROXY": f"http://{self.closed_port()}", "DEPOT_TOKEN": TOKEN}
        env["DEPOT_API_URL"] = "https://builder.test"
        said = self.run_in(self.root(), "/bin/docker-depot", "list", "projects", env=env, check=1).stderr
        self.assertIn("proxy variables", said)


class Authorities(StaticTest):
    """Both connections with TLS, the API's and the builder's, find the authority in the same places."""

    def check_root(self, entries, check=0, **variables):
        root = self.bare_root({"/etc/hosts": HOSTS, "/src/Dockerfile": "FROM scratch\nCOPY Dockerfile /\n", **entries})
        api = self.api()
        port = api.url.rpartition(":")[2]
        env = {"DEPOT_API_URL": f"https://builder.test:{port}", "DEPOT_TOKEN": TOKEN, **variables}
        listed = self.run_in(root, "/bin/docker-depot", "list", "projects", env=env, check=check)
        env = {**self.pem_variables(DEPOT_BUILDER_CACERT=None), **variables}
        built = self.run_in(root, "/bin/docker-depot", "build", "/src", env=env, check=check)
        return listed.stderr, built.stderr

    def test_in_each_of_the_usual_places(self):
        for path in BUNDLES:
            with self.subTest(path=path):
                self.check_root({path: self.authority()})

    def test_in_a_folder_by_hash(self):
        said = subprocess.run(
            ["openssl", "x509", "-noout", "-hash", "-in", self.rig["CACERT"]], check=True, capture_output=True
        )
        name = said.stdout.decode().strip() + ".0"
        self.check_root({f"/etc/ssl/certs/{name}": self.authority()})
        self.check_root({f"/elsewhere/{name}": self.authority()}, SSL_CERT_DIR="/elsewhere")
        self.check_root({f"/elsewhere/{name}": self.authority()}, SSL_CERT_DIR="/nowhere:/elsewhere")

    def test_in_a_file_of_the_environment(self):
        stranger = Path(self.rig["STRANGER_CACERT"]).read_text()
        entries = {BUNDLES[0]: stranger, "/ca.pem": self.authority()}
        self.check_root(entries, SSL_CERT_FILE="/ca.pem")

    def test_without_any_the_error_says_where_was_looked(self):
        for said in self.check_root({}, check=FAILURES):
            for text in (*BUNDLES, "/etc/ssl/certs", "SSL_CERT_FILE"):
                self.assertIn(text, said)

    def test_without_the_right_one_the_error_says_which_were_trusted(self):
        stranger = Path(self.rig["STRANGER_CACERT"]).read_text()
        for said in self.check_root({BUNDLES[4]: stranger}, check=FAILURES):
            self.assertIn(BUNDLES[4], said)
            self.assertIn("SSL_CERT_FILE", said)
        for said in self.check_root({BUNDLES[0]: self.authority()}, check=125, SSL_CERT_FILE="/missing.pem"):
            self.assertIn("/missing.pem", said)
            self.assertIn("SSL_CERT_FILE", said)
