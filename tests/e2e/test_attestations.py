"""Attestations: this plugin and docker buildx make the same ones of the same build."""

import json

from harness import EndToEnd

ON = {"BUILDX_NO_DEFAULT_ATTESTATIONS": None}


class AttestationTest(EndToEnd):
    def source(self):
        return self.context(
            {"Dockerfile": f"FROM {self.rig['BASE']}\nARG A=b\nRUN echo {self.image_name()} >/own\n"}
        )


class Attestations(AttestationTest):
    def check(self, *flags, env=None, builder="tls", expect):
        """Builds with both; `expect` is what each image of the index has attested. Gives the names of the images."""
        context, env = self.source(), {**ON, **(env or {})}
        ours, theirs = (self.image_name(name, registry="open") for name in ("ours", "theirs"))
        flags = [*flags, "--push", context]
        self.build("-t", ours, *flags, builder=builder, env=env)
        self.run_buildx("build", "-t", theirs, *flags, builder=builder, env=env)
        self.assertEqual(self.described(ours), self.described(theirs))
        self.assertEqual(self.described(ours), expect)
        return ours, theirs

    def described(self, image):
        """By platform: the predicates' types, with the mode of a provenance. None: no index."""
        repository = self.repository(image)
        document = repository.document("latest")
        if "manifests" not in document:
            return None
        said = {}
        names = {m["digest"]: m["platform"]["architecture"] for m in document["manifests"]}
        for entry in document["manifests"]:
            notes = entry.get("annotations", {})
            if notes.get("vnd.docker.reference.type") != "attestation-manifest":
                continue
            self.assertEqual(names[entry["digest"]], "unknown")
            layers = repository.document(entry["digest"])["layers"]
            kinds = [self.kind(layer, json.loads(repository.blob(layer["digest"]))) for layer in layers]
            said[names[notes["vnd.docker.reference.digest"]]] = sorted(kinds)
        return said

    def kind(self, layer, statement):
        kind = layer["annotations"]["in-toto.io/predicate-type"]
        self.assertEqual(kind, statement["predicateType"])
        if kind.startswith("https://slsa.dev/provenance/"):
            return "provenance max" if "buildConfig" in statement["predicate"] else "provenance min"
        return {"https://spdx.dev/Document": "sbom"}[kind]

    def test_provenance_by_default(self):
        self.check(expect={"amd64": ["provenance min"]})

    def test_none_by_default_when_the_variable_says_so(self):
        self.check(env={"BUILDX_NO_DEFAULT_ATTESTATIONS": "true"}, expect=None)

    def test_the_variable_does_not_hold_against_a_flag(self):
        env = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        self.check("--provenance=true", env=env, expect={"amd64": ["provenance max"]})

    def test_no_provenance(self):
        self.check("--provenance=false", expect=None)
        self.check("--attest", "type=provenance,disabled=true", expect=None)

    def test_provenance_in_full(self):
        self.check("--provenance=mode=max", expect={"amd64": ["provenance max"]})
        self.check("--attest", "type=provenance,mode=max", expect={"amd64": ["provenance max"]})

    def test_sbom_beside_the_default(self):
        flag = f"--sbom=generator={self.rig['SBOM_GENERATOR']}"
        self.check(flag, expect={"amd64": ["provenance min", "sbom"]})
        self.check(flag, "--provenance=false", expect={"amd64": ["sbom"]})

    def test_attestations_are_artifacts_where_the_output_or_the_builder_says_so(self):
        """Of OCI 1.1; BuildKit 0.25 makes none unasked, newer ones do."""
        self.start_newest_engine()
        builder = self.bridge("plain", engine="newest").url
        for env in ({}, {"BUILDX_NO_DEFAULT_OCI_ARTIFACT": "1"}):
            for output, artifact in (("type=image", False), ("type=image,oci-artifact=true", True)):
                images = self.check("-o", output, env=env, builder=builder, expect={"amd64": ["provenance min"]})
                for image in images:
                    repository = self.repository(image)
                    entry = repository.document("latest")["manifests"][-1]
                    found = "artifactType" in repository.document(entry["digest"])
                    self.assertEqual(found, artifact, f"{image} {output} {env}")

    def test_two_platforms(self):
        context, image = self.source(), self.image_name(registry="open")
        flags = ["--provenance=mode=max", "--platform", "linux/amd64,linux/arm64"]
        self.build("-t", image, "--push", *flags, context, builder="tls", env=ON)
        expect = ["provenance max"]
        self.assertEqual(self.described(image), {"amd64": expect, "arm64": expect})


class MetadataProvenance(AttestationTest):
    def metadata(self, *flags, **env):
        """What both wrote of the provenance into --metadata-file."""
        context = self.source()
        flags = [*flags, "--metadata-file"]
        self.build(*flags, "ours.json", context, builder="tls", env=env)
        self.run_buildx("build", *flags, "theirs.json", context, builder="tls", env=env)
        read = []
        for name in ("ours.json", "theirs.json"):
            said = json.loads((self.work / name).read_text())
            read.append({k: v for k, v in said.items() if k.startswith("buildx.build.provenance")})
        return read

    def test_is_that_of_buildx(self):
        ours, theirs = self.metadata()
        self.assertEqual(list(ours), ["buildx.build.provenance"])
        self.assertEqual(ours, theirs)
        self.assertNotIn("metadata", ours["buildx.build.provenance"])

    def test_in_full(self):
        ours, theirs = self.metadata(BUILDX_METADATA_PROVENANCE="max")
        ours, theirs = (said["buildx.build.provenance"] for said in (ours, theirs))
        self.assertEqual(sorted(ours), sorted(theirs))
        self.assertIn("buildConfig", ours)
        self.assertEqual(sorted(ours["metadata"]), sorted(theirs["metadata"]))

    def test_of_two_platforms(self):
        ours, theirs = self.metadata("--platform", "linux/amd64,linux/arm64")
        self.assertEqual(
            sorted(ours), [f"buildx.build.provenance/linux/{arch}" for arch in ("amd64", "arm64")]
        )
        self.assertEqual(ours, theirs)

    def test_of_two_builders(self):
        flags = ["--platform", "linux/amd64,linux/arm64", "--metadata-file", "ours.json"]
        said = self.build(*flags, self.source(), builder="both").stderr
        self.assertIn("resolving provenance for metadata file", said)
        keys = json.loads((self.work / "ours.json").read_text())
        for arch in ("amd64", "arm64"):
            self.assertIn(f"buildx.build.provenance/linux/{arch}", keys)

    def test_switched_off(self):
        for value in ("disabled", "false", "0"):
            said = self.metadata(BUILDX_METADATA_PROVENANCE=value)
            self.assertEqual(said, [{}, {}])
