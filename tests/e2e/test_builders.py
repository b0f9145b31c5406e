"""Every kind of builder builds, and the flags that shape a build reach it."""

import base64
import io
import json
import os
import tarfile
import unittest
from pathlib import Path

import trees
from harness import EndToEnd, symlink

ENGINES = ("containerd", "classic", "oldest")


class BuildersTest(EndToEnd):
    """What the tests below share."""

    def dockerfile(self, *lines):
        """A Dockerfile with steps of this test's own that leaves the file /word alone."""
        return "\n".join(
            [
                f"FROM {self.rig['BASE']} AS steps",
                f"RUN echo {self.image_name()}",
                *lines,
                "FROM scratch",
                "COPY --from=steps /word /",
                "",
            ]
        )

    def written(self, *args, **options):
        """Builds with `-o out`; what the file /word of the result holds."""
        self.out = self.work / f"out{len(self.results)}"
        self.build("-o", self.out, *args, **options)
        return trees.text(self.out, "word")

    def small(self, word="hello"):
        return self.context({"Dockerfile": self.dockerfile(f"RUN echo {word} >/word")})

    def whole(self):
        """A context with RUN, COPY, ARG and LABEL, and the image it is to make."""
        return self.context(
            {
                "Dockerfile": f"""FROM {self.rig["BASE"]}
ARG WORD=default
LABEL test.word=$WORD
COPY hello.txt /copied
RUN echo "$WORD {self.image_name()}" >/word && cat /copied >>/word
CMD ["cat", "/word"]
""",
                "hello.txt": "hello\n",
            }
        )


