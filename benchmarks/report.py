"""The table: what was measured, against what, and whether it is within its budget."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

COLUMNS = ("figure", "what", "measured", "against", "ratio", "budget", "")


@dataclass(frozen=True)
class Row:
    """What was measured, against what, and whether it is within its budget."""

    what: str
    measured: str
    against: str = ""
    ratio: float | None = None
    budget: str = ""
    within: bool | None = None


def compared(what: str, ours: float, name: str, theirs: float, budget: float | None = None) -> Row:
    """Return the row of two durations; the budget is one of their ratio."""
    ratio = ours / theirs
    limit, within = (f"{budget:g} x", ratio <= budget) if budget else ("", None)
    return Row(what, duration(ours), f"{name} {duration(theirs)}", ratio, limit, within)


def speeds(
    what: str, size: int, ours: float, name: str, theirs: float, budget: float | None = None
) -> Row:
    """Return the row of two durations for the same size; the budget is a speed."""
    speed, other = size / ours / 1e6, size / theirs / 1e6
    limit, within = (f"{budget:g} MB/s", speed >= budget) if budget else ("", None)
    return Row(what, f"{speed:.1f} MB/s", f"{name} {other:.1f} MB/s", speed / other, limit, within)


def duration(seconds: float) -> str:
    """Write a duration with three digits."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def table(rows: Iterable[tuple[str, Row]], markdown: bool) -> str:
    """Return the rows, each with its figure's word, as plain text or Markdown."""
    cells = [COLUMNS, *(_cells(name, row) for name, row in rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(COLUMNS))]
    if markdown:
        cells.insert(1, tuple("-" * width for width in widths))
    padded = [[cell.ljust(w) for cell, w in zip(row, widths, strict=True)] for row in cells]
    if markdown:
        return "\n".join(f"| {' | '.join(row)} |" for row in padded)
    return "\n".join("  ".join(row).rstrip() for row in padded)


def _cells(name: str, row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    verdict = {None: "", True: "ok", False: "OVER"}[row.within]
    return name, row.what, row.measured, row.against, ratio, row.budget, verdict
