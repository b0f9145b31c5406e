#!/usr/bin/env python3
"""Checks the rooms: who may include whom, where third-party headers may appear, and that README tells the truth.

The allowed arrows are read from the depot_room(... MAY_USE ...) calls of CMakeLists.txt, so the build and this check
cannot disagree. Prints one line per breach. Usage: layering.py REPOSITORY
"""

import dataclasses
import re
from pathlib import PurePath

from sources import product_files, report, root_argument

# A header that costs a second or more per file stays in .cc files, of rooms that declare its library.
_HEAVY = {
    r"nlohmann/": "depot_json",
    r"curl/": "depot_curl",
    r"nghttp2/": "depot_nghttp2",
    r"openssl/(?!types\.h)": "depot_openssl",
    r"yaml-cpp/": "depot_yaml",
    r"sqlite3": "depot_sqlite",
    r"boost/": "depot_boost",
    r"CLI/|CLI11\.hpp": "depot_cli11",
    r"google/protobuf/": "depot_protocol",
    r"proto/.*\.pb\.h": "depot_protocol",
}
_INCLUDE = re.compile(r'\s*#\s*include\s+[<"]([^">]+)[">]')
_DRAWERS = re.compile(r"(^|_)(utils?|common|core|misc|helpers?|managers?)(_|\.|$)")
_README_ROW = re.compile(r"^\|\s*`?((?:driver|plugin|pool)/\w+)`?\s*\|[^|]*\|([^|]*)\|\s*$", re.M)


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


def place_breaches(path, rooms):
    if any(_DRAWERS.search(part) for part in path.parts):
        yield f"{path}: the name says nothing about the content; name the subject"
    if path.parts[0] == "driver" and len(path.parts) != 3 or len(path.parts) > 3:
        yield f"{path}: a room is one folder, driver/ROOM or plugin/ROOM, without folders below"
    elif room_of(path) and room_of(path) not in rooms:
        yield f"{path}: {room_of(path)} is not a room: declare it with depot_room() in CMakeLists.txt"


def readme_breaches(text, rooms):
    """The table of rooms of README.md names a used room by its last word."""
    told = {name: set(words.replace("`", "").split()) - {"-", "–"} for name, words in _README_ROW.findall(text)}
    for name, room in rooms.items():
        wanted = {used.split("/")[1] for used in room.may_use}
        if name not in told:
            yield f"README.md: the table of rooms lacks {name}"
        elif told[name] != wanted:
            yield f"README.md: {name} may use: {' '.join(sorted(wanted)) or '-'} (CMakeLists.txt), not {' '.join(sorted(told[name]))}"
    for name in sorted(set(told) - set(rooms)):
        yield f"README.md: the table of rooms has {name}, CMakeLists.txt does not"


def breaches(root):
    rooms = declared_rooms(root)
    if not rooms:
        yield "CMakeLists.txt: no depot_room() found"
    yield from arrow_breaches(rooms)
    for path in product_files(root):
        yield from place_breaches(path, rooms)
        yield from include_breaches(path, (root / path).read_text(), rooms)
    yield from readme_breaches((root / "README.md").read_text(), rooms)


if __name__ == "__main__":
    report("layering", breaches(root_argument()))
