"""How far something is that takes long: bytes of a download, shards of a load."""

from __future__ import annotations

import re
from collections import deque

_WINDOW = 20.0  # seconds over which a rate is taken
# tqdm's, vllm 0.33.0: model_loader/weight_utils.py (shards), v1/worker/gpu_model_runner.py (graphs)
_BAR = re.compile(r"(shards|CUDA graphs)\b[^\r\n]*?\b(\d+)/(\d+)\b")


class DownloadProgress:
    """The bytes of a download over time: `total` of them, when the hub has said."""

    def __init__(self) -> None:
        self.total: int | None = None
        self._points: deque[tuple[float, int]] = deque()

    def at(self, seconds: float, size: int) -> None:
        """Take in how many bytes are on the disk at a point of time."""
        self._points.append((seconds, size))
        while len(self._points) > 2 and self._points[1][0] <= seconds - _WINDOW:
            self._points.popleft()

    @property
    def rate(self) -> float | None:
        """Bytes per second of late; None before there are two points."""
        if len(self._points) < 2:
            return None
        (begun, first), (now, last) = self._points[0], self._points[-1]
        return max(0, last - first) / (now - begun) if now > begun else None

    def done(self, seconds: float) -> str:
        """Say what it was in all, once it is complete."""
        if not self._points:
            return ""
        size = self.total or self._points[-1][1]
        came = max(0, size - self._points[0][1])
        return f"{_gb(size)} GB" + (f", {came / seconds / 1e6:.0f} MB/s" if came > 1e6 else "")

    def __str__(self) -> str:
        if not self._points:
            return ""
        size, rate = self._points[-1][1], self.rate
        if self.total is None:
            words = [f"{_gb(size)} GB"]
        else:
            words = [f"{_gb(min(size, self.total))} of {_gb(self.total)} GB"]
        if rate:
            words.append(f"{rate / 1e6:.0f} MB/s" if rate >= 1e6 else f"{rate / 1e3:.0f} kB/s")
            if self.total is not None and size < self.total:
                words.append(f"{clock((self.total - size) / rate)} left")
        return ", ".join(words)


def bar(text: str) -> str:
    """Return what the newest progress bar in a piece of log says: `3 of 7 shards`, or nothing."""
    found = _BAR.findall(text)
    return f"{found[-1][1]} of {found[-1][2]} {found[-1][0]}" if found else ""


def clock(seconds: float) -> str:
    """Write a duration as clocks do: `0:42`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f}" if size >= 1e9 else f"{size / 1e9:.2f}"
