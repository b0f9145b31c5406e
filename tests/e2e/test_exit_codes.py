"""The exit code says what kind of failure it was: README's table, each of it seen."""

import base64
import json

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
        self.build("--builder", "nope", self.context_with(), check=110)
        self.build(self.context_with(), check=110)

    def test_a_builder_that_is_lost(self):
        bridge = self.bridge("plain", "containerd")
        step = self.endless_step()
        running = self.start_plugin(
            "build", "--retries=0", self.context_with(f"RUN {step}"), builder=bridge.url
        )
        self.wait_for_step(step)
        bridge.kill()
        self.assertEqual(running.wait(60).rc, 111)

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
