"""Colours of a followed log: only in a terminal, by line, however the pieces are cut."""

from __future__ import annotations

import io
import os
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabfile.screen.levels import Levels
from fabfile.screen.log import LogView

from .given import recorded
from .test_screen import terminal

CODE = re.compile(r"\x1b\[([0-9;]*)m")
LOG = recorded("logs/killed-engine.log")


def painted(*pieces: str) -> str:
    levels = Levels()
    return "".join(map(levels.paint, pieces)) + levels.rest()


def seen(text: str) -> list[tuple[str, str]]:
    """Each character with the colour that a terminal gives it."""
    colour, found = "", []
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        if code := CODE.fullmatch(part):
            colour = code[1].removeprefix("0")
        else:
            found += [(colour, letter) for letter in part]
    return found


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("INFO:     Shutting down", "INFO:     Shutting down"),
        ("[podfab] ready", "<1>[podfab] ready<0>"),
        ("WARNING 11-22 10:00:09 slow", "<33>WARNING 11-22 10:00:09 slow<0>"),
        ("WARNINGS are off", "WARNINGS are off"),
        ("(APIServer pid=8) INFO 11-22 x", "<2>(APIServer pid=8) <0>INFO 11-22 x"),
        ("(Worker_TP0 pid=8) WARNING x", "<2>(Worker_TP0 pid=8) <0><33>WARNING x<0>"),
        ("(EngineCore pid=8) ERROR 11-22 x", "<2>(EngineCore pid=8) <0><31>ERROR 11-22 x<0>"),
        ("(EngineCore pid=8) ValueError: x", "<2>(EngineCore pid=8) <0><31>ValueError: x<0>"),
        ("torch.OutOfMemoryError: CUDA", "<31>torch.OutOfMemoryError: CUDA<0>"),
        ("AssertionError", "<31>AssertionError<0>"),
        ("an AssertionError", "an AssertionError"),
        ("ErrorHandler is set", "ErrorHandler is set"),
        ("  0%|          | 0/51", "  0%|          | 0/51"),
        ("\x1b[32mERROR of its own colour\x1b[0m", "<32>ERROR of its own colour<0>"),
    ],
)
def test_a_line_has_the_colour_of_its_level(line: str, text: str) -> None:
    wanted = re.sub(r"<(\d+)>", "\x1b[\\1m", text)
    assert painted(f"{line}\n{line}\nplain\n") == f"{wanted}\n{wanted}\nplain\n"
    assert painted(line) == wanted


@given(st.lists(st.integers(0, len(LOG)), max_size=30).map(sorted))
def test_however_a_log_is_cut_it_looks_the_same_and_nothing_is_lost(cuts: list[int]) -> None:
    whole = painted(LOG)
    pieces = [LOG[a:b] for a, b in zip([0, *cuts], [*cuts, len(LOG)], strict=True)]
    assert seen(painted(*pieces)) == seen(whole)
    assert CODE.sub("", whole) == LOG


@pytest.mark.parametrize("start", ["Loading ", " 5%|█", "10% ", "(Engine pid=1) INFO ", "INFO:"])
def test_a_line_that_has_no_end_yet_is_shown(start: str) -> None:
    assert CODE.sub("", Levels().paint(start)) == start


def test_what_is_kept_of_a_line_comes_with_the_next_piece_or_at_the_end() -> None:
    levels = Levels()
    assert levels.paint("(EngineCore pid=8) WARN") == ""
    assert seen(levels.paint("ING x"))[-1] == ("33", "x")
    with terminal() as drawn:
        view = LogView()
        view.write(b"Killed")
        assert drawn.getvalue() == ""
        view.close()
        assert drawn.getvalue() == "Killed"


def test_a_terminal_without_colours_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal() as drawn:
        monkeypatch.setitem(os.environ, "NO_COLOR", "1")
        view = LogView()
        view.write(b"ERROR 11-22\nKil")
        view.close()
    assert drawn.getvalue() == "ERROR 11-22\nKil"


def test_a_file_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", into := io.TextIOWrapper(io.BytesIO()))
    view = LogView()
    view.write(LOG.encode())
    view.close()
    assert into.buffer.getvalue() == LOG.encode()
