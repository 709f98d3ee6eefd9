"""ls and glob: what there is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fabfile.chat.tools import glob as globbing
from fabfile.chat.tools import ls as listing
from fabfile.chat.tools.result import CHARACTERS
from fabfile.chat.tools.roots import Roots

from .toolboxes import call, tree


@pytest.fixture
def work(tmp_path: Path) -> Path:
    root = tree(
        tmp_path / "work",
        _dot_gitignore="*.log\nbuild/\n!keep.log\n",
        _dot_ignore="private.txt\n",
        _dot_git__config="token",
        _dot_github__ci_dot_yml="x",
        a_dot_py="x" * 1234,
        keep_dot_log="",
        noise_dot_log="x",
        private_dot_txt="x",
        build__out_dot_py="x",
        src__b_dot_py="x",
        src__deep__c_dot_py="x",
        src__deep__d_dot_md="x",
        src__noise_dot_log="x",
    )
    (root / "void").mkdir()
    (root / "void/link").symlink_to("../a.py")
    (root / "link").symlink_to("src/b.py")
    os.mkfifo(root / "pipe")
    return root


def test_ls_shows_directories_files_links_and_the_rest(work: Path) -> None:
    found = call(work, "ls")
    assert found.text.splitlines() == [
        ".github/  1 file",
        ".gitignore  23 bytes",
        ".ignore  12 bytes",
        "a.py  1.2 KB",
        "keep.log  0 bytes",
        "link -> src/b.py",
        "pipe  (FIFO)",
        "src/  3 files",
        "void/  no files",
        "[3 entries left out by .gitignore]",
    ]
    assert (found.summary, found.ok) == ("9 entries", True)


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ({"path": "src"}, ["b.py  1 byte", "deep/  2 files", "[1 entry left out by .gitignore]"]),
        ({"path": "src/deep"}, ["c.py  1 byte", "d.md  1 byte"]),
        ({"path": "src/deep", "ignore": ["*.md"]}, ["c.py  1 byte"]),
        ({"path": "src/deep", "ignore": ["*"]}, ["(empty)"]),
        ({"path": "void"}, ["link -> ../a.py"]),
        ({"path": "./src/../void/"}, ["link -> ../a.py"]),
        ({"path": "build"}, ["out.py  1 byte"]),
        (
            {"path": "src", "ignore": ["deep/", "!b.*"]},
            ["[1 entry left out by ignore or .gitignore]"],
        ),
    ],
)
def test_ls_of_a_directory(work: Path, asked: dict[str, object], lines: list[str]) -> None:
    assert call(work, "ls", **asked).text.splitlines() == lines


@pytest.mark.parametrize(
    ("asked", "files"),
    [
        ({"pattern": "*.py"}, ["a.py", "src/b.py", "src/deep/c.py"]),
        ({"pattern": "**/*.py"}, ["a.py", "src/b.py", "src/deep/c.py"]),
        ({"pattern": "./*.py"}, ["a.py", "src/b.py", "src/deep/c.py"]),
        ({"pattern": "/*.py"}, ["a.py"]),
        ({"pattern": "src/*.py"}, ["src/b.py"]),
        ({"pattern": "src/**"}, ["src/b.py", "src/deep/c.py", "src/deep/d.md"]),
        ({"pattern": "*.{md,yml}"}, [".github/ci.yml", "src/deep/d.md"]),
        ({"pattern": "[b-c].py"}, ["src/b.py", "src/deep/c.py"]),
        ({"pattern": "*.py", "path": "src"}, ["src/b.py", "src/deep/c.py"]),
        ({"pattern": "*.PY"}, []),
        ({"pattern": "*.log"}, ["keep.log"]),
        ({"pattern": ".git/**"}, []),
        ({"pattern": ".git"}, []),
        ({"pattern": "private*"}, []),
        ({"pattern": "build/**"}, []),
        ({"pattern": "-x"}, []),
    ],
)
def test_glob_finds_files_that_no_ignore_file_leaves_out(
    work: Path, asked: dict[str, str], files: list[str]
) -> None:
    found = call(work, "glob", **asked)
    assert found.ok
    assert found.text.splitlines() == (
        files or ["no file matches, but for those that .gitignore names"]
    )
    assert found.summary == (f"{len(files)} file{'s' * (len(files) > 1)}" if files else "none")


@pytest.mark.parametrize("pattern", ["../*", "src/../../*", "~/*.py", "{work}/*.py"])
def test_a_glob_that_names_another_directory_says_where_that_belongs(
    work: Path, pattern: str
) -> None:
    found = call(work, "glob", pattern=pattern.replace("{work}", str(work)))
    assert "give the directory in path" in found.text
    assert not found.ok


def test_a_broken_glob_is_answered_in_rgs_words(work: Path) -> None:
    found = call(work, "glob", pattern="{a")
    assert "unclosed alternate group" in found.text
    assert not found.ok


def test_a_further_directory_is_named_by_its_whole_path(work: Path, tmp_path: Path) -> None:
    other = tree(tmp_path / "other", lib__x_dot_py="x")
    roots = Roots(str(work), [str(other)])
    assert call(roots, "ls", path=str(other)).text == "lib/  1 file"
    assert call(roots, "ls", path="../other").text == "lib/  1 file"
    assert call(roots, "glob", pattern="x.py", path=str(other)).text == f"{other}/lib/x.py"
    assert call(roots, "read", path=f"{other}/lib/x.py").ok
    assert call(roots, "glob", pattern="x.py").summary == "none"


def test_a_working_directory_reached_by_a_link_may_be_named_either_way(
    work: Path, tmp_path: Path
) -> None:
    alias = tmp_path / "alias"
    alias.symlink_to(work)
    for path in (work, alias):
        assert call(Roots(str(alias)), "ls", path=str(path / "src/deep")).summary == "2 entries"


def test_what_is_too_much_is_cut_and_told(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    for number in range(listing.MOST + 50):
        (work / f"sub/{number:04}").touch()
    found = call(work, "ls", path="sub")
    assert found.text.endswith("[300 of 350 entries; find others with glob, or use ignore]")
    assert found.summary == "350 entries"
    found = call(work, "glob", pattern="*")
    assert len(found.text.splitlines()) == globbing.MOST + 1
    assert found.text.endswith("[there are more: narrow pattern or path]")


def test_long_names_end_a_list_early(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for number in range(listing.MOST):
        (work / f"{number:04}{'x' * 200}").touch()
    for found in (call(work, "ls"), call(work, "glob", pattern="*")):
        assert CHARACTERS * 0.9 < len(found.text) < CHARACTERS * 1.01
        assert found.text.endswith("]")


def test_ls_of_too_much_to_count_shows_names_all_the_same(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SECONDS", 0)
    lines = call(work, "ls").text.splitlines()
    assert "src/" in lines
    assert "build/" in lines
    assert "a.py  1.2 KB" in lines
    assert lines[-1] == "[too many files to count, or to apply .gitignore, in 0 s]"


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder that anyone may enter, and us without root's rights."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        was = os.geteuid()
        tree(Path(folder), open_dot_txt="x", closed_dot_txt="x", shut__x_dot_txt="x")
        for name in ("closed.txt", "shut"):
            os.chmod(f"{folder}/{name}", 0)
        if was == 0:
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(was)
            os.chmod(f"{folder}/shut", 0o755)


def test_what_may_not_be_read_is_told_and_not_fatal(nobody: Path) -> None:
    assert call(nobody, "ls").text.splitlines() == [
        "closed.txt  1 byte",
        "open.txt  1 byte",
        "shut/  not readable",
    ]
    found = call(nobody, "read", path="closed.txt")
    assert found.text == "closed.txt may not be read: permission denied"
    assert "may not be read" in call(nobody, "ls", path="shut").text
    assert call(nobody, "glob", pattern="*.txt").text.splitlines()[-1].startswith("[")
    found = call(nobody, "rg", pattern="x")
    assert found.text == "open.txt\n1:x\n[2 paths could not be read]"
