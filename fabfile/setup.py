"""Make a machine a vLLM host."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import invoke

from . import cli, screen
from .cli import task
from .errors import PodfabError, UsageError
from .records import names, pods
from .target import host, reach

if TYPE_CHECKING:
    from .plan.facts import Facts
    from .plan.setup import SetupPlan


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
    from .provisioning import carry_out, decide, record

    name, ssh, known = _which(c, name, ssh)
    root = _absolute(root, "--root") or (known.root if known else None) or ""
    pod = reach(name, ssh, root or None)
    path = _absolute(models_path, "--models-path") or (known.models_path if known else None) or ""
    facts, decided = decide(pod, path, engine)
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
    if decided.engine.recipe.note and "engine" in decided.todo:
        screen.say(f"{decided.engine.name}: {decided.engine.recipe.note}")
    if carry_out(pod, facts, decided):
        facts, decided = decide(pod, path, engine)
    record(name, ssh, facts, decided)
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
    same = parse(known.pods[name].ssh) == address
    if not same:
        screen.say(f"{name} is known at {known.pods[name].ssh}; it is re-pointed to {address}")
    return name, str(address), known.pods[name] if same else None


def _absolute(path: str, flag: str) -> str:
    if path and not path.startswith(("/", "~/")):
        raise UsageError(f"{flag}={path} is no absolute path; it is a folder on the pod")
    return path.rstrip("/") or path


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
