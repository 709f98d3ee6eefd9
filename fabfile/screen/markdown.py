"""Markdown that streams: what is finished is printed once, the rest is drawn until it is."""

from __future__ import annotations

from rich.console import Console

from . import plain
from .blocks import Block, begin_at, drawn, finished_part, parsed
from .region import Line, Lines


class Reply:
    """Take Markdown in pieces, cut anywhere, and draw it block by block.

    Whole lines decide what is finished: all blocks but the last one, and of that one the lines of
    code, or all items of a list but the last.
    """

    moves = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._pieces: list[str] = []
        self._source = ""  # what is not finished
        self._at = 0  # where its first block goes on: a line of code, or an item's number
        self._begun = False  # some of its lines are printed
        self._above = False  # blocks above it are

    def add(self, text: str) -> None:
        """Add a piece."""
        self._pieces.append(plain(text))

    def take(self, last: bool = False) -> Lines:
        """Return the lines that were finished since, and those that may still change."""
        self._source += "".join(self._pieces)
        self._pieces.clear()
        finished = [] if last else self._settled()
        rest = self._drawn(parsed(self._source))
        return (rest, []) if last else (finished, rest)

    def _settled(self) -> list[Line]:
        """Draw what is finished, and cut it off the source."""
        *whole, rest = parsed(self._source[: self._source.rfind("\n") + 1]) or [[]]
        if not rest:
            return []
        finished = self._drawn(whole)
        if whole:
            self._above = self._above or self._begun or bool(finished)
            self._at, self._begun = 0, False
        part, at, line = finished_part(rest, self._at)
        if part:
            new = self._drawn([part])
            self._begun = self._begun or bool(new)
            finished += new
        self._at = at
        self._source = self._source.split("\n", line)[line]
        return finished

    def _drawn(self, blocks: list[Block]) -> list[Line]:
        lines: list[Line] = []
        at, begun, above = self._at, self._begun, self._above
        for block in blocks:
            if at:
                begin_at(block, at)
            new = drawn(self._console, block)
            lines += [[], *new] if new and above and not begun else new
            at, begun, above = 0, False, above or begun or bool(new)
        return lines
