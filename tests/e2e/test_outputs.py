"""What a build leaves on disk: files, archives, metadata."""

import io
import json
import os
import signal
import stat
import struct
import subprocess
import tarfile
import time
import unittest
from pathlib import Path

import trees
from harness import FAILURES, EndToEnd

_TIME = 1_000_000_000


def archive(entries):
    """A tar of (name, kind, detail, mode) with times of whole seconds; ADD keeps all of it."""
    packed, times = io.BytesIO(), {}
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for at, (name, kind, detail, mode) in enumerate(entries):
            member = tarfile.TarInfo(name)
            # Whoever unpacks a hard link sets the time of the file.
            times[name] = times[detail] if kind == tarfile.LNKTYPE else _TIME + at
            member.type, member.mode, member.mtime = kind, mode, times[name]
            content = None
            if kind == tarfile.REGTYPE:
                member.size, content = len(detail), io.BytesIO(detail)
            elif kind in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                member.linkname = detail
            tar.addfile(member, content)
    return packed.getvalue()


ODD_NAMES = ["a b", "ü", "new\nline", "*", "back\\slash", "-dash", "..dots", "#", "n" * 250, "%41"]
TREE = [
    ("dir", tarfile.DIRTYPE, None, 0o755),
    ("dir/file", tarfile.REGTYPE, b"content\n", 0o640),
    ("dir/hard", tarfile.LNKTYPE, "dir/file", 0o640),
    ("dir/run", tarfile.REGTYPE, b"#!/bin/true\n", 0o4755),
    ("dir/group", tarfile.REGTYPE, b"g", 0o2750),
    ("dir/none", tarfile.REGTYPE, b"nobody may read", 0o000),
    ("dir/empty", tarfile.REGTYPE, b"", 0o600),
    ("dir/soft", tarfile.SYMTYPE, "file", 0o777),
    ("dir/dangling", tarfile.SYMTYPE, "/no/such/../place", 0o777),
    ("dir/big", tarfile.REGTYPE, bytes(range(256)) * 20_000, 0o644),
    ("hollow", tarfile.DIRTYPE, None, 0o700),
    ("sticky", tarfile.DIRTYPE, None, 0o1777),
    ("zz", tarfile.LNKTYPE, "dir/file", 0o640),
    *(("odd/" + name, tarfile.REGTYPE, name.encode(), 0o644) for name in ODD_NAMES),
]


class OutputTest(EndToEnd):
    """What the tests below share."""

    def tree_context(self):
        content = archive([("odd", tarfile.DIRTYPE, None, 0o755), *TREE])
        dockerfile = f"FROM scratch\nLABEL own={self.image_name()}\nADD tree.tar /\n"
        self.expected = trees.tree_of_tar(content)
        return self.context({"Dockerfile": dockerfile, "tree.tar": content})

    def small(self, *lines):
        lines = lines or ("COPY word /",)
        dockerfile = "\n".join(["FROM scratch", f"LABEL own={self.image_name()}", *lines, ""])
        return self.context({"Dockerfile": dockerfile, "word": "small\n"})

    def failing(self):
        line = f"RUN echo {self.image_name()} && exit 3"
        return self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{line}\n"})

    def names(self, folder=None):
        return sorted(os.listdir(folder or self.work))


class Local(OutputTest):
    def check(self, **options):
        self.build("-o", "out", self.tree_context(), **options)
        self.assert_same_tree(self.expected, trees.tree_of(self.work / "out"))

    def test_local_of_the_remote_builder(self):
        self.check(builder="tls")

    def test_local_of_the_containerd_store(self):
        self.check(engine="containerd")

    def test_local_of_the_classic_store(self):
        self.check(engine="classic")

    def test_local_of_20_10(self):
        self.check(engine="oldest")

    def test_local_adds_to_what_is_there(self):
        there = self.work / "out"
        self.context({"word": "old", "other": "kept", "dir/x": "kept"}, name="out")
        self.build("-o", f"type=local,dest={there}", self.small(), builder="tls")
        self.assertEqual(trees.text(there, "word"), "small\n")
        self.assertEqual(self.names(there), ["dir", "other", "word"])

    def test_local_makes_missing_folders(self):
        self.build("-o", "a/b/c", self.small(), builder="tls")
        self.assertEqual(trees.text(self.work / "a/b/c", "word"), "small\n")

    def test_local_into_the_working_folder(self):
        context = self.small()
        self.build("-o", ".", context, builder="tls")
        self.assertEqual(self.names(), sorted([context.name, "word"]))


