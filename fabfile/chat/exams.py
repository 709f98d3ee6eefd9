"""Small tasks that show whether a model can do an agent's work, each with its verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .stream import Event

NEEDLE, LINES = "zircon-4711", 6000
FILES = {
    "port.txt": "The service listens on port 8731.\n",
    "start.txt": "What you look for stands in next/end.txt\n",
    "next/end.txt": "The colour is turquoise.\n",
    "a.txt": "17\n",
    "b.txt": "25\n",
    "quarterly-report.txt": "The total is 5512.\n",
    "long.log": "".join(
        f"line {n}: the secret word is {NEEDLE}\n" if n == 4321 else f"line {n}: nothing here\n"
        for n in range(1, LINES + 1)
    ),
}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "inhabitants": {"type": "integer"}},
    "required": ["city", "inhabitants"],
    "additionalProperties": False,
}


@dataclass
class Transcript:
    """What came back: the answer, the thinking, the calls of each turn, and which went well."""

    content: str = ""
    reasoning: str = ""
    turns: list[list[str]] = field(default_factory=list)
    results: list[bool] = field(default_factory=list)

    @staticmethod
    def of(events: Iterable[Event]) -> Transcript:
        """Put the events of one answer together."""
        found, calling = Transcript(), False
        for event in events:
            kind = event["type"]
            if kind == "tool_call":
                if not calling:
                    found.turns.append([])
                found.turns[-1].append(event["name"])
            elif kind == "tool_result":
                found.results.append(event["ok"])
            elif kind in ("content", "reasoning"):
                setattr(found, kind, getattr(found, kind) + event["text"])
            calling = kind == "tool_call"
        return found

    def says(self, words: str) -> str:
        """Return nothing when the answer holds the words, else what is wrong."""
        if words.lower() in self.content.lower().replace(",", ""):
            return ""
        return f"{words!r} is not in its answer: {brief(self.content) or 'it is empty'}"


@dataclass(frozen=True)
class Exam:
    """A question, what it needs, and a judge: it returns what is wrong, or nothing.

    `promise` names what of the launch promises that it goes well: always, tools or reasoning.
    """

    capability: str
    question: str
    judge: Callable[[Transcript], str]
    promise: str = "tools"
    options: dict[str, Any] = field(default_factory=dict)


def brief(text: str) -> str:
    """Return the beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:157]}..."


def lay_out(folder: Path) -> None:
    """Write the files that the tasks are about."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)


def _after_calls(least: int, words: str) -> Callable[[Transcript], str]:
    """Judge an answer that takes so many turns of calls."""

    def judge(found: Transcript) -> str:
        if len(found.turns) < least:
            made = f"{len(found.turns)} turns with tool calls, {least} are needed"
            return f"{made}; it said: {brief(found.content)}"
        return found.says(words)

    return judge


def _parallel(found: Transcript) -> str:
    if not any(len(turn) > 1 for turn in found.turns):
        return _after_calls(1, "42")(found) or "right, but one call after the other"
    return found.says("42")


def _recovered(found: Transcript) -> str:
    wrong = _after_calls(1, "5512")(found)
    return wrong or ("" if False in found.results else "it met no error: it looked first")


def _json(found: Transcript) -> str:
    try:
        value = json.loads(found.content)
        right = isinstance(value["city"], str) and isinstance(value["inhabitants"], int)
    except (ValueError, KeyError, TypeError):
        right = False
    return "" if right else f"no JSON of the schema: {brief(found.content)}"


def _thinks(found: Transcript) -> str:
    if "<think>" in found.content:
        return "its thinking stands in the answer: another --reasoning-parser is needed"
    return "" if found.reasoning.strip() else "no thinking came apart from the answer"


EXAMS = (
    Exam("answer", "What is the capital of France?",
         lambda found: found.says("Paris"), "always", {"tools": False}),
    Exam("reasoning", "Which is larger, 9.11 or 9.9? Think it through.", _thinks, "reasoning",
         {"tools": False}),
    Exam("JSON by schema", "Name a city and how many people live there, as JSON.", _json, "always",
         {"tools": False, "response_format": {
             "type": "json_schema",
             "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}}),
    Exam("one call", "On which port does the service listen? It stands in port.txt.",
         _after_calls(1, "8731")),
    Exam("two calls in a row", "Read start.txt, and do what it says. Which colour is it?",
         _after_calls(2, "turquoise")),
    Exam("parallel calls", "Read a.txt and b.txt, both at once. What is the sum of the numbers?",
         _parallel),
    Exam("recovery", "First read report.txt. If it is not there, find the file that is meant. "
         "What is the total?", _recovered),
    Exam("long file", "Somewhere in long.log stands a secret word. Which?",
         _after_calls(1, NEEDLE)),
)  # fmt: skip
