"""An answer as a terminal shows it: thinking, calls of tools and the text, one below the other."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from .calls import Calls
from .markdown import Reply
from .region import Region, dumb, terminal
from .remarks import figures, remark
from .thinking import Thinking, Waiting

Section = Waiting | Thinking | Calls | Reply
Kind = TypeVar("Kind", Waiting, Thinking, Calls, Reply)


class Page:
    """Draw the events of an answer; one section is open at a time, the last one."""

    def __init__(self) -> None:
        screen = Region(terminal(sys.stdout), live=not dumb())
        self._aside = screen if sys.stderr.isatty() else Region(terminal(sys.stderr), live=False)
        self._regions = {Waiting: screen, Reply: screen, Thinking: self._aside, Calls: self._aside}
        self._last: type[Section] | None = None
        self._blank = ""
        self._usages: list[dict[str, Any]] = []
        self._section: Section = Waiting(screen.console)
        self._changed = True

    def take(self, event: dict[str, Any]) -> None:
        """Add an event; it is seen when the page is drawn."""
        self._changed = True
        kind = event["type"]
        if kind == "content":
            self._reply(event["text"])
        elif kind == "reasoning":
            if event["text"].strip() or isinstance(self._section, Thinking):
                self._in(Thinking).add(event["text"])
        elif kind in ("tool_call", "tool_result"):
            calls = self._in(Calls)
            calls.add(event)
            if not calls.open:
                self._in(Waiting)
        elif kind == "usage":
            self._usages.append(event)
        elif text := remark(event):
            self._in(Waiting)
            self._say(text)

    def draw(self) -> None:
        """Draw what has changed."""
        if self._changed or self._section.moves:
            self._changed = False
            self._regions[type(self._section)].show(*self._section.take())

    def close(self) -> None:
        """Draw all that has come for good, and the figures."""
        self._leave()
        if self._usages:
            self._say(figures(self._usages))

    def _reply(self, text: str) -> None:
        """Add a piece of the text; blank ones before it show nothing yet."""
        self._blank += text
        if isinstance(self._section, Reply) or text.strip():
            self._in(Reply).add(self._blank)
            self._blank = ""

    def _in(self, kind: type[Kind]) -> Kind:
        """Return the open section when it is of this kind, else a new one."""
        if not isinstance(self._section, kind):
            self._leave()
            region = self._regions[kind]
            if kind is not Waiting and kind is not self._last:
                region.set_apart()
                self._last = kind
            self._section = kind(region.console)
        return self._section

    def _leave(self) -> None:
        self._regions[type(self._section)].show(*self._section.take(last=True))

    def _say(self, text: str) -> None:
        self._aside.set_apart()
        self._aside.say(text)
        self._last = None