class Engines(BuildersTest):
    def check_engine(self, name):
        context, image, iidfile = self.whole(), self.image_name(), self.work / "iid"
        self.build(
            "-t", image, "--build-arg", "WORD=given", "--iidfile", iidfile, context, engine=name
        )
        found = self.engine(name).inspect(image)
        self.assertIsNotNone(found, "the engine does not know the name")
        self.assertEqual(found["Config"]["Labels"], {"test.word": "given"})
        self.assertEqual(len(found["RootFS"]["Layers"]), 3)
        code, output = self.engine(name).run(image, "cat", "/word")
        self.assertEqual((code, output.split()[0], output.split()[-1]), (0, "given", "hello"))
        by_id = self.engine(name).inspect(iidfile.read_text())
        self.assertIsNotNone(by_id, "the engine does not know the ID of the image")
        self.assertEqual(by_id["Id"], found["Id"])
        quiet = self.build("-q", "--build-arg", "WORD=given", context, engine=name)
        self.assertRegex(quiet.stdout, r"\Asha256:[0-9a-f]{64}\n\Z")
        self.assertEqual(quiet.stderr, "")
        self.assertIsNotNone(self.engine(name).inspect(quiet.stdout.strip()))

    def test_engine_with_containerd_store(self):
        self.check_engine("containerd")

    def test_engine_with_classic_store(self):
        self.check_engine("classic")

    def test_engine_20_10(self):
        self.check_engine("oldest")

    def test_engine_over_tcp_with_tls(self):
        image = self.image_name()
        self.build("-t", image, self.small(), engine="classic-tls")
        self.assertIsNotNone(self.engine("classic").inspect(image))

    def test_two_names(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                images = [self.image_name("one"), self.image_name("two", tag="v2")]
                self.build("-t", images[0], "-t", images[1], self.small(), engine=engine)
                ids = {self.engine(engine).inspect(image)["Id"] for image in images}
                self.assertEqual(len(ids), 1)

    def test_name_is_normalised_like_dockers(self):
        name = "e2e-" + self.image_name().partition("/")[0].lower()
        for engine in ENGINES:
            with self.subTest(engine=engine):
                self.build("-t", f"docker.io/library/{name}", self.small(), engine=engine)
                found = self.engine(engine).inspect(name)
                self.assertIn(f"{name}:latest", found["RepoTags"])

    def context_with_tls(self):
        certificates = self.rig["CLASSIC_CERTS"]
        keys = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
        paths = ",".join(f"{key}={certificates}/{name}" for key, name in keys.items())
        self.run_docker(
            "context", "create", "remote", "--docker", f"host={self.rig['CLASSIC_TLS']},{paths}"
        )

    def test_docker_context_by_variable(self):
        self.context_with_tls()
        image = self.image_name()
        env = {"DOCKER_HOST": None, "DOCKER_CONTEXT": "remote"}
        self.build("-t", image, self.small(), env=env)
        self.assertIsNotNone(self.engine("classic").inspect(image))

    def test_docker_context_in_use(self):
        self.context_with_tls()
        self.run_docker("context", "use", "remote", env={"DOCKER_HOST": None})
        image = self.image_name()
        self.build("-t", image, self.small(), env={"DOCKER_HOST": None})
        self.assertIsNotNone(self.engine("classic").inspect(image))

    def test_docker_host_beats_the_context_in_use(self):
        self.context_with_tls()
        self.run_docker("context", "use", "remote", env={"DOCKER_HOST": None})
        image = self.image_name()
        self.build("-t", image, self.small(), engine="oldest")
        self.assertIsNone(self.engine("classic").inspect(image))
        self.assertIsNotNone(self.engine("oldest").inspect(image))


class RemoteBuilders(BuildersTest):
    def test_settings_of_an_engine_that_is_not_there_do_no_harm(self):
        gitlab = {
            "DOCKER_HOST": "tcp://docker:2376",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": "/certs/client",
        }
        context = {"DOCKER_HOST": None, "DOCKER_CONTEXT": "no"}
        for env in (gitlab, {"DOCKER_HOST": "ssh://host"}, context):
            with self.subTest(env=env):
                self.assertEqual(self.written(self.small(), builder="tls", env=env), "hello\n")
        refused = self.build("--load", self.small(), builder="tls", env=gitlab, check=114)
        self.assertIn("/certs/client/ca.pem", refused.stderr)

    def material(self):
        names = {"cacert": "CACERT", "cert": "CERT", "key": "KEY"}
        return {key: Path(self.rig[name]).read_text() for key, name in names.items()}

    def variables(self, **values):
        named = {f"DEPOT_BUILDER_{key.upper()}": value for key, value in values.items()}
        return {**named, "DEPOT_BUILDER_SERVERNAME": self.rig["SERVERNAME"]}

    def test_tls_by_paths(self):
        self.assertEqual(self.written(self.small("paths"), builder="tls"), "paths\n")

    def test_tls_by_pem_text(self):
        word = self.written(
            self.small("pem"), builder=self.rig["BUILDER"], env=self.variables(**self.material())
        )
        self.assertEqual(word, "pem\n")

    def test_tls_by_base64(self):
        coded = {
            key: base64.b64encode(text.encode()).decode() for key, text in self.material().items()
        }
        word = self.written(
            self.small("base64"), builder=self.rig["BUILDER"], env=self.variables(**coded)
        )
        self.assertEqual(word, "base64\n")

    def test_tls_by_flag(self):
        keys = ("cacert", "cert", "key", "servername")
        query = "&".join(f"{key}={self.rig[key.upper()]}" for key in keys)
        word = self.written(
            "--builder",
            f"{self.rig['BUILDER']}?{query}",
            self.small("flag"),
            builder=f"tcp://{self.closed_port()}",
        )
        self.assertEqual(word, "flag\n")

    def test_key_material_stays_in_memory(self):
        running = self.start_plugin(
            "build",
            self.context({"Dockerfile": self.dockerfile(f"RUN {(step := self.endless_step())}")}),
            builder=self.rig["BUILDER"],
            env=self.variables(**self.material()),
        )
        self.wait_for_step(step)
        self.assertEqual(list(self.tmp.rglob("*")), [])
        self.assert_no_leak(
            self.material()["key"], (Path(f"/proc/{running.pid}/cmdline")).read_text()
        )
        running.send(2)
        running.wait(10, check=130)

    def test_plain_tcp(self):
        self.assertEqual(self.written(self.small("plain"), builder="plain"), "plain\n")

    def test_unix_socket(self):
        word = self.written(self.small("unix"), builder=self.bridge("unix").url)
        self.assertEqual(word, "unix\n")

    def test_remote_builder_beats_the_engine(self):
        image = self.image_name()
        built = self.build("-t", image, self.small(), builder="tls", engine="classic")
        self.assertIsNone(self.engine("classic").inspect(image))
        self.assertIn(self.rig["BUILDER"], built.stderr)


class BuildersOfTheEnvironment(BuildersTest):
    """What docker buildx and buildctl would build on."""

    def add_instance(self, name, endpoint, driver="remote"):
        node = {"Name": f"{name}0", "Endpoint": endpoint, "Platforms": None}
        path = self.docker_config / "buildx" / "instances" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"Name": name, "Driver": driver, "Nodes": [node]}))

    def builds_on_plain(self, *args, said_by, **options):
        """An Engine is there too, and must not be what is built on."""
        self.assertEqual(self.written(*args, self.small(), engine="classic", **options), "hello\n")
        said = f"building on {self.rig['BUILDER_PLAIN']} ({said_by})"
        self.assertIn(said, self.results[-1].stderr)

    def test_the_instance_of_buildx_builder(self):
        self.add_instance("far", self.rig["BUILDER_PLAIN"])
        self.builds_on_plain(env={"BUILDX_BUILDER": "far"}, said_by="BUILDX_BUILDER")

    def test_the_address_of_buildkit_host(self):
        env = {"BUILDKIT_HOST": self.rig["BUILDER_PLAIN"]}
        self.builds_on_plain(env=env, said_by="BUILDKIT_HOST")

    def test_an_instance_by_its_name(self):
        self.add_instance("far", self.rig["BUILDER_PLAIN"])
        self.builds_on_plain("--builder", "far", said_by="--builder far")
        self.builds_on_plain(builder="far", said_by="DEPOT_BUILDER far")

    def test_what_buildx_itself_made_and_uses(self):
        env = {"BUILDX_CONFIG": self.docker_config / "buildx"}
        create = ["create", "--use", "--driver", "remote", "--name", "theirs"]
        self.run_buildx(*create, self.rig["BUILDER_PLAIN"], engine="classic", env=env)
        self.builds_on_plain(said_by="docker buildx use theirs")

    def test_one_that_cannot_be_used_is_never_replaced(self):
        self.add_instance("odd", "x", driver="cloud")
        for env, says in (
            ({"BUILDX_BUILDER": "gone"}, 'BUILDX_BUILDER: no builder "gone" found'),
            ({"BUILDX_BUILDER": "odd"}, 'its driver "cloud" is not known here'),
            ({"BUILDKIT_HOST": "gone"}, "BUILDKIT_HOST: "),
            ({"BUILDKIT_HOST": f"tcp://{self.closed_port()}"}, "refused"),
        ):
            with self.subTest(env=env):
                result = self.build(self.small(), engine="classic", env=env, check=None)
                self.assertNotEqual(result.rc, 0)
                self.assertIn(says, result.stderr)
                self.assertNotIn("building on the Docker Engine", result.stderr)


