"""Answers of a model, as they stream."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from . import plain, say

if TYPE_CHECKING:
    from rich.status import Status


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
        self._waiting: Status | None = None
        if sys.stderr.isatty():
            from rich.console import Console

            self._waiting = Console(stderr=True).status("waiting for the answer")
            self._waiting.start()

    def show(self, event: dict[str, Any]) -> None:
        self._stop_waiting()
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
        self._stop_waiting()
        if self._written and not self._written.endswith("\n"):
            print(flush=True)
            self._written = "\n"

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting.stop()
            self._waiting = None


def _figures(usage: dict[str, Any]) -> str:
    words = [f"{usage['prompt_tokens']} + {usage['completion_tokens']} tokens"]
    if usage["first_token_s"] is not None:
        words.append(f"first after {usage['first_token_s']:.2f} s")
    if usage["tokens_per_s"]:
        words.append(f"{usage['tokens_per_s']:.0f} tokens/s")
    return f"\x1b[2m{', '.join(words)}\x1b[0m"
