"""Steps that take their time, shown while they do."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import STYLES, plain, say

if TYPE_CHECKING:
    from rich.live import Live


class Steps:
    """Steps as they come: a live list in a terminal, a line each without one, both in order.

    A plan (name, state, reason of each step) is shown first.
    """

    def __init__(self, plan: Iterable[tuple[str, str, str]] = (), width: int = 0) -> None:
        self._steps: dict[str, tuple[str, float | None, str]] = {
            name: ("skipped" if state == "skip" else state, None, plain(reason))
            for name, state, reason in plan
        }
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
        else:
            for name, (state, _, reason) in self._steps.items():
                say(f"{name:<{self._width}}  {state:<8}  {reason}".rstrip())
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
        reason = self._steps.get(name, ("", None, ""))[2]
        self._steps[name] = (state, taken, plain(note) or reason)
        self._last_line = ""
        if not self._live:
            self._print_finished()

    def line(self, text: str) -> None:
        """Show the newest line of output under the steps."""
        self._last_line = plain(text).strip()

    def _print_finished(self) -> None:
        for name, (state, taken, note) in self._steps.items():
            if state in ("todo", "started"):
                return
            if taken is not None and name not in self._printed:
                self._printed.add(name)
                say(f"{name:<{self._width}}  {state:<8} {taken:5.1f} s  {note}".rstrip())

    def _drawn(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        drawn = Table(box=None, pad_edge=False, show_header=False)
        for name, (state, taken, note) in self._steps.items():
            running = state == "started"
            seconds = time.monotonic() - self._since if running else taken
            beside = self._last_line or note if running else note
            drawn.add_row(
                Text(name),
                Text("..." if running else state, style=STYLES.get(state, "")),
                Text("" if seconds is None else f"{seconds:.0f} s", justify="right"),
                Text(beside, "dim", no_wrap=True, overflow="ellipsis"),
            )
        return drawn
