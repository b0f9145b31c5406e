"""docker buildx and this plugin make the same images of the same Dockerfiles on one builder."""

import io
import tarfile
import unittest

from harness import EndToEnd, file, symlink


def small_tar():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        for name, content in (("in/a", b"a"), ("in/b", b"bb")):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_000_000_000
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class Parity(EndToEnd):
    def check(self, lines, files=(), flags=()):
        """Builds with both, and compares configs and layers."""
        lines = lines.replace("BASE", self.rig["BASE"]).replace("OWN", self.image_name())
        context = self.context({"Dockerfile": lines, **dict(files)})
        ours, theirs = (self.image_name(name, registry="open") for name in ("ours", "theirs"))
        # Without attestations, whose times differ.
        self.run_buildx(
            *("build", "--provenance=false", "-t", theirs, "--push", *flags, context), builder="tls"
        )
        self.build("-t", ours, "--push", *flags, context, builder="tls")
        for image in (ours, theirs):
            self.assertTrue(self.repository(image).has("latest"))
        images = [self.described(image) for image in (ours, theirs)]
        self.assertEqual(images[0][0], images[1][0], "different configs")
        self.assertEqual(images[0][1], images[1][1], "different layers")
        self.assertGreater(len(images[0][1]), 0)
        return images[0][0]

    def described(self, image):
        """(config without times, media types and digests of the layers)."""
        repository = self.repository(image)
        config = repository.config("latest")
        config.pop("created", None)
        for step in config["history"]:
            step.pop("created", None)
        manifest = repository.manifest("latest")
        kinds = [manifest.get("mediaType"), *(layer["mediaType"] for layer in manifest["layers"])]
        return config, [*kinds, *config["rootfs"]["diff_ids"]]

    def test_many_stages(self):
        self.check(
            "FROM BASE AS one\nRUN echo OWN >/one\nFROM BASE AS two\nCOPY --from=one /one /two\n"
            "FROM two\nCOPY --from=0 /one /three\nRUN cat /two /three >/four\n"
        )

    def test_all_of_the_config(self):
        config = self.check(
            "FROM BASE\nARG VERSION=1\nARG OTHER\nENV A=$VERSION B='b c'\n"
            'LABEL a.b="$OTHER" c=OWN\nEXPOSE 80 53/udp\nUSER nobody:nogroup\nWORKDIR /made\n'
            "VOLUME /data /more\nSTOPSIGNAL SIGINT\nMAINTAINER someone\n"
            "HEALTHCHECK --interval=5s --timeout=3s --retries=2 CMD true\n"
            'SHELL ["/bin/sh", "-ec"]\nENTRYPOINT ["cat"]\nCMD ["/etc/passwd"]\n',
            flags=["--build-arg", "OTHER=other", "--label", "d=e"],
        )
        self.assertEqual(config["config"]["Labels"]["a.b"], "other")
        self.assertEqual(config["config"]["Labels"]["d"], "e")

    def test_copies_with_owners_and_modes(self):
        files = {"a": file("a", 0o640), "d/b": file("b", 0o755), "d/l": symlink("b")}
        self.check(
            "FROM BASE\nLABEL own=OWN\nCOPY --chown=1000:1001 a /\nCOPY --chown=nobody d /d/\n"
            "COPY --chmod=600 a d/b /modes/\nCOPY --link a /linked/\n",
            {name: value for name, value in files.items()},
        )

    def test_added_archive(self):
        self.check(
            "FROM BASE\nLABEL own=OWN\nADD files.tar.gz /unpacked/\nADD plain /kept/\n",
            {"files.tar.gz": file(small_tar(), mtime=1_000_000_000), "plain": "plain"},
        )

    def test_onbuild(self):
        base = self.image_name("base", registry="open")
        context = self.context(
            {
                "Dockerfile": f"FROM {self.rig['BASE']}\nLABEL own={base}\n"
                "ONBUILD COPY word /\nONBUILD RUN cp /word /again\n"
            }
        )
        self.build("-t", base, "--push", context, builder="tls")
        config = self.check(f"FROM {base}\nENV X=y\n", {"word": "word"})
        self.assertNotIn("OnBuild", {k: v for k, v in config["config"].items() if v})

    def test_heredocs(self):
        self.check(
            "FROM BASE\nRUN <<EOF\necho OWN >/one\ncat /one >/two\nEOF\n"
            "COPY <<EOF /made\ntext\nEOF\n"
        )

    def test_cache_mount_and_other_mounts(self):
        self.check(
            "FROM BASE\nRUN --mount=type=cache,target=/cache echo OWN >/cache/x && cp /cache/x /y\n"
            "RUN --mount=type=bind,target=/src cat /src/word >/z\n"
            "RUN --mount=type=tmpfs,target=/t df /t | grep -c tmpfs >/n\n",
            {"word": "bound"},
        )

    def test_ignored_files_and_wildcards(self):
        self.check(
            "FROM scratch\nLABEL own=OWN\nCOPY *.txt dir* /to/\nCOPY . /all/\n",
            {
                ".dockerignore": "**/skip*\n!dir1/skip-not\n",
                "a.txt": "a",
                "b.txt": "b",
                "skip.txt": "",
                "dir1/skip-not": "c",
                "dir1/skip": "",
                "dir2/d": "d",
            },
        )

    def test_target_and_arguments_of_the_base(self):
        self.check(
            "ARG NAME=none\nFROM ${NAME} AS first\nARG WORD\nRUN echo $WORD OWN >/word\n"
            "FROM first AS last\nRUN false\n",
            flags=["--target", "first", "--build-arg", f"NAME={self.rig['BASE']}"]
            + ["--build-arg", "WORD=w"],
        )

    def test_another_platform(self):
        repository = self.check_platform()
        self.assertEqual(repository["architecture"], "arm64")

    def check_platform(self):
        return self.check(
            "FROM --platform=$BUILDPLATFORM BASE AS build\nARG TARGETARCH\nARG BUILDPLATFORM\n"
            "RUN echo $TARGETARCH $BUILDPLATFORM OWN >/word\nFROM BASE\n"
            "COPY --from=build /word /\nRUN uname -m >/machine\n",
            flags=["--platform", "linux/arm64"],
        )

    def test_parser_directives(self):
        self.check(
            "# escape=`\nFROM BASE\nRUN echo one `\n  two OWN >/word\nENV P=C:\\dir\nWORKDIR /w\n"
        )


if __name__ == "__main__":
    unittest.main()
