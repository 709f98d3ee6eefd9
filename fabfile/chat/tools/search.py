"""Search files that are already open: rg gets descriptors, so it reads what was checked."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from . import ripgrep, walk
from .result import Watch

# Below the 256 descriptors of macOS, with several calls at once.
BATCH = 32
COLUMNS = 500

_RECORD = re.compile(rb"/dev/fd/(\d+)(.*)", re.DOTALL)
_LINE = re.compile(rb"\0(\d+)([:-])(.*)", re.DOTALL)
_PRINT = (
    "--null",
    "--no-heading",
    "--with-filename",
    "--line-number",
    f"--max-columns={COLUMNS}",
    "--max-columns-preview",
)


@dataclass(frozen=True)
class Line:
    """A line of a file: one that matches, or one beside it. Number 0: a binary file matches."""

    file: str
    number: int
    text: str
    match: bool


def lines(top: int, names: Iterable[str], words: Collection[str], watch: Watch) -> Iterator[Line]:
    """Yield the lines that rg prints for files below an open directory, in the order of names."""
    for name, rest in _records(top, names, [*_PRINT, *words], b"\n", watch):
        if found := _LINE.fullmatch(rest):
            number, mark, text = found.groups()
            yield Line(name, int(number), text.decode(errors="replace").rstrip("\r"), mark == b":")
        else:
            yield Line(name, 0, "(a binary file, which matches)", True)


def holding(top: int, names: Iterable[str], words: Collection[str], watch: Watch) -> Iterator[str]:
    """Yield the names of the files in which there is a match."""
    for name, _ in _records(top, names, ["--files-with-matches", "--null", *words], b"\0", watch):
        yield name


def _records(
    top: int, names: Iterable[str], words: Collection[str], end: bytes, watch: Watch
) -> Iterator[tuple[str, bytes]]:
    waiting = iter(names)
    while batch := list(islice(waiting, BATCH)):
        with _opened(top, batch, watch) as files:
            if not files:
                continue  # without a path rg would search where it stands
            paths = [f"/dev/fd/{each}" for each in files]
            # One thread takes the files in their order.
            command = ["--threads=1", *words, "--", *paths]
            for record in ripgrep.records(command, end, watch, descriptors=files):
                if found := _RECORD.fullmatch(record):
                    yield files[int(found[1])], found[2]


@contextmanager
def _opened(top: int, names: Iterable[str], watch: Watch) -> Iterator[dict[int, str]]:
    files: dict[int, str] = {}
    try:
        for name in names:
            try:
                files[walk.file(top, name.split("/"))] = name
            except OSError:
                watch.unread += 1
        yield files
    finally:
        for opened in files:
            os.close(opened)
