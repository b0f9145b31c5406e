"""The binary as a plugin of docker, under other names, and by itself."""

import json
import subprocess
import unittest

from harness import FAILED, EndToEnd


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

    def test_completion_offers_nothing_and_says_so(self):
        said = self.run_docker("__complete", "depot", "build", "")
        self.assertEqual(said.stdout.splitlines()[-1][:1], ":")


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
            "exit 7", self.run_docker("depot", "build", context, engine="classic", check=FAILED).stderr
        )
        self.build(context, builder="tls", check=FAILED)

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
