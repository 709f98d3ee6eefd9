"""Markdown that streams: what is finished is printed once, the rest is drawn until it is."""

from __future__ import annotations

from rich.console import Console

from . import plain
from .blocks import Block, begin_at, drawn, items, parsed
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
        self._at = (
            0  # the line of code, or the number of the item, at which its first block goes on
        )
        self._begun = False

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
        blocks = parsed(self._source[: self._source.rfind("\n") + 1])
        if not blocks:
            return []
        *whole, rest = blocks
        at = 0 if whole else self._at
        cut = rest[0]
        if rest[0].type == "fence":
            code = rest[0].content.rstrip()
            if code and (count := code.count("\n") + 1) > at:
                whole.append(rest)
                at = count
        elif len(heads := items(rest)) > 1:
            whole.append([*rest[: heads[-1]], rest[-1]])
            at = (at or int(rest[0].attrs.get("start", 1))) + len(heads) - 1
            cut = rest[heads[-1]]
        finished = self._drawn(whole)
        self._begun = self._begun or bool(finished)
        self._at = at
        first = cut.map[0] if cut.map else 0
        self._source = self._source.split("\n", first)[first]
        return finished

    def _drawn(self, blocks: list[Block]) -> list[Line]:
        lines: list[Line] = []
        at = self._at
        for block in blocks:
            if at:
                begin_at(block, at)
            new = drawn(self._console, block)
            if new and not at and (self._begun or lines):
                lines.append([])
            lines += new
            at = 0
        return lines
