#!/usr/bin/env python3
"""Checks that headers are contracts: types, pure virtual functions and free functions carry a /// comment.

At least 95 of 100 do, counted over all headers of the product; what a class keeps private is not part of its contract.
Free functions that stand together, without an empty line in between, share the comment above the first of them.

Usage: contracts.py REPOSITORY
"""

import re

from sources import code_lines, product_files, report, root_argument

_NEEDED = 0.95
_TYPE = re.compile(r"\s*(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(?:\[\[[^]]*\]\]\s*)?(\w+)\b[^;()]*$")
_TYPE_ON_A_LINE = re.compile(r"\s*(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(\w+)[^;(){]*\{")
_VIRTUAL = re.compile(r"\s*virtual\s+(?!~)")
_NAMESPACE = re.compile(r"\s*(?:inline\s+)?namespace\b[^;]*\{")
_NO_FUNCTION = re.compile(r"(?:using|typedef|class|struct|union|enum|friend|static_assert|namespace)\b|[^(]*=")


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


def free_functions(text):
    """(line number, name, has a comment) of every function declared or defined outside of classes."""
    raw = text.splitlines()
    code = [line if index == 0 or not raw[index - 1].endswith("\\") else "" for index, line in enumerate(code_lines(text))]
    depth, index, group = 0, 0, (-1, False)
    while index < len(code):
        line = code[index]
        if depth or not line.strip() or line.lstrip().startswith("#") or _NAMESPACE.match(line) or line.strip() == "}":
            opens = 0 if _NAMESPACE.match(line) else line.count("{") - line.count("}")
            depth = max(depth + opens, 0)
            index += 1
            continue
        end = index
        while end + 1 < len(code) and not re.search(r"[;{]", code[end]):
            end += 1
        statement = " ".join(code[index : end + 1])
        head = re.sub(r"\[\[.*?\]\]|^\s*template\s*<[^{;]*?>\s(?=[\w:])", " ", statement).strip()
        found = None if _NO_FUNCTION.match(head) else re.search(r"(operator\s*[^\s(]+|\w+)\s*\(", head)
        if found:
            told = _is_told(raw, code, index) or group == (index - 1, True)
            yield index + 1, found[1], told
            group = (end, told)
        depth = max(sum(part.count("{") - part.count("}") for part in code[index : end + 1]), 0)
        index = end + 1


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
            text = (root / path).read_text()
            for number, name, commented in [*declarations(text), *free_functions(text)]:
                told += commented
                if not commented:
                    silent.append(f"{path}:{number}: {name} has no /// comment: purpose, ownership, threads, what failure means")
    total = told + len(silent)
    print(f"contracts: {told} of {total} types, pure virtual and free functions are commented")
    return silent if total and told < _NEEDED * total else []


if __name__ == "__main__":
    report("contracts", breaches(root_argument()))
