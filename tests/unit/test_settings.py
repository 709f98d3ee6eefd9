from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fabfile.errors import PodfabError
from fabfile.records import settings


def test_every_setting_of_invoke_yaml_has_a_whole_number_and_a_comment() -> None:
    _, section = settings.DEFAULTS.read_text().split("podfab:\n")
    lines = section.splitlines()
    assert lines
    for line in lines:
        name, _, rest = line.partition(":")
        value, hash_, comment = rest.partition("#")
        assert getattr(settings.load(), name.strip()) == int(value)
        assert hash_ and comment.strip()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}\n"])
def test_an_empty_file_changes_nothing(state: Path, text: str) -> None:
    defaults = settings.load()
    (state / "settings.yaml").write_text(text)
    assert settings.load() == defaults


def test_the_users_settings_are_laid_over_the_defaults(state: Path) -> None:
    defaults = settings.load()
    (state / "settings.yaml").write_text("first_port: 9001\nstop_grace: 30\n")
    assert settings.load() == replace(defaults, first_port=9001, stop_grace=30)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stop_grase: 3\n", "unknown setting 'stop_grase'; did you mean 'stop_grace'"),
        ("5: 3\n", "unknown setting 5"),
        ("stop_grace: 0\n", "stop_grace is 0"),
        ("stop_grace: -1\n", "stop_grace is -1"),
        ("stop_grace: 1.5\n", "stop_grace is 1.5"),
        ("stop_grace: true\n", "stop_grace is True"),
        ("stop_grace: soon\n", "stop_grace is 'soon'"),
        ("stop_grace:\n", "stop_grace is None"),
        ("- stop_grace\n", "line 1"),
        ("first_port: 1\n\nstop_grase: 3\n", "line 3"),
        ("first_port: 1\nstop_grace: 0\n", "line 2"),
        ("first_port: 1\nstop_grace: [3\n", "line 3"),
        ("first_port: 1\n  stop_grace: 3\n", "line 2"),
        ("a: \x00\n", "can not read"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(state: Path, text: str, words: str) -> None:
    path = state / "settings.yaml"
    path.write_text(text)
    with pytest.raises(PodfabError) as refused:
        settings.load()
    assert str(path) in str(refused.value)
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
