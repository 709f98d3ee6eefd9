"""What the tasks of models do, step by step: facts, plan, job, record."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from . import screen
from .errors import PodfabError
from .records import names, pods
from .screen.log import LogView
from .screen.steps import Steps
from .target import Target, reach

if TYPE_CHECKING:
    from .plan.asked import Wish
    from .plan.facts import Facts
    from .plan.launch import LaunchPlan
    from .plan.rows import Row


def decide(where: Target, wish: Wish, add: bool) -> LaunchPlan:
    """Plan the launch of a model from the pod's facts and the catalog.

    A model that the catalog does not know is looked up; `add` installs the engine that is wished.
    """
    from .lookup import look_up
    from .plan import fit
    from .plan.launch import plan_launch
    from .plan.way import choose_engine
    from .records import catalog
    from .records.entries import Model
    from .remote.facts import gather

    known = catalog.load()
    facts = gather(where.pod, where.record.models_path or "", model=wish.model)
    if wish.engine and wish.engine not in (*facts.links, *facts.engines):
        if not add:
            there = ", ".join(facts.links) or "none"
            raise PodfabError(
                f"engine {wish.engine} is not installed (there: {there}); without --plan it is "
                "added"
            )
        facts, folder = _engine_added(where, wish.engine)
        wish = replace(wish, engine=folder)
    model = known.models.get(wish.model, Model())
    notes: list[str] = []
    if not fit.known(model):
        folder, _ = choose_engine(
            wish.engine, where.record.engine or "", model, facts, known.engines
        )
        model, notes = look_up(where, folder, wish.model, known)
    plan = plan_launch(wish, facts, known, where.record.engine or "", model)
    return replace(plan, notes=[*notes, *plan.notes])


def _engine_added(where: Target, engine: str) -> tuple[Facts, str]:
    """Install an engine beside those of the pod, whose own stays what it is; return its folder."""
    from . import provisioning
    from .plan import wish

    wanted = wish.Wish.of(where.record, "", "", engine, "auto")
    facts, plan = provisioning.decide(where.pod, wanted)
    if plan.impossible:
        raise PodfabError(f"{engine} can not be added to {where.name}: {plan.impossible.reason}")
    facts, plan = provisioning.set_up(where.pod, wanted, facts, plan)
    return facts, plan.engine.folder


def launch(where: Target, plan: LaunchPlan, wait: bool) -> Row:
    """Start a planned model and watch it until it is ready.

    Raises PodfabError with cause and fix when it fails.
    """
    from .commands.serve import serve
    from .records.keys import api_key
    from .remote import jobs

    if "0.0.0.0" in plan.args:
        screen.say(
            "warning: --public opens the port to everyone who reaches the pod; vLLM's key guards "
            "only /v1, and /invocations answers without one"
        )
    for note in plan.notes:
        screen.say(f"note: {note}")
    passed = {
        name: value for name in ("HF_TOKEN", "HF_ENDPOINT") if (value := os.environ.get(name))
    }
    started = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    job = serve(where.pod.root, plan, {**passed, "VLLM_API_KEY": api_key()}, started)
    begun = jobs.start(where.pod, job, screen.say)
    if begun.joined:
        raise PodfabError(
            f"{plan.name} runs already on {where.name} ({begun.details.get('model')}); "
            f"inv models.stop --name={plan.name}, or take another --name"
        )
    served = pods.Served(plan.model, plan.port, plan.gpus, begun.pid, started)
    with pods.edit() as known:
        known.get(where.name).models[plan.name] = served
    if wait:
        _watch(where, plan)
    return row_of(where, plan.name)


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


def list_live(name: str, record: pods.Pod) -> list[Row]:
    """Return the rows of a pod's models, in one round trip."""
    from .plan.phases import MARKERS
    from .plan.rows import rows
    from .remote import jobs

    return rows(name, jobs.status(reach(name, record.ssh, record.root), MARKERS))


def list_pods(known: pods.Pods, where: list[str]) -> list[Row]:
    """Return the rows of several pods, asked at once; one that does not answer is a row too."""
    from .plan.rows import unreachable

    def ask(name: str) -> list[Row]:
        try:
            return list_live(name, known.get(name))
        except PodfabError as error:
            return [unreachable(name, error.text)]

    with ThreadPoolExecutor(max_workers=max(1, min(32, len(where)))) as pool:
        return [row for found in pool.map(ask, where) for row in found]


def running(where: Target) -> list[str]:
    """Return the names of all models that run or failed on a pod."""
    return [row.name for row in list_live(where.name, where.record) if row.name]


def stop_model(where: Target, name: str) -> None:
    """Stop a model, prove that nothing of it is left, and forget it."""
    from .remote import jobs

    if name not in where.record.models:
        row_of(where, name)
    jobs.stop(where.pod, name)
    with pods.edit() as known:
        if where.name in known.pods:
            known.pods[where.name].models.pop(name, None)


def show_log(where: Target, name: str, lines: int, follow: bool, run: str) -> None:
    """Print a run's log to stdout; Ctrl-C ends the following only."""
    from .remote import jobs

    if name not in (known := {job.name for job in jobs.status(where.pod)}):
        advice = f"inv models lists {where.name}'s"
        raise names.unknown(name, "model", sorted(known), advice)
    number = jobs.run_number(where.pod, name, run)
    until = "exit" if follow else "now"
    events = jobs.follow(where.pod, name, number, until, lines=lines, on_lost=screen.say)
    try:
        with closing(LogView()) as view:
            for event in events:
                if isinstance(event, jobs.Log):
                    view.write(event.data)
                elif event.what == "exit":
                    screen.say(f"{name} has ended (exit {event.value})")
    except KeyboardInterrupt:
        screen.say(f"\n{name} goes on; to stop it: inv models.stop --name={name}")


def _watch(where: Target, plan: LaunchPlan) -> None:
    """Show the phases of a start until the model answers; it goes on when we leave."""
    from .plan.facts import weights_folder
    from .plan.phases import PHASES
    from .remote import jobs
    from .watching import Watch

    weights = where.record.models_path or f"{where.pod.root}/models"
    folder = f"{weights}/hub/{weights_folder(plan.model)}"
    watch = Watch(where.pod.settings.stall_timeout)
    events = jobs.follow(where.pod, plan.name, until="ready", watched=folder, on_lost=screen.say)
    try:
        with Steps(width=max(len(phase.name) for phase in PHASES)) as steps:
            for event in events:
                watch.see(event, steps)
    except KeyboardInterrupt:
        screen.say(
            f"{plan.name} goes on starting; see: inv models; "
            f"to stop it: inv models.stop --name={plan.name}"
        )
        raise
    if watch.exit is not None:
        found = watch.diagnosis()
        lines = "".join(f"\n  {screen.plain(line)}" for line in found.lines)
        cause = found.cause or f"it ended with exit code {watch.exit}"
        fix = found.fix or f"read its log: inv models.logs {plan.name}"
        raise PodfabError(f"{plan.name} failed: {cause}; {fix}{lines}")
