from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fabfile.commands import jobs
from fabfile.remote.jobs import Log, News, _frames

# Bytes of a log that look like ours, among any others.
_piece = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.sampled_from(
        [b"@podfab log 5\n", b"@podfab exit=0\n", b"\n", b"\n@podfab ready\n", b"@pod"]
    ),
    st.just("größe 模型\n".encode()),
).map(Log)
_news = st.sampled_from(
    [News("ready"), News("exit", "0"), News("exit", "lost"), News("kib", "4711"), News("tick"),
     News("absent"), News("now"), News("offset", "12")]
)  # fmt: skip
_events = st.lists(st.one_of(_piece, _news), max_size=8)


def written(events: Iterable[Log | News]) -> bytes:
    """The events as follow.sh writes them."""
    told = b""
    for event in events:
        if isinstance(event, Log):
            told += b"@podfab log %d\n" % len(event.data) + event.data
        else:
            told += f"@podfab {event.what}{'=' if event.value else ''}{event.value}\n".encode()
    return told


def joined(events: Iterable[Log | News]) -> list[Log | News]:
    """The same events with neighbouring pieces of the log put together."""
    found: list[Log | News] = []
    for event in events:
        if isinstance(event, Log) and found and isinstance(found[-1], Log):
            found[-1] = Log(found[-1].data + event.data)
        else:
            found.append(event)
    return found


def cut(data: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """The data in pieces, none of them empty."""
    edges = sorted({0, *(place % (len(data) + 1) for place in places), len(data)})
    return (data[a:b] for a, b in pairwise(edges))


@given(events=_events, places=st.lists(st.integers(0, 400), max_size=20))
@example(events=[Log(b"@podfab exit=1\n"), News("exit", "0")], places=range(60))
def test_events_come_out_as_they_went_in_however_they_are_cut(
    events: list[Log | News], places: Iterable[int]
) -> None:
    assert joined(_frames(cut(written(events), places))) == joined(events)


@given(events=_events, end=st.integers(0, 400))
def test_what_breaks_off_gives_all_that_has_come_and_nothing_else(
    events: list[Log | News], end: int
) -> None:
    whole = written(events)
    found = list(_frames(iter([whole[: end % (len(whole) + 1)]])))
    log = b"".join(event.data for event in found if isinstance(event, Log))
    assert b"".join(e.data for e in events if isinstance(e, Log)).startswith(log)
    news = [event for event in found if isinstance(event, News)]
    assert [e for e in events if isinstance(e, News)][: len(news)] == news


def test_a_piece_of_log_is_passed_on_before_the_rest_of_it_has_come() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"@podfab log 10\n12345"
        pytest.fail("it waited for more")

    assert next(iter(_frames(chunks()))) == Log(b"12345")


def a_run(root: Path, log: bytes) -> Path:
    run = root / "jobs/m/runs/1"
    run.mkdir(parents=True)
    (root / "jobs/m/current").symlink_to("runs/1")
    (run / "log").write_bytes(log)
    return run


def follow(shell: str, root: Path, **how: object) -> list[Log | News]:
    script = jobs.follow(str(root), "m", **how)  # type: ignore[arg-type]
    told = subprocess.run([shell, "-s"], input=script.encode(), capture_output=True, timeout=5)
    assert told.stderr == b""
    return joined(_frames(cut(told.stdout, range(0, len(told.stdout), 65536))))


SHELLS = pytest.mark.parametrize("shell", ["bash", "dash"])
BINARY = bytes(range(256)) * 20_000  # more than one of follow.sh's pieces


@SHELLS
def test_a_log_of_any_bytes_comes_back_whole_and_with_its_end(shell: str, tmp_path: Path) -> None:
    (a_run(tmp_path, BINARY) / "exit").write_text("3\n")
    assert follow(shell, tmp_path) == [Log(BINARY), News("exit", "3")]


@SHELLS
@pytest.mark.parametrize("offset", [1, 4_194_304, len(BINARY) - 1, len(BINARY)])
def test_a_follower_goes_on_where_it_was(shell: str, tmp_path: Path, offset: int) -> None:
    (a_run(tmp_path, BINARY) / "exit").write_text("0\n")
    rest = [Log(BINARY[offset:])] if offset < len(BINARY) else []
    assert follow(shell, tmp_path, offset=offset) == [*rest, News("exit", "0")]


@SHELLS
@pytest.mark.parametrize(
    ("lines", "text"), [(0, b""), (1, b"c\n"), (2, b"b\nc\n"), (9, b"a\nb\nc\n")]
)
def test_a_follower_may_begin_some_lines_before_the_end(
    shell: str, tmp_path: Path, lines: int, text: bytes
) -> None:
    a_run(tmp_path, b"a\nb\nc\n")
    begin = News("offset", str(6 - len(text)))
    found = follow(shell, tmp_path, lines=lines, until="now")
    assert found == [begin, *([Log(text)] if text else []), News("now")]


@SHELLS
def test_a_model_that_is_ready_is_told_so_after_its_log(shell: str, tmp_path: Path) -> None:
    (a_run(tmp_path, b"hello\n") / "ready").write_text("8001\n")
    assert follow(shell, tmp_path, until="ready") == [Log(b"hello\n"), News("ready")]


# After a restart of the pod a process that has nothing to do with the run may bear its number.
@SHELLS
@pytest.mark.parametrize("supervisor", ["", "1\n"])
def test_a_run_whose_process_is_gone_without_a_word_is_lost(
    shell: str, tmp_path: Path, supervisor: str
) -> None:
    run = a_run(tmp_path, b"hello\n")
    (run / "pid").write_text("1 1 another-boot\n")
    if supervisor:
        (run / "supervisor").write_text(supervisor)
    assert follow(shell, tmp_path) == [Log(b"hello\n"), News("exit", "lost")]


@SHELLS
def test_a_run_that_is_not_there_is_absent(shell: str, tmp_path: Path) -> None:
    a_run(tmp_path, b"")
    assert follow(shell, tmp_path, run="7") == [News("absent")]
