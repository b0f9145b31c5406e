"""What install/release makes: DEPOT_DIST names its dist/."""

import dataclasses
import gzip
import hashlib
import importlib.util
import io
import json
import os
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from harness import RigValues
from pool import FINISHED, PoolTest

_REPOSITORY = Path(__file__).resolve().parents[2]
_PROGRAMS = ("docker-depot", "depot-pool")
_ARCHITECTURES = ("amd64", "arm64")
_BINARIES = [f"{program}-linux-{arch}" for program in _PROGRAMS for arch in _ARCHITECTURES]
_MIB = 1 << 20
_PLUGIN = "usr/libexec/docker/cli-plugins/docker-depot"


@dataclasses.dataclass
class Elf:
    """What of an ELF file says how it is linked (System V ABI, chapters 4 and 5)."""

    machine: int
    segments: set
    sections: set

    @classmethod
    def of(cls, path):
        data = Path(path).read_bytes()
        machine, _, _, segments, sections, _, _, size, count, width, number, _ = struct.unpack_from(
            "<HIQQQIHHHHHH", data, 18
        )
        return cls(
            machine,
            {struct.unpack_from("<I", data, segments + size * i)[0] for i in range(count)},
            {struct.unpack_from("<I", data, sections + width * i + 4)[0] for i in range(number)},
        )


_MACHINES = {"amd64": 62, "arm64": 183}
_PT_DYNAMIC, _PT_INTERP, _SHT_SYMTAB = 2, 3, 2


def _run(*argv, **options):
    done = subprocess.run(
        [str(part) for part in argv], capture_output=True, text=True, check=False, **options
    )
    if done.returncode:
        raise AssertionError(f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class DistTest(unittest.TestCase):
    """A test with `self.dist`, and the version in it."""

    @classmethod
    def setUpClass(cls):
        if not os.environ.get("DEPOT_DIST"):
            raise unittest.SkipTest("DEPOT_DIST names no dist/, which install/release makes")
        super().setUpClass()
        cls.dist = Path(os.environ["DEPOT_DIST"]).resolve()
        text = (_REPOSITORY / "CMakeLists.txt").read_text()
        cls.version = re.search(r"^project\(.* VERSION ([\d.]+)", text, re.M)[1]

    def deb(self, arch):
        return self.dist / f"docker-depot_{self.version}_{arch}.deb"

    def needs_arm64(self):
        try:
            _run(self.dist / "docker-depot-linux-arm64", "version")
        except OSError as error:
            self.skipTest(f"no arm64 programs on this machine: {error}")


class Files(DistTest):
    def test_checksums_are_those_of_all_files(self):
        listed = re.findall(r"^[0-9a-f]{64}  (.*)$", (self.dist / "SHA256SUMS").read_text(), re.M)
        names = {path.name for path in self.dist.iterdir()} - {"SHA256SUMS"}
        self.assertEqual(set(listed), names)
        self.assertEqual(len(listed), len(names))
        _run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=self.dist)

    def test_there_is_nothing_more_and_nothing_less(self):
        debs = [self.deb(arch).name for arch in _ARCHITECTURES]
        boms = [name + ".spdx.json" for name in _BINARIES]
        others = ["SHA256SUMS", "THIRD-PARTY.txt", "install.sh", "notes.md"]
        self.assertEqual(
            sorted(path.name for path in self.dist.iterdir()),
            sorted([*_BINARIES, *debs, *boms, *others]),
        )

    def test_everybody_may_read_them(self):
        self.assertEqual(self.dist.stat().st_mode & 0o777, 0o755)
        for path in self.dist.iterdir():
            runs = path.name in _BINARIES or path.name == "install.sh"
            self.assertEqual(path.stat().st_mode & 0o777, 0o755 if runs else 0o644, path.name)

    def test_notes_are_of_the_changelog(self):
        notes = (self.dist / "notes.md").read_text()
        self.assertTrue(notes.startswith(f"# docker-depot {self.version}\n"), notes)
        changelog = (_REPOSITORY / "CHANGELOG.md").read_text()
        sections = dict(re.findall(r"^## \[(.*?)\].*\n((?:(?!## ).*\n)*)", changelog, re.M))
        section = sections.get(self.version, next(iter(sections.values())))
        self.assertIn(section.strip(), notes)
        self.assertNotIn("\n## ", notes)

    def test_licences_of_what_is_inside(self):
        notices = (self.dist / "THIRD-PARTY.txt").read_text()
        for words in ("libssl-dev", "libcurl4-openssl-dev", "GNU LESSER GENERAL PUBLIC LICENSE"):
            self.assertIn(words, notices)
        self.assertRegex(notices, r"Permission to use, copy, modify, and distribute")


