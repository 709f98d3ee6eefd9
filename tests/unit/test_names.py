from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabfile.errors import UsageError
from fabfile.records.names import checked, derived, unknown

CONTRACT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@pytest.mark.parametrize("name", ["a", "0", "dc1", "qwen3-8b", "a.b_c-d", "a" * 63])
def test_a_good_name_is_taken_as_it_is(name: str) -> None:
    assert checked(name, "pod") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "-a",
        ".a",
        "_setup",
        "a b",
        "a/b",
        "..",
        "a" * 64,
        "größe",
        "a\n",
        "\na",
        "a$b",
        "٣",
    ],
)
def test_any_other_name_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(UsageError, match="can not be a pod's name") as refused:
        checked(name, "pod")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Qwen/Qwen3-8B", "qwen3-8b"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("/models/My Model/", "my-model"),
        ("1.2.3.4", "1.2.3.4"),
        ("::1", "1"),
        ("org/-_-", "model"),
        ("", "model"),
        ("größe", "gr-e"),
        ("org/" + "a" * 100, "a" * 63),
    ],
)
def test_a_name_is_derived_from_an_id_or_host(text: str, name: str) -> None:
    assert derived(text) == name


@given(st.text())
def test_whatever_it_is_derived_from_it_is_a_good_name(text: str) -> None:
    assert CONTRACT.fullmatch(derived(text))


def test_an_unknown_name_is_answered_with_the_nearest_one_or_with_advice() -> None:
    assert "did you mean 'qwen'?" in str(unknown("qwne", "model", ["qwen", "glm"], "inv models"))
    assert "; inv models" in str(unknown("xyz", "model", ["qwen", "glm"], "inv models"))
    assert "; inv models" in str(unknown("xyz", "model", [], "inv models"))
