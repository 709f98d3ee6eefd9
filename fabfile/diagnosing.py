"""Why a model failed: from its log on the pod, or from one that was saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .errors import PodfabError
from .records import names

if TYPE_CHECKING:
    from .plan.diagnosis import Diagnosis
    from .target import Target

_LINES = 4000  # of a log's end: a traceback of each of eight workers is in it
_BYTES = 4 * 1024**2


def from_pod(where: Target, name: str) -> Diagnosis:
    """Diagnose a model that failed on a pod.

    Raises PodfabError when it runs, when it was stopped, and for a name that is not known there.
    """
    from .plan.diagnosis import diagnose
    from .remote import jobs

    known = {job.name: job for job in jobs.status(where.pod) if job.details.get("kind") == "serve"}
    if name not in known:
        raise names.unknown(name, "model", sorted(known), f"inv models lists {where.name}'s")
    job = known[name]
    if job.alive and job.ready:
        raise PodfabError(f"{name} runs on {where.name}, it has not failed; see: inv models")
    if not job.alive and job.stopped:
        raise PodfabError(f"{name} was stopped on {where.name}, it has not failed")
    events = jobs.follow(where.pod, name, until="now", lines=_LINES)
    log = b"".join(event.data for event in events if isinstance(event, jobs.Log))
    gone = not job.alive and job.exit is None
    return diagnose(log.decode("utf-8", "replace"), job.exit, gone)


def from_file(path: str) -> Diagnosis:
    """Diagnose a log that was saved; no pod is asked.

    Raises PodfabError when it can not be read.
    """
    from .plan.diagnosis import diagnose

    try:
        with Path(path).expanduser().open("rb") as file:
            if file.seekable():
                file.seek(max(0, file.seek(0, 2) - _BYTES))
            log = file.read()
    except OSError as error:
        raise PodfabError(f"{path} can not be read: {error.strerror}") from error
    return diagnose(log.decode("utf-8", "replace"))
