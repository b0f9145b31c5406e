#!/usr/bin/env python3
"""docs/parity.md: each flag and variable of docker buildx and the Depot CLI, what it does here, and where it was seen.

What the others have, and which files they read, stands in tests/parity/*.txt. What ours does is asked of the program itself: its help, and what it
says to each flag; of variables the list in plugin/options/settings.cc. test_parity_lists.py holds the lists against the
other programs, and the document against this one.

Usage: DEPOT_PLUGIN=/path/to/docker-depot python3 tests/e2e/parity.py [--fix]
"""

import ast
import dataclasses
import functools
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "parity.md"
# Values of flags that are not shown in help, and of variables that are refused or said to have no effect.
_VALUES = {
    "config": ".",
    "cpu-period": "1000",
    "cpu-quota": "1000",
    "cpu-shares": "2",
    "cpuset-cpus": "0",
    "cpuset-mems": "0",
    "invoke": "sh",
    "isolation": "default",
    "memory": "64m",
    "memory-swap": "-1",
    "print": "targets",
    "security-opt": "seccomp=unconfined",
}
# A builder that is not there: what a flag or variable means is said before.
_NOWHERE = {"DEPOT_BUILDER": "unix:///dev/null/none", "HOME": "/dev/null", "PATH": os.environ["PATH"]}
# The others have some of their flags only with it.
_EXPERIMENTAL = {"BUILDX_EXPERIMENTAL": "1"}
# Programs that are no builds have these, too: they are seen where they are words of a build.
_OF_MANY = ("config", "help")
# Functions of tests whose arguments are words behind `build`, and those with `build` among them.
_BUILDS = {"Case", "build", "fails", "fails_before_connecting"}
_RUNS = {"run_plugin", "start_plugin", "run_docker", "start_docker", "run_buildx", "start_buildx"}
_LIMITS = "works where BuildKit has limits of single builds; no builder of the tests has: what is sent is seen, not its effect"
# What a builder of the tests cannot show.
_AS_FAR_AS_SEEN = {
    **dict.fromkeys(("memory", "memory-swap", "cpu-shares", "cpu-period", "cpu-quota", "cpuset-cpus", "cpuset-mems"), _LIMITS),
    "resource": _LIMITS,
    "AWS_*": "works: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; roles and profiles are not followed, and a "
    "cache in S3 without the keys is said to be left out",
}
# Variables that are read by what this program stands on, and by whom.
INHERITED = {
    "KUBECONFIG": "kubectl",
    "HTTP_PROXY": "libcurl",
    "HTTPS_PROXY": "libcurl",
    "NO_PROXY": "libcurl",
}


@dataclasses.dataclass
class Flag:
    """A line of flags.txt; `shown` is by program: shown, hidden, or -."""

    name: str
    letter: str
    kind: str
    shown: dict


def flags():
    """Every flag of the others."""
    return [
        Flag(name, letter, kind, {"0.29.1": old, "HEAD": head, "depot": depot})
        for name, letter, kind, old, head, depot in _rows("flags.txt")
    ]


def variables():
    """{variable: the programs that read it}."""
    return {name: readers for name, *readers in _rows("variables.txt")}


def files():
    """(file, its readers, what ours does with it, tests that show it) of files.txt."""
    lines = (ROOT / "tests" / "parity" / "files.txt").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if line and not line.startswith("#")]
    return [(file, readers, here, tests.split()) for file, readers, here, tests in rows]


def has_test(name):
    """Whether there is a test FILE.test_x of tests/e2e, or ROOM.Suite.Case of tests/unit."""
    first, _, rest = name.partition(".")
    python = ROOT / "tests" / "e2e" / f"test_{first}.py"
    if python.exists():
        return re.search(rf"def {rest}\(", python.read_text()) is not None
    suite, _, case = rest.partition(".")
    units = (ROOT / "tests" / "unit" / first).glob("*_test.cc")
    return any(re.search(rf"TEST(_[FP])?\({suite}, {case}\)", path.read_text()) for path in units)


def readers_of(name):
    """The files of the program in which a variable is named, but for the list of all at the top of settings.cc."""
    word = f'"{name.rstrip("*")}' + ("" if name.endswith("*") else '"')
    return [path for path, text in _sources() if word in text]


@functools.cache
def _sources():
    paths = [path for room in ("driver", "plugin") for path in (ROOT / room).rglob("*.*")]
    return [(path, path.read_text().rpartition("KnownSettings() {\n  static")[2]) for path in paths]


