"""A builder that misbehaves as a test says; rig/hostile_builder.cc explains the script.

    with HostileBuilder(self.folder, {"frontend": [{"do": "secret", "id": "x"}]}) as builder:
        self.build(context, builder=builder.url)
    builder.answers  # [{"do": "secret", "code": 5, "message": "...", "data": ""}]

The program is what DEPOT_HOSTILE_BUILDER names (CMake's target hostile_builder).
"""

import json
import os
import subprocess

OK, NOT_FOUND, UNIMPLEMENTED = 0, 5, 12

# Bits of Go's os.FileMode, which is what a Stat carries.
DIRECTORY, SYMLINK = 1 << 31, 1 << 27


class HostileBuilder:
    """Serves until the end of the `with`; `answers` is what the client said to each request."""

    _count = 0

    def __init__(self, folder, script):
        program = os.environ.get("DEPOT_HOSTILE_BUILDER")
        if not program:
            raise AssertionError("DEPOT_HOSTILE_BUILDER does not name the program to run")
        HostileBuilder._count += 1
        place = folder / f"hostile{HostileBuilder._count}"
        place.mkdir()
        (place / "script.json").write_text(json.dumps(script))
        self._said = place / "answers"
        self.url = f"unix://{place}/sock"
        with open(self._said, "wb") as said:
            self._process = subprocess.Popen(
                [program, place / "sock", place / "script.json"], stdout=said
            )
        while not self._said.read_bytes():
            if self._process.poll() is not None:
                raise AssertionError("the hostile builder did not start")

    @property
    def answers(self):
        return [json.loads(line) for line in self._said.read_text().splitlines()[1:]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
