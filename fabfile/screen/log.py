"""Logs of a pod, passed on to stdout."""

from __future__ import annotations

import codecs
import os
import re
import sys

from .levels import Levels


class LogView:
    """Pass a log on to stdout: as it is into a file, tamed and coloured into a terminal."""

    # Every sequence but a colour (ECMA-48: control sequences, system commands, two-byte ones).
    _ESCAPE = re.compile(
        r"\x1b(?!\[[0-9;]*m)(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[\s\S]?)"
    )
    _CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")
    _UNFINISHED = re.compile(r"(?:\x1b[^a-zA-Z\x07]{0,80}|\r)\Z")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self._levels = Levels()

    def write(self, data: bytes) -> None:
        if not sys.stdout.isatty():
            sys.stdout.buffer.write(data)
        elif os.environ.get("NO_COLOR"):
            sys.stdout.write(self._tamed(self._decoder.decode(data)))
        else:
            sys.stdout.write(self._levels.paint(self._tamed(self._decoder.decode(data))))
        sys.stdout.flush()

    def close(self) -> None:
        """Print what is kept of a line that has not ended."""
        sys.stdout.write(self._levels.rest())
        sys.stdout.flush()

    def _tamed(self, text: str) -> str:
        text = self._held + text
        unfinished = self._UNFINISHED.search(text)
        self._held = unfinished[0] if unfinished else ""
        text = self._ESCAPE.sub("", text[: len(text) - len(self._held)])
        return self._CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
