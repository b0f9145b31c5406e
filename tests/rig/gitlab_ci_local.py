"""gitlab-ci-local, which runs the jobs of a .gitlab-ci.yml here: an npm package of one file."""

import base64
import hashlib
import tempfile
from pathlib import Path

from settings import CACHE, RigError
from steps import run, say, step

_PACKAGE = "gitlab-ci-local"
# The newest that Debian 12's Node.js 18 runs.
_VERSION = "4.67.2"
_SHA512 = "Nr8uHlW74n+IP/EVqySFBrc/4bRQGrbF8qZai1bKiyR2v9GGxiwlNTmMvoh9LNSt+V59Xa60KpCQGgwmpR7uMA=="


def unpacked():
    """The path of its script, for node, or "" where npm cannot fetch it."""
    script = CACHE / f"{_PACKAGE}-{_VERSION}.mjs"
    if script.exists():
        return script
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        with step(f"unpacked {_PACKAGE} {_VERSION}"), tempfile.TemporaryDirectory(
            dir=CACHE
        ) as scratch:
            run(["npm", "pack", "--silent", f"{_PACKAGE}@{_VERSION}"], attempts=3, cwd=scratch)
            (archive,) = Path(scratch).glob("*.tgz")
            _check(archive)
            run(["tar", "-xzf", archive, "-C", scratch, "package/dist/index.js"])
            Path(scratch, "package/dist/index.js").rename(script)
    except RigError as error:
        say(f"without {_PACKAGE}: {error}")
        return ""
    return script


def _check(archive):
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != _SHA512:
        raise RigError(f"{archive.name} is not the file that it was: sha512 {found}, not {_SHA512}")
