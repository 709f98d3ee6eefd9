"""Nothing outside of the given directories is ever read, whatever is asked or swapped."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabfile.chat.tools import ripgrep, search, walk
from fabfile.chat.tools.result import Watch
from fabfile.chat.tools.roots import Roots

from .toolboxes import call, open_descriptors, tree

SECRET = "xyzzy-plugh"
# A file outside that nothing inside names.
UNNAMED = "nobody-names-me"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    tree(tmp_path / "outside", secret_dot_txt=f"{SECRET}\n", **{f"deep__{UNNAMED}": SECRET})
    tree(tmp_path / "work-too", secret_dot_txt=SECRET)
    work = tree(tmp_path / "work", fine_dot_txt="fine\n", sub__fine_dot_txt="fine\n")
    for name, target in [
        ("file", "../outside/secret.txt"),
        ("folder", "../outside"),
        ("whole", str(tmp_path / "outside")),
        ("chain", "folder"),
        ("sub/up", "../../outside"),
        ("root", "/"),
        ("dangling", "../outside/not-there"),
        ("loop", "loop"),
        ("inner", "sub/fine.txt"),
        ("around", "../work/sub"),
    ]:
        (work / name).symlink_to(target)
    return work


OUTSIDE = [
    "/etc/passwd", "//etc/passwd", "/", "..", "../outside/secret.txt", "../work-too/secret.txt",
    "sub/../../outside/secret.txt", "./../outside", "file", "folder", "folder/secret.txt",
    "chain/secret.txt", "whole/secret.txt", "sub/up/secret.txt", "root/etc/passwd", "dangling",
    "file/..", "../work-too", "folder/../outside/secret.txt", "{tmp}/outside/secret.txt",
    "{tmp}/work/../outside",
]  # fmt: skip


@pytest.mark.parametrize("tool", ["ls", "read", "glob", "rg"])
@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_leads_out_is_refused(work: Path, tool: str, path: str) -> None:
    more = {"pattern": "*" if tool == "glob" else "."} if tool in ("glob", "rg") else {}
    found = call(work, tool, path=path.replace("{tmp}", str(work.parent)), **more)
    assert SECRET not in found.text
    assert UNNAMED not in found.text
    if path not in ("file/..", "folder/../outside/secret.txt"):
        assert "outside of what may be read" in found.text
        assert str(work) in found.text
        assert not found.ok


@pytest.mark.parametrize("path", ["inner", "around/fine.txt", "sub/../fine.txt", "{work}/fine.txt"])
def test_a_path_that_leads_in_again_is_fine(work: Path, path: str) -> None:
    assert "fine" in call(work, "read", path=path.replace("{work}", str(work))).text


def test_a_link_that_leads_out_may_lead_into_a_further_directory(work: Path) -> None:
    roots = Roots(str(work), [str(work.parent / "outside")])
    assert SECRET in call(roots, "read", path="file").text
    assert "outside" in call(roots, "read", path="../work-too/secret.txt").text


@pytest.mark.parametrize("names", [["file"], ["folder", "secret.txt"], ["sub", "up", "secret.txt"]])
def test_the_walk_itself_follows_no_link(work: Path, names: list[str]) -> None:
    before = open_descriptors()
    top = walk.top(str(work))
    for opening in (walk.file, walk.directory):
        with pytest.raises(OSError):
            opening(top, names)
    watch = Watch(5)
    assert not list(search.lines(top, ["/".join(names)], ["--regexp=."], watch))
    assert watch.unread == 1
    os.close(top)
    assert open_descriptors() == before


@pytest.mark.parametrize("place", ["link", "pipe", "folder"])
def test_a_file_that_is_swapped_between_the_look_and_the_opening_is_not_read(
    work: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    look, path = walk._expect_file, work / "fine.txt"

    def look_and_swap(found: os.stat_result) -> None:
        look(found)
        path.unlink()
        if place == "link":
            path.symlink_to("../outside/secret.txt")
        elif place == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()
        monkeypatch.setattr(walk, "_expect_file", look)

    monkeypatch.setattr(walk, "_expect_file", look_and_swap)
    before = open_descriptors()
    found = call(work, "read", path="fine.txt")
    assert SECRET not in found.text
    assert not found.ok
    assert open_descriptors() == before


def test_what_rg_names_is_only_proposed(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proposed = ["fine.txt", "folder/secret.txt", "file", f"whole/deep/{UNNAMED}", "gone.txt"]
    monkeypatch.setattr(ripgrep, "files", lambda *_, **__: iter(proposed))
    assert call(work, "glob", pattern="*").text == "fine.txt"
    found = call(work, "rg", pattern=".")
    assert found.text == "fine.txt\n1:fine\n[4 paths could not be read]"


@contextmanager
def swapped(folder: Path, other: Path) -> Iterator[None]:
    """Let a folder be a link to another one, and itself again, as fast as it goes."""
    aside, stop = folder.with_name("aside"), threading.Event()

    def swap() -> None:
        while not stop.is_set():
            folder.rename(aside)
            folder.symlink_to(other)
            folder.unlink()
            aside.rename(folder)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_folder_that_is_swapped_for_a_link_shows_nothing_of_where_that_leads(
    tmp_path: Path,
) -> None:
    work = tree(tmp_path / "work", d__a_dot_txt="fine\n", d__e__b_dot_txt="fine\n")
    outside = tree(tmp_path / "out", a_dot_txt=SECRET, e__b_dot_txt=SECRET, **{UNNAMED: SECRET})
    calls: list[tuple[str, dict[str, Any]]] = [
        ("read", {"path": "d/a.txt"}),
        ("read", {"path": "d/e/b.txt"}),
        ("ls", {"path": "d"}),
        ("glob", {"pattern": "*"}),
        ("glob", {"pattern": "*", "path": "d"}),
        ("rg", {"pattern": "."}),
        ("rg", {"pattern": ".", "path": "d"}),
        ("rg", {"pattern": "e", "path": "d/a.txt"}),
        ("rg", {"pattern": ".", "glob": "*.txt", "files_with_matches": True}),
    ]
    roots, fine, leaked = Roots(str(work)), 0, 0
    before = open_descriptors()
    with swapped(work / "d", outside):
        ending = monotonic() + 3
        while monotonic() < ending:
            for tool, arguments in calls:
                found = call(roots, tool, **arguments)
                assert SECRET not in found.text
                assert UNNAMED not in found.text
                fine += "fine" in found.text
            for _ in range(50):
                with suppress(OSError):
                    leaked += SECRET in (work / "d/a.txt").read_text()
    assert fine, "the folder was never there"
    assert leaked, "the race was never on"
    assert open_descriptors() == before


_names = st.sampled_from(
    ["a", "A", "b.txt", "sub", "-n", "--pre=x", "a\nb", 'q"q', "*", "é", "\udce9", " ", ".git", "~"]
)
_paths = st.lists(_names, min_size=1, max_size=3).map("/".join)
_out = st.sampled_from(["../out", "../out/secret", "{out}", "{out}/secret", "/", "..", "../../.."])
_targets = st.one_of(_out, _out, _paths, _paths.map(lambda path: f"../{path}"), st.just("."))
_entries = st.lists(
    st.tuples(st.sampled_from(["file", "folder", "link", "link", "fifo"]), _paths, _targets),
    min_size=1,
    max_size=12,
)
_odd = st.sampled_from(["", ".", "/etc/hostname", "~", "~root", "{out}/./secret", "//", "a" * 5000])
_behind = st.sampled_from(["", "", "/secret", "/out/secret", "/../secret", "/a", "/.", "/.."])


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[tuple[str, str, str]], list[str]]:
    """A tree, and paths that are asked for: most of them begin with one that is there."""
    entries = draw(_entries)
    there = st.sampled_from([name for _, name, _ in entries])
    asked = st.one_of(st.tuples(there, _behind).map("".join), _targets, _odd)
    return entries, draw(st.lists(asked, min_size=1, max_size=4))


def grow(top: Path, entries: list[tuple[str, str, str]], out: Path) -> None:
    """Make what can be made: later entries meet earlier ones in their way, or go through links."""
    for kind, name, target in entries:
        path = top / name
        # Not through a link: the secret itself is not to be overwritten.
        if not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(top)):
            continue
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "folder":
                path.mkdir()
            elif kind == "link":
                path.symlink_to(target.replace("{out}", str(out)))
            elif kind == "fifo":
                os.mkfifo(path)
            elif not path.is_symlink() and not path.is_fifo():
                path.write_text("fine\n.\n")


@settings(max_examples=40)
@given(cases(), _paths)
def test_in_any_tree_no_path_shows_a_byte_from_outside(
    case: tuple[list[tuple[str, str, str]], list[str]], pattern: str
) -> None:
    entries, asked = case
    with tempfile.TemporaryDirectory() as folder:
        top, out = Path(folder, "work"), Path(folder, "out")
        top.mkdir()
        tree(out, secret=f"{SECRET}\n", **{UNNAMED: SECRET})
        grow(top, entries, out)
        before = open_descriptors()
        calls: list[tuple[str, dict[str, Any]]] = [
            ("glob", {"pattern": pattern}),
            ("glob", {"pattern": "**"}),
            ("rg", {"pattern": "."}),
            ("rg", {"pattern": ".", "glob": pattern, "context": 1}),
        ]
        for each in asked:
            path = {"path": each.replace("{out}", str(out))}
            calls += [("ls", path), ("read", path), ("glob", {"pattern": "*", **path})]
            calls += [("rg", {"pattern": ".", **path})]
        for tool, arguments in calls:
            found = call(top, tool, **arguments)
            assert SECRET not in found.text
            assert UNNAMED not in found.text
        assert open_descriptors() == before
