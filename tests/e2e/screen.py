"""A small terminal: it knows what a display may send, refuses all else, and tells what is seen."""

import re
import unicodedata

_SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;:]*)([A-Za-z])")


def width(character):
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """rows x columns cells; `history` are the lines that scrolled away.

    A resized one leaves its lines as they are, as xterm does.
    """

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.history = []
        self.lines = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.cursor_visible = self.wraps = True
        self.coloured = False
        self._rest = ""

    def resize(self, rows, columns):
        self.lines = [(line + [" "] * columns)[:columns] for line in self.lines]
        while len(self.lines) > rows:
            if self.row < len(self.lines) - 1:
                self.lines.pop()
            else:
                self.history.append(self.lines.pop(0))
                self.row -= 1
        while len(self.lines) < rows:
            self.lines.append([" "] * columns)
        self.rows, self.columns = rows, columns
        self.column = min(self.column, columns - 1)

    def feed(self, text):
        text = self._rest + text
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = _SEQUENCE.match(text, at)
                if not found and len(text) - at < 40 and re.fullmatch(r"\x1b(\[[?0-9;:]*)?", text[at:]):
                    break
                assert found, f"what a display may not send: {text[at : at + 20]!r}"
                self._sequence(*found.groups())
                at = found.end()
            else:
                self._character(text[at])
                at += 1
        self._rest = text[at:]

    def text(self):
        """All lines, the oldest first, without blanks at their ends and empty lines at the end."""
        lines = ["".join(line).rstrip() for line in [*self.history, *self.lines]]
        return "\n".join(lines).rstrip("\n")

    def _sequence(self, private, parameters, letter):
        number = int(parameters) if parameters.isdigit() else 0
        if private and letter in "hl" and number in (7, 25):
            setattr(self, "wraps" if number == 7 else "cursor_visible", letter == "h")
        elif letter == "m" and not private:
            self.coloured = parameters not in ("", "0")
        elif letter == "A" and not private:
            self.row = max(0, self.row - max(1, number))
        elif letter == "K" and not parameters and not private:
            self.lines[self.row][self.column :] = [" "] * (self.columns - self.column)
        elif letter == "J" and not parameters and not private:
            self.lines[self.row][self.column :] = [" "] * (self.columns - self.column)
            for row in range(self.row + 1, self.rows):
                self.lines[row] = [" "] * self.columns
        else:
            raise AssertionError(f"what a display may not send: {private}{parameters}{letter}")

    def _character(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._line_feed()
        elif character == "\t":
            self.column = min(self.column // 8 * 8 + 8, self.columns - 1)
        else:
            assert character >= " " and not "\x7f" <= character < "\xa0", repr(character)
            self._print(character)

    def _print(self, character):
        cells = width(character)
        if not cells:
            return
        if self.column + cells > self.columns:
            if self.wraps:
                self.column = 0
                self._line_feed()
            else:
                self.column = max(0, self.columns - cells)
        self.lines[self.row][self.column : self.column + cells] = [character, ""][:cells]
        self.column += cells

    def _line_feed(self):
        if self.row < self.rows - 1:
            self.row += 1
            return
        self.history.append(self.lines.pop(0))
        self.lines.append([" "] * self.columns)
