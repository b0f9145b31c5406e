"""More than a hundred command lines through docker buildx and through us, on the same builders; see invocations.py.

Adding one is a line in a table. What differs on purpose is written at the line.
"""

import bz2
import dataclasses
import functools
import gzip
import http.server
import io
import lzma
import os
import signal
import socket
import subprocess
import tarfile
import threading
import unittest

from harness import symlink, write_tree
from invocations import DOCKERFILE, Case, InvocationTest

_WITHOUT_STAGES = "FROM scratch\nCOPY word /\n"
_UNKNOWN = 'WARNING: --platform linux/foo: unknown architecture "foo"'

_GRAMMAR = [
    Case("ctx"),
    Case("-q ctx", ignore=("stdout",)),
    Case("--quiet=false ctx"),
    Case("--target=make --pull=false --no-cache=0 ctx"),
    Case("-fctx/Dockerfile --tag={image} --push=t ctx"),
    Case("-t={image} --push ctx"),
    Case("ctx -t {image} --push"),
    Case("--push -t {image} -- ctx"),
    Case("", says=("requires 1 argument",)),
    Case("ctx ctx", says=("requires 1 argument",)),
    Case("--frobnicate ctx", says=("unknown flag", "--frobnicate")),
    Case("-Z ctx", says=("unknown .*flag", "Z")),
    Case("ctx --tag", says=("flag needs a", "--tag")),
    Case("--push=perhaps ctx", says=("perhaps", "--push")),
    Case("--no-cach ctx", says=("unknown flag", "--no-cach"), ours=("no-cache",)),
]

_FILES = [
    Case("-f other -o {out}/o ctx", files={"other": DOCKERFILE.replace("made", "else")}, says=("other",)),
    Case("-f ctx/other -o {out}/o ctx", files={"other": DOCKERFILE.replace("made", "else")}),
    Case("-f {folder}/ctx/sub/own -o {out}/o ctx", files={"sub/own": _WITHOUT_STAGES}),
    Case("-f - -o {out}/o ctx", stdin=_WITHOUT_STAGES.encode()),
    Case("-f - ctx", stdin=b"", says=("empty",)),
    Case("-f - -", stdin=b"FROM scratch\n", says=("stdin|standard input", "both")),
    Case("-f ctx ctx", says=("ctx",)),
    Case("-f ctx/none ctx", says=("none", "no such file|does not exist")),
    Case("-f nowhere/Dockerfile ctx", says=("nowhere", "no such file|does not exist")),
    Case("-o {out}/o ctx", files={"Dockerfile": None, "dockerfile": DOCKERFILE}),
    Case("ctx", files={"Dockerfile": None}, says=("Dockerfile", "no such file|does not exist")),
    Case("-o {out}/o ctx", files={"Dockerfile": symlink("real"), "real": _WITHOUT_STAGES}),
    Case("ctx", files={"Dockerfile": ""}, says=("empty",)),
    Case("ctx", files={"Dockerfile": "FROM scratch\nCOPI a b\n"}, says=("COPI", "line 2", "did you mean COPY")),
    Case(
        "ctx",
        files={"Dockerfile": "# syntax=docker.io/nobody/here:0\nFROM scratch\n"},
        says=("docker.io/nobody/here:0",),
    ),
]

_IGNORED = {"Dockerfile": "FROM scratch\nCOPY . /\n", "a.txt": "a", "b.txt": "b", "d/a.txt": "a", "d/e/b.md": "b"}
_IGNORES = [
    Case("-o {out}/o ctx", files={**_IGNORED, ".dockerignore": "*.txt\n!b.txt\n"}),
    Case("-o {out}/o ctx", files={**_IGNORED, ".dockerignore": "# nothing\n**/*.txt\n!d\n/word\n"}),
    Case("-o {out}/o ctx", files={**_IGNORED, ".dockerignore": "*\n!d/e\n"}),
    Case("-o {out}/o ctx", files={**_IGNORED, ".dockerignore": "Dockerfile\n.dockerignore\n[ab].txt\n"}),
    Case("-o {out}/o ctx", files={**_IGNORED, ".dockerignore": "a.txt\n", "Dockerfile.dockerignore": "b.txt\n"}),
    Case(
        "-o {out}/o -f ctx/d/own ctx",
        files={**_IGNORED, "d/own": "FROM scratch\nCOPY . /\n", "d/own.dockerignore": "d\n"},
    ),
    Case(
        "-o {out}/o ctx",
        files={**_IGNORED, ".dockerignore/a.txt": "a.txt\n"},
        ours=(r"ctx/\.dockerignore is a directory, so no ignore file: it keeps nothing away",),
    ),
    Case("ctx", files={**_IGNORED, ".dockerignore": "[a-\n"}, says=(r"\[a-",)),
    Case("ctx", files={".dockerignore": "word\n"}, says=("word", "not found")),
]


def tar_of(files, packed=lambda data: data):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_000_000_000
            tar.addfile(member, io.BytesIO(content))
    return packed(stream.getvalue())


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


