"""The small tasks: a model that can do them passes, one that can not is told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fabfile import checking
from fabfile.chat import loop
from fabfile.chat.client import client
from fabfile.chat.exams import EXAMS, FILES, NEEDLE, Exam, lay_out
from fabfile.plan.rows import Row
from tests.support import scripted
from tests.support.scripted import END, Scripted, calls, piece, refuses, says, streams

ALL = {exam.capability: exam for exam in EXAMS}
ROW = Row("dc1", "m", "org/m", "ready", 8001, [], 1, None, None, promises=["tools"])


def read(*paths: str) -> scripted.Turn:
    arguments = [json.dumps({"path": p, "offset": None, "limit": None}) for p in paths]
    return calls(*[("read", text) for text in arguments])


def verdict(tmp_path: Path, exam: str, *script: scripted.Turn) -> checking.Verdict:
    lay_out(tmp_path)
    with Scripted(*script) as server, client(server.url, "key") as opened:
        return checking._verdict(opened, "m", ALL[exam], str(tmp_path), ROW)


THOUGHT = streams([piece(reasoning="hm"), piece(content="9.9"), piece("stop"), END])
RG = calls(("rg", json.dumps({"pattern": "secret", "path": None})))
GOOD: dict[str, list[scripted.Turn]] = {
    "answer": [says("Par", "is")],
    "reasoning": [THOUGHT],
    "JSON by schema": [says('{"city": "Rome", ', '"inhabitants": 2800000}')],
    "one call": [read("port.txt"), says("It is 8731.")],
    "two calls in a row": [read("start.txt"), read("next/end.txt"), says("Turquoise!")],
    "parallel calls": [read("a.txt", "b.txt"), says("17 + 25 = 42")],
    "recovery": [read("report.txt"), read("quarterly-report.txt"), says("5,512")],
    "long file": [RG, says(f"It is {NEEDLE}.")],
}


@pytest.mark.parametrize("exam", ALL)
def test_a_good_model_passes(tmp_path: Path, exam: str) -> None:
    found = verdict(tmp_path, exam, *GOOD[exam])
    assert (found.ok, found.detail) == (True, "")
    assert found.promised == (exam != "reasoning")


BAD: list[tuple[str, list[Any], str]] = [
    ("answer", [says("London")], "'Paris' is not in its answer: London"),
    ("answer", [says("")], "it is empty"),
    ("answer", [refuses(400, "no")], "the server answered 400: no"),
    ("reasoning", [says("9.9")], "no thinking came apart from the answer"),
    ("reasoning", [says("<think>hm</think>9.9")], "another --reasoning-parser is needed"),
    ("JSON by schema", [says("Rome")], "no JSON of the schema: Rome"),
    ("JSON by schema", [says('{"city": "Rome"}')], "no JSON of the schema"),
    ("one call", [says('{"name": "read", "arguments": {}}')],
     "0 turns with tool calls, 1 are needed; it said: {\"name\""),
    ("one call", [read("port.txt"), says("I do not know")], "'8731' is not in its answer"),
    ("one call", [refuses(400, "auto tool choice requires --enable-auto-tool-choice")],
     "the model was started without a tool parser"),
    ("two calls in a row", [read("start.txt"), says("turquoise")], "1 turns with tool calls, 2"),
    ("parallel calls", [read("a.txt"), read("b.txt"), says("42")], "one call after the other"),
    ("recovery", [read("quarterly-report.txt"), says("5512")], "it met no error"),
    ("recovery", [read("report.txt"), says("It is not there.")], "'5512' is not in its answer"),
    ("long file", [read("long.log"), says("there is none")], "is not in its answer"),
]  # fmt: skip


@pytest.mark.parametrize(("exam", "script", "words"), BAD)
def test_what_a_model_can_not_do_is_told(
    tmp_path: Path, exam: str, script: list[Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_PAUSES", ())
    found = verdict(tmp_path, exam, *script)
    assert not found.ok and words in found.detail


def test_a_task_ends_also_with_a_model_that_does_not(tmp_path: Path) -> None:
    endless = [read(f"{n}.txt") for n in range(8)]
    found = verdict(tmp_path, "one call", *endless, says("I give up"))
    assert not found.ok


def test_each_exam_asks_for_little() -> None:
    assert len(FILES["long.log"]) > 100_000, "it must not fit into one read"
    for exam in EXAMS:
        assert isinstance(exam, Exam) and len(exam.question) < 200
