#!/usr/bin/env python3
"""Checks the rooms: who may include whom, where third-party headers may appear, and that README tells the truth.

The allowed arrows are read from the depot_room(... MAY_USE ...) calls of CMakeLists.txt, so the build and this check
cannot disagree; an arrow that no include uses is a breach too. Prints one line per breach. --fix takes such arrows away
and writes README's table anew, but for the words about each room, which are a person's.

Usage: layering.py REPOSITORY [--fix]
"""

import dataclasses
import re
import sys
from pathlib import PurePath

from sources import product_files, report, root_argument

# A header that costs a second or more per file stays in .cc files, of rooms that declare its library.
_HEAVY = {
    r"nlohmann/": "depot_json",
    r"curl/": "depot_curl",
    r"nghttp2/": "depot_nghttp2",
    r"openssl/(?!types\.h)": "depot_openssl",
    r"yaml-cpp/": "depot_yaml",
    r"re2/": "depot_re2",
    r"uni(case|ctype|gbrk|norm|str)\.h": "depot_unistring",
    r"crypt\.h": "depot_crypt",
    r"sqlite3": "depot_sqlite",
    r"libpq-fe": "depot_postgres",
    r"boost/": "depot_boost",
    r"CLI/|CLI11\.hpp": "depot_cli11",
    r"google/protobuf/": "depot_protocol",
    r"proto/.*\.pb\.h": "depot_protocol",
}
_INCLUDE = re.compile(r'\s*#\s*include\s+[<"]([^">]+)[">]')
_DRAWERS = re.compile(r"(^|_)(utils?|common|core|misc|helpers?|managers?)(_|\.|$)")
_README_ROW = re.compile(r"^\|\s*`?((?:driver|plugin|pool)/\w+)`?\s*\|([^|]*)\|([^|]*)\|[^\S\n]*$", re.M)
_LONGEST_LINE = 120


@dataclasses.dataclass
class Room:
    libraries: set
    may_use: set


def declared_rooms(root):
    """Room name -> Room, in the order of CMakeLists.txt."""
    text = re.sub(r"#[^\n]*", "", (root / "CMakeLists.txt").read_text())
    rooms = {}
    for name, body in re.findall(r"^\s*depot_room\(\s*([\w/]+)([^)]*)\)", text, re.M):
        parts = re.split(r"\b(LIBRARIES|MAY_USE)\b", body)
        said = {keyword: set(words.split()) for keyword, words in zip(parts[1::2], parts[2::2])}
        rooms[name] = Room(said.get("LIBRARIES", set()), said.get("MAY_USE", set()))
    return rooms


def arrow_breaches(rooms):
    """A room may use only rooms declared before it: so there is no circle, and driver/ stays below plugin/."""
    before = set()
    for name, room in rooms.items():
        for used in sorted(room.may_use - before):
            yield f"CMakeLists.txt: {name} may not use {used}: declare {used} before it, and make no circle"
        if name.startswith("driver/"):
            for used in sorted(u for u in room.may_use if u.startswith("plugin/")):
                yield f"CMakeLists.txt: {name} may not use {used}: the driver knows nothing of the plugin"
        if name.startswith("pool/"):
            for used in sorted(u for u in room.may_use if u.startswith("plugin/")):
                yield f"CMakeLists.txt: {name} may not use {used}: the pool is a program of its own"
        before.add(name)


def room_of(path):
    """driver/oci/digest.h -> driver/oci; plugin/main.cc -> None: a top file, which may include every room."""
    return "/".join(path.parts[:2]) if len(path.parts) > 2 else None


def include_breaches(path, text, rooms):
    name = room_of(path)
    room = rooms.get(name)
    for number, line in enumerate(text.splitlines(), 1):
        include = _INCLUDE.match(line)
        if not include:
            continue
        target = include[1]
        where = f"{path}:{number}:"
        for pattern, library in _HEAVY.items():
            if not re.match(pattern, target):
                continue
            if path.suffix == ".h":
                yield f"{where} {target} is heavy: forward-declare, and include it in the .cc"
            elif room and library not in room.libraries:
                yield f"{where} {name} may not include {target}: its depot_room() has no LIBRARIES {library}"
        if target.startswith("tests/"):
            yield f"{where} the product includes nothing of tests/"
        if target.startswith(("driver/", "plugin/", "pool/")) and room:
            used = room_of(PurePath(target))
            if used != name and used not in room.may_use:
                known = ", ".join(sorted(room.may_use)) or "nothing"
                yield f"{where} {name} may not include {target} (may use: {known})"