class Binaries(DistTest):
    def test_they_are_static_stripped_and_small(self):
        for name in _BINARIES:
            with self.subTest(name):
                elf = Elf.of(self.dist / name)
                self.assertEqual(elf.machine, _MACHINES[name.rpartition("-")[2]])
                self.assertNotIn(_PT_INTERP, elf.segments)
                self.assertNotIn(_PT_DYNAMIC, elf.segments)
                self.assertNotIn(_SHT_SYMTAB, elf.sections)
                self.assertLess((self.dist / name).stat().st_size, 20 * _MIB)

    def test_ldd_finds_nothing(self):
        for name in _BINARIES:
            done = subprocess.run(
                ["ldd", self.dist / name], capture_output=True, text=True, check=False
            )
            self.assertIn("not a dynamic executable", done.stdout + done.stderr, name)

    def test_they_say_nothing_of_where_they_were_built(self):
        for name in _BINARIES:
            self.assertNotIn(os.fsencode(_REPOSITORY) + b"/", (self.dist / name).read_bytes())

    def test_they_know_their_version(self):
        self.needs_arm64()
        for name in _BINARIES:
            self.assertIn(self.version, _run(self.dist / name, "version"), name)
        for arch in _ARCHITECTURES:
            binary = self.dist / f"docker-depot-linux-{arch}"
            said = json.loads(_run(binary, "docker-cli-plugin-metadata"))
            self.assertEqual(said["Version"], self.version)


class Arm64(DistTest, PoolTest):
    """Client and pool for arm64, under qemu, with real builders."""

    def setUp(self):
        self.needs_arm64()
        super().setUp()
        programs = {
            "DEPOT_PLUGIN": str(self.dist / "docker-depot-linux-arm64"),
            "DEPOT_POOL": str(self.dist / "depot-pool-linux-arm64"),
        }
        change = mock.patch.dict(os.environ, programs)
        change.start()
        self.addCleanup(change.stop)

    def test_remote_build_and_push(self):
        self.login("bearer")
        image = self.image_name(registry="bearer")
        dockerfile = f"FROM {self.rig['BASE']}\nCOPY word /word\nRUN cat /word\n"
        context = self.context({"Dockerfile": dockerfile, "word": image})
        self.build("--push", "-t", image, "--platform", "linux/arm64", context, builder="both")
        config = self.repository(image).config(self.tag_of(image))
        self.assertEqual(config["architecture"], "arm64")

    def test_remote_build_into_a_folder(self):
        word = self.image_name()
        dockerfile = f"FROM {self.rig['BASE']}\nRUN echo {word} >/word\n"
        target = self.folder / "result"
        context = self.context({"Dockerfile": dockerfile})
        self.build("-o", f"type=local,dest={target}", context, builder="tls")
        self.assertEqual((target / "word").read_text().strip(), word)

    def test_build_through_the_pool(self):
        pool = self.start_pool(arm64=True)
        token = pool.token(project="one")
        run = f"RUN echo {self.image_name()}"
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{run}\n"})
        self.build(context, env=pool.variables(token, project="one"))
        self.assertEqual(list(pool.builds(token, "one").values()), [FINISHED])


