from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fabfile.errors import UsageError
from fabfile.plan import numbers


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (numbers.port, "", None),
        (numbers.port, "1", 1),
        (numbers.port, "65535", 65535),
        (numbers.memory, "", None),
        (numbers.memory, "0.9", 0.9),
        (numbers.memory, ".9", 0.9),
        (numbers.memory, "90%", 0.9),
        (numbers.memory, "1", 1.0),
        (numbers.memory, "100%", 1.0),
        (numbers.memory, "92.5%", 0.925),
        (numbers.context, "", None),
        (numbers.context, "auto", "auto"),
        (numbers.context, "32768", "32768"),
        (numbers.context, "32k", "32000"),
        (numbers.context, "32K", "32768"),
        (numbers.gpus, "", None),
        (numbers.gpus, "2", 2),
        (numbers.gpus, "2,3", [2, 3]),
        (numbers.gpus, "3, 2", [3, 2]),
        (numbers.gpus, "2,", [2]),
        (numbers.gpus, "0,", [0]),
    ],
)
def test_a_number_is_read_as_people_type_it(
    read: Callable[[str], Any], text: str, value: Any
) -> None:
    assert read(text) == value


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("7", 7), ("100", 100)])
def test_a_whole_number_may_be_0(text: str, value: int) -> None:
    assert numbers.whole(text, "--lines") == value


@pytest.mark.parametrize(
    ("read", "flag", "texts"),
    [
        (numbers.port, "--port", ["0", "65536", "-1", "80.0", "http", " 80", "８０", "0x50"]),
        (numbers.memory, "--memory", ["0", "0%", "1.1", "101%", "-0.5", "half", "%", ".", "nan"]),
        (numbers.context, "--context", ["0", "0k", "-1", "32 k", "32m", "k", "1.5K", "long"]),
        (numbers.gpus, "--gpus", ["-1", "a", ",", "1;2", "1,a", "1.5", "2,2"]),
    ],
)
def test_what_is_no_number_is_refused_in_one_line_that_names_the_flag(
    read: Callable[[str], Any], flag: str, texts: list[str]
) -> None:
    for text in texts:
        with pytest.raises(UsageError) as refused:
            read(text)
        assert f"{flag}={text}" in str(refused.value)
        assert refused.value.code == 2
    with pytest.raises(UsageError, match="--lines=x"):
        numbers.whole("x", "--lines")
