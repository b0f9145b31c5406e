"""Debian packages: a few installed, the engines themselves only unpacked into the cache.

Nothing that runs as a service is installed, so a real engine on the machine stays as it is. What is
unpacked comes through private apt configurations (own source list, lists and cache folder) whose
source list is the machine's own with the suite replaced: the same mirror, the same keys.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from settings import CACHE, RigError
from steps import run, say, step

INSTALLED = {
    "g++": "/usr/bin/g++",
    "libssl-dev": "/usr/include/openssl/ssl.h",
    "openssl": "/usr/bin/openssl",
    "iproute2": "/usr/sbin/ip",
    "npm": "/usr/bin/npm",
    "git": "/usr/bin/git",
    "rsync": "/usr/bin/rsync",
    "xz-utils": "/usr/bin/xz",
    "libseccomp2": "/usr/lib/x86_64-linux-gnu/libseccomp.so.2",
    "libdevmapper1.02.1": "/usr/lib/x86_64-linux-gnu/libdevmapper.so.1.02.1",
    "libsystemd0": "/usr/lib/x86_64-linux-gnu/libsystemd.so.0",
}

# suite, architecture -> package -> the files that are needed of it
UNPACKED = {
    ("trixie", "amd64"): {
        "docker.io": ["usr/sbin/dockerd", "usr/sbin/docker-proxy"],
        "docker-cli": ["usr/bin/docker"],
        "containerd": ["usr/bin/containerd", "usr/bin/containerd-shim-runc-v2"],
    },
    ("bookworm", "amd64"): {
        "docker.io": ["usr/sbin/dockerd", "usr/sbin/docker-proxy", "usr/bin/docker"],
        "containerd": ["usr/bin/containerd", "usr/bin/containerd-shim-runc-v2"],
        "runc": ["usr/sbin/runc"],
        "tini": ["usr/bin/tini-static"],
        "docker-registry": ["usr/bin/docker-registry"],
        "busybox-static": ["bin/busybox"],
        "qemu-user-static": ["usr/bin/qemu-aarch64-static"],
    },
    ("bookworm", "arm64"): {"busybox-static": ["bin/busybox"]},
    ("sid", "amd64"): {
        "docker-buildx": ["usr/libexec/docker/cli-plugins/docker-buildx"],
        "docker-compose": ["usr/libexec/docker/cli-plugins/docker-compose"],
    },
}
# Without these a part of the tests cannot run, but the rest can.
OPTIONAL = {("sid", "amd64")}
# The newest engine, which only a few tests start: unpacked when the first of them does.
NEWEST = {
    "docker.io": ["usr/sbin/dockerd", "usr/sbin/docker-proxy"],
    "containerd": ["usr/bin/containerd", "usr/bin/containerd-shim-runc-v2"],
}
NEEDED_MAJOR = {("trixie", "docker.io"): 26, ("bookworm", "docker.io"): 20}


def install_missing():
    missing = [package for package, proof in INSTALLED.items() if not Path(proof).exists()]
    if not missing:
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"installed {' '.join(missing)}"):
        run(["apt-get", "update", "-qq"], attempts=3, env=quiet)
        run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
            attempts=3,
            env=quiet,
        )


def unpack_all():
    """Unpacks what the cache lacks. Returns {(suite, arch, package): (version, folder)}."""
    found = {}
    for (suite, arch), packages in UNPACKED.items():
        folder = CACHE / "packages" / f"{suite}-{arch}"
        try:
            versions = _cached(folder, packages) or _download(suite, arch, folder, packages)
        except RigError as error:
            if (suite, arch) not in OPTIONAL:
                raise
            say(f"without {' '.join(packages)} of {suite}: {error}")
            continue
        for package, version in versions.items():
            found[suite, arch, package] = (version, _root(folder, package, version))
    return found


def unpack_newest():
    """The same for NEWEST, which is of sid."""
    return _unpack_later("sid", "engine", NEWEST)


def kustomize():
    """The path of kustomize, which only the tests of Kubernetes' manifests need; bookworm has none."""
    ((_, root),) = _unpack_later("trixie", "kustomize", {"kustomize": ["usr/bin/kustomize"]}).values()
    return root / "usr/bin/kustomize"


def _unpack_later(suite, what, packages):
    folder = CACHE / "packages" / f"{suite}-amd64-{what}"
    versions = _cached(folder, packages) or _download(suite, "amd64", folder, packages)
    return {package: (version, _root(folder, package, version)) for package, version in versions.items()}


def _root(folder, package, version):
    return folder / f"{package}_{version.replace(':', '%3a')}"


