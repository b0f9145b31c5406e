#!/usr/bin/env python3
"""Ends a run of the tests with what a reader of its last page wants: where the time went, and what failed, and how.

Usage: summary.py JUNIT AGAIN        files that ctest --output-junit wrote; AGAIN, if there is one, of second tries
       summary.py --once-more JUNIT  prints a regular expression for the tests to try a second time; ends with 1 when
                                     there are none, or so many that it was no accident
"""

import collections
import os
import re
import sys
import xml.etree.ElementTree as ET

_GROUPS = 12
_LINES = 40
# The sanitizers, unit tests, fuzz harnesses and lints answer the same when they are alone: only these share engines.
_SHARING = "e2e."
_ACCIDENTS = 3


def read(path):
    return ET.parse(path).getroot().findall("testcase")


def failed(cases):
    return [case for case in cases if case.get("status") == "fail"]


def group(name):
    """asan, lint, e2e.push: whose tests are many and alike."""
    words = name.split(".")
    return ".".join(words[: 2 if words[0] in ("e2e", "lint", "rig", "release") else 1])


def once_more(cases):
    """A pattern of the tests that a second try may excuse; nothing when there are others."""
    names = [case.get("name") for case in failed(cases)]
    if not names or len(names) > _ACCIDENTS or not all(name.startswith(_SHARING) for name in names):
        return ""
    return f"^({'|'.join(map(re.escape, names))})$"


def show(case, how):
    why = case.find("failure").get("message")
    lines = (case.findtext("system-out") or "(no output)").rstrip().splitlines()
    print(f"\n==> {case.get('name')} {how} after {float(case.get('time')):.0f} s{': ' if why else ''}{why}")
    print("\n".join(lines[-_LINES:]))


def summarize(cases, passed_alone):
    seconds = collections.Counter()
    for case in cases:
        seconds[group(case.get("name"))] += float(case.get("time"))
    longest = (f"{name} {spent:.0f}" for name, spent in seconds.most_common(_GROUPS))
    print(f"\n==> seconds of tests, side by side with others: {', '.join(longest)}")
    excused = []
    lost = []
    for case in failed(cases):
        alone = case.get("name") in passed_alone
        (excused if alone else lost).append(case.get("name"))
        show(case, "passed alone; beside others it failed" if alone else "failed")
    if excused:
        print(f"\n==> passed only when tried once more, alone: {', '.join(excused)}")
    left_out = sum(case.get("status") == "notrun" for case in cases)
    print(f"\n==> {len(cases) - len(lost) - left_out} passed, {len(lost)} failed, {left_out} not run")


def main(arguments):
    if arguments[0] == "--once-more":
        pattern = once_more(read(arguments[1]))
        print(pattern)
        return 0 if pattern else 1
    again = read(arguments[1]) if os.path.exists(arguments[1]) else []
    summarize(read(arguments[0]), {case.get("name") for case in again if case.get("status") == "run"})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
