"""Everything that is printed. Results go to stdout, all else to stderr; nothing is decided here."""

from __future__ import annotations

import codecs
import json
import re
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.live import Live

    from .plan.rows import Row

_STYLES = {
    "ok": "green", "changed": "green", "ready": "green", "done": "green",
    "todo": "yellow", "skip": "dim", "skipped": "dim", "started": "yellow",
    "failed": "red", "impossible": "red", "unreachable": "red",
}  # fmt: skip


def document(content: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(content, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Tell the user something that is no result."""
    print(text, file=sys.stderr, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table: aligned and coloured in a terminal, the same words without one."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(columns), *cells]) for i in range(len(columns))]
    if sys.stdout.isatty():
        _rich_table(columns, cells)
        return
    for row in [list(columns), *cells]:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(padded).rstrip())


def _rich_table(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in cells:
        drawn.add_row(*(Text(plain(cell), style=_STYLES.get(cell, "")) for cell in row))
    Console().print(drawn)


def plain(text: str) -> str:
    """Take out what a terminal would act on: a log or a pod must not steer it."""
    return "".join(c for c in text if c in "\t\n" or (ord(c) >= 32 and not 127 <= ord(c) < 160))


class Steps:
    """Steps as they come: a live list in a terminal, a line each without one, both in order."""

    def __init__(self, names: Iterable[str] = (), width: int = 0) -> None:
        self._steps: dict[str, tuple[str, float, str]] = {name: ("", 0, "") for name in names}
        self._width = width or max(map(len, self._steps))
        self._printed: set[str] = set()
        self._last_line = ""
        self._since = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Steps:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True)
            self._live = Live(console=console, get_renderable=self._drawn, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._last_line = ""
        if self._live:
            self._live.stop()

    def step(self, name: str, state: str, seconds: float | None = None, note: str = "") -> None:
        """Show that a step is `started`, or how it ended after that many seconds."""
        if state == "started":
            self._since = time.monotonic()
        taken = time.monotonic() - self._since if seconds is None else seconds
        self._steps[name] = (state, taken, plain(note))
        self._last_line = ""
        if not self._live:
            self._print_finished()

    def line(self, text: str) -> None:
        """Show the newest line of output under the steps."""
        self._last_line = plain(text).strip()

    def _print_finished(self) -> None:
        for name, (state, taken, note) in self._steps.items():
            if state in ("", "started"):
                return
            if name not in self._printed:
                self._printed.add(name)
                say(f"{name:<{self._width}}  {state:<8} {taken:5.1f} s  {note}".rstrip())

    def _drawn(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        drawn = Table(box=None, pad_edge=False, show_header=False)
        for name, (state, taken, note) in self._steps.items():
            running = state == "started"
            seconds = time.monotonic() - self._since if running else taken
            beside = self._last_line if running else note
            drawn.add_row(
                Text(name),
                Text("..." if running else state, style=_STYLES.get(state, "")),
                Text(f"{seconds:.0f} s" if state else "", justify="right"),
                Text(beside, "dim", no_wrap=True, overflow="ellipsis"),
            )
        return drawn


class LogView:
    """Pass a log on to stdout: as it is into a file, colours only into a terminal."""

    # Every sequence but a colour (ECMA-48: control sequences, system commands, two-byte ones).
    _ESCAPE = re.compile(
        r"\x1b(?!\[[0-9;]*m)(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[\s\S]?)"
    )
    _UNFINISHED = re.compile(r"(?:\x1b[^a-zA-Z\x07]{0,80}|\r)\Z")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def write(self, data: bytes) -> None:
        if sys.stdout.isatty():
            sys.stdout.write(self._tamed(self._decoder.decode(data)))
        else:
            sys.stdout.buffer.write(data)
        sys.stdout.flush()

    def _tamed(self, text: str) -> str:
        text = self._held + text
        unfinished = self._UNFINISHED.search(text)
        self._held = unfinished[0] if unfinished else ""
        text = self._ESCAPE.sub("", text[: len(text) - len(self._held)])
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return "".join(c for c in text if c == "\x1b" or c == plain(c))


def elapsed(seconds: float) -> str:
    """Write a duration for people: `4 s`, `2 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def pods(rows: Iterable[dict[str, Any]]) -> None:
    """Print the table of pods."""
    table(
        ("", "pod", "ssh", "GPUs", "engine", "models"),
        [
            (
                "*" if pod["active"] else "",
                pod["name"],
                pod["ssh"],
                _gpu_words([gpu["name"] for gpu in pod["gpus"]]),
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


def connection(row: Row) -> None:
    """Say how to reach a model that was just started."""
    say(f"{row.name} is {row.status} on {row.pod}: {row.url} there (reached through ssh)")
    say(f'  ask it:  inv prompt {row.name} "..."')
    say(f"  log:     inv models.logs {row.name}")
    say(f"  stop it: inv models.stop --name={row.name}")


def _gpu_words(names: Sequence[str]) -> str:
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


class Events:
    """Print each event of an answer as a JSON object on its own line."""

    def show(self, event: dict[str, Any]) -> None:
        print(json.dumps(event, ensure_ascii=False), flush=True)

    def end(self) -> None:
        """Each line is complete."""


class Answer:
    """Print an answer as it streams: the text to stdout, thinking and figures to stderr."""

    def __init__(self) -> None:
        self._written = ""
        self._thinking = False

    def show(self, event: dict[str, Any]) -> None:
        if event["type"] == "reasoning" and sys.stderr.isatty():
            self._thinking = True
            sys.stderr.write(f"\x1b[2m{plain(event['text'])}\x1b[0m")
            sys.stderr.flush()
        elif event["type"] == "content":
            if self._thinking:
                sys.stderr.write("\n\n")
                self._thinking = False
            self._written = plain(event["text"])
            sys.stdout.write(self._written)
            sys.stdout.flush()
        elif event["type"] == "usage" and sys.stderr.isatty():
            self.end()
            say(_figures(event))

    def end(self) -> None:
        """Finish the last line."""
        if self._written and not self._written.endswith("\n"):
            print(flush=True)
            self._written = "\n"


def _figures(usage: dict[str, Any]) -> str:
    words = [f"{usage['prompt_tokens']} + {usage['completion_tokens']} tokens"]
    if usage["first_token_s"] is not None:
        words.append(f"first after {usage['first_token_s']:.2f} s")
    if usage["tokens_per_s"]:
        words.append(f"{usage['tokens_per_s']:.0f} tokens/s")
    return f"\x1b[2m{', '.join(words)}\x1b[0m"
