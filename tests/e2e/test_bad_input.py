"""What users get wrong: said clearly, with an exit code that is not 0, and nothing half-done."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

from harness import FAILURES, EndToEnd, fifo, file

class BadInputTest(EndToEnd):
    def fails(self, *args, rc=FAILURES, says=(), never=(), builder="tls", **options):
        """Builds, in vain: `says` and `never` are patterns of what is told."""
        result = self.build(*args, builder=builder, check=rc, timeout=60, **options)
        for pattern in [says] if isinstance(says, str) else says:
            self.assertRegex(result.stderr, re.compile(pattern, re.I))
        for pattern in [never] if isinstance(never, str) else never:
            self.assertNotRegex(result.stderr, re.compile(pattern, re.I))
        return result

    def fails_before_connecting(self, *args, **options):
        """The same, with a builder that would be waited for for 20 s."""
        result = self.fails(*args, builder=f"tcp://{self.closed_port()}", **options)
        self.assertNotIn("waiting for builder", result.stderr)
        self.assertLess(result.seconds, 2)
        return result

    def dockerfile(self, *lines):
        return "\n".join([f"FROM {self.rig['BASE']}", *lines, ""])

    def step_of_its_own(self):
        """A context whose RUN step no cache knows, and a question whether a builder has run it."""
        mark = self.image_name(f"step{self._count}")
        context = self.context({"Dockerfile": self.dockerfile(f"RUN echo {mark} >/mark")})

        def ran():
            # --no-cache was not asked for: a step that ran before is CACHED now.
            told = self.build("--progress=plain", context, builder="tls").stderr
            number = re.search(rf"#(\d+) \[2/2\] RUN echo {mark}", told)[1]
            return f"#{number} CACHED" in told

        return context, ran


class Contexts(BadInputTest):
    def test_no_dockerfile(self):
        context = self.context({"hello": "x"})
        self.fails(context, says=["Dockerfile", "no such file|not found|does not exist"])

    def test_a_dockerfile_of_a_windows_editor(self):
        context = self.context({"Dockerfile": "FROM scratch\n".encode("utf-16")})
        self.fails(context, says=["Dockerfile is UTF-16", "save it as UTF-8"])

    def test_no_dockerfile_of_that_name(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        self.fails_before_connecting("-f", "nope.Dockerfile", context, says="nope.Dockerfile")
        self.fails_before_connecting("-f", "sub/Dockerfile", context, says="sub/Dockerfile")
        self.fails_before_connecting("-f", ".", context, says="directory|regular file")

    def test_missing_context(self):
        self.fails_before_connecting("nonexist", says=["nonexist", "no such|not found|not exist"])

    def test_context_is_a_file(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        self.fails_before_connecting(
            context / "Dockerfile", says=["Dockerfile", "not a directory"], never="not found"
        )

    def test_no_context_or_two(self):
        for args in ((), (".", ".")):
            self.fails_before_connecting(*args, rc=125, says=["requires 1 argument", "usage"])

    def test_empty_standard_input(self):
        self.fails("-", stdin="", says="standard input|stdin|empty")
        context = self.context({"hello": "x"})
        self.fails("-f", "-", context, stdin="", says="empty")

    def test_standard_input_twice(self):
        self.fails_before_connecting(
            "-f", "-", "-", stdin="FROM scratch\n", rc=None, says="standard input|stdin"
        )

    def test_links_out_of_the_sources(self):
        """What came with the sources must not show this machine's files."""
        (self.work / "elsewhere").mkdir()
        (self.work / "elsewhere" / "Dockerfile").write_text("FROM scratch\nCOPY hello /\n")
        self.context({"hello": "x", "ok/Dockerfile": "FROM scratch\n"}, name="sources/ctx")
        sources = self.work / "sources"
        links = {
            "ctx/Dockerfile": "/proc/self/environ",
            "ctx/config": self.docker_config / "config.json",
            "ctx/sub": "../../elsewhere",
            "beside": "/proc/self/environ",
            "linked": "../elsewhere",
            "secret": "/proc/self/environ",
        }
        for link, target in links.items():
            (sources / link).symlink_to(target)
        secret = ("--secret", "id=s,src=secret", "-f", "ctx/ok/Dockerfile")
        for args, link in (
            (["ctx"], "ctx/Dockerfile"),
            (["-f", "ctx/Dockerfile", "ctx"], "ctx/Dockerfile"),
            (["-f", sources / "ctx/config", "ctx"], "ctx/config"),
            (["-f", "ctx/sub/Dockerfile", "ctx"], "ctx/sub"),
            (["-f", "beside", "ctx"], "beside"),
            (["linked"], "linked"),
            ([*secret, "ctx"], "secret"),
            (["--ssh", "default=secret", "-f", "ctx/ok/Dockerfile", "ctx"], "secret"),
            (["--build-context", "more=linked", "-f", "ctx/ok/Dockerfile", "ctx"], "linked"),
        ):
            with self.subTest(args=args):
                where = f"{sources / link} is a symbolic link to {links[link]}, which is outside of"
                self.fails_before_connecting(
                    *args, cwd=sources, env={"JOB_TOKEN": "t0ken-of-job"}, says=re.escape(where)
                )
        policy = {"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": "secret", "JOB_TOKEN": "t0ken-of-job"}
        where = f"{sources}/secret is a symbolic link to /proc/self/environ, which is outside of"
        self.fails_before_connecting("ctx", rc=125, cwd=sources, env=policy, says=re.escape(where))
        self.assert_no_leak("t0ken-of-job")
        # Nor may results be written through them.
        for args in (
            ["-o", "linked"],
            ["-o", "type=tar,dest=linked/out.tar"],
            ["--metadata-file", "linked/m.json"],
            ["--iidfile", "linked/id", "--push", "-t", "registry.invalid/x"],
            ["--log-file", "linked/log"],
            ["--timeline", "linked/timeline.json"],
            ["--dotenv-file", "linked/build.env", "-o", "type=cacheonly"],
            ["--code-quality-file", "linked/quality.json", "--check"],
            ["--sbom-dir", "linked/sbom"],
            ["--cache-to", "type=local,dest=linked/cache"],
        ):
            with self.subTest(args=args):
                where = f"{sources}/linked is a symbolic link to ../elsewhere"
                flags = ["-f", "ctx/ok/Dockerfile", *args]
                self.fails(*flags, "ctx", cwd=sources, says=re.escape(where))
        self.assertEqual(os.listdir(self.work / "elsewhere"), ["Dockerfile"])
        # What the user names himself is his own.
        for args in (
            ["-f", self.work / "elsewhere" / "Dockerfile", "ctx"],
            ["-f", "../elsewhere/Dockerfile", "ctx"],
        ):
            self.build(*args, builder="tls", cwd=sources)
        piped = "FROM scratch\nCOPY hello /\n"
        self.build("-f", "/dev/stdin", "ctx", stdin=piped, builder="tls", cwd=sources)

    def test_ignore_files_that_cannot_be_had(self):
        """They would count as none, and what they keep away would be sent."""
        context = self.context({"Dockerfile": "FROM scratch\nCOPY . /\n", "hello": "x"})
        (self.work / "ignored").write_text("hello\n")
        for name in (".dockerignore", "Dockerfile.dockerignore"):
            for target, why in (("../ignored", "outside of"), ("nowhere", "does not exist")):
                (context / name).symlink_to(target)
                self.fails_before_connecting(
                    context, says=[re.escape(str(context / name)), why, "remove it"]
                )
                (context / name).unlink()

    def test_broken_ignore_pattern(self):
        context = self.context(
            {"Dockerfile": self.dockerfile("COPY . /x"), ".dockerignore": "[a-\n"}
        )
        self.fails(context, says=[r"\[a-", r"\.dockerignore|pattern"])

    def test_an_argument_that_is_no_text_hides_no_step(self):
        context = self.context({"Dockerfile": self.dockerfile("ARG V", f"RUN echo IMPORTANT {self.image_name()} $V; exit 7")})
        for builder, engine in (("tls", None), (None, "oldest")):
            with self.subTest(builder=builder, engine=engine):
                words = ("build", "--build-arg", "V=caf\udce9", context)  # Latin-1
                done = self.run_plugin(*words, builder=builder, engine=engine, check=1)
                self.assertIn("IMPORTANT", done.stderr)
                self.assertIn("[2/2] RUN echo", done.stderr)
                self.assertNotIn("libprotobuf", done.stderr)

    def test_unreadable_file(self):
        context = self.context(
            {"Dockerfile": self.dockerfile("COPY . /x"), "closed": file("x", mode=0)}
        )
        done = self.as_nobody("build", "--progress=plain", context)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, "(?i)closed.*permission denied")
        (context / ".dockerignore").write_text("closed\n")
        done = self.as_nobody("build", context)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_unreadable_directory(self):
        context = self.context(
            {"Dockerfile": self.dockerfile("COPY . /x"), "closed/file": self.image_name()}
        )
        (context / "closed").chmod(0o700)
        done = self.as_nobody("build", context)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, "(?i)closed.*permission denied")

    def test_the_socket_of_an_engine_that_is_not_for_everybody(self):
        done = self.as_nobody("build", self.context({"Dockerfile": "FROM scratch\n"}), builder=None, engine="classic")
        self.assertEqual(done.returncode, 110, done.stderr)
        self.assertRegex(done.stderr, "(?i)permission denied")
        self.assertIn("group docker", done.stderr)
        self.assertNotIn("daemon running", done.stderr)

    def test_a_file_that_vanishes(self):
        # Between the listing and the request for it; the build may fail or not, but it ends.
        names = {f"f{n:04}": self.image_name() for n in range(2000)}
        context = self.context({"Dockerfile": "FROM scratch\nCOPY . /x\n", **names})
        running = self.start_plugin("build", context, builder="tls")
        for name in names:
            time.sleep(0.0003)
            (context / name).unlink()
        result = running.wait(30)
        self.assertIn(result.rc, (0, 1))

    def test_a_fifo_does_not_hang(self):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "x", "pipe": fifo()})
        self.build(context, builder="tls", timeout=30)
        dockerfile = self.context({"Dockerfile": fifo(), "a": "x"})
        self.fails_before_connecting(dockerfile, says=["is a pipe", "-f"])
        # A named one may be a pipe that somebody will write to; until then a signal ends it.
        named = ("-f", dockerfile / "Dockerfile")
        running = self.start_plugin("build", *named, dockerfile, builder="tls")
        time.sleep(1)
        running.send(signal.SIGINT)
        running.wait(3, check=130)
        running = self.start_plugin("build", *named, dockerfile, builder="tls")
        (dockerfile / "Dockerfile").write_text("FROM scratch\nCOPY a /\n")
        running.wait(20, check=0)


