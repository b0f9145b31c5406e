"""The official Depot CLI, which must build through the pool unchanged: an npm package, unpacked."""

import tempfile
from pathlib import Path

from settings import CACHE, RigError
from steps import run, say, step

# One version, since its requests are compared with ours one by one.
_PACKAGE = "@depot/cli-linux-x64"
_VERSION = "0.0.1-cli.2.102.12"


def unpacked():
    """The path of its program, or "" where npm cannot fetch it: a part of the tests needs it."""
    program = CACHE / f"depot-{_VERSION}"
    if program.exists():
        return program
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        with step(f"unpacked {_PACKAGE} {_VERSION}"), tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            run(["npm", "pack", "--silent", f"{_PACKAGE}@{_VERSION}"], attempts=3, cwd=scratch)
            (archive,) = Path(scratch).glob("*.tgz")
            run(["tar", "-xzf", archive, "-C", scratch, "package/bin/depot"])
            Path(scratch, "package/bin/depot").rename(program)
    except RigError as error:
        say(f"without the official Depot CLI: {error}")
        return ""
    return program
