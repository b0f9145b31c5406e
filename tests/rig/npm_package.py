"""Programs of one file that come as npm packages, in one version each."""

import base64
import hashlib
import tempfile
from pathlib import Path

from settings import CACHE, RigError
from steps import run, say, step


def depot_cli():
    """The official Depot CLI, which must build through the pool unchanged; see _unpacked()."""
    # One version, since its requests are compared with ours one by one.
    return _unpacked("@depot/cli-linux-x64", "0.0.1-cli.2.102.12", "bin/depot")


def gitlab_ci_local():
    """gitlab-ci-local, a script for node, which runs the jobs of a .gitlab-ci.yml here; see _unpacked()."""
    # The newest that Debian 12's Node.js 18 runs.
    sha512 = "Nr8uHlW74n+IP/EVqySFBrc/4bRQGrbF8qZai1bKiyR2v9GGxiwlNTmMvoh9LNSt+V59Xa60KpCQGgwmpR7uMA=="
    return _unpacked("gitlab-ci-local", "4.67.2", "dist/index.js", suffix=".mjs", sha512=sha512)


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
