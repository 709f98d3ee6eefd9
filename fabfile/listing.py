"""What runs, live from the pods; the record follows what they say."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .errors import PodfabError
from .records import names, pods, settings
from .target import Target, reach

if TYPE_CHECKING:
    from .plan.facts import JobState
    from .plan.rows import Row
    from .remote.jobs import Started


def list_live(name: str, record: pods.Pod) -> list[Row]:
    """Return the rows of a pod's models, in one round trip; repair its record where they differ."""
    from .plan.phases import MARKERS
    from .plan.rows import rows
    from .remote import jobs

    pod = reach(name, record.ssh, record.root)
    states = jobs.status(pod, MARKERS, pod.settings.list_timeout)
    repair(name, record, states)
    return rows(name, states)


def list_pods(known: pods.Pods, where: list[str]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the rows of several pods, asked at once, each when it answers.

    One that does not answer within its time limit is a row too.
    """
    from .plan.rows import unreachable

    answers: queue.Queue[tuple[str, list[Row]]] = queue.Queue()

    def ask(name: str) -> None:
        try:
            answers.put((name, list_live(name, known.get(name))))
        except PodfabError as error:
            answers.put((name, [unreachable(name, error.text)]))

    for name in where:
        threading.Thread(target=ask, args=(name,), daemon=True).start()
    limit = settings.load().list_timeout
    end, waited_for = time.monotonic() + limit, set(where)
    while waited_for:
        try:
            name, rows = answers.get(timeout=max(0, end - time.monotonic()))
        except queue.Empty:
            break
        waited_for.discard(name)
        yield name, rows
    for name in sorted(waited_for, key=where.index):
        yield name, [unreachable(name, f"{name} gave no answer within {limit} s; is it up?")]


def row_of(where: Target, name: str) -> Row:
    """Return a model's row, live from the pod.

    Raises PodfabError for a name that does not run there, with the nearest one.
    """
    found = {row.name: row for row in list_live(where.name, where.record)}
    if name not in found:
        raise names.unknown(
            name,
            "model that runs",
            [row for row in found if row],
            f"inv models lists {where.name}'s",
        )
    return found[name]


def served(where: Target, name: str, states: Iterable[JobState]) -> JobState:
    """Return the job of a model, also of one that ended or was stopped.

    Raises PodfabError for a name that no model had there, with the nearest one.
    """
    known = {job.name: job for job in states if job.details.get("kind") == "serve"}
    if name not in known:
        raise names.unknown(name, "model", sorted(known), f"inv models lists {where.name}'s")
    return known[name]


def recorded(states: Iterable[JobState]) -> dict[str, pods.Served]:
    """Return what a pod's record says of its models when its jobs are these."""
    from .plan.rows import is_shown

    return {
        job.name: pods.Served(
            model=job.details["model"],
            port=job.details.get("port"),
            gpus=job.details.get("gpus") or [],
            pid=job.pid if job.alive else None,
            started=job.details.get("started"),
        )
        for job in states
        if is_shown(job) and job.details.get("model")
    }


def repair(name: str, record: pods.Pod, states: Iterable[JobState]) -> None:
    """Let the record say of a pod's models what the pod says."""
    told, before = recorded(states), record.models
    if told == before:
        return
    with pods.edit() as known:
        # Another command may have pointed the name at another machine, or started a model.
        if name in known.pods and known.pods[name].ssh == record.ssh:
            models = known.pods[name].models
            gone = [model for model in models if model in before and model not in told]
            known.pods[name].models = {
                model: entry for model, entry in {**models, **told}.items() if model not in gone
            }
    record.models = told


def remember(where: Target, name: str, begun: Started) -> None:
    """Write down that a model was started."""
    details = begun.details
    entry = pods.Served(
        details["model"], details["port"], details["gpus"], begun.pid, details["started"]
    )
    with pods.edit() as known:
        known.get(where.name).models[name] = entry


def forget(where: Target, name: str) -> None:
    """Write down that a model was stopped."""
    with pods.edit() as known:
        if where.name in known.pods:
            known.pods[where.name].models.pop(name, None)
