from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fabfile.screen.answer import Answer, Events
from fabfile.screen.calls import described
from fabfile.screen.remarks import figures
from tests.support.glass import Glass

Event = dict[str, Any]


def thinking(text: str) -> Event:
    return {"type": "reasoning", "text": text}


def content(text: str) -> Event:
    return {"type": "content", "text": text}


def call(name: str, **arguments: Any) -> Event:
    return {"type": "tool_call", "id": name, "name": name, "arguments": arguments}


def result(name: str, summary: str, ok: bool = True) -> Event:
    return {"type": "tool_result", "id": name, "name": name, "ok": ok, "summary": summary,
            "text": "all of it"}  # fmt: skip


def usage(prompt: int, completion: int, first: float | None, speed: float | None) -> Event:
    return {"type": "usage", "prompt_tokens": prompt, "completion_tokens": completion,
            "first_token_s": first, "tokens_per_s": speed}  # fmt: skip


DONE = {"type": "done", "finish_reason": "stop"}
CUT = {"type": "error", "message": "the answer broke off; asking again in 2 s", "retry": True}
NOTE = {"type": "note", "text": "the context is full: 2 older\ntool results were left out"}
TURNS = [
    thinking("\nI look "), thinking("for it.\n\nIn two [bold]files[/bold].\n\n"),
    content("\n\n"), usage(900, 60, 0.31, 60.0),
    call("rg", pattern="port", path="fabfile", glob="*.py", context=None),
    call("read", path="a.py"),
    result("rg", "7 matches in 3 files"), result("read", "no such file", ok=False),
    call("ls"), result("ls", "3 entries"),
    thinking("Now I know."), content("It is `80"), content("01`.\n\nAnd **"), content("more**."),
    usage(1900, 240, 0.1, 120.0), DONE,
]  # fmt: skip


@contextmanager
def streams(out: io.StringIO, err: io.StringIO, width: int = 80) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", err)
        patched.setenv("TERM", "xterm-256color")
        patched.setenv("COLUMNS", str(width))
        patched.setenv("LINES", "24")
        yield


def show(events: list[Event], out: io.StringIO, err: io.StringIO, width: int = 80) -> None:
    with streams(out, err, width):
        answer = Answer()
        for event in events:
            answer.show(event)
        answer.end()
        answer.end()


def test_a_terminal_shows_thinking_calls_answer_and_figures() -> None:
    glass = Glass()
    show(TURNS, glass, glass)
    assert glass.rows == [
        "thinking",
        "I look for it.",
        "",
        "In two [bold]files[/bold].",
        "",
        '✓ rg  "port" in fabfile  glob=*.py  7 matches in 3 files',
        "✗ read  a.py  no such file",
        "✓ ls  3 entries",
        "",
        "thinking",
        "Now I know.",
        "",
        "It is 8001.",
        "",
        "And more.",
        "",
        "1900 + 300 tokens, first after 0.31 s, 100 tokens/s",
        "",
    ]
    assert glass.clean


def test_what_goes_with_the_answer_follows_stderr_into_a_file() -> None:
    glass, err = Glass(), io.StringIO()
    show([NOTE, *TURNS], glass, err)
    assert glass.rows == ["It is 8001.", "", "And more.", ""]
    assert "\x1b" not in err.getvalue()
    lines = err.getvalue().splitlines()
    assert lines[0] == "the context is full: 2 older tool results were left out"
    assert lines[2:4] == ["thinking", "I look for it."]
    assert lines[-1] == "1900 + 300 tokens, first after 0.31 s, 100 tokens/s"


def test_a_terminal_that_can_not_move_its_cursor_gets_no_sequences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual, dumb = Glass(), Glass()
    show(TURNS, usual, usual)
    monkeypatch.setattr("fabfile.screen.page.dumb", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    show(TURNS, dumb, dumb)
    assert dumb.rows == usual.rows
    assert not re.search(r"\x1b\[[^m]*[A-Zhl]", dumb.getvalue())


def test_without_a_terminal_only_the_answer_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    out, err = io.StringIO(), io.StringIO()
    show([*TURNS[:-1], {"type": "done", "finish_reason": "length"}], out, err)
    assert out.getvalue() == "\n\nIt is `8001`.\n\nAnd **more**.\n"
    assert err.getvalue() == "the answer was cut at the token limit\n"


def test_a_terminal_beside_a_file_gets_the_calls_and_the_figures() -> None:
    out, glass = io.StringIO(), Glass()
    show(TURNS, out, glass)
    assert out.getvalue() == "\n\nIt is `8001`.\n\nAnd **more**.\n"
    assert glass.rows == [
        '✓ rg  "port" in fabfile  glob=*.py  7 matches in 3 files',
        "✗ read  a.py  no such file",
        "✓ ls  3 entries",
        "1900 + 300 tokens, first after 0.31 s, 100 tokens/s",
        "",
    ]


@given(pieces=st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.just("\x1b[2J\r")))
def test_a_file_gets_what_came(pieces: list[str]) -> None:
    out, err = io.StringIO(newline=""), io.StringIO()
    show([content(piece) for piece in pieces], out, err)
    text = "".join(pieces)
    assert out.getvalue() == (text if not text or text.endswith("\n") else text + "\n")
    assert err.getvalue() == ""


