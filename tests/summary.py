#!/usr/bin/env python3
"""Ends a run of the tests with what a reader of its last page wants: where the time went, and what failed, and how.

Usage: summary.py JUNIT   the file that ctest --output-junit wrote
"""

import collections
import sys
import xml.etree.ElementTree as ET

_GROUPS = 12
_LINES = 40


def group(name):
    """asan, lint, e2e.push: whose tests are many and alike."""
    words = name.split(".")
    return ".".join(words[: 2 if words[0] in ("e2e", "lint", "rig", "release") else 1])


def main(path):
    cases = ET.parse(path).getroot().findall("testcase")
    seconds = collections.Counter()
    for case in cases:
        seconds[group(case.get("name"))] += float(case.get("time"))
    longest = (f"{name} {spent:.0f}" for name, spent in seconds.most_common(_GROUPS))
    print(f"\n==> seconds of tests, side by side with others: {', '.join(longest)}")
    failed = [case for case in cases if case.get("status") == "fail"]
    for case in failed:
        why = case.find("failure").get("message")
        lines = (case.findtext("system-out") or "(no output)").rstrip().splitlines()
        print(f"\n==> {case.get('name')} failed after {float(case.get('time')):.0f} s{': ' if why else ''}{why}")
        print("\n".join(lines[-_LINES:]))
    left_out = sum(case.get("status") == "notrun" for case in cases)
    print(f"\n==> {len(cases) - len(failed) - left_out} passed, {len(failed)} failed, {left_out} not run")


if __name__ == "__main__":
    main(sys.argv[1])
