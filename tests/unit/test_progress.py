from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabfile.plan.progress import DownloadProgress, bar, clock


def after(total: int | None, *points: tuple[float, int]) -> str:
    download = DownloadProgress()
    download.total = total
    for seconds, size in points:
        download.at(seconds, size)
    return str(download)


@pytest.mark.parametrize(
    ("total", "points", "words"),
    [
        (None, [], ""),
        (None, [(0, 2_500_000_000)], "2.5 GB"),
        (10_000_000_000, [(0, 0)], "0.00 of 10.0 GB"),
        (10_000_000_000, [(0, 0), (10, 2_000_000_000)], "2.0 of 10.0 GB, 200 MB/s, 0:40 left"),
        (None, [(0, 0), (10, 2_000_000_000)], "2.0 GB, 200 MB/s"),
        (10**12, [(0, 0), (10, 10**8)], "0.10 of 1000.0 GB, 10 MB/s, 27:46:30 left"),
        (10**9, [(0, 0), (10, 500_000)], "0.00 of 1.0 GB, 50 kB/s, 5:33:10 left"),
        # it stalls; it is complete; other revisions lie there too; the disk was cleaned
        (10**9, [(0, 10**8), (30, 10**8), (60, 10**8)], "0.10 of 1.0 GB"),
        (10**9, [(0, 0), (10, 10**9)], "1.0 of 1.0 GB, 100 MB/s"),
        (10**9, [(0, 0), (10, 3 * 10**9)], "1.0 of 1.0 GB, 300 MB/s"),
        (10**9, [(0, 10**8), (10, 0)], "0.00 of 1.0 GB"),
        # the rate is of late
        (10**11, [(0, 0), (60, 0), (80, 2 * 10**9)], "2.0 of 100.0 GB, 100 MB/s, 16:20 left"),
    ],
)
def test_a_download_tells_bytes_rate_and_time_left(
    total: int | None, points: list[tuple[float, int]], words: str
) -> None:
    assert after(total, *points) == words


def test_a_complete_download_tells_all_of_it() -> None:
    download = DownloadProgress()
    assert download.done(5) == ""
    download.at(0, 10**9)
    assert download.done(0) == "1.0 GB", "it was there"
    download.total = 3 * 10**9
    download.at(10, 2 * 10**9)
    assert download.done(20) == "3.0 GB, 100 MB/s"


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10**13))), st.integers(0, 10**13))
def test_no_sequence_of_points_breaks_it(points: list[tuple[float, int]], total: int) -> None:
    assert after(total, *sorted(points)).count("left") <= 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(EngineCore pid=7) \rLoading safetensors checkpoint shards:  55% Completed | 5/9 "
         "[00:03<00:02,  1.61it/s]\r", "5 of 9 shards"),
        ("Loading safetensors checkpoint shards:  0% Completed | 0/9 [00:00<?]\r"
         "Loading safetensors checkpoint shards: 11% Completed | 1/9 [00:01<]", "1 of 9 shards"),
        ("Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  43%|████▎     | 15/35 [00:01<",
         "15 of 35 CUDA graphs"),
        ("INFO 11-22 10:00:00 [x.py:1] 3/4 of it", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_bar_in_the_log_becomes_words(text: str, words: str) -> None:
    assert bar(text) == words


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3723, "1:02:03")]
)
def test_a_duration_is_written_as_clocks_do(seconds: float, text: str) -> None:
    assert clock(seconds) == text
