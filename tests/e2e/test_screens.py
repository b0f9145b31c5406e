"""The pictures in README: they are there, and the script that makes them still can."""

import re
import subprocess
import xml.etree.ElementTree
from pathlib import Path

from harness import EndToEnd

_ROOT = Path(__file__).resolve().parents[2]
# Of one of them, in bytes.
_LARGEST = 60_000


class Screens(EndToEnd):
    def test_they_are_there_and_small(self):
        names = re.findall(r"\]\((docs/[^)]*\.(?:svg|png))\)", (_ROOT / "README.md").read_text())
        self.assertEqual(len(names), 3)
        for name in names:
            self.assertLess((_ROOT / name).stat().st_size, _LARGEST, name)

    def test_they_can_be_made(self):
        made = ["terminal", "gitlab"]
        subprocess.run([_ROOT / "tests/screens", "--pause=0.3", "--into", self.work, *made], check=True, stdout=subprocess.DEVNULL)
        texts = {}
        for name in made:
            picture = xml.etree.ElementTree.parse(self.work / f"{name}.svg")
            texts[name] = " ".join(piece.text or "" for piece in picture.iter())
        self.assertRegex(texts["terminal"], r"\[\+\] Building .*=> => # cc -O2")
        self.assertRegex(texts["gitlab"], "\u25be .*make test .*ERROR.*not ok - reads an empty file.*ERROR: ")
        self.assertRegex(texts["gitlab"], "make manual")
