"""One image for two platforms, each built on a machine of its own."""

import hashlib
import json
import os
import signal
import tarfile
import threading
import time
import urllib.error
from pathlib import Path

import trees
from harness import FAILURES, EndToEnd, alone, file, hardlink, symlink
from images import OciLayout

AMD64, ARM64 = "linux/amd64", "linux/arm64"
BOTH = ("--platform", f"{AMD64},{ARM64}")
WITH_PROVENANCE = {"BUILDX_NO_DEFAULT_ATTESTATIONS": None}


class PlatformsTest(EndToEnd):
    """What the tests below share."""

    def context_of(self, *lines, base=None, files=()):
        head = [f"FROM {base or self.rig['BASE']}"]
        return self.context({"Dockerfile": "\n".join([*head, *lines]) + "\n", **dict(files)})

    def small(self, **options):
        return self.context_of(f"RUN uname -m >/arch && echo {self.image_name()}", **options)

    def build_both(self, *args, **options):
        options.setdefault("builder", "both")
        return self.build(*BOTH, *args, **options)

    def images_of(self, index):
        """Platform to digest, attestations left out."""
        return {
            "/".join([e["platform"]["os"], e["platform"]["architecture"]]): e["digest"]
            for e in index["manifests"]
            if e["platform"]["os"] != "unknown"
        }

    def assert_runs_both(self, image):
        for platform, machine in ((AMD64, "x86_64"), (ARM64, "aarch64")):
            flags = ["--rm", "--network", "none", "--platform", platform]
            ran = self.run_docker("run", *flags, image, "cat", "/arch", engine="containerd")
            self.assertEqual(ran.stdout.strip(), machine)

    def assert_no_tag(self, image):
        with self.assertRaises(urllib.error.HTTPError) as missing:
            self.repository(image).document(self.tag_of(image))
        self.assertEqual(missing.exception.code, 404)

    def two_steps(self, *after):
        """A context whose last step goes on for long, and the step's command on each machine."""
        steps = [self.endless_step() for _ in range(2)]
        line = f'RUN if [ "$(uname -m)" = x86_64 ]; then {steps[0]}; else {steps[1]}; fi'
        return self.context_of(line, *after), steps