_PACKED = {"Dockerfile": _WITHOUT_STAGES.encode(), "word": b"word\n", "sub/own": b"FROM scratch\nCOPY sub /\n"}
_STDIN = [
    Case("-o {out}/o -", stdin=b"FROM scratch\nCOPY <<E /made\nword\nE\n"),
    Case("-o {out}/o -", stdin=tar_of(_PACKED)),
    Case("-o {out}/o -", stdin=tar_of(_PACKED, gzip.compress)),
    Case("-o {out}/o -", stdin=tar_of(_PACKED, bz2.compress)),
    Case("-o {out}/o -", stdin=tar_of(_PACKED, lzma.compress)),
    Case("-o {out}/o -", stdin=tar_of(_PACKED, zstd), says=(), refused="no BuildKit unpacks it: we do"),
    Case("-o {out}/o -f sub/own -", stdin=tar_of(_PACKED)),
    Case("-f none -", stdin=tar_of(_PACKED), says=("none",)),
    Case("-", stdin=b"", says=("Dockerfile",), ours=("empty",)),
    Case("-", stdin=b"FROM scratch\nCOPY word /\n", says=("word",)),
]

_PLACES = [
    Case("nowhere", says=("nowhere", "not found|does not exist")),
    Case("ctx/word", says=("ctx/word",)),
    Case("-o {out}/o ctx/sub", files={"sub/Dockerfile": _WITHOUT_STAGES, "sub/word": "sub"}),
    Case("-o {out}/o ./ctx/../ctx/"),
    Case("-o {out}/o {folder}/ctx"),
]

_ARGUMENTS = [
    Case("--build-arg WORD=one -o {out}/o ctx"),
    Case("--build-arg WORD=one --build-arg WORD=two -o {out}/o ctx"),
    Case("--build-arg WORD= -o {out}/o ctx"),
    Case("--build-arg WORD -o {out}/o ctx", env={"WORD": "from outside"}),
    Case("--build-arg WORD -o {out}/o ctx"),
    Case("--build-arg WORD=a=b,c -o {out}/o ctx"),
    Case("--build-arg =x ctx", says=("empty key",)),
    Case("--secret= --add-host= -o {out}/o ctx", ours=('--secret "" gives nothing', '--add-host "" gives nothing')),
    Case("--build-arg BUILDKIT_SYNTAX= ctx", says=("error",), ours=("BUILDKIT_SYNTAX", "empty")),
    Case("--build-arg BUILDKIT_MULTI_PLATFORM=1 -t {image} --push ctx"),
    Case("--label a=b --label c --label d= -t {image} --push ctx"),
    Case("--label =x ctx", says=("empty key",)),
    Case("--target make -t {image} --push ctx"),
    Case("--target nowhere ctx", says=("nowhere", "could not be found")),
    Case("--target mak ctx", says=("mak", "could not be found")),
]

_NET = "FROM BASE AS made\nRUN {} >/seen\nFROM scratch\nCOPY --from=made /seen /\n"
_NETWORK = [
    Case("--network host -o {out}/o ctx"),
    Case("--network none -o {out}/o ctx", files={"Dockerfile": _NET.format("ls /sys/class/net")}),
    Case("--network default -o {out}/o ctx", files={"Dockerfile": _NET.format("ls /sys/class/net")}),
    Case("--network mine ctx", says=("mine", "network")),
    Case("--add-host one:10.0.0.1 -o {out}/o ctx", files={"Dockerfile": _NET.format("grep one /etc/hosts")}),
    Case(
        "--add-host one=10.0.0.1 --add-host two=::1 -o {out}/o ctx",
        files={"Dockerfile": _NET.format("grep -E 'one|two' /etc/hosts")},
    ),
    Case(
        "--add-host one=[::1],two:10.0.0.2 -o {out}/o ctx",
        files={"Dockerfile": _NET.format("grep -E 'one|two' /etc/hosts")},
    ),
    Case("--add-host one ctx", says=("one", "host")),
    Case("--add-host one:host-gateway ctx", refused="a remote builder may know its gateway too"),
    Case("--allow network.host --network host -o {out}/o ctx"),
    Case("--allow everything ctx", says=("everything", "entitlement")),
    Case("--allow security.insecure ctx", says=("security.insecure", "not allowed")),
]

_SECRET = """FROM BASE AS made
RUN --mount=type=secret,id=s{} cat /run/secrets/s >/seen || echo none >/seen
FROM scratch
COPY --from=made /seen /
"""
_SECRETS = [
    Case("--secret id=s,src=ctx/word -o {out}/o ctx", files={"Dockerfile": _SECRET.format("")}),
    Case("--secret id=s,source=ctx/word,type=file -o {out}/o ctx", files={"Dockerfile": _SECRET.format("")}),
    Case("--secret id=s,env=HIDDEN -o {out}/o ctx", files={"Dockerfile": _SECRET.format("")}, env={"HIDDEN": "h1"}),
    Case(
        "--secret type=env,id=s,src=HIDDEN -o {out}/o ctx",
        files={"Dockerfile": _SECRET.format("")},
        env={"HIDDEN": "h1"},
    ),
    Case("--secret id=s -o {out}/o ctx", files={"Dockerfile": _SECRET.format("")}, env={"s": "by its name"}),
    Case("-o {out}/o ctx", files={"Dockerfile": _SECRET.format("")}),
    Case("ctx", files={"Dockerfile": _SECRET.format(",required=true")}, says=("secret s:? not found",)),
    Case("--secret src=ctx/word ctx", says=("secret", "id")),
    Case("--secret id=s,src=ctx/none ctx", says=("ctx/none", "no such file|does not exist")),
    Case("--secret id=s,foo=bar ctx", says=("foo",)),
    Case("--secret id=s,type=vault ctx", says=("vault", "type")),
    Case("--secret id=s,src ctx", says=("src",)),
    Case("--secret id=s,src=ctx/big ctx", files={"big": "x" * 600_000}, says=("500 ?KiB",)),
]

