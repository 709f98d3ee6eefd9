"""Ask a model that runs on a pod."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import invoke

from . import cli
from .cli import task
from .errors import PodfabError, UsageError
from .target import target

if TYPE_CHECKING:
    import openai


@task(
    default=True,
    dash=("text",),
    name_="the model",
    text="the question; - reads it from stdin",
    system="a system prompt",
    base_url="an OpenAI-compatible server instead of a pod; NAME is the model's name there",
    pod=cli.POD,
    json="print one JSON object per event",
)
def ask(
    c: invoke.Context,
    name: str,
    text: str,
    system: str = "",
    base_url: str = "",
    pod: str = "",
    json: bool = False,
) -> None:
    """Ask a model one question and print its answer as it comes.

    Examples:
      inv prompt qwen "What is the capital of France?"
      git diff | inv prompt qwen -
    """
    question = sys.stdin.read() if text == "-" else text
    if not question.strip():
        raise UsageError("the question is empty")
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": question})
    try:
        with _client(c, name, base_url, pod) as client:
            from .chat.loop import turn

            _print(turn(client, name, messages), json)
    except PodfabError as error:
        if json:
            _print([{"type": "error", "message": error.text}], json)
        raise


def _client(
    c: invoke.Context, name: str, base_url: str, pod: str
) -> AbstractContextManager[openai.OpenAI]:
    from .chat.client import client, connected

    if base_url:
        return client(base_url, os.environ.get("OPENAI_API_KEY", ""))
    return connected(target(c, pod), name)


def _print(events: Iterable[dict[str, Any]], json: bool) -> None:
    from .screen.answer import Answer, Events

    answer = Events() if json else Answer()
    try:
        for event in events:
            answer.show(event)
    finally:
        answer.end()
