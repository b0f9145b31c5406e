#!/usr/bin/env python3
"""Checks that headers are contracts: types and pure virtual functions carry a /// comment.

At least 95 of 100 do, counted over all headers of driver/ and plugin/; what a class keeps private is not part of its
contract. Usage: contracts.py REPOSITORY
"""

import re

from sources import code_lines, product_files, report, root_argument

_NEEDED = 0.95
_TYPE = re.compile(r"\s*(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(?:\[\[[^]]*\]\]\s*)?(\w+)\b[^;()]*$")
_TYPE_ON_A_LINE = re.compile(r"\s*(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(\w+)[^;(){]*\{")
_VIRTUAL = re.compile(r"\s*virtual\s+(?!~)")


def declarations(text):
    """(line number, name, has a comment) of every type definition and pure virtual function of a header."""
    raw = text.splitlines()
    code = code_lines(text)
    private = False
    for index, line in enumerate(code):
        section = re.match(r"\s+(private|protected|public):|\};", line)
        private = section[1] == "private" if section else private
        if private:
            continue
        found = _TYPE_ON_A_LINE.match(line) or _TYPE.match(line)
        if found and not line.lstrip().startswith("friend"):
            yield index + 1, found[1], _is_told(raw, code, index)
        elif _VIRTUAL.match(line):
            statement = " ".join(code[index : index + 8]).split(";")[0]
            if re.search(r"=\s*0\s*$", statement):
                yield index + 1, re.search(r"(\w+)\s*\(", statement)[1], _is_told(raw, code, index)


def _is_told(raw, code, index):
    if "///<" in raw[index]:
        return True
    above = index - 1
    while above >= 0 and re.match(r"\s*(template\b|\[\[|requires\b)", code[above]):
        above -= 1
    return above >= 0 and raw[above].lstrip().startswith("///")


def breaches(root):
    told, silent = 0, []
    for path in product_files(root):
        if path.suffix == ".h":
            for number, name, commented in declarations((root / path).read_text()):
                told += commented
                if not commented:
                    silent.append(f"{path}:{number}: {name} has no /// comment: purpose, ownership, threads, what failure means")
    total = told + len(silent)
    print(f"contracts: {told} of {total} types and pure virtual functions are commented")
    return silent if total and told < _NEEDED * total else []


if __name__ == "__main__":
    report("contracts", breaches(root_argument()))