class DebianPackage(DistTest):
    def members(self, arch):
        """name -> (tarfile.TarInfo, content or None) of what the package installs."""
        done = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", self.deb(arch)], stdout=subprocess.PIPE, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
            return {
                member.name.removeprefix("./"): (
                    member,
                    tar.extractfile(member).read() if member.isfile() else None,
                )
                for member in tar
            }

    def test_it_has_the_binary_and_the_second_name(self):
        for arch in _ARCHITECTURES:
            members = self.members(arch)
            binary = (self.dist / f"docker-depot-linux-{arch}").read_bytes()
            self.assertEqual(members[_PLUGIN][1], binary)
            self.assertEqual(members[_PLUGIN][0].mode, 0o755)
            link = members["usr/bin/depot"][0].linkname
            self.assertEqual(os.path.normpath(f"usr/bin/{link}"), _PLUGIN)
            self.assertTrue(all(one.uid == one.gid == 0 for one, _ in members.values()))
            self.assertEqual(len({one.mtime for one, _ in members.values()}), 1)
            licences = members["usr/share/doc/docker-depot/THIRD-PARTY.txt.gz"][1]
            self.assertIn(b"libssl-dev", gzip.decompress(licences))

    def test_its_fields(self):
        for arch in _ARCHITECTURES:
            fields = _run("dpkg-deb", "--field", self.deb(arch), "Architecture", "Version")
            self.assertEqual(fields, f"Architecture: {arch}\nVersion: {self.version}\n")
            self.assertEqual(_run("dpkg-deb", "--field", self.deb(arch), "Depends").strip(), "")

    def test_docker_finds_the_plugin_once_it_is_installed(self):
        """With dpkg, on this machine as it is; nothing of it changes, all writes go to memory."""
        script = """
            set -eu
            mount -t tmpfs tmpfs "$PLACE"
            cd "$PLACE"
            mkdir upper work root
            mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
            mount --bind /dev root/dev
            cp "$DEB" root/plugin.deb
            cp "$DOCKER" root/docker-client
            inside() { chroot root env HOME=/nonexistent "$@"; }
            inside dpkg --install /plugin.deb >&2
            inside dpkg --verify docker-depot
            inside /docker-client depot version
            inside /usr/bin/depot version
            inside dpkg --purge docker-depot >&2
            [ ! -e "root/$PLUGIN" ]
            [ ! -L root/usr/bin/depot ]
        """
        values = {"DEB": self.deb("amd64"), "DOCKER": RigValues.load()["DOCKER"], "PLUGIN": _PLUGIN}
        with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
            said = _run(
                *("unshare", "--mount", "sh", "-c", script),
                env={
                    **os.environ,
                    **{name: str(value) for name, value in values.items()},
                    "PLACE": place,
                },
            )
        self.assertEqual(said, f"docker-depot {self.version}\n" * 2)


class BillOfMaterials(DistTest):
    def spdx(self, name):
        return json.loads((self.dist / f"{name}.spdx.json").read_text())

    def linked(self, spdx):
        """The packages that the relationships say were linked into the program, by name."""
        packages = {package["SPDXID"]: package for package in spdx["packages"]}
        return {
            packages[relation["relatedSpdxElement"]]["name"]: packages[
                relation["relatedSpdxElement"]
            ]
            for relation in spdx["relationships"]
            if relation["relationshipType"] == "STATIC_LINK"
        }

    def test_it_is_about_this_very_file(self):
        for name in _BINARIES:
            spdx = self.spdx(name)
            self.assertEqual(spdx["spdxVersion"], "SPDX-2.3")
            (file,) = spdx["files"]
            self.assertEqual(file["fileName"], "./" + name)
            sums = {one["algorithm"]: one["checksumValue"] for one in file["checksums"]}
            data = (self.dist / name).read_bytes()
            self.assertEqual(sums["SHA256"], hashlib.sha256(data).hexdigest())
            self.assertEqual(sums["SHA1"], hashlib.sha1(data).hexdigest())

    def test_it_has_all_libraries_of_the_client(self):
        libraries = {"libc6-dev", "libcurl4-openssl-dev", "libnghttp2-dev", "libprotobuf-dev"}
        libraries |= {"libssl-dev", "libyaml-cpp-dev", "zlib1g-dev"}
        headers = {"libexpected-dev", "nlohmann-json3-dev"}
        for arch in _ARCHITECTURES:
            linked = self.linked(self.spdx(f"docker-depot-linux-{arch}"))
            self.assertLessEqual(libraries | headers, set(linked))
            for name in libraries:
                self.assertIn(f"arch={arch}", linked[name]["externalRefs"][0]["referenceLocator"])
                self.assertRegex(linked[name]["comment"], r"lib\S+\.a")
            self.assertTrue(any(name.startswith("libstdc++") for name in linked))

    def test_it_has_what_was_linked_and_not_what_could_have_been(self):
        """The pool has a database in it, the client has not; it reads bake files."""
        only_pool = {"libpq-dev", "libsqlite3-dev", "postgresql-server-dev-15"}
        only_client = {"libcrypt-dev", "libre2-dev"}
        for arch in _ARCHITECTURES:
            pool = set(self.linked(self.spdx(f"depot-pool-linux-{arch}")))
            client = set(self.linked(self.spdx(f"docker-depot-linux-{arch}")))
            self.assertLessEqual(only_pool, pool - client)
            self.assertLessEqual(only_client, client - pool)

    def test_versions_are_those_of_the_machine(self):
        version = _run("dpkg-query", "-W", "-f", "${Version}", "libssl-dev:amd64")
        package = self.linked(self.spdx("docker-depot-linux-amd64"))["libssl-dev"]
        self.assertEqual(package["versionInfo"], version)
        self.assertEqual(package["licenseDeclared"], "Apache-2.0")
        locator = package["externalRefs"][0]["referenceLocator"]
        self.assertTrue(locator.startswith(f"pkg:deb/debian/libssl-dev@{version}?"), locator)

    def test_every_element_is_there_once(self):
        for name in _BINARIES:
            spdx = self.spdx(name)
            ids = [one["SPDXID"] for one in [spdx, *spdx["packages"], *spdx["files"]]]
            self.assertEqual(len(ids), len(set(ids)))
            for relation in spdx["relationships"]:
                self.assertLessEqual(
                    {relation["spdxElementId"], relation["relatedSpdxElement"]}, set(ids)
                )


