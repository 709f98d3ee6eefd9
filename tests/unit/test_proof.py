from __future__ import annotations

from typing import Any

import pytest

from fabfile.plan.proof import Ending, parse_ending

TEXT = """\
left
start 2 300
start 3 310
before 2 70300
before 3 70310
after 2 300
after 3 420
"""


def test_what_the_script_tells_is_read() -> None:
    assert parse_ending("absent\n") is None
    found = parse_ending(TEXT)
    assert found and found.left == [] and found.held is None
    assert (found.start, found.after) == ({2: 300, 3: 310}, {2: 300, 3: 420})
    assert found.unproven == ""
    assert found.proven == "no process of it is left, 146.7 GB of GPU memory are back"
    odd = parse_ending("left 7 8\nheld 8001\nbeside qwen\nbeside glm\n")
    assert odd == Ending([7, 8], 8001, ["qwen", "glm"])


@pytest.mark.parametrize("text", ["", "nothing\n", "left x\n", "held 8001\n", "left\nstart 1\n"])
def test_anything_else_is_no_proof(text: str) -> None:
    with pytest.raises((ValueError, KeyError, IndexError)):
        parse_ending(text)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"left": [7, 8]}, "processes 7 8 do not end; look at them with: ps -fp 7"),
        ({"held": 8001}, "port 8001 is still open, held by a process that is not its"),
        ({"start": {0: 300}, "before": {0: 70_000}, "after": {0: 70_000}},
         "GPU 0 has 73.4 GB in use, 0.3 before the model was started"),
        ({"start": {0: 300}, "before": {0: 70_000}, "after": {0: 69_900}}, "GPU 0 has 73.3 GB"),
        ({"start": {0: 0, 1: 0}, "before": {0: 9000, 1: 9000}, "after": {0: 0, 1: 9000}}, "GPU 1"),
        # back, or as it was, or told by nobody
        ({"start": {0: 300}, "before": {0: 70_000}, "after": {0: 800}}, ""),
        ({"start": {0: 300}, "before": {0: 300}, "after": {0: 300}}, ""),
        ({}, ""),
        ({"after": {0: 70_000}}, ""),
        # others took of it meanwhile
        ({"start": {0: 300}, "before": {0: 75_000}, "after": {0: 30_000}}, ""),
        ({"start": {0: 300}, "before": {0: 400}, "after": {0: 9000}, "beside": ["qwen"]}, ""),
    ],
)  # fmt: skip
def test_what_is_not_back_is_named(found: dict[str, Any], words: str) -> None:
    said = Ending(**found).unproven
    assert said.startswith(words) if words else said == ""


def test_a_model_on_the_cpu_frees_no_gpu() -> None:
    assert Ending().proven == "no process of it is left"
