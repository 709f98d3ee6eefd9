"""One request to a model, streamed as events; what the pieces make is a message."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import PodfabError

if TYPE_CHECKING:
    import openai

Event = dict[str, Any]
Message = dict[str, Any]

# vLLM 0.32.0 says "maximum context length" and "input tokens"; OpenAI's code for it is the last.
_TOO_LONG = re.compile(
    r"maximum context length|context length is|input tokens|longer than the maximum model length|"
    r"prompt is too long|context_length_exceeded"
)
_NO_TOOLS = re.compile(r"tool choice requires|enable-auto-tool-choice|does not support tools")


class Broken(PodfabError):
    """The answer did not come, or not whole; asking again may help, after some seconds."""

    def __init__(self, message: str, after: float = 0) -> None:
        super().__init__(message)
        self.after = after


class TooLong(PodfabError):
    """The conversation is longer than the model's context."""


class NoTools(PodfabError):
    """The server can not take tools for this model."""


class Reply:
    """What a model says in one turn, put together from the pieces of its stream."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, for another try."""
        self.content = ""
        self.finish: str | None = None
        self._calls: dict[Any, dict[str, str]] = {}
        self._latest: Any = None

    @property
    def calls(self) -> list[dict[str, str]]:
        """The tool calls: `id`, `name` and `arguments` as the text that came."""
        return [
            {**call, "id": call["id"] or f"call_{number}"}
            for number, call in enumerate(self._calls.values())
            if call["name"]
        ]

    def take(self, delta: Any) -> None:
        """Add a piece."""
        self.content += delta.content or ""
        for part in delta.tool_calls or []:
            call = self._calls.setdefault(self._key(part), {"id": "", "name": "", "arguments": ""})
            call["id"] = call["id"] or part.id or ""
            if part.function:
                call["name"] += part.function.name or ""
                call["arguments"] += part.function.arguments or ""

    def message(self) -> Message:
        """Return the message that stands for it in the conversation."""
        message: Message = {"role": "assistant", "content": self.content or None}
        if calls := self.calls:
            message["tool_calls"] = [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": _sound(call["arguments"])},
                }
                for call in calls
            ]
        return message

    def _key(self, part: Any) -> Any:
        """Return which call a piece belongs to: some servers number all of them 0, or none."""
        known = self._calls.get((part.index, 0))
        if part.id and known and known["id"] and known["id"] != part.id:
            self._latest = (part.index, part.id)
        elif part.id or self._latest is None or self._latest[0] != part.index:
            self._latest = (part.index, 0)
        return self._latest


def stream(
    client: openai.OpenAI,
    model: str,
    messages: list[Message],
    options: dict[str, Any],
    reply: Reply,
) -> Iterator[Event]:
    """Send the messages and yield what comes back, piece by piece; `reply` takes it too.

    `options` are further fields of the request.

    Events: reasoning, content, usage. Raises Broken, TooLong, NoTools, or PodfabError when the
    server refuses for good.
    """
    import openai

    begun = time.monotonic()
    first: float | None = None
    request: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        **options,
    }
    try:
        answer = client.chat.completions.create(**request)
        with answer:
            _check_type(answer.response.headers.get("content-type", ""))
            for chunk in answer:
                for choice in chunk.choices:
                    reply.finish = choice.finish_reason or reply.finish
                    reply.take(choice.delta)
                    for event in _pieces(choice.delta):
                        first = first or time.monotonic()
                        yield event
                if chunk.usage:
                    yield _usage(chunk.usage, begun, first)
    except openai.APIStatusError as error:
        raise _refusal(client, model, error) from error
    except openai.APIConnectionError as error:
        raise Broken(f"the connection to the model broke ({error})") from error
    except (openai.APIError, ValueError) as error:
        raise Broken(f"the answer broke off: {error}") from error
    except Exception as error:
        if not _of_transport(error):
            raise
        raise Broken(f"the answer broke off: {error or type(error).__name__}") from error
    if reply.finish is None:
        raise Broken("the answer ended in the middle")


def _sound(arguments: str) -> str:
    """Return arguments that a chat template can read: vLLM refuses a history with broken JSON."""
    try:
        return arguments if isinstance(json.loads(arguments), dict) else "{}"
    except ValueError:
        return "{}"


def _of_transport(error: Exception) -> bool:
    """Tell whether httpx raised it, whose name has changed (openai 3: httpx2)."""
    return type(error).__module__.startswith("httpx")


def _check_type(kind: str) -> None:
    if not kind.startswith("text/event-stream"):
        raise PodfabError(
            f"the server answers with {kind or 'no content type'}, not with a stream; "
            "is the address right? it ends in /v1"
        )


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


def _refusal(client: openai.OpenAI, model: str, error: openai.APIStatusError) -> PodfabError:
    body = error.body if isinstance(error.body, dict) else {}
    said = str(body.get("message") or body.get("error") or error.message).split("\n")[0][:400]
    code = error.status_code
    if code == 401:
        why = "it was started with another one (PI_API_KEY)"
        return PodfabError(f"the server refuses the key; {why}")
    if code == 404 and (names := _served(client)):
        return PodfabError(f"the server has no model {model}; it has: {', '.join(names)}")
    if code == 400 and _NO_TOOLS.search(said):
        return NoTools(said)
    if code in (400, 413) and _TOO_LONG.search(said):
        return TooLong(said)
    if code == 429 or code >= 500:
        return Broken(f"the server answered {code}: {said}", _seconds(error))
    return PodfabError(f"the server answered {code}: {said}")


def _seconds(error: openai.APIStatusError) -> float:
    """Return how long the server asks to wait, a minute at most."""
    text = error.response.headers.get("retry-after", "")
    return min(60.0, float(text)) if re.fullmatch(r"\d+(\.\d+)?", text) else 0


def _served(client: openai.OpenAI) -> list[str]:
    import openai

    try:
        return [model.id for model in client.models.list()]
    except (openai.OpenAIError, ValueError):
        return []
