"""`doctor`: each of its checks, well and failing."""

import email.utils
import json
import os
import subprocess
import time

from fake_api import FakeApi, failure
from faulty_registry import FaultyRegistry
from harness import EndToEnd


class Doctor(EndToEnd):
    def checks(self, *args, check=0, **options):
        """What it finds, by check: the health, the text and the fix of each, joined."""
        result = self.run_plugin("doctor", "--json", *args, check=check, **options)
        report = json.loads(result.stdout)
        self.assertEqual(report["ok"], result.rc == 0, result)
        return {
            one["check"]: (one["health"], f"{one['text']} / {one['fix']}")
            for one in report["checks"]
        }

    def assert_check(self, found, name, health, says):
        self.assertEqual(found[name][0], health, found)
        self.assertRegex(found[name][1], says)

    def test_all_is_well(self):
        self.login("bearer", user="PUSHER")
        (self.docker_config / "cli-plugins").mkdir()
        (self.docker_config / "cli-plugins/docker-depot").symlink_to(os.environ["DEPOT_PLUGIN"])
        image = self.image_name(registry="bearer")
        found = self.checks(image, engine="containerd", builder="tls")
        self.assert_check(found, "builder", "good", r"linux/amd64.*a question takes \d+ ms, \d+ MB/s")
        self.assert_check(found, "registry", "good", "may begin")
        self.assert_check(found, "clock", "good", r"this machine is \d s")
        self.assert_check(found, "Engine", "good", "image store containerd")
        self.assert_check(found, "plugin", "good", "cli-plugins/docker-depot")
        self.assertFalse(self.repository(image).has(image.rpartition(":")[2]))
        text = self.run_plugin("doctor", image, engine="containerd", builder="tls").stdout
        self.assertRegex(text, r"(?m)^ok    registry ")
        self.assert_no_leak(self.rig["PUSHER"].partition(":")[2])

    def test_a_builder_that_is_not_there(self):
        found = self.checks(builder=f"tcp://{self.closed_port()}", check=110)
        self.assert_check(found, "builder", "bad", "connection refused")
        self.assert_check(found, "Engine", "doubtful", "no-engine.sock")

    def test_a_builder_of_another_authority(self):
        env = {"DEPOT_BUILDER_CACERT": self.rig["STRANGER_CACERT"]}
        found = self.checks(builder="tls", env=env, check=110)
        self.assert_check(found, "builder", "bad", "authority|certificate")

    def test_a_builder_of_another_name(self):
        found = self.checks(builder="tls", env={"DEPOT_BUILDER_SERVERNAME": "other.example"}, check=110)
        self.assert_check(found, "builder", "bad", "other.example")

    def test_a_builder_whose_certificate_has_expired(self):
        builder = self.bridge(certificate=self.expired_certificate())
        env = {**self.tls_variables(), "DEPOT_BUILDER_SERVERNAME": None, "DEPOT_BUILDER_CACERT": self.folder / "ca.pem"}
        found = self.checks(builder=builder.url, env=env, check=110)
        self.assert_check(found, "builder", "bad", "expired")

    def expired_certificate(self):
        """The name for bridge() of one that was valid in 2001, by an authority of the test's own, ca.pem."""
        (self.folder / "index").touch()
        (self.folder / "serial").write_text("01\n")
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca = all\n[all]\ndatabase = index\nserial = serial\nnew_certs_dir = .\n"
            "default_md = sha256\npolicy = any\nx509_extensions = server\n[any]\ncommonName = supplied\n"
            "[server]\nsubjectAltName = IP:127.0.0.1\nextendedKeyUsage = serverAuth\n"
        )
        key = ["-nodes", "-newkey", "rsa:2048"]
        dates = ["-startdate", "20010101000000Z", "-enddate", "20010201000000Z"]
        for line in (
            ["req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "9"],
            ["req", "-new", *key, "-keyout", "old.key", "-out", "old.csr", "-subj", "/CN=old"],
            ["ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", *dates, "-in", "old.csr", "-out", "old.pem"],
        ):
            subprocess.run(["openssl", *line], cwd=self.folder, check=True, capture_output=True)
        self.rig = {**self.rig, "OLD_CERT": self.folder / "old.pem", "OLD_KEY": self.folder / "old.key"}
        return "OLD"

    def test_a_builder_that_does_not_let_us_in(self):
        builder = self.bridge(client_ca="STRANGER_CACERT")
        found = self.checks(builder=builder.url, env=self.tls_variables(), check=110)
        self.assert_check(found, "builder", "bad", "certificate")

    def test_a_clock_that_is_wrong(self):
        def an_hour_ago(request):
            date = email.utils.formatdate(time.time() - 3600, usegmt=True)
            head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 2\r\n"
            request.wfile.write(f"{head}Docker-Distribution-Api-Version: registry/2.0\r\n\r\n{{}}".encode())

        with FaultyRegistry(self.registry_host("open")) as registry:
            registry.will("GET", "^/v2/$", an_hour_ago)
            found = self.checks(f"{registry.address}/{self.image_name()}", builder="plain", check=1)
        self.assert_check(found, "registry", "good", "may begin")
        self.assert_check(found, "clock", "bad", r"this machine is 3\d{3} s ahead of the registry / set the clock")

    def test_a_token_that_the_api_does_not_take(self):
        api = FakeApi(self.rig)
        self.addCleanup(api.close)
        token = "s3cret-token-of-doctor"
        env = {"DEPOT_TOKEN": token, "DEPOT_API_URL": api.url, "SSL_CERT_FILE": api.ca_file, "DEPOT_PROJECT_ID": "other"}
        found = self.checks(env=env, check=112)
        self.assert_check(found, "Depot API", "bad", "does not open the project other / .*list projects")
        api.always("ListProjects", failure(401, "unauthenticated", "who are you?"))
        found = self.checks(env=env, check=112)
        self.assert_check(found, "Depot API", "bad", "who are you")
        env["SSL_CERT_FILE"] = self.rig["STRANGER_CACERT"]
        found = self.checks(env=env, check=110)
        self.assert_check(found, "Depot API", "bad", "certificate|authority")
        self.assert_no_leak(token)

    def test_an_old_builder(self):
        found = self.checks(engine="oldest")
        self.assert_check(found, "builder", "doubtful", "older than 0.11")

    def test_who_may_not_push(self):
        self.login("bearer", user="READER")
        found = self.checks(self.image_name(registry="bearer"), builder="plain", check=112)
        self.assert_check(found, "registry", "bad", "config.json")
        self.assert_no_leak(self.rig["READER"].partition(":")[2])

    def test_a_registry_that_is_not_there(self):
        found = self.checks(f"{self.closed_port()}/x/y", builder="plain", check=113)
        self.assert_check(found, "registry", "bad", "refused")

    def test_a_project_without_a_token(self):
        found = self.checks(env={"DEPOT_PROJECT_ID": "p"}, check=112)
        self.assert_check(found, "choice", "bad", "needs a token")

    def test_an_api_that_is_not_there(self):
        env = {"DEPOT_TOKEN": "s3cret-token", "DEPOT_API_URL": f"https://{self.closed_port()}"}
        found = self.checks(env=env, check=110)
        self.assert_check(found, "Depot API", "bad", "refused")
        self.assert_no_leak("s3cret-token")

    def test_settings_that_cannot_be_read_do_not_end_it(self):
        (self.docker_config / "config.json").write_text('{"auths": 3')
        found = self.checks(builder="plain", env={"DOCKER_AUTH_ORDER": "both"}, check=125)
        self.assert_check(found, "settings", "bad", r"config.json: not valid JSON.*; DOCKER_AUTH_ORDER.* / .*mend")
        self.assert_check(found, "builder", "good", "linux/amd64")
        self.build(self.context({"Dockerfile": "FROM scratch\n"}), builder="plain", check=125)

    def test_whatever_fails_has_a_fix(self):
        self.login("bearer", user="READER")
        for image in (self.image_name(registry="bearer"), f"{self.closed_port()}/x/y", "nowhere.invalid/x"):
            found = self.checks(image, builder="plain", check=None)
            self.assertEqual(found["registry"][0], "bad")
            self.assertNotRegex(found["registry"][1], r" / $")

    def test_this_machine(self):
        plugins = self.docker_config / "cli-plugins"
        plugins.mkdir()
        (plugins / "docker-depot").write_text("no program")
        env = {"HTTPS_PROXY": "http://user:pa55word@[", "PATH": str(self.folder)}
        found = self.checks(builder="plain", env=env, check=1)
        self.assert_check(found, "plugin", "bad", "chmod")
        self.assert_check(found, "docker", "doubtful", "no docker client in PATH")
        self.assert_check(found, "proxies", "bad", "HTTPS_PROXY is no URL")
        self.assert_no_leak("pa55word")

    def test_plugins_in_two_places(self):
        (self.docker_config / "cli-plugins").mkdir()
        (self.docker_config / "cli-plugins/docker-depot").symlink_to(os.environ["DEPOT_PLUGIN"])
        system = "/usr/local/lib/docker/cli-plugins"
        # In a mount namespace of its own: the machine's folder stays as it is.
        put = f'mount -t tmpfs x /usr/local/lib && mkdir -p {system} && cp "$0" {system}/ && exec "$0" doctor --json'
        said = subprocess.run(
            ["unshare", "--mount", "sh", "-c", put, os.environ["DEPOT_PLUGIN"]],
            env=self.environment(builder="plain"),
            cwd=self.work,
            capture_output=True,
            check=True,
        )
        (finding,) = (one for one in json.loads(said.stdout)["checks"] if one["check"] == "plugin")
        self.assertEqual((finding["health"], finding["fix"]), ("doubtful", "remove all but one"))
        self.assertRegex(finding["text"], f"2 of them, of which docker runs the first: .*, {system}/docker-depot$")
