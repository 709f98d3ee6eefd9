"""Logs of a pod, passed on to stdout."""

from __future__ import annotations

import codecs
import re
import sys

from . import plain


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