_OUTPUTS = [
    Case("-o {out}/o ctx"),
    Case("-o type=local,dest={out}/o ctx"),
    Case("--output type=tar,dest={out}/o.tar ctx"),
    Case("-o - ctx"),
    Case("-o type=tar ctx"),
    Case("-o type=oci,dest={out}/o.tar ctx"),
    Case("-o type=oci ctx"),
    Case("-o type=oci,dest={out}/o.tar,compression=zstd,force-compression=true ctx"),
    Case("-o type=oci,dest={out}/o,tar=false ctx"),
    Case("-o type=docker,dest={out}/o.tar -t {name} ctx"),
    Case("-o type=image,name={image},push=true ctx"),
    Case("-o type=image,name={image},push=true,oci-mediatypes=false -t {image} ctx"),
    Case("-o type=image,name={image},push=true,compression=uncompressed -t {image} ctx"),
    Case("-o type=registry -t {image} ctx"),
    Case("-o type=registry,name={image} -t {image} ctx"),
    Case("-o type=cacheonly ctx"),
    Case("-o type=local,dest={out}/o -o type=tar,dest={out}/o.tar ctx"),
    Case("-o type=local ctx", says=("dest",)),
    Case("-o type=local,dest=- ctx", says=("dest", "local")),
    Case("-o type=tar,dest={folder} ctx", says=("is a directory",)),
    Case("-o type=local,dest=ctx/word ctx", says=("ctx/word", "is a file|is not a directory")),
    Case("-o type=parcel,dest={out}/o ctx", says=("parcel",)),
    Case("-o type=oci,dst={out}/o ctx", ours=("dst", "dest"), refused="a misspelt attribute is not passed over"),
    Case("-o type=oci -o type=tar ctx", says=("stdout|standard output",)),
    Case("-o '' ctx"),
    Case("-o dest=o ctx"),
    Case('-o "type=local,\\"dest={out}/a,b\\"" ctx'),
]

# Without an attestation buildx names an image by its configuration, we by its manifest, by which a registry knows it.
_OTHER_ID = ("iid", "stdout")
_IMAGES = [
    Case("-t {image} --push ctx"),
    Case("-t {image} -t {image}-two --push ctx"),
    Case("-t {image} --push --iidfile {out}/iid --metadata-file {out}/m.json ctx", ignore=_OTHER_ID),
    Case("-t {image} --push -q ctx", ignore=_OTHER_ID),
    Case("--push ctx", says=("push", "tag")),
    Case("-t UPPER -o type=image ctx", says=("UPPER", "lowercase")),
    Case("-t a:b:c -o type=image ctx", says=("a:b:c", "invalid")),
    Case("-t {registry}/x:1@sha256:00 -o type=image ctx", says=("invalid",)),
    Case("--iidfile {out}/iid -o {out}/o ctx", says=("image ID",)),
    Case("--iidfile {out}/iid -o type=image ctx", ignore=_OTHER_ID),
    Case("--iidfile {out}/iid -o type=oci,dest={out}/o.tar ctx", ignore=_OTHER_ID),
    Case("--metadata-file {out}/m.json ctx"),
    Case("--metadata-file {out}/m.json -o {out}/o ctx"),
    Case("--metadata-file {out}/m.json -o type=oci,dest={out}/o.tar ctx"),
    Case("--metadata-file {out}/none/m.json ctx", says=("none",)),
    Case("-t {closed}/x --push ctx", says=("refused",)),
    Case("-t {image} --push --output type=image,oci-mediatypes=false ctx"),
    Case("-t {image} --push -o type=local,dest={out}/o ctx"),
    Case("-q -o {out}/o ctx"),
    Case("-q --progress plain ctx", says=("quiet", "progress")),
]


_NOTES = [
    Case("--annotation one=two -t {image} --push ctx"),
    Case(
        "--annotation manifest:one=two --annotation index:three=four -t {image} --push ctx",
        says=("index annotations",),
    ),
    Case("--annotation manifest[linux/amd64]:one=two -t {image} --push ctx"),
    Case("--annotation index,manifest:one=two --platform linux/amd64,linux/arm64 -o type=oci,dest={out}/o.tar ctx"),
    Case("--annotation manifest-descriptor:one=two -o type=oci,dest={out}/o.tar ctx"),
    Case("-o type=image,name={image},push=true,annotation.one=two -t {image} ctx"),
    Case("--annotation one -t {image} --push ctx", says=("one", "key=value")),
    Case("--annotation parcel:one=two -t {image} --push ctx", says=("parcel",)),
]

