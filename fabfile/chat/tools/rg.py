"""rg: the lines that match a regular expression."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice

from . import ripgrep, search
from .arguments import Parameter, Tool
from .glob import checked
from .place import Place
from .result import CHARACTERS, Result, ToolError, Watch, counted, fitting, noted, size
from .roots import Roots

MATCHES = 100
MOST = 1000
CONTEXT = 10
SECONDS = 20
# A line must fit into rg's memory, and a file can be one line.
LARGEST = 256_000_000
_MORE = "there are more matches: narrow pattern, path, glob or type"


def rg(
    roots: Roots,
    pattern: str,
    path: str | None = None,
    glob: str | None = None,
    type: str | None = None,
    context: int = 0,
    ignore_case: bool = False,
    fixed_strings: bool = False,
    files_with_matches: bool = False,
    max_results: int = MATCHES,
) -> Result:
    """Search the contents of files below a directory, or of one file.

    Raises ToolError with rg's message when it does not understand the pattern, glob or type.
    """
    if not pattern:
        raise ToolError("the pattern is empty, which matches every line; use read", "no pattern")
    watch = Watch(SECONDS)
    what = [f"--regexp={pattern}", "--crlf"]
    what += ["--ignore-case"] if ignore_case else []
    what += ["--fixed-strings"] if fixed_strings else []
    chosen = [*what, f"--type={type}"] if type else what
    most = min(max_results, MOST)
    try:
        where, names = _scope(roots, path, glob, chosen, watch)
        with where.directory() as top:
            if files_with_matches:
                return _files(where, search.holding(top, names, what, watch), most, watch)
            what.append(f"--context={min(context, CONTEXT)}")
            return _lines(where, search.lines(top, names, what, watch), most, context > 0, watch)
    except ripgrep.Refused as error:
        raise ToolError(f"{error.text}\n{_advice(error.text)}", error.summary) from None


def _scope(
    roots: Roots, path: str | None, glob: str | None, words: list[str], watch: Watch
) -> tuple[Place, Iterable[str]]:
    """Return a directory, and the files below it that are to be searched."""
    place = roots.locate(path)
    if os.path.isdir(place.real):
        which = ["--files-with-matches", f"--max-filesize={LARGEST}", *words]
        pattern = checked(roots, glob) if glob else None
        return place, ripgrep.files(place.real, watch, pattern, which)
    with place.file() as opened:
        if (length := os.fstat(opened).st_size) > LARGEST:
            raise ToolError(f"a file of {size(length)} is too big to search; read it", "too big")
    return place.parent, [place.parts[-1]]


def _files(where: Place, found: Iterator[str], most: int, watch: Watch) -> Result:
    lines = [where.below(each) for each in islice(found, most + 1)]
    shown = fitting(lines, most)
    notes = watch.notes() + ([_MORE] if len(shown) < len(lines) else [])
    text = "\n".join(shown) or "no matches"
    return Result(noted(text, notes), counted(len(shown), "file") if shown else "no matches")


def _lines(
    where: Place, found: Iterator[search.Line], most: int, gaps: bool, watch: Watch
) -> Result:
    shown: list[str] = []
    files: set[str] = set()
    matches, room, last = 0, CHARACTERS, 0
    more = False
    for line in found:
        text = f"{line.number}{':' if line.match else '-'}{line.text}" if line.number else line.text
        if line.file not in files:
            text = f"{where.below(line.file)}\n{text}"
            shown += [""] if shown else []
        elif gaps and line.number > last + 1:
            text = f"--\n{text}"
        room -= len(text) + 1
        more = room < 0 or (line.match and matches == most)
        if more:
            break
        files.add(line.file)
        matches, last = matches + line.match, line.number
        shown.append(text)
    notes = watch.notes() + ([_MORE] if more else [])
    if not shown:
        return Result(noted("no matches", notes), "no matches")
    summary = f"{counted(matches, 'match')} in {counted(len(files), 'file')}"
    return Result(noted("\n".join(shown), notes), summary)


def _advice(said: str) -> str:
    if "file type" in said:
        return "give a glob such as *.py instead of the type"
    if "glob" in said:
        return "write [{] for a brace and [[] for a bracket that is meant as it is"
    return "escape what is meant as it is, or set fixed_strings; a match lies within one line"


TOOL = Tool(
    "rg",
    "Search file contents with ripgrep. Gives the matching lines under each file's name, as "
    "number:line. Leaves out binary files and what .gitignore names.",
    (
        Parameter("pattern", "string", "the regular expression (Rust syntax)", required=True),
        Parameter("path", "string", "directory or file to search; null for the working directory"),
        Parameter("glob", "string", "only files whose path matches, such as *.py or src/**"),
        Parameter("type", "string", "only files of a type that rg knows, such as py, js, md"),
        Parameter(
            "context", "integer", f"lines to show around a match; null for 0, {CONTEXT} at most"
        ),
        Parameter("ignore_case", "boolean", "find upper and lower case alike"),
        Parameter("fixed_strings", "boolean", "take the pattern as plain text"),
        Parameter("files_with_matches", "boolean", "give only the names of files with a match"),
        Parameter(
            "max_results", "integer", f"how many; null for {MATCHES}, {MOST} at most", least=1
        ),
    ),
    rg,
)
