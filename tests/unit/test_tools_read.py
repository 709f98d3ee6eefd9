from __future__ import annotations

import json
import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from fabfile.chat.tools import read as reading

from .toolboxes import call, tree


def numbered(first: int, last: int) -> str:
    return "\n".join(f"{number:6}\tline {number}" for number in range(first, last + 1))


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    text = "".join(f"line {number}\n" for number in range(1, 1001))
    return tree(tmp_path / "work", a_dot_txt=text, b_dot_txt="one\ntwo")


def test_a_short_file_comes_whole_with_numbers_and_no_note(lines: Path) -> None:
    found = call(lines, "read", path="b.txt")
    assert found.text == "     1\tone\n     2\ttwo"
    assert (found.summary, found.ok) == ("2 lines", True)


@pytest.mark.parametrize(
    ("asked", "text", "note"),
    [
        ({}, numbered(1, 400), "lines 1-400 of 1000; read on with offset=401"),
        ({"offset": 401}, numbered(401, 800), "lines 401-800 of 1000; read on with offset=801"),
        ({"offset": 801}, numbered(801, 1000), "lines 801-1000 of 1000"),
        ({"offset": 7, "limit": 2}, numbered(7, 8), "lines 7-8 of 1000; read on with offset=9"),
        ({"offset": 1000}, numbered(1000, 1000), "lines 1000-1000 of 1000"),
        ({"limit": 999}, numbered(1, 999), "lines 1-999 of 1000; read on with offset=1000"),
    ],
)  # fmt: skip
def test_a_long_file_comes_in_pages_that_say_how_to_read_on(
    lines: Path, asked: dict[str, int], text: str, note: str
) -> None:
    found = call(lines, "read", path="a.txt", **asked)
    assert found.text == f"{text}\n[{note}]"
    assert found.summary == note.partition(";")[0]


def test_an_offset_past_the_end_says_where_the_end_is(lines: Path) -> None:
    found = call(lines, "read", path="a.txt", offset=1001)
    assert found.text == "the file has 1000 lines; offset=1001 is past its end"
    assert not found.ok


def test_the_pages_follow_on_one_another_until_the_end(tmp_path: Path) -> None:
    written = [f"{'x' * (number % 300)}é{number}" for number in range(1, 2500)]
    tree(tmp_path, f="\n".join(written))
    seen: list[str] = []
    while len(seen) < len(written):
        found = call(tmp_path, "read", path="f", offset=len(seen) + 1, limit=5000)
        page = [line.partition("\t")[2] for line in found.text.splitlines() if "\t" in line]
        assert page
        assert len(page) <= reading.MOST
        seen += page
    assert seen == written


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "(an empty file)"),
        (b"\n", "     1\t"),
        (b"a\r\nb\r\n", "     1\ta\n     2\tb"),
        (b"caf\xe9\n", "     1\tcaf�"),
        (b"\x1b[31mred\x1b[0m\n", "     1\t\x1b[31mred\x1b[0m"),
        ("größe 模型\n".encode(), "     1\tgröße 模型"),
        (b"a\rb\x0bc\xe2\x80\xa8d\n", "     1\ta\rb\x0bc\u2028d"),
        (b"x" * 9000 + b"\n\0end", None),
    ],
)
def test_whatever_the_bytes_the_text_can_be_sent(
    tmp_path: Path, content: bytes, text: str | None
) -> None:
    tree(tmp_path, f=content)
    found = call(tmp_path, "read", path="f")
    assert found.ok
    assert text is None or found.text == text


def test_a_long_line_is_cut_and_says_how_long_it_is(tmp_path: Path) -> None:
    tree(tmp_path, f="short\n" + "é" * 50_000 + "\nlast\n", g="x" * reading.WIDTH)
    found = call(tmp_path, "read", path="f")
    _, cut, last = found.text.splitlines()
    assert cut.startswith(
        "     2\t" + "é" * reading.WIDTH + " ... (cut: this line has 100001 bytes"
    )
    assert last == "     3\tlast"
    assert "cut" not in call(tmp_path, "read", path="g").text


