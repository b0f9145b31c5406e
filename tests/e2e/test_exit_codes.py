"""The exit code says what kind of failure it was: README's table, each of it seen."""

import base64
import json
import shutil

from harness import EndToEnd


class ExitCodes(EndToEnd):
    def context_with(self, *lines):
        text = "\n".join([f"FROM {self.rig['BASE']}", *lines, ""])
        return self.context({"Dockerfile": text})

    def test_a_step_that_fails(self):
        context = self.context_with("RUN exit 42")
        self.build(context, builder="plain", check=1)
        self.build("--exit-code=plain", context, builder="plain", check=1)
        self.build("--exit-code=step", context, builder="plain", check=42)
        self.build("--exit-code=step", "-q", context, engine="oldest", check=42)
        # Of a failure that is no step's there is no code to pass on.
        self.build("--exit-code=step", self.context_with("COPY x /"), builder="plain", check=1)

    def test_what_a_step_speaks_of_is_not_what_failed(self):
        for words in ("401 Unauthorized", "toomanyrequests", "no space left on device"):
            context = self.context_with(f"RUN echo '{words}' {self.image_name()}; exit 3")
            for place in ({"builder": "plain"}, {"engine": "oldest"}):
                with self.subTest(words, **place):
                    result = self.build(context, check=1, **place)
                    self.assertNotRegex(result.stderr, r"(?m)^hint: .*(log in|limit|disk)")

    def test_what_failed_is_said(self):
        context = self.context_with("RUN echo one", f"RUN echo {self.image_name()}; exit 3")
        result = self.build(context, builder="plain", check=1)
        self.assertRegex(
            result.stderr,
            r"(?m)^ERROR: build failed: .*exit code: 3\nstep: \[3/3\] RUN echo .*; exit 3\n"
            rf"builder: {self.rig['BUILDER_PLAIN']}",
        )
        platforms = "linux/amd64,linux/arm64"
        result = self.build("--platform", platforms, context, builder="both", check=1)
        self.assertRegex(result.stderr, r"(?m)^builder: tcp://\S+, for linux/(amd64|arm64)$")

    def test_usage(self):
        self.build("--nope", ".", builder="plain", check=125)
        self.build("--exit-code=other", ".", builder="plain", check=125)

    def test_no_builder(self):
        self.build(self.context_with(), builder=f"tcp://{self.closed_port()}", check=110)
        self.build(self.context_with(), check=110)

    def test_settings_that_are_wrong_from_the_start(self):
        """Whatever holds them, and whoever sees it first: 125, and the text names the flag, the variable or the file."""
        (self.docker_config / "config.json").write_text("{")
        instances = self.docker_config / "buildx" / "instances"
        instances.mkdir(parents=True)
        (instances / "odd").write_text('{"Name": "odd", "Driver": "odd", "Nodes": [{}]}')
        context, no = self.context_with(), self.work / "no"
        project = self.context({"Dockerfile": "FROM scratch\n", "depot.json": "{}"}, name="project")
        broken, self.docker_config = self.docker_config, self.folder / "sound"
        shutil.copytree(broken / "buildx", self.docker_config / "buildx")
        secret = "s3cret-of-this-test"
        api = {"DEPOT_API_URL": f"http://{self.closed_port()}", "DEPOT_TOKEN": secret, "DEPOT_PROJECT_ID": "p"}
        encrypted = {"DEPOT_API_URL": f"https://{self.registry_host('open')}"}
        oidc = {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": secret, "ACTIONS_ID_TOKEN_REQUEST_URL": "foo"}
        address = "tcp://127.0.0.1:1"
        no_pem = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"
        certificates = self.folder / "certificates"
        certificates.mkdir()
        (certificates / "ca.pem").write_text(no_pem)
        for names, env, args in (
            ("DOCKER_HOST", {"DOCKER_HOST": "foo://x"}, ()),
            ("DOCKER_HOST", {"DOCKER_HOST": "tcp://h:port"}, ()),
            ("DOCKER_HOST", {"DOCKER_HOST": "unix://x"}, ()),
            ("DOCKER_HOST", {"DOCKER_HOST": f"tcp://me:{secret}@h:1"}, ()),
            ("DOCKER_HOST", {"DOCKER_HOST": f"ssh://me:{secret}@h"}, ()),
            ("DOCKER_HOST", {"DOCKER_HOST": f"ssh://me:{secret} x@h"}, ()),
            ("DOCKER_HOST", {"DOCKER_HOST": f"ssh://me:{secret} x@h?token={secret}"}, ()),
            ("DOCKER_HOST", {"DOCKER_HOST": f"ssh://h/a?token={secret}"}, ()),
            ("DOCKER_HOST", {"DOCKER_HOST": "ssh://u@h:port"}, ()),
            ("DOCKER_HOST", {"DOCKER_HOST": "foo://x"}, ("--load", "-t", "x", "--builder", address)),
            ("DOCKER_CONTEXT", {"DOCKER_HOST": None, "DOCKER_CONTEXT": "nope"}, ()),
            ("DOCKER_CERT_PATH", {"DOCKER_HOST": address, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": certificates}, ()),
            ("DOCKER_AUTH_CONFIG", {"DOCKER_AUTH_CONFIG": secret}, ()),
            ("DOCKER_AUTH_ORDER", {"DOCKER_AUTH_ORDER": "both"}, ()),
            ("config.json", {"DOCKER_CONFIG": broken}, ()),
            ("DOCKER_CONFIG", {"DOCKER_CONFIG": broken / "config.json"}, ()),
            ("DEPOT_BUILDER_SERVERNAME", {"DEPOT_BUILDER": address, "DEPOT_BUILDER_SERVERNAME": "a\nb"}, ()),
            ("DEPOT_BUILDER", {"DEPOT_BUILDER": "foo://x"}, ()),
            ("DEPOT_BUILDER", {"DEPOT_BUILDER": "tcp://h"}, ()),
            ("DEPOT_BUILDER", {"DEPOT_BUILDER": f"tcp://me:{secret}@h:1"}, ()),
            ("DEPOT_BUILDER", {"DEPOT_BUILDER": f"{address}?key={no}"}, ()),
            ("DEPOT_BUILDER", {"DEPOT_BUILDER": f"linux/amd64={address},linux/amd64={address}2"}, ()),
            ("DEPOT_BUILDER", {"DEPOT_BUILDER": f"a/b/c/d={address}"}, ()),
            ("DEPOT_BUILDER", {"DEPOT_BUILDER": "nope"}, ()),
            ("DEPOT_BUILDER", {"DEPOT_BUILDER": f"me:{secret}@h"}, ()),
            ("--builder", {}, ("--builder", "foo://x")),
            ("--builder", {}, ("--builder", "nope")),
            ("--builder", {}, ("--builder", "odd")),
            ("DEPOT_BUILDER_CACERT", {"DEPOT_BUILDER": address, "DEPOT_BUILDER_CACERT": no}, ()),
            ("DEPOT_BUILDER_CACERT", {"DEPOT_BUILDER": address, "DEPOT_BUILDER_CACERT": no_pem}, ()),
            ("DEPOT_BUILDER_CERT", {"DEPOT_BUILDER": address, "DEPOT_BUILDER_CERT": no}, ()),
            ("DEPOT_BUILDER_KEY", {"DEPOT_BUILDER": address, "DEPOT_BUILDER_KEY": no}, ()),
            ("DEPOT_BUILDER_KEY", {"DEPOT_BUILDER": address, "DEPOT_BUILDER_CERT": self.rig["CERT"]}, ()),
            ("BUILDX_BUILDER", {"BUILDX_BUILDER": "nope"}, ()),
            ("BUILDX_BUILDER", {"BUILDX_BUILDER": "odd"}, ()),
            ("BUILDKIT_HOST", {"BUILDKIT_HOST": "foo://x"}, ()),
            ("BUILDX_DEFAULT_POLICY", {"BUILDX_DEFAULT_POLICY": "1"}, ()),
            ("DEPOT_TOKEN", {**api, "DEPOT_TOKEN": f"{secret} two"}, ()),
            ("DEPOT_TOKEN", {**api, "DEPOT_TOKEN": f"{secret}\ntwo"}, ()),
            ("--token", api, ("--token", f"{secret} two")),
            ("DEPOT_API_URL", {**api, "DEPOT_API_URL": "foo"}, ()),
            ("DEPOT_API_URL", {**api, "DEPOT_API_URL": f"https://me:{secret}@h"}, ()),
            ("DEPOT_API_URL", {**api, "DEPOT_API_URL": "http://depot-api.invalid"}, ()),
            ("DEPOT_API_CACERT", {**api, "DEPOT_API_CACERT": no}, ()),
            ("DEPOT_API_CACERT", {**api, "DEPOT_API_CACERT": no_pem}, ()),
            ("SSL_CERT_FILE", {**api, **encrypted, "SSL_CERT_FILE": no}, ()),
            ("HTTPS_PROXY", {**api, "DEPOT_API_URL": "https://depot-api.invalid", "HTTPS_PROXY": f"http://me:{secret} x@h"}, ()),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", {**api, "DEPOT_TOKEN": None, **oidc}, ()),
            ("depot.json", {"DEPOT_TOKEN": secret}, (project,)),
            ("DOCKER_DEFAULT_PLATFORM", {"DOCKER_DEFAULT_PLATFORM": "a/b/c/d"}, ()),
            ("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY", {"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": no}, ()),
            ("DEPOT_CACHE_TIMEOUT", {"DEPOT_CACHE_TIMEOUT": "soon"}, ()),
            ("DEPOT_RETRIES", {"DEPOT_RETRIES": "some"}, ()),
            ("DEPOT_RETRY_FOR", {"DEPOT_RETRY_FOR": "10"}, ()),
            ("DEPOT_LOST_AFTER", {"DEPOT_LOST_AFTER": "1s"}, ()),
            ("DEPOT_CONTEXT_TIMES", {"DEPOT_CONTEXT_TIMES": "x"}, ()),
            ("BUILDKIT_PROGRESS", {"BUILDKIT_PROGRESS": "x"}, ()),
            ("BUILDKIT_PROGRESS", {"BUILDKIT_PROGRESS": "tty"}, ()),
            ("--platform", {}, ("--platform", "a/b/c/d")),
            ("--build-platform", {}, ("--build-platform", "linux/arm64", "--builder", f"linux/amd64={address}")),
        ):
            with self.subTest(names, env=env, args=args):
                where = args if project in args else (*args, context)
                result = self.build(*where, env=env, check=125)
                self.assertRegex(result.stderr, rf"(?m)^(ERROR|hint): .*{names}\b")
                self.assertNotIn(secret, result.stdout + result.stderr)
                if args == () and env.keys() & {"DEPOT_BUILDER", "DOCKER_HOST", "DEPOT_RETRIES"}:
                    definition = self.context({"docker-bake.hcl": "target \"default\" {}\n", "Dockerfile": "FROM scratch\n"}, name=f"b{len(self.results)}")
                    self.run_plugin("bake", cwd=definition, env=env, check=125)

    def test_certificates_that_an_engine_writes_as_it_starts(self):
        env = {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": self.work / "no"}
        result = self.build(self.context_with(), env=env, check=110)
        self.assertRegex(result.stderr, r"(?m)^hint: .*DOCKER_CERT_PATH\b")

    def test_a_builder_that_is_lost(self):
        bridge = self.bridge("plain", "containerd")
        step = self.endless_step()
        running = self.start_plugin(
            "build", "--retries=0", self.context_with(f"RUN {step}"), builder=bridge.url
        )
        self.wait_for_step(step)
        bridge.kill()
        running.wait(60, check=111)

    def test_credentials(self):
        image = self.image_name(registry="basic")
        self.build("--push", "-t", image, self.context_with(), builder="plain", check=112)
        skipped = ("--no-preflight", "--push", "-t", image)
        self.build(*skipped, self.context_with(), builder="plain", check=112)
        self.build(*skipped, self.context_with(), engine="classic", check=112)
        self.build(self.context_with(), env={"DEPOT_PROJECT_ID": "p"}, check=112)

    def test_credentials_that_a_token_server_refuses(self):
        host = self.registry_host("bearer")
        wrong = base64.b64encode(b"pusher:wrong").decode()
        env = {"DOCKER_AUTH_CONFIG": json.dumps({"auths": {host: {"auth": wrong}}})}
        image = self.image_name(registry="bearer")
        wanted = {
            "a base": [self.context({"Dockerfile": f"FROM {image}\n"})],
            "a push": ["--no-preflight", "--push", "-t", image, self.context_with()],
            "a cache": [f"--cache-to=type=registry,ref={image}", self.context_with("RUN true")],
        }
        for name, args in wanted.items():
            with self.subTest(name):
                result = self.build(*args, builder="plain", env=env, check=112)
                self.assertRegex(result.stderr, r"(?m)^hint: .*credentials .*(still valid|no longer good)")

    def test_a_registry(self):
        image = f"{self.closed_port()}/x/y"
        self.build("--push", "-t", image, self.context_with(), builder="plain", check=113)

    def test_an_engine_to_load_into(self):
        self.build("--load", "-t", "x", self.context_with(), builder="plain", check=114)

    def test_what_is_full(self):
        self.build("-o", "type=tar,dest=/dev/full", self.context_with(), builder="plain", check=102)
