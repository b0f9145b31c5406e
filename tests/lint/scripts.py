#!/usr/bin/env python3
"""Checks that every script parses, by its own interpreter. Usage: scripts.py REPOSITORY"""

import os
import subprocess

from sources import files, report, root_argument


def interpreter(path, first_line):
    if path.suffix == ".py" or "python3" in first_line:
        return "python3"
    for shell in ("bash", "sh"):
        if first_line.startswith("#!") and first_line.split("/")[-1].split() in ([shell], ["env", shell]):
            return shell
    return None


def breaches(root):
    for path in files(root):
        with open(root / path, "rb") as file:
            first_line = file.readline(200).decode(errors="replace").strip()
        kind = interpreter(path, first_line)
        if kind == "python3":
            try:
                compile((root / path).read_text(), str(path), "exec")
            except SyntaxError as error:
                yield f"{path}:{error.lineno}: {error.msg}"
        elif kind:
            done = subprocess.run([kind, "-n", root / path], stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                yield done.stderr.strip()
        if first_line.startswith("#!") and not path.suffix and not os.access(root / path, os.X_OK):
            yield f"{path}: has a #! line but is not executable"


if __name__ == "__main__":
    report("scripts", breaches(root_argument()))
