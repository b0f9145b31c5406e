#!/usr/bin/env python3
"""Checks the form: clang-format for C++, and no trailing blanks, tabs or CRLF in any text. --fix mends what it can.

Usage: formatting.py REPOSITORY [--fix]
"""

import subprocess
import sys

from sources import cxx_files, files, report, root_argument

_TEXT = {".cc", ".h", ".c", ".py", ".sh", ".cmake", ".proto", ".txt", ".md", ".json", ".yml", ".html", ""}


def text_breaches(path, data):
    if b"\0" in data:
        return
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if line.endswith((b" ", b"\t", b"\r")):
            yield f"{path}:{number}: ends in a blank or CR"
        if b"\t" in line and path.suffix in (".cc", ".h", ".py", ".cmake"):
            yield f"{path}:{number}: tab"
    if data and (lines[-1] or data.endswith(b"\n\n")):
        yield f"{path}: ends without a newline, or with an empty line"


def cxx_breaches(root, fix):
    paths = [str(path) for path in cxx_files(root)]
    how = ["-i"] if fix else ["--dry-run", "-Werror"]
    done = subprocess.run(["clang-format", *how, *paths], cwd=root, stderr=subprocess.PIPE, text=True, check=False)
    seen = set()
    for line in done.stderr.splitlines():
        place = line.split(": error:")[0]
        if ": error:" in line and place.split(":")[0] not in seen:
            seen.add(place.split(":")[0])
            yield f"{place}: not as clang-format has it: python3 tests/lint/formatting.py . --fix"
    if done.returncode and not seen:
        yield f"clang-format failed: {done.stderr.strip()}"


def breaches(root, fix):
    yield from cxx_breaches(root, fix)
    for path in files(root):
        if path.suffix in _TEXT:
            yield from text_breaches(path, (root / path).read_bytes())


if __name__ == "__main__":
    report("formatting", breaches(root_argument(), "--fix" in sys.argv[2:]))