class Push(PlatformsTest):
    def test_to_every_kind_of_registry(self):
        for registry in ("open", "basic", "bearer"):
            with self.subTest(registry=registry):
                if registry != "open":
                    self.login(registry)
                image = self.image_name(name=registry, registry=registry)
                self.build_both("-t", image, "--push", self.small())
                index = self.repository(image).document("latest")
                self.assertEqual(list(self.images_of(index)), [AMD64, ARM64])
                for machine, digest in zip(("x86_64", "aarch64"), self.images_of(index).values()):
                    layers = self.repository(image).layers(digest)
                    place = self.folder / f"{registry}-{machine}"
                    place.write_bytes(layers[-1])
                    with tarfile.open(place) as layer:
                        self.assertEqual(layer.extractfile("arch").read().decode().strip(), machine)

    def test_both_run(self):
        image = self.image_name(registry="open")
        self.build_both("-t", image, "--push", self.small())
        engine = self.engine("containerd")
        for platform, machine in ((AMD64, "x86_64"), (ARM64, "aarch64")):
            flags = ["--rm", "--network", "none", "--pull", "always", "--platform", platform]
            ran = self.run_docker("run", *flags, image, "cat", "/arch", engine="containerd")
            self.assertEqual(ran.stdout.strip(), machine)
            engine.remove(image)

    def test_both_at_the_same_time(self):
        context, steps = self.two_steps()
        running = self.start_plugin("build", *BOTH, context, builder="both")
        for step in steps:
            self.wait_for_step(step)
        for step in steps:
            self.assertTrue(self.step_runs(step))
        running.send(signal.SIGTERM)
        running.wait(30, check=130)
        for step in steps:
            self.assert_step_ends(step)

    def test_buildx_reads_the_same(self):
        image = self.image_name(registry="open")
        self.build_both("-t", image, "--push", self.small(), env=WITH_PROVENANCE)
        theirs = self.run_buildx("imagetools", "inspect", image).stdout
        ours = self.run_plugin("imagetools", "inspect", image).stdout
        index = self.repository(image).document("latest")
        self.assertEqual(len(index["manifests"]), 4)
        for entry in index["manifests"]:
            self.assertIn(entry["digest"], theirs)
            self.assertIn(entry["digest"], ours)
        for platform in (AMD64, ARM64):
            self.assertIn(platform, theirs)
            self.assertIn(platform, ours)
        raw = self.run_buildx("imagetools", "inspect", "--raw", image)
        ours_raw = self.run_plugin("imagetools", "inspect", "--raw", image)
        self.assertEqual(ours_raw.stdout_bytes.strip(), raw.stdout_bytes.strip())

    def test_attestations_come_along(self):
        image = self.image_name(registry="open")
        self.build_both("-t", image, "--push", self.small(), env=WITH_PROVENANCE)
        repository = self.repository(image)
        index = repository.document("latest")
        images = set(self.images_of(index).values())
        attested = set()
        for entry in index["manifests"]:
            if entry["platform"]["os"] != "unknown":
                continue
            annotations = entry["annotations"]
            self.assertEqual(annotations["vnd.docker.reference.type"], "attestation-manifest")
            attested.add(annotations["vnd.docker.reference.digest"])
            self.assertTrue(repository.has(entry["digest"]))
        self.assertEqual(attested, images)

    def test_several_tags_and_repositories(self):
        first = self.image_name(name="first", registry="open", tag="1")
        second = self.image_name(name="second", registry="open", tag="2")
        third = first.rpartition(":")[0] + ":3"
        names = [part for image in (first, second, third) for part in ("-t", image)]
        self.build_both(*names, "--push", self.small())
        documents = [self.repository(i).document(self.tag_of(i)) for i in (first, second, third)]
        self.assertEqual(documents[0], documents[1])
        self.assertEqual(documents[0], documents[2])

    @alone
    def test_a_token_for_each_scope_once(self):
        """Two builders and we ourselves want tokens for the same repository."""
        self.login("bearer")
        image = self.image_name(registry="bearer")
        base = self.rig["BASE"].replace(self.registry_host("open"), self.registry_host("bearer"))
        since = time.time()
        self.build_both("-t", image, "--push", self.small(base=base))
        scopes = [str(request.get("scope")) for request in self.token_requests(since)]
        self.assertTrue(any("/app:pull,push" in scope for scope in scopes), scopes)
        self.assertEqual(len(scopes), len(set(scopes)), scopes)

    def test_annotations(self):
        image = self.image_name(registry="open")
        flags = [
            *("--annotation", "index:one=1", "--annotation", "manifest:two=2"),
            *("--annotation", "manifest-descriptor[linux/arm64]:three=3"),
            *("--annotation", "manifest[linux/amd64]:four=4", "--annotation", "five=5"),
            *("--annotation", "index-descriptor:six=6", "--annotation", "manifest:four=all"),
        ]
        self.build_both(*flags, "-t", image, "--push", self.small())
        repository = self.repository(image)
        index = repository.document("latest")
        self.assertEqual(index["annotations"], {"one": "1"})
        by_platform = {e["platform"]["architecture"]: e for e in index["manifests"]}
        self.assertEqual(by_platform["arm64"]["annotations"]["three"], "3")
        self.assertNotIn("three", by_platform["amd64"].get("annotations", {}))
        manifests = {name: repository.document(e["digest"]) for name, e in by_platform.items()}
        common = {"two": "2", "five": "5"}
        self.assertEqual(manifests["amd64"]["annotations"], common | {"four": "4"})
        self.assertEqual(manifests["arm64"]["annotations"], common | {"four": "all"})

        archive = self.work / "image.tar"
        self.build_both(*flags, "-o", f"type=oci,dest={archive}", self.small())
        layout = OciLayout(archive)
        (entry,) = layout.document("latest")["manifests"]
        self.assertEqual(entry["annotations"]["six"], "6")
        self.assertEqual(layout.document(entry["digest"])["annotations"], {"one": "1"})

    def test_annotations_of_one_output(self):
        """What an output says of the index is for it alone; --annotation counts before it."""
        image, archive = self.image_name(registry="open"), self.work / "image.tar"
        said = "annotation-index.one=o,annotation-index.two=2"
        described = "annotation-manifest-descriptor[linux/arm64].three=3"
        manifest = "annotation-manifest[linux/arm64].four=4"
        flags = ["-o", f"type=image,name={image},push=true,{said},{described},{manifest}"]
        flags += ["-o", f"type=oci,dest={archive},annotation-index.own=5"]
        self.build_both(*flags, "--annotation", "index:one=1", self.small())
        repository = self.repository(image)
        index = repository.document("latest")
        self.assertEqual(index["annotations"], {"one": "1", "two": "2"})
        by_platform = {e["platform"]["architecture"]: e for e in index["manifests"]}
        self.assertEqual(by_platform["arm64"]["annotations"]["three"], "3")
        self.assertNotIn("three", by_platform["amd64"].get("annotations", {}))
        arm = repository.document(by_platform["arm64"]["digest"])
        self.assertEqual(arm["annotations"], {"four": "4"})
        layout = OciLayout(archive)
        (entry,) = layout.document("latest")["manifests"]
        annotations = layout.document(entry["digest"])["annotations"]
        self.assertEqual(annotations, {"one": "1", "own": "5"})

    def test_reports(self):
        image = self.image_name(registry="open", tag="7")
        files = ["--iidfile", "id", "--metadata-file", "meta", "-q"]
        result = self.build_both("-t", image, "--push", *files, self.small())
        repository = self.repository(image)
        digest = repository.digest("7")
        self.assertEqual((self.work / "id").read_text(), digest)
        self.assertEqual(result.stdout, f"{digest}\n")
        metadata = json.loads((self.work / "meta").read_text())
        self.assertEqual(metadata["containerimage.digest"], digest)
        self.assertEqual(metadata["image.name"], image)
        by_platform = self.images_of(repository.document("7"))
        answers = metadata["depot.platforms"]
        digests = {name: one["containerimage.digest"] for name, one in answers.items()}
        self.assertEqual(digests, by_platform)


