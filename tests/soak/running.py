"""Commands that are watched while they run, and what they leave on a pod that is this machine."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Client

_NUMBER = itertools.count()


class Running:
    """A command of a client whose output is read while it comes."""

    def __init__(self, client: Client, *words: str) -> None:
        number = next(_NUMBER)
        self.out, self.err = (client.home / f"{number}.{name}" for name in ("out", "err"))
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = client.popen(*words, stdout=out, stderr=err)

    @property
    def said(self) -> str:
        return self.err.read_text()

    def until(self, reached: Callable[[], object], patience: float = 180) -> None:
        """Wait while the command runs until something is so."""
        deadline = time.monotonic() + patience
        while not reached():
            assert self.process.poll() is None, f"it ended: {self.said}"
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)

    def ended(self, patience: float = 300) -> int:
        """Wait for its end and return its exit code; what it said is one line and no traceback."""
        try:
            code = self.process.wait(patience)
        finally:
            self.process.kill()
        assert "Traceback" not in self.said
        return code

    @property
    def error(self) -> str:
        """The one line that says why it failed."""
        lines = [line for line in self.said.splitlines() if line.startswith("podfab: ")]
        assert len(lines) == 1, self.said
        return lines[0]


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the lock of a pod, as another podfab would."""
    words = ["flock", str(root / "lock"), "sh", "-c", "echo held; read _"]
    holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout and holder.stdout.readline()
        yield
    finally:
        holder.communicate(b"\n", timeout=60)


def waited(reached: Callable[[], object], patience: float = 60) -> bool:
    """Wait until something is so; tell whether it came to be."""
    deadline = time.monotonic() + patience
    while not (found := reached()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(found)


def left(home: Path) -> list[str]:
    """Return the processes of a pod's jobs: by the marker, by where they work, by their words."""
    place = str(home / ".pi" / "jobs")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            folder = str((process / "cwd").readlink())
        except OSError:  # it ended, or is a kernel's
            continue
        mark = f"PODFAB_RUN={place}/".encode()
        if mark in environment or folder.startswith(place) or f"{place}/" in words:
            found.append(f"{process.name} {words[:200]}")
    return found