def used_rooms(root, rooms):
    """Room name -> the rooms that its files include."""
    used = {name: set() for name in rooms}
    for path in product_files(root):
        includes = (_INCLUDE.match(line) for line in (root / path).read_text().splitlines())
        used.get(room_of(path), set()).update(room_of(PurePath(include[1])) for include in includes if include)
    return used


def unused_breaches(root, rooms):
    for name, used in used_rooms(root, rooms).items():
        for spare in sorted(rooms[name].may_use - used):
            yield f"CMakeLists.txt: {name} may use {spare}, but includes nothing of it: layering.py . --fix takes it away"


def place_breaches(path, rooms):
    if any(_DRAWERS.search(part) for part in path.parts):
        yield f"{path}: the name says nothing about the content; name the subject"
    if path.parts[0] == "driver" and len(path.parts) != 3 or len(path.parts) > 3:
        yield f"{path}: a room is one folder, driver/ROOM or plugin/ROOM, without folders below"
    elif room_of(path) and room_of(path) not in rooms:
        yield f"{path}: {room_of(path)} is not a room: declare it with depot_room() in CMakeLists.txt"


def readme_breaches(text, rooms):
    """The table of rooms of README.md names a used room by its last word."""
    told = {name: set(words.replace("`", "").split()) - {"-", "–"} for name, _, words in _README_ROW.findall(text)}
    for name, room in rooms.items():
        wanted = {used.split("/")[1] for used in room.may_use}
        if name not in told:
            yield f"README.md: the table of rooms lacks {name}"
        elif told[name] != wanted:
            yield f"README.md: {name} may use: {' '.join(sorted(wanted)) or '-'} (CMakeLists.txt), not {' '.join(sorted(told[name]))}"
    for name in sorted(set(told) - set(rooms)):
        yield f"README.md: the table of rooms has {name}, CMakeLists.txt does not"


def declaration(name, libraries, may_use):
    """One depot_room() of CMakeLists.txt, on as many lines as it needs."""
    text = f"depot_room({name}" + (f" LIBRARIES {' '.join(libraries)}" if libraries else "")
    if not may_use:
        return text + ")"
    if len(text) + sum(len(used) + 1 for used in may_use) + len(" MAY_USE)") <= _LONGEST_LINE:
        return f"{text} MAY_USE {' '.join(may_use)})"
    lines = ["  MAY_USE"]
    for used in may_use:
        if len(lines[-1]) + len(used) + len(" )") > _LONGEST_LINE:
            lines.append("   ")
        lines[-1] += f" {used}"
    return "\n".join([text, *lines]) + ")"


def fix(root):
    """Takes unused arrows out of CMakeLists.txt, and writes the table of README.md by what is left."""
    used = used_rooms(root, declared_rooms(root))
    text = (root / "CMakeLists.txt").read_text()

    def rewritten(call):
        name = call[1]
        parts = re.split(r"\b(LIBRARIES|MAY_USE)\b", call[2])
        said = {keyword: words.split() for keyword, words in zip(parts[1::2], parts[2::2])}
        kept = [room for room in said.get("MAY_USE", []) if room in used[name]]
        if kept == said.get("MAY_USE", []):
            return call[0]
        return declaration(name, said.get("LIBRARIES", []), kept)

    (root / "CMakeLists.txt").write_text(re.sub(r"^depot_room\(([\w/]+)([^)]*)\)", rewritten, text, flags=re.M))
    rooms = declared_rooms(root)
    readme = (root / "README.md").read_text()
    words = {name: about.strip() for name, about, _ in _README_ROW.findall(readme)}
    rows = []
    for name, room in rooms.items():
        arrows = " ".join(other.split("/")[1] for other in rooms if other in room.may_use)
        rows.append(f"| `{name}` | {words.get(name, '?')} | {arrows or '-'} |\n")
    table = re.compile(r"(?:^\|\s*`?(?:driver|plugin|pool)/\w+`?\s*\|[^\n]*\n)+", re.M)
    (root / "README.md").write_text(table.sub(lambda _: "".join(rows), readme, count=1))


def breaches(root):
    rooms = declared_rooms(root)
    if not rooms:
        yield "CMakeLists.txt: no depot_room() found"
    yield from arrow_breaches(rooms)
    yield from unused_breaches(root, rooms)
    for path in product_files(root):
        yield from place_breaches(path, rooms)
        yield from include_breaches(path, (root / path).read_text(), rooms)
    yield from readme_breaches((root / "README.md").read_text(), rooms)


if __name__ == "__main__":
    if "--fix" in sys.argv[2:]:
        fix(root_argument())
    report("layering", breaches(root_argument()))
