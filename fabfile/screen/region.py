"""Lines at the end of a terminal that are drawn anew, while what stands above them stays."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import TextIO

from rich.console import Console
from rich.segment import Segment, Segments
from rich.text import Text
from rich.theme import Theme

from . import plain

Line = list[Segment]
Lines = tuple[list[Line], list[Line]]  # what is printed for good, and what the next call replaces


def terminal(stream: TextIO) -> Console:
    """Return a console that draws as this stream can, whatever the environment wants forced."""
    theme = Theme({"markdown.code": "bold cyan"})  # rich's has a black background
    return Console(file=stream, force_terminal=stream.isatty(), theme=theme)


def wrapped(console: Console, text: Text) -> list[Line]:
    """Fold a text into lines."""
    return [stripped(line) for line in console.render_lines(text, pad=False)]


def stripped(line: Line) -> Line:
    """Take the spaces from a line's end: they would wrap when the window gets smaller."""
    while line and not line[-1].text.strip():
        line = line[:-1]
    if line:
        text, style, _ = line[-1]
        line = [*line[:-1], Segment(text.rstrip(), style)]
    return line


class Region:
    """Print lines for good, and live ones below them that the next call replaces.

    The cursor waits at the beginning of the line below, so that there is nothing to clean up.
    """

    def __init__(self, console: Console, live: bool) -> None:
        self.console = console
        self._live = live
        self._drawn: list[Line] = []
        self._width = 0
        self._used = self._gap = False

    def set_apart(self) -> None:
        """Leave a blank line above what comes next, unless it is the first."""
        self._gap = self._used

    def say(self, text: str) -> None:
        """Print a dim line for good, folded."""
        self.show(wrapped(self.console, Text(text, "dim")))

    def show(self, finished: Sequence[Line], live: Sequence[Line] = ()) -> None:
        """Print the finished lines in place of the live ones, and new live ones below."""
        width, height = self.console.size
        finished, live = list(finished), list(live) if self._live else []
        if self._gap:
            (finished or live)[:0] = [[]] if finished or live else []
            self._gap = not finished
        self._used = self._used or bool(finished)
        live = [_safe(line) for line in live[1 - height :]]
        same = 0
        if not finished and width == self._width:
            pairs = zip(self._drawn, live, strict=False)
            same = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
        above = sum(_rows(line, width) for line in self._drawn[same:])
        if finished or above or live[same:]:
            self._write(above, [_safe(line) for line in finished], live[same:])
        self._drawn, self._width = live, width

    def _write(self, above: int, finished: list[Line], live: list[Line]) -> None:
        if not self._live:
            self._print(segment for line in finished for segment in [*line, Segment.line()])
            return
        # A line is erased before it is written: after one as wide as the window, its last character
        # would go. Live lines do not wrap, should the terminal count a character wider than we do.
        out = [Segment(f"\x1b[{above}A\r" if above else "\r")]
        for line in finished:
            out += [Segment("\x1b[K"), *line, Segment.line()]
        out.append(Segment("\x1b[?7l"))
        for line in live:
            out += [Segment("\x1b[K"), *line, Segment.line()]
        out.append(Segment("\x1b[?7h\x1b[J"))
        self._print(out)

    def _print(self, segments: Iterable[Segment]) -> None:
        self.console.print(Segments(segments), end="", crop=False)


def dumb() -> bool:
    """Tell if the terminal can not move its cursor."""
    return os.environ.get("TERM", "") in ("", "dumb", "unknown")


def _safe(line: Line) -> Line:
    """Let through what can not steer the terminal: Markdown can spell characters as `&#x202e;`."""
    return [Segment(plain(text), style) for text, style, _ in line]


def _rows(line: Line, width: int) -> int:
    """Count the rows that a line takes, also in a window that became smaller since."""
    return max(1, -(-Segment.get_line_length(line) // width))
