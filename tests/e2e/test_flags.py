"""Flags that change how steps run or what they may take, beside docker buildx on one builder."""

import json
import unittest

import trees
from harness import EndToEnd


class FlagsTest(EndToEnd):
    def measured(self, command):
        """A context whose local output has, in the file `out`, what a step prints."""
        return self.context(
            {
                "Dockerfile": f"FROM {self.rig['BASE']} AS made\n"
                f"RUN : {self.image_name()}; {{ {command}; }} >/out\n"
                "FROM scratch\nCOPY --from=made /out /out\n"
            }
        )

    def both(self, *args, **options):
        """What the step printed here and with docker buildx."""
        for run in (self.build, lambda *a, **o: self.run_buildx("build", *a, **o)):
            run("--no-cache", "-o", "result", *args, cwd=self.work, **options)
            yield trees.text(self.work / "result", "out")


class Limits(FlagsTest):
    def test_ulimit_and_shm_size(self):
        context = self.measured("ulimit -Sn; ulimit -Hn; df -k /dev/shm | tail -1 | awk '{print $2}'")
        ours, theirs = self.both(
            *("--ulimit=nofile=77:99", "--ulimit=core=0", "--shm-size=3m", context), builder="tls"
        )
        self.assertEqual(ours, "77\n99\n3072\n")
        self.assertEqual(ours, theirs)

    def test_cgroup_parent(self):
        context = self.measured("cat /proc/self/cgroup")
        ours, _ = self.both("--cgroup-parent=depot-flags", context, builder="tls")
        self.assertIn("depot-flags", ours)

    def test_limits_that_an_old_builder_does_not_know_are_said(self):
        context = self.measured("true")
        for args in (("--resource=memory=64m",), ("-m", "64m"), ("--cpu-quota=50000",)):
            with self.subTest(args=args):
                result = self.build(*args, context, builder="tls")
                self.assertRegex(result.stderr, "WARNING: --resource, --memory.*too old")

    def test_stages_without_cache(self):
        base, own = self.rig["BASE"], self.image_name()
        context = self.context(
            {
                "Dockerfile": f"FROM {base} AS one\nRUN echo {own} >/one; cat /proc/uptime >>/one\n"
                f"FROM {base} AS two\nRUN echo {own} >/two; cat /proc/uptime >>/two\n"
                "FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n"
            }
        )
        found = []
        for args in ((), ("--no-cache-filter=two",)):
            self.build(*args, "-o", "out", context, builder="tls", cwd=self.work)
            found.append([trees.text(self.work / "out", name) for name in ("one", "two")])
        self.assertEqual(found[0][0], found[1][0])
        self.assertNotEqual(found[0][1], found[1][1])


class Words(FlagsTest):
    def test_names_that_the_dockerfile_does_not_have_are_said(self):
        context = self.context({"Dockerfile": "FROM scratch AS build\nARG VERSION\nLABEL a=b\n"})
        result = self.build(
            *("--build-arg=VERSON=1", "--build-arg=VERSION=1", "--no-cache-filter=biuld", context),
            builder="tls",
        )
        self.assertRegex(result.stderr, "--build-arg VERSON is not used.*did you mean VERSION")
        self.assertRegex(result.stderr, "--no-cache-filter biuld .*did you mean build")
        self.assertEqual(result.stderr.count("WARNING: --"), 2)

    def test_old_flags_are_taken_and_said(self):
        context = self.context({"Dockerfile": "FROM scratch\nLABEL a=b\n"})
        args = ("--rm=false", "--force-rm", "--compress", "--squash", "--isolation=x")
        args += ("--security-opt=a", "-o", "", "-D", context)
        ours = self.build(*args, builder="tls")
        theirs = self.run_buildx("build", *args, builder="tls")
        for flag in ("rm", "force-rm", "compress", "squash", "isolation", "security-opt"):
            self.assertIn(f"--{flag} has no effect", ours.stderr)
        for words in ("isolation flag is deprecated", "experimental flag squash is removed"):
            self.assertIn(words, ours.stderr)
            self.assertIn(words, theirs.stderr)

    def test_the_short_name_of_build(self):
        context = self.context({"Dockerfile": "FROM scratch\nLABEL a=b\n"})
        result = self.run_plugin("b", "-o", "type=tar,dest=out.tar", context, builder="tls")
        self.assertIn("exporting", result.stderr)

    def test_another_folder_of_docker_settings(self):
        settings, context = self.context({"config.json": "{"}), self.context({"Dockerfile": "FROM scratch\n"})
        refused = self.build("--config", settings, context, builder="tls", check=125)
        self.assertIn(str(settings / "config.json"), refused.stderr)
        (settings / "config.json").write_text("{}")
        self.build("--config", settings, context, builder="tls")

    def test_a_version_of_windows_is_a_platform(self):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
        args = ("--platform=windows(10.0.17763)/amd64", "-o", "type=oci,dest=out.tar", context)
        self.build(*args, "--emulate", builder="tls", cwd=self.work)
        config = self.oci_layout(self.work / "out.tar").config(platform="windows/amd64")
        self.assertEqual((config["os"], config["architecture"]), ("windows", "amd64"))


class Policies(FlagsTest):
    def policy(self, *rules):
        path = self.work / "policy.json"
        path.write_text(json.dumps({"rules": list(rules)}))
        return {"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": str(path)}

    def deny(self, pattern):
        return {"action": "DENY", "selector": {"identifier": pattern}}

    def test_a_denied_base_image_ends_the_build_as_with_buildx(self):
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN true\n"})
        env = self.policy(self.deny(f"docker-image://{self.rig['BASE']}*"))
        ours = self.build(context, builder="tls", env=env, check=1)
        theirs = self.run_buildx("build", context, builder="tls", env=env, check=1)
        for result in (ours, theirs):
            self.assertRegex(result.stderr, "denied by policy|not allowed by policy")
        self.build(context, builder="tls", env=self.policy(self.deny("docker-image://other/*")))

    def test_a_builder_that_would_not_obey_is_not_used(self):
        context = self.context({"Dockerfile": "FROM scratch\nLABEL a=b\n"})
        env = self.policy(self.deny("docker-image://x"))
        result = self.build(context, engine="oldest", env=env, check=1)
        self.assertIn("older than 0.11 and would not obey", result.stderr)

    def test_a_policy_that_is_not_understood_ends_the_build(self):
        context = self.context({"Dockerfile": "FROM scratch\nLABEL a=b\n"})
        env = self.policy({"acton": "DENY", "selector": {"identifier": "*"}})
        result = self.build(context, builder="tls", env=env, check=125)
        self.assertRegex(result.stderr, "SOURCE_POLICY: .*rule 1: unknown key.*did you mean action")
        self.assertNotIn("#1", result.stderr)


if __name__ == "__main__":
    unittest.main()
