"""A registry that fails while the images of two builders are merged: tried again, or reported, and
never a tag that points at half an image."""

import urllib.error

from faulty_registry import FaultyRegistry, answer, cut_after, cut_before
from harness import EndToEnd

_OURS = "docker-depot/"
_TAGGING = r"/manifests/1$"
_BY_DIGEST = r"/manifests/sha256:"


class RegistryFaults(EndToEnd):
    def setUp(self):
        super().setUp()
        self.registry = FaultyRegistry(self.registry_host("open"))
        self.addCleanup(self.registry.__exit__)
        path = self.image_name(tag="1")
        self.image = f"{self.registry.address}/{path}"
        self.kept = self.repository(f"{self.registry_host('open')}/{path}")
        urls = [self.bridge(kind="plain").url for _ in range(2)]
        self.builders = f"linux/amd64={urls[0]},linux/arm64={urls[1]}"

    def push(self, content="first", check=0):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY file /\n", "file": content})
        platforms = "linux/amd64,linux/arm64"
        # Both builders are one engine: two images of one name would collide in its store.
        output = "type=image,push=true,store=false"
        return self.build(
            "--platform", platforms, "--provenance=mode=min", "-t", self.image,
            "--output", output, context,
            builder=self.builders, check=check,
        )  # fmt: skip

    def ours(self, method):
        """What the plugin itself (not the builders) got for its requests by a method."""
        return [
            status
            for asked, _, agent, status in self.registry.seen
            if asked == method and agent.startswith(_OURS)
        ]

    def assert_whole(self, reference="1"):
        index = self.kept.document(reference)
        images = [e for e in index["manifests"] if e["platform"]["os"] != "unknown"]
        self.assertEqual(
            [entry["platform"]["architecture"] for entry in images], ["amd64", "arm64"]
        )
        for entry in index["manifests"]:
            self.assertTrue(self.kept.has(entry["digest"]), entry)

    def assert_no_tag(self):
        with self.assertRaises(urllib.error.HTTPError) as missing:
            self.kept.document("1")
        self.assertEqual(missing.exception.code, 404)

    def test_500_twice_then_fine(self):
        self.registry.will("PUT", _TAGGING, answer(500), times=2, agent=_OURS)
        result = self.push()
        self.assertEqual(self.ours("PUT"), [500, 500, 201])
        self.assertIn("answered with status 500; trying again", result.stderr)
        self.assert_whole()

    def test_500_for_good(self):
        self.registry.will("PUT", _TAGGING, answer(500, code="BROKEN"), agent=_OURS)
        result = self.push(check=113)
        self.assertEqual(self.ours("PUT"), [500] * 4)
        self.assertRegex(result.stderr, r"ERROR: .*status 500: BROKEN")
        self.assert_no_tag()

    def test_429_with_retry_after(self):
        headers = {"Retry-After": "1"}
        self.registry.will("HEAD", _BY_DIGEST, answer(429, headers=headers), times=1, agent=_OURS)
        self.registry.will("PUT", _TAGGING, answer(429, headers=headers), times=1, agent=_OURS)
        result = self.push()
        self.assertEqual(result.stderr.count("status 429; trying again in 1.0 s"), 2)
        self.assert_whole()

    def test_429_for_too_long(self):
        headers = {"Retry-After": "900"}
        self.registry.will("PUT", _TAGGING, answer(429, headers=headers), agent=_OURS)
        result = self.push(check=113)
        self.assertRegex(result.stderr, r"it asks to be left alone for 900 s, until \d\d:\d\d:\d\d UTC")
        self.assertEqual(self.ours("PUT"), [429])
        self.assert_no_tag()

    def test_cut_before_the_registry_has_the_tag(self):
        self.registry.will("PUT", _TAGGING, cut_before(), times=2, agent=_OURS)
        self.push()
        self.assertEqual(self.ours("PUT"), [None, None, 201])
        self.assert_whole()

    def test_cut_after_the_registry_has_the_tag(self):
        self.registry.will("PUT", _TAGGING, cut_after(), times=2, agent=_OURS)
        self.push()
        self.assertEqual(self.ours("PUT"), [None, None, 201])
        self.assert_whole()

    def test_a_manifest_that_is_gone(self):
        self.registry.will("HEAD", _BY_DIGEST, answer(404), times=1, agent=_OURS)
        result = self.push(check=113)
        self.assertRegex(result.stderr, r"ERROR: .* lacks the image for linux/amd64, sha256:")
        self.assertEqual(self.ours("PUT"), [])
        self.assert_no_tag()

    def test_an_index_of_a_builder_that_is_gone(self):
        self.registry.will("GET", _BY_DIGEST, answer(404, code="MANIFEST_UNKNOWN"), agent=_OURS)
        result = self.push(check=113)
        self.assertRegex(result.stderr, r"ERROR: .*status 404: MANIFEST_UNKNOWN")
        self.assertEqual(self.ours("PUT"), [])
        self.assert_no_tag()

    def test_401_leaves_the_old_tag(self):
        self.push()
        before = self.kept.digest("1")
        challenge = {"WWW-Authenticate": 'Basic realm="rig"'}
        self.registry.will("PUT", _TAGGING, answer(401, "UNAUTHORIZED", challenge), agent=_OURS)
        result = self.push("second", check=112)
        self.assertRegex(result.stderr, r"ERROR: .*refused .*status 401: UNAUTHORIZED")
        self.assertIn("docker login", result.stderr)
        self.assertEqual(self.kept.digest("1"), before)
        self.assert_whole()