class Together(BuildersTest):
    def test_builds_of_one_context_at_the_same_time(self):
        for options in ({"builder": "tls"}, {"engine": "classic"}):
            with self.subTest(**options):
                context = self.small()
                running = [
                    self.start_plugin("build", "-o", f"out{number}", context, **options)
                    for number in range(6)
                ]
                for number, one in enumerate(running):
                    self.assertEqual(self._finish(one, 0, 60).rc, 0)
                    self.assertEqual(trees.text(self.work / f"out{number}", "word"), "hello\n")


class Flags(BuildersTest):
    def test_platform_that_is_not_the_builders_own(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN uname -m >/word")})
        flags = ["--platform", "linux/arm64", "-o", "type=oci,dest=image.tar"]
        result = self.build(*flags, context, builder="tls")
        self.assertIn("linux/arm64 is emulated on tcp://", result.stderr)
        layout = self.oci_layout(self.work / "image.tar")
        self.assertEqual(layout.config(platform="linux/arm64")["architecture"], "arm64")
        with tarfile.open(fileobj=io.BytesIO(layout.layers(platform="linux/arm64")[0])) as layer:
            self.assertEqual(layer.extractfile("word").read(), b"aarch64\n")

    def test_default_platform_variable(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN uname -m >/word")})
        env = {"DOCKER_DEFAULT_PLATFORM": "linux/arm64"}
        written = self.written(context, builder="tls", env=env)
        self.assertEqual(written, "aarch64\n")

    def test_target(self):
        context = self.context(
            {"Dockerfile": "FROM scratch AS one\nCOPY word /\nFROM one\nCOPY more /\n"}
            | {"word": "first", "more": ""}
        )
        self.assertEqual(self.written("--target", "one", context, builder="tls"), "first")
        self.assertFalse(trees.is_in(self.out, "more"))

    def test_build_args(self):
        lines = ["ARG A=a", "ARG B=b", "ARG C=c", "ARG D=d", 'RUN echo "$A $B $C $D" >/word']
        context = self.context({"Dockerfile": self.dockerfile(*lines)})
        flags = ["--build-arg", "A=x=y, z", "--build-arg", "B", "--build-arg", "C"]
        env = {"B": "from the environment"}
        word = self.written(*flags, "--build-arg=D=", context, builder="tls", env=env)
        self.assertEqual(word, "x=y, z from the environment c \n")

    def test_labels(self):
        context, image = self.small(), self.image_name()
        self.build(
            "-t", image, "--label", "a=b=c", "--label", "empty", context, engine="containerd"
        )
        labels = self.engine("containerd").inspect(image)["Config"]["Labels"]
        self.assertEqual(labels, {"a": "b=c", "empty": ""})

    def test_no_cache(self):
        context = self.context(
            {"Dockerfile": self.dockerfile("RUN cat /proc/sys/kernel/random/uuid >/word")}
        )
        first = self.written(context, builder="tls")
        self.assertEqual(self.written(context, builder="tls"), first)
        self.assertNotEqual(self.written("--no-cache", context, builder="tls"), first)

    def test_pull(self):
        base = self.image_name("base", registry="open")
        for word, options in (
            ("old", {"engine": "classic"}),
            ("new", {"builder": "tls"}),
        ):
            made = self.context({"Dockerfile": f"FROM scratch\nCOPY word /\n", "word": word})
            push = ["--push"] if word == "new" else []
            self.build("-t", base, *push, made, **options)
        context = self.context({"Dockerfile": f"FROM {base}\nLABEL x=y\n"})
        self.assertEqual(self.written(context, engine="classic"), "old")
        self.assertEqual(self.written("--pull", context, engine="classic"), "new")

    def test_network_none(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN ip route >/word")})
        self.assertEqual(self.written("--network=none", context, builder="tls"), "")

    def test_network_host(self):
        line = "RUN readlink /proc/self/ns/net >/word"
        context = self.context({"Dockerfile": self.dockerfile(line)})
        host = os.readlink("/proc/self/ns/net")
        self.assertNotEqual(self.written(context, builder="tls").strip(), host)
        word = self.written("--network", "host", context, builder="tls")
        self.assertEqual(word.strip(), host)

    def test_allowed_network_of_one_step(self):
        line = "RUN --network=host readlink /proc/self/ns/net >/word"
        context = self.context({"Dockerfile": self.dockerfile(line)})
        word = self.written("--allow", "network.host", context, builder="tls")
        self.assertEqual(word.strip(), os.readlink("/proc/self/ns/net"))
        refused = self.build(context, builder="tls", check=None)
        self.assertNotEqual(refused.rc, 0)
        self.assertIn("network.host", refused.stderr)

    def test_an_entitlement_that_the_builder_does_not_grant_is_refused_at_once(self):
        result = self.build("--allow", "security.insecure", self.small(), builder="tls", check=1)
        self.assertIn("entitlement security.insecure is not allowed", result.stderr)
        self.assertIn("insecure-entitlements", result.stderr)
        # It waits 5 s for what might still come.
        theirs = self.run_buildx("build", "--allow", "security.insecure", self.small(), builder="tls", check=1)
        self.assertLess(result.seconds, theirs.seconds, "the builder says so at once")

    def test_quiet_without_an_output_says_why_nothing_is_printed(self):
        result = self.build("-q", self.small(), builder="tls")
        self.assertEqual(result.stdout, "")
        self.assertIn("no image ID to print", result.stderr)
        folder = self.work / "out"
        result = self.build("-q", "-o", folder, self.small(), builder="tls")
        self.assertEqual(result.stdout, "")
        self.assertIn("the outputs asked for make no image", result.stderr)

    def test_what_has_no_effect_is_said(self):
        env = {"BUILDX_SEND_GIT_QUERY_AS_INPUT": "1", "BUILDX_CPU_PROFILE": "file"}
        env |= {"DEPOT_TOKEN": "of the job"}
        flags = ["--token", "t0ken", "--project", "p1", "--build-platform", "linux/amd64"]
        result = self.build(*flags, self.small(), builder="tls", env=env)
        for says in (
            "BUILDX_SEND_GIT_QUERY_AS_INPUT has no effect",
            "BUILDX_CPU_PROFILE has no effect",
            "--token has no effect",
            "--project has no effect",
            "--build-platform chooses no machine",
        ):
            self.assertEqual(result.stderr.count(says), 1, says)
        self.assertNotIn("DEPOT_TOKEN", result.stderr)
        self.assertNotIn("t0ken", result.stderr)

    def test_settings_that_are_no_flags_are_honoured(self):
        context = self.small()
        env = {"BUILDKIT_PROGRESS": "quiet"}
        said = self.build("-o", "out", context, builder="tls", env=env)
        self.assertEqual((said.stdout, said.stderr), ("", ""))
        self.assertEqual(self.run_buildx("build", context, builder="tls", env=env).stdout, "")
        flag = self.build("-o", "out", "--progress=quiet", context, builder="tls").stderr
        self.assertRegex(flag, r"\Anote: there is no image ID to print: .*\n\Z")
        for variable in ("BUILDX_NO_DEFAULT_LOAD", "DEPOT_SUPPRESS_NO_OUTPUT_WARNING"):
            warned = self.build(context, builder="tls").stderr
            quiet = self.build(context, builder="tls", env={variable: "1"}).stderr
            self.assertIn("WARNING", warned)
            self.assertNotIn("WARNING", quiet)

    def test_a_disabled_policy_is_none(self):
        context = self.small()
        (context / "Dockerfile.rego").write_text("package docker\n")
        word = self.written("--policy", "disabled=true", context, builder="tls")
        self.assertEqual(word, "hello\n")

    def test_added_hosts(self):
        context = self.context({"Dockerfile": self.dockerfile("RUN cat /etc/hosts >/word")})
        hosts = ["--add-host", "four:10.1.2.3", "--add-host", "six=[2001:db8::7]"]
        lines = [line.split() for line in self.written(*hosts, context, builder="tls").splitlines()]
        self.assertIn(["10.1.2.3", "four"], lines)
        self.assertIn(["2001:db8::7", "six"], lines)


class Sources(BuildersTest):
    def test_dockerfile_on_stdin(self):
        stdin = self.dockerfile("RUN echo stdin >/word")
        self.assertEqual(self.written("-", stdin=stdin, builder="tls"), "stdin\n")

    def test_dockerfile_on_stdin_with_a_context(self):
        context = self.context({"word": "of the context", "Dockerfile": "BROKEN"})
        stdin = "FROM scratch\nCOPY word /\n"
        for engine in ("containerd", "oldest"):
            with self.subTest(engine=engine):
                word = self.written("-f", "-", context, stdin=stdin, engine=engine)
                self.assertEqual(word, "of the context")

    def archive(self, mode):
        entries = {
            "sub/My.Dockerfile": "FROM scratch\nCOPY word /\n",
            "Dockerfile": "FROM scratch\nCOPY --chmod=600 word /\n",
            "word": "from an archive",
        }
        folder = self.context(entries)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode=mode, format=tarfile.GNU_FORMAT) as archive:
            for name in entries:
                archive.add(folder / name, name)
        return packed.getvalue()

    def test_archive_on_stdin(self):
        for mode in ("w:", "w:gz", "w:bz2", "w:xz"):
            with self.subTest(mode=mode):
                word = self.written("-", stdin=self.archive(mode), builder="tls")
                self.assertEqual(word, "from an archive")

    def test_archive_on_stdin_with_a_file(self):
        for name in ("containerd", "oldest"):
            with self.subTest(engine=name):
                word = self.written(
                    "-f", "sub/My.Dockerfile", "-", stdin=self.archive("w:gz"), engine=name
                )
                self.assertEqual(word, "from an archive")

    def test_large_archive_on_stdin(self):
        content, packed = os.urandom(30_000_000), io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name, data in (("Dockerfile", b"FROM scratch\nCOPY word /\n"), ("word", content)):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        self.build("-o", "out", "-", stdin=packed.getvalue(), builder="tls")
        self.assertEqual(trees.content(self.work / "out", "word"), content)

    def test_file_outside_of_the_context(self):
        context = self.context({"word": "inside"})
        self.context({"Here.Dockerfile": "FROM scratch\nCOPY word /\n"}, name="elsewhere")
        # A relative -f is relative to the working folder, not to the context.
        word = self.written("-f", "elsewhere/Here.Dockerfile", context, builder="tls")
        self.assertEqual(word, "inside")

    def test_lower_case_dockerfile(self):
        context = self.context({"word": "lower", "dockerfile": "FROM scratch\nCOPY word /\n"})
        self.assertEqual(self.written(context, builder="tls"), "lower")

    def test_dockerfile_is_a_link_out_of_its_folder(self):
        files = {"shared/Real": "FROM scratch\nCOPY word /\n", "shared/ignored": "*\n!word\n"}
        links = {"Dockerfile": "../shared/Real", "Dockerfile.dockerignore": "../shared/ignored"}
        files |= {f"web/{name}": symlink(target) for name, target in links.items()}
        context = self.context({"word": "linked", **files})
        word = self.written("-f", context / "web/Dockerfile", context, builder="tls")
        self.assertEqual(word, "linked")

    def test_ignore_file_of_the_dockerfile_wins(self):
        context = self.context(
            {
                "Other.Dockerfile": "FROM scratch\nCOPY . /\n",
                "Other.Dockerfile.dockerignore": "*\n!word\n",
                ".dockerignore": "word\n",
                "word": "kept",
                "junk": "",
            }
        )
        word = self.written("-f", context / "Other.Dockerfile", context, builder="tls")
        self.assertEqual(word, "kept")
        self.assertEqual(os.listdir(self.out), ["word"])

    def test_context_by_relative_path(self):
        context = self.context({"sub/word": "below", "sub/Dockerfile": "FROM scratch\nCOPY . /\n"})
        self.assertEqual(self.written("sub", cwd=context, builder="tls"), "below")
        self.assertEqual(self.written(".", cwd=context / "sub", builder="tls"), "below")


if __name__ == "__main__":
    unittest.main()
