"""glob: the files whose paths match a pattern."""

from __future__ import annotations

import os
import stat
from itertools import islice

from . import ripgrep, walk
from .arguments import Parameter, Tool
from .result import Result, ToolError, Watch, counted, fitting, noted
from .roots import Roots

MOST = 300
SECONDS = 20


def glob(roots: Roots, pattern: str, path: str | None = None) -> Result:
    """List files below a directory whose path matches.

    Raises ToolError.
    """
    watch = Watch(SECONDS)
    place = roots.locate(path)
    with place.directory() as opened:
        named = ripgrep.files(place.real, watch, checked(roots, pattern))
        there = (place.below(each) for each in named if _is_file(opened, each))
        lines = list(islice(there, MOST + 1))
    notes = watch.notes()
    shown = fitting(lines, MOST)
    if len(shown) < len(lines):
        notes.append("there are more: narrow pattern or path")
    if not lines:
        return Result(noted("no file matches, but for those that .gitignore names", notes), "none")
    return Result(noted("\n".join(shown), notes), counted(len(shown), "file"))


def checked(roots: Roots, pattern: str) -> str:
    """Return a glob as rg takes it. Raises ToolError for one that names another directory."""
    elsewhere = ("~", *(os.path.join(each, "") for each in roots.directories))
    if pattern.startswith(elsewhere) or ".." in pattern.split("/"):
        raise ToolError(
            "a glob is relative to path and stays below it; give the directory in path", "elsewhere"
        )
    return pattern.removeprefix("./")


def _is_file(opened: int, path: str) -> bool:
    try:
        return stat.S_ISREG(walk.status(opened, path.split("/")).st_mode)
    except OSError:
        return False


TOOL = Tool(
    "glob",
    "Find files by their path. *.py matches in any directory, /*.py only directly in path, "
    "src/**/*.py below src; {a,b} and [ab] work too. Leaves out what .gitignore names.",
    (
        Parameter("pattern", "string", "the glob, relative to path", required=True),
        Parameter("path", "string", "the directory to look below; null for the working directory"),
    ),
    glob,
)