_WITH_ATTESTATIONS = {"BUILDX_NO_DEFAULT_ATTESTATIONS": None}
_ATTESTATIONS = [
    Case("-t {image} --push ctx", env=_WITH_ATTESTATIONS, ignore=("digest",)),
    Case("--provenance=false -t {image} --push ctx", env=_WITH_ATTESTATIONS),
    Case("--provenance=mode=max,disabled=true -t {image} --push ctx", env=_WITH_ATTESTATIONS),
    Case("--attest type=provenance,disabled=true -t {image} --push ctx", env=_WITH_ATTESTATIONS),
    Case("--provenance=mode=max --metadata-file {out}/m.json -o {out}/o ctx", ignore=("o", "m.json")),
    Case("--provenance=true -o type=tar,dest={out}/o.tar ctx", ignore=("o.tar",)),
    Case("--sbom=false -t {image} --push ctx"),
    Case("--provenance=perhaps ctx", says=("perhaps",)),
    Case("--provenance=mode=huge -t {image} --push ctx", says=("huge",)),
    Case("--attest mode=max ctx", says=("attest", "type")),
    Case("--sbom=generator={registry}/none/none -t {image} --push ctx", says=("none/none",)),
    Case("--metadata-file {out}/m.json ctx", env={"BUILDX_METADATA_PROVENANCE": "disabled"}),
    Case("--metadata-file {out}/m.json ctx", env={"BUILDX_METADATA_PROVENANCE": "max"}),
]

_PLATFORMS = [
    Case("--platform linux/amd64 -t {image} --push ctx"),
    Case("--platform linux/arm64 -t {image} --push ctx"),
    Case("--platform linux/amd64,linux/arm64 -t {image} --push ctx"),
    Case("--platform linux/amd64 --platform linux/arm64 -o {out}/o ctx"),
    Case(
        "--platform linux/amd64,linux/arm64 -o type=local,dest={out}/o,platform-split=false ctx",
        files={"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY word /$TARGETARCH\n"},
    ),
    Case("--platform linux/amd64,linux/arm64 -o type=tar,dest={out}/o.tar ctx"),
    # Buildx still makes an index of the one platform.
    Case("--platform linux/amd64,linux/amd64 -o type=oci,dest={out}/o.tar ctx", ignore=("o.tar",)),
    Case("--platform local -o {out}/o ctx"),
    Case("--platform LINUX/x86_64 -t {image} --push ctx"),
    Case("-t {image} --push ctx", env={"DOCKER_DEFAULT_PLATFORM": "linux/arm64"}),
    Case("--platform foo/bar/baz/qux ctx", says=("foo/bar/baz/qux", "platform")),
    # Nobody knows such a machine: the builder gets it as it is.
    Case("--platform linux/foo -t {image} --push ctx", files={"Dockerfile": _WITHOUT_STAGES}, ours=(_UNKNOWN,)),
    Case("--platform linux/amd64,linux/foo -o {out}/o ctx", files={"Dockerfile": _WITHOUT_STAGES}, ours=(_UNKNOWN,)),
    Case("-t {image} --push ctx", env={"DOCKER_DEFAULT_PLATFORM": "linux/foo"}, files={"Dockerfile": _WITHOUT_STAGES}),
    Case("--platform linux/foo ctx", files={"Dockerfile": "FROM BASE\n"}, says=("match for platform",), ours=(_UNKNOWN,)),
    Case("--platform foo ctx", says=("foo",), ours=("--platform",)),
    Case("--platform 'linux/f o' ctx", says=("f o",), ours=("--platform",)),
    Case("--platform '' ctx", says=("error",), ours=("--platform",)),
    Case("--platform linux/s390x ctx", files={"Dockerfile": "FROM BASE\n"}, says=("s390x|match for platform",)),
    Case(
        "--platform darwin -o type=oci,dest={out}/o.tar ctx", extra="--emulate", files={"Dockerfile": _WITHOUT_STAGES}
    ),
    Case(
        "--platform 'windows(10.0.17763)/amd64' -o type=oci,dest={out}/o.tar ctx",
        extra="--emulate",
        files={"Dockerfile": _WITHOUT_STAGES},
        ignore=("o.tar",),  # only ours has the version in its configuration
    ),
]