class Outputs(PlatformsTest):
    FILES = {
        "tree/plain": "plain",
        "tree/" + "long" * 40 + "/name": file("x", mtime=1_000_000_000),
        "tree/link": symlink("plain"),
        "tree/hard": hardlink("tree/plain"),
        "tree/tool": file("tool", mode=0o755),
    }

    def tree_context(self):
        dockerfile = f"FROM {self.rig['BASE']} AS one\nRUN uname -m >/arch\n"
        dockerfile += "FROM scratch\nCOPY tree /tree/\nCOPY --from=one /arch /\n"
        return self.context({"Dockerfile": dockerfile, **self.FILES})

    def machine_in(self, folder):
        return trees.text(folder, "arch").strip()

    def test_local_has_a_folder_for_each(self):
        out = self.work / "out"
        self.build_both("-o", out, self.tree_context())
        self.assertEqual(sorted(p.name for p in out.iterdir()), ["linux_amd64", "linux_arm64"])
        self.assertEqual(self.machine_in(out / "linux_amd64"), "x86_64")
        self.assertEqual(self.machine_in(out / "linux_arm64"), "aarch64")
        self.assertEqual((out / "linux_arm64/tree/link").readlink().name, "plain")

    def test_tar_is_the_same_as_local(self):
        context = self.tree_context()
        self.build_both("-o", self.work / "out", context)
        self.build_both("-o", f"type=tar,dest={self.work}/out.tar", context)
        local = trees.tree_of(self.work / "out")
        # The tar exporter rounds times to seconds, and folders of ours have none.
        archive = trees.tree_of_tar(self.work / "out.tar")
        self.assert_same_tree(local, archive, ignore=("mtime",))

    def test_tar_to_standard_output(self):
        result = self.build_both("-o", "-", self.tree_context())
        (self.work / "piped.tar").write_bytes(result.stdout_bytes)
        names = set(trees.tree_of_tar(self.work / "piped.tar"))
        self.assertLessEqual({"linux_amd64/arch", "linux_arm64/arch"}, names)

    def test_oci_has_one_index(self):
        archive = self.work / "image.tar"
        args = ["-t", "x:1", "-o", f"type=oci,dest={archive}", self.small()]
        self.build_both(*args, env=WITH_PROVENANCE)
        layout = OciLayout(archive)
        listed = layout.document("latest")["manifests"]
        self.assertEqual(len(listed), 1)
        index = layout.document(listed[0]["digest"])
        self.assertEqual(list(self.images_of(index)), [AMD64, ARM64])
        self.assertEqual(len(index["manifests"]), 4)
        for platform, machine in ((AMD64, "amd64"), (ARM64, "arm64")):
            manifest = layout.document(self.images_of(index)[platform])
            config = json.loads(layout.blob(manifest["config"]["digest"]))
            self.assertEqual(config["architecture"], machine)
            for layer in manifest["layers"]:
                layout.blob(layer["digest"])

    def test_push_beside_another_output(self):
        """Whichever output comes last, what was pushed is what is joined."""
        for order in (1, -1):
            image = self.image_name(name=f"app{order + 1}", registry="open")
            archive = self.work / "image.tar"
            outputs = [f"type=image,name={image},push=true,compression=zstd"]
            outputs[0] += ",force-compression=true"
            outputs.append(f"type=oci,dest={archive}")
            flags = [part for output in outputs[::order] for part in ("-o", output)]
            self.build_both(*flags, "--metadata-file", "meta", self.small(), env=WITH_PROVENANCE)
            repository = self.repository(image)
            index = repository.document("latest")
            self.assertEqual(len(index["manifests"]), 4)
            metadata = json.loads((self.work / "meta").read_text())
            self.assertEqual(metadata["containerimage.digest"], repository.digest("latest"))
            for digest in self.images_of(index).values():
                self.assertIn("zstd", json.dumps(repository.document(digest)["layers"]))
            self.assertEqual(len(OciLayout(archive).document("latest")["manifests"]), 1)

    def test_a_secret_from_a_pipe_reaches_every_builder(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_text, args=("given once",), daemon=True)
        writer.start()
        mount = f"--mount=type=secret,required=true,id=s : {self.image_name()}"
        dockerfile = f"FROM {self.rig['BASE']} AS one\nRUN {mount}; sha256sum </run/secrets/s >/sum\n"
        dockerfile += "FROM scratch\nCOPY --from=one /sum /\n"
        context = self.context({"Dockerfile": dockerfile})
        self.build_both("--secret", f"id=s,src={pipe}", "-o", "out", context, timeout=120)
        digest = hashlib.sha256(b"given once").hexdigest()
        for folder in ("linux_amd64", "linux_arm64"):
            self.assertEqual(trees.text(self.work / "out" / folder, "sum").split()[0], digest)

    def test_an_archive_is_loaded_and_runs(self):
        image = self.image_name()
        archive = self.work / "image.tar"
        self.build_both("-t", image, "-o", f"type=oci,dest={archive}", self.small())
        self.run_docker("load", "-i", archive, engine="containerd")
        self.assert_runs_both(image)

    def test_a_build_of_files_has_no_provenance_that_nobody_asked_for(self):
        self.build_both("-o", "out", self.small(), env=WITH_PROVENANCE)
        names = [Path(path).name for path in trees.tree_of(self.work / "out")]
        self.assertEqual([name for name in names if name.startswith("provenance")], [])

    def test_a_large_file_and_a_link_in_a_tar(self):
        content = bytes(range(256)) * 40_000
        dockerfile = "FROM scratch\nCOPY big copy /\n"
        entries = {"Dockerfile": dockerfile, "big": content, "copy": hardlink("big")}
        self.build_both("-o", f"type=tar,dest={self.work}/out.tar", self.context(entries))
        with tarfile.open(self.work / "out.tar") as archive:
            for folder in ("linux_amd64", "linux_arm64"):
                for name in ("big", "copy"):
                    member = archive.extractfile(f"{folder}/{name}")
                    self.assertEqual(member.read(), content)

    def test_refused_outputs(self):
        tagged = f"name={self.image_name(registry='open')},push=true,push-by-digest=true"
        result = self.build_both("-o", f"type=image,{tagged}", self.small(), check=125)
        self.assertIn("has one", result.stderr)
        self.assertIn("hint:", result.stderr)

    def test_a_push_by_digest_has_no_tag(self):
        name = self.image_name(registry="open").rpartition(":")[0]
        output = f"type=image,name={name},push=true,push-by-digest=true"
        files = ["--iidfile", "id", "--metadata-file", "meta"]
        self.build_both("-o", output, *files, self.small(), env=WITH_PROVENANCE)
        repository = self.repository(name)
        digest = (self.work / "id").read_text()
        index = repository.document(digest)
        self.assertEqual(list(self.images_of(index)), [AMD64, ARM64])
        self.assertEqual(len(index["manifests"]), 4)
        self.assert_no_tag(name + ":latest")
        metadata = json.loads((self.work / "meta").read_text())
        self.assertEqual(metadata["containerimage.digest"], digest)
        self.assertEqual(metadata["image.name"], name)

    def test_two_images_are_pushed(self):
        """Each as it was asked for, whatever the other is; the last one is the answer."""
        first = self.image_name(name="first", registry="open")
        second = self.image_name(name="second", registry="open")
        one = f"type=image,name={first},push=true,compression=zstd,force-compression=true"
        two = f"type=image,name={second},push=true"
        outputs = ["-o", one, "-o", "type=oci,dest=x.tar", "-o", two]
        self.build_both(*outputs, "--metadata-file", "meta", self.small(), env=WITH_PROVENANCE)
        metadata = json.loads((self.work / "meta").read_text())
        second_digest = self.repository(second).digest("latest")
        self.assertEqual(metadata["containerimage.digest"], second_digest)
        self.assertEqual(metadata["image.name"], second)
        for image, compression in ((first, "zstd"), (second, "gzip")):
            repository = self.repository(image)
            index = repository.document("latest")
            self.assertEqual(list(self.images_of(index)), [AMD64, ARM64])
            self.assertEqual(len(index["manifests"]), 4)
            for digest in self.images_of(index).values():
                layers = json.dumps(repository.document(digest)["layers"])
                self.assertIn(compression, layers)

    def arch_context(self, name):
        """Files of each platform, in a folder that both have."""
        dockerfile = f"FROM {self.rig['BASE']} AS one\nARG TARGETARCH\n"
        dockerfile += f"RUN mkdir -p /out/bin && uname -m >/out/bin/{name}\n"
        dockerfile += "FROM scratch\nCOPY --from=one /out /\n"
        return self.context({"Dockerfile": dockerfile})

    def test_files_of_all_in_one_folder(self):
        context = self.arch_context("app-$TARGETARCH")
        expected = {"bin/app-amd64": "x86_64", "bin/app-arm64": "aarch64"}
        self.build_both("-o", "type=local,dest=out,platform-split=false", context)
        for path, machine in expected.items():
            self.assertEqual(trees.text(self.work / "out", path).strip(), machine)
        self.build_both("-o", "type=tar,dest=out.tar,platform-split=false", context)
        with tarfile.open(self.work / "out.tar") as archive:
            for path, machine in expected.items():
                self.assertEqual(archive.extractfile(path).read().decode().strip(), machine)

    def test_a_file_of_two_platforms_is_named(self):
        context = self.arch_context("app")
        for output in ("type=local,dest=out", "type=tar,dest=out.tar"):
            with self.subTest(output=output):
                args = ["-o", f"{output},platform-split=false", context]
                result = self.build_both(*args, check=1, timeout=60)
                self.assertIn("bin/app in out", result.stderr)
                self.assertIn(AMD64, result.stderr)
                self.assertIn(ARM64, result.stderr)
                self.assertIn("hint: leave platform-split=false away", result.stderr)
        self.assertFalse((self.work / "out.tar").exists())

    def test_outputs_that_do_not_meet(self):
        image = self.image_name(registry="open")
        outputs = ["out", "other", "type=tar,dest=files.tar", "type=oci,dest=one.tar"]
        outputs += ["type=oci,dest=two.tar", f"type=image,name={image},push=true"]
        flags = [part for output in outputs for part in ("-o", output)]
        self.build_both(*flags, self.small())
        for folder in ("out", "other"):
            self.assertEqual(self.machine_in(self.work / folder / "linux_arm64"), "aarch64")
        for archive in ("one.tar", "two.tar"):
            self.assertEqual(len(OciLayout(self.work / archive).document("latest")["manifests"]), 1)
        self.assertTrue((self.work / "files.tar").exists())
        index = self.repository(image).document("latest")
        self.assertEqual(list(self.images_of(index)), [AMD64, ARM64])
        result = self.build_both("-o", "out", "-o", "./out/", self.small(), check=125)
        says = "several outputs go to out: type=local,dest=out and type=local,dest=./out/"
        self.assertIn(says, result.stderr)

    def test_load_into_the_containerd_store(self):
        image = self.image_name()
        self.build_both("-t", image, "--load", self.small(), engine="containerd")
        self.assert_runs_both(image)

    def test_load_into_the_classic_store_takes_its_own_platform(self):
        image = self.image_name()
        result = self.build_both("-t", image, "--load", self.small(), engine="classic")
        self.assertIn("holds one platform, and gets linux/amd64; left out: linux/arm64", result.stderr)
        self.assertEqual(self.engine("classic").inspect(image)["Architecture"], "amd64")

    def test_an_archive_for_docker_is_an_oci_one(self):
        """BuildKit's exporter `docker` holds one platform; docker load takes an OCI archive too."""
        image = self.image_name()
        for builder in ("both", "plain"):
            flags = ["-o", f"type=docker,name={image},dest=x.tar", *BOTH, self.small()]
            result = self.build(*flags, builder=builder)
            self.assertIn("is an OCI archive: docker load takes it", result.stderr)
            self.run_docker("load", "-i", self.work / "x.tar", engine="containerd")
            self.assert_runs_both(image)
            self.engine("containerd").remove(image)

    def test_one_builder_makes_both_in_one_solve(self):
        """The same address for two platforms is one machine."""
        builder = f"{AMD64}={self.rig['BUILDER_PLAIN']},{ARM64}={self.rig['BUILDER_PLAIN']}"
        image = self.image_name(registry="open")
        result = self.build_both("-t", image, "--push", self.small(), builder=builder)
        self.assertNotIn("pushing the image index", result.stderr)
        index = self.repository(image).document("latest")
        self.assertEqual(list(self.images_of(index)), [AMD64, ARM64])


