"""Jobs on a pod: start one, follow it over broken connections, end it, ask for all."""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..commands import jobs as commands
from ..commands.jobs import Job
from ..errors import ConnectionLost, PodfabError, RemoteFailed, Unreachable
from ..plan.facts import JobState, parse_jobs
from ..plan.proof import Ending, parse_ending
from ..records.home import state_dir
from .pod import Pod


@dataclass(frozen=True)
class Log:
    """A piece of a job's log."""

    data: bytes


@dataclass(frozen=True)
class News:
    """Something else about a job.

    `ready`; `exit` with the code, after `stopped` when it was told to end; of a download `bytes`,
    all it is, and `kib`, what is on the disk; `gpu`, the memory in use; `tick`, a sign of life.
    """

    what: str
    value: str = ""


@dataclass(frozen=True)
class Started:
    """A job that was started, or one of this name that runs already (`joined`)."""

    run: str
    pid: int | None
    joined: bool
    details: dict[str, Any]


class Taken(PodfabError):
    """Another job holds the port or a GPU that was claimed; its `details` say whose it is."""

    def __init__(self, name: str, details: dict[str, Any]) -> None:
        super().__init__(f"{name} has just taken it{by(details)}; start it again")


class Patience:
    """How long a pod that went away is waited for."""

    def __init__(self, pod: Pod, on_lost: Callable[[str], None]) -> None:
        self._seconds = pod.settings.reconnect_for
        self._on_lost = on_lost
        self._end: float | None = None
        self._said = ""

    def renew(self) -> None:
        self._end = None

    def wait(self, error: Unreachable) -> None:
        """Wait a little before the next try. Raises the error when it was long enough."""
        self._end = self._end or time.monotonic() + self._seconds
        if time.monotonic() > self._end:
            raise error
        if error.text != self._said:
            self._on_lost(error.text)
        self._said = error.text
        time.sleep(1)


def start(pod: Pod, job: Job, on_lost: Callable[[str], None] = lambda text: None) -> Started:
    """Start a job detached from this client, unless one of its name still runs.

    Raises Taken when another job has what it claims.
    """
    script = commands.start(pod.root, job, _owner(), pod.settings.log_cap_mb)
    answer, again = _run_once_more(pod, script, on_lost)
    words = answer.split(maxsplit=2)
    if words[:1] == ["started"] and len(words) == 3:
        return Started(words[1], int(words[2]), False, job.details)
    if words[:1] == ["busy"]:
        details = _details(" ".join(words[1:]))
        # It may be this very job: the connection broke before the pod could say so.
        return Started("current", None, not again or details != job.details, details)
    if words[:1] == ["taken"] and len(words) == 3:
        raise Taken(words[1], _details(words[2]))
    raise RemoteFailed(f"{pod.name} could not start {job.name}; is its disk full?")


def _run_once_more(pod: Pod, script: str, on_lost: Callable[[str], None]) -> tuple[str, bool]:
    """Run a script, again when the connection broke meanwhile; tell whether that was so."""
    patience = Patience(pod, on_lost)
    try:
        return pod.run(script), False
    except ConnectionLost as error:
        patience.wait(error)
    while True:
        try:
            return pod.run(script), True
        except Unreachable as error:
            patience.wait(error)


def follow(
    pod: Pod,
    job: str,
    run: str = "current",
    until: str = "exit",
    lines: int | None = None,
    on_lost: Callable[[str], None] = lambda text: None,
) -> Iterator[Log | News]:
    """Yield a job's log and news until it ends (or is ready), rejoining after a lost connection.

    `until` may also be `now`: what is there at the moment. `lines` begins that many lines before
    the log's end. Leaving the iterator leaves the job alone.

    Raises RemoteFailed when there is no such run.
    """
    offset = 0
    patience = Patience(pod, on_lost)
    while True:
        script = commands.follow(pod.root, job, run, offset, until, lines)
        try:
            for event in _frames(pod.stream(script)):
                patience.renew()
                if isinstance(event, Log):
                    offset += len(event.data)
                elif event.what == "offset":
                    offset, lines = int(event.value), None
                    continue
                elif event.what == "absent":
                    raise RemoteFailed(f"{pod.name} has no log of {job}; see: inv models")
                yield event
                if isinstance(event, News) and event.what in ("exit", until):
                    return
            raise ConnectionLost(f"{pod.name} ended the following of {job}; try again")
        except Unreachable as error:
            patience.wait(error)


