"""Pushing, and the credentials for it."""

import base64
import json
import os
import re
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import trees
from harness import EndToEnd, alone

_HELPER = """#!/bin/sh
# A credential helper: knows one registry, writes down what it is asked.
key=$(cat)
echo "$1 $key" >>"{log}"
if [ "$key" = "{host}" ]; then
  printf '{{"ServerURL":"%s","Username":"%s","Secret":"%s"}}' "$key" "{user}" "{password}"
else
  echo "credentials not found in native keychain"
  exit 1
fi
"""


class PushTest(EndToEnd):
    """What the tests below share."""

    def small(self, base=None, word="pushed"):
        dockerfile = f"FROM {base or self.rig['BASE']}\nLABEL test.word={word}\n"
        dockerfile += f"RUN echo {self.image_name()} >/word\n"
        return self.context({"Dockerfile": dockerfile})

    def push(self, *images, context=None, builder="tls", **options):
        names = [part for image in images for part in ("-t", image)]
        builder = None if options.get("engine") else builder
        return self.build(*names, "--push", context or self.small(), builder=builder, **options)

    def assert_pushed(self, image, word="pushed"):
        """The image is whole in its registry: manifest, config and layers are read back."""
        repository = self.repository(image)
        config = repository.config(self.tag_of(image))
        self.assertEqual(config["config"]["Labels"], {"test.word": word})
        layers = repository.layers(self.tag_of(image))
        self.assertEqual(len(layers), len(config["rootfs"]["diff_ids"]))
        self.assertIn("word", trees.tree_of_layers(layers))

    def assert_not_pushed(self, image):
        self.assertFalse(self.repository(image).has(self.tag_of(image)))

    def password(self, user="PUSHER"):
        return self.rig[user].partition(":")[2]

    def auth_config(self, registry, user="PUSHER"):
        """The value of DOCKER_AUTH_CONFIG."""
        return json.dumps({"auths": self.auths(registry, user)})

    def wrong_auth(self, registry):
        auth = base64.b64encode(b"pusher:not-the-password").decode()
        return {self.registry_host(registry): {"auth": auth}}

    def helper(self, name, registry, user="PUSHER"):
        """Installs docker-credential-NAME; returns the environment for it, and its log."""
        programs, log = self.folder / "bin", self.folder / f"helper-{name}.log"
        programs.mkdir(exist_ok=True)
        login, _, password = self.rig[user].partition(":")
        program = programs / f"docker-credential-{name}"
        program.write_text(
            _HELPER.format(
                log=log, host=self.registry_host(registry), user=login, password=password
            )
        )
        program.chmod(0o755)
        return {"PATH": f"{programs}:{os.environ['PATH']}"}, log

    def helper_program(self, name):
        return self.folder / "bin" / f"docker-credential-{name}"


