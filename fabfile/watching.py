"""A start or a download, watched: the log's phases become steps, silence becomes an error."""

from __future__ import annotations

import time
from collections.abc import Iterable

from . import screen
from .errors import PodfabError
from .plan.diagnosis import Diagnosis, diagnose
from .plan.phases import PHASES, Phase, phase_of
from .plan.progress import DownloadProgress, bar
from .remote.jobs import Log, News
from .screen.steps import Steps

KEPT = 1_048_576  # characters of log in which a failure's cause is looked for


class Stalled(PodfabError):
    """Nothing has moved for too long; the job still runs."""


def watch(
    events: Iterable[Log | News],
    name: str,
    stall_timeout: int,
    good_exit: str | None = None,
    title: str = "",
) -> None:
    """Show the phases of a start until it is ready, or of a download until it has ended.

    `good_exit` is the exit code that is no failure: a server has none. `title` is what people call
    it, when not by its name.

    Raises PodfabError with cause and fix when it fails, Stalled when nothing moves for too long.
    """
    watched = Watch(stall_timeout, good_exit)
    with Steps(width=max(len(phase.name) for phase in PHASES)) as steps:
        for event in events:
            watched.see(event, steps)
    if not watched.failed:
        return
    if watched.stopped:
        raise PodfabError(f"{title or name} was stopped by another command")
    found = watched.diagnosis()
    lines = "".join(f"\n  {screen.plain(line)}" for line in found.lines)
    cause = found.cause or f"it ended with exit code {watched.exit}"
    fix = found.fix or f"read its log: inv models.logs {name}"
    raise PodfabError(f"{title or name} failed: {cause}; {fix}{lines}")


class Watch:
    """Follows the events of one start.

    `exit` is the job's exit code once it has ended, `stopped` tells whether it was told to.
    """

    def __init__(self, stall_timeout: int, good_exit: str | None = None) -> None:
        self.exit: str | None = None
        self.stopped = False
        self._stall_timeout, self._good_exit = stall_timeout, good_exit
        self._phase: Phase | None = None
        self._since = self._heard = time.monotonic()
        self._log = ""
        self._download = DownloadProgress()

    @property
    def failed(self) -> bool:
        """Tell whether it ended in another way than it should."""
        return self.exit is not None and self.exit != self._good_exit

    def see(self, event: Log | News, steps: Steps) -> None:
        """Take one event in and show what it means.

        Raises Stalled when the log, the disk and the GPUs have been silent for too long.
        """
        if isinstance(event, Log):
            text = event.data.decode("utf-8", "replace")
            self._log = (self._log + text)[-KEPT:]
            if (phase := phase_of(text)) and phase is not self._phase:
                self._enter(phase, steps)
            steps.line(bar(text) or text.rstrip().rpartition("\n")[2].rpartition("\r")[2])
        elif event.what == "ready":
            self._leave(steps)
            steps.step("ready", "ready", 0)
        elif event.what == "stopped":
            self.stopped = True
        elif event.what == "exit":
            self.exit = event.value
            if self._phase:
                state = "stopped" if self.stopped else "failed" if self.failed else "done"
                steps.step(self._phase.name, state, self._taken(), self._fetched())
        elif event.what == "bytes" and event.value.isdigit():
            self._download.total = int(event.value)
        elif event.what == "kib" and event.value.isdigit():
            self._download.at(time.monotonic(), int(event.value) * 1024)
            steps.line(str(self._download))
        if event != News("tick"):
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > self._stall_timeout:
            raise Stalled(
                f"nothing has moved for {self._stall_timeout} s: no log line, no byte on disk, no "
                "GPU memory"
            )

    def diagnosis(self) -> Diagnosis:
        """Say why the start failed."""
        code = int(self.exit) if self.exit and self.exit.isdigit() else None
        return diagnose(self._log, code, gone=code is None)

    def _enter(self, phase: Phase, steps: Steps) -> None:
        self._leave(steps)
        self._phase, self._since = phase, time.monotonic()
        steps.step(phase.name, "started")

    def _leave(self, steps: Steps) -> None:
        if self._phase:
            steps.step(self._phase.name, "done", self._taken(), self._fetched())

    def _fetched(self) -> str:
        return self._download.done(self._taken()) if self._phase is PHASES[0] else ""

    def _taken(self) -> float:
        return time.monotonic() - self._since
