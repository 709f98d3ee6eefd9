"""The drawing of an answer in a terminal, beside the work that makes it."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

_FRAME = 0.1  # seconds between two drawings
_SHARE = 4  # a drawing that takes long is rested from, so many times as long


class Painter:
    """Draw events in a thread: Ctrl-C, which only the main one gets, can not tear a drawing."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def show(self, event: dict[str, Any]) -> None:
        self._events.put(event)
        if self._failed:
            self.end()

    def end(self) -> None:
        self._events.put(None)
        self._thread.join()
        if failed := self._failed:
            self._failed = None
            raise failed

    def _run(self) -> None:
        try:
            self._paint()
        except BaseException as error:
            self._failed = error

    def _paint(self) -> None:
        from .page import Page

        page = Page()
        due = 0.0
        idle = False
        while True:
            try:
                event = self._events.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                idle = True
            else:
                if event is None:
                    break
                page.take(event)
                # The first piece after a pause is shown at once.
                due, idle = 0.0 if idle else due, False
            if (begun := time.monotonic()) >= due:
                page.draw()
                ended = time.monotonic()
                due = ended + max(_FRAME, _SHARE * (ended - begun))
        page.close()