class Push(PushTest):
    def test_open_registry(self):
        image, metadata = self.image_name(registry="open", tag="v1"), self.work / "metadata.json"
        iidfile = self.work / "iid"
        self.push(image, env={"DOCKER_CONFIG": self.folder / "none"})
        self.assert_pushed(image)
        again = self.build(
            *("-t", image, "--push", "-q", "--metadata-file", metadata, "--iidfile", iidfile),
            self.small(),
            builder="tls",
        )
        said = json.loads(metadata.read_text())
        digest = self.repository(image).digest("v1")
        self.assertEqual(said["containerimage.digest"], digest)
        self.assertEqual(said["containerimage.descriptor"]["digest"], digest)
        self.assertEqual(said["image.name"], image)
        # The registry knows what is printed: as a manifest, or as the config of that manifest.
        known = {digest, self.repository(image).manifest("v1")["config"]["digest"]}
        self.assertIn(again.stdout.strip(), known)
        self.assertEqual(again.stdout, iidfile.read_text() + "\n")

    def test_basic_registry_by_config_file(self):
        self.login("basic")
        image = self.image_name(registry="basic")
        self.push(image)
        self.assert_pushed(image)

    def test_bearer_registry_by_config_file(self):
        self.login("bearer")
        image = self.image_name(registry="bearer")
        self.push(image)
        self.assert_pushed(image)

    def test_auth_config_variable(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                image = self.image_name(registry=registry)
                self.push(image, env={"DOCKER_AUTH_CONFIG": self.auth_config(registry)})
                self.assert_pushed(image)
        self.assert_no_leak(self.password())

    def test_auth_config_of_a_url(self):
        ((host, entry),) = self.auths("basic").items()
        value = json.dumps({"auths": {f"https://{host}/v2/": entry}})
        image = self.image_name(registry="basic")
        self.push(image, env={"DOCKER_AUTH_CONFIG": value})
        self.assert_pushed(image)

    def test_credential_store(self):
        env, log = self.helper("rig", "basic")
        self.docker_settings(credsStore="rig")
        image = self.image_name(registry="basic")
        pushed = self.push(image, env=env)
        self.assert_pushed(image)
        self.assertEqual(set(log.read_text().splitlines()), {f"get {self.registry_host('basic')}"})
        self.assertIn("docker-credential-rig", pushed.stderr)
        self.assert_no_leak(self.password(), written=[self.helper_program("rig")])

    def test_credential_helper_of_one_registry(self):
        env, log = self.helper("one", "bearer")
        self.docker_settings(
            credsStore="none-such", credHelpers={self.registry_host("bearer"): "one"}
        )
        image = self.image_name(registry="bearer")
        self.push(image, env=env)
        self.assert_pushed(image)
        self.assertIn(f"get {self.registry_host('bearer')}", log.read_text())
        self.assert_no_leak(self.password(), written=[self.helper_program("one")])

    def test_two_registries_at_once(self):
        self.login("basic")
        self.login("bearer")
        images = [self.image_name(registry=name) for name in ("open", "basic", "bearer")]
        self.push(*images)
        for image in images:
            self.assert_pushed(image)

    def test_plain_builder(self):
        image = self.image_name(registry="open")
        self.push(image, builder="plain")
        self.assert_pushed(image)

    def test_output_registry(self):
        image = self.image_name(registry="open")
        self.build("-o", f"type=registry,name={image}", self.small(), builder="tls")
        self.assert_pushed(image)

    def test_output_image_with_zstd(self):
        image = self.image_name(registry="open")
        output = f"type=image,name={image},push=true,compression=zstd,oci-mediatypes=true"
        self.build("-o", output + ",force-compression=true", self.small(), builder="tls")
        kinds = {layer["mediaType"] for layer in self.repository(image).manifest()["layers"]}
        self.assertEqual(kinds, {"application/vnd.oci.image.layer.v1.tar+zstd"})

    def test_push_by_digest(self):
        name = self.image_name(registry="open").rpartition(":")[0]
        output = f"type=image,name={name},push-by-digest=true,push=true"
        quiet = self.build(
            "-q", "-o", output, "--metadata-file", "m.json", self.small(), builder="tls"
        )
        digest = json.loads((self.work / "m.json").read_text())["containerimage.digest"]
        repository = self.repository(name)
        self.assertFalse(repository.has("latest"))
        self.assertTrue(repository.has(digest))
        self.assertRegex(quiet.stdout, r"\Asha256:[0-9a-f]{64}\n\Z")


class PushOfEngines(PushTest):
    def check_engine(self, engine):
        self.login("basic")
        self.login("bearer")
        for registry in ("open", "basic", "bearer"):
            with self.subTest(registry=registry):
                image = self.image_name(registry=registry)
                pushed = self.push(image, engine=engine)
                self.assertIn(image, pushed.stderr)
                self.assert_pushed(image)
        self.assert_no_leak(self.password())

    def test_engine_with_containerd_store(self):
        self.check_engine("containerd")

    def test_engine_with_classic_store(self):
        self.check_engine("classic")

    def test_engine_20_10(self):
        self.check_engine("oldest")

    def test_digest_is_the_registrys(self):
        for engine in ("containerd", "classic", "oldest"):
            with self.subTest(engine=engine):
                image = self.image_name(registry="open")
                metadata = self.work / "metadata.json"
                self.build(
                    *("-t", image, "--push", "--metadata-file", metadata),
                    self.small(),
                    engine=engine,
                )
                digest = json.loads(metadata.read_text())["containerimage.digest"]
                self.assertEqual(digest, self.repository(image).digest("latest"))


class Pull(PushTest):
    def private_base(self, registry):
        return f"{self.registry_host(registry)}/library/busybox"

    def check_pull(self, registry, **options):
        self.login(registry, user="READER")
        image = self.image_name()
        context = self.small(base=self.private_base(registry))
        self.build("--pull", "-t", image, context, **options)
        self.assert_no_leak(self.password("READER"))

    def test_private_base_behind_basic(self):
        self.check_pull("basic", builder="tls")

    @alone
    def test_private_base_behind_bearer(self):
        since = time.time()
        self.check_pull("bearer", builder="tls")
        self.assertIn("reader", [entry["user"] for entry in self.token_requests(since)])

    def test_private_base_on_engines(self):
        for engine in ("classic", "oldest"):
            for registry in ("basic", "bearer"):
                with self.subTest(engine=engine, registry=registry):
                    self.check_pull(registry, engine=engine)

    def test_base_and_image_in_one_registry(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                self.login(registry)
                image = self.image_name(registry=registry)
                self.push(image, context=self.small(base=self.private_base(registry)))
                self.assert_pushed(image)

    def test_base_of_one_registry_pushed_to_another(self):
        self.login("bearer", user="READER")
        self.login("basic")
        image = self.image_name(registry="basic")
        self.push(image, context=self.small(base=self.private_base("bearer")))
        self.assert_pushed(image)


class Tokens(PushTest):
    """Credentials that are no password."""

    def token(self, repository="none", **query):
        """What the token server gives PUSHER: {"token": ..., "refresh_token": ...}."""
        (realm, service) = self.realm()
        scope = f"repository:{repository}:pull,push"
        query = urllib.parse.urlencode({"service": service, "scope": scope, **query})
        login = base64.b64encode(self.rig["PUSHER"].encode()).decode()
        request = urllib.request.Request(
            f"{realm}?{query}", headers={"Authorization": f"Basic {login}"}
        )
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def realm(self):
        try:
            urllib.request.urlopen(f"http://{self.registry_host('bearer')}/v2/")
        except urllib.error.HTTPError as error:
            challenge = error.headers["WWW-Authenticate"]
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        return fields["realm"], fields["service"]

    def test_identity_token_of_the_config_file(self):
        token = self.token(offline_token="true")["refresh_token"]
        self.docker_settings(auths={self.registry_host("bearer"): {"identitytoken": token}})
        for options in ({"builder": "tls"}, {"engine": "classic"}, {"engine": "oldest"}):
            with self.subTest(**options):
                image = self.image_name(f"try{len(self.results)}", registry="bearer")
                self.push(image, **options)
                self.assert_pushed(image)
        self.assert_no_leak(token)

    def test_identity_token_of_a_helper(self):
        env, _ = self.helper("rig", "bearer")
        token = self.token(offline_token="true")["refresh_token"]
        program = self.helper_program("rig")
        known = program.read_text().replace(f'"{self.password()}"', f'"{token}"')
        program.write_text(known.replace('"pusher"', '"<token>"'))
        self.docker_settings(credsStore="rig")
        image = self.image_name(registry="bearer")
        self.push(image, env=env)
        self.assert_pushed(image)
        self.assert_no_leak(token, written=[program])

    def test_registry_token_of_the_config_file(self):
        image = self.image_name(registry="bearer")
        repository = image.partition("/")[2].partition(":")[0]
        token = self.token(repository)["token"]
        self.docker_settings(auths={self.registry_host("bearer"): {"registrytoken": token}})
        # A layer of its own: others would be mounted from repositories that the token is not for.
        context = self.context(
            {"Dockerfile": "FROM scratch\nLABEL test.word=pushed\nCOPY word /\n", "word": image}
        )
        self.push(image, context=context)
        self.assert_pushed(image)
        self.assert_no_leak(token)


class Credentials(PushTest):
    def requests_for(self, image, since):
        repository = image.partition("/")[2].partition(":")[0]
        return [
            entry
            for entry in self.token_requests(since)
            if any(f":{repository}:" in scope for scope in entry["scope"] or [])
        ]

    def test_password_does_not_travel_to_the_builder(self):
        self.login("bearer")
        image, since = self.image_name(registry="bearer"), time.time()
        built = self.push(image)
        asked = self.requests_for(image, since)
        self.assertTrue(asked, "nobody asked for a token")
        for entry in asked:
            self.assertRegex(entry["user_agent"] or "", r"(?i)depot")
        self.assertRegex(built.stderr, r"\[auth\] .*token for " + self.registry_host("bearer"))
        self.assertNotIn("sharing credentials", built.stderr)

    def test_sharing_a_password_is_said(self):
        self.login("basic")
        image = self.image_name(registry="basic")
        built = self.push(image)
        self.assertIn(f"[auth] sharing credentials for {self.registry_host('basic')}", built.stderr)

    def test_source_is_said_and_the_secret_is_not(self):
        sources = {
            "config.json": {},
            "DOCKER_AUTH_CONFIG": {"DOCKER_AUTH_CONFIG": self.auth_config("bearer")},
        }
        for source, env in sources.items():
            with self.subTest(source=source):
                if not env:
                    self.login("bearer")
                else:
                    (self.docker_config / "config.json").unlink()
                built = self.push(self.image_name(registry="bearer"), env=env)
                host = self.registry_host("bearer")
                lines = [x for x in built.stderr.splitlines() if f"credentials for {host}" in x]
                self.assertEqual(len(lines), 1, built.stderr)
                self.assertIn(source, lines[0])
                self.assertIn("pusher", lines[0])
        self.assert_no_leak(self.password())

    def check_order(self, first, **env):
        """Two users who may push: the reader in the config file, the pusher in the variable."""
        self.docker_settings(auths=self.auths("basic", "READER"))
        env["DOCKER_AUTH_CONFIG"] = self.auth_config("basic")
        image = self.image_name(f"try{len(self.results)}", registry="basic")
        built = self.push(image, env=env)
        host = self.registry_host("basic")
        self.assertIn(f"credentials for {host}: {first}", built.stderr)
        self.assertNotIn("may not push", built.stderr)
        self.assert_pushed(image)

    def test_variable_beats_the_config_file(self):
        self.check_order("DOCKER_AUTH_CONFIG (user pusher)")

    def test_config_file_beats_the_variable_in_a_gitlab_job(self):
        self.check_order("config.json (user reader)", GITLAB_CI="true")

    def test_chosen_order_beats_both(self):
        self.check_order("config.json (user reader)", DOCKER_AUTH_ORDER="config,env")
        self.check_order(
            "DOCKER_AUTH_CONFIG (user pusher)", DOCKER_AUTH_ORDER="env,config", GITLAB_CI="true"
        )

    def test_second_place_serves_what_the_first_does_not_know(self):
        self.login("bearer")
        images = [self.image_name(registry=name) for name in ("basic", "bearer")]
        self.push(*images, env={"DOCKER_AUTH_CONFIG": self.auth_config("basic")})
        for image in images:
            self.assert_pushed(image)


if __name__ == "__main__":
    unittest.main()