def _cached(folder, packages):
    try:
        versions = json.loads((folder / "versions.json").read_text())
    except (OSError, ValueError):
        return None
    for package, files in packages.items():
        root = _root(folder, package, versions.get(package, "-"))
        if not all((root / name).is_file() for name in files):
            return None
    return {package: versions[package] for package in packages}


def _download(suite, arch, folder, packages):
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="apt-") as scratch:
        apt = _private_apt(Path(scratch), suite, arch)
        with step(f"read the package lists of {suite} for {arch}"):
            # Fails when any one entry does; what matters is whether the packages are known then.
            subprocess.run(["apt-get", *apt, "update", "-qq"], stderr=subprocess.DEVNULL)
        versions = {package: _candidate(apt, suite, package) for package in packages}
        for package, version in versions.items():
            root = _root(folder, package, version)
            if not all((root / name).is_file() for name in packages[package]):
                with step(f"unpacked {package} {version} ({suite}, {arch})"):
                    _unpack(apt, package, packages[package], Path(scratch), root)
    (folder / "versions.json").write_text(json.dumps(versions, indent=1))
    return versions


def _candidate(apt, suite, package):
    policy = run(["apt-cache", *apt, "policy", package]).decode()
    match = re.search(r"Candidate: (\S+)", policy)
    if not match or match.group(1) == "(none)":
        raise RigError(f"the machine's Debian mirror has no {package} in {suite}")
    version = match.group(1)
    needed = NEEDED_MAJOR.get((suite, package))
    if needed and int(re.match(r"(?:\d+:)?(\d+)", version).group(1)) != needed:
        say(f"{package} of {suite} is {version}, the tests were written with {needed}")
    return version


def _unpack(apt, package, files, scratch, root):
    downloads = scratch / "debs"
    downloads.mkdir(exist_ok=True)
    run(["apt-get", *apt, "download", package], attempts=3, cwd=downloads)
    (deb,) = downloads.glob(f"{package}_*.deb")
    fresh = scratch / "root"
    fresh.mkdir()
    names = " ".join(f"./{name}" for name in files)
    run(
        [
            "bash",
            "-o",
            "pipefail",
            "-c",
            f'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" {names}',
            "-",
            deb,
            fresh,
        ]
    )
    deb.unlink()
    shutil.rmtree(root, ignore_errors=True)
    fresh.rename(root)


def _private_apt(scratch, suite, arch):
    for name in ("parts", "lists/partial", "cache/archives/partial"):
        (scratch / name).mkdir(parents=True)
    one_line, deb822 = _sources(suite)
    if one_line:
        (scratch / "parts" / "rig.list").write_text("\n".join(one_line) + "\n")
    if deb822:
        (scratch / "parts" / "rig.sources").write_text("\n".join(deb822))
    settings = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": scratch / "parts",
        "Dir::State::Lists": scratch / "lists",
        "Dir::Cache": scratch / "cache",
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        # A mirror pinned to a date holds lists of testing and unstable that have run out.
        "Acquire::Check-Valid-Until": "false",
    }
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]


def _sources(suite):
    """The machine's own entries for its release, with `suite` instead: one-line and deb822 ones."""
    own = re.search(r"^VERSION_CODENAME=(\S+)", Path("/etc/os-release").read_text(), re.M).group(1)
    etc = Path("/etc/apt")
    one_line, deb822 = [], []
    lists = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]
    for path in filter(os.path.isfile, lists):
        for line in path.read_text().splitlines():
            entry = re.match(r"deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)", line.strip())
            suites = _suites(own, suite, [entry.group(3)]) if entry else []
            if suites and "main" in entry.group(4).split():
                one_line.append(f"deb {entry.group(1) or ''}{entry.group(2)} {suites[0]} main")
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            fields = _fields(stanza)
            suites = _suites(own, suite, fields.get("suites", "").split())
            wanted = (
                "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no"
            )
            if wanted and suites and "main" in fields.get("components", "").split():
                fields.update(types="deb", suites=" ".join(suites), components="main")
                fields.pop("architectures", None)
                deb822.append("".join(f"{key}: {value}\n" for key, value in fields.items()))
    if not one_line and not deb822:
        raise RigError(
            f"no entry for {own} main in /etc/apt: the rig needs a Debian 12 with its usual sources"
        )
    return one_line, deb822


def _suites(own, wanted, suites):
    if wanted == own:
        return [name for name in suites if re.fullmatch(own + r"(-updates|-security)?", name)]
    return [wanted] if own in suites else []


def _fields(stanza):
    fields, key = {}, None
    for line in stanza.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace() and key:
            fields[key] += "\n" + line
        elif ":" in line:
            key, value = line.split(":", 1)
            key = key.strip().lower()
            fields[key] = value.strip()
    return fields