_FAILING = "FROM BASE\nRUN echo before; {}\n"
_FAILURES = [
    Case("ctx", files={"Dockerfile": _FAILING.format("exit 7")}, says=("exit code: 7", "before", "RUN echo")),
    Case("-q ctx", files={"Dockerfile": _FAILING.format("exit 7")}, says=("exit code: 7",)),
    Case("ctx", files={"Dockerfile": _FAILING.format("no-such-program")}, says=("no-such-program", "127")),
    Case("ctx", files={"Dockerfile": "FROM scratch\nCOPY none /\n"}, says=("none", "not found")),
    Case("ctx", files={"Dockerfile": "FROM scratch\nCOPY --from=nobody /a /\n"}, says=("nobody",)),
    Case("ctx", files={"Dockerfile": "FROM BASE-none\n"}, says=("busybox-none", "not found")),
    Case(
        "ctx",
        files={"Dockerfile": "FROM closed/base\n".replace("closed", "127.0.0.1:1")},
        says=("127.0.0.1:1", "refused"),
    ),
    Case("ctx", files={"Dockerfile": "FROM UPPER\n"}, says=("UPPER", "lowercase")),
    Case("ctx", files={"Dockerfile": "RUN true\n"}, says=("no build stage",)),
    Case("ctx", files={"Dockerfile": "ARG B\nFROM $B\n"}, says=("base name",)),
    Case("ctx", files={"Dockerfile": "FROM scratch\nENV\n"}, says=("ENV", "line 2")),
    Case("ctx", files={"Dockerfile": "FROM scratch\nADD http://127.0.0.1:1/x /\n"}, says=("127.0.0.1:1", "refused")),
    Case("ctx", env={"SOURCE_DATE_EPOCH": "yesterday"}, says=("SOURCE_DATE_EPOCH", "yesterday")),
    Case("--progress fancy ctx", says=("fancy", "progress")),
    Case("ctx", env={"BUILDKIT_PROGRESS": "fancy"}, says=("fancy",)),
    Case("--progress tty ctx", says=("console|terminal",)),
]

_LOADED = [
    Case("-t {name} --load ctx"),
    Case("-t {name} --load --iidfile {out}/iid --metadata-file {out}/m.json ctx"),
    Case("-t {name} --load -q ctx"),
    Case("-t {name} -o type=docker ctx"),
    Case("-t {name} --load -o {out}/o ctx"),
    Case("-t {name} --load --platform linux/arm64 ctx"),
    Case("-t {name} --load --platform linux/foo ctx", files={"Dockerfile": _WITHOUT_STAGES}, ours=(_UNKNOWN,)),
]

_CACHE = [
    Case("--cache-from {registry}/none/none -o {out}/o ctx"),
    Case("--cache-from type=registry,ref={registry}/none/none -o {out}/o ctx"),
    Case("--cache-from type=gha -o {out}/o ctx"),
    Case("--cache-to type=inline -t {image} --push ctx", ignore=("inline cache",)),
    Case("--build-arg BUILDKIT_INLINE_CACHE=1 -t {image} --push ctx", ignore=("inline cache",)),
    Case("--cache-to type=registry,ref={image} ctx", ignore=("digest",)),
    Case("--cache-to {image} -o {out}/o ctx", ignore=("digest",)),
    Case("--cache-to type=registry,ref={image},mode=max,image-manifest=true ctx", ignore=("digest",)),
    Case("--cache-to type=local,dest={out}/c ctx", ignore=("c",)),
    Case("--cache-to type=local,dest={out}/c,mode=max,compression=zstd -o {out}/o ctx", ignore=("c",)),
    Case("--cache-to type=registry,ref={closed}/x,ignore-error=true -o {out}/o ctx"),
    Case("--cache-to type=registry,ref={closed}/x -o {out}/o ctx", says=("refused",)),
    # The rig's builders have no such caches, and say so of the one that was asked for.
    Case("--cache-to type=s3,bucket=b,region=r ctx", env={"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hush"}, says=('unknown cache exporter: "s3"',)),
    Case("--cache-from type=s3,bucket=b,region=r -o {out}/o ctx", env={"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hush"}),
    Case("--cache-to type=azblob,account_url=http://{closed},name=n ctx", says=('unknown cache exporter: "azblob"',)),
    Case("--cache-from type=azblob,account_url=http://{closed},name=n -o {out}/o ctx"),
    Case("--cache-from ref=foo ctx", says=("type",)),
    Case("--cache-to ref=foo ctx", says=("type",)),
    Case("--cache-to type=local ctx", says=("local", "dest")),
    Case("--cache-to type=registry ctx", says=("registry", "ref")),
    Case("--cache-to type=parcel ctx", says=("parcel",)),
]

_LAYOUT = "FROM other\nCOPY --from=more word /more\n"
_CONTEXTS = [
    Case(
        "--build-context more=ctx/sub -o {out}/o ctx",
        files={"Dockerfile": "FROM scratch\nCOPY --from=more . /\n", "sub/x": "x"},
    ),
    Case(
        "--build-context more=ctx/sub -o {out}/o ctx",
        files={
            "Dockerfile": "FROM scratch\nCOPY --from=more . /\n",
            "sub/x": "x",
            "sub/.dockerignore": "x\n",
            "sub/y": "",
        },
    ),
    Case(
        "--build-context other=docker-image://{base} -t {image} --push ctx",
        files={"Dockerfile": "FROM other\nRUN true\n"},
    ),
    Case(
        "--build-context one=ctx --build-context two=ctx/sub -o {out}/o ctx",
        files={"Dockerfile": "FROM scratch\nCOPY --from=one word /1\nCOPY --from=two x /2\n", "sub/x": "x"},
    ),
    Case("--build-context make=ctx/sub -o {out}/o ctx", files={"sub/made": "overridden"}),
    Case("--build-context more ctx", says=("more", "value")),
    Case("--build-context more=ctx/none ctx", says=("ctx/none",)),
    Case("--build-context more=ctx/word ctx", says=("ctx/word", "directory")),
    Case("--build-context UPPER=ctx ctx", says=("UPPER",)),
    Case("--build-context more=oci-layout://ctx/none ctx", files={"Dockerfile": "FROM more\n"}, says=("ctx/none",)),
    Case(
        "--build-context other=docker-image://{registry}/none/none ctx",
        files={"Dockerfile": "FROM other\n"},
        says=("none/none", "not found"),
    ),
]

