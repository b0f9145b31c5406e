#!/usr/bin/env python3
"""Checks the budgets of files: 500 lines for a .cc, 200 for a .h; tests, which are lists, may have 300 more.

clang-tidy has the budgets of functions.

Usage: sizes.py REPOSITORY
"""

from sources import cxx_files, report, root_argument

_BUDGETS = {".cc": 500, ".h": 200}
_MORE_FOR_TESTS = 300


def breaches(root):
    for path in cxx_files(root):
        lines = len((root / path).read_text().splitlines())
        budget = _BUDGETS[path.suffix] + (_MORE_FOR_TESTS if path.parts[0] == "tests" else 0)
        if lines > budget:
            yield f"{path}: {lines} lines, budget {budget}: find the second subject in it and give it a file"


if __name__ == "__main__":
    report("sizes", breaches(root_argument()))
