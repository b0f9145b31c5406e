"""Failures that have a known cause say what to do: made for real, each with the words that help."""

import base64
import os

import trees
from faulty_registry import FaultyRegistry, answer
from git_server import GitServer, commit
from harness import FAILURES, EndToEnd
from relays import Relay


class CauseTest(EndToEnd):
    def dockerfile(self, *lines, base=None, **files):
        text = "\n".join([f"FROM {base or self.rig['BASE']}", *lines, ""])
        return self.context({"Dockerfile": text, **files})

    def hint(self, *args, builder="plain", **options):
        """The hint of a build that fails."""
        if options.get("engine"):
            builder = None
        result = self.build(*args, builder=builder, check=FAILURES, **options)
        lines = [line for line in result.stderr.splitlines() if line.startswith("hint: ")]
        self.assertEqual(len(lines), 1, result)
        return lines[0]


class OfTheContext(CauseTest):
    def test_the_line_of_the_ignore_file(self):
        ignore = "# what is made\n\n*.log\nout\n!out/keep\n"
        context = self.dockerfile(
            "COPY out/app /", **{".dockerignore": ignore, "out/app": "x", "out/keep": "y"}
        )
        hint = self.hint(context)
        self.assertIn("line 4 of .dockerignore excludes it: out; add a line below it: !out", hint)

    def test_in_the_words_of_an_old_engine(self):
        context = self.dockerfile("COPY out/app /", **{".dockerignore": "out\n", "out/app": "x"})
        self.assertIn("line 1 of .dockerignore excludes it: out", self.hint(context, engine="oldest"))

    def test_the_ignore_file_of_the_dockerfile(self):
        context = self.dockerfile("COPY app /", app="x")
        (context / "Dockerfile.dockerignore").write_text("**/app\n")
        (context / ".dockerignore").write_text("\n\n\napp\n")
        self.assertIn("line 1 of Dockerfile.dockerignore", self.hint(context))

    def test_no_such_file(self):
        context = self.dockerfile("COPY Setup.py /", **{"setup.py": "x"})
        hint = self.hint(context)
        self.assertIn("there is no Setup.py in the build context", hint)
        self.assertIn("did you mean setup.py?", hint)

    def test_a_file_of_another_stage(self):
        base = self.rig["BASE"]
        context = self.context(
            {"Dockerfile": f"FROM {base} AS one\nFROM {base}\nCOPY --from=one /nope /\n", "nope": ""}
        )
        self.assertIn("COPY --from takes it from that stage", self.hint(context))


    def test_a_directory_in_the_place_of_the_dockerfiles_own_ignore_file(self):
        """As with docker buildx, that of the context is in force."""
        context = self.dockerfile("COPY a* /", a="x", ab="y", **{".dockerignore": "ab\n", "Dockerfile.dockerignore/x": "a"})
        seen = []
        for run in (self.build, lambda *a, **o: self.run_buildx("build", *a, **o)):
            out = self.work / f"out{len(seen)}"
            run("-o", out, context, builder="plain")
            seen.append([name for name in ("a", "ab") if trees.is_in(out, name)])
        self.assertEqual(seen, [["a"], ["a"]])


