"""`imagetools inspect` and `imagetools create`, beside what docker buildx makes of the same words."""

import json
import re
import shutil

import faulty_registry
from harness import FAILURES, EndToEnd

_FORMATS = (
    "{{json .}}",
    "{{json .Manifest}}",
    "{{json .Image}}",
    "{{json .Provenance}}",
    "{{json .SBOM}}",
    "{{.Name}}",
    "{{.Manifest}}",
    '{{range .Manifest.Manifests}}{{.Platform.OS}}/{{.Platform.Architecture}} {{.Digest}}{{"\\n"}}{{end}}',
    "{{range $i, $m := .Manifest.Manifests}}{{if $i}},{{end}}{{$m.MediaType}}{{end}}",
    "a {{- if .Name}} b {{else}} c {{end -}} d",
    "{{len .Manifest.Manifests | printf \"%d of them\"}}",
)


class Imagetools(EndToEnd):
    def setUp(self):
        super().setUp()
        self.images = 0

    def push(self, platform="linux/amd64", registry="open", *flags):
        self.images += 1
        image = self.image_name(f"part{self.images}", registry=registry)
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN echo {platform} >/made\n"})
        self.build("-t", image, "--push", "--platform", platform, *flags, context, builder="plain")
        return image

    def target(self, name, registry="open"):
        return self.image_name(name, registry=registry, tag="made")

    def digest(self, image):
        return self.repository(image).digest(self.tag_of(image))

    def both(self, name, *words):
        """The digests of what both make of the same words; {to} is a name of each program's own."""
        found = []
        for run, program in ((self.run_plugin, "ours"), (self.run_buildx, "theirs")):
            to = self.target(f"{program}-{name}")
            run("imagetools", "create", *[word.replace("{to}", to) for word in words])
            found.append(self.digest(to))
        return found

    def test_a_registry_without_tls(self):
        """0.0.0.0 is this machine, and no address of it alone."""
        plain = f"0.0.0.0:{self.registry_host('open').rpartition(':')[2]}/{self.image_name()}"
        for words in (["inspect", plain], ["create", "-t", self.target("x"), plain]):
            said = self.run_plugin("imagetools", *words, check=FAILURES).stderr
            self.assertRegex(said, r"(?m)^hint: .*speaks no TLS.*put TLS in front of it, or forward a port")

    def test_text_and_formats_are_those_of_buildx(self):
        one = self.push("linux/amd64", "open", "--provenance=mode=max")
        for image in (one, self.rig["BASE"]):
            for words in ([], ["--raw"], *(["--format", text] for text in _FORMATS)):
                if image != one and "Manifests" in str(words):
                    continue
                with self.subTest(image=image, words=words):
                    ours = self.run_plugin("imagetools", "inspect", *words, image)
                    theirs = self.run_buildx("imagetools", "inspect", *words, image)
                    # Go's maps have no order.
                    self.assertEqual(sorted(ours.stdout.split("\n")), sorted(theirs.stdout.split("\n")))

    def test_create_makes_the_bytes_of_buildx(self):
        amd64, arm64 = self.push("linux/amd64"), self.push("linux/arm64", "open", "--provenance=true")
        plain = self.push("linux/amd64", "open", "--output=type=image,oci-mediatypes=false,push=true")
        rows = (
            ("retag", [arm64]),
            ("merge", [amd64, arm64]),
            ("twice-the-same", [amd64, arm64, amd64]),
            ("docker-types", [plain]),
            ("carbon-copy", ["--prefer-index=false", amd64]),
            ("annotation", ["--annotation", "index:a.b=x <y> & z", amd64, arm64]),
            ("of-a-descriptor", ["--annotation", "manifest-descriptor[linux/amd64]:k=v", amd64, arm64]),
            ("platform", ["--platform", "linux/arm64", amd64, arm64]),
            ("unknown-platform", ["--platform", "linux/arm64,linux/foo", amd64, arm64]),
        )
        for name, words in rows:
            with self.subTest(name):
                ours, theirs = self.both(name, "-t", "{to}", *words)
                self.assertEqual(ours, theirs)
                dry = self.run_plugin("imagetools", "create", "--dry-run", *words)
                self.assertEqual(dry.stdout, self.run_buildx("imagetools", "create", "--dry-run", *words).stdout)

    def test_append_file_digest_and_descriptor(self):
        amd64, arm64 = self.push("linux/amd64"), self.push("linux/arm64")
        for run, program in ((self.run_plugin, "ours"), (self.run_buildx, "theirs")):
            run("imagetools", "create", "-t", self.target(program), amd64)
            run("imagetools", "create", "--append", "-t", self.target(program), arm64)
        self.assertEqual(self.digest(self.target("ours")), self.digest(self.target("theirs")))

        stored = self.repository(arm64).document("latest")
        source = self.work / "source"
        source.write_text(json.dumps({"digest": self.digest(arm64), "annotations": {"k": "v"}}) + "\n")
        self.assertTrue(stored)
        repository = arm64.rsplit(":", 1)[0]
        made = f"{repository}:from-file"
        self.run_plugin("imagetools", "create", "-t", made, "-f", source)
        self.assertEqual(self.repository(made).document("from-file")["manifests"][0]["annotations"], {"k": "v"})
        self.run_plugin("imagetools", "create", "-t", f"{repository}:again", self.digest(arm64))
        # The image of a digest alone is in the repository of the tag.
        ambiguous = self.run_plugin("imagetools", "create", "-t", made, amd64, self.digest(arm64), check=125)
        self.assertIn("several repositories", ambiguous.stderr)

    def test_copies_between_registries(self):
        self.login("basic")
        self.login("bearer")
        image = self.push("linux/amd64", "open", "--provenance=true")
        for registry in ("basic", "bearer"):
            copy = self.target("copy", registry)
            said = self.run_plugin("imagetools", "create", "-t", copy, image).stderr
            self.assertRegex(said, r"copying sha256:\w+ \(\d+ bytes\)")
            self.assertEqual(self.digest(copy), self.digest(image))
            for layer in self.repository(copy).layers("made"):
                self.assertTrue(layer)
            # Within a registry its blobs are mounted: nothing is fetched.
            other = self.target("mounted", registry)
            self.assertNotIn("copying", self.run_plugin("imagetools", "create", "-t", other, copy).stderr)
            self.assertEqual(self.digest(other), self.digest(image))

    def test_layouts(self):
        image = self.push("linux/amd64", "open", "--provenance=true")
        layout = f"oci-layout://{self.work}/layout:v1"
        self.run_plugin("imagetools", "create", "-t", layout, image)
        self.assertIn(self.digest(image), self.run_plugin("imagetools", "inspect", layout).stdout)
        shutil.move(self.work / "layout", self.work / "moved")
        back = self.target("back")
        self.run_plugin("imagetools", "create", "-t", back, f"oci-layout://{self.work}/moved:v1")
        self.assertEqual(self.digest(back), self.digest(image))
        missing = self.run_plugin("imagetools", "create", "-t", back, f"oci-layout://{self.work}/moved:v2", check=1)
        self.assertIn("no image with the tag v2", missing.stderr)

    def test_metadata_file_and_silence(self):
        image, made = self.push(), self.target("made")
        words = ("imagetools", "create", "-t", made, "--metadata-file", "m.json", "--progress=none", image)
        self.assertEqual(self.run_plugin(*words).stderr, "")
        metadata = json.loads((self.work / "m.json").read_text())
        self.assertEqual(metadata["containerimage.descriptor"]["digest"], self.digest(made))
        self.assertEqual(metadata["image.name"], made.rsplit(":", 1)[0])

    def test_refusals(self):
        rows = (
            ([], "no source is named"),
            (["x"], "nothing says where to write"),
            (["--dry-run", "UPPER"], 'source "UPPER".*lowercase'),
            (["--dry-run", "--annotation=manifest:a=b", "x"], "--annotation.*type manifest"),
            (["--dry-run", '{"schemaVersion":2}'], "a manifest or an index"),
            (["--dry-run", '{"digest":"sha256:1"}'], "no sha256 digest"),
        )
        for words, why in rows:
            with self.subTest(words=words):
                self.assertRegex(self.run_plugin("imagetools", "create", *words, check=125).stderr, why)
        missing = self.run_plugin("imagetools", "create", "--dry-run", self.target("none"), check=1)
        self.assertRegex(missing.stderr, "status 404")

    def test_a_registry_that_lies(self):
        image = self.push()
        layer = self.repository(image).manifest()["layers"][-1]["digest"]
        with faulty_registry.FaultyRegistry(self.registry_host("open")) as liar:
            name = liar.address + image[len(self.registry_host("open")):]
            liar.will("GET", f"/blobs/{layer}", lambda request: request.reply(200, {}.items(), b"something else"))
            result = self.run_plugin("imagetools", "create", "-t", self.target("never"), name, check=1)
        self.assertRegex(result.stderr, "(is not its content|more than the)")
        self.assertFalse(self.repository(self.target("never")).has("made"))


class Formats(EndToEnd):
    def test_what_is_wrong_with_a_template_is_said_before_anything_is_asked(self):
        for text, why in (("{{.Name", "not closed"), ("{{if .A}}", "end"), ("{{nope .}}", 'function "nope"')):
            result = self.run_plugin("imagetools", "inspect", "--format", text, "127.0.0.1:1/x", check=125)
            self.assertRegex(result.stderr, why)

    def test_a_field_that_is_not_there(self):
        result = self.run_plugin("imagetools", "inspect", "--format", "{{.Manifset}}", self.rig["BASE"], check=125)
        self.assertRegex(result.stderr, re.compile(r"no field \.Manifset.*manifest", re.DOTALL))
