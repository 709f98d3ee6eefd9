"""Ask a model that runs on a pod."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

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
    from .screen.answer import Answer, Events

    answer = Events() if json else Answer()
    try:
        with _client(c, name, base_url, pod) as client:
            from .chat.loop import turn

            for event in turn(client, name, messages):
                answer.show(event)
    except PodfabError as error:
        if json:
            answer.show({"type": "error", "message": error.text})
        raise
    finally:
        answer.end()


def _client(
    c: invoke.Context, name: str, base_url: str, pod: str
) -> AbstractContextManager[openai.OpenAI]:
    from .chat.client import client, connected

    if base_url:
        return client(base_url, os.environ.get("OPENAI_API_KEY", ""))
    return connected(target(c, pod), name)
