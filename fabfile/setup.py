"""Make a machine a vLLM host."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import invoke

from . import cli, screen
from .cli import task
from .errors import PodfabError, UsageError
from .records import names, pods
from .target import host, reach

if TYPE_CHECKING:
    from .plan.facts import Facts
    from .plan.setup import SetupPlan
    from .remote.pod import Pod

JOB = "_setup"


@task(
    name_="the pod's name (default: the alias or host)",
    ssh='where it is: "ssh -p 40022 root@1.2.3.4 -i key", an alias, or local for this machine',
    root="folder on the pod for all that is ours (default: ~/.pi there)",
    models_path="folder on the pod for the weights (default: models/ in the root)",
    engine="auto, or one of models.yaml: release, cuda12, cpu, or vllm==VERSION",
    plan="show what would be done, and do nothing",
    script="print the bash that would run, and do nothing",
    json=cli.JSON,
)
def setup(
    c: invoke.Context,
    name: str = "",
    ssh: str = "",
    root: str = "",
    models_path: str = "",
    engine: str = "auto",
    plan: bool = False,
    script: bool = False,
    json: bool = False,
) -> None:
    """Set a pod up: a machine that ssh reaches becomes a vLLM host.

    It looks first and does only what is missing; a second run changes nothing.

    Examples:
      fab -H root@1.2.3.4:40022 setup --name=dc1
      inv setup --ssh="ssh -p 40022 root@1.2.3.4" --name=dc1 --plan
      inv setup --ssh=local --engine=cpu
    """
    from .commands.setup_script import setup_script

    name, ssh, known = _which(c, name, ssh)
    root = _absolute(root, "--root") or (known.root if known else None) or ""
    pod = reach(name, ssh, root or None)
    path = _absolute(models_path, "--models-path") or (known.models_path if known else None) or ""
    facts, decided = _decide(pod, path, engine)
    if script:
        print(setup_script(decided, facts.root, decided.todo), end="")
        return
    if plan:
        _show(name, facts, decided, json)
        if decided.impossible:
            raise PodfabError(f"{name} can not be set up: {decided.impossible.reason}")
        return
    if decided.impossible:
        raise PodfabError(f"{name} can not be set up: {decided.impossible.reason}")
    screen.say(f"{name}: engine {decided.engine.folder}, {decided.engine.reason}")
    if decided.engine.recipe.note:
        screen.say(f"{decided.engine.name}: {decided.engine.recipe.note}")
    if _carry_out(pod, facts, decided):
        facts, decided = _decide(pod, path, engine)
    _record(name, ssh, facts, decided)
    if json:
        _show(name, facts, decided, json)


def _which(c: invoke.Context, name: str, ssh: str) -> tuple[str, str, pods.Pod | None]:
    """Return name, ssh string and, when the pod is known at this place, its record."""
    from .remote.address import parse

    known = pods.load()
    ssh = ssh or host(c, known)
    if not ssh and not name:
        raise UsageError('where is the pod? fab -H user@host setup, or inv setup --ssh="ssh ..."')
    if ssh in known.pods and (not name or name == ssh):
        name, ssh = ssh, known.pods[ssh].ssh
    ssh = ssh or known.get(name).ssh
    address = parse(ssh)
    if address.ignored:
        screen.say(f"of the ssh string, {' '.join(address.ignored)} is not needed and left out")
    if not name:
        name = names.derived(address.host)
    if name not in known.pods:
        names.checked(name, "pod")
        return name, str(address), None
    same = known.pods[name].ssh == str(address)
    if not same:
        screen.say(f"{name} is known at {known.pods[name].ssh}; it is re-pointed to {address}")
    return name, str(address), known.pods[name] if same else None


def _absolute(path: str, flag: str) -> str:
    if path and not path.startswith(("/", "~/")):
        raise UsageError(f"{flag}={path} is no absolute path; it is a folder on the pod")
    return path.rstrip("/") or path


def _decide(pod: Pod, models_path: str, engine: str) -> tuple[Facts, SetupPlan]:
    from .plan.engine import choose
    from .plan.setup import plan_setup
    from .records import catalog
    from .remote.facts import gather

    facts = gather(pod, models_path)
    return facts, plan_setup(facts, choose(engine, facts, catalog.load().engines), os.environ)


def _show(name: str, facts: Facts, plan: SetupPlan, json: bool) -> None:
    if not json:
        screen.say(f"{name}: engine {plan.engine.folder}, {plan.engine.reason}")
        rows = [(step.step, step.state, step.reason) for step in plan.steps]
        screen.table(("step", "state", "reason"), rows)
        return
    gpus = [{"id": g.id, "name": g.name, "memory_mib": g.memory_mib} for g in facts.gpus]
    screen.document(
        {
            "pod": name,
            "engine": plan.engine.name,
            "reason": plan.engine.reason,
            "facts": {"driver": facts.driver, "gpus": gpus},
            "steps": [asdict(step) for step in plan.steps],
        }
    )


def _carry_out(pod: Pod, facts: Facts, plan: SetupPlan) -> bool:
    """Run the steps that are to be done as a job, and tell whether there were any."""
    from .commands.jobs import Job
    from .commands.setup_script import setup_script
    from .plan.environment import lines
    from .remote import jobs

    with screen.Steps(step.step for step in plan.steps) as steps:
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
        started = jobs.start(pod, job)
        if started.joined:
            screen.say(f"a setup of {pod.name} runs already; following it")
        try:
            _watch(pod, steps)
        except KeyboardInterrupt:
            jobs.stop(pod, JOB)
            screen.say("the setup was cancelled; run it again to go on from the finished steps")
            raise
    return True


def _watch(pod: Pod, steps: screen.Steps) -> None:
    """Follow the setup job to its end. Raises PodfabError with the log's last lines."""
    from .remote import jobs

    said: list[str] = []
    for line, code in _lines(jobs.follow(pod, JOB, on_lost=screen.say)):
        words = line.split(" ", 5)
        if words[:2] == ["@podfab", "step"] and len(words) == 6:
            steps.step(words[2], words[3], float(words[4]) if words[4].isdigit() else 0, words[5])
        elif line:
            said = [*said, line][-20:]
            steps.line(line)
        if code not in (None, "0"):
            path = f"{pod.root}/jobs/{JOB}/current/log"
            tail = "\n".join(f"  {screen.plain(text)}" for text in said)
            raise PodfabError(f"the setup of {pod.name} failed; its whole log: {path}\n{tail}")


def _lines(events: Any) -> Any:
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


def _record(name: str, ssh: str, facts: Facts, plan: SetupPlan) -> None:
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
