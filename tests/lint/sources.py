"""What the lints read: the files of the repository, and C++ text without its comments and strings."""

import os
import re
import sys
from pathlib import Path

# Not ours to judge: what git and builds leave behind. Only the top has folders of that kind: driver/build is a room.
_SKIPPED = {".git", "__pycache__"}
_SKIPPED_AT_THE_TOP = {"build", "dist"}
# Bytes for the fuzz harnesses, which may look like anything.
_SEEDS = Path("tests/fuzz/seeds")
_CXX_TOKEN = re.compile(
    r'R"(?P<mark>[^ ()\\\t\n]*)\((?s:.*?)\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'"
    r"|//[^\n]*|/\*(?s:.*?)\*/"
)


def files(root):
    """Every file of the repository, as paths relative to `root`, sorted."""
    found = []
    for folder, below, names in os.walk(root):
        at_the_top = Path(folder) == Path(root)
        below[:] = sorted(set(below) - _SKIPPED - (_SKIPPED_AT_THE_TOP if at_the_top else set()))
        if _SEEDS not in (Path(folder).relative_to(root), *Path(folder).relative_to(root).parents):
            found += [(Path(folder) / name).relative_to(root) for name in names]
    return sorted(found)


def product_files(root):
    """The C++ files of the product: driver/, plugin/ and pool/."""
    return [path for path in files(root) if path.parts[0] in ("driver", "plugin", "pool") and path.suffix in (".cc", ".h")]


def cxx_files(root):
    """All C++ files, tests too."""
    return [path for path in files(root) if path.suffix in (".cc", ".h")]


def code_lines(text):
    """The lines of C++ code with comments and the content of strings blanked; #include lines stay whole."""

    def blank(match):
        token = match.group()
        kept = re.sub(r"[^\n]", " ", token)
        return kept if token.startswith("/") else token[0] + kept[1:-1] + token[-1] if len(kept) > 1 else kept

    raw = text.splitlines()
    code = _CXX_TOKEN.sub(blank, text).splitlines()
    return [line if line.lstrip().startswith("#include") else blanked for line, blanked in zip(raw, code)]


def report(name, breaches):
    """Prints one line per breach, or that there is none; exits with 1 or 0."""
    breaches = list(breaches)
    print("\n".join(breaches) if breaches else f"{name}: ok")
    if breaches:
        print(f"{name}: {len(breaches)} to mend")
    sys.exit(bool(breaches))


def root_argument():
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} REPOSITORY")
    return Path(sys.argv[1]).resolve()
