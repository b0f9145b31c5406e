"""--sbom-dir: the SPDX documents of a build, wherever its result goes."""

import json
import tarfile

from harness import EndToEnd, file

PACKAGES = {"alpha": "1.2-3", "libbeta2": "0.9"}
BOTH = "linux/amd64,linux/arm64"


def status(packages):
    """What dpkg keeps of installed packages, as far as the rig's generator reads it."""
    return "".join(f"Package: {name}\nVersion: {v}\n\n" for name, v in packages.items())


class Sbom(EndToEnd):
    def source(self, *more, **files):
        # A step of the test's own, so that nothing comes from another test's cache.
        lines = [f"FROM {self.rig['BASE']}", f"RUN echo {self.image_name()} >/own"]
        lines += ["COPY status /var/lib/dpkg/status", *more]
        entries = {"Dockerfile": "\n".join(lines) + "\n", "status": status(PACKAGES)}
        return self.context({**entries, **files})

    def scan(self, *flags, context=None, builder="tls", **options):
        """A build with --sbom-dir made/sboms; on the builder behind TLS if not told otherwise."""
        wanted = [f"--sbom=generator={self.rig['SBOM_GENERATOR']}", "--sbom-dir", "made/sboms"]
        options = {"builder": builder, **options}
        return self.build(*wanted, *flags, context or self.source(), **options)

    def check(self, *names):
        """Exactly these files are there, and each is an SPDX document that names the packages."""
        place = self.work / "made" / "sboms"
        self.assertEqual(sorted(path.name for path in place.iterdir()), sorted(names))
        for name in names:
            self.check_document(place / name, PACKAGES)
        self.assertEqual(place.stat().st_mode & 0o777, 0o755)

    def check_document(self, path, packages):
        self.assertEqual(path.stat().st_mode & 0o777, 0o644)
        document = json.loads(path.read_text())
        self.assertEqual(document["spdxVersion"], "SPDX-2.3")
        self.assertEqual(document["SPDXID"], "SPDXRef-DOCUMENT")
        found = {package["name"]: package["versionInfo"] for package in document["packages"]}
        self.assertEqual(found, packages)

    def test_of_a_pushed_image(self):
        image = self.image_name(registry="open")
        said = self.scan("-t", image, "--push").stderr
        self.check("sbom.spdx.json")
        self.assertIn("wrote made/sboms/sbom.spdx.json", said)
        self.assertEqual(len(self.repository(image).document("latest")["manifests"]), 2)

    def test_of_several_targets(self):
        """Each in a file of its own; one that only others use has none."""
        place = self.source()
        definition = f'target "linked" {{}}\ntarget "a" {{\n  contexts = {{ x = "target:linked" }}\n  platforms = ["{BOTH}"]\n}}\n'
        definition = definition.replace(",", '", "') + 'target "b" { output = ["type=local,dest=o"] }\n'
        (place / "docker-bake.hcl").write_text(definition)
        flags = [f"--sbom=generator={self.rig['SBOM_GENERATOR']}", "--sbom-dir", self.work / "made/sboms"]
        self.run_plugin("bake", "--progress=plain", *flags, "a", "b", builder="tls", cwd=place)
        self.check("a_linux_amd64.spdx.json", "a_linux_arm64.spdx.json", "b.spdx.json")

    def test_of_two_platforms_of_one_builder(self):
        image = self.image_name(registry="open")
        self.scan("-t", image, "--push", "--platform", BOTH)
        self.check("linux_amd64.spdx.json", "linux_arm64.spdx.json")

    def test_of_two_builders(self):
        image = self.image_name(registry="open")
        outputs = {
            "pushed": ["-t", image, "--push"],
            "cache": [],
            "local": ["-o", "out"],
            "oci": ["-o", "type=oci,dest=out.tar"],
        }
        for name, flags in outputs.items():
            with self.subTest(name):
                self.scan(*flags, "--platform", BOTH, builder="both")
                self.check("linux_amd64.spdx.json", "linux_arm64.spdx.json")
                for path in (self.work / "made" / "sboms").iterdir():
                    path.unlink()
        self.assertEqual(len(self.repository(image).document("latest")["manifests"]), 4)

    def test_of_what_stays_in_the_cache(self):
        said = self.scan().stderr
        self.check("sbom.spdx.json")
        # The result itself did not travel, and was not made into layers either.
        self.assertNotIn("exporting layers", said)
        self.scan("--platform", BOTH)
        self.check("linux_amd64.spdx.json", "linux_arm64.spdx.json", "sbom.spdx.json")

    def test_of_a_local_output(self):
        self.scan("-o", "out")
        self.check("sbom.spdx.json")
        statement = json.loads((self.work / "out" / "sbom.spdx.json").read_text())
        document = json.loads((self.work / "made" / "sboms" / "sbom.spdx.json").read_text())
        self.assertEqual(statement["predicate"], document)
        names = {path.name for path in (self.work / "out").iterdir()}
        self.assertFalse({name for name in names if name.startswith("docker-depot")})

    def test_a_file_of_that_name_in_the_result_is_not_the_sbom(self):
        more = "COPY sbom.spdx.json linux_arm64.spdx.json /"
        files = {"sbom.spdx.json": "not mine", "linux_arm64.spdx.json": "not mine"}
        self.scan(context=self.source(more, **files))
        self.check("sbom.spdx.json")

    def test_of_archives(self):
        for kind in ("tar", "oci"):
            with self.subTest(kind):
                self.scan("-o", f"type={kind},dest=out.tar")
                self.check("sbom.spdx.json")
                with tarfile.open(self.work / "out.tar") as archive:
                    self.assertGreater(len(archive.getnames()), 1)
        piped = self.scan("-o", "type=tar,dest=-")
        self.assertGreater(len(piped.stdout_bytes), 10000)
        self.check("sbom.spdx.json")

    def test_of_a_loaded_image(self):
        image = self.image_name()
        self.scan("-t", image, "--load", engine="containerd")
        self.check("sbom.spdx.json")
        self.assertTrue(self.engine("containerd").inspect(image))
        self.engine("containerd").remove(image)

    def test_what_holds_no_attestations_is_refused_as_buildx_does(self):
        result = self.scan("-o", "type=docker,dest=out.tar", engine="classic", check=1)
        self.assertIn("holds no attestations (sbom)", result.stderr)
        self.assertFalse((self.work / "made").exists())

    def test_of_an_image_whose_store_takes_no_attestations(self):
        image = self.image_name()
        result = self.scan("--load", "-t", image, engine="classic")
        self.check("sbom.spdx.json")
        self.assertIn("attestations", result.stderr)
        self.engine("classic").remove(image)

    def test_of_an_engine_that_builds(self):
        image = self.image_name()
        self.scan("-t", image, builder=None, engine="containerd")
        self.check("sbom.spdx.json")
        self.engine("containerd").remove(image)

    def test_of_stages(self):
        more = [f"FROM {self.rig['BASE']} AS tools", "ARG BUILDKIT_SBOM_SCAN_STAGE=true"]
        more += ["COPY tools /var/lib/dpkg/status", f"RUN echo {self.image_name()} >/made"]
        more += [f"FROM {self.rig['BASE']}", "COPY status /var/lib/dpkg/status"]
        more += ["COPY --from=tools /made /made"]
        self.scan(context=self.source(*more, tools=status({"compiler": "12"})))
        place = self.work / "made" / "sboms"
        names = {"sbom.spdx.json", "sbom-tools.spdx.json"}
        self.assertEqual({path.name for path in place.iterdir()}, names)
        self.check_document(place / "sbom.spdx.json", PACKAGES)
        self.check_document(place / "sbom-tools.spdx.json", {"compiler": "12"})

    def test_the_directory_is_no_part_of_the_context(self):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY . /\n"})
        self.scan("-o", self.work / "out", context=".", cwd=context)
        self.assertEqual(
            sorted(path.name for path in (self.work / "out").iterdir()),
            ["Dockerfile", "sbom.spdx.json"],
        )
        self.assertTrue((context / "made" / "sboms" / "sbom.spdx.json").exists())

    def test_a_generator_that_writes_nothing_is_an_error(self):
        lazy = self.image_name("lazy", registry="open")
        context = self.context({"Dockerfile": f'FROM {self.rig["BASE"]}\nCMD ["true"]\n'})
        self.build("-t", lazy, "--push", context, builder="tls")
        for flags in ((), ("--push", "-t", self.image_name(registry="open"))):
            args = [f"--sbom=generator={lazy}", "--sbom-dir", "sboms", *flags, self.source()]
            said = self.build(*args, builder="tls", check=1).stderr
            self.assertIn("--sbom-dir: no SBOM from", said)
            self.assertFalse((self.work / "sboms").exists())

    def test_without_sbom_it_is_switched_on_and_said(self):
        # The default generator is out of reach here, so the build cannot succeed.
        result = self.build("--sbom-dir", "sboms", self.source(), builder="tls", check=113)
        self.assertIn("--sbom-dir switches --sbom on", result.stderr)
        self.assertIn("buildkit-syft-scanner", result.stderr)
        self.assertFalse((self.work / "sboms").exists())
        self.build("--sbom=false", "--sbom-dir", "s", self.source(), builder="tls", check=125)

    def test_a_directory_that_cannot_be_written_ends_the_run_before_the_build(self):
        (self.work / "plain").write_text("")
        for place in ("plain", "plain/below", "/proc/nothing/sboms"):
            flags = ["--sbom=true", "--sbom-dir", place]
            result = self.build(*flags, self.source(), builder="tcp://127.0.0.1:1", check=1)
            self.assertIn("--sbom-dir cannot be written", result.stderr)

    def test_a_builder_without_attestations_is_refused(self):
        for engine in ("classic", "oldest"):
            result = self.scan(builder=None, engine=engine, check=1)
            self.assertIn("cannot make attestations (sbom)", result.stderr)
            self.assertFalse((self.work / "made").exists())

    def test_old_documents_are_replaced(self):
        place = self.context({"sbom.spdx.json": file("old")}, name="made/sboms")
        self.scan()
        self.check_document(place / "sbom.spdx.json", PACKAGES)
