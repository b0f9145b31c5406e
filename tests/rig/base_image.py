"""library/busybox for linux/amd64 and linux/arm64, made of Debian's busybox-static.

It is pushed to every registry of the rig; with sbom_generator.sh in it, to the open one too.

The same packages give the same bytes, so its digests stay the same from run to run.
"""

import base64
import gzip
import hashlib
import io
import json
import tarfile
import urllib.error
import urllib.request
from urllib.parse import urljoin

from settings import PUSHER, SOURCES, TOKEN_SERVICE
from steps import run, step

NAME = "library/busybox"
GENERATOR = "tools/sbom-generator"
_TIME = 1577836800  # 2020-01-01T00:00:00Z
_CREATED = "2020-01-01T00:00:00Z"
# Docker's own media types: the oldest engine knows nothing else for sure.
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
_FOLDERS = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "sbin": 0o755,
}
_FOLDERS |= {
    "sys": 0o755,
    "tmp": 0o1777,
    "usr": 0o755,
    "usr/bin": 0o755,
    "usr/sbin": 0o755,
    "var": 0o755,
    "var/tmp": 0o1777,
}
_FILES = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
}


def push_everywhere(packages, ports):
    script = (SOURCES / "sbom_generator.sh").read_bytes()
    with step(f"pushed {NAME} (amd64, arm64) to the three registries, and {GENERATOR}"):
        qemu = packages["bookworm", "amd64", "qemu-user-static"][1] / "usr/bin/qemu-aarch64-static"
        images, generators = [], []
        for arch, start in (("amd64", []), ("arm64", [qemu])):
            busybox = packages["bookworm", arch, "busybox-static"][1] / "bin/busybox"
            applets = run([*start, busybox, "--list-full"]).decode().split()
            images.append((arch, _layer(busybox.read_bytes(), applets)))
            programs = {"bin/sbom-generator": script}
            generators.append((arch, _layer(busybox.read_bytes(), applets, programs)))
        for registry, auth in (("OPEN", None), ("BASIC", "basic"), ("BEARER", "bearer")):
            target = _Repository(f"http://127.0.0.1:{ports[registry]}", auth, ports["TOKEN"], NAME)
            _push(target, images, ["sh"])
        target = _Repository(f"http://127.0.0.1:{ports['OPEN']}", None, None, GENERATOR)
        _push(target, generators, ["/bin/sbom-generator"])


def _layer(busybox, applets, programs=None):
    """The layer as an uncompressed tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:

        def add(name, kind, mode, data=b"", target=""):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime, info.size, info.linkname = (
                kind,
                mode,
                _TIME,
                len(data),
                target,
            )
            info.uname = info.gname = ""
            tar.addfile(info, io.BytesIO(data))

        for name, mode in _FOLDERS.items():
            add(name, tarfile.DIRTYPE, mode)
        add("bin/busybox", tarfile.REGTYPE, 0o755, busybox)
        for name in sorted(set(applets) - {"bin/busybox", "linuxrc"}):
            add(name, tarfile.SYMTYPE, 0o777, target="/bin/busybox")
        for name, data in _FILES.items():
            add(name, tarfile.REGTYPE, 0o644, data)
        for name, data in (programs or {}).items():
            add(name, tarfile.REGTYPE, 0o755, data)
    return out.getvalue()


def _push(target, images, command):
    entries = []
    for arch, tar in images:
        packed = gzip.compress(tar, mtime=0)
        config = {
            "architecture": arch,
            "os": "linux",
            "created": _CREATED,
            "config": {
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Cmd": command,
            },
            "rootfs": {"type": "layers", "diff_ids": [_digest(tar)]},
            "history": [{"created": _CREATED, "created_by": "busybox-static"}],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": target.push_blob(_CONFIG, _json(config)),
            "layers": [target.push_blob(_LAYER, packed)],
        }
        entry = target.push_manifest(_digest(_json(manifest)), _MANIFEST, _json(manifest))
        entries.append({**entry, "platform": {"architecture": arch, "os": "linux"}})
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}
    target.push_manifest("latest", _INDEX, _json(index))


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class _Repository:
    """A repository at one registry, to push to."""

    def __init__(self, base, auth, token_port, name):
        self._base = f"{base}/v2/{name}/"
        self._headers = {}
        basic = "Basic " + base64.b64encode(":".join(PUSHER).encode()).decode()
        if auth == "basic":
            self._headers["Authorization"] = basic
        if auth == "bearer":
            query = f"service={TOKEN_SERVICE}&scope=repository:{name}:pull,push"
            url = f"http://127.0.0.1:{token_port}/token?{query}"
            with urllib.request.urlopen(
                urllib.request.Request(url, headers={"Authorization": basic})
            ) as reply:
                self._headers["Authorization"] = "Bearer " + json.load(reply)["token"]

    def push_blob(self, media_type, data):
        digest = _digest(data)
        if not self._has_blob(digest):
            start = self._call("POST", "blobs/uploads/", b"").headers["Location"]
            place = urljoin(self._base, start)
            place += ("&" if "?" in place else "?") + f"digest={digest}"
            self._call("PUT", place, data, "application/octet-stream")
        return {"mediaType": media_type, "size": len(data), "digest": digest}

    def push_manifest(self, reference, media_type, data):
        self._call("PUT", f"manifests/{reference}", data, media_type)
        return {"mediaType": media_type, "size": len(data), "digest": _digest(data)}

    def _has_blob(self, digest):
        try:
            self._call("HEAD", f"blobs/{digest}")
            return True
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise

    def _call(self, method, place, data=None, media_type=None):
        headers = {**self._headers, **({"Content-Type": media_type} if media_type else {})}
        request = urllib.request.Request(urljoin(self._base, place), data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            reply.read()
            return reply
