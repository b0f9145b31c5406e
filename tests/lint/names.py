#!/usr/bin/env python3
"""Checks that what a file keeps to itself has a name of its own in the room: releases and sanitized builds compile a room's
files as one, where a second function of that name is an overload, which may be called in place of the first.

Usage: names.py REPOSITORY
"""

import re

from sources import code_lines, product_files, report, root_argument

_BEGIN = re.compile(r"^namespace \{")
_ALIAS = re.compile(r"^using (\w+) =")
_DEFINED = (
    _ALIAS,
    re.compile(r"^(?:class|struct|union|enum(?: class)?) (\w+)\b(?!\w*;)"),
    re.compile(r"^(?:inline |static |thread_local )*(?:constexpr|const) [^=({]*?\b(\w+)(?:\[\w*\])? ?(?:=|\(|\{|;)"),
    re.compile(r"^(?!\s|return\b|using\b|template\b|static_assert\b|class\b|struct\b|#)[\w:<>&*,\[\] ]*?[\w>&*\]] [&*]?(\w+)\("),
)


def own_names(text):
    """(line number, name, meaning) of what a .cc file defines for itself: in its unnamed namespaces, at the beginning of a
    line. The meaning is that of an alias, which may be said twice."""
    inside = False
    for number, (raw, line) in enumerate(zip(text.splitlines(), code_lines(text)), 1):
        if _BEGIN.match(line):
            inside = True
        elif line.startswith("}") and raw.strip() == "}  // namespace":
            inside = False
        elif inside:
            found = next((match for pattern in _DEFINED if (match := pattern.match(line))), None)
            if found:
                yield number, found[1], line if _ALIAS.match(line) else None


def breaches(root):
    first = {}
    for path in product_files(root):
        if path.suffix != ".cc":
            continue
        for number, name, meaning in own_names((root / path).read_text()):
            other, meant = first.setdefault((path.parent, name), (path, meaning))
            if other != path and (meaning is None or meaning != meant):
                yield f"{path}:{number}: {name}: {other} has one too: give it a name of its own, or declare it once for both"


if __name__ == "__main__":
    report("names", breaches(root_argument()))
