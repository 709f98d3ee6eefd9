"""The rows of models.list, from what the job folders say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..errors import PodfabError
from ..records.names import unknown
from .activity import Activity, parse_activity
from .diagnosis import diagnose
from .facts import JobState
from .phases import phase_of


@dataclass(frozen=True)
class Row:
    """A model on a pod.

    `promises` are tools and reasoning, where it was started with a parser for them. `public` tells
    whether it listens on all addresses, `phase` what it does just now, `cause` and `fix` why it
    failed, `owner` who started it; `fetched` of `bytes` are on the disk while it downloads.
    """

    pod: str
    name: str | None
    model: str | None
    status: str
    port: int | None
    gpus: list[int]
    pid: int | None
    url: str | None
    started: str | None
    task: str = "generate"
    public: bool = False
    promises: list[str] = field(default_factory=list)
    phase: str | None = None
    cause: str | None = None
    fix: str | None = None
    owner: str | None = None
    uptime_s: int | None = None
    fetched: int | None = None
    bytes: int | None = None
    activity: Activity = field(default_factory=Activity)

    def document(self) -> dict[str, Any]:
        """The row as --json prints it."""
        fields = asdict(self)
        activity = fields.pop("activity")
        return {**fields, **activity}


def is_shown(job: JobState) -> bool:
    """Tell whether a job is a model that runs or ended unasked; a stopped one is gone."""
    return job.details.get("kind") == "serve" and (job.alive or not job.stopped)


def rows(pod: str, jobs: Iterable[JobState]) -> list[Row]:
    """Return a row for each model that runs or ended unasked."""
    return [_row(pod, job) for job in jobs if is_shown(job)]


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
        task=job.details.get("task", "generate"),
        public=job.details.get("public", False),
        promises=job.details.get("promises", []),
        owner=job.details.get("owner"),
        uptime_s=job.uptime,
        fetched=job.fetched,
        bytes=job.bytes,
    )
    if not job.alive:
        found = diagnose(job.tail, job.exit, gone=job.exit is None)
        cause = found.cause or f"it ended with exit code {job.exit}"
        fix = found.fix or f"read its log: inv models.logs {job.name}"
        return replace(row, status="failed", cause=cause, fix=fix)
    if job.ready:
        if job.health == 200:
            return replace(row, activity=parse_activity(job.load, job.stats, job.clock))
        return replace(row, status="unreachable", cause="it runs, but does not answer on its port")
    phase = phase_of(job.phase)
    name, status = (phase.name, phase.status) if phase else ("starting", "starting")
    return replace(row, status=status, phase=name)
