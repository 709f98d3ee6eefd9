"""ls: what lies directly inside of a directory."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase

from . import ripgrep, walk
from .arguments import Parameter, Tool
from .result import Result, Watch, counted, fitting, name, noted, size
from .roots import Roots

MOST = 300
SECONDS = 5


def ls(roots: Roots, path: str | None = None, ignore: Sequence[str] = ()) -> Result:
    """List a directory: directories with the number of files below them, files with their size.

    Raises ToolError.
    """
    watch = Watch(SECONDS)
    place = roots.locate(path)
    with place.directory() as opened:
        below = _below(place.real, ignore, watch)
        names = [each for each in sorted(os.listdir(opened)) if not _ignored(each, ignore)]
        lines = [line for each in names if (line := _line(opened, each, below))]
    notes = []
    if below is None:
        notes.append(f"too many files to count, or to apply .gitignore, in {SECONDS} s")
    if hidden := len(names) - len(lines):
        by = "ignore or .gitignore" if ignore else ".gitignore"
        notes.append(f"{counted(hidden, 'entry')} left out by {by}")
    shown = fitting(lines, MOST)
    if len(shown) < len(lines):
        notes.append(f"{len(shown)} of {len(lines)} entries; find others with glob, or use ignore")
    text = "\n".join(shown) or ("" if notes else "(empty)")
    return Result(noted(text, notes), counted(len(lines), "entry"))


def _below(directory: str, ignore: Sequence[str], watch: Watch) -> Counter[str] | None:
    """Count the files below each entry that no ignore file leaves out; None: too many."""
    # In no order it is twice as fast.
    which = ["--files", "--sort=none", *(f"--glob=!{each.removeprefix('!')}" for each in ignore)]
    found = Counter(each.partition("/")[0] for each in ripgrep.files(directory, watch, which=which))
    return None if watch.late else found


def _ignored(entry: str, ignore: Sequence[str]) -> bool:
    return entry.lower() == ".git" or any(fnmatchcase(entry, each.strip("!/")) for each in ignore)


def _line(opened: int, entry: str, below: Counter[str] | None) -> str | None:
    """Describe an entry; None when an ignore file leaves it out, or it has just gone."""
    try:
        found = os.stat(entry, dir_fd=opened, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            return f"{name(entry)} -> {name(os.readlink(entry, dir_fd=opened))}"
    except OSError:
        return None
    listed = below is None or entry in below
    if stat.S_ISREG(found.st_mode):
        return f"{name(entry)}  {size(found.st_size)}" if listed else None
    if not stat.S_ISDIR(found.st_mode):
        return f"{name(entry)}  ({walk.kind(found)})"
    if below is None:
        return f"{name(entry)}/"
    told = counted(below[entry], "file") if listed else _bare(opened, entry)
    return f"{name(entry)}/  {told}" if told else None


def _bare(opened: int, entry: str) -> str | None:
    """Say why rg lists nothing in a directory; None when it is an ignore file's doing."""
    try:
        inner = walk.directory(opened, [entry])
    except OSError:
        return "not readable"
    try:
        with os.scandir(inner) as entries:
            return None if any(map(_could_be_listed, entries)) else "no files"
    finally:
        os.close(inner)


def _could_be_listed(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)


TOOL = Tool(
    "ls",
    "List what lies directly inside of a directory: directories (name/, with the number of files "
    "below), files (with their size), links (name -> target). Leaves out what .gitignore names.",
    (
        Parameter("path", "string", "the directory; null for the working directory"),
        Parameter("ignore", "array", 'globs of names to leave out, such as ["*.lock"]'),
    ),
    ls,
)
