"""No word of a model's becomes a flag of rg."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabfile.chat.tools import ripgrep
from fabfile.chat.tools.roots import Roots
from fabfile.chat.tools.toolbox import Toolbox

from .toolboxes import call, tree


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A program that leaves a file beside it when somebody runs it, and prints what rg finds."""
    program = tmp_path / "marker"
    program.write_text(f"#!/bin/sh\necho run >{tmp_path}/was-run\necho foo\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tree(tmp_path / "work", a_dot_txt="foo\n", **{"-": "foo\n", "--files": "foo\n"})


WORDS = [
    "--pre={marker}", "--pre", "-e", "-", "--", "--files", "--type-list",
    "--hostname-bin={marker}", "--search-zip", "-z", "--follow", "-L", "-f/etc/passwd",
    "--file=/etc/passwd", "--ignore-file=/etc/passwd", "foo\n--pre={marker}",
    "foo --pre={marker}", "foo\n--\n/etc", "--no-ignore", "-uuu", "--help", "--version",
    "--hyperlink-format=file", "--generate=man", "/etc/passwd", "x:--pre={marker}",
    "py --pre={marker}", "!--pre={marker}", "--debug", "--json", "--stats",
]  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_a_word_that_looks_like_a_flag_stays_a_word(
    work: Path, marker: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    config = marker.with_name("config")
    config.write_text(f"--pre={marker}\n")
    monkeypatch.setenv("RIPGREP_CONFIG_PATH", str(config))
    word = word.replace("{marker}", str(marker))
    calls: list[tuple[str, dict[str, Any]]] = [
        ("rg", {"pattern": word, "fixed_strings": True}),
        ("rg", {"pattern": word, "files_with_matches": True}),
        ("rg", {"pattern": "foo", "path": word}),
        ("rg", {"pattern": "foo", "glob": word}),
        ("rg", {"pattern": "foo", "type": word}),
        ("glob", {"pattern": word}),
        ("glob", {"pattern": "*", "path": word}),
        ("ls", {"ignore": [word]}),
        ("ls", {"path": word}),
    ]
    for tool, arguments in calls:
        found = call(work, tool, **arguments)
        assert "root:" not in found.text
        assert "ripgrep 1" not in found.text
        assert "USAGE" not in found.text
    assert not marker.with_name("was-run").exists()


def test_the_program_would_have_left_its_mark(work: Path, marker: Path) -> None:
    subprocess.run(
        [ripgrep.binary(), f"--pre={marker}", "foo", "./"], cwd=work, capture_output=True
    )
    assert marker.with_name("was-run").exists()


def test_a_file_whose_name_is_a_flag_is_searched(work: Path) -> None:
    for name in ("-", "--files"):
        assert call(work, "rg", pattern="foo", path=name).text == f"{name}\n1:foo"


OURS = {
    "--no-config", "--color=never", "--no-ignore-messages", "--null", "--no-follow", "--hidden",
    "--no-require-git", "--iglob=!.git", "--files", "--sort=none", "--sort=path", "--crlf",
    "--ignore-case", "--fixed-strings", "--files-with-matches", "--threads=1", "--no-heading",
    "--with-filename", "--line-number", "--max-columns-preview",
}  # fmt: skip
WITH_A_VALUE = (
    "--regexp=",
    "--glob=",
    "--type=",
    "--context=",
    "--max-filesize=",
    "--max-columns=",
)

# A glob that leads elsewhere is refused before.
_here = st.characters(exclude_characters="\0~.", exclude_categories=["Cs"])
_any = st.text(_here, min_size=1, max_size=12)
_word = st.one_of(st.sampled_from(WORDS), _any, _any.map(lambda text: f"-{text}"))


@given(st.data())
def test_every_word_of_every_command_is_ours_or_a_value(data: st.DataObject) -> None:
    tool, names = data.draw(
        st.sampled_from([("rg", ("pattern", "glob", "type")), ("glob", ("pattern",))])
    )
    arguments = {name: data.draw(_word) for name in names}
    commands: list[list[str]] = []
    start = subprocess.Popen

    def record(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        assert "shell" not in options
        assert "RIPGREP_CONFIG_PATH" not in options["env"]
        commands.append(command)
        return start(["printf", "./toolboxes.py\\0"], **options)

    with patch.object(subprocess, "Popen", record):
        call(Path(__file__).parent, tool, **arguments)
    assert len(commands) == (3 if tool == "rg" else 2)
    for command in commands:
        program, *words = command
        assert program == ripgrep.binary()
        flags, paths = words[: words.index("--")], words[words.index("--") + 1 :]
        assert flags[0] == "--no-config"
        assert all(word in OURS or word.startswith(WITH_A_VALUE) for word in flags)
        assert paths == ["./"] or all(word.startswith("/dev/fd/") for word in paths)


def test_a_toolbox_starts_no_program_to_be_made(work: Path) -> None:
    with patch.object(subprocess, "Popen", side_effect=AssertionError):
        assert Toolbox(Roots(str(work))).schemas
