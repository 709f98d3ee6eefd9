"""One turn of a conversation, streamed as events. The tools' rounds belong here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

import openai

from ..errors import PodfabError

Event = dict[str, Any]


def turn(client: openai.OpenAI, model: str, messages: list[dict[str, str]]) -> Iterator[Event]:
    """Send the messages and yield what comes back, piece by piece.

    Events: reasoning, content, usage, done. Raises PodfabError when the server refuses or the
    stream is cut.
    """
    begun = time.monotonic()
    first: float | None = None
    finish = None
    try:
        stream = client.chat.completions.create(
            model=model,
            messages=cast(Any, messages),
            stream=True,
            stream_options={"include_usage": True},
        )
        with stream:
            for chunk in stream:
                for choice in chunk.choices:
                    finish = choice.finish_reason or finish
                    for event in _pieces(choice.delta):
                        first = first or time.monotonic()
                        yield event
                if chunk.usage:
                    yield _usage(chunk.usage, begun, first)
    except openai.APIStatusError as error:
        raise PodfabError(_refusal(error)) from error
    except openai.APIError as error:
        raise PodfabError(f"the answer broke off: {error}; ask again") from error
    yield {"type": "done", "finish_reason": finish}


def _pieces(delta: Any) -> Iterator[Event]:
    # vLLM says `reasoning` since PR 27752, other servers and older ones `reasoning_content`.
    for name in ("reasoning", "reasoning_content"):
        if text := getattr(delta, name, None):
            yield {"type": "reasoning", "text": text}
            break
    if delta.content:
        yield {"type": "content", "text": delta.content}


def _usage(usage: Any, begun: float, first: float | None) -> Event:
    now = time.monotonic()
    tokens = usage.completion_tokens
    speed = tokens / (now - first) if first and now > first else None
    return {
        "type": "usage",
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": tokens,
        "first_token_s": round(first - begun, 3) if first else None,
        "tokens_per_s": round(speed, 1) if speed else None,
    }


def _refusal(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    said = body.get("message") or body.get("error") or error.message
    if error.status_code == 401:
        return "the server refuses the key; it was started with another one (PI_API_KEY)"
    return f"the server answered {error.status_code}: {said}"
