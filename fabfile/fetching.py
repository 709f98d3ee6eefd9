"""The weights of a model, fetched ahead of its start."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from . import screen
from .errors import PodfabError, Unreachable
from .target import Target

if TYPE_CHECKING:
    from .plan.download import Download
    from .remote.jobs import Started


def download(where: Target, model: str) -> dict[str, Any]:
    """Fetch a model's weights to a pod, watched; Ctrl-C cancels it, what came is kept.

    Raises PodfabError when there is no room or no right, and with cause and fix when it fails.
    """
    from .plan import download as planning
    from .plan.way import choose_engine
    from .records import catalog
    from .records.entries import Model
    from .remote.facts import gather
    from .serving import hub_variables

    known = catalog.load()
    entry = known.models.get(model, Model())
    facts = gather(where.pod, where.record.models_path or "", model=model)
    engine, _ = choose_engine(None, where.record.engine or "", entry, facts, known.engines)
    fetched = planning.Download.of(model, entry, {})
    secrets = hub_variables()
    checks = planning.checks(entry, fetched, facts, "HF_TOKEN" in secrets)
    if failed := [check.detail for check in checks if not check.ok]:
        raise PodfabError("; ".join(failed))
    _carry_out(where, fetched, engine, secrets)
    facts = gather(where.pod, where.record.models_path or "", model=model)
    size = (facts.weights_mib or 0) * 1024**2
    return {"pod": where.name, "model": model, "folder": facts.models_path, "bytes": size}


def _carry_out(where: Target, fetched: Download, engine: str, secrets: dict[str, str]) -> None:
    from .commands.serve import fetch
    from .records.names import derived
    from .remote import jobs
    from .watching import Stalled, watch

    name = f"_download-{derived(fetched.model.replace('/', '--'))}"
    job = fetch(where.pod.root, name, fetched, engine, secrets, jobs.who())
    begun = jobs.start(where.pod, job, screen.say)
    try:
        if begun.joined:
            screen.say(f"{fetched.model} is being downloaded already{jobs.by(begun.details)}")
        events = jobs.follow(where.pod, name, begun.run, on_lost=screen.say)
        title = f"the download of {fetched.model}"
        watch(events, name, where.pod.settings.stall_timeout, "0", title)
    except (KeyboardInterrupt, Stalled):
        # A second Ctrl-C must not leave half of the cancelling undone.
        heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            _cancel(where, name, fetched.model, begun)
        finally:
            signal.signal(signal.SIGINT, heard)
        raise


def _cancel(where: Target, name: str, model: str, begun: Started) -> None:
    from .remote import jobs

    if begun.joined:
        screen.say(f"the download goes on{jobs.by(begun.details)}")
        return
    try:
        jobs.stop(where.pod, name)
        screen.say(f"the download of {model} was cancelled; what came is kept for the next time")
    except Unreachable:
        screen.say(f"{where.name} is out of reach, the download goes on")