class Failures(PlatformsTest):
    def test_one_fails(self):
        image = self.image_name(registry="open")
        step = self.endless_step()
        line = f'RUN if [ "$(uname -m)" = x86_64 ]; then {step}; '
        line += "else sleep 2; echo broken >&2; exit 7; fi"
        begin = time.monotonic()
        result = self.build_both("-t", image, "--push", self.context_of(line), check=1)
        self.assertLess(time.monotonic() - begin, 30)
        self.assertIn("exit code: 7", result.stderr)
        self.assertIn("broken", result.stderr)
        self.assert_step_ends(step, seconds=5)
        self.assert_no_tag(image)

    def test_one_builder_dies(self):
        image = self.image_name(registry="open")
        bridge = self.bridge(kind="plain", engine="arm64")
        builder = f"{AMD64}={self.rig['BUILDER_PLAIN']},{ARM64}={bridge.url}"
        context, steps = self.two_steps()
        running = self.start_plugin(
            "build", "--retries=0", *BOTH, "-t", image, "--push", context, builder=builder
        )
        for step in steps:
            self.wait_for_step(step)
        begin = time.monotonic()
        bridge.kill()
        result = running.wait(40)
        self.assertIn(result.rc, FAILURES, str(result))
        self.assertLess(time.monotonic() - begin, 10, str(result))
        self.assertIn(f"lost the builder {bridge.url}", result.stderr)
        self.assert_step_ends(steps[0], seconds=5)
        self.assert_no_tag(image)

    def test_a_signal_cancels_both(self):
        context, steps = self.two_steps()
        running = self.start_plugin("build", *BOTH, context, builder="both")
        for step in steps:
            self.wait_for_step(step)
        begin = time.monotonic()
        running.send(signal.SIGTERM)
        result = running.wait(30)
        self.assertEqual(result.rc, 130, str(result))
        self.assertLess(time.monotonic() - begin, 3.5)
        for step in steps:
            self.assert_step_ends(step)

    def test_one_cannot_be_reached(self):
        builder = f"{AMD64}={self.rig['BUILDER_PLAIN']},{ARM64}=tcp://no-such-host.invalid:8372"
        result = self.build_both(self.small(), builder=builder, check=110, timeout=60)
        self.assertIn("tcp://no-such-host.invalid:8372", result.stderr)
        self.assertIn("hint:", result.stderr)

    def test_one_does_not_answer(self):
        """Bounded, and the one that is silent is named."""
        silent = f"tcp://{self.silent_port()}"
        builder = f"{AMD64}={self.rig['BUILDER_PLAIN']},{ARM64}={silent}"
        result = self.build_both(self.small(), builder=builder, check=110, timeout=90)
        self.assertIn(silent, result.stderr)

    def test_nobody_runs_it(self):
        for platform in ("linux/s390x", f"{AMD64},linux/riscv64"):
            result = self.build("--platform", platform, self.small(), builder="both", check=110)
            self.assertRegex(result.stderr, "no builder runs linux/(s390x|riscv64) natively")
            self.assertIn("linux/arm64", result.stderr)

    def test_a_bad_list_of_builders(self):
        plain = self.rig["BUILDER_PLAIN"]
        for bad, complaint in (
            (f"{AMD64}={plain},{plain}", "names no platform"),
            (f"{AMD64}={plain},{AMD64}=tcp://127.0.0.1:1", "two builders for linux/amd64"),
            (f"{AMD64}={plain},linux/arm65={plain}", "arm65"),
            (f"{AMD64}={plain},", "names no platform"),
            (f"{AMD64}=", "builder"),
        ):
            with self.subTest(bad=bad):
                result = self.build(self.small(), builder=bad, check=None)
                self.assertIn(result.rc, (1, 110, 125))
                self.assertIn(complaint, result.stderr)


