from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fabfile import screen
from fabfile.checking import Verdict
from fabfile.plan.rows import Row, unreachable
from fabfile.screen import listing
from fabfile.screen.log import LogView
from fabfile.screen.steps import Steps


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def terminal() -> Iterator[Terminal]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", drawn := Terminal())
        patched.setenv("TERM", "xterm-256color")
        patched.delenv("NO_COLOR", raising=False)
        yield drawn


def shown(*pieces: bytes) -> str:
    """What a terminal gets of a log that comes in these pieces."""
    with terminal() as drawn:
        view = LogView()
        for piece in pieces:
            view.write(piece)
    return drawn.getvalue()


def test_a_table_without_a_terminal_is_plain_aligned_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen.table(
        ("step", "state", "reason"),
        [("engine", "todo", "install [bold]vllm[/bold] :smile:"), ("uv", "ok", None)],
    )
    assert capsys.readouterr().out == (
        "step    state  reason\nengine  todo   install [bold]vllm[/bold] :smile:\nuv      ok\n"
    )


def test_a_wide_table_without_a_terminal_is_not_wrapped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    screen.table(("a", "b"), [("x" * 200, "y" * 200)])
    assert capsys.readouterr().out.splitlines()[1] == "x" * 200 + "  " + "y" * 200


def test_a_table_in_a_terminal_has_colours_and_the_same_words() -> None:
    with terminal() as drawn:
        screen.table(("name", "status"), [("qwen", "ready"), ("[bold]x", "failed")])
    assert "\x1b[32mready" in drawn.getvalue()
    words = re.sub(r"\x1b\[[0-9;]*m", "", drawn.getvalue()).split()
    assert words == ["name", "status", "qwen", "ready", "[bold]x", "failed"]


def test_what_a_pod_says_can_not_steer_the_terminal_from_a_table() -> None:
    with terminal() as drawn:
        screen.table(("name",), [("a\x1b[2J\x07\x9b5Ab",)])
    assert "\x1b[2J" not in drawn.getvalue()
    assert not re.search(r"[\x07\x80-\x9f]", drawn.getvalue())


def test_steps_without_a_terminal_are_a_line_each_in_their_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = [("uv", "todo", "fetch uv"), ("engine", "ok", "is there"), ("verify", "todo", "import")]
    with Steps(plan) as steps:
        steps.step("uv", "started")
        steps.line("Downloading\x1b[K uv")
        steps.step("uv", "changed", 2.04, "uv 0.13.9")
        steps.step("verify", "changed", 61, "vLLM 0.33.0")
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "uv      todo      fetch uv",
        "engine  ok        is there",
        "verify  todo      import",
        "uv      changed    2.0 s  uv 0.13.9",
        "verify  changed   61.0 s  vLLM 0.33.0",
    ]


def test_models_that_do_not_serve_say_why_beside_the_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = Row("dc1", "qwen", "Qwen/Qwen3-8B", "failed", 8001, [0, 1], None, None, None,
                 cause="the disk is\x1b[2J full", fix="free space")  # fmt: skip
    listing.models([failed, unreachable("dc2", "no answer in time")])
    told = capsys.readouterr()
    assert [line.split() for line in told.out.splitlines()[1:]] == [
        ["dc1", "qwen", "Qwen/Qwen3-8B", "failed", "8001", "0,1"],
        ["dc2", "unreachable"],
    ]
    assert told.err.splitlines() == [
        "qwen: the disk is[2J full; free space",
        "dc2: no answer in time",
    ]


def test_a_verdict_is_a_line_also_when_there_is_nothing_to_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen.verdict(Verdict("answer", True, True, "", 1.25))
    screen.verdict(Verdict("one call", False, True, "no call", 2))
    screen.verdict(Verdict("long file", False, False, "no parser", 3))
    assert capsys.readouterr().out.splitlines() == [
        "pass  answer                1.2 s",
        "fail  one call              2.0 s  no call",
        "can't long file             3.0 s  no parser",
    ]


