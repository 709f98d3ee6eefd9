"""What the tasks of models do, step by step: facts, plan, job, record."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from . import screen
from .errors import PodfabError
from .listing import remember, row_of, served
from .records import names
from .screen.log import LogView
from .stopping import stop_model
from .target import Target

if TYPE_CHECKING:
    from .plan.asked import Wish
    from .plan.facts import Facts
    from .plan.launch import LaunchPlan
    from .plan.rows import Row
    from .remote.jobs import Started

_TRIES = 40  # how often a start is planned anew because another one was quicker


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


def launch(where: Target, wish: Wish, plan: LaunchPlan, force: bool, wait: bool) -> Row:
    """Start a planned model and watch it until it is ready.

    Another podfab may have taken the port or the GPUs meanwhile: then it is planned anew. Raises
    PodfabError with cause and fix when it fails.
    """
    from .remote.jobs import Taken

    if wish.public:
        screen.say(
            "warning: --public opens the port to everyone who reaches the pod; vLLM's key guards "
            "only /v1, and /invocations answers without one"
        )
    for tries in range(_TRIES, 0, -1):
        try:
            begun = _begin(where, plan, force)
            break
        except Taken:
            if tries == 1:
                raise
            plan = decide(where, wish, add=False)
            refuse_failed(plan, force)
    for note in plan.notes:
        screen.say(f"note: {note}")
    remember(where, plan.name, begun)
    if wait:
        watch_start(where, plan.name, begun.run)
    return row_of(where, plan.name)


def refuse_failed(plan: LaunchPlan, force: bool) -> None:
    """Raise PodfabError with what speaks against a start, unless it is forced."""
    if plan.failed and not force:
        raise PodfabError("; ".join(check.detail for check in plan.failed))


def _begin(where: Target, plan: LaunchPlan, force: bool) -> Started:
    from .commands.serve import serve
    from .records.keys import api_key
    from .remote import jobs

    secrets = {**hub_variables(), "VLLM_API_KEY": api_key()}
    begun = jobs.start(
        where.pod, serve(where.pod.root, plan, secrets, jobs.who(), force), screen.say
    )
    if begun.joined:
        what = f"{begun.details.get('model')}{jobs.by(begun.details)}"
        raise PodfabError(
            f"{plan.name} runs already on {where.name}: {what}; "
            f"inv models.stop --name={plan.name}{where.flag}, or take another --name"
        )
    return begun


def restart(where: Target, name: str) -> Row:
    """Stop a model and start it again with the plan and the key that it had, also a failed one.

    Raises PodfabError when another has taken its port or a GPU meanwhile.
    """
    from .commands.serve import again
    from .remote import jobs

    states = jobs.status(where.pod)
    job = served(where, name, states)
    if not job.stopped:
        stop_model(where, name)
    begun = jobs.start(where.pod, again(job, states, jobs.who()), screen.say)
    remember(where, name, begun)
    watch_start(where, name, begun.run)
    return row_of(where, name)


def hub_variables() -> dict[str, str]:
    """Return the variables of this side that a download on the pod needs."""
    return {name: value for name in ("HF_TOKEN", "HF_ENDPOINT") if (value := os.environ.get(name))}


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
        screen.say(f"\n{name} goes on; to stop it: inv models.stop --name={name}{where.flag}")


def watch_start(where: Target, name: str, run: str) -> None:
    """Show a start until the model answers; it goes on when we leave."""
    from .remote import jobs
    from .watching import Stalled, watch

    events = jobs.follow(where.pod, name, run, until="ready", on_lost=screen.say)
    try:
        watch(events, name, where.pod.settings.stall_timeout)
    except Stalled as stalled:
        raise PodfabError(
            f"{stalled.text}; it still runs; look: inv models.logs {name}{where.flag}; "
            f"to stop it: inv models.stop --name={name}{where.flag}"
        ) from stalled
    except KeyboardInterrupt:
        screen.say(
            f"{name} goes on starting; see: inv models{where.flag}; "
            f"to stop it: inv models.stop --name={name}{where.flag}"
        )
        raise
