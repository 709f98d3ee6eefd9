"""The agent's loop: ask, run the tools that are called, ask again, until there is an answer."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ..errors import PodfabError
from . import room
from .stream import Broken, Event, Message, NoTools, Reply, TooLong, stream

if TYPE_CHECKING:
    import openai

    from .tools.toolbox import Toolbox

_PAUSES = (0.5, 2.0, 8.0)  # seconds before each further try
_SAME = 3  # a call that is made so often leads nowhere
_AT_ONCE = 8


class Conversation:
    """Messages between a user and a model, which may use tools.

    `prologue` is the system prompt that goes with the tools, `system` the user's own; without tools
    it goes on, unless it `needs_tools`. `options` are further fields of each request.
    """

    def __init__(
        self,
        client: openai.OpenAI,
        model: str,
        toolbox: Toolbox | None = None,
        prologue: str = "",
        system: str = "",
        needs_tools: bool = False,
        **options: Any,
    ) -> None:
        self.messages: list[Message] = []
        self._client, self._model, self._toolbox = client, model, toolbox
        self._prologue, self.system, self._options = prologue, system, options
        self._needs_tools = needs_tools

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The schemas of the tools that the model has."""
        return self._toolbox.schemas if self._toolbox else []

    @property
    def instructions(self) -> str:
        """The whole system prompt."""
        parts = [self._prologue if self._toolbox else "", self.system]
        return "\n\n".join(filter(None, parts))

    def take_back(self) -> str:
        """Remove the last question and all that followed; return its text, or nothing."""
        asked = [n for n, message in enumerate(self.messages) if message["role"] == "user"]
        if not asked:
            return ""
        text = str(self.messages[asked[-1]]["content"])
        del self.messages[asked[-1] :]
        return text

    def as_markdown(self) -> str:
        """Write the conversation down for people; what tools gave is left out."""
        parts = []
        for message in self.messages:
            if message["role"] == "user":
                parts.append(f"## {message['content']}\n")
            elif message["role"] == "assistant" and message["content"]:
                parts.append(f"{message['content']}\n")
        return "\n".join(parts)

    def ask(self, text: str, max_steps: int) -> Iterator[Event]:
        """Ask and yield events until the model has answered.

        After `max_steps` rounds of tools, or when it makes one call over and over, it must answer
        with what it has. Raises PodfabError when the server refuses, or no try helps. What came
        before an interruption stays in the conversation.
        """
        self.messages.append({"role": "user", "content": text})
        made: Counter[str] = Counter()
        for step in range(max_steps + 1):
            may_call = step < max_steps and (not made or max(made.values()) < _SAME)
            if step and not may_call:
                why = f"{step} rounds of tools" if step == max_steps else "the same call once more"
                yield _note(f"{why}: now it has to answer")
            reply = Reply()
            try:
                yield from self._reply(reply, may_call)
            finally:
                self._keep(reply)
            if not reply.calls or not may_call:
                break
            yield from self._run(reply.calls, made)
        yield {"type": "done", "finish_reason": reply.finish}

    def _reply(self, reply: Reply, may_call: bool) -> Iterator[Event]:
        """Yield one turn of the model, tried again when it breaks and shortened when it must be."""
        pauses = iter(_PAUSES)
        while True:
            options = {
                **self._options,
                **({"tools": self.tools} if self.tools and may_call else {}),
            }
            try:
                return (yield from stream(self._client, self._model, self._sent(), options, reply))
            except NoTools:
                without = "the model was started without a tool parser"
                if self._needs_tools:
                    raise PodfabError(without) from None
                self._toolbox = None
                yield _note(f"{without}: it answers without tools")
            except TooLong as error:
                if not (dropped := room.drop_oldest(self.messages)):
                    raise PodfabError(
                        f"this is more than the model's context holds ({error.text}); ask with "
                        "less, or start the model with a longer --context"
                    ) from error
                yield _note(f"the context is full: {dropped} older tool results were left out")
            except Broken as error:
                if (pause := next(pauses, None)) is None:
                    raise
                pause = max(pause, error.after)
                said = f"{error.text}; asking again in {pause:g} s"
                yield {"type": "error", "message": said, "retry": True}
                time.sleep(pause)
            reply.forget()

    def _sent(self) -> list[Message]:
        """Return the messages with the system prompt before them."""
        if system := self.instructions:
            return [{"role": "system", "content": system}, *self.messages]
        return self.messages

    def _keep(self, reply: Reply) -> None:
        if reply.content or reply.calls:
            self.messages.append(reply.message())

    def _run(self, calls: list[dict[str, str]], made: Counter[str]) -> Iterator[Event]:
        """Run the calls of one turn at once; their results stand in the order of the calls."""
        assert self._toolbox
        for call in calls:
            made[f"{call['name']} {call['arguments']}"] += 1
            yield {
                "type": "tool_call",
                "id": call["id"],
                "name": call["name"],
                "arguments": _readable(call["arguments"]),
            }
        answered = 0
        try:
            with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
                words = ([call[key] for call in calls] for key in ("name", "arguments"))
                for call, result in zip(calls, pool.map(self._toolbox.call, *words), strict=True):
                    self._answer(call, result.text)
                    answered += 1
                    yield {
                        "type": "tool_result",
                        "id": call["id"],
                        "name": call["name"],
                        "ok": result.ok,
                        "summary": result.summary,
                        "text": result.text,
                    }
        finally:  # a call without an answer would make the conversation unusable
            for call in calls[answered:]:
                self._answer(call, "interrupted by the user")

    def _answer(self, call: dict[str, str], text: str) -> None:
        self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})


def _note(text: str) -> Event:
    return {"type": "note", "text": text}


def _readable(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments
