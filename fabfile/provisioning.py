"""Setting a pod up, step by step: facts, plan, job, record."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from . import screen
from .errors import PodfabError
from .records import pods
from .screen.steps import Steps

if TYPE_CHECKING:
    from .plan.facts import Facts
    from .plan.setup import SetupPlan
    from .remote.jobs import Log, News
    from .remote.pod import Pod

JOB = "_setup"


def decide(pod: Pod, models_path: str, engine: str) -> tuple[Facts, SetupPlan]:
    """Look at a pod and plan its setup."""
    from .plan.engine import choose
    from .plan.setup import plan_setup
    from .records import catalog
    from .remote.facts import gather

    engines = catalog.load().engines
    facts = gather(pod, models_path)
    return facts, plan_setup(facts, choose(engine, facts, engines), os.environ)


def carry_out(pod: Pod, facts: Facts, plan: SetupPlan) -> bool:
    """Run the steps that are to be done as a job, and tell whether there were any."""
    from .commands.jobs import Job
    from .commands.setup_script import setup_script
    from .plan.environment import lines
    from .remote import jobs

    with Steps(step.step for step in plan.steps) as steps:
        for step in plan.steps:
            if step.state != "todo":
                state = "skipped" if step.state == "skip" else step.state
                steps.step(step.step, state, 0, step.reason)
        if not plan.todo:
            return False
        job = Job(
            name=JOB,
            script=setup_script(plan, facts.root, plan.todo),
            details={"kind": "setup", "engine": plan.engine.folder},
            files={"environment": "\n".join(lines(plan.environment)) + "\n"},
        )
        try:
            if jobs.start(pod, job).joined:
                screen.say(f"a setup of {pod.name} runs already; following it")
            _watch(pod, steps)
        except KeyboardInterrupt:
            jobs.stop(pod, JOB)
            screen.say("the setup was cancelled; run it again to go on from the finished steps")
            raise
    return True


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
    with pods.edit() as known:
        known.pods[name] = pods.Pod(
            ssh=ssh,
            root=facts.root,
            engine=plan.engine.name,
            vllm_version=facts.engines.get(plan.engine.folder),
            models_path=facts.models_path,
            gpus=[pods.Gpu(gpu.id, gpu.name, gpu.memory_mib) for gpu in facts.gpus],
            models=_running(facts),
        )
        known.active = known.active or name
        is_active = known.active == name
    gpus = f"{len(facts.gpus)} x {facts.gpus[0].name}" if facts.gpus else "no GPU"
    use = "" if is_active else f"; to work on it: inv pods.active {shlex.quote(name)}"
    screen.say(f"{name} is ready: vLLM {facts.engines.get(plan.engine.folder)}, {gpus}{use}")


def _running(facts: Facts) -> dict[str, pods.Served]:
    """Return the models that run on the pod, whoever started them."""
    return {
        job.name: pods.Served(
            model=job.details["model"],
            port=job.details.get("port"),
            gpus=job.details.get("gpus") or [],
            pid=job.pid,
            started=job.details.get("started"),
        )
        for job in facts.jobs
        if job.alive and job.details.get("kind") == "serve" and job.details.get("model")
    }
