#!/usr/bin/env python3
"""Checks the budgets of files: 500 lines for a .cc, 200 for a .h; tests, which are lists, may have 300 more; and of
classes: 250 lines from their first brace to their last.

clang-tidy has the budgets of functions.

Usage: sizes.py REPOSITORY
"""

import re

from sources import code_lines, cxx_files, report, root_argument

_BUDGETS = {".cc": 500, ".h": 200}
_MORE_FOR_TESTS = 300
_CLASS_BUDGET = 250
_CLASS = re.compile(r"\s*(?:template\b.*>\s*)?(?:class|struct)\s+(?:\[\[[^]]*\]\]\s*)?([\w:]+)[^;()]*$")


def classes(text):
    """(line number, name, lines) of every class and struct."""
    code = code_lines(text)
    for index, line in enumerate(code):
        found = _CLASS.match(line)
        if not found or line.lstrip().startswith("template <") and "class " not in line.split(">")[-1]:
            continue
        depth, opened = 0, False
        for end in range(index, len(code)):
            if not opened and ";" in code[end].split("{")[0]:
                break
            depth += code[end].count("{") - code[end].count("}")
            opened = opened or "{" in code[end]
            if opened and depth <= 0:
                yield index + 1, found[1], end - index + 1
                break


def breaches(root):
    for path in cxx_files(root):
        lines = len((root / path).read_text().splitlines())
        budget = _BUDGETS[path.suffix] + (_MORE_FOR_TESTS if path.parts[0] == "tests" else 0)
        if lines > budget:
            yield f"{path}: {lines} lines, budget {budget}: find the second subject in it and give it a file"
        for number, name, size in classes((root / path).read_text()):
            if size > _CLASS_BUDGET:
                yield f"{path}:{number}: {name} has {size} lines, budget {_CLASS_BUDGET}: it is two things, or has functions that need no class"


if __name__ == "__main__":
    report("sizes", breaches(root_argument()))