def stop(pod: Pod, job: str) -> Ending | None:
    """End all of a job and return the proof; None when there is no such job.

    Raises RemoteFailed with what can not be proven to be gone.
    """
    grace = pod.settings.stop_grace
    answer = pod.run(commands.stop(pod.root, job, _owner(), grace), timeout=grace + 180)
    try:
        ending = parse_ending(answer)
    except (ValueError, KeyError, IndexError) as error:
        raise PodfabError(f"{pod.name} told unreadably how {job} ended: {error}") from error
    if ending and ending.unproven:
        raise RemoteFailed(f"{job} on {pod.name} is not gone: {ending.unproven}")
    return ending


def status(pod: Pod, markers: Iterable[str] = (), timeout: int | None = None) -> list[JobState]:
    """Return all jobs of a pod, in one round trip."""
    return _parsed(pod, pod.run(commands.status(pod.root, markers), timeout))


def access(pod: Pod, job: str) -> tuple[str, list[JobState]]:
    """Return the key that a model was started with, and all jobs, in one round trip."""
    key, _, answer = pod.run(commands.access(pod.root, job)).partition("\n")
    return key, _parsed(pod, answer)


def _parsed(pod: Pod, answer: str) -> list[JobState]:
    try:
        return parse_jobs(answer)
    except (ValueError, TypeError) as error:
        raise PodfabError(f"{pod.name} told its jobs unreadably: {error}") from error


def run_number(pod: Pod, job: str, wish: str) -> str:
    """Return the run that `--run` means: a number, -1 the one before the newest, or the newest."""
    if not wish.startswith("-"):
        return wish or "current"
    runs = sorted(int(run) for run in pod.run(commands.runs(pod.root, job)).split())
    back = int(wish)
    if len(runs) <= -back:
        raise RemoteFailed(f"{job} on {pod.name} has no run {wish}; there are: {runs or 'none'}")
    return str(runs[back - 1])


def _frames(chunks: Iterable[bytes]) -> Iterator[Log | News]:
    """Take follow.sh's output apart: header lines, each log header followed by that many bytes."""
    source = iter(chunks)
    held = b""
    for chunk in source:
        held += chunk
        while b"\n" in held:
            line, _, held = held.partition(b"\n")
            words = line.decode("ascii", "replace").split(" ", 2)
            if words[:2] != ["@podfab", "log"]:
                what, _, value = words[-1].partition("=")
                yield News(what, value)
                continue
            wanted = int(words[2])
            while wanted:
                while not held:
                    more = next(source, None)
                    if more is None:
                        return
                    held = more
                piece, held = held[:wanted], held[wanted:]
                wanted -= len(piece)
                yield Log(piece)


def who() -> dict[str, str]:
    """Return who starts something now, and when: what a second client is told."""
    client = hashlib.sha256(f"{_me()}:{state_dir()}".encode()).hexdigest()[:16]
    started = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    return {"owner": _me(), "started": started, "client": client}


def by(details: dict[str, Any]) -> str:
    """Say whose a job is, as its details tell it."""
    return f" (by {details['owner']})" if details.get("owner") else ""


def _owner() -> str:
    return "{owner}, since {started}".format(**who())


def _details(text: str) -> dict[str, Any]:
    try:
        details = json.loads(text)
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}


def _me() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "somebody"
    return f"{user}@{platform.node()}"