class Dockerfiles(BadInputTest):
    def test_syntax_error(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN true", "COPPY a b")})
        self.fails(context, says=[r"3 \|\s*>>> COPPY a b", "unknown instruction.*COPPY", "line 3"])

    def test_empty(self):
        for text in ("", "# only a comment\n", "\n\n"):
            self.fails(self.context({"Dockerfile": text}), says="Dockerfile|no build stage|empty")

    def test_not_text(self):
        context = self.context({"Dockerfile": bytes(range(256)) * 10})
        result = self.fails(context)
        self.assertIsNone(re.search(r"[\x00-\x08\x0e-\x1f]", result.stderr), repr(result.stderr))

    def test_unknown_target(self):
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']} AS one\n"})
        self.fails("--target", "onne", context, says="onne.*(could not be found|not found)")

    def test_missing_file_to_copy(self):
        context = self.context({"Dockerfile": self.dockerfile("COPY hello.txt /")})
        result = self.fails(context, says=["hello.txt", "not found", ">>> COPY hello.txt"])
        last = result.stderr.strip().splitlines()[-3:]
        self.assertNotRegex("\n".join(last), "::", "no internal names in the message")

    def test_missing_base_image(self):
        image = self.image_name(registry="open")
        self.fails(self.context({"Dockerfile": f"FROM {image}\n"}), says=[image, "not found"])

    def test_base_image_of_a_registry_that_refuses(self):
        image = self.image_name(registry="basic")
        self.fails(
            self.context({"Dockerfile": f"FROM {image}\n"}),
            says=[self.registry_host("basic"), "401|unauthorized|authori[sz]ation", "login"],
        )

    def test_failing_step(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN echo before; exit 7")})
        for args in ((), ("-q",), ("--progress=plain",), ("--progress=quiet",)):
            with self.subTest(args=args):
                result = self.fails(
                    *args,
                    context,
                    says=["exit code: 7", r"2 \|\s*>>> RUN echo before; exit 7", "(?m)before$"],
                )
                self.assertEqual(result.stdout, "")

    def test_failing_step_shows_its_last_lines(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN seq 1 500; exit 1")})
        result = self.fails("-q", context, says=r"\b500\b")
        self.assertNotRegex(result.stderr, r"(?m)\b100$")

    def test_step_killed(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN sh -c 'kill -9 $$' || exit $?")})
        self.fails(context, says="exit code: 137")

    def test_unknown_platform(self):
        context = self.context({"Dockerfile": self.dockerfile()})
        says = "no builder runs linux/s390x natively, and none has an emulator for it"
        self.fails("--platform=linux/s390x", context, says=says)
        both = ["--emulate", "--native-only"]
        self.fails_before_connecting(*both, context, rc=125, says="contradict each other")
        for platform in ("foo/bar/baz/qux", ""):
            self.fails_before_connecting(
                "--platform", platform, context, rc=125, says="platform", never=r"\[A-Za-z0-9"
            )


class Flags(BadInputTest):
    def test_unknown_flags(self):
        for flag, nearest in {
            "--tga": "--tag",
            "--bulid-arg=x": "--build-arg",
            "--pusj": "--push",
        }.items():
            unknown = f"unknown flag: {flag.partition('=')[0]}"
            self.fails_before_connecting(
                flag, ".", rc=125, says=[unknown, f"did you mean {nearest}"]
            )
        self.fails_before_connecting(
            "--frobnicate", ".", rc=125, says="--frobnicate", never="did you mean"
        )
        self.fails_before_connecting("-Z", ".", rc=125, says="-Z")

    def test_unknown_commands(self):
        result = self.run_plugin("biuld", ".", check=125)
        self.assertRegex(result.stderr, "did you mean.*build")

    def test_a_policy_is_never_passed_over(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        for env, says in (
            ({"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": "/no/policy"}, "SOURCE_POLICY.*not exist"),
            ({"BUILDX_DEFAULT_POLICY": "1"}, "BUILDX_DEFAULT_POLICY cannot be honoured"),
            ({"BUILDX_DEFAULT_POLICY": "policy.rego"}, "BUILDX_DEFAULT_POLICY cannot be honoured"),
        ):
            with self.subTest(env=env):
                self.fails_before_connecting(context, rc=125, says=says, env=env)
        context = self.context({"Dockerfile": "FROM scratch\n", "Dockerfile.rego": "package x\n"})
        self.fails_before_connecting(
            context, says="the policy .*/Dockerfile.rego cannot be applied"
        )

    def test_a_form_of_output_that_is_not_there(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        env = {"BUILDKIT_PROGRESS": "fancy"}
        says = 'BUILDKIT_PROGRESS: unknown mode "fancy"'
        self.fails_before_connecting(context, rc=125, says=says, env=env)

    def test_every_flag_of_buildx_is_known(self):
        usage = self.run_buildx("build", "--help").stdout
        for flag in sorted(set(re.findall(r"(?m)^\s+(?:-\w, )?(--[a-z-]+)", usage))):
            with self.subTest(flag=flag):
                result = self.build(flag, check=None, timeout=10)
                self.assertNotIn("unknown flag", result.stderr)

    def test_values_that_are_wrong(self):
        for args, says in (
            (("--build-arg", "=x"), "--build-arg"),
            (("--label", "=x"), "--label"),
            (("--tag", "UPPER"), "lower"),
            (("--tag", ""), "--tag"),
            (("--platform", ""), "--platform"),
            (("--platform", "linux/am d64"), "--platform.*am d64.*wrong form"),
            (("--platform", "windows(10/amd64"), "version"),
            (("--ulimit", ""), "--ulimit"),
            (("--shm-size", ""), "--shm-size"),
            (("--shm-size", "1x"), "invalid suffix"),
            (("--resource", "memroy=1"), "memory"),
            (("--no-cache-filter", ""), "--no-cache-filter"),
            (("--no-cache", "--no-cache-filter", "a"), "cannot currently be used together"),
            (("--call", ""), "--call"),
            (("--call", "outline,format=xml"), "--call"),
            (("--lint-fail-on", "maybe"), "--lint-fail-on"),
            (("--allow", "device=x,y=z"), "--allow"),
            (("--invoke", "sh"), "docker run"),
            (("--detach",), "background"),
            (("-o", "type=oci,tar=false"), "dest is required"),
            (("--add-host", "foo"), "--add-host"),
            (("--allow", "foo"), "--allow.*foo|foo.*allow"),
            (("--network", "foo"), "--network.*foo|foo.*network"),
            (("--progress", "foo"), "progress.*foo|foo.*progress"),
            (("--secret", "src=x"), "id"),
            (("--secret", "id=x,type=vault"), "vault"),
            (("--secret", "id=x,scr=y"), "scr.*did you mean src"),
            (("--no-cache=maybe",), "maybe"),
            (("-q", "--progress=plain"), "quiet"),
            (("--tag",), "value|argument"),
        ):
            with self.subTest(args=args):
                self.fails_before_connecting(".", *args, rc=125, says=says)

    def test_outputs_that_are_wrong(self):
        for output, says in (
            ("type=lcoal,dest=x", "lcoal.*did you mean local"),
            ("type=foo", "foo.*(did you mean|known are)"),
            ("type=tar,dst=x", "dst.*did you mean dest"),
            ("type=image,compresion=gzip", "compresion.*did you mean compression"),
            ("type=image,compression=gz", "gz"),
            ("type=local", "dest"),
            ("type=local,dest=-", "standard output"),
            ("type=tar,dest=", "dest"),
            ("type=image,push=perhaps", "perhaps"),
        ):
            with self.subTest(output=output):
                self.fails_before_connecting("-o", output, ".", rc=125, says=says)
        self.fails_before_connecting(
            "-o", "-", "-o", "type=oci", ".", rc=125, says="standard output"
        )
        self.fails_before_connecting("-o", "a", "-o", "./a/", ".", rc=125, says="several outputs")

    def test_push_without_a_name(self):
        for args in (("--push",), ("-o", "type=image,push=true"), ("-o", "type=registry")):
            self.fails_before_connecting(*args, ".", rc=125, says=["push", "--tag"])


class Secrets(BadInputTest):
    def test_missing(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        (self.work / "huge").write_bytes(b"x" * (500 * 1024 + 1))
        (self.work / "dir").mkdir()
        for secret, says in (
            ("id=s,src=nonexist", "nonexist"),
            ("id=s,env=UNSET_VARIABLE", "UNSET_VARIABLE"),
            ("id=s,type=env,src=UNSET_VARIABLE", "UNSET_VARIABLE"),
            ("id=unset_too", "unset_too"),
            ("id=s,src=huge", "huge.*500|500.*huge|too (big|large)"),
            ("id=s,src=dir", "directory"),
        ):
            with self.subTest(secret=secret):
                self.fails_before_connecting("--secret", secret, context, rc=None, says=says)

    def test_not_given(self):
        step = "RUN --mount=type=secret,id=wanted,required=true cat /run/secrets/wanted"
        context = self.context({"Dockerfile": self.dockerfile(f"{step} # {self.image_name()}")})
        self.fails(context, says=["wanted", "--secret|not found"])

    def test_its_value_is_in_no_message(self):
        value = "5ecret-" + self.image_name()[:20]
        context = self.context(
            {"Dockerfile": self.dockerfile("RUN --mount=type=secret,id=s false")}
        )
        self.fails("--secret", "id=s,env=VALUE", context, env={"VALUE": value})
        self.assert_no_leak(value)


class Credentials(BadInputTest):
    REFUSED = "401|403|denied|not allowed|unauthori[sz]ed|authori[sz]ation"

    def push(self, image, **options):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
        return self.fails("-t", image, "--push", context, **options)

    def test_malformed_settings(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        for text, says in (
            ("{", "config.json"),
            ("[]", "config.json"),
            ('{"auths": []}', "auths"),
            ('{"auths": {"h": {"auth": "not base64!"}}}', "config.json.*auth"),
            ('{"auths": {"h": {"auth": "bm9jb2xvbg=="}}}', "user:password"),
            ('{"credsStore": 7}', "credsStore"),
            ("\x00\x01", "config.json"),
        ):
            with self.subTest(text=text):
                (self.docker_config / "config.json").write_text(text)
                self.fails_before_connecting(context, rc=125, says=says, never="not base64!|bm9jb2xvbg")

    def test_malformed_variable(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        for text in ("{", "[]", '{"auths": {"h": {"auth": "s3cret%"}}}', '{"auths": {}} {}'):
            with self.subTest(text=text):
                env = {"DOCKER_AUTH_CONFIG": text}
                self.fails_before_connecting(
                    context, rc=125, env=env, says="DOCKER_AUTH_CONFIG", never="s3cret"
                )

    def test_malformed_order(self):
        env = {"DOCKER_AUTH_ORDER": "env,confg"}
        context = self.context({"Dockerfile": "FROM scratch\n"})
        self.fails_before_connecting(
            context, rc=125, env=env, says=["DOCKER_AUTH_ORDER", "config"]
        )

    def test_settings_that_cannot_be_read(self):
        (self.docker_config / "config.json").mkdir()
        self.fails_before_connecting(
            self.context({"Dockerfile": "FROM scratch\n"}), rc=125, says="config.json"
        )

    def test_missing_credential_helper(self):
        self.docker_settings(credsStore="nonexist")
        self.push(self.image_name(registry="basic"), says="docker-credential-nonexist")

    def test_push_without_credentials(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                host = self.registry_host(registry)
                image = self.image_name(registry=registry)
                self.push(image, says=[host, self.REFUSED, "docker login"])

    def test_push_with_wrong_credentials(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                host = self.registry_host(registry)
                wrong = "cHVzaGVyOm5vdC10aGUtcGFzc3dvcmQ="
                self.docker_settings(auths={host: {"auth": wrong}})
                image = self.image_name(registry=registry)
                self.push(image, says=[host, self.REFUSED, "login|config.json"])
                self.assert_no_leak("not-the-password")

    def test_push_by_someone_who_may_only_read(self):
        self.login("bearer", user="READER")
        image = self.image_name(registry="bearer")
        host = self.registry_host("bearer")
        self.push(image, says=[host, self.REFUSED])
        self.assert_no_leak(self.rig["READER"].split(":")[1])

    def test_push_by_an_engine_without_credentials(self):
        for engine in ("classic", "containerd", "oldest"):
            with self.subTest(engine=engine):
                host = self.registry_host("basic")
                image = self.image_name(registry="basic")
                self.push(image, builder=None, engine=engine, says=host)


class Places(BadInputTest):
    """Where results will be written is checked before the build starts."""

    def assert_refused_before(self, *args, says, **options):
        context, ran = self.step_of_its_own()
        result = self.fails(*args, context, says=says, rc=None, **options)
        self.assertIn(result.rc, FAILURES | {125})
        self.assertFalse(ran(), "the step ran")

    def test_files_in_no_folder(self):
        for args in (
            ("--iidfile", "/nonexistent/iid"),
            ("--metadata-file", "/nonexistent/meta.json"),
            ("-o", "type=tar,dest=/proc/nonexistent/out.tar"),
            ("-o", "type=oci,dest=/dev/null/x/out.tar"),
            ("-o", "/proc/nonexistent/out"),
        ):
            with self.subTest(args=args):
                folder = os.path.dirname(args[1].rpartition("dest=")[2])
                self.assert_refused_before(*args, says=[folder, "cannot be written|there is no folder"])

    def test_files_that_are_directories(self):
        (self.work / "dir").mkdir()
        for args in (
            ("--iidfile", "dir"),
            ("--metadata-file", "dir"),
            ("-o", "type=tar,dest=dir"),
            ("-o", "type=docker,dest=dir"),
        ):
            with self.subTest(args=args):
                self.assert_refused_before(*args, says="dir.*directory|directory.*dir")

    def test_a_directory_that_is_a_file(self):
        (self.work / "plain").write_text("x")
        self.assert_refused_before("-o", "plain", says="plain.*not a directory|directory")
        self.assertEqual((self.work / "plain").read_text(), "x")

    def test_folders_that_take_no_files(self):
        with self.mounted("ro,size=64k") as place:
            for args in (
                ("--iidfile", f"{place}/iid"),
                ("--metadata-file", f"{place}/meta.json"),
                ("-o", f"type=tar,dest={place}/out.tar"),
                ("-o", str(place)),
            ):
                with self.subTest(args=args):
                    self.assert_refused_before(*args, says=f"{place}.*read-only")

    def test_full_disk(self):
        context = self.context(
            {"Dockerfile": "FROM scratch\nCOPY big /\n", "big": os.urandom(2 << 20)}
        )
        for args in (
            ("-o", "type=tar,dest={}/out.tar"),
            ("-o", "type=oci,dest={}/out.tar"),
            ("-o", "{}/out"),
        ):
            with self.subTest(args=args), self.mounted("size=512k") as place:
                (place / "out.tar").write_text("the old one")
                self.fails(
                    *(arg.format(place) for arg in args),
                    context,
                    says=["no space left", str(place)],
                )
                self.assertEqual((place / "out.tar").read_text(), "the old one")
                left = [p.name for p in place.rglob("*") if p.is_file() and p.name != "out.tar"]
                self.assertEqual(left, [], "a partial file is left")

    def test_a_full_disk_under_a_cache(self):
        step = f"RUN head -c 3000000 /dev/urandom >/big; : {self.image_name()}"
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{step}\n"})
        with self.mounted("size=512k") as place:
            failed = self.build("--cache-to", f"type=local,dest={place}/c", context, builder="tls", check=102)
        self.assertRegex(failed.stderr, "its cache could not be written to .*no space left")
        self.assertNotIn("the builder's disk", failed.stderr)

    def test_full_disk_with_many_files_on_the_way(self):
        # The builder's sender waits for ever where its receiver has gone: we know the outcome.
        files = {f"f/{n}": os.urandom(3000) for n in range(3000)}
        context = self.context({"Dockerfile": "FROM scratch\nCOPY f /\n", **files})
        with self.mounted("size=400k") as place:
            self.fails("-o", str(place), context, says=["no space left", str(place)])

    @contextlib.contextmanager
    def mounted(self, options):
        """A little file system of its own."""
        place = self.folder / "mount"
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], check=True)

    def test_load_without_an_engine(self):
        for args in (("--load",), ("-o", "type=docker")):
            with self.subTest(args=args):
                self.assert_refused_before(
                    *args, "-t", "x", says=[str(self.folder / "no-engine.sock"), "engine|daemon"]
                )

    def test_stale_files_of_a_failed_build(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN false")})
        (self.work / "iid").write_text("sha256:stale")
        (self.work / "out.tar").write_text("the old one")
        files = ("--iidfile", "iid", "--metadata-file", "meta.json")
        self.fails(*files, "-o", "type=oci,dest=oci.tar", context)
        self.assertFalse((self.work / "oci.tar").exists())
        self.fails("-o", "type=tar,dest=out.tar", context)
        self.assertEqual((self.work / "out.tar").read_text(), "the old one")
        self.assertFalse((self.work / "meta.json").exists())
        if (self.work / "iid").exists():
            self.assertEqual((self.work / "iid").read_text(), "sha256:stale")
        self.fails("-o", "new", context)
        files = [path for path in self.work.rglob("new/**/*") if path.is_file()]
        self.assertEqual(files, [])

    def test_a_place_below_a_file_of_the_result(self):
        # What the result wants to replace is a directory with files of the user.
        (self.work / "out" / "hello").mkdir(parents=True)
        (self.work / "out" / "hello" / "mine").write_text("mine")
        context = self.context({"Dockerfile": "FROM scratch\nCOPY hello /\n", "hello": "x"})
        result = self.build("-o", "out", context, builder="tls", check=None)
        if result.rc == 0:
            self.assertEqual((self.work / "out" / "hello").read_text(), "x")
        else:
            self.assertIn("hello", result.stderr)
            self.assertEqual((self.work / "out" / "hello" / "mine").read_text(), "mine")


class Depot(BadInputTest):
    """Another product's settings must not end in a silent local build."""

    def test_a_project_is_named(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        for env in ({"DEPOT_PROJECT_ID": "abc"}, {"DEPOT_TOKEN": "t0ken-of-depot"}):
            with self.subTest(env=env):
                result = self.build(context, engine="containerd", env=env, check=None)
                self.assertNotEqual(result.rc, 0)
                self.assertIn(next(iter(env)), result.stderr)
                self.assertNotIn("t0ken-of-depot", result.stderr)

    def test_a_project_file(self):
        context = self.context(
            {"Dockerfile": "FROM scratch\n", "depot.json": json.dumps({"id": "abc"})}
        )
        result = self.build(context, engine="containerd", cwd=context, check=None)
        self.assertNotEqual(result.rc, 0)
        self.assertIn("depot.json", result.stderr)

    def test_a_project_file_that_leads_elsewhere(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        (context / "depot.json").symlink_to("/proc/self/environ")
        result = self.build(
            context, cwd=context, env={"DEPOT_TOKEN": "t0ken-of-depot"}, check=125, timeout=20
        )
        self.assertIn("depot.json is a symbolic link to /proc/self/environ", result.stderr)
        self.assertNotIn("t0ken-of-depot", result.stderr)
