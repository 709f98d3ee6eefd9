"""The agent's loop against a server that does everything a model and its server can do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from fabfile.chat import loop
from fabfile.chat.client import client
from fabfile.chat.loop import Conversation
from fabfile.errors import PodfabError
from tests.support import scripted
from tests.support.scripted import END, Scripted, call, calls, piece, refuses, says, sends, streams

LS = ("ls", '{"path": "."}')


@dataclass
class Result:
    text: str
    summary: str = "done"
    ok: bool = True


class Tools:
    """Tools that say how they were called."""

    schemas = [{"type": "function", "function": {"name": "ls", "parameters": {}}}]  # noqa: RUF012

    def __init__(self, answer: str = "") -> None:
        self.answer = answer

    def call(self, name: str, arguments: str) -> Result:
        return Result(self.answer or f"{name} {arguments}")


@contextmanager
def talk(*script: scripted.Turn, tools: Any = None) -> Iterator[tuple[Conversation, Scripted]]:
    with Scripted(*script) as server, client(server.url, "key") as opened:
        yield Conversation(opened, "m", tools, "the files", ""), server


def asked(*script: scripted.Turn, tools: Any = None, steps: int = 20) -> tuple[list[Any], Scripted]:
    with talk(*script, tools=tools) as (conversation, server):
        return list(conversation.ask("hello", steps)), server


def types(events: list[Any]) -> list[str]:
    return [event["type"] for event in events]


def content(events: list[Any]) -> str:
    return "".join(event["text"] for event in events if event["type"] == "content")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_PAUSES", (0.0, 0.0, 0.0))


def test_an_answer_streams_with_its_figures() -> None:
    events, server = asked(says("Pa", "ris", "."))
    assert types(events) == ["content", "content", "content", "usage", "done"]
    assert content(events) == "Paris."
    assert events[-2]["completion_tokens"] == 3
    assert events[-1] == {"type": "done", "finish_reason": "stop"}
    assert "tools" not in server.asked[0]
    assert server.asked[0]["messages"] == [{"role": "user", "content": "hello"}]


def test_thinking_comes_under_both_of_its_names() -> None:
    turn = streams([piece(reasoning="one "), piece(reasoning_content="two"), piece(content="ok"),
                    piece("stop"), END])  # fmt: skip
    events, _ = asked(turn)
    assert [event.get("text") for event in events[:3]] == ["one ", "two", "ok"]
    assert types(events)[:3] == ["reasoning", "reasoning", "content"]


def test_calls_that_come_in_pieces_are_run_and_answered_in_order() -> None:
    pieces = [
        piece(content="Let me look. "),
        call(0, "a", "ls", ""), call(0, None, None, '{"pa'), call(1, "b", "read", '{"path": "x'),
        call(0, None, None, 'th": "."}'), call(1, None, None, '"}'), piece("tool_calls"), END,
    ]  # fmt: skip
    events, server = asked(streams(pieces), says("done"), tools=Tools())
    assert types(events) == [
        "content", "usage", "tool_call", "tool_call", "tool_result", "tool_result",
        "content", "usage", "done",
    ]  # fmt: skip
    assert [e["arguments"] for e in events if e["type"] == "tool_call"] == [
        {"path": "."}, {"path": "x"}
    ]  # fmt: skip
    first, second = server.asked[1]["messages"][3:]
    assert (first["tool_call_id"], first["content"]) == ("a", 'ls {"path": "."}')
    assert (second["tool_call_id"], second["content"]) == ("b", 'read {"path": "x"}')
    assert server.asked[0]["messages"][0] == {"role": "system", "content": "the files"}
    assert server.asked[1]["messages"][2]["content"] == "Let me look. "


@pytest.mark.parametrize("index", [0, None])
def test_calls_that_a_server_numbers_alike_are_two(index: int | None) -> None:
    pieces = [
        call(index, "a", "ls", '{"path": "a"}'), call(index, "b", "ls", '{"path": '),
        call(index, None, None, '"b"}'), piece("tool_calls"), END,
    ]  # fmt: skip
    events, _ = asked(streams(pieces), says("done"), tools=Tools())
    made = [event["arguments"] for event in events if event["type"] == "tool_call"]
    assert made == [{"path": "a"}, {"path": "b"}]


def test_a_call_without_an_id_gets_one() -> None:
    pieces = [call(0, None, "ls", "{}"), piece("tool_calls"), END]
    _, server = asked(streams(pieces), says("done"), tools=Tools())
    message, result = server.asked[1]["messages"][2:]
    assert message["tool_calls"][0]["id"] == result["tool_call_id"] != ""


def test_arguments_that_are_no_json_go_to_the_tool_and_not_into_the_history() -> None:
    events, server = asked(calls(("ls", '{"path": ')), says("done"), tools=Tools())
    assert events[1]["arguments"] == '{"path": '
    message, result = server.asked[1]["messages"][2:]
    assert message["tool_calls"][0]["function"]["arguments"] == "{}"
    assert result["content"] == 'ls {"path": '


def test_the_steps_are_limited_and_then_it_must_answer() -> None:
    script = [calls(("ls", json.dumps({"path": str(n)}))) for n in range(2)]
    events, server = asked(*script, says("so"), tools=Tools(), steps=2)
    assert "tools" in server.asked[1] and "tools" not in server.asked[2]
    assert {"type": "note", "text": "2 rounds of tools: now it has to answer"} in events
    assert content(events) == "so"


def test_the_same_call_three_times_stops() -> None:
    events, server = asked(*[calls(LS)] * 3, says("so"), tools=Tools())
    assert len(server.asked) == 4 and "tools" not in server.asked[3]
    assert {"type": "note", "text": "the same call once more: now it has to answer"} in events
    assert events[-1] == {"type": "done", "finish_reason": "stop"}


def test_a_context_that_is_full_loses_old_results_and_says_so() -> None:
    too_long = refuses(400, "This model's maximum context length is 2048 tokens. However, ...")
    big = Tools("x" * 5000)
    other = calls(("ls", '{"path": "b"}'))
    events, server = asked(calls(LS), other, too_long, says("ok"), tools=big)
    note = "the context is full: 1 older tool results were left out"
    assert {"type": "note", "text": note} in events
    last = [m["content"] for m in server.asked[3]["messages"] if m["role"] == "tool"]
    assert last[0].startswith("[this result of 5000 characters was left out")
    assert last[1] == "x" * 5000 and content(events) == "ok"


def test_a_question_that_is_too_long_is_told() -> None:
    with pytest.raises(PodfabError, match=r"more than the model's context holds .*--context"):
        asked(refuses(400, "This model's maximum context length is 2048 tokens."))


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_server_is_asked_again(status: int) -> None:
    events, server = asked(refuses(status, "busy"), refuses(status, "busy"), says("ok"))
    assert types(events) == ["error", "error", "content", "usage", "done"]
    assert all(event["retry"] for event in events[:2])
    assert len(server.asked) == 3


def test_a_server_that_stays_busy_is_told_in_the_end() -> None:
    with pytest.raises(PodfabError, match="the server answered 503: busy"):
        asked(*[refuses(503, "busy")] * 4)


def test_what_the_server_asks_to_wait_is_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(loop, "time", SimpleNamespace(sleep=slept.append))
    asked(refuses(429, "slow down", Retry_After="3"), says("ok"))
    assert slept == [3.0]


@pytest.mark.parametrize(
    "cut",
    [
        streams([piece(content="Par")], done=False),
        streams([piece(content="Par")]),
        streams([piece(reasoning="hm")], done=False),
        streams([{"error": {"message": "EngineCore encountered an issue.", "code": 500}}]),
    ],
)
def test_a_stream_that_is_cut_is_asked_for_again(cut: scripted.Turn) -> None:
    with talk(cut, says("Paris")) as (conversation, _):
        events = list(conversation.ask("hello", 20))
        assert [event["retry"] for event in events if event["type"] == "error"] == [True]
        assert conversation.messages[-1] == {"role": "assistant", "content": "Paris"}


def test_a_server_without_a_tool_parser_answers_without_tools() -> None:
    said = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    events, server = asked(refuses(400, said), says("ok"), tools=Tools())
    assert "tools" not in server.asked[1]
    assert server.asked[1]["messages"] == [{"role": "user", "content": "hello"}]
    assert types(events) == ["note", "content", "usage", "done"]


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (refuses(401, "Unauthorized"), "the server refuses the key"),
        (refuses(404, "The model `x` does not exist."), "the server has no model m; it has: m"),
        (refuses(400, "bad\nrequest"), "the server answered 400: bad$"),
        (sends(b"<html>hello</html>", "text/html"), "answers with text/html, not with a stream"),
        (sends(b'{"choices": []}', "application/json"), "answers with application/json, not with"),
    ],
)
def test_what_a_server_refuses_for_good_is_one_line(turn: scripted.Turn, words: str) -> None:
    with pytest.raises(PodfabError, match=words):
        asked(turn)


def test_nobody_listens() -> None:
    with client("http://127.0.0.1:9/v1", "") as opened:
        conversation = Conversation(opened, "m", None, "", "")
        with pytest.raises(PodfabError, match="the connection to the model broke"):
            list(conversation.ask("hello", 20))


def test_what_came_before_an_interruption_stays() -> None:
    slow = streams([piece(content="Par"), piece(content="is"), piece("stop"), END], pause=0.01)
    with talk(slow, says("ok")) as (conversation, server):
        events = conversation.ask("hello", 20)
        next(events)
        with pytest.raises(KeyboardInterrupt):
            events.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
        assert conversation.messages[-1] == {"role": "assistant", "content": "Par"}
        list(conversation.ask("go on", 20))
        assert [m["role"] for m in server.asked[1]["messages"]] == ["user", "assistant", "user"]


def test_calls_that_were_interrupted_leave_no_hole() -> None:
    with talk(calls(LS, ("read", "{}")), says("ok"), tools=Tools()) as (conversation, _):
        events = conversation.ask("hello", 20)
        while next(events)["type"] != "tool_result":
            pass
        with pytest.raises(KeyboardInterrupt):
            events.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
        roles = [message["role"] for message in conversation.messages]
        assert roles == ["user", "assistant", "tool", "tool"]
        assert conversation.messages[-1]["content"] == "interrupted by the user"
