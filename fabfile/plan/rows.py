"""The rows of models.list, from what the job folders say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import PodfabError
from ..records.names import unknown
from .diagnosis import diagnose
from .facts import JobState
from .phases import phase_of


@dataclass(frozen=True)
class Row:
    """A model on a pod; `cause` and `fix` say why it failed, `phase` what it does just now."""

    pod: str
    name: str | None
    model: str | None
    status: str
    port: int | None
    gpus: list[int]
    pid: int | None
    url: str | None
    started: str | None
    phase: str | None = None
    cause: str | None = None
    fix: str | None = None

    def document(self) -> dict[str, Any]:
        """The row as --json prints it."""
        return asdict(self)


def rows(pod: str, jobs: Iterable[JobState]) -> list[Row]:
    """Return a row for each model that runs or ended unasked; a stopped one has none."""
    return [
        _row(pod, job)
        for job in jobs
        if job.details.get("kind") == "serve" and (job.alive or not job.stopped)
    ]


def running(pod: str, name: str, jobs: Iterable[JobState]) -> Row:
    """Return the row of a model that runs.

    Raises PodfabError when it does not, with why it failed or the nearest name.
    """
    models = {row.name: row for row in rows(pod, jobs)}
    if name not in models:
        advice = f"inv models lists {pod}'s"
        raise unknown(name, "model that runs", [known for known in models if known], advice)
    row = models[name]
    if row.status == "failed":
        raise PodfabError(f"{name} has failed: {row.cause}; {row.fix}")
    return row


def ready_port(pod: str, name: str, jobs: Iterable[JobState]) -> int:
    """Return the port on the pod where a model answers.

    Raises PodfabError when it does not, with what it does or why it failed.
    """
    row = running(pod, name, jobs)
    if row.status != "ready" or row.port is None:
        raise PodfabError(f"{name} is not ready yet ({row.phase or row.cause}); look: inv models")
    return row.port


def unreachable(pod: str, cause: str) -> Row:
    """Return the row of a pod that does not answer."""
    return Row(pod, None, None, "unreachable", None, [], None, None, None, cause=cause)


def _row(pod: str, job: JobState) -> Row:
    port = job.details.get("port")
    row = Row(
        pod=pod,
        name=job.name,
        model=job.details.get("model"),
        status="ready",
        port=port,
        gpus=job.details.get("gpus") or [],
        pid=job.pid if job.alive else None,
        url=f"http://127.0.0.1:{port}/v1" if port else None,
        started=job.details.get("started"),
    )
    if not job.alive:
        found = diagnose(job.tail, job.exit, gone=job.exit is None)
        cause = found.cause or f"it ended with exit code {job.exit}"
        fix = found.fix or f"read its log: inv models.logs {job.name}"
        return replace(row, status="failed", cause=cause, fix=fix)
    if job.ready:
        if job.health == 200:
            return row
        return replace(row, status="unreachable", cause="it runs, but does not answer on its port")
    phase = phase_of(job.phase)
    name, status = (phase.name, phase.status) if phase else ("starting", "starting")
    return replace(row, status=status, phase=name)