def test_an_answer_that_was_cut_begins_anew_below() -> None:
    events = [content("It is **80"), CUT, content("It is 8001."), DONE]
    glass, out, err = Glass(), io.StringIO(), io.StringIO()
    show(events, glass, glass)
    show(events, out, err)
    assert glass.rows == ["It is **80", "", CUT["message"], "", "It is 8001.", ""]
    assert out.getvalue() == "It is **80\nIt is 8001.\n"
    assert err.getvalue() == CUT["message"] + "\n"


_texts = st.text() | st.sampled_from(
    [
        "\x1b[2J",
        "\x1b",
        "[31m",
        "\x9b",
        "\u202e",
        "\r",
        "\x07",
        "\ud83d",
        "[red]",
        "\n",
        "```",
        "- ",
    ]
)
_values = _texts | st.booleans() | st.none() | st.lists(_texts, max_size=2)
_events = st.one_of(
    st.builds(content, _texts),
    st.builds(thinking, _texts),
    st.fixed_dictionaries(
        {"type": st.just("tool_call"), "name": _texts,
         "arguments": _texts | st.dictionaries(_texts | st.just("path"), _values, max_size=3)}
    ),
    st.builds(result, _texts, _texts, st.booleans()),
    st.builds(lambda text: {"type": "note", "text": text}, _texts),
)  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(events=st.lists(_events, max_size=12), width=st.integers(1, 40))
@example(events=[content("\x1b"), content("[2J\x1b]8;;file:///"), content("\x07x")], width=40)
def test_no_answer_can_steer_the_terminal(events: list[Event], width: int) -> None:
    glass = Glass(width)  # which refuses all that we do not send ourselves
    show(events, glass, glass, width)
    assert glass.clean
    beside = Glass(width)
    show(events, io.StringIO(), beside, width)
    err = io.StringIO()
    show(events, Glass(width), err, width)
    assert "\x1b" not in err.getvalue()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pattern": "a b", "path": "src", "glob": "*.py"}, '"a b" in src  glob=*.py'),
        ({"pattern": "x", "ignore_case": True, "fixed_strings": False}, '"x"  ignore_case'),
        ({"path": "a.py", "offset": 10, "limit": None}, "a.py  offset=10"),
        ({"paths": ["a", "ä"], "of": {"b": 1}}, 'paths=["a", "ä"]  of={"b": 1}'),
        ({"text": "two\nlines\tand\x1b[2J"}, "text=two\\nlines\\tand[2J"),
        ({"path": 3, "pattern": None}, "3"),
        ('{"path": "a', '{"path": "a'),
        (["a"], '["a"]'),
        ({}, ""),
    ],
)
def test_arguments_are_written_as_people_would(arguments: Any, words: str) -> None:
    assert described(arguments) == words


def test_a_call_takes_one_line_and_keeps_what_came_of_it() -> None:
    glass = Glass(40)
    show([call("rg", pattern="x" * 9999), result("rg", "7 matches"), call("ls")], glass, glass, 40)
    assert glass.rows == ['✓ rg  "xxxxxxxxxxxxxxxxxxxxx…  7 matches', "- ls", ""]


def test_figures_are_those_of_all_turns() -> None:
    assert figures([usage(10, 5, None, None)]) == "10 + 5 tokens"
    turns = [usage(10, 100, 0.5, 100.0), usage(200, 7, 0.1, None), usage(300, 100, 0.1, 50.0)]
    assert figures(turns) == "300 + 207 tokens, first after 0.50 s, 67 tokens/s"


def test_events_are_json_lines_and_notes_go_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    events = Events()
    said = [*TURNS, content("größe \ud83d\n")]
    for event in [NOTE, *said]:
        events.show(event)
    events.end()
    told = capsys.readouterr()
    assert [json.loads(line) for line in told.out.splitlines()] == said
    assert "größe" in told.out
    assert told.err == "the context is full: 2 older tool results were left out\n"


_ENDLESS = """
import sys, time
from fabfile.screen.answer import Answer
answer = Answer()
try:
    answer.show({"type": "content", "text": "First.\\n\\nThe **second** is"})
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
finally:
    answer.end()
"""


def test_an_interruption_leaves_what_came_and_a_clean_line() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ENDLESS],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    seen = b""
    while b"second" not in seen:
        seen += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    try:
        while True:
            seen += os.read(ours, 4096)
    except OSError:  # the other end is closed
        pass
    assert process.wait(5) == 130, seen
    glass = Glass()
    glass.write(seen.decode().replace("\r\n", "\n"))
    assert glass.rows == ["First.", "", "The second is", ""]
    assert glass.clean


def test_while_nothing_comes_a_terminal_shows_that_it_is_waited_for() -> None:
    glass = Glass()
    with streams(glass, glass):
        answer = Answer()
        begun = time.monotonic()
        while not glass.rows[0].endswith("0 s"):
            assert time.monotonic() < begun + 5
            time.sleep(0.01)
        answer.end()
    assert glass.rows == [""]
