#!/usr/bin/env python3
"""Runs clang-tidy (.clang-tidy: every check is an error) over the product's .cc files.

Usage: tidy.py REPOSITORY BUILD [FILE...]           of these files alone
       tidy.py REPOSITORY BUILD --together UNITY    of all of them, faster
BUILD is a build folder with compile_commands.json, UNITY that of a unity build, where a room's files are one: the checks
go once through what they include. The analyzer follows calls within one file only, and gets each file by itself.
"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sources import report, root_argument

_CHECKS = "-clang-analyzer-*,-bugprone-suspicious-include"
_ANALYZER = "-*,clang-analyzer-*"


def compiled_files(root, build):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = Path(entry["directory"], entry["file"]).resolve()
        if path.is_relative_to(root) and path.relative_to(root).parts[0] in ("driver", "plugin", "pool"):
            yield path


def rooms(build):
    """The files of a unity build that stand for rooms; tests are no concern here."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = Path(entry["directory"], entry["file"])
        if path.parent.name == "Unity" and "tests" not in path.relative_to(build).parts:
            yield path


def tidy(root, build, path, checks):
    """The findings of one file, each as its first line."""
    command = ["clang-tidy", "--quiet", "-p", build, f"--checks={checks}", path]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root, check=False)
    told = [line for line in done.stdout.splitlines() if re.search(r": (error|warning): ", line)]
    # What it finds inside a library's header, called from here, is the library's.
    findings = [line for line in told if line.startswith(f"{root}/")]
    if done.returncode and not told:
        findings = [f"{path}: clang-tidy failed: {done.stderr.strip()[-500:]}"]
    return [line.replace(f"{root}/", "", 1) for line in findings]


def breaches(root, build, chosen, unity):
    paths = sorted(set(compiled_files(root, build)))
    if chosen:
        paths = [path for path in paths if str(path.relative_to(root)) in chosen]
    work = [(build, path, _ANALYZER if unity else "") for path in paths]
    if unity:
        work += [(unity, path, _CHECKS) for path in rooms(unity)]
    # The slowest first, so that no core waits at the end.
    work.sort(key=lambda one: (one[2] != _CHECKS, -one[1].stat().st_size))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda one: tidy(root, *one), work)
        # A header's finding shows up once for every file that includes it.
        return sorted({line for lines in found for line in lines})


if __name__ == "__main__":
    REPOSITORY = root_argument()
    rest = sys.argv[3:]
    together = Path(rest[1]).resolve() if rest[:1] == ["--together"] else None
    report("tidy", breaches(REPOSITORY, Path(sys.argv[2]).resolve(), set() if together else set(rest), together))