class Choice(PlatformsTest):
    def written(self, *args, **options):
        self.build(*args, "-o", self.work / "out", self.small(), **options)
        return [path for path in trees.files_in(self.work / "out") if Path(path).name == "arch"]

    def test_the_default_platforms_of_the_environment(self):
        env = {"DOCKER_DEFAULT_PLATFORM": f"{AMD64},{ARM64}"}
        written = self.written(builder="both", env=env)
        self.assertEqual(written, ["linux_amd64/arch", "linux_arm64/arch"])

    def test_one_platform_goes_to_its_machine(self):
        self.assertEqual(self.written("--platform", ARM64, builder="both"), ["arch"])
        self.assertEqual(trees.text(self.work / "out", "arch").strip(), "aarch64")

    def test_nothing_asked_is_this_machines_platform(self):
        self.written(builder="both")
        self.assertEqual(trees.text(self.work / "out", "arch").strip(), "x86_64")

    def test_a_variant_goes_to_the_machine_that_has_it(self):
        dockerfile = "FROM scratch\nARG TARGETPLATFORM\nLABEL p=$TARGETPLATFORM\n"
        context = self.context({"Dockerfile": dockerfile})
        image = self.image_name(registry="open")
        flags = ["--platform", "linux/arm/v7,linux/amd64", "-t", image, "--push"]
        self.build(*flags, context, builder="both")
        found = [e["platform"] for e in self.repository(image).document("latest")["manifests"]]
        self.assertEqual([p.get("variant") for p in found], ["v7", None])

    def test_a_machine_that_is_named_for_a_variant_builds_it(self):
        context = self.context({"Dockerfile": "FROM scratch\nLABEL a=b\n"})
        builder = self.two_builders().replace(ARM64, "linux/amd64/v2")
        flags = ["--platform", f"{AMD64},linux/amd64/v2", "-o", "out", context]
        result = self.build(*flags, builder=builder, env=self.tls_variables())
        self.assertIn("[linux/amd64/v2] exporting", result.stderr)

    def test_what_is_emulated_is_said(self):
        """The rig's arm64 machine is one that qemu makes, and says so itself."""
        result = self.build("--platform", ARM64, self.small(), builder="both")
        self.assertIn(f"{ARM64} is emulated on {self.rig['BUILDER_ARM64']}", result.stderr)
        result = self.build("--platform", AMD64, self.small(), builder="both")
        self.assertNotIn("emulated", result.stderr)

    def test_a_machine_named_for_another_platform_is_asked_what_it_emulates(self):
        """Only when nothing runs it natively, and never with --native-only."""
        builder = f"{AMD64}={self.rig['BUILDER_PLAIN']}"
        flags = ["--platform", ARM64, "-o", self.work / "out", self.small()]
        for options in (
            {"args": ["--native-only"]},
            {"args": [], "env": {"DEPOT_NATIVE_ONLY": "1"}},
        ):
            args = options.pop("args")
            result = self.build(*args, *flags, builder=builder, check=110, **options)
            self.assertIn(f"no builder runs {ARM64} natively", result.stderr)
            self.assertIn("--emulate", result.stderr)
            self.assertFalse((self.work / "out").exists())
        for args in ([], ["--emulate"], ["--native-only=false"]):
            env = {"DEPOT_NATIVE_ONLY": "1" if args else None}
            result = self.build(*args, *flags, builder=builder, env=env)
            self.assertIn(f"{ARM64} is emulated on {self.rig['BUILDER_PLAIN']}", result.stderr)
            self.assertEqual(trees.text(self.work / "out", "arch").strip(), "aarch64")

    def test_the_engine_emulates_what_it_says(self):
        for engine in ("containerd", "classic"):
            flags = ["--platform", ARM64, "-o", self.work / engine, self.small()]
            result = self.build(*flags, engine=engine)
            self.assertRegex(result.stderr, f"{ARM64} is emulated on the Docker Engine")
            self.assertEqual(trees.text(self.work / engine, "arch").strip(), "aarch64")

    def test_one_machine_for_everything(self):
        flags = ["--build-platform", AMD64, *BOTH]
        self.assertEqual(
            self.written(*flags, builder="both"), ["linux_amd64/arch", "linux_arm64/arch"]
        )
        self.assertNotIn(self.rig["BUILDER_ARM64"], self.results[-1].stderr)
        builder = f"{AMD64}={self.rig['BUILDER_PLAIN']}"
        flags = ["--build-platform", ARM64, self.small()]
        result = self.build(*flags, builder=builder, check=125)
        self.assertIn("no builder was named for linux/arm64", result.stderr)

    def test_a_context_on_standard_input(self):
        """It can be read once only, and both builders want all of it."""
        folder = self.context(
            {
                "Dockerfile": f"FROM {self.rig['BASE']} AS base\nFROM scratch\nCOPY data /\n",
                "data": bytes(range(256)) * 20_000,
            }
        )
        archive = self.work / "context.tar"
        # BuildKit takes an archive that begins with a pax header for a Dockerfile.
        with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
            tar.add(folder, arcname=".")
        with open(archive, "rb") as stdin:
            self.build_both("-o", "out", "-", stdin=stdin)
        for name in ("linux_amd64", "linux_arm64"):
            written = trees.content(self.work / "out", f"{name}/data")
            self.assertEqual(written, (folder / "data").read_bytes())
