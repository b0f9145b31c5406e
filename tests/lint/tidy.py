#!/usr/bin/env python3
"""Runs clang-tidy (.clang-tidy: every check is an error) over the product's .cc files.

Usage: tidy.py REPOSITORY BUILD FILE...       these files, one by one
       tidy.py REPOSITORY UNITY               all of them: UNITY is a unity build, where a room's files are one
Both are build folders with compile_commands.json.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sources import report, root_argument

# The analyzer looks into what a file includes if the file's path says so; without that a room's file has no code.
_UNIFIED = "UnifiedSource"


def entries(build):
    """(file, entry) of each compiled file."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        yield Path(entry["directory"], entry["file"]).resolve(), entry


def named(root, build, names):
    """The files of these names."""
    found = {path for path, _ in entries(build)} & {root / name for name in names}
    if len(found) < len(set(names)):
        sys.exit(f"tidy.py: not all of these are compiled in {build}: {' '.join(names)}")
    return sorted(found)


def rooms(build, folder):
    """Copies in `folder` of the files that stand for the product's rooms, and how to compile them."""
    copied = []
    for path, entry in entries(build):
        if path.parent.name != "Unity" or "tests" in path.relative_to(build).parts:
            continue
        copy = folder / f"{_UNIFIED}_{path.parent.parent.stem}.cc"
        copy.write_text(path.read_text())
        copied.append({**entry, "file": str(copy), "command": entry["command"].replace(entry["file"], str(copy))})
    (folder / "compile_commands.json").write_text(json.dumps(copied))
    return [Path(entry["file"]) for entry in copied]


def tidy(root, build, path):
    """The findings of one file, each as its first line."""
    # A room's file includes .cc files, which is what it is for.
    checks = "-bugprone-suspicious-include" if path.name.startswith(_UNIFIED) else ""
    command = ["clang-tidy", "--quiet", f"--config-file={root}/.clang-tidy", "-p", build, f"--checks={checks}", path]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root, check=False)
    told = [line for line in done.stdout.splitlines() if re.search(r": (error|warning): ", line)]
    # What it finds inside a library's header, called from here, is the library's.
    findings = [line for line in told if line.startswith(f"{root}/")]
    if done.returncode and not told:
        findings = [f"{path}: clang-tidy failed: {done.stderr.strip()[-500:]}"]
    return [line.replace(f"{root}/", "", 1) for line in findings]


def each(root, build, paths):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: tidy(root, build, path), paths)
        # A header's finding shows up once for every file that includes it.
        return sorted({line for lines in found for line in lines})


def code_size(path):
    """Of a room's file: the bytes that it includes."""
    return sum(Path(name).stat().st_size for name in re.findall(r'#include "(.+)"', path.read_text()))


def everywhere(root, unity):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        # The largest first, so that no core waits at the end.
        return each(root, folder, sorted(rooms(unity, folder), key=code_size, reverse=True))


if __name__ == "__main__":
    ROOT, BUILD, NAMES = root_argument(), Path(sys.argv[2]).resolve(), sys.argv[3:]
    report("tidy", each(ROOT, BUILD, named(ROOT, BUILD, NAMES)) if NAMES else everywhere(ROOT, BUILD))
