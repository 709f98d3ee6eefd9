"""read: the lines of a text file, page by page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader, FileIO
from typing import BinaryIO, cast

from .arguments import Parameter, Tool
from .kinds import kind
from .result import CHARACTERS, Result, ToolError, Watch, counted, name, noted, size
from .roots import Roots

LINES = 400
MOST = 2000
WIDTH = 2000
SECONDS = 3
# Enough bytes for WIDTH characters of any script.
_PIECE = WIDTH * 4


@dataclass
class Page:
    """Lines of a file, the number of the first one, and how many the file has, if known."""

    first: int
    lines: list[str] = field(default_factory=list)
    total: int | None = None

    @property
    def last(self) -> int:
        """The number of the last line, one less than the first when there is none."""
        return self.first + len(self.lines) - 1


def read(roots: Roots, path: str, offset: int = 1, limit: int = LINES) -> Result:
    """Show lines of a text file, numbered like `cat -n`; offset is the first one.

    Raises ToolError, also for a binary file and for an offset past the end.
    """
    place = roots.locate(path)
    watch = Watch(SECONDS)
    with place.file() as opened:
        file = BufferedReader(FileIO(opened, closefd=False))
        length = os.fstat(opened).st_size
        if binary := kind(file.peek(8192)[:8192]):
            raise ToolError(f"{name(place.shown)} is not text: {binary}, {size(length)}", binary)
        page = _page(cast(BinaryIO, file), offset, min(limit, MOST), watch)
    if page.total == 0:
        return Result("(an empty file)", "empty")
    if not page.lines:
        raise _past_the_end(page, length)
    numbered = "\n".join(f"{page.first + i:6}\t{line}" for i, line in enumerate(page.lines))
    if page.first == 1 and page.last == page.total:
        return Result(numbered, counted(page.total, "line"))
    shown = f"lines {page.first}-{page.last}"
    whole = f"of {page.total}" if page.total else f"of a file of {size(length)}"
    more = "" if page.last == page.total else f"; read on with offset={page.last + 1}"
    return Result(noted(numbered, [f"{shown} {whole}{more}"]), f"{shown} {whole}")


def _page(file: BinaryIO, offset: int, limit: int, watch: Watch) -> Page:
    page = Page(offset)
    number = 0
    room = CHARACTERS
    for number, (start, length) in enumerate(_lines(file, watch), 1):
        if number < offset or room < 0 or len(page.lines) == limit:
            continue
        line = _shown(start, length)
        room -= len(line) + 8
        if room >= 0:
            page.lines.append(line)
    page.total = None if watch.late else number
    return page


def _lines(file: BinaryIO, watch: Watch) -> Iterator[tuple[bytes, int]]:
    """Yield the start of each line and its length, until the time is over."""
    start, length = b"", 0
    while piece := file.readline(_PIECE):
        start = start or piece
        length += len(piece)
        if piece.endswith(b"\n"):
            yield start, length
            start, length = b"", 0
        if not watch.left:
            watch.late = True
            return
    if start:
        yield start, length


def _shown(start: bytes, length: int) -> str:
    text = start.rstrip(b"\r\n").decode(errors="replace")
    if length <= len(start) and len(text) <= WIDTH:
        return text
    return f"{text[:WIDTH]} ... (cut: this line has {length} bytes; find parts of it with rg)"


def _past_the_end(page: Page, length: int) -> ToolError:
    if page.total is None:
        return ToolError(
            f"line {page.first} lies further into a file of {size(length)} than can be read in "
            f"{SECONDS} s; find it by its text with rg",
            "too far",
        )
    lines = counted(page.total, "line")
    return ToolError(f"the file has {lines}; offset={page.first} is past its end", "past the end")


TOOL = Tool(
    "read",
    f"Read a text file. Gives numbered lines (number, tab, text), {LINES} unless limit says "
    "otherwise, and tells how to read on. To find something in a big file, use rg first.",
    (
        Parameter("path", "string", "the file, as ls, glob and rg name it", required=True),
        Parameter("offset", "integer", "the first line to show; null for 1", least=1),
        Parameter("limit", "integer", f"how many lines; null for {LINES}, {MOST} at most", least=1),
    ),
    read,
)
