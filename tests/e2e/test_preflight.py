"""What registries say of a push while the build starts: a refusal ends it, anything else does not."""

import json
import signal
import socket
import ssl
import threading
import time

from faulty_registry import FaultyRegistry, answer, web_page
from harness import FAILURES, RIG_FOLDER
from test_depot_api import ApiTest
from test_push import PushTest

_OURS = "docker-depot/"
_UPLOADS = r"/blobs/uploads/$"
_WARNING = "WARNING: could not check whether the push to "
# The promise is 2 s; the machines are slow, and the builds would never end.
_SOON_SECONDS = 15


class PreflightTest(PushTest):
    def setUp(self):
        super().setUp()
        self.step = self.endless_step()

    def lasting(self):
        dockerfile = f"FROM {self.rig['BASE']}\nRUN {self.step}\n"
        return self.context({"Dockerfile": dockerfile})

    def name_of(self, image):
        return image.rpartition(":")[0]

    def auth_variable(self, auths):
        return {"DOCKER_AUTH_CONFIG": json.dumps({"auths": auths})}

    def refused(self, image, *args, builder="tls", engine=None, **options):
        """A build without end that the refusal of one of its registries has ended."""
        builder = None if engine else builder
        result = self.build(
            *("-t", image, "--push", *args, self.lasting()),
            **{"builder": builder, "engine": engine, "check": FAILURES, **options},
        )
        self.assertLess(result.seconds, _SOON_SECONDS, result)
        name = self.name_of(image)
        self.assertRegex(result.stderr, rf"ERROR: pushing to {name} will not be allowed: ")
        self.assertIn("--no-preflight", result.stderr.rpartition("hint: ")[2])
        self.assertNotIn(self.step, result.stderr, "a step ran in vain")
        self.assert_step_ends(self.step)
        return result

    def faulty(self):
        """A registry in front of the open one, and an image name in it."""
        registry = FaultyRegistry(self.registry_host("open"))
        self.addCleanup(registry.__exit__)
        return registry, f"{registry.address}/{self.image_name()}"

    def ours(self, registry, method="POST"):
        """What the plugin itself, not the builder, got for its requests by a method."""
        return [
            status
            for asked, _, agent, status in registry.seen
            if asked == method and agent.startswith(_OURS)
        ]