_LIMITS = [
    Case("--ulimit nofile=100:200 -o {out}/o ctx", files={"Dockerfile": _NET.format("ulimit -n")}),
    Case("--ulimit nofile=100 --ulimit nproc=5000 -o {out}/o ctx", files={"Dockerfile": _NET.format("ulimit -n")}),
    Case("--ulimit foo=1 ctx", says=("foo", "ulimit")),
    Case("--ulimit nofile=9:1 ctx", says=("ulimit", "9")),
    Case("--shm-size 8m -o {out}/o ctx", files={"Dockerfile": _NET.format("df -k /dev/shm")}),
    Case("--shm-size 1x ctx", says=("1x|'x'", "shm-size")),
    Case("--cgroup-parent /mine -o {out}/o ctx", files={"Dockerfile": _NET.format("echo")}),
    Case("--no-cache-filter make -o {out}/o ctx"),
    Case("--no-cache-filter nowhere -o {out}/o ctx"),
    Case("--no-cache --no-cache-filter make ctx", says=("no-cache-filter", "together|both")),
    Case("--no-cache -o {out}/o ctx"),
    Case("--pull -o {out}/o ctx"),
    Case("--rm --force-rm --compress -o {out}/o ctx"),
    Case("--rm=false -o {out}/o ctx"),
    Case("-m 100m --memory-swap -1 -c 5 --cpu-period 1 --cpu-quota 2 --cpuset-cpus 0 --cpuset-mems 0 -o {out}/o ctx"),
    Case("--isolation default -o {out}/o ctx", says=("isolation",)),
    Case("--security-opt seccomp=x -o {out}/o ctx", says=("security-opt",)),
    Case("--squash -o {out}/o ctx", says=("squash",)),
    Case("-D -o {out}/o ctx"),
    Case("--policy disabled=true ctx", refused="0.29.1 has no --policy yet"),
]

_CALLS = [
    # The frontend of BuildKit 0.13 has no checks; that of the newest engine has.
    Case("--check ctx", says=("lint",)),
    Case("--call check ctx", says=("lint",)),
    Case("--call outline ctx"),
    Case("--call targets ctx"),
    Case("--call outline,format=json ctx"),
    Case("--call targets,format=json ctx"),
    Case("--print targets ctx"),
    Case("--call build -o {out}/o ctx"),
    Case("--call parcel ctx", says=("parcel",)),
    Case("--check ctx", files={"Dockerfile": "FROM\n"}, says=("error",)),
    Case("--call outline --target make ctx"),
]

_SSH = """FROM BASE AS made
RUN --mount=type=ssh{} ls /run/buildkit >/seen; true
FROM scratch
COPY --from=made /seen /
"""
_KEYS = [
    Case("--ssh default={agent} -o {out}/o ctx", files={"Dockerfile": _SSH.format("")}),
    Case("--ssh default -o {out}/o ctx", files={"Dockerfile": _SSH.format("")}, env={"SSH_AUTH_SOCK": "{agent}"}),
    Case("--ssh mine={key} -o {out}/o ctx", files={"Dockerfile": _SSH.format(",id=mine")}),
    Case(
        "--ssh default={key} --ssh mine={agent} -o {out}/o ctx",
        files={"Dockerfile": _SSH.format(",id=mine,required=true")},
    ),
    Case("--ssh default ctx", says=("SSH_AUTH_SOCK",)),
    Case("--ssh default=ctx/none ctx", says=("ctx/none",)),
    Case("--ssh default={agent} --ssh default={agent} ctx", says=("default",)),
    Case("--ssh default=ctx/word ctx", says=("ctx/word|no key found|key",)),
    Case("ctx", files={"Dockerfile": _SSH.format(",required=true")}, says=("ssh", "default")),
]

