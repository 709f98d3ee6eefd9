from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fabfile.errors import PodfabError
from fabfile.records.keys import api_key

from .given import in_processes


def test_the_key_is_made_once_and_kept_for_its_owner(state: Path) -> None:
    key = api_key()
    assert len(key) >= 32
    assert api_key() == key
    assert (state / "api_key").read_text().strip() == key
    assert stat.S_IMODE((state / "api_key").stat().st_mode) == 0o600


def test_two_clients_get_different_keys(state: Path) -> None:
    first = api_key()
    (state / "api_key").unlink()
    assert api_key() != first


@pytest.mark.parametrize("given", ["sk-mine", "  sk-mine\n"])
def test_the_variable_wins_and_is_not_kept(
    state: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("PI_API_KEY", given)
    assert api_key() == "sk-mine"
    assert not (state / "api_key").exists()


@pytest.mark.parametrize("given", ["", "  "])
def test_an_empty_variable_counts_as_none(
    state: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    (state / "api_key").write_text("sk-kept\n")
    monkeypatch.setenv("PI_API_KEY", given)
    assert api_key() == "sk-kept"


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_file_gets_a_key(state: Path, content: str) -> None:
    (state / "api_key").write_text(content)
    key = api_key()
    assert key
    assert (state / "api_key").read_text().strip() == key


def test_a_file_that_can_not_be_read_is_named_and_kept(state: Path) -> None:
    (state / "api_key").write_bytes(b"\xff\xfe")
    with pytest.raises(PodfabError, match="api_key"):
        api_key()
    assert (state / "api_key").read_bytes() == b"\xff\xfe"


def test_commands_that_start_together_agree_on_one_key(state: Path) -> None:
    def make(number: int) -> None:
        (state / f"seen-{number}").write_text(api_key())

    assert in_processes(6, make) == [0] * 6
    assert len({path.read_text() for path in state.glob("seen-*")}) == 1
