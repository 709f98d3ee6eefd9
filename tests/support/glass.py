"""A terminal that remembers what scrolls off it, and knows no more than what we send."""

from __future__ import annotations

import io
import re

from rich.cells import cell_len


class Glass(io.StringIO):
    """What is written to it stands in `rows`; anything that could steer it is an error."""

    _TOKEN = re.compile(
        r"\x1b\[(?P<colours>[\d;]*)m|\x1b\[(?P<up>\d+)A|\x1b\[(?P<erase>[KJ])"
        r"|\x1b\[\?7(?P<wrap>[hl])|(?P<text>[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069])"
        r"|(?P<move>[\r\n])"
    )

    def __init__(self, width: int = 80, height: int = 24) -> None:
        super().__init__()
        self.width, self.height = width, height
        self._rows: list[list[str]] = [[]]
        self._y = self._x = 0
        self._wraps = True

    def isatty(self) -> bool:
        return True

    @property
    def rows(self) -> list[str]:
        """All lines, without the blanks at their ends."""
        return ["".join(row).rstrip() for row in self._rows]

    @property
    def clean(self) -> bool:
        """Whether the cursor waits on an empty line, and lines wrap."""
        return self._wraps and self._x == 0 and self._y == len(self._rows) - 1 and not self.rows[-1]

    def write(self, text: str) -> int:
        at = 0
        while at < len(text):
            found = self._TOKEN.match(text, at)
            assert found, f"this reached the terminal: {text[at : at + 20]!r}"
            at = found.end()
            self._act(found)
        return super().write(text)

    def _act(self, found: re.Match[str]) -> None:
        row = self._rows[self._y]
        if found["text"]:
            self._put(found["text"])
        elif found["up"]:
            top = max(0, len(self._rows) - self.height)
            self._y = max(top, self._y - int(found["up"]))
        elif found["erase"]:
            del row[self._x :]
            if found["erase"] == "J":
                del self._rows[self._y + 1 :]
        elif found["wrap"]:
            self._wraps = found["wrap"] == "h"
        elif found["move"] == "\r":
            self._x = 0
        elif found["move"] == "\n":
            self._feed()

    def _put(self, text: str) -> None:
        cells = cell_len(text)
        if self._x + cells > self.width:
            if not self._wraps:
                return
            self._feed()
        row = self._rows[self._y]
        row += [" "] * (self._x - len(row))
        row[self._x : self._x + cells] = [text, *[""] * (cells - 1)]
        self._x += cells

    def _feed(self) -> None:
        self._x = 0
        self._y += 1
        if self._y == len(self._rows):
            self._rows.append([])