_SERVED = {
    "packed.tar": tar_of(_PACKED),
    "packed.tar.gz": tar_of(_PACKED, gzip.compress),
    "plain": "FROM scratch\nENV made=word\nWORKDIR /made\n",
}
_REPOSITORY = {
    "Dockerfile": _WITHOUT_STAGES,
    "other": "FROM scratch\nCOPY sub /\n",
    "word": "word",
    "sub/Dockerfile": "FROM scratch\nCOPY x /\n",
    "sub/x": "x",
}
# Through an http server that has a tar and a Dockerfile, and a git daemon.
_REMOTE = [
    Case("-o {out}/o {http}/packed.tar"),
    Case("-o {out}/o {http}/packed.tar.gz"),
    Case("-o {out}/o -f sub/own {http}/packed.tar"),
    Case("-o {out}/o {http}/plain"),
    Case("-o {out}/o -f {http}/plain ctx"),
    Case("-o {out}/o -f - {http}/packed.tar", stdin=_WITHOUT_STAGES.encode()),
    Case("{http}/none.tar", says=("404",)),
    Case("http://{closed}/x.tar", says=("refused",)),
    Case("-o {out}/o {git}"),
    Case("-o {out}/o {git}#main"),
    Case("-o {out}/o {git}#main:sub"),
    Case("-o {out}/o {git}#:sub"),
    Case("-o {out}/o {git}#v1"),
    Case("-o {out}/o -f other {git}#main"),
    Case("{git}#nowhere", says=("nowhere",)),
    Case("{git}#main:nowhere", says=("nowhere",)),
    Case("-f none {git}#main", says=("none",)),
    Case("git@127.0.0.1:none/none.git", says=("SSH_AUTH_SOCK|--ssh",)),
]

# Of BuildKit 0.24 and newer.
_QUERIES = [
    Case("-o {out}/o {git}?branch=main"),
    Case("-o {out}/o {git}?tag=v1&subdir=sub"),
    Case("-o {out}/o {git}?ref=main&subdir=sub"),
    Case("-o {out}/o {git}?ref=refs/heads/main&checksum={commit}"),
    Case("{git}?branch=main&checksum=0123456789012345678901234567890123456789", says=("0123456789012",)),
    Case("{git}?branch=nowhere", says=("nowhere",)),
    Case("{git}?parcel=x", says=("parcel",)),
    Case(
        "--build-context more={git}?branch=main&subdir=sub -o {out}/o ctx",
        files={"Dockerfile": "FROM scratch\nCOPY --from=more x /\n"},
    ),
    Case(
        "--build-context more={git}?tag=none ctx",
        files={"Dockerfile": "FROM scratch\nCOPY --from=more x /\n"},
        says=("none",),
    ),
]

# What depends on the builder's age, or on the way to it.
_CHOSEN = [
    *_STDIN[:2],
    *_ARGUMENTS[:4],
    *_SECRETS[:2],
    *_OUTPUTS[:8],
    *_IMAGES[:3],
    *_NOTES[:3],
    *_ATTESTATIONS[1:4],
    *_FAILURES[:5],
]
# BuildKit 0.8 gives folders around what is copied the time of the copy: what `COPY .` makes cannot be compared.
_INPUTS = [
    *_IGNORES[7:],
    *_FILES[1:3],
    *_FILES[9:10],
    *_STDIN[2:5],
    *_ARGUMENTS[4:5],
    *_SECRETS[2:7],
]
_SOURCES = [
    *_CACHE[:11],
    *_CONTEXTS[:5],
    *_REMOTE[:6],
    *_CALLS[2:7],
    *_CALLS[10:],
    *_LIMITS[:2],
    *_LIMITS[6:8],
]
_CHOSEN_OF_ENGINES = [
    Case("-t {name} ctx"),
    Case("-t {name} --load ctx"),
    Case("-q -t {name} ctx", ignore=_OTHER_ID),
    Case("-t {name} --label a=b --build-arg WORD=one ctx"),
    Case("-o {out}/o ctx"),
    Case("-o type=tar,dest={out}/o.tar ctx"),
    Case("-o - ctx"),
    Case("-t {image} --push ctx"),
    Case(
        "--target make -o {out}/o ctx",
        files={
            "Dockerfile": "FROM scratch AS make\nCOPY word /made\nFROM scratch\nCOPY none /\n",
        },
    ),
    Case("--secret id=s,src=ctx/word -o {out}/o ctx", files={"Dockerfile": _SECRET.format("")}),
    Case("--network none -o {out}/o ctx", files={"Dockerfile": _NET.format("ls /sys/class/net")}),
    Case("--add-host one:10.0.0.1 -o {out}/o ctx", files={"Dockerfile": _NET.format("grep one /etc/hosts")}),
    Case("-o {out}/o -", stdin=tar_of(_PACKED)),
    Case("--target nowhere ctx", says=("nowhere",)),
    *_FAILURES[:5],
]


