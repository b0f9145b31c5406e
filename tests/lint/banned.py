#!/usr/bin/env python3
"""Checks for things this code base has one place for, or none. Every message names what to use instead.

Usage: banned.py REPOSITORY
"""

import dataclasses
import re

from sources import code_lines, files, product_files, report, root_argument


@dataclasses.dataclass
class Rule:
    """`pattern` is not to be found in code, but in the files whose path matches `allowed`."""

    pattern: str
    instead: str
    allowed: str = r"(?!)"


_RULES = [
    Rule(
        r"\bstd::(jthread\b|thread\b(?!::)|async\b)|\bpthread_create\b|\.detach\s*\(",
        "start threads with TaskGroup (driver/base/task_group.h)",
        r"driver/base/task_group\.(h|cc)",
    ),
    Rule(
        r"\bsleep_(for|until)\b|\b(u|nano)?sleep\s*\(",
        "sleep with Cancel::SleepFor (driver/base/cancel.h), so that it can be interrupted",
    ),
    Rule(
        r"\b(secure_)?getenv\b|\b(set|put|unset)env\b",
        "pass the environment in: only main.cc reads it",
        r"(plugin|pool)/main\.cc",
    ),
    Rule(
        r"\bstd::(cout|cerr|clog)\b|(?<!\w)(std::)?v?f?printf\s*\(|(?<![\w.>])(std::)?(puts|fputs|perror|putchar)\s*\(|\bSTD(OUT|ERR)_FILENO\b",
        "say it with an event (driver/event/step.h) or return it in an Error: only the terminal writes to the screen",
        r"plugin/(progress/terminal|main)\.cc|pool/main\.cc",
    ),
    Rule(
        r"\bcatch\s*\(",
        "return a Result (driver/base/result.h): exceptions end in the file that translates their library",
        r"(plugin|pool)/main\.cc|pool/command_line\.cc|driver/base/(json|yaml|task_group)\.cc",
    ),
    Rule(r"\bthrow\b", "return Fail(...) (driver/base/result.h): nothing here throws"),
    Rule(r"\bstd::sto(i|l|ll|ul|ull|f|d|ld)\b|\bato(i|l|ll|f)\s*\(", "use ParseDecimal (driver/base/text.h): it neither throws nor guesses"),
    Rule(r"\bstd::regex\b|\bstd::basic_regex\b", "match by hand: std::regex throws, and takes exponential time on hostile text"),
    Rule(r"(?<![\w.>:])(system|popen)\s*\(", "run programs with RunSubprocess (driver/base/subprocess.h): no shell is in between"),
    Rule(r"\bs?rand(om)?\s*\(\)|\bsrand\b|\bmt19937|\brandom_device\b", "use RandomBytes (driver/base/random.h)"),
    Rule(r"\b__(DATE|TIME|TIMESTAMP)__\b", "leave it out: the same sources give the same bytes at any time"),
    Rule(r"\busing namespace\b(?!\s+std::[\w:]*literals)", "name what is used"),
]
_UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
_NOLINT = re.compile(r"NOLINT(NEXTLINE|BEGIN)?\b(\(([^)]*)\))?")
_OWN_FILE = "banned.py"


def code_breaches(path, text):
    for number, line in enumerate(code_lines(text), 1):
        for rule in _RULES:
            found = re.search(rule.pattern, line)
            if not found or re.fullmatch(rule.allowed, str(path)):
                continue
            yield f"{path}:{number}: {found.group().strip()}: {rule.instead}"
    for number, line in enumerate(text.splitlines(), 1):
        found = _NOLINT.search(line)
        if found and (not found[3] or "function-size" in found[3] or "*" in found[3]):
            yield f"{path}:{number}: NOLINT: name the one check, and never function-size: split the function instead"


def text_breaches(path, text):
    if "\0" in text:
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = _UNFINISHED.search(line)
        if found and path.name != _OWN_FILE:
            yield f"{path}:{number}: {found.group()}: finish it, or open an issue"


def breaches(root):
    for path in product_files(root):
        yield from code_breaches(path, (root / path).read_text())
    for path in files(root):
        if path.suffix in (".cc", ".h", ".c", ".py", ".sh", ".cmake", ".proto", ".txt", ".md", ""):
            yield from text_breaches(path, (root / path).read_text(errors="replace"))


if __name__ == "__main__":
    report("banned", breaches(root_argument()))