def test_pods_are_listed_with_the_active_one_marked(capsys: pytest.CaptureFixture[str]) -> None:
    gpu = {"name": "NVIDIA H100 80GB HBM3"}
    screen.pods(
        [
            {"name": "dc1", "ssh": "ssh a", "active": True, "gpus": [gpu, gpu],
             "engine": "release", "vllm_version": "0.33.0", "models": ["qwen", "glm"]},
            {"name": "dc2", "ssh": "ssh b", "active": False, "gpus": [],
             "engine": None, "vllm_version": None, "models": []},
        ]
    )  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split("  ") == [
        "*", "dc1", "ssh a", "2 x NVIDIA H100 80GB HBM3", "release 0.33.0", "qwen, glm"
    ]  # fmt: skip
    assert lines[2].split() == ["dc2", "ssh", "b"]


def test_a_document_is_one_json_value_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    screen.document([{"name": "größe", "port": None}])
    told = capsys.readouterr()
    assert json.loads(told.out) == [{"name": "größe", "port": None}]
    assert told.err == ""


@given(st.text())
def test_plain_text_holds_nothing_that_a_terminal_acts_on(text: str) -> None:
    plain = screen.plain(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", plain)
    assert screen.plain(plain) == plain


@pytest.mark.parametrize("text", ["größe 模型 🚀", "a\tb\nc", "[31m", ""])
def test_plain_text_keeps_what_people_read(text: str) -> None:
    assert screen.plain(text) == text


@pytest.mark.parametrize(
    ("log", "text"),
    [
        ("\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\n"),
        ("\x1b[1;38;5;9mred\x1b[m\n", "\x1b[1;38;5;9mred\x1b[m\n"),
        ("a\x1b[2J\x1b[Hb\n", "ab\n"),
        ("a\x1b[?25lb\x1b[3Ac\n", "abc\n"),
        ("a\x1b]0;a title\x07b\n", "ab\n"),
        ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b\n", "alinkb\n"),
        ("a\x1bcb\x1b7c\n", "abc\n"),
        ("a\x07\x08\x00b\n", "ab\n"),
        ("a\x9b2Jb\n", "a2Jb\n"),
        ("10%\r20%\r\nend\n", "10%\n20%\nend\n"),
        ("größe 模型\n", "größe 模型\n"),
    ],
)
def test_a_log_in_a_terminal_keeps_its_colours_and_nothing_else(log: str, text: str) -> None:
    assert shown(log.encode()) == text


def test_a_log_in_a_file_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    into = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", into)
    log = b"\x1b[2J\xff\r\n\x00"
    LogView().write(log)
    assert into.buffer.getvalue() == log


@pytest.mark.parametrize(
    "log", ["größe 模型\n", "\x1b[31mred\x1b[0m\n", "a\x1b[2Jb\x1b[?25lc\n", "10%\r20%\r\n"]
)
def test_a_log_that_comes_byte_by_byte_looks_the_same(log: str) -> None:
    pieces = [bytes([byte]) for byte in log.encode()]
    assert shown(*pieces) == shown(log.encode())


_pieces = st.lists(
    st.one_of(
        st.sampled_from(
            ["\x1b", "\x1b[", "[", "]", "2J", "H", "31m", "\x07", "\x1b\\", "\n", "\r", "?", ";",
             "\x9b", "\x00", "c", "\x1b[31m", "\x1b]0;", " ", "@", "\x18"]
        ),
        st.text(max_size=3),
    ),
    max_size=12,
)  # fmt: skip


@given(pieces=_pieces, together=st.booleans())
@example(pieces=["a\x1b\n[2Jb"], together=True)
def test_no_log_can_steer_the_terminal(pieces: list[str], together: bool) -> None:
    data = [piece.encode("utf-8", "replace") for piece in pieces]
    drawn = shown(*([b"".join(data)] if together else data))
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", drawn)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", drawn)
