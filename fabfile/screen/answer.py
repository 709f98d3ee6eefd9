"""Answers of a model, as they stream."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from . import say
from .remarks import figures, remark

if TYPE_CHECKING:
    from .painter import Painter
    from .region import Region


class Events:
    """Print each event of an answer as a JSON object on its own line; notes go to stderr."""

    def show(self, event: dict[str, Any]) -> None:
        if event["type"] == "note":
            say(remark(event))
        else:
            print(_encodable(json.dumps(event, ensure_ascii=False)), flush=True)

    def end(self) -> None:
        """Each line is complete."""


class Answer:
    """Print an answer as it streams: the text to stdout, all that goes with it to stderr."""

    def __init__(self) -> None:
        self._view: Painter | Piped
        if sys.stdout.isatty():
            from .painter import Painter

            self._view = Painter()
        else:
            self._view = Piped()

    def show(self, event: dict[str, Any]) -> None:
        """Show what has come."""
        self._view.show(event)

    def end(self) -> None:
        """Show what is still to be shown, and leave a clean line; also after an interruption."""
        self._view.end()


class Piped:
    """Print the text as it came; a terminal at stderr gets the calls and the figures."""

    def __init__(self) -> None:
        self._open = False
        self._usages: list[dict[str, Any]] = []
        self._aside: Region | None = None
        if sys.stderr.isatty():
            from .calls import Calls
            from .region import Region, terminal

            self._aside = Region(terminal(sys.stderr), live=False)
            self._calls = Calls(self._aside.console)

    def show(self, event: dict[str, Any]) -> None:
        if event["type"] == "content":
            self._write(event["text"])
        elif event["type"] == "usage":
            self._usages.append(event)
        elif event["type"] in ("tool_call", "tool_result"):
            self._end_line()  # what is said before the calls is no part of what follows them
            if self._aside:
                self._calls.add(event)
                self._aside.show(*self._calls.take())
        elif text := remark(event):
            if event["type"] == "error":
                self._end_line()  # what was cut and what comes anew must not stick together
            say(text)

    def end(self) -> None:
        self._end_line()
        if self._aside:
            self._aside.show(*self._calls.take(last=True))
            if self._usages:
                self._aside.say(figures(self._usages))
                self._usages = []

    def _write(self, text: str) -> None:
        sys.stdout.write(_encodable(text))
        sys.stdout.flush()
        self._open = not text.endswith("\n") if text else self._open

    def _end_line(self) -> None:
        if self._open:
            self._write("\n")


def _encodable(text: str) -> str:
    r"""Write halves of characters as JSON does (`\ud83d`): no file can hold them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
