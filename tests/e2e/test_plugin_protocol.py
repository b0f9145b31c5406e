"""The binary as a plugin of docker, under other names, and by itself."""

import json
import subprocess
import unittest
from pathlib import Path

from harness import EndToEnd


class PluginTest(EndToEnd):
    """What the tests below share."""

    def small(self, *lines):
        lines = lines or (f"RUN echo {self.image_name()} >/word",)
        return self.context({"Dockerfile": "\n".join([f"FROM {self.rig['BASE']}", *lines, ""])})

    def settings_with_alias(self):
        self.docker_settings(aliases={"builder": "depot"})

    def run_as(self, name, *args, **options):
        """The binary under another file name; (exit code, stdout, stderr)."""
        link = self.folder / name
        if not link.exists():
            link.symlink_to(self._plugin())
        done = subprocess.run(
            [link, *args],
            env=self.environment(**options),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


class Metadata(PluginTest):
    def check_metadata(self, **options):
        said = json.loads(self.run_plugin("docker-cli-plugin-metadata", **options).stdout)
        self.assertEqual(said["SchemaVersion"], "0.1.0")
        for key in ("Vendor", "Version", "ShortDescription"):
            self.assertTrue(said[key], f"{key} is empty")
        return said

    def test_metadata(self):
        self.check_metadata()

    def test_metadata_needs_no_configuration(self):
        (self.docker_config / "config.json").write_text("{broken")
        env = {"HOME": None, "DOCKER_HOST": "nonsense", "DEPOT_BUILDER": "nonsense://x"}
        self.check_metadata(env=env)
        self.check_metadata(env={name: None for name in self.environment()})

    def test_docker_lists_the_plugin(self):
        description = self.check_metadata()["ShortDescription"]
        listed = self.run_docker("--help").stdout
        self.assertRegex(listed, rf"(?m)^  depot\*? +{description}$")

    def test_version_is_that_of_the_metadata(self):
        version = self.check_metadata()["Version"]
        self.assertIn(version.removeprefix("v"), self.run_plugin("version").stdout)
        self.assertIn(version.removeprefix("v"), self.run_docker("depot", "version").stdout)


class ThroughDocker(PluginTest):
    def test_build(self):
        image = self.image_name()
        self.run_docker("depot", "build", "-t", image, self.small(), engine="classic")
        self.assertIsNotNone(self.engine("classic").inspect(image))

    def test_host_flag(self):
        address = self.rig["ENGINE_OLDEST"]
        for where in (["-H", address, "depot"], ["depot", "--host", address]):
            with self.subTest(where=where):
                image = self.image_name()
                # docker refuses DOCKER_HOST and -H together only for contexts; -H wins.
                self.run_docker(*where, "build", "-t", image, self.small(), engine="classic")
                self.assertIsNotNone(self.engine("oldest").inspect(image))
                self.assertIsNone(self.engine("classic").inspect(image))

    def test_context_flag(self):
        self.run_docker(
            "context", "create", "elsewhere", "--docker", f"host={self.rig['ENGINE_CLASSIC']}"
        )
        for where in (["--context", "elsewhere", "depot"], ["depot", "-c", "elsewhere"]):
            with self.subTest(where=where):
                image = self.image_name()
                env = {"DOCKER_HOST": None}
                self.run_docker(*where, "build", "-t", image, self.small(), env=env)
                self.assertIsNotNone(self.engine("classic").inspect(image))

    def test_tls_flags(self):
        certificates, image = self.rig["CLASSIC_CERTS"], self.image_name()
        flags = ["-H", self.rig["CLASSIC_TLS"], "--tlsverify"]
        names = {"tlscacert": "ca.pem", "tlscert": "cert.pem", "tlskey": "key.pem"}
        flags += [f"--{flag}={certificates}/{name}" for flag, name in names.items()]
        self.run_docker(
            *flags, "depot", "build", "-t", image, self.small(), env={"DOCKER_HOST": None}
        )
        self.assertIsNotNone(self.engine("classic").inspect(image))

    def test_config_flag(self):
        other = self.folder / "other"
        self.start_docker("version").wait()  # puts the plugins in place
        self.docker_config.rename(other)
        self.docker_config.mkdir()
        (other / "config.json").write_text(json.dumps({"auths": self.auths("basic")}))
        image = self.image_name(registry="basic")
        flags = ["--config", other, "depot", "build", "-t", image, "--push"]
        self.run_docker(*flags, self.small(), builder="tls")
        self.assertTrue(self.repository(image).has("latest"))

    def test_docker_build_by_alias(self):
        self.settings_with_alias()
        for command in (["build"], ["image", "build"], ["builder", "build"]):
            with self.subTest(command=command):
                image = self.image_name()
                flags = ["--rm", "--force-rm", "-q", "-t", image]
                built = self.run_docker(*command, *flags, self.small(), engine="classic")
                self.assertRegex(built.stdout, r"\Asha256:[0-9a-f]{64}\n\Z")
                found = self.engine("classic").inspect(image)
                self.assertEqual(built.stdout.strip(), found["Id"])

    def test_alias_uses_the_remote_builder(self):
        self.settings_with_alias()
        built = self.run_docker("build", "-o", "out", self.small(), builder="tls")
        self.assertIn(self.rig["BUILDER"].removeprefix("tcp://"), built.stderr)
        self.assertTrue((self.work / "out" / "word").exists())

    def test_stdin_and_stdout_pass_through(self):
        dockerfile = f"FROM scratch\nCOPY word /\nLABEL own={self.image_name()}\n"
        context = self.context({"word": "through"})
        built = self.run_docker(
            *("depot", "build", "-f", "-", "-o", "-", context), stdin=dockerfile, builder="tls"
        )
        self.assertIn(b"through", built.stdout_bytes)


class DockersOwnBuild(PluginTest):
    """`docker build` through the alias loads what it makes, `docker depot build` does not."""

    def loaded(self, *words, builder="tls", engine="classic", check=0, **env):
        """The result, and what the Engine has of the name that the line gives."""
        image = self.image_name(name=f"i{len(self.results)}")
        result = self.run_docker(
            *words, "-t", image, self.small(), builder=builder, engine=engine, env=env, check=check
        )
        return result, self.engine(engine or "classic").inspect(image)

    def test_is_loaded(self):
        self.settings_with_alias()
        for words in (["build"], ["image", "build"], ["builder", "build"], ["-l", "error", "build"]):
            for engine in ("classic", "containerd"):
                with self.subTest(words=words, engine=engine):
                    self.assertTrue(self.loaded(*words, engine=engine)[1])

    def test_the_id_is_what_the_engine_knows_it_by(self):
        self.settings_with_alias()
        for engine in ("classic", "containerd"):
            for flags in (["-q"], ["--iidfile", "id"]):
                with self.subTest(engine=engine, flags=flags):
                    result, found = self.loaded("build", *flags, engine=engine)
                    said = result.stdout.strip() or (self.work / "id").read_text()
                    self.assertEqual(said, found["Id"])

    def test_an_old_docker_too(self):
        self.settings_with_alias()
        self.run_docker("version", check=None)  # puts the plugins in place
        image = self.image_name()
        old = Path(self.rig["DOCKER"]).parents[4].glob("bookworm-amd64/docker.io*/usr/bin/docker")
        line = [next(old), "build", "-t", image, self.small()]
        self._finish(self._start(line, "classic", "tls", None, None, None), 0, 120)
        self.assertTrue(self.engine("classic").inspect(image))

    def test_what_says_otherwise(self):
        self.settings_with_alias()
        for words, env in (
            (["depot", "build"], {}),
            (["build", "-o", "out"], {}),
            (["build", "--push"], {}),
            (["build", "-o", "type=cacheonly"], {}),
            (["build"], {"DEPOT_LOAD": "0"}),
            (["build"], {"BUILDX_NO_DEFAULT_LOAD": "1"}),
        ):
            with self.subTest(words=words, env=env):
                image = self.image_name(name=f"i{len(self.results)}", registry="open")
                self.run_docker(*words, "-t", image, self.small(), builder="tls", engine="classic", env=env)
                self.assertIsNone(self.engine("classic").inspect(image))

    def test_a_variable_makes_it_the_default_of_all(self):
        self.assertTrue(self.loaded("depot", "build", DEPOT_LOAD="1")[1])

    def test_without_an_engine_the_build_goes_on_and_says_so_once(self):
        self.settings_with_alias()
        for flags in ([], ["-q"]):
            result, _ = self.loaded("build", *flags, engine=None)
            self.assertEqual(result.stderr.count("nothing is loaded: cannot reach the Docker Engine"), 1)
            self.assertEqual(result.stdout, "")

    def test_without_an_engine_what_was_asked_for_is_an_error(self):
        self.settings_with_alias()
        for flags, rc in ((["--load"], 114), (["--iidfile", "id"], 125)):
            result, _ = self.loaded("build", *flags, engine=None, check=rc)
            self.assertIn("cannot reach the Docker Engine", result.stderr)
            self.assertFalse((self.work / "id").exists())

    def test_no_id_is_never_silent(self):
        for flags in ([], ["-o", "out"], ["-o", "type=cacheonly"]):
            result, _ = self.loaded("depot", "build", "-q", *flags)
            self.assertEqual(result.stdout, "")
            self.assertIn("there is no image ID to print", result.stderr)


class BuildxsName(PluginTest):
    """The plugin as cli-plugins/docker-buildx."""

    def setUp(self):
        super().setUp()
        self.run_plugin("configure-docker", "--as", "buildx")

    def test_metadata_and_version(self):
        rc, said, _ = self.run_as("docker-buildx", "docker-cli-plugin-metadata")
        self.assertEqual(rc, 0)
        metadata = json.loads(said)
        self.assertRegex(metadata["Version"], r"\Av0\.(1[7-9]|[2-9]\d)\.\d+\+docker-depot\.")
        self.assertEqual(metadata["Vendor"], "docker-depot")
        said = self.run_docker("buildx", "version").stdout
        self.assertEqual(said, f"github.com/docker/buildx {metadata['Version']} docker-depot\n")

    def test_docker_build_is_ours_and_loaded(self):
        for words, loads in ((["build"], True), (["buildx", "build"], False), (["buildx", "b", "--load"], True)):
            with self.subTest(words=words):
                image = self.image_name(name=f"i{len(self.results)}")
                built = self.run_docker(
                    *words, "-t", image, self.small(), builder="tls", engine="classic"
                )
                self.assertIn("(DEPOT_BUILDER)", built.stderr)
                self.assertEqual(bool(self.engine("classic").inspect(image)), loads)

    def test_without_a_builder_it_is_the_engines(self):
        image = self.image_name()
        built = self.run_docker("build", "-t", image, self.small(), engine="classic")
        self.assertIn("building on the Docker Engine", built.stderr)
        self.assertTrue(self.engine("classic").inspect(image))

    def test_help_has_the_name(self):
        self.assertIn("Usage:  docker buildx build", self.run_docker("buildx", "build", "--help").stdout)

    def test_bake_is_ours(self):
        self.assertIn("Usage:  docker buildx bake", self.run_docker("buildx", "bake", "--help").stdout)

    def test_compose_builds_and_starts_by_it(self):
        compose = self.rig.get("COMPOSE")
        if not compose:
            self.skipTest("the machine's Debian mirror has no docker-compose 2 in sid")
        (self.docker_config / "cli-plugins" / "docker-compose").symlink_to(compose)
        services = {
            name: {"build": {"context": ".", "args": {"NAME": name}}, "network_mode": "none", "init": True}
            for name in ("web", "worker", "queue")
        }
        services["worker"]["build"]["additional_contexts"] = {"web": "service:web"}
        services["worker"]["build"]["dockerfile_inline"] = "FROM web\nENV KIND=worker\n"
        text = f"FROM {self.rig['BASE']}\nARG NAME\nENV NAME=$NAME\nCMD [\"sleep\", \"1000\"]\n"
        name = self.image_name().split("/")[0]
        folder = self.context(
            {"compose.yaml": json.dumps({"name": name, "services": services}), "Dockerfile": text}
        )
        where = {"cwd": folder, "engine": "classic", "builder": "tls"}
        self.run_docker("compose", "build", **where)
        for service in services:
            image = self.engine("classic").inspect(f"{name}-{service}")
            self.assertIn(f"NAME={'web' if service == 'worker' else service}", image["Config"]["Env"])
        try:
            self.run_docker("compose", "up", "--build", "--detach", **where)
            running = self.run_docker("compose", "ps", "--services", "--status=running", **where)
            self.assertEqual(set(running.stdout.split()), set(services))
        finally:
            self.run_docker("compose", "down", "--timeout=0", "--rmi=all", **where)


class ExitCodes(PluginTest):
    def test_usage_error_is_125(self):
        for args in (["build", "--tga", "x", "."], ["build"], ["build", ".", "."], ["biuld", "."]):
            with self.subTest(args=args):
                self.assertTrue(self.run_docker("depot", *args, check=125).stderr)
                self.assertTrue(self.run_plugin(*args, check=125).stderr)

    def test_unknown_words_name_the_nearest(self):
        self.assertIn("--tag", self.run_plugin("build", "--tga", "x", ".", check=125).stderr)
        self.assertIn("build", self.run_plugin("biuld", ".", check=125).stderr)
        self.assertIn("--context", self.run_plugin("--contxt", "x", "build", check=125).stderr)

    def test_failing_step_is_1(self):
        context = self.small(f"RUN echo {self.image_name()} && exit 7")
        self.assertIn(
            "exit 7", self.run_docker("depot", "build", context, engine="classic", check=1).stderr
        )
        self.build(context, builder="tls", check=1)

    def test_success_prints_nothing_on_stdout(self):
        self.assertEqual(self.build("-o", "out", self.small(), builder="tls").stdout, "")


class Help(PluginTest):
    def check_help(self, *args, run=None):
        said = (run or self.run_plugin)(*args)
        self.assertEqual(said.stderr, "")
        self.assertLessEqual(max(map(len, said.stdout.splitlines())), 80)
        return said.stdout

    def test_help_of_the_plugin(self):
        texts = [self.check_help(*args) for args in (["--help"], ["help"], ["-h"], [])]
        self.assertEqual(len(set(texts)), 1)
        for word in ("build", "version"):
            self.assertRegex(texts[0], rf"(?m)^  {word} ")

    def test_help_of_build(self):
        texts = {self.check_help(*args) for args in (["build", "--help"], ["help", "build"])}
        self.assertEqual(len(texts), 1)
        (text,) = texts
        self.assertIn("Usage:", text)
        for flag in ("--tag", "--push", "--load", "--secret", "--output", "--builder"):
            self.assertIn(flag, text)

    def test_help_through_docker(self):
        self.assertIn("docker depot", self.check_help("depot", "--help", run=self.run_docker))
        built = self.check_help("depot", "build", "--help", run=self.run_docker)
        self.assertIn("docker depot build", built)
        self.assertEqual(self.check_help("help", "depot", "build", run=self.run_docker), built)

    def test_help_of_an_aliased_docker_build(self):
        self.settings_with_alias()
        self.assertIn("--push", self.check_help("build", "--help", run=self.run_docker))

    def test_help_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [self._plugin(), "build", "--help"],
                env=self.environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=10,
                check=False,
            )
        self.assertNotEqual(done.returncode, 0)


class OtherNames(PluginTest):
    def test_file_called_depot(self):
        code, out, err = self.run_as("depot", "build", "-o", "out", self.small(), builder="tls")
        self.assertEqual((code, out), (0, ""), err)
        self.assertTrue((self.work / "out" / "word").exists())
        self.assertIn("depot build", self.run_as("depot", "build", "--help")[1])
        self.assertNotIn("docker depot", self.run_as("depot", "build", "--help")[1])

    def test_file_called_docker_depot(self):
        code, out, err = self.run_as(
            "docker-depot", "build", "-o", "out", self.small(), builder="tls"
        )
        self.assertEqual((code, out), (0, ""), err)


if __name__ == "__main__":
    unittest.main()
