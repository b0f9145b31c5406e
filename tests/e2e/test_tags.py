"""Tags that several pipelines, or several jobs of one, write: --tag-guard and --merge-index."""

import json
import re

from harness import EndToEnd
from images import OciLayout

_PROVENANCE = {"BUILDX_NO_DEFAULT_ATTESTATIONS": None}
_PLATFORMS = ("linux/amd64", "linux/arm64")


class TagsTest(EndToEnd):
    def small(self, word):
        """An image of a platform without any step."""
        return self.context({"Dockerfile": "FROM scratch\nCOPY word /\n", "word": f"{word} {self.image_name()}"})

    def start_push(self, image, word, *args, env=None, builder="tls"):
        return self.start_plugin("build", "--push", "-t", image, *args, self.small(word), builder=builder, env=env)

    def push(self, image, word, *args, check=0, **options):
        return self._finish(self.start_push(image, word, *args, **options), check, 60)

    def index(self, image):
        return self.repository(image).document(self.tag_of(image))

    def digest(self, image):
        return self.repository(image).digest(self.tag_of(image))

    def pushed_by(self, number, **more):
        of = {"CI_SERVER_HOST": "git.example", "CI_PROJECT_ID": "7", "CI_COMMIT_SHA": f"c0ffee{number}"}
        return {"CI_PIPELINE_IID": number, **of, **more}


class Guard(TagsTest):
    def test_an_older_pipeline_moves_nothing(self):
        self.login("bearer")
        image, other = self.image_name(registry="bearer"), self.image_name("other", "bearer")
        self.push(image, "second", "--tag-guard=ci", env=self.pushed_by(2))
        index, newer = self.index(image), self.digest(image)
        annotations = {"iid": "2", "project": "git.example/7"}
        for key, value in annotations.items():
            self.assertEqual(index["annotations"][f"depot.pipeline.{key}"], value)
        self.assertEqual(index["annotations"]["org.opencontainers.image.revision"], "c0ffee2")

        reports = ("--iidfile", self.work / "iid", "--metadata-file", self.work / "meta", "--dotenv-file", self.work / "env")
        late = self.push(image, "first", "--tag-guard=ci", "-t", other, *reports, env=self.pushed_by(1))
        self.assertIn(f"the tag {image} stays: it names an image of pipeline 2, and this is pipeline 1; pushed ", late.stderr)
        self.assertEqual(self.digest(image), newer)
        repository, _, tag = image.rpartition(":")
        self.assertRegex(
            late.stderr,
            rf"(?m)^#0     pushed   {re.escape(repository)}@sha256:[0-9a-f]{{64}}, and the tag {tag} stays where it was$",
        )
        # What was built can be had, and what later jobs are told is that.
        older = (self.work / "iid").read_text()
        self.assertEqual(self.digest(other), older)
        self.assertTrue(self.repository(image).has(older))
        metadata = json.loads((self.work / "meta").read_text())
        self.assertEqual(metadata["containerimage.digest"], older)
        self.assertEqual(metadata["containerimage.descriptor"]["digest"], older)
        self.assertEqual(metadata["image.name"], f"{repository},{other}")
        self.assertIn(f"DEPOT_IMAGE_REFERENCE={repository}@{older}\n", (self.work / "env").read_text())

        # The same pipeline once more, and a later one, do.
        for number in (2, 3):
            self.push(image, f"again{number}", "--tag-guard=ci", env=self.pushed_by(number))
            self.assertEqual(self.index(image)["annotations"]["depot.pipeline.iid"], str(number))
        self.push(image, "free")
        self.assertNotIn("annotations", self.index(image))

    def test_with_attestations_and_a_load(self):
        image = self.image_name(registry="open")
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nLABEL of={image}\n"})
        oci = self.work / "image.tar"
        args = ("--push", "--load", "-o", f"type=oci,dest={oci}", "-t", image, "--tag-guard=5", "--provenance=true", "--annotation", "index:team=blue")
        self.addCleanup(self.engine("containerd").remove, image)
        self.build(*args, context, builder="tls", engine="containerd")
        index = self.index(image)
        self.assertEqual(index["annotations"], {"depot.pipeline.iid": "5", "team": "blue"})
        self.assertEqual(len(index["manifests"]), 2)
        self.assertEqual(self.engine("containerd").inspect(image)["Config"]["Labels"], {"of": image})
        self.assertEqual(OciLayout(oci).config()["config"]["Labels"], {"of": image})

    def test_several_builders(self):
        image = self.image_name(registry="open")
        for number in (2, 1):
            both = ("--platform", ",".join(_PLATFORMS), f"--tag-guard={number}")
            result = self.push(image, f"pipeline{number}", *both, builder="both")
        self.assertIn(f"the tag {image} stays", result.stderr)
        self.assertEqual(self.index(image)["annotations"], {"depot.pipeline.iid": "2"})

    def test_bake(self):
        image = self.image_name(registry="open")
        files = {"docker-bake.hcl": f'target "base" {{}}\ntarget "image" {{\n tags = ["{image}"]\n output = ["type=registry"]\n}}\n'}
        where = self.context({"Dockerfile": "FROM scratch\nCOPY docker-bake.hcl /\n", **files})
        for number in (2, 1):
            result = self.run_plugin("bake", f"--tag-guard={number}", "base", "image", cwd=where, builder="tls")
        self.assertIn(f"the tag {image} stays", result.stderr)
        refused = self.run_plugin("bake", "--tag-guard=1", "base", cwd=where, builder="tls", check=1)
        self.assertIn("no target pushes", refused.stderr)

    def test_what_is_refused(self):
        image = self.image_name(registry="open")
        context = self.small("refused")
        push = ("--push", "-t", image)
        for args, where, check, said in (
            ([*push, "--tag-guard=ci"], {"builder": "tls"}, 125, "--tag-guard=ci: CI_PIPELINE_IID is not set"),
            ([*push, "--tag-guard=no"], {"builder": "tls"}, 125, '--tag-guard is "ci" or a number'),
            (["--tag-guard=3"], {"builder": "tls"}, 125, "--tag-guard is about tags that are pushed, and nothing is"),
            ([*push, "--merge-index"], {"engine": "containerd"}, 1, "the Docker Engine's BuildKit cannot push without moving"),
        ):
            with self.subTest(args=args):
                self.assertIn(said, self.build(*args, context, check=check, **where).stderr)
        self.assertFalse(self.repository(image).has("latest"))


