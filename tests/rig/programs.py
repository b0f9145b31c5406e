"""Programs of the rig's own, compiled once."""

import hashlib

from settings import CACHE, SOURCES
from steps import run, step

_FLAGS = ["-std=c++20", "-O2", "-Wall", "-Wextra"]


def compiled(name, flags=(), libraries=()):
    """The path of the program whose source is NAME.cc, compiled now unless the cache has this very source."""
    source = SOURCES / f"{name}.cc"
    words = [*_FLAGS, *flags]
    key = hashlib.sha256(source.read_bytes() + " ".join(words).encode()).hexdigest()[:16]
    program = CACHE / f"{name}-{key}"
    if not program.exists():
        with step(f"compiled {name}"):
            fresh = program.with_suffix(".new")
            program.parent.mkdir(parents=True, exist_ok=True)
            run(["g++", *words, "-o", fresh, source, *libraries])
            fresh.rename(program)
    return program