class Refused(PreflightTest):
    def test_wrong_password_names_its_source(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry, source="config.json"):
                self.docker_settings(auths=self.wrong_auth(registry))
                result = self.refused(self.image_name(registry=registry))
                self.assertRegex(result.stderr, r"ERROR: .* the credentials of config.json: .*401")
                (self.docker_config / "config.json").unlink()
            with self.subTest(registry=registry, source="DOCKER_AUTH_CONFIG"):
                env = self.auth_variable(self.wrong_auth(registry))
                result = self.refused(self.image_name(registry=registry), env=env)
                self.assertRegex(
                    result.stderr, r"ERROR: .* the credentials of DOCKER_AUTH_CONFIG: .*401"
                )
        self.assert_no_leak("not-the-password")

    def test_no_credentials_lead_to_a_login(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                result = self.refused(self.image_name(registry=registry))
                self.assertIn(
                    f"docker login {self.registry_host(registry)}",
                    result.stderr.rpartition("hint: ")[2],
                )

    def test_a_user_who_may_only_read(self):
        self.login("bearer", user="READER")
        result = self.refused(self.image_name(registry="bearer"))
        self.assertIn("config.json", result.stderr.rpartition("ERROR: ")[2])
        self.assert_no_leak(self.password("READER"))

    def test_one_of_two_repositories(self):
        self.docker_settings(auths=self.wrong_auth("basic"))
        allowed = self.image_name(registry="open")
        self.refused(self.image_name(registry="basic"), "-t", allowed)
        self.assert_not_pushed(allowed)

    def test_every_kind_of_builder(self):
        self.docker_settings(auths=self.wrong_auth("basic"))
        for engine in ("containerd", "classic", "oldest"):
            with self.subTest(engine=engine):
                self.refused(self.image_name(registry="basic"), engine=engine)
        with self.subTest(builder="plain"):
            self.refused(self.image_name(registry="basic"), builder="plain")
        with self.subTest(builder="both"):
            platforms = ["--platform", "linux/amd64,linux/arm64"]
            self.refused(self.image_name(registry="basic"), *platforms, builder="both")

    def test_nothing_is_written(self):
        self.docker_settings(auths=self.wrong_auth("basic"))
        metadata, iidfile = self.work / "metadata.json", self.work / "iid"
        reports = ["--metadata-file", metadata, "--iidfile", iidfile]
        result = self.refused(self.image_name(registry="basic"), *reports, "-q")
        self.assertEqual(result.stdout, "")
        self.assertFalse(metadata.exists() or iidfile.exists())

    def test_outputs_that_push(self):
        self.docker_settings(auths=self.wrong_auth("basic"))
        for kind in ("type=registry", "type=image,push=true"):
            with self.subTest(kind=kind):
                name = self.name_of(self.image_name(registry="basic"))
                output = f"{kind},name={name}"
                result = self.build("-o", output, self.lasting(), builder="tls", check=112)
                self.assertIn(f"ERROR: pushing to {name} will not be allowed: ", result.stderr)

    def test_a_repository_that_a_push_does_not_make(self):
        registry, image = self.faulty()
        registry.will("POST", _UPLOADS, answer(404, code="NAME_UNKNOWN"), agent=_OURS)
        result = self.refused(image)
        self.assertRegex(result.stderr, r"ERROR: .*there is no such repository.*404: NAME_UNKNOWN")

    def test_a_registry_that_never_accepts_a_login(self):
        registry, image = self.faulty()
        self.docker_settings(auths={registry.address: self.wrong_auth("basic").popitem()[1]})
        challenge = {"WWW-Authenticate": 'Basic realm="again"'}
        registry.will("POST", _UPLOADS, answer(401, headers=challenge), agent=_OURS)
        self.refused(image)
        self.assertLessEqual(len(self.ours(registry)), 4)

    def test_the_check_can_be_left_out(self):
        registry, image = self.faulty()
        registry.will("POST", r"", answer(403, code="DENIED"))
        context = self.small()
        result = self.build(
            "-t", image, "--push", "--no-preflight", context, builder="tls", check=112
        )
        self.assertEqual(self.ours(registry), [])
        self.assertNotIn("will not be allowed", result.stderr)
        self.assertRegex(result.stderr, r"\[2/2\] RUN .*\n(.*\n)*#\d+ DONE")


class Allowed(PreflightTest):
    def uploads_of(self, image):
        """The uploads that the registry takes for open; of a cancelled one it keeps a hash state."""
        host, _, path = self.name_of(image).partition("/")
        (registry,) = [r for r in ("open", "basic", "bearer") if self.registry_host(r) == host]
        root = RIG_FOLDER / "registries" / registry / "docker/registry/v2/repositories" / path
        self.assertTrue(root.is_dir(), root)
        return list(root.glob("_uploads/*/startedat"))

    def test_no_upload_stays_behind(self):
        self.login("basic")
        self.login("bearer")
        for registry in ("open", "basic", "bearer"):
            with self.subTest(registry=registry):
                image = self.image_name(registry=registry)
                self.push(image)
                self.assert_pushed(image)
                self.wait_until(
                    lambda: not self.uploads_of(image), 5, "an upload stays in the registry"
                )

    def test_the_registry_is_asked_by_us(self):
        registry, image = self.faulty()
        self.push(image)
        self.assertEqual(self.ours(registry), [202])
        self.assertEqual(self.ours(registry, "DELETE"), [204])

    def test_builder_and_check_share_one_token(self):
        self.login("bearer")
        image, since = self.image_name(registry="bearer"), time.time()
        self.push(image)
        path = self.name_of(image).partition("/")[2]
        asked = [
            entry
            for entry in self.token_requests(since)
            if entry["scope"] == [f"repository:{path}:pull,push"]
        ]
        self.assertEqual(len(asked), 1, asked)

    def test_two_builders(self):
        self.login("basic")
        image = self.image_name(registry="basic")
        platforms = ["--platform", "linux/amd64,linux/arm64"]
        self.build("-t", image, "--push", *platforms, self.small(), builder="both")
        self.assertTrue(self.repository(image).has("latest"))

    def test_credentials_stay_at_the_registry(self):
        registry, image = self.faulty()
        other, _ = self.faulty()
        secret = self.wrong_auth("basic").popitem()[1]
        self.docker_settings(auths={registry.address: secret})
        place = f"http://{other.address}/v2/app/blobs/uploads/1"
        registry.will("POST", _UPLOADS, answer(202, headers={"Location": place}), agent=_OURS)
        self.push(image)
        self.assertEqual(self.ours(registry), [202])
        self.assertEqual(other.seen, [])

    def test_a_build_that_does_not_push_asks_nobody(self):
        registry, image = self.faulty()
        self.build("-t", image, self.small(), builder="tls")
        self.assertEqual(registry.seen, [])


class Undecided(PreflightTest):
    """The registry gives no answer that counts: one warning, and the build decides."""

    def fails_by_itself(self, seconds=0):
        run = f"RUN sleep {seconds} && exit 7 # {self.image_name()}"
        return self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{run}\n"})

    def assert_own_failure(self, result):
        self.assertIn("exit code: 7", result.stderr)
        self.assertNotIn("will not be allowed:", result.stderr.replace(_WARNING, ""))

    def test_statuses_that_say_nothing(self):
        for status in (307, 404, 405, 429, 500, 503):
            with self.subTest(status=status):
                registry, image = self.faulty()
                registry.will("POST", _UPLOADS, answer(status), agent=_OURS)
                result = self.push(image)
                self.assert_pushed(image.replace(registry.address, self.registry_host("open")))
                self.assertEqual(result.stderr.count(_WARNING), 1)
                self.assertRegex(result.stderr, rf"{_WARNING}.*status {status}")
                self.assertEqual(self.ours(registry), [status], "asked once")

    def test_somebody_else_answers_in_the_registrys_place(self):
        portal = {"Location": "http://portal.invalid/login"}
        for status, headers in ((403, {}), (401, {}), (200, {}), (302, portal)):
            with self.subTest(status=status):
                registry, image = self.faulty()
                secret = self.wrong_auth("basic").popitem()[1]
                self.docker_settings(auths={registry.address: secret})
                registry.will("POST", _UPLOADS, web_page(status, headers), agent=_OURS)
                result = self.push(image)
                self.assert_pushed(image.replace(registry.address, self.registry_host("open")))
                self.assertEqual(result.stderr.count(_WARNING), 1)
                self.assertRegex(result.stderr, rf"{_WARNING}.*status {status}")
                self.assertNotIn("log in", result.stderr)

    def test_somebody_else_answers_in_the_token_servers_place(self):
        registry, image = self.faulty()
        self.docker_settings(auths={registry.address: self.wrong_auth("basic").popitem()[1]})
        firewall, _ = self.faulty()
        realm = f'Bearer realm="http://{firewall.address}/token",service="x"'
        registry.will("POST", _UPLOADS, answer(401, headers={"WWW-Authenticate": realm}), agent=_OURS)
        for method in ("GET", "POST"):
            firewall.will(method, "/token", web_page(403))
        result = self.push(image)
        self.assertRegex(result.stderr, rf"{_WARNING}.*is no token server: status 403 with a web page")
        self.assertEqual(result.stderr.count(_WARNING), 1)

    def test_a_registry_that_nobody_can_reach(self):
        for host in (self.closed_port(), "registry.invalid", "registry.invalid:5000"):
            with self.subTest(host=host):
                result = self.build(
                    *("-t", f"{host}/app", "--push", self.fails_by_itself(2)),
                    builder="tls",
                    check=1,
                )
                self.assertEqual(result.stderr.count(_WARNING), 1)
                self.assertIn(f"{_WARNING}{host}/app will be allowed: cannot reach ", result.stderr)
                self.assert_own_failure(result)

    def test_a_silent_registry_does_not_hold_the_build(self):
        image = f"{self.silent_port()}/app"
        result = self.build("-t", image, "--push", self.fails_by_itself(), builder="tls", check=1)
        self.assert_own_failure(result)
        self.assertNotIn(_WARNING, result.stderr)
        self.assertIn("waiting for the registry 127.0.0.1:", result.stderr)
        self.assertLess(result.seconds, 9, "less than what the registry is asked for")

    def test_a_silent_registry_is_said(self):
        image = f"{self.silent_port()}/app"
        result = self.build(
            "-t", image, "--push", self.fails_by_itself(14), builder="tls", check=1
        )
        self.assertEqual(result.stderr.count(_WARNING), 1)
        self.assertIn("gave no answer in 10 s", result.stderr)
        self.assert_own_failure(result)

    def test_a_silent_registry_and_an_interrupt(self):
        image = f"{self.silent_port()}/app"
        running = self.start_plugin(
            "build", "-t", image, "--push", self.lasting(), builder="tls"
        )
        self.wait_for_step(self.step)
        running.send(signal.SIGINT)
        result = running.wait(10)
        self.assertEqual(result.rc, 130)
        self.assert_step_ends(self.step)

    def test_an_interrupt_before_the_build_has_started(self):
        image = f"{self.silent_port()}/app"
        running = self.start_plugin("build", "-t", image, "--push", self.lasting(), builder="tls")
        running.wait_for_output("waiting for the registry")
        running.send(signal.SIGINT)
        result = running.wait(10)
        self.assertEqual(result.rc, 130)
        self.assertNotIn(self.step, result.stderr)
        self.assert_step_ends(self.step)

    def test_a_registry_with_a_certificate_of_its_own_authority(self):
        image = f"{self.tls_port()}/app"
        result = self.build("-t", image, "--push", self.fails_by_itself(2), builder="tls", check=1)
        self.assertRegex(result.stderr, rf"{_WARNING}{image} will be allowed: TLS with .* failed")
        self.assert_own_failure(result)

    def test_an_answer_without_bounds(self):
        registry, image = self.faulty()
        headers = {f"X-Filler-{i}": "x" * 8000 for i in range(90)}
        registry.will("POST", _UPLOADS, answer(401, headers=headers), agent=_OURS)
        result = self.push(image)
        self.assertIn(_WARNING, result.stderr)

    def test_redirects_without_end(self):
        registry, image = self.faulty()
        again = {"Location": f"http://{registry.address}/v2/app/blobs/uploads/"}
        registry.will("POST", _UPLOADS, answer(307, headers=again), agent=_OURS)
        result = self.push(image)
        self.assertIn(_WARNING, result.stderr)
        self.assertEqual(self.ours(registry), [307])

    def test_a_token_server_that_cannot_be_reached(self):
        registry, image = self.faulty()
        realm = f'Bearer realm="http://{self.closed_port()}/token",service="x"'
        registry.will(
            "POST", _UPLOADS, answer(401, headers={"WWW-Authenticate": realm}), agent=_OURS
        )
        result = self.push(image)
        self.assertRegex(result.stderr, rf"{_WARNING}.*the token server")

    def tls_port(self):
        """host:port of a TLS server whose certificate nobody here trusts. On this machine's own
        address: on loopback certificates are not checked."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            address = probe.getsockname()[0]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.rig["STRANGER_CERT"], self.rig["STRANGER_KEY"])
        listener = socket.create_server((address, 0))
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return f"{address}:{listener.getsockname()[1]}"


class Hosted(ApiTest, PreflightTest):
    """The Depot API hears of the refusal as the build's error."""

    def test_a_refusal_is_the_error_of_the_build(self):
        self.docker_settings(auths=self.wrong_auth("basic"))
        image = self.image_name(registry="basic")
        result = self.build(
            *("-t", image, "--push", self.lasting()), env=self.variables(), check=112
        )
        self.assertLess(result.seconds, _SOON_SECONDS)
        (finished,) = self.api.asked("FinishBuild")
        told = finished.message["error"]["error"]
        self.assertIn(f"pushing to {self.name_of(image)} will not be allowed", told)
        self.assertNotIn(self.step, result.stderr, "a step ran in vain")
        self.assert_step_ends(self.step)