class Invocations(InvocationTest):
    def test_grammar(self):
        self.play(_GRAMMAR)

    def test_files(self):
        self.play(_FILES)

    def test_ignore_files(self):
        self.play(_IGNORES)

    def test_stdin(self):
        self.play(_STDIN)

    def test_places(self):
        self.play(_PLACES)

    def test_arguments(self):
        self.play(_ARGUMENTS)

    def test_network(self):
        self.play(_NETWORK)

    def test_secrets(self):
        self.play(_SECRETS)

    def test_outputs(self):
        self.play(_OUTPUTS)

    def test_images(self):
        self.play(_IMAGES, closed=self.closed_port())

    def test_annotations(self):
        self.play(_NOTES)

    def test_attestations(self):
        self.play(_ATTESTATIONS)

    def test_platforms(self):
        self.play(_PLATFORMS)

    def test_failures(self):
        self.play(_FAILURES)

    def test_loaded(self):
        self.play(_LOADED, engine="containerd")

    def test_loaded_into_the_classic_store(self):
        # A classic store keeps no compressed layers: ours travel faster, and their manifest has another digest.
        cases = [dataclasses.replace(case, ignore=(*case.ignore, "m.json")) for case in _LOADED[:4]]
        self.play(cases, engine="classic")

    def test_cache(self):
        self.play(_CACHE, closed=self.closed_port())

    def test_contexts(self):
        self.play(_CONTEXTS)

    def test_limits_and_old_flags(self):
        self.play(_LIMITS)

    def test_calls(self):
        self.play(_CALLS)

    def test_keys(self):
        agent = self.folder / "agent"
        started = subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL)
        self.addCleanup(started.wait)
        self.addCleanup(started.kill)
        self.wait_until(agent.exists, 10, "no agent")
        key = self.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        subprocess.run(["ssh-add", "-q", key], env={"SSH_AUTH_SOCK": str(agent)}, check=True)
        self.play(_KEYS, agent=agent, key=key)

    def test_remote_contexts(self):
        places = {"http": self.http_server(), "git": self.git_server(), "closed": self.closed_port()}
        self.play(_REMOTE, **places)

    def http_server(self):
        """Serves what _REMOTE names, and gives the URL."""
        place = write_tree(self.folder / "served", _SERVED)
        handler = functools.partial(QuietHandler, directory=place)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def git_server(self):
        """A repository of one commit, by a git daemon: its URL."""
        place = write_tree(self.folder / "repositories" / "app", _REPOSITORY)
        git = ["git", "-C", place, "-c", "user.name=a", "-c", "user.email=a@b"]
        when = {"GIT_AUTHOR_DATE": "@1000000000 +0000", "GIT_COMMITTER_DATE": "@1000000000 +0000"}
        for words in ("init -q -b main", "add .", "commit -q -m all", "tag v1"):
            subprocess.run([*git, *words.split()], check=True, env={**os.environ, **when})
        host, _, port = self.closed_port().partition(":")
        words = [f"--listen={host}", f"--port={port}", "--reuseaddr", "--export-all", f"--base-path={place.parent}"]
        daemon = subprocess.Popen(["git", "daemon", *words], stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(daemon.wait)
        self.addCleanup(lambda: os.killpg(daemon.pid, signal.SIGKILL))
        self.wait_until(lambda: answers(host, int(port)), 10, "no git daemon")
        return f"git://{host}:{port}/app"

    def test_git_urls_with_a_query(self):
        self.start_newest_engine()
        git = self.git_server()
        commit = subprocess.run(
            ["git", "-C", self.folder / "repositories" / "app", "rev-parse", "HEAD"], check=True, capture_output=True, text=True
        ).stdout.strip()
        self.play(_QUERIES, builder=self.bridge("plain", engine="newest").url, git=git, commit=commit)

    def test_newest_engine(self):
        self.start_newest_engine()
        bridge = self.bridge("plain", engine="newest")
        checks = [Case("--check ctx"), Case("--check ctx", files={"Dockerfile": "from scratch as A\n"}, says=("Dockerfile",), ours=("check found",))]
        self.play([*_CHOSEN, *checks], builder=bridge.url)

    def test_newest_engine_itself(self):
        self.start_newest_engine()
        seen = {"Dockerfile": _NET.format("grep -c one /etc/hosts")}
        gateway = Case("--add-host one:host-gateway -o {out}/o ctx", files=seen)
        self.play([*_CHOSEN_OF_ENGINES, gateway], builder=None, engine="newest")

    def test_oldest_engine(self):
        self.play(_CHOSEN_OF_ENGINES, builder=None, engine="oldest")

    def test_oldest_engine_inputs(self):
        self.play(_INPUTS, builder=None, engine="oldest")

    def test_newest_engine_sources(self):
        self.start_newest_engine()
        places = {"http": self.http_server(), "closed": self.closed_port()}
        self.play(_SOURCES, builder=self.bridge("plain", engine="newest").url, **places)

    def test_what_differs_is_found(self):
        """Each of these differs in one thing, which only ours was told."""
        cases = [
            (Case("-o {out}/o ctx", extra="--build-arg WORD=else"), "o: made: sha256"),
            (Case("-t {image} --push ctx", extra="--label a=b"), "images: ours"),
            (Case("ctx", extra="--metadata-file {out}/m"), "files: ours"),
            (Case("ctx", extra="--target nowhere"), "exit code: ours 1, theirs 0"),
            (Case("--target nowhere ctx", says=("another word",)), "ours does not say 'another word'"),
            (Case("--target nowhere ctx"), "does not say with which words"),
            (Case("ctx", refused="no reason"), "exit code: ours 0, theirs 0"),
        ]
        with self.assertRaises(AssertionError) as told:
            self.play([case for case, _ in cases])
        self.assertIn(f"{len(cases)} of {len(cases)} differ", str(told.exception))
        for _, words in cases:
            self.assertIn(words, str(told.exception))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def answers(host, port):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


if __name__ == "__main__":
    unittest.main()