class OfTheDockerfile(CauseTest):
    def test_stage_instruction_variable_and_platform(self):
        for args, lines, base, says in (
            (("--target", "nope"), (), None, "--target names a stage"),
            ((), ("RUNN true",), None, "no instruction of a Dockerfile begins so"),
            ((), (), "$NOTHING", "a variable in FROM has no value"),
            ((), ("COPY --nope a /",), None, "# syntax=docker/dockerfile:1"),
            (("--platform", "linux/s390x", "--emulate"), (), None, "for this platform"),
        ):
            with self.subTest(says=says):
                self.assertIn(says, self.hint(*args, self.dockerfile(*lines, base=base)))

    def test_programs_of_a_step(self):
        for line, base, says in (
            ("RUN no-such-program", None, "did not find a program"),
            ("RUN touch /x && /x", None, "is it executable"),
            ("RUN true", "scratch", "the image has no shell"),
            ('RUN ["/nope"]', None, "the image has no such program"),
            ("RUN sh -c 'kill -9 $$'; exit $?", None, "ran out of memory, or something killed it"),
        ):
            with self.subTest(line=line):
                self.assertIn(says, self.hint("--no-cache", self.dockerfile(line, base=base)))

    def test_a_program_for_another_cpu(self):
        # An ELF header of a machine that no qemu here runs.
        header = b"\x7fELF\x01\x02\x01" + bytes(9) + b"\x00\x02\x00\x16" + bytes(200)
        context = self.dockerfile("COPY --chmod=755 x /x", 'RUN ["/x"]', x=header)
        self.assertIn("for another CPU", self.hint(context))

    def test_stages_in_a_circle(self):
        base = self.rig["BASE"]
        lines = (f"FROM {base} AS one", "COPY --from=two /bin/sh /x", f"FROM {base} AS two", "COPY --from=one /x /y")
        context = self.context({"Dockerfile": "\n".join(lines)})
        self.assertIn("break the circle", self.hint(context))

    def test_a_disk_that_is_full(self):
        line = "RUN --mount=type=tmpfs,target=/t,size=4096 dd if=/dev/zero of=/t/x bs=1M count=1"
        result = self.build(self.dockerfile(line), builder="plain", check=1)
        self.assertIn("No space left on device", result.stderr)


class InTheWordsOfAnOldEngine(CauseTest):
    """BuildKit 0.8, of Docker 20.10."""

    def old(self, *args, **options):
        return self.hint("--no-cache", *args, engine="oldest", **options)

    def test_old_words_of_programs(self):
        for line, base, says in (
            ("RUN no-such-program", None, "did not find a program"),
            ('RUN ["no-such-program"]', None, "the image has no such program"),
            ("RUN touch /x && /x", None, "is it executable"),
            ("RUN true", "scratch", "the image has no shell"),
            ("RUN sh -c 'kill -9 $$'; exit $?", None, "ran out of memory, or something killed it"),
            ("RUN --network=host true", None, "# syntax=docker/dockerfile:1"),
        ):
            with self.subTest(line=line):
                self.assertIn(says, self.old(self.dockerfile(line, base=base)))

    def test_images_and_stages(self):
        base, missing = self.rig["BASE"], f"{self.registry_host('open')}/no/such:image"
        self.assertIn("there is no image of that name", self.old(self.dockerfile(base=missing)))
        self.assertEqual(self.results[-1].rc, 113)
        lines = f"FROM {base} AS one\nFROM {base}\nCOPY --from=one /nope /\n"
        self.assertIn("COPY --from", self.old(self.context({"Dockerfile": lines})))
        self.assertIn("for this platform", self.old("--platform=linux/s390x", "--emulate", self.dockerfile("RUN true")))

    def test_old_words_of_a_registry_without_tls(self):
        """As in OfRegistries, whose address is this machine and no loopback one to a builder."""
        plain = f"0.0.0.0:{self.registry_host('open').rpartition(':')[2]}"
        self.assertIn("speaks no TLS", self.old(self.dockerfile(base=f"{plain}/{self.image_name()}")))
        hint = self.old("--push", "-t", f"{plain}/{self.image_name()}", self.dockerfile())
        self.assertIn("insecure-registries", hint)
        self.assertEqual(self.results[-1].rc, 113)


class OfKeysAndSecrets(CauseTest):
    def test_secret_ssh_and_entitlement(self):
        for args, line, says in (
            ((), "RUN --mount=type=secret,id=s,required=true true", "--secret id=NAME"),
            ((), "RUN --mount=type=ssh,required=true true", "--ssh ID"),
            ((), "RUN --network=host true", "--allow"),
        ):
            with self.subTest(line=line):
                self.assertIn(says, self.hint(*args, self.dockerfile(line)))

    def test_what_the_builder_itself_does_not_allow(self):
        hint = self.hint("--allow", "security.insecure", self.dockerfile("RUN true"))
        self.assertIn("the builder's own configuration must allow it too", hint)


