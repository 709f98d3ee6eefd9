"""Everything that is printed. Results go to stdout, all else to stderr; nothing is decided here."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..plan.hardware import counted

if TYPE_CHECKING:
    from ..checking import Verdict
    from ..plan.diagnosis import Diagnosis
    from ..plan.examination import Check

STYLES = {
    "ok": "green", "changed": "green", "ready": "green", "done": "green",
    "todo": "yellow", "skip": "dim", "skipped": "dim", "started": "yellow",
    "yes": "green", "if": "yellow", "no": "dim",
    "wrong": "red", "failed": "red", "impossible": "red", "unreachable": "red",
}  # fmt: skip

# Control characters, what turns the direction of text, and halves of characters, which nothing can
# encode.
_UNSEEN = dict.fromkeys(
    {*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
    | {*range(0xD800, 0xE000)}
) | {9: 9, 10: 10}


def document(content: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(content, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Tell the user something that is no result."""
    print(text, file=sys.stderr, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], fold_last: bool = False) -> None:
    """Print a table: aligned and coloured in a terminal, the same words without one.

    With `fold_last` only the last column gives way, in a terminal that holds the others.
    """
    cells = [["" if cell is None else plain(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(columns), *cells]) for i in range(len(columns))]
    if sys.stdout.isatty():
        _rich_table(columns, cells, fold_last)
        return
    for row in [list(columns), *cells]:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(padded).rstrip())


def _rich_table(columns: Sequence[str], cells: Iterable[Sequence[str]], fold_last: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        kept = fold_last and column != columns[-1]
        drawn.add_column(column, overflow="fold", no_wrap=kept)
    for row in cells:
        heading = "bold" if sum(map(bool, row)) == 1 else ""
        drawn.add_row(*(Text(cell, style=STYLES.get(cell, heading)) for cell in row))
    Console().print(drawn)


def plain(text: str) -> str:
    """Take out what a terminal would act on: a log, a pod or a model must not steer it."""
    return text.translate(_UNSEEN)


def pods(rows: Iterable[dict[str, Any]]) -> None:
    """Print the table of pods."""
    table(
        ("", "pod", "ssh", "GPUs", "engine", "models"),
        [
            (
                "*" if pod["active"] else "",
                pod["name"],
                pod["ssh"],
                counted(gpu["name"] for gpu in pod["gpus"]),
                " ".join(filter(None, (pod["engine"], pod["vllm_version"]))),
                ", ".join(pod["models"]),
            )
            for pod in rows
        ],
    )


def checks(found: Iterable[Check]) -> None:
    """Print the table of checks, and how to mend what is wrong below it."""
    found = list(found)
    words = {True: "ok", False: "wrong", None: "-"}
    table(("check", "", "detail"), [(c.check, words[c.ok], plain(c.detail)) for c in found])
    for check in found:
        if check.fix and check.ok is not True:
            say(f"{check.check}: {plain(check.fix)}")


def verdict(found: Verdict) -> None:
    """Print how one task went, as soon as it is known."""
    word = "pass" if found.ok else "fail" if found.promised else "can't"
    _hanging(f"{word:6}{found.capability:20}{found.seconds:5.1f} s  ", plain(found.detail))


def diagnosis(found: Diagnosis) -> None:
    """Print a cause, its fix and the lines of the log that tell it."""
    said = [("cause", found.cause or "not known; the log says last:"), ("fix", found.fix or "")]
    for word, text in [*said, *(("log", line) for line in found.lines)]:
        if text:
            _hanging(f"{word:7}", plain(text))


def _hanging(head: str, text: str) -> None:
    """Print a text behind its head, folded between words in a terminal."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    folded = textwrap.fill(text, width, initial_indent=head, subsequent_indent=" " * len(head))
    print(folded or head.rstrip())


def size(kib: int) -> str:
    """Write a size as people do."""
    return f"{kib / 1024**2:.1f} GiB" if kib >= 1024**2 else f"{kib / 1024:.0f} MiB"