class MakingTheBill(unittest.TestCase):
    """install/sbom.py by itself, on texts of the linker and of ninja."""

    @classmethod
    def setUpClass(cls):
        spec = importlib.util.spec_from_file_location("sbom", _REPOSITORY / "install/sbom.py")
        cls.sbom = importlib.util.module_from_spec(spec)
        with mock.patch.dict(sys.modules, sbom=cls.sbom):
            spec.loader.exec_module(cls.sbom)

    def test_members_of_archives_and_single_objects(self):
        text = (
            "Archive member included to satisfy reference by file (symbol)\n\n"
            "libroom.a(one.cc.o)           main.cc.o (Start())\n"
            "/usr/lib/libz.a(inflate.o)\n"
            "                              libroom.a(one.cc.o) (inflate)\n"
            "\nMemory Configuration\n\nLOAD main.cc.o\nLOAD /usr/lib/libunused.a\n"
        )
        self.assertEqual(
            self.sbom.linked_files(text),
            {("libroom.a", "one.cc.o"), ("/usr/lib/libz.a", "inflate.o"), ("main.cc.o", None)},
        )

    def test_headers_of_what_was_linked_alone(self):
        dependencies = (
            "CMakeFiles/room.dir/one.cc.o: #deps 2, deps mtime 1 (VALID)\n    /s/one.cc\n    /h/a.h\n\n"
            "CMakeFiles/room.dir/two.cc.o: #deps 1, deps mtime 1 (VALID)\n    /h/b.h\n\n"
        )
        objects = list(self.sbom.own_objects({("libroom.a", "one.cc.o")}, dependencies))
        self.assertEqual(objects, ["CMakeFiles/room.dir/one.cc.o"])
        self.assertEqual(self.sbom.headers_of(objects, dependencies), {"/s/one.cc", "/h/a.h"})

    def test_a_file_of_no_package_is_refused(self):
        with self.assertRaisesRegex(self.sbom.Incomplete, "owns /nowhere/libx.a"):
            self.sbom.installed_owners({"/nowhere/libx.a"}, "amd64")

    def test_licences_that_spdx_knows(self):
        stanza = "Format: x\n\nFiles: *\nCopyright: me\n you\nLicense: {}\n text\n"
        for debian, spdx in (
            ("Expat", "MIT"),
            ("LGPL-3+ or GPL-2+", "(LGPL-3.0-or-later OR GPL-2.0-or-later)"),
            ("of-our-own", "NOASSERTION"),
        ):
            self.assertEqual(self.sbom.declared_licence(stanza.format(debian)), spdx)
        self.assertEqual(self.sbom.declared_licence("free text"), "NOASSERTION")

    def test_the_licence_of_sources_before_that_of_the_package(self):
        text = "Files: *\nLicense: GPL-3+\n\nFiles: *.c\n *.h\nLicense: Expat\n\nFiles: debian/*\nLicense: GPL-2\n"
        self.assertEqual(self.sbom.declared_licence(text), "MIT")
