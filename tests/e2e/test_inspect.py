"""`docker depot inspect`: what a registry has under a name."""

import hashlib
import re

from harness import FAILED, EndToEnd


class Inspect(EndToEnd):
    def push(self, registry="open", *flags):
        image = self.image_name(registry=registry)
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN true\n"})
        self.build("-t", image, "--push", *flags, context, builder="tls")
        return image

    def test_lists_what_imagetools_lists(self):
        image = self.push("open", "--provenance=mode=max")
        ours = self.run_plugin("inspect", image)
        theirs = self.run_buildx("imagetools", "inspect", image)
        digests = re.compile(r"sha256:[0-9a-f]{64}")
        self.assertEqual(set(digests.findall(ours.stdout)), set(digests.findall(theirs.stdout)))
        self.assertIn("linux/amd64\n", ours.stdout)
        self.assertIn("https://slsa.dev/provenance/", ours.stdout)

    def test_raw_is_byte_for_byte(self):
        image = self.push()
        raw = self.run_plugin("inspect", "--raw", image).stdout_bytes
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        self.assertEqual(digest, self.repository(image).digest("latest"))

    def test_single_image_has_the_platform_of_its_config(self):
        image = self.push("open", "--provenance=false")
        self.assertRegex(self.run_plugin("inspect", image).stdout, r"Platform: +linux/amd64\n")

    def test_basic_and_bearer_registries(self):
        for registry in ("basic", "bearer"):
            self.login(registry)
            image = self.push(registry)
            self.assertIn("linux/amd64", self.run_plugin("inspect", image).stdout)
            config = {"DOCKER_CONFIG": self.folder / "nothing"}
            refused = self.run_plugin("inspect", image, env=config, check=FAILED)
            self.assertIn("docker login", refused.stderr)
        self.assert_no_leak(self.rig["PUSHER"].partition(":")[2])

    def test_says_what_is_not_there(self):
        result = self.run_plugin("inspect", self.image_name(registry="open"), check=FAILED)
        self.assertRegex(result.stderr, r"status 404: .*UNKNOWN")
        self.assertEqual(result.stdout, "")
