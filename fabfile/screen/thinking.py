"""What is shown before an answer: that it is waited for, and what the model thinks."""

from __future__ import annotations

import time

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from . import plain
from .region import Line, Lines, wrapped

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def frame() -> str:
    """Return the character that turns while something is waited for."""
    return _FRAMES[int(time.monotonic() * 10) % len(_FRAMES)]


class Waiting:
    """Say for how long the next piece has been waited for."""

    moves = True

    def __init__(self, console: Console) -> None:
        self._since = time.monotonic()

    def take(self, last: bool = False) -> Lines:
        """Return the line, as long as it lasts."""
        seconds = int(time.monotonic() - self._since)
        return [], [] if last else [[Segment(f"{frame()} {seconds} s", Style(dim=True))]]


class Thinking:
    """Show what a model thinks, as plain text."""

    moves = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._text = ""
        self._begun = False

    def add(self, text: str) -> None:
        """Add a piece."""
        self._text += plain(text)

    def take(self, last: bool = False) -> Lines:
        """Return the whole lines, and the last one; blank ones at both ends are left out."""
        if not self._begun:
            self._text = self._text.lstrip()
        end = len(self._text.rstrip())
        cut = end if last else self._text.rfind("\n", 0, end) + 1
        whole, self._text = self._text[:cut], self._text[cut:]
        finished = self._lines(whole)
        self._begun = self._begun or bool(finished)
        return finished, self._lines(self._text.rstrip())

    def _lines(self, text: str) -> list[Line]:
        if not text:
            return []
        lines = wrapped(self._console, Text(text.removesuffix("\n"), "dim italic"))
        return lines if self._begun else [[Segment("thinking", Style(dim=True))], *lines]