def test_many_long_lines_end_a_page_early(tmp_path: Path) -> None:
    tree(tmp_path, f=("y" * 1900 + "\n") * 300)
    found = call(tmp_path, "read", path="f")
    assert found.text.endswith("[lines 1-15 of 300; read on with offset=16]")


def test_a_huge_line_is_never_held_whole(tmp_path: Path) -> None:
    tree(tmp_path, f=b"start\n" + b"x" * 40_000_000 + b"\nend")
    tracemalloc.start()
    found = call(tmp_path, "read", path="f")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.text.endswith("\n     3\tend")
    assert peak < 2_000_000


def test_a_file_too_big_to_count_in_time_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, f="word\n" * 400_000)
    monkeypatch.setattr(reading, "SECONDS", 0.02)
    found = call(tmp_path, "read", path="f", limit=3)
    assert found.text.endswith("[lines 1-3 of a file of 2.0 MB; read on with offset=4]")
    late = call(tmp_path, "read", path="f", offset=399_999)
    assert "find it by its text with rg" in late.text
    assert not late.ok


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x7fELF\x02\x01\x01\0", "ELF program or library"),
        (b"\x89PNG\r\n\x1a\n\0", "PNG image"),
        (b"GGUF\x03\0\0\0", "GGUF model"),
        ("größe".encode("utf-16"), "UTF-16 text, which rg can search"),
        (b"\0" * 2000, "binary data"),
    ],
)
def test_a_binary_file_is_told_not_dumped(tmp_path: Path, content: bytes, kind: str) -> None:
    tree(tmp_path, f=content)
    found = call(tmp_path, "read", path="f")
    assert found.text.startswith(f"f is not text: {kind}, ")
    assert (found.summary, found.ok) == (kind, False)


def test_what_is_no_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("sock")
    assert call(tmp_path, "read", path="pipe").text == "pipe is a FIFO; only files can be read"
    assert call(tmp_path, "read", path="sock").text == "sock is a socket; only files can be read"
    listening.close()
    found = call(Path("/dev"), "read", path="null")
    assert found.text == "null is a device; only files can be read"


ELSEWHERE = "; ls lists a directory, glob finds files by name (glob **/NAME)"
TILDE = "; ~ is not expanded here, paths are relative to the working directory"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("prompt.py", f"there is no prompt.py{ELSEWHERE}"),
        ("src/promt.py", "there is no src/promt.py; did you mean src/prompt.py?"),
        ("src/none/x.py", f"there is no src/none/x.py{ELSEWHERE}"),
        ("src", "src is a directory; ls lists it"),
        (".", ". is a directory; ls lists it"),
        ("src/prompt.py/x", "src/prompt.py/x or a part of it is a file, not a directory"),
        ("~/notes", f"there is no ~/notes{TILDE}"),
        ("loop", '"loop" is a loop of symbolic links'),
        ("x" * 300, f"{'x' * 300} is too long for a path"),
        (".git/config", "what lies in .git is left out; read the working tree"),
        (".GIT/config", "what lies in .git is left out; read the working tree"),
        ("git/config", "what lies in .git is left out; read the working tree"),
        ("a\nb", f'there is no "a\\nb"{ELSEWHERE}'),
    ],
)  # fmt: skip
def test_an_error_says_what_to_do_instead(tmp_path: Path, path: str, text: str) -> None:
    tree(tmp_path, src__prompt_dot_py="x", _dot_git__config="token")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "git").symlink_to(".git")
    found = call(tmp_path, "read", path=path)
    assert found.text == text
    assert not found.ok


@pytest.mark.parametrize(
    "name", ["a b", "a\nb", 'q"q', "-n", "--pre=x", "é", "a\\b", " ", b"caf\xe9"]
)
def test_an_odd_name_that_ls_shows_can_be_sent_back(tmp_path: Path, name: str | bytes) -> None:
    real = os.fsdecode(name)
    work = tree(tmp_path / "work", **{real: "content of it\n"})
    shown, _, size = call(work, "ls").text.rpartition("  ")
    assert size == "14 bytes"
    sent = json.loads(shown) if shown.startswith('"') else shown
    assert sent == real
    assert "content of it" in call(work, "read", path=sent).text
    for found in (call(work, "rg", pattern="content"), call(work, "glob", pattern="*")):
        assert found.text.splitlines()[0] == shown
