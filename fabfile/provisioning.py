"""Setting a pod up, step by step: facts, plan, job, record."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from . import screen
from .errors import PodfabError, Unreachable
from .listing import recorded
from .records import pods
from .screen.steps import Steps

if TYPE_CHECKING:
    from .plan.facts import Facts
    from .plan.setup import SetupPlan
    from .plan.wish import Wish
    from .remote.jobs import Log, News
    from .remote.pod import Pod

JOB = "_setup"


def decide(pod: Pod, wish: Wish) -> tuple[Facts, SetupPlan]:
    """Look at a pod and plan its setup."""
    from .plan.engine import choose
    from .plan.setup import plan_setup
    from .records import catalog
    from .remote.facts import gather

    engines = catalog.load().engines
    facts = gather(pod, wish.models_path, wish.mount.target if wish.mount else "")
    engine = choose(wish.engine, facts, engines, wish.again)
    return facts, plan_setup(facts, engine, os.environ, wish.mount, wish.toolkit)


def set_up(pod: Pod, wish: Wish, facts: Facts, plan: SetupPlan) -> tuple[Facts, SetupPlan]:
    """Show the plan and carry it out; return how the pod is then.

    Another client's setup that runs already is followed to its end first.
    """
    from .plan.space import layout

    screen.say(f"{pod.name}: engine {plan.engine.folder}, {plan.engine.reason}")
    screen.say(f"{pod.name}: {layout(facts, plan.mount)}")
    if plan.engine.recipe.note and "engine" in plan.todo:
        screen.say(f"{plan.engine.name}: {plan.engine.recipe.note}")
    joined = True
    while joined:
        joined = _carry_out(pod, facts, plan)
        if plan.todo:
            facts, plan = decide(pod, wish)
        if plan.impossible:
            raise PodfabError(f"{pod.name} can not be set up: {plan.impossible.reason}")
        joined = joined and bool(plan.todo)
    return facts, plan


def _carry_out(pod: Pod, facts: Facts, plan: SetupPlan) -> bool:
    """Run the steps that are to be done as a job; tell whether one that ran already was joined."""
    from .commands.jobs import Job
    from .commands.setup_script import setup_script
    from .plan.environment import lines
    from .remote import jobs

    if not plan.todo:
        with Steps([(step.step, step.state, step.reason) for step in plan.steps]):
            return False
    me = jobs.who()
    job = Job(
        name=JOB,
        script=setup_script(plan, facts.root, plan.todo),
        details={"kind": "setup", "engine": plan.engine.folder, **me},
        files={"environment": "".join(f"{line}\n" for line in lines(plan.passed))},
    )
    try:
        with Steps([(step.step, step.state, step.reason) for step in plan.steps]) as steps:
            begun = jobs.start(pod, job, screen.say)
            if begun.joined:
                _join(pod, steps, begun.details)
            else:
                _watch(pod, steps)
            return begun.joined
    except KeyboardInterrupt:
        # A second Ctrl-C must not leave half of the cancelling undone.
        heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            _cancel(pod, me["client"])
        except Unreachable:
            screen.say(f"{pod.name} is out of reach, its setup goes on; run it again to join")
        finally:
            signal.signal(signal.SIGINT, heard)
        raise


def _join(pod: Pod, steps: Steps, details: dict[str, Any]) -> None:
    """Follow a setup that runs already to its end, whatever that is."""
    from .remote import jobs

    theirs = {name: screen.plain(str(details.get(name))) for name in ("owner", "started", "engine")}
    screen.say(
        f"a setup of {pod.name} runs already, by {theirs['owner']} since "
        f"{theirs['started']} (engine {theirs['engine']}); following it"
    )
    try:
        _watch(pod, steps)
    except PodfabError as error:
        stopped = any(job.name == JOB and job.stopped for job in jobs.status(pod))
        how = f"the setup of {pod.name} was cancelled" if stopped else error.text
        screen.say(f"{how}\nthat was {theirs['owner']}'s; now this one")


def _cancel(pod: Pod, client: str) -> None:
    """End the running setup when it is ours; another client's goes on."""
    from .remote import jobs

    for job in jobs.status(pod):
        if job.name == JOB and job.alive:
            if job.details.get("client") != client:
                screen.say(f"the setup of {pod.name} goes on, it is not this client's")
                return
            jobs.stop(pod, JOB)
    screen.say("the setup was cancelled; run it again to go on from what is finished")


def _watch(pod: Pod, steps: Steps) -> None:
    """Follow the setup job to its end. Raises PodfabError with the log's last lines."""
    from .remote import jobs

    said: list[str] = []
    step = ""
    for line, code in _lines(jobs.follow(pod, JOB, on_lost=screen.say)):
        words = line.split(" ", 5)
        if words[:2] == ["@podfab", "step"] and len(words) == 6:
            step = words[2]
            steps.step(step, words[3], float(words[4]) if words[4].isdigit() else 0, words[5])
        elif line:
            said = [*said, line][-20:]
            steps.line(line)
        if code not in (None, "0"):
            path = f"{pod.root}/jobs/{JOB}/current/log"
            tail = "\n".join(f"  {screen.plain(text)}" for text in said)
            raise PodfabError(
                f"the setup of {pod.name} failed at {step}; its whole log: {path}\n{tail}"
            )


def _lines(events: Iterable[Log | News]) -> Iterator[tuple[str, str | None]]:
    """Yield the log's lines, and at the end an empty one with the exit code."""
    from .remote.jobs import Log

    held = b""
    for event in events:
        if isinstance(event, Log):
            *whole, held = (held + event.data).split(b"\n")
            for line in whole:
                yield line.decode("utf-8", "replace").rpartition("\r")[2], None
        elif event.what == "exit":
            yield held.decode("utf-8", "replace"), event.value


def record(name: str, ssh: str, facts: Facts, plan: SetupPlan) -> None:
    """Write down what the pod is now; the first pod becomes the active one."""
    mount = plan.mount.text if plan.mount else None
    with pods.edit() as known:
        known.pods[name] = described(ssh, facts, plan.engine.name, mount)
        known.active = known.active or name
        is_active = known.active == name
    gpus = f"{len(facts.gpus)} x {facts.gpus[0].name}" if facts.gpus else "no GPU"
    use = "" if is_active else f"; to work on it: inv pods.active {shlex.quote(name)}"
    screen.say(f"{name} is ready: vLLM {facts.engines.get(plan.engine.folder)}, {gpus}{use}")


def described(ssh: str, facts: Facts, engine: str, mount: str | None) -> pods.Pod:
    """Return the record of a pod as its facts tell it, with what runs there, whoever began it."""
    return pods.Pod(
        ssh=ssh,
        root=facts.root,
        engine=engine,
        vllm_version=facts.engines.get(facts.links.get(engine, "")),
        models_path=facts.models_path,
        mount=mount,
        gpus=[pods.Gpu(gpu.id, gpu.name, gpu.memory_mib) for gpu in facts.gpus],
        models=recorded(facts.jobs),
    )
