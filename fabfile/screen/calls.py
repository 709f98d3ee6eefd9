"""The calls of tools, a line each."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from . import plain
from .region import Line, Lines, wrapped
from .thinking import frame

_LONGEST = 500  # characters of a value: no window shows more


class Calls:
    """Show calls in their order: live until their result has come."""

    moves = True

    def __init__(self, console: Console) -> None:
        self._console = console
        self._open: list[dict[str, Any]] = []
        self._finished: list[Line] = []

    def add(self, event: dict[str, Any]) -> None:
        """Add a call, or the result of the first one that is open."""
        if event["type"] == "tool_call":
            self._open.append(event)
        elif self._open:
            mark = Text("✓", "green") if event["ok"] else Text("✗", "red")
            self._finished += self._line(self._open.pop(0), mark, event["summary"])

    @property
    def open(self) -> bool:
        """Tell if a result is waited for."""
        return bool(self._open)

    def take(self, last: bool = False) -> Lines:
        """Return the lines with a result, and those without."""
        finished, self._finished = self._finished, []
        turning = Text("-" if last else frame(), "dim")
        rest = [line for call in self._open for line in self._line(call, turning)]
        return (finished + rest, []) if last else (finished, rest)

    def _line(self, call: dict[str, Any], mark: Text, summary: str = "") -> list[Line]:
        """Write a call into one line; its arguments are cut, rather than what came of it."""
        name = _word(call["name"])
        said = Text(f"  {_word(summary)}" if summary else "", "dim")
        said.truncate(self._console.width // 2, overflow="ellipsis")
        called = Text.assemble(mark, f" {name}  ", (described(call["arguments"]), "dim"))
        called.truncate(self._console.width - said.cell_len, overflow="ellipsis")
        called.rstrip()
        return wrapped(self._console, called + said)


def described(arguments: Any) -> str:
    """Write arguments as people would: `"port" in fabfile  glob=*.py`."""
    if not isinstance(arguments, dict):
        return _word(arguments)
    given = {name: value for name, value in arguments.items() if value not in (None, False)}
    where = _word(given.pop("path", ""))
    words = [where] if where else []
    if "pattern" in given:
        words = [" in ".join([f'"{_word(given.pop("pattern"))}"', *words])]
    words += [
        _word(name) if value is True else f"{_word(name)}={_word(value)}"
        for name, value in given.items()
    ]
    return "  ".join(words)


def _word(value: Any) -> str:
    """Write a value into one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain(text[:_LONGEST]).replace("\n", "\\n").replace("\t", "\\t")