def _rows(name):
    lines = (ROOT / "tests" / "parity" / name).read_text().splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def probe(words, env=None, program=None):
    """What a program says to `build WORDS`, where no builder is."""
    plugin = program or os.environ["DEPOT_PLUGIN"]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder, "Dockerfile").write_text("FROM scratch\n")
        return subprocess.run(
            [plugin, "build", *words],
            env={**_NOWHERE, **(_EXPERIMENTAL if program else {}), **(env or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )


def kind_of(word, program=None):
    """switch, text (also of lists), or unknown: what a program makes of `--flag` or `-x` at the end of its words."""
    said = probe([word], program=program)
    said = said.stdout + said.stderr
    if re.search(r"unknown (shorthand )?flag", said):
        return "unknown"
    return "text" if re.search(r"flag needs an? (argument|value)", said) else "switch"


def shown_in_help(program=None):
    """{flag: (letter or "-", switch or text)} of what `build --help` shows."""
    text = probe(["--help"], program=program).stdout
    rows = re.findall(r"^ +(?:-(\w), )?--([\w-]+)( [a-zA-Z]\w*)?(?=  |$)", text, re.M)
    return {name: (letter or "-", "text" if value else "switch") for letter, name, value in rows}


def fate_of_flag(flag, shown):
    """What ours does with a flag, in words."""
    if flag.name in _AS_FAR_AS_SEEN:
        return _AS_FAR_AS_SEEN[flag.name]
    if flag.name in shown:
        return "works"
    value = _VALUES.get(flag.name, "true")
    said = probe([f"--{flag.name}={value}", "."]).stderr
    if match := re.search(rf"--{flag.name}.*has no effect: (.*)", said):
        return f"accepted, and said: {match[1]}"
    if match := re.match(r"ERROR: (.*)\nhint: (.*)", said):
        if "/dev/null" not in match[1]:
            return f"refused: {match[1]}; {match[2]}"
    return "works"


@dataclasses.dataclass
class Setting:
    fate: str
    text: str


def settings():
    """{variable: Setting} of plugin/options/settings.cc."""
    source = (ROOT / "plugin" / "options" / "settings.cc").read_text()
    source = re.sub(r"//[^\n]*", "", source)
    texts = {name: _text(value) for name, value in re.findall(r"string_view (k\w+) =((?:\s*\"[^\"]*\")+);", source)}
    found = {}
    loop = r"(?:for \(std::string_view name\s*:\s*\{([^}]*)\}\)\s*\{?\s*)?"
    for names, body in re.findall(loop + r"all\.push_back\(\s*\{(.*?)\}\);", source, re.S):
        head, *rest = re.split(r",\s*", body, maxsplit=3)
        fate = next((part.removeprefix("Fate::k") for part in rest if part.startswith("Fate::")), "Honoured")
        text = rest[2] if len(rest) > 2 else ""
        for name in re.findall(r'"([^"]+)"', names or head):
            found[name] = Setting(fate, texts.get(text.strip()) or _text(text))
    return found


def _text(source):
    return "".join(re.findall(r'"((?:\\.|[^"\\])*)"', source)).replace('\\"', '"')


def fate_of_variable(setting):
    if setting.fate == "Honoured":
        return "works"
    words = {"Refused": "refused: ", "Said": "no effect, and said: ", "NoMatter": "no build is different for it"}
    return words[setting.fate] + setting.text


class Tests:
    """Which tests know a flag or a variable."""

    def __init__(self):
        paths = sorted((ROOT / "tests" / "e2e").glob("test_*.py"))
        self._texts = {path.stem.removeprefix("test_"): path.read_text() for path in paths}
        self._texts.pop("parity_lists")
        self._words = {name: set(words_of(text)) for name, text in self._texts.items()}
        units = sorted((ROOT / "tests" / "unit").glob("*/*_test.cc"))
        self._units = {f"{path.parent.name}.{path.stem.removesuffix('_test')}": path.read_text() for path in units}
        self._groups = _groups(self._texts.pop("invocations"))
        self._words.pop("invocations")
        self._words |= {f"invocations.{name}": set(words_of(text)) for name, text in self._groups.items()}

    def of_flag(self, flag):
        """A letter counts where it is a word of a build: `sh -c` and `git commit -m` are other programs'."""
        letter = "" if flag.letter == "-" else rf"|-{flag.letter}(=.*)?"
        word = re.compile(rf"--{flag.name}(=.*)?{letter}", re.S)
        found = {name for name, words in self._words.items() if any(word.fullmatch(one) for one in words)}
        if flag.name in _OF_MANY:
            return sorted(found)[:3]
        return self._which(re.compile(rf"(?<![\w-])--{flag.name}(?![\w-])"), found)

    def of_variable(self, name, setting):
        found = self._which(re.compile(re.escape(name.rstrip("*")) + ("" if name.endswith("*") else r"(?!\w)")))
        # test_parity_lists goes through all that do not work.
        return found if setting.fate == "Honoured" else [*found, "parity_lists"]

    def _which(self, pattern, found=()):
        """The tests whose text has the pattern, and those already found."""
        compared = [
            f"invocations.{name}"
            for name, text in self._groups.items()
            if pattern.search(text) or f"invocations.{name}" in found
        ]
        seen = [name for name, text in self._texts.items() if pattern.search(text) or name in found]
        units = [f"unit {name}" for name, text in self._units.items() if pattern.search(text)]
        return (compared + seen + units)[:3]


def words_of(source):
    """The words of builds in a piece of Python."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        extra = [keyword.value for keyword in call.keywords if keyword.arg == "extra"]
        texts = [text for part in [*call.args, *extra] for text in _texts(part)]
        if name in _BUILDS or (name in _RUNS and "build" in texts):
            yield from (word for text in texts for word in text.split())


def _texts(node):
    """Its strings, but for those that it hands to another function."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif not isinstance(node, ast.Call):
        for child in ast.iter_child_nodes(node):
            yield from _texts(child)


def _groups(text):
    """{case of test_invocations: the text of its tables}."""
    tables = dict(re.findall(r"^(_[A-Z_]+) = ([\[{(].*?^[\]})]|[^\n]*\n)", text, re.M | re.S))
    return {
        name: "\n".join(tables.get(table, "") for table in re.findall(r"\b(_[A-Z_]+)\b", body))
        for name, body in re.findall(r"    def test_(\w+)\(self\):\n((?:        [^\n]*\n)+)", text)
    }


def document():
    """The text of docs/parity.md as it should be."""
    shown, tests, known = shown_in_help(), Tests(), settings()
    lines = [_HEAD, "## Flags", "", "| flag | buildx 0.29.1 | buildx HEAD | depot | here | seen in |", "|---" * 6 + "|"]
    for flag in flags():
        name = f"`--{flag.name}`" + (f", `-{flag.letter}`" if flag.letter != "-" else "")
        theirs = " | ".join("yes" if shown == "shown" else shown for shown in flag.shown.values())
        lines.append(f"| {name} | {theirs} | {_cell(fate_of_flag(flag, shown))} | {_seen(tests.of_flag(flag))} |")
    more = sorted(shown.keys() - {flag.name for flag in flags()})
    lines += ["", "Only here: " + ", ".join(f"`--{name}`" for name in more) + ".", ""]
    lines += ["## Variables", "", "| variable | read by | here | seen in |", "|---" * 4 + "|"]
    for name, readers in variables().items():
        setting = known.get(name, Setting("Honoured", ""))
        fate = _AS_FAR_AS_SEEN.get(name) or (fate_of_variable(setting) if name in known else "not known here")
        lines.append(f"| `{name}` | {', '.join(readers)} | {_cell(fate)} | {_seen(tests.of_variable(name, setting))} |")
    more = sorted(known.keys() - variables().keys())
    lines += ["", "Only here: " + ", ".join(f"`{name}`" for name in more) + ".", ""]
    lines += [_FILES, "| file | read by | here | seen in |", "|---" * 4 + "|"]
    lines += [f"| {_cell(file)} | {readers} | {_cell(here)} | {', '.join(tests)} |" for file, readers, here, tests in files()]
    lines.append("")
    return "\n".join(lines)


def _cell(text):
    return text.replace("|", "\\|")


def _seen(tests):
    return ", ".join(tests) or "no test"


_HEAD = """# Parity with docker buildx and the Depot CLI

Each flag of `docker buildx build` (0.29.1, and HEAD at docker/buildx 461836ba0) and of `depot build` (2.102.12), also
those that their help hides, and each variable that they read for a build. Written by `tests/e2e/parity.py --fix` from
`tests/parity/`, from what this program says to each of them, and from the tests; `e2e.parity_lists` keeps it true. The
columns of 0.29.1 and of depot are held against these programs; HEAD was read in its sources, since nobody has a program of it.

"Seen in" names tests: files of `tests/e2e`, or of `tests/unit`. `invocations.X` are command lines that
`tests/e2e/test_invocations.py` plays through docker buildx and through us on the same builder, comparing exit codes,
images, files, metadata, output and the words of errors.
"""


_FILES = """## Files

What they read besides the Dockerfile and the context, for a build; of each, a test that shows what is done with it here.
"""


def main():
    text = document()
    if sys.argv[1:] == ["--fix"]:
        DOCUMENT.write_text(text)
    elif not DOCUMENT.exists() or DOCUMENT.read_text() != text:
        sys.exit("docs/parity.md is out of date: run tests/e2e/parity.py --fix")


if __name__ == "__main__":
    main()
