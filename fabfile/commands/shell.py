"""Scripts are put together here: quoted assignments at the top, real .sh files below."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@cache
def text(name: str) -> str:
    """Return one of our script files."""
    return (_FOLDER / name).read_text("utf-8")


def script(*names: str, **values: str | int) -> str:
    """Compose a script: the values as assignments, then the named files."""
    return assignments(values) + "".join(text(name) for name in names)


def assignments(values: Mapping[str, str | int]) -> str:
    """Write values as shell assignments; whatever they hold stays data.

    Raises ValueError for a name that is no variable's, and for a NUL, which no shell can hold.
    """
    lines = []
    for name, value in values.items():
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is no variable's name")
        if "\0" in str(value):
            raise ValueError(f"the value of {name} holds a NUL")
        lines.append(f"{name}={_quoted(str(value))}\n")
    return "".join(lines)


def array(name: str, words: Iterable[str]) -> str:
    """Write words as an array of bash."""
    return f"{name}=({' '.join(map(_quoted, words))})\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def in_home(path: str) -> str:
    """Return the assignment that gives `root`; a leading `~/` becomes the ssh user's home."""
    if path == "~" or path.startswith("~/"):
        return f'root="$HOME"{shlex.quote(path[1:])}\n'
    return assignments({"root": path})