class AsRoot(OutputTest):
    """What only root can make of a result. docker buildx makes device nodes too, and loses capabilities."""

    # cap_net_raw=ep (linux/capability.h, vfs_cap_data of version 2)
    CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)

    def special(self, device=None):
        """A context whose result has a file with a capability, setuid and setgid, and a device node if one is named."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, mode, kind in (
                ("ping", 0o755, tarfile.REGTYPE),
                ("su", 0o4755, tarfile.REGTYPE),
                ("wall", 0o2711, tarfile.REGTYPE),
                ("shared", 0o3777, tarfile.DIRTYPE),
                (device, 0o620, tarfile.CHRTYPE),
            ):
                if name is None:
                    continue
                member = tarfile.TarInfo(name)
                member.mode, member.mtime, member.type, member.uid = mode, _TIME, kind, 1234
                member.devmajor, member.devminor = 1, 3
                if name == "ping":
                    member.pax_headers = {
                        "SCHILY.xattr.security.capability": self.CAPABILITY.decode(),
                        "SCHILY.xattr.user.own": "x",
                    }
                tar.addfile(member)
        dockerfile = f"FROM scratch\nLABEL own={self.image_name()}\nADD special.tar /\n"
        return self.context({"Dockerfile": dockerfile, "special.tar": packed.getvalue()})

    def seen(self, folder):
        """{path: what root would make use of}."""
        seen = {}
        for path in sorted(Path(folder).rglob("*")):
            info = path.lstat()
            attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}
            device = os.major(info.st_rdev), os.minor(info.st_rdev)
            seen[path.name] = (oct(info.st_mode), info.st_uid, info.st_gid, device, int(info.st_mtime), attributes)
        return seen

    def test_a_local_output_has_what_buildx_writes_and_capabilities(self):
        context = self.special("null")
        self.run_buildx("build", "-o", self.work / "theirs", context, builder="plain")
        self.build("-o", f"type=local,dest={self.work}/ours,devices=true", context, builder="plain")
        ours, theirs = self.seen(self.work / "ours"), self.seen(self.work / "theirs")
        # It sets them, and then the owner, which takes them away.
        self.assertEqual(ours["ping"][-1].pop("security.capability", None), self.CAPABILITY)
        self.assertEqual(ours, theirs)
        # All of it is there, so that the comparison is of something.
        self.assertEqual(ours["ping"][-1], {"user.own": b"x"})
        self.assertEqual({name: entry[0] for name, entry in ours.items()}["su"], oct(stat.S_IFREG | 0o4755))
        self.assertEqual((ours["null"][0], ours["null"][3]), (oct(stat.S_IFCHR | 0o620), (1, 3)))
        self.assertEqual({entry[1:3] for entry in ours.values()}, {(0, 0)})

    def test_device_nodes_are_asked_for(self):
        refused = self.build("-o", "out", self.special("null"), builder="plain", check=FAILURES)
        self.assertIn("cannot make the device node", refused.stderr)
        self.assertIn("devices=true", refused.stderr.rpartition("hint: ")[2])
        self.assertFalse(trees.is_in(self.work / "out", "null"))
        self.build("-o", "out", self.special(), builder="plain")
        self.assertEqual(self.seen(self.work / "out")["ping"][-1]["security.capability"], self.CAPABILITY)


class Archives(OutputTest):
    def check_tar(self, **options):
        self.build("-o", "type=tar,dest=out.tar", self.tree_context(), **options)
        self.assert_same_tree(self.expected, trees.tree_of_tar(self.work / "out.tar"))

    def test_tar_of_the_remote_builder(self):
        self.check_tar(builder="tls")

    def test_tar_of_the_containerd_store(self):
        self.check_tar(engine="containerd")

    def test_tar_of_the_classic_store(self):
        self.check_tar(engine="classic")

    def test_tar_of_20_10(self):
        self.check_tar(engine="oldest")

    def check_oci(self, **options):
        image = self.image_name()
        self.build("-t", image, "-o", "type=oci,dest=out.tar", self.tree_context(), **options)
        layout = self.oci_layout(self.work / "out.tar")
        self.assertEqual(layout.files["oci-layout"], b'{"imageLayoutVersion":"1.0.0"}')
        self.assertIn("own", layout.config()["config"]["Labels"])
        self.assert_same_tree(self.expected, trees.tree_of_layers(layout.layers()))
        (entry,) = layout.document("latest")["manifests"]
        name = entry["annotations"]["io.containerd.image.name"]
        self.assertEqual(name, f"docker.io/{image}")

    def test_oci_of_the_remote_builder(self):
        self.check_oci(builder="tls")

    def test_oci_of_the_containerd_store(self):
        self.check_oci(engine="containerd")

    def test_docker_archive_can_be_loaded(self):
        image = self.image_name()
        output = f"type=docker,name={image},dest=image.tar"
        self.build("-o", output, self.small(), builder="tls")
        with open(self.work / "image.tar", "rb") as source:
            status, said = self.engine("classic").request("POST", "/images/load", source.read())
        self.assertEqual(status, 200, said)
        self.assertIsNotNone(self.engine("classic").inspect(image))

    def through_a_pipe(self, *args, **options):
        """What the plugin writes to a pipe."""
        done = subprocess.run(
            [self._plugin(), "build", *args],
            env=self.environment(**options),
            cwd=self.work,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done.stdout

    def test_tar_through_a_pipe(self):
        for output in ("-", "type=tar", "type=tar,dest=-"):
            with self.subTest(output=output):
                said = self.through_a_pipe("-o", output, self.tree_context(), builder="tls")
                self.assert_same_tree(self.expected, trees.tree_of_tar(said))

    def test_oci_through_a_pipe(self):
        said = self.through_a_pipe("-o", "type=oci", self.tree_context(), builder="tls")
        (self.work / "image.tar").write_bytes(said)
        layers = self.oci_layout(self.work / "image.tar").layers()
        self.assert_same_tree(self.expected, trees.tree_of_layers(layers))

    def test_several_outputs_at_once(self):
        image = self.image_name(registry="open")
        outputs = ["out", "type=tar,dest=out.tar", "type=oci,dest=oci.tar"]
        outputs += ["type=docker,dest=docker.tar", f"type=image,name={image},push=true", "-"]
        flags = [part for output in outputs for part in ("-o", output)]
        built = self.build(*flags, self.tree_context(), builder="tls")
        layout = self.oci_layout(self.work / "oci.tar")
        for tree in (
            trees.tree_of(self.work / "out"),
            trees.tree_of_tar(self.work / "out.tar"),
            trees.tree_of_tar(built.stdout_bytes),
            trees.tree_of_layers(layout.layers()),
            trees.tree_of_layers(self.repository(image).layers()),
        ):
            self.assert_same_tree(self.expected, tree)
        self.assertEqual(layout.diff_ids(), self.repository(image).diff_ids())
        self.assertIn("manifest.json", self.oci_layout(self.work / "docker.tar").files)

    def test_several_outputs_are_refused_by_20_10(self):
        flags = ["-o", "type=tar,dest=one.tar", "-o", "type=tar,dest=two.tar"]
        context = self.small()
        refused = self.build(*flags, context, engine="oldest", check=1)
        self.assertIn("0.13", refused.stderr)
        self.assertEqual(self.names(), [context.name])

    def test_archive_has_the_mode_of_the_umask(self):
        self.build("-o", "type=tar,dest=out.tar", self.small(), builder="tls")
        self.assertEqual((self.work / "out.tar").stat().st_mode & 0o777, 0o644)


class Wholeness(OutputTest):
    def test_existing_archive_is_replaced(self):
        (self.work / "out.tar").write_bytes(b"old" * 100_000)
        self.build("-o", "type=tar,dest=out.tar", self.small(), builder="tls")
        self.assertEqual(list(trees.tree_of_tar(self.work / "out.tar")), ["word"])

    def test_archive_through_a_link_keeps_the_link(self):
        (self.work / "link.tar").symlink_to("real.tar")
        (self.work / "real.tar").write_text("old")
        self.build("-o", "type=tar,dest=link.tar", self.small(), builder="tls")
        self.assertEqual(os.readlink(self.work / "link.tar"), "real.tar")
        self.assertEqual(list(trees.tree_of_tar(self.work / "real.tar")), ["word"])

    def test_devices_stay_devices(self):
        # Not /dev/null itself: a failure of this test would cost the machine dearly.
        null = self.work / "null"
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        flags = ["-o", f"type=oci,dest={null}", "--iidfile", null, "--metadata-file", null]
        self.build(*flags, self.small(), builder="tls")
        self.assertTrue(null.is_char_device())
        self.build("-o", f"type=oci,dest={null}", self.failing(), builder="tls", check=1)
        self.assertTrue(null.is_char_device())

    def test_existing_files_stay_when_the_build_fails(self):
        for output in ("type=tar,dest=old", "type=oci,dest=old", "type=docker,dest=old"):
            with self.subTest(output=output):
                (self.work / "old").write_text("old")
                context = self.failing()
                before = self.names()
                self.build("-o", output, context, builder="tls", check=1)
                self.assertEqual((self.work / "old").read_text(), "old")
                self.assertEqual(self.names(), before)

    def cut(self, output, number, *others):
        """Signals a build in the middle of its output; returns how it ended."""
        step = f"RUN echo {self.image_name()} && dd if=/dev/zero of=/big bs=1M count=300"
        lines = [f"FROM {self.rig['BASE']}", step]
        context = self.context({"Dockerfile": "\n".join([*lines, ""])}, name="context")
        bridge = self.bridge("plain")
        running = self.start_plugin("build", "-o", output, *others, context, builder=bridge.url)
        self.wait_until(lambda: self.written_by(running) > 8e6, 60, "nothing was written")
        bridge.freeze()
        self.assertIsNone(running.process.poll(), "the build ended before it could be cut")
        time.sleep(0.2)
        running.send(number)
        return running.wait(10)

    def written_by(self, running):
        for line in Path(f"/proc/{running.pid}/io").read_text().splitlines():
            if line.startswith("wchar:"):
                return int(line.split()[1])
        return 0

    def test_cut_archive_leaves_nothing(self):
        (self.work / "out").mkdir()
        ended = self.cut("type=tar,dest=out/result.tar", signal.SIGTERM)
        self.assertEqual(ended.rc, 130, ended)
        self.assertLess(ended.seconds, 60)
        self.assertEqual(self.names(self.work / "out"), [])

    def test_cut_archive_keeps_the_old_one(self):
        (self.work / "out").mkdir()
        (self.work / "out" / "result.tar").write_text("old")
        self.assertEqual(self.cut("type=tar,dest=out/result.tar", signal.SIGINT).rc, 130)
        self.assertEqual(self.names(self.work / "out"), ["result.tar"])
        self.assertEqual((self.work / "out" / "result.tar").read_text(), "old")

    def test_killed_build_shows_no_archive(self):
        self.cut("type=tar,dest=result.tar", signal.SIGKILL)
        self.assertFalse((self.work / "result.tar").exists())
        self.needs_files_without_names()
        self.assertEqual(self.names(), ["context"])

    def test_killed_local_output_leaves_whole_files_alone(self):
        self.cut("out", signal.SIGKILL)
        self.needs_files_without_names()
        names = {Path(path).name for path in trees.files_in(self.work / "out")}
        self.assertLessEqual(names, {"passwd", "group", "busybox"})

    def needs_files_without_names(self):
        """O_TMPFILE of the file system; others show a temporary name until the end."""
        try:
            os.close(os.open(self.work, os.O_TMPFILE | os.O_WRONLY))
        except OSError as error:
            self.skipTest(f"the file system of {self.work} has no files without names: {error}")

    def test_cut_local_output_has_no_half_file(self):
        self.assertEqual(self.cut("out", signal.SIGTERM).rc, 130)
        for path in trees.files_in(self.work / "out"):
            if Path(path).name not in ("passwd", "group"):
                message = f"{path} is half a file or a temporary one"
                self.assertEqual(Path(path).name, "busybox", message)


class InsideTheContext(OutputTest):
    """Results are often written beside the sources, whose `COPY . .` must not notice."""

    def copied(self, *flags):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY . /\n"})
        self.build(*flags, "-o", f"type=tar,dest={context}/all.tar", ".", builder="tls", cwd=context)
        with tarfile.open(context / "all.tar") as tar:
            return tar.getnames()

    def test_archives_and_reports_are_no_sources(self):
        self.assertEqual(self.copied("--metadata-file", "metadata.json"), ["Dockerfile"])

    def test_a_directory_to_come_is_no_source(self):
        self.assertEqual(self.copied("-o", "out/deep"), ["Dockerfile"])


class Metadata(OutputTest):
    def read(self, name="metadata.json"):
        text = (self.work / name).read_text()
        said = json.loads(text)
        self.assertEqual(list(said), sorted(said), "the keys are not sorted")
        self.assertEqual(text.rstrip("\n"), json.dumps(said, indent=2, ensure_ascii=False))
        self.assertEqual((self.work / name).stat().st_mode & 0o777, 0o644)
        return said

    def check_image(self, said, digest_key="containerimage.digest"):
        digest = said[digest_key]
        self.assertRegex(digest, r"\Asha256:[0-9a-f]{64}\Z")
        descriptor = said["containerimage.descriptor"]
        self.assertEqual(descriptor["digest"], said["containerimage.digest"])
        self.assertIn("mediaType", descriptor)
        self.assertGreater(descriptor["size"], 0)
        self.assertRegex(said["containerimage.config.digest"], r"\Asha256:[0-9a-f]{64}\Z")
        self.assertRegex(said["buildx.build.ref"], r"\A[^/]+/[^/]+/[a-z0-9]+\Z")

    def test_metadata_of_an_oci_archive(self):
        image = self.image_name()
        self.build(
            *("-t", image, "-o", "type=oci,dest=out.tar", "--metadata-file", "metadata.json"),
            self.small(),
            builder="tls",
        )
        said = self.read()
        self.check_image(said)
        self.assertEqual(said["image.name"], f"docker.io/{image}")
        layout = self.oci_layout(self.work / "out.tar")
        (entry,) = layout.document("latest")["manifests"]
        self.assertEqual(said["containerimage.digest"], entry["digest"])
        config = layout.manifest()["config"]["digest"]
        self.assertEqual(said["containerimage.config.digest"], config)

    def test_metadata_of_a_push(self):
        image = self.image_name(registry="open")
        self.build(
            *("-t", image, "--push", "--metadata-file", "metadata.json"),
            self.small(),
            builder="tls",
        )
        said = self.read()
        self.check_image(said)
        self.assertEqual(said["image.name"], image)
        self.assertEqual(said["containerimage.digest"], self.repository(image).digest("latest"))

    def test_metadata_is_like_that_of_buildx(self):
        image, context = self.image_name(registry="open"), self.small()
        flags = ["-t", image, "--push", "--metadata-file"]
        self.build(*flags, "metadata.json", context, builder="tls")
        self.run_buildx(
            *("build", "--provenance=false", *flags, "theirs.json", context), builder="tls"
        )
        ours, theirs = self.read(), json.loads((self.work / "theirs.json").read_text())
        self.assertEqual(sorted(ours), sorted(theirs))
        self.assertEqual(ours["image.name"], theirs["image.name"])
        fields = [sorted(said["containerimage.descriptor"]) for said in (ours, theirs)]
        self.assertEqual(*fields)

    def test_metadata_of_engines(self):
        for engine in ("containerd", "classic", "oldest"):
            with self.subTest(engine=engine):
                image = self.image_name()
                self.build(
                    *("-t", image, "--metadata-file", "metadata.json", "--iidfile", "iid"),
                    self.small(),
                    engine=engine,
                )
                said, known = self.read(), self.engine(engine).inspect(image)
                self.assertIn("buildx.build.ref", said)
                digests = {said.get(f"containerimage.{x}digest") for x in ("", "config.")}
                self.assertTrue(digests & {known["Id"], known.get("Descriptor", {}).get("digest")})
                by_id = self.engine(engine).inspect((self.work / "iid").read_text())
                self.assertEqual(by_id["Id"], known["Id"])

    def test_metadata_of_a_local_output(self):
        self.build("-o", "out", "--metadata-file", "metadata.json", self.small(), builder="tls")
        self.assertEqual(list(self.read()), ["buildx.build.provenance", "buildx.build.ref"])

    def test_image_id_file(self):
        image = self.image_name(registry="open")
        quiet = self.build(
            "-q", "-t", image, "--push", "--iidfile", "iid", self.small(), builder="tls"
        )
        said = (self.work / "iid").read_text()
        self.assertRegex(said, r"\Asha256:[0-9a-f]{64}\Z")
        self.assertEqual(quiet.stdout, said + "\n")
        self.assertEqual(quiet.stderr, "")
        self.assertEqual((self.work / "iid").stat().st_mode & 0o777, 0o644)

    def test_stale_image_id_does_not_survive_a_failure(self):
        (self.work / "iid").write_text("sha256:old")
        image = self.image_name()
        self.build("-t", image, "--iidfile", "iid", self.failing(), engine="classic", check=1)
        self.assertFalse((self.work / "iid").exists())

    def test_stale_metadata_survives_a_failure(self):
        (self.work / "m.json").write_text("{}")
        self.build("-o", "out", "--metadata-file", "m.json", self.failing(), builder="tls", check=1)
        self.assertEqual((self.work / "m.json").read_text(), "{}")



class Clearing(OutputTest):
    """type=local,mode=delete"""

    def made(self, *names):
        lines = "".join(f"COPY {name} /{name}\n" for name in names)
        return self.context({"Dockerfile": "FROM scratch\n" + lines, **dict.fromkeys(names, "new")})

    def full(self, folder):
        (folder / "old" / "deep").mkdir(parents=True)
        (folder / "old" / "deep" / "file").write_text("old")
        (folder / "a").mkdir()
        (folder / "a" / "gone").write_text("old")
        (folder / "kept").write_text("old")
        outside = self.work / "outside"
        outside.mkdir(exist_ok=True)
        (outside / "file").write_text("mine")
        (folder / "link").symlink_to(outside)

    def test_what_the_build_did_not_make_is_gone_afterwards(self):
        context = self.made("a/b", "kept")
        out = self.work / "out"
        self.full(out)
        for _ in range(2):
            self.build("-o", "type=local,dest=out,mode=delete", context, builder="tls", cwd=self.work)
            self.assertEqual(trees.files_in(out), ["a/b", "kept"])
        self.assertEqual(trees.text(out, "kept"), "new")
        self.assertTrue((self.work / "outside" / "file").exists())

    def test_several_platforms_and_builders(self):
        context = self.made("a/b")
        out = self.work / "out"
        for builder in ("both", "tls"):
            (out / "linux_s390x").mkdir(parents=True)
            self.build(
                *("-o", "type=local,dest=out,mode=delete", "--platform=linux/amd64,linux/arm64"),
                *("--emulate", context),
                builder=builder,
                cwd=self.work,
            )
            self.assertEqual(trees.files_in(out), ["linux_amd64/a/b", "linux_arm64/a/b"])
            self.assertFalse((out / "linux_s390x").exists())

    def test_a_build_that_fails_takes_nothing_away(self):
        out = self.work / "out"
        self.full(out)
        context = self.context({"Dockerfile": "FROM scratch\nCOPY missing /\n"})
        self.build(
            "-o", "type=local,dest=out,mode=delete", context, builder="tls", cwd=self.work, check=1
        )
        self.assertTrue((out / "old" / "deep" / "file").exists())

    def test_only_below_the_working_directory_unless_it_is_allowed(self):
        context = self.made("kept")
        here, beside = self.work / "here", self.work / "beside"
        here.mkdir()
        self.full(beside)
        (here / "link").symlink_to(beside)
        for dest in (".", "..", "../beside", str(beside), "link", "link/x", "./x/.."):
            with self.subTest(dest=dest):
                args = ("-o", f"type=local,dest={dest},mode=delete", context)
                refused = self.build(*args, builder="tls", cwd=here, check=125)
                self.assertIn("requires --allow=buildx.local.delete", refused.stderr)
        self.assertTrue((beside / "old").exists())
        self.build(
            *("-o", f"type=local,dest={beside},mode=delete", "--allow=buildx.local.delete", context),
            builder="tls",
            cwd=here,
        )
        self.assertEqual(trees.files_in(beside), ["kept"])


class Layouts(OutputTest):
    """tar=false: a directory in the form of an OCI layout."""

    def layout(self, *args, builder="tls", run=None, **options):
        run = run or self.build
        run(*args, builder=builder, cwd=self.work, **options)
        index = json.loads((self.work / "out" / "index.json").read_text())
        names = {}
        for entry in index["manifests"]:
            annotations = entry["annotations"]
            name = annotations.get("io.containerd.image.name")
            names[name or annotations["org.opencontainers.image.ref.name"]] = entry["digest"]
        blobs = {path.name for path in (self.work / "out" / "blobs" / "sha256").iterdir()}
        for digest in names.values():
            self.assertIn(digest.removeprefix("sha256:"), blobs)
        version = json.loads((self.work / "out" / "oci-layout").read_text())
        self.assertEqual(version, {"imageLayoutVersion": "1.0.0"})
        return names, blobs

    def test_the_layout_is_that_of_buildx(self):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
        args = ("-o", "type=oci,dest=out,tar=false", "-t", "example.com/a:1", context)
        env = {"SOURCE_DATE_EPOCH": str(_TIME)}
        ours = self.layout(*args, env=env)
        (self.work / "out").rename(self.work / "ours")
        theirs = self.layout("build", *args, env=env, run=self.run_buildx)
        self.assertEqual(ours, theirs)

    def test_what_else_is_in_a_layout_stays(self):
        one = self.context({"Dockerfile": "FROM scratch\nLABEL n=1\n"}, name="one")
        two = self.context({"Dockerfile": "FROM scratch\nLABEL n=2\n"}, name="two")
        output = ("-o", "type=oci,dest=out,tar=false")
        first, _ = self.layout(*output, "-t", "example.com/a:1", one)
        names, _ = self.layout(*output, "-t", "example.com/b:1", two)
        self.assertEqual(names["example.com/a:1"], first["example.com/a:1"])
        names, _ = self.layout(*output, "-t", "example.com/a:1", two)
        self.assertEqual(names["example.com/a:1"], names["example.com/b:1"])
        names, _ = self.layout(*output, one)
        self.assertEqual(set(names), {"example.com/a:1", "example.com/b:1", "latest"})

    def test_several_builders_make_one_index(self):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
        args = ("-o", "type=docker,dest=out,tar=false", context)
        self.layout(*args)
        args = ("-o", "type=oci,dest=out,tar=false", "--platform=linux/amd64,linux/arm64", context)
        names, _ = self.layout(*args, builder="both")
        digest = names["latest"].removeprefix("sha256:")
        index = json.loads((self.work / "out" / "blobs" / "sha256" / digest).read_text())
        self.assertEqual(len(index["manifests"]), 2)

    def test_a_layout_that_cannot_be_read_is_left_alone(self):
        (self.work / "out").mkdir()
        (self.work / "out" / "index.json").write_text("{")
        context = self.context({"Dockerfile": "FROM scratch\nLABEL n=1\n"})
        result = self.build(
            *("-o", "type=oci,dest=out,tar=false", context), builder="tls", cwd=self.work, check=1
        )
        self.assertIn("index.json", result.stderr)
        self.assertEqual((self.work / "out" / "index.json").read_text(), "{")


if __name__ == "__main__":
    unittest.main()
