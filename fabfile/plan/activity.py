"""How busy a server is, from its metrics and from what its engine writes into the log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

# vllm 0.33.0, v1/metrics/loggers.py; the time has no year
_STATS = re.compile(
    r"INFO (?P<time>\d\d-\d\d \d\d:\d\d:\d\d) .*Avg prompt throughput: (?P<read>[\d.]+) tokens/s, "
    r"Avg generation throughput: (?P<written>[\d.]+) tokens/s"
)
_INTERVAL = 15  # seconds: the engine writes every ten while it works


@dataclass(frozen=True)
class Activity:
    """What a server does: requests, share of the KV cache, tokens per second, seconds of idleness.

    What is not known is None.
    """

    running: int | None = None
    waiting: int | None = None
    kv_cache: float | None = None
    prompt_tokens_per_s: float | None = None
    generation_tokens_per_s: float | None = None
    idle_s: int | None = None


def parse_activity(load: str, stats: str, clock: str) -> Activity:
    """Read what the status script says of a server: `RUNNING,WAITING,KV`, a log line, the time."""
    running = waiting = cache = None
    if match := re.fullmatch(r"(\d+),(\d+),([\d.]+)", load):
        running, waiting, cache = int(match[1]), int(match[2]), float(match[3])
    said = _STATS.search(stats)
    since = _seconds_since(said["time"], clock) if said else None
    fresh = said is not None and since is not None and since <= _INTERVAL
    return Activity(
        running=running,
        waiting=waiting,
        kv_cache=cache,
        prompt_tokens_per_s=float(said["read"]) if said and fresh else None,
        generation_tokens_per_s=float(said["written"]) if said and fresh else None,
        idle_s=0 if running else since,
    )


def _seconds_since(time: str, clock: str) -> int | None:
    try:
        now = datetime.fromisoformat(clock)
        then = datetime.fromisoformat(f"{now.year:04}-{time}")
    except ValueError:  # the 29th of February, of a year that has none
        return None
    if then > now and then.month > now.month:
        then = then.replace(year=now.year - 1)
    return max(0, round((now - then).total_seconds()))
