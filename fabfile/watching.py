"""A start, watched: the log's phases become steps, silence becomes an error."""

from __future__ import annotations

import time

from .errors import PodfabError
from .plan.diagnosis import Diagnosis, diagnose
from .plan.phases import Phase, phase_of
from .remote.jobs import Log, News
from .screen.steps import Steps

KEPT = 1_048_576  # characters of log in which a failure's cause is looked for


class Watch:
    """Follows the events of one start. `exit` is the job's exit code once it has failed."""

    def __init__(self, stall_timeout: int) -> None:
        self.exit: str | None = None
        self._stall_timeout = stall_timeout
        self._phase: Phase | None = None
        self._since = self._heard = time.monotonic()
        self._log = ""

    def see(self, event: Log | News, steps: Steps) -> None:
        """Take one event in and show what it means.

        Raises PodfabError when the log, the disk and the server have been silent for too long.
        """
        if isinstance(event, Log):
            text = event.data.decode("utf-8", "replace")
            self._log = (self._log + text)[-KEPT:]
            if (phase := phase_of(text)) and phase is not self._phase:
                self._enter(phase, steps)
            steps.line(text.rstrip().rpartition("\n")[2].rpartition("\r")[2])
        elif event.what == "ready":
            self._leave(steps)
            steps.step("ready", "ready", 0)
        elif event.what == "exit":
            self.exit = event.value
            if self._phase:
                steps.step(self._phase.name, "failed", self._taken())
        elif event.what == "kib" and event.value.isdigit():
            steps.line(f"{int(event.value) * 1024 / 1e6:.0f} MB on disk")
        if event != News("tick"):
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > self._stall_timeout:
            raise PodfabError(
                f"nothing has moved for {self._stall_timeout} s: no log line, no byte on disk; "
                "it still runs: read its log, or stop it"
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
            steps.step(self._phase.name, "done", self._taken())

    def _taken(self) -> float:
        return time.monotonic() - self._since
