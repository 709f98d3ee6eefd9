"""The models that run, as a table."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..plan.progress import DownloadProgress
from . import plain, say, table

if TYPE_CHECKING:
    from ..plan.rows import Row

COLUMNS = ("pod", "name", "model", "status", "port", "GPUs", "up", "now")


def models(rows: Iterable[Row]) -> None:
    """Print the table of models, and below it why one does not serve."""
    rows = list(rows)
    table(COLUMNS, [_cells(row) for row in rows])
    for row in rows:
        if row.cause:
            say(f"{row.name or row.pod}: {plain(row.cause)}" + (f"; {row.fix}" if row.fix else ""))


def collected(where: list[str], answers: Iterable[tuple[str, list[Row]]], show: bool) -> list[Row]:
    """Return the rows of all pods in their order; show in a terminal who is still waited for."""
    found: dict[str, list[Row]] = {}
    if not (show and len(where) > 1 and sys.stdout.isatty()):
        found.update(answers)
        return [row for name in where for row in found[name]]
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    with Live(console=Console(), transient=True, auto_refresh=False) as live:
        for name, rows in answers:
            found[name] = rows
            drawn = Table(box=None, pad_edge=False, header_style="dim")
            for column in COLUMNS:
                drawn.add_column(column)
            for row in (row for name in where for row in found.get(name, [])):
                drawn.add_row(*(plain(str(cell or "")) for cell in _cells(row)))
            left = [name for name in where if name not in found]
            drawn.caption = f"waiting for {', '.join(left)}" if left else None
            live.update(drawn, refresh=True)
    return [row for name in where for row in found[name]]


def _cells(row: Row) -> tuple[object, ...]:
    up = None if row.uptime_s is None else duration(row.uptime_s)
    gpus = ",".join(map(str, row.gpus))
    return row.pod, row.name, row.model, row.status, row.port, gpus, up, _now(row)


def _now(row: Row) -> str:
    """Say what a model does just now."""
    does = row.activity
    if row.status == "downloading":
        return _downloaded(row)
    if row.status != "ready":
        return row.phase or ""
    if not does.running and not does.waiting:
        return "" if does.idle_s is None else f"idle {duration(does.idle_s)}"
    words = [f"{does.running} running"]
    if does.waiting:
        words.append(f"{does.waiting} waiting")
    if does.kv_cache is not None:
        words.append(f"KV cache {does.kv_cache:.0%}")
    if does.generation_tokens_per_s:
        words.append(f"{does.generation_tokens_per_s:.0f} tokens/s")
    return ", ".join(words)


def _downloaded(row: Row) -> str:
    if row.fetched is None:
        return row.phase or ""
    download = DownloadProgress()
    download.total = row.bytes
    download.at(0, row.fetched)
    return str(download)


def duration(seconds: int) -> str:
    """Write a duration in its two largest units: `2 d 3 h`, `1 h 55 min`, `40 s`."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
