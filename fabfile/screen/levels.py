"""Colours for the lines of vLLM's log, by how they begin: jobs write it without any."""

from __future__ import annotations

import re

_DIM = "2"
_COLOURS = {"ours": "1", "warning": "33", "error": "31"}
_PROCESS = re.compile(r"\([^()]{1,60} pid=\d+\) ")
_LEVEL = re.compile(
    r"(?P<ours>\[podfab\])|(?P<warning>WARNING\b)"
    r"|(?P<error>(?:ERROR|CRITICAL|[\w.]*(?:Error|Exception|Interrupt))\b)"
)
# What a line may begin with and still get a colour: it is kept until its first word is whole.
_OPEN = re.compile(r"\([^()]{0,60}(?:\)(?: [\w.]{0,80})?)?|[\w.]{0,80}|\[\w{0,6}")


class Levels:
    """Colour a log that comes in pieces, cut anywhere."""

    def __init__(self) -> None:
        self._kept = ""
        self._colour: str | None = None  # the line's, None before its first word is whole

    def paint(self, text: str) -> str:
        """Return the text in its colours, but for the beginning of a line that is kept."""
        *lines, last = (self._kept + text).split("\n")
        painted = []
        for line in lines:
            painted += [self._painted(line), "\n"]
            self._colour = None
        self._kept = last if self._colour is None and _OPEN.fullmatch(last) else ""
        if not self._kept and last:
            painted.append(self._painted(last))
        return "".join(painted)

    def rest(self) -> str:
        """Return what is kept."""
        return self._painted(self._kept)

    def _painted(self, text: str) -> str:
        process = ""
        if self._colour is None:
            process = found[0] if (found := _PROCESS.match(text)) else ""
            level = _LEVEL.match(text, len(process))
            self._colour = _COLOURS[str(level.lastgroup)] if level else ""
        return _in(_DIM, process) + _in(self._colour, text[len(process) :])


def _in(colour: str, text: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and text else text