class OfRegistries(CauseTest):
    def test_whose_credentials_were_refused(self):
        registry = self.rig["REGISTRY_BEARER"]
        user, _, password = self.rig["READER"].partition(":")
        self.login("bearer", user="READER")
        image = self.image_name(registry="bearer")
        hint = self.hint("--no-preflight", "--push", "-t", image, self.dockerfile())
        self.assertIn(f"the credentials of config.json (user {user}) for {registry}", hint)
        self.assertNotIn(password, hint)

    def test_that_there_are_none(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                image = self.image_name(registry=registry)
                hint = self.hint("--no-preflight", "--push", "-t", image, self.dockerfile())
                host = self.rig[f"REGISTRY_{registry.upper()}"]
                self.assertIn(f"no credentials are configured for {host}: docker login {host}", hint)

    def test_no_such_image(self):
        base = f"{self.rig['REGISTRY_OPEN']}/no/such:image"
        self.assertIn("there is no image of that name", self.hint(self.dockerfile(base=base)))

    def test_a_registry_that_is_not_there(self):
        base = f"{self.closed_port()}/x/y"
        self.assertIn("can the builder reach", self.hint(self.dockerfile(base=base)))

    def test_a_registry_without_tls(self):
        """0.0.0.0 is this machine, and to a builder no loopback address, to which it would speak without TLS, too."""
        base = f"0.0.0.0:{self.registry_host('open').rpartition(':')[2]}/{self.image_name()}"
        self.assertIn("that registry speaks no TLS", self.hint(self.dockerfile(base=base)))

    def test_a_stage_that_does_not_exist(self):
        hint = self.hint(self.dockerfile("COPY --from=nostage /a /"))
        self.assertIn("no stage of the Dockerfile is called nostage", hint)

    def test_a_limit_that_is_used_up(self):
        with FaultyRegistry(self.registry_host("open")) as registry:
            for method in ("HEAD", "GET"):
                registry.will(method, "/manifests/", answer(429, code="TOOMANYREQUESTS"))
            hint = self.hint(self.dockerfile(base=f"{registry.address}/{self.image_name()}"))
        self.assertIn("the registry's limit is used up", hint)
        self.assertIn("Docker Hub counts the pulls of 6 hours", hint)

    def test_uploads_that_are_too_large(self):
        with FaultyRegistry(self.registry_host("open")) as registry:
            for method in ("PUT", "PATCH"):
                registry.will(method, "/blobs/uploads/", answer(413))
            image = f"{registry.address}/{self.image_name()}"
            context = self.dockerfile(f"RUN echo {self.image_name()} >/own")
            hint = self.hint("--no-preflight", "--push", "-t", image, context)
        self.assertIn("raise its limit (client_max_body_size of nginx)", hint)

    def test_the_original(self):
        context = self.dockerfile("COPY nope /")
        plain = self.build(context, builder="plain", check=1).stderr
        self.assertNotIn("\noriginal: ", plain)
        debug = self.build("-D", context, builder="plain", check=1).stderr
        self.assertRegex(debug, r"(?m)^original: .*failed to calculate checksum of ref ")


    def test_a_quota_and_a_full_disk(self):
        self.start_newest_engine()
        context = self.dockerfile(f"RUN echo {self.image_name()} >/own")
        for status, message, says, where in (
            # Older builders do not pass on what the registry says.
            (403, "the storage quota is used up", "the registry's quota is used up", {"engine": "newest"}),
            (507, "full", "the registry's disk is full", {}),
        ):
            with self.subTest(says=says), FaultyRegistry(self.registry_host("open")) as registry:
                for method in ("PUT", "PATCH", "POST"):
                    registry.will(method, "/blobs/uploads/", answer(status, code="DENIED", message=message))
                image = f"{registry.address}/{self.image_name()}"
                self.assertIn(says, self.hint("--no-preflight", "--push", "-t", image, context, **where))


class OfServers(CauseTest):
    """What a builder meets when it fetches files and repositories."""

    def tls_port(self, target, address="127.0.0.1"):
        relay = Relay(target, address, tls=(self.rig["SERVER_CERT"], self.rig["SERVER_KEY"]))
        self.addCleanup(relay.close)
        return relay.port

    def git(self, authorization=None):
        server = GitServer(self.folder / "www", authorization)
        self.addCleanup(server.close)
        return server

    def test_certificates_of_files(self):
        registry = self.registry_host("open").rpartition(":")
        target = (registry[0], int(registry[2]))
        for url, says in (
            (f"https://127.0.0.1:{self.tls_port(target)}/x", "does not know the authority"),
            (f"https://127.0.0.2:{self.tls_port(target, '127.0.0.2')}/x", "a certificate of another name"),
            (f"https://{self.registry_host('open')}/x", "speaks no TLS"),
        ):
            with self.subTest(says=says):
                self.assertIn(says, self.hint(self.dockerfile(f"ADD {url} /")))

    def test_repositories(self):
        wanted = "Basic " + base64.b64encode(b"x-access-token:right").decode()
        commit(self.folder / "www" / "app.git", {"Dockerfile": "FROM scratch\n"})
        closed, opened = self.git(wanted), self.git()
        host, port = opened.host.split(":")
        secret = ("--secret", "id=GIT_AUTH_TOKEN,env=T")
        for args, says in (
            ((closed.url("app.git"),), "a private repository: give its token"),
            ((*secret, closed.url("app.git")), "when one was given, it was refused"),
            ((f"http://me:wrong@{closed.host}/app.git",), "git's credentials were refused"),
            ((opened.url("app.git#nope"),), "no such branch, tag or commit"),
            (("http://nowhere.invalid/app.git",), "does not find that name"),
            ((f"https://{host}:{self.tls_port((host, int(port)))}/app.git",), "git on the builder"),
        ):
            with self.subTest(says=says):
                self.assertIn(says, self.hint(*args, env={"T": "wrong"}))


class OfWhatIsAskedFor(CauseTest):
    def test_words_that_the_builder_does_not_take(self):
        for args, line, base, says in (
            ((), "RUN true", "--platform=a/b/c/d/e scratch", "a platform is OS/ARCH"),
            (("--build-arg", "SOURCE_DATE_EPOCH=monday"), "RUN true", None, "seconds since 1970"),
        ):
            with self.subTest(says=says):
                self.assertIn(says, self.hint(*args, self.dockerfile(line, base=base)))

    def test_words_that_end_in_a_blank(self):
        """A builder's last word and a session's header then do, too, and an HTTP/2 library may refuse that."""
        said = self.build(self.dockerfile('STOPSIGNAL "foo "'), builder="plain", check=1).stderr
        self.assertIn("invalid signal: foo", said)
        context = self.context({"Dockerfile": 'FROM scratch\nCOPY ["tr ", "/x/"]\n', "tr ": "1"})
        self.build(context, builder="plain")

    def test_what_an_old_builder_does_not_know(self):
        named = self.context({"a": "1"})
        said = self.build("--build-context", f"x={named}", self.dockerfile(), engine="oldest", check=FAILURES).stderr
        self.assertIn("BuildKit 0.10", said)


class Masks(CauseTest):
    def test_no_secret_in_any_output(self):
        secret = f"s3cret-{os.getpid()}-value"
        lines = (
            "RUN --mount=type=secret,id=s cat /run/secrets/s; cat /run/secrets/s >&2; "
            "head -c 9 /run/secrets/s; sleep 1; tail -c +10 /run/secrets/s; "
            'echo "${NAME}"; exit 3',
        )
        for progress in ("plain", "gitlab", "rawjson", "quiet"):
            with self.subTest(progress=progress):
                result = self.build(
                    f"--progress={progress}",
                    "--no-cache",
                    "--secret",
                    "id=s,env=S",
                    "--log-file",
                    "log.txt",
                    "--timeline",
                    "time.html",
                    self.dockerfile(*lines),
                    builder="plain",
                    env={"S": secret},
                    check=1,
                )
                log = (self.work / "log.txt").read_text()
                page = (self.work / "time.html").read_text()
                for text in (result.stderr, log, page):
                    self.assertNotIn(secret, text)
                self.assertIn("***", log)
                self.assertIn("***", page)
                self.assertNotIn(base64.b64encode(secret.encode()).decode(), result.stderr)