class Merge(TagsTest):
    def start_jobs(self, image, word):
        for platform in _PLATFORMS:
            args = ("--platform", platform, "--merge-index", "--tag-guard=ci")
            yield self.start_push(image, f"{word} {platform}", *args, env=self.pushed_by(1, **_PROVENANCE), builder="both")

    def test_two_jobs_at_once_lose_nothing(self):
        images = [self.image_name(name, registry="open") for name in ("one", "two")]
        before = {image: set() for image in images}
        for turn in ("first", "second"):
            running = [job for image in images for job in self.start_jobs(image, f"{turn} {image}")]
            for job in running:
                self._finish(job, 0, 120)
            for image in images:
                # All of this turn: two images, and what attests to them and not to others.
                index = self.index(image)
                of = {entry["platform"]["architecture"]: entry for entry in index["manifests"]}
                self.assertEqual(set(of), {"amd64", "arm64", "unknown"}, index)
                digests = {of[name]["digest"] for name in ("amd64", "arm64")}
                about = [e["annotations"]["vnd.docker.reference.digest"] for e in index["manifests"] if e["platform"]["os"] == "unknown"]
                self.assertEqual(set(about), digests)
                self.assertEqual(len(index["manifests"]), 4)
                self.assertFalse(digests & before[image])
                before[image] = digests

    def test_what_was_one_image_alone_becomes_part_of_an_index(self):
        image = self.image_name(registry="open")
        self.push(image, "arm", "--platform", "linux/arm64", builder="both")
        alone = self.digest(image)
        self.push(image, "amd", "--merge-index", "--metadata-file", self.work / "meta")
        self.assertEqual([e["platform"]["architecture"] for e in self.index(image)["manifests"]], ["arm64", "amd64"])
        self.assertEqual(self.index(image)["manifests"][0]["digest"], alone)
        self.assertEqual(json.loads((self.work / "meta").read_text())["containerimage.digest"], self.digest(image))
