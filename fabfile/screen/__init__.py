"""Everything that is printed. Results go to stdout, all else to stderr; nothing is decided here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..plan.hardware import counted

if TYPE_CHECKING:
    from ..plan.examination import Check
    from ..plan.offers import Offer
    from ..plan.rows import Row
    from ..records.entries import Model

STYLES = {
    "ok": "green", "changed": "green", "ready": "green", "done": "green",
    "todo": "yellow", "skip": "dim", "skipped": "dim", "started": "yellow",
    "yes": "green", "if": "yellow", "no": "dim",
    "wrong": "red", "failed": "red", "impossible": "red", "unreachable": "red",
}  # fmt: skip
_WIDE = 110


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
    """Take out what a terminal would act on: a log or a pod must not steer it."""
    return "".join(c for c in text if c in "\t\n" or (ord(c) >= 32 and not 127 <= ord(c) < 160))


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


def models(rows: Iterable[Row]) -> None:
    """Print the table of models, and below it why one does not serve."""
    rows = list(rows)
    table(
        ("pod", "name", "model", "status", "port", "GPUs", "phase"),
        [
            (r.pod, r.name, r.model, r.status, r.port, ",".join(map(str, r.gpus)), r.phase)
            for r in rows
        ],
    )
    for row in rows:
        if row.cause:
            say(f"{row.name or row.pod}: {plain(row.cause)}" + (f"; {row.fix}" if row.fix else ""))


def offers(found: Iterable[Offer]) -> None:
    """Print the catalog by family, and how each model fits; a narrow terminal gets less of it."""
    columns = ("model", "size", "weights", "context", "tools", "thinks", "fits", "how")
    shown = range(8) if _wide() else (0, 6, 7)
    rows: list[Sequence[Any]] = []
    family = None
    for one in found:
        entry = one.entry
        if entry.family != family:
            family = entry.family
            rows.append((family or "yours", *[""] * 7))
        rows.append(
            (
                f"  {one.model}",
                f"{entry.params_b:g}B" if entry.params_b else "",
                f"{_short(entry.weights_gb)} GB" if entry.weights_gb else "",
                _tokens(entry.context),
                "yes" if entry.tool_parser else "",
                "yes" if entry.reasoning_parser else "",
                one.fits,
                _how(one),
            )
        )
    cut = [[row[i] for i in shown] for row in rows]
    table([columns[i] for i in shown], cut, fold_last=True)


def _how(one: Offer) -> str:
    """Write how a model fits, or why not, in few words."""
    if one.fits == "yes":
        context = f", {_tokens(one.context)}" if one.context else ""
        marks = f" ({', '.join(one.marks)})" if one.marks else ""
        return f"{one.place}{context}{marks}"
    return one.condition or one.short or one.entry.notes


def sets(found: Iterable[Offer]) -> None:
    """Print the sets of GPUs that hold a model, and which cards are too small."""
    found = list(found)
    table(
        ("fits", "GPUs", "context", "how"),
        [(one.fits, one.place, _tokens(one.context), one.reason) for one in found
         if one.fits != "no"],
        fold_last=True,
    )  # fmt: skip
    if small := ", ".join(one.place for one in found if one.fits == "no"):
        say(f"not on one machine of: {small}")


def described(name: str, entry: Model) -> None:
    """Say what a model is."""
    active = f" ({entry.active_params_b:g}B active)" if entry.active_params_b else ""
    facts = (
        f"{entry.params_b:g}B parameters{active}" if entry.params_b else "",
        f"{_short(entry.weights_gb)} GB of {entry.precision}" if entry.weights_gb else "",
        f"{_tokens(entry.context)} tokens" if entry.context else "",
        f"tools by {entry.tool_parser}" if entry.tool_parser else "no tools",
        f"thinking by {entry.reasoning_parser}" if entry.reasoning_parser else "",
        f"vLLM {entry.min_engine} or newer" if entry.min_engine else "",
        entry.license + (", gated" if entry.gated else ""),
    )
    say(f"{name}: {', '.join(filter(None, facts))}")
    for text in (entry.notes, entry.unsure and f"unsure: {entry.unsure}"):
        if text:
            say(f"  {text}")


def _short(number: float) -> str:
    """Write a number with three digits, or all of its whole ones."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _wide() -> bool:
    """Tell whether what we print to has room for long lines."""
    if not sys.stdout.isatty():
        return True
    from rich.console import Console

    return Console().width >= _WIDE


def _tokens(count: int | None) -> str:
    """Write a context as people do: 131072 is 128k."""
    if not count or count < 1024:
        return str(count or "")
    return f"{count // 1024}k" if count < 1024**2 else f"{count // 1024**2}M"


def checks(found: Iterable[Check]) -> None:
    """Print the table of checks, and how to mend what is wrong below it."""
    found = list(found)
    words = {True: "ok", False: "wrong", None: "-"}
    table(("check", "", "detail"), [(c.check, words[c.ok], plain(c.detail)) for c in found])
    for check in found:
        if check.fix and check.ok is not True:
            say(f"{check.check}: {plain(check.fix)}")


def size(kib: int) -> str:
    """Write a size as people do."""
    return f"{kib / 1024**2:.1f} GiB" if kib >= 1024**2 else f"{kib / 1024:.0f} MiB"


def connection(row: Row) -> None:
    """Say how to reach a model that was just started."""
    say(f"{row.name} is {row.status} on {row.pod}, at {row.url} there")
    say(f'  ask it:  inv prompt {row.name} "..."')
    say(f"  log:     inv models.logs {row.name}")
    say(f"  stop it: inv models.stop --name={row.name}")
