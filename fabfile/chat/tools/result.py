"""What a tool hands back: text for the model, and a few words for the screen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from time import monotonic

# About 8000 tokens: a model of 16k still has room to think.
CHARACTERS = 30_000


@dataclass(frozen=True)
class Result:
    """The outcome of one call: the text for the model, a summary for the screen."""

    text: str
    summary: str
    ok: bool = True


class ToolError(Exception):
    """A call that could not be done: what is wrong and what to do instead, for the model."""

    def __init__(self, text: str, summary: str) -> None:
        super().__init__(text)
        self.text = text
        self.summary = summary


@dataclass
class Watch:
    """The time that is left to a call, and what it had to leave out."""

    seconds: float
    late: bool = False
    unread: int = 0
    _begun: float = field(default_factory=monotonic)

    @property
    def left(self) -> float:
        """The seconds that are left, 0 at least."""
        return max(0.0, self._begun + self.seconds - monotonic())

    def notes(self) -> list[str]:
        """Say what is missing in the result, and why."""
        said = []
        if self.late:
            said.append(
                f"stopped after {self.seconds:g} s, so this is not all: narrow path or glob"
            )
        if self.unread:
            said.append(f"{counted(self.unread, 'path')} could not be read")
        return said


def noted(text: str, notes: list[str]) -> str:
    """Append notes in brackets, which no tool uses for anything else."""
    return "\n".join([text, *(f"[{note}]" for note in notes)]).lstrip("\n")


def fitting(lines: list[str], most: int) -> list[str]:
    """Return as many lines from the start as one result may hold."""
    room = CHARACTERS
    for index, line in enumerate(lines[:most]):
        room -= len(line) + 1
        if room < 0:
            return lines[:index]
    return lines[:most]


def counted(number: int, noun: str) -> str:
    """Return `1 file` or `2 files`; a match is `matches`, an entry is `entries`."""
    plural = {"match": "matches", "entry": "entries"}.get(noun, noun + "s")
    return f"{number} {noun if number == 1 else plural}"


def size(number: int) -> str:
    """Return a number of bytes for reading: `512 bytes`, `1.2 KB`."""
    if number < 1000:
        return counted(number, "byte")
    amount = float(number)
    for unit in ("KB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def name(text: str) -> str:
    """Return a file's name as it can be shown and sent back.

    One with control characters, quotes or bytes that are no UTF-8 becomes a JSON string, which
    a model copies into its next call as it is.
    """
    plain = text.isprintable() and text == text.strip() and '"' not in text
    return text if plain else json.dumps(text)


def brief(value: object) -> str:
    """Return a value of a call's arguments as JSON, short enough to be quoted."""
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:120] + "..."
