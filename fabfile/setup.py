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
    mount="command that mounts the models' folder there, as you would type it; none forgets it",
    engine="auto, release, nightly, cuda12, cpu, vllm==VERSION, or an installed one's folder",
    toolkit="CUDA compiler: auto, none, or a version like 12.9",
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
    mount: str = "",
    engine: str = "",
    toolkit: str = "auto",
    plan: bool = False,
    script: bool = False,
    json: bool = False,
) -> None:
    """Set a pod up: a machine that ssh reaches becomes a vLLM host.

    It looks first and does only what is missing; a second run changes nothing. What was asked for
    once (mount, models path, an engine other than auto takes) holds until it is asked otherwise.

    Examples:
      fab -H root@1.2.3.4:40022 setup --name=dc1
      inv setup --ssh="ssh -p 40022 root@1.2.3.4" --name=dc1 --plan
      inv setup --ssh=local --engine=cpu
    """
    from .commands.setup_script import setup_script
    from .plan.wish import Wish
    from .provisioning import decide, record, set_up

    name, ssh, known = _which(c, name, ssh)
    root = _absolute(root, "--root") or (known.root if known else None) or ""
    path = _absolute(models_path, "--models-path")
    wish = Wish.of(known, path, mount, engine, toolkit)
    pod = reach(name, ssh, root or None)
    facts, decided = decide(pod, wish)
    if script:
        print(setup_script(decided, facts.root, decided.todo), end="")
        return
    for warning in decided.warnings:
        screen.say(f"warning: {warning}")
    if plan:
        _show(name, facts, decided, json)
    if decided.impossible:
        raise PodfabError(f"{name} can not be set up: {decided.impossible.reason}")
    if plan:
        return
    facts, decided = set_up(pod, wish, facts, decided)
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
    if ssh in known.pods:
        name, ssh = name or ssh, known.pods[ssh].ssh
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
    if (path and not path.strip("/")) or "\n" in path:
        raise UsageError(f"{flag}={path!r} can not be ours; name a folder of its own")
    if flag == "--root" and (odd := sorted(set(path) & set("'\"\\$`"))):
        raise UsageError(f"{flag} has {' '.join(odd)} in it; Python's programs can not start there")
    return path.rstrip("/")


def _show(name: str, facts: Facts, plan: SetupPlan, json: bool) -> None:
    if not json:
        from .plan.space import layout

        screen.say(f"{name}: engine {plan.engine.folder}, {plan.engine.reason}")
        screen.say(f"{name}: {layout(facts, plan.mount)}")
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
            "warnings": plan.warnings,
        }
    )
