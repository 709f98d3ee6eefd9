"""The pods we know: list them, choose one, forget one."""

from __future__ import annotations

import os
import shutil
import sys

import invoke

from . import cli, screen
from .cli import task
from .errors import PodfabError, UsageError
from .records import pods
from .target import address_of, anywhere, forget_key, reach, same_place, target


@task(name="list", default=True, json=cli.JSON)
def list_(c: invoke.Context, json: bool = False) -> None:
    """List the pods; * marks the active one.

    Example: inv pods
    """
    known = pods.load()
    rows = [
        {
            "name": name,
            "ssh": pod.ssh,
            "active": name == known.active,
            "root": pod.root,
            "gpus": [vars(gpu) for gpu in pod.gpus],
            "engine": pod.engine,
            "vllm_version": pod.vllm_version,
            "models_path": pod.models_path,
            "models": list(pod.models),
        }
        for name, pod in known.pods.items()
    ]
    if json:
        screen.document(rows)
    elif not rows:
        screen.say("no pods yet; set one up: fab -H user@host setup")
    else:
        screen.pods(rows)


@task(name_="the pod to work on from now on")
def active(c: invoke.Context, name: str) -> None:
    """Make a pod the active one.

    Example: inv pods.active dc1
    """
    with pods.edit() as known:
        known.get(name)
        known.active = name
    screen.say(f"{name} is active")


@task(name_="the pod to forget", purge="also remove our folder from the pod, weights in it too")
def remove(c: invoke.Context, name: str, purge: bool = False) -> None:
    """Forget a pod and its host key; without --purge nothing is changed on the pod itself.

    Examples:
      inv pods.remove dc1
      inv pods.remove dc1 --purge
    """
    if purge:
        from .upkeep import purge as remove_ours

        remove_ours(name, pods.load())
    with pods.edit() as known:
        pod = known.get(name)
        del known.pods[name]
        if known.active == name:
            known.active = next(iter(known.pods), None)
    if not any(same_place(pod.ssh, other.ssh) for other in known.pods.values()):
        forget_key(pod.ssh)
    if pod.models and not purge:
        names = ", ".join(pod.models)
        screen.say(f"warning: {names} may still run on {name}; nothing there was stopped")
    screen.say(f"{name} is forgotten" + (f"; {known.active} is active" if known.active else ""))


@task(name_="the pod whose new host key is right, by name or by address")
def trust(c: invoke.Context, name: str) -> None:
    """Forget the pinned host key of a pod and pin the one it shows now.

    Examples:
      inv pods.trust dc1
      inv pods.trust "ssh -p 40022 root@1.2.3.4"
    """
    known = pods.load()
    record = known.pods.get(name) or pods.Pod(address_of(known, name))
    if record.ssh == "local":
        raise PodfabError(f"{name} is this machine; it has no host key")
    forget_key(record.ssh)
    reach(name, record.ssh, record.root).open()


@task(command="what to run there, as one word: quote it", pod=cli.POD)
def run(c: invoke.Context, command: str, pod: str = "") -> None:
    """Run a command on a pod; its output and its exit code are ours, its stdin is empty.

    Examples:
      inv pods.run "nvidia-smi"
      inv pods.run "df -h | grep workspace" --pod=dc1
    """
    from .commands import upkeep as commands

    if not command.strip():
        raise UsageError("the command is empty")
    where = target(c, pod)
    code = where.pod.execute(commands.run(command), sys.stdout.buffer, sys.stderr.buffer)
    if code:
        raise invoke.Exit(code=code)


@task(pod=cli.POD)
def shell(c: invoke.Context, pod: str = "") -> None:
    """Open a shell on a pod, with the real ssh.

    Example: inv pods.shell --pod=dc1
    """
    from .remote.shell import ssh_words

    where = target(c, pod)
    local = where.pod.address.is_local
    words = [os.environ.get("SHELL") or "sh"] if local else ssh_words(where.pod.address)
    if not shutil.which(words[0]):
        raise PodfabError(f"{words[0]} is not installed here; your package for it: openssh-client")
    sys.stdout.flush()
    os.execvp(words[0], words)


@task(pod=cli.POD)
def sync(c: invoke.Context, pod: str = "") -> None:
    """Make a pod's record anew from what is and runs on it, whoever started it.

    With `fab -H`, also of a pod that is not known here: the record was lost, or made elsewhere.

    Examples:
      inv pods.sync
      fab -H root@1.2.3.4:40022 pods.sync
    """
    from .upkeep import read_back

    where = anywhere(c, pod)
    found = read_back(where)
    with pods.edit() as known:
        known.pods[where.name] = found
        known.active = known.active or where.name
    running = ", ".join(found.models) or "no model"
    screen.say(f"{where.name}: engine {found.engine} {found.vllm_version}, {running} runs")


@task(
    engines="remove engines that are not in use, and uv's download cache",
    runs="remove what old runs left: scripts and logs",
    model="remove the weights of this model",
    pod=cli.POD,
)
def clean(
    c: invoke.Context, engines: bool = False, runs: bool = False, model: str = "", pod: str = ""
) -> None:
    """Free disk on a pod; without a flag, only show what could go and how much that is.

    Examples:
      inv pods.clean
      inv pods.clean --engines --runs
      inv pods.clean --model=Qwen/Qwen3-8B
    """
    from .plan.clean import chosen
    from .upkeep import remove as remove_waste
    from .upkeep import waste

    where = target(c, pod)
    facts, things = waste(where)
    asked = engines or runs or bool(model)
    shown = chosen(things, facts, engines, runs, model) if asked else things
    rows = [(thing.kind, thing.name, screen.size(thing.kib), thing.path) for thing in shown]
    screen.table(("kind", "what", "size", "folder"), rows)
    if asked:
        remove_waste(where, shown)


@task(pod=cli.POD, json=cli.JSON)
def doctor(c: invoke.Context, pod: str = "", json: bool = False) -> None:
    """Examine a pod: a verdict for each thing that it needs, and the fix; exit 1 if one is wrong.

    With `fab -H`, also a pod that is not set up yet.

    Example: inv pods.doctor
    """
    from .upkeep import examine

    where = anywhere(c, pod)
    facts, checks = examine(where)
    wrong = [check.check for check in checks if check.ok is False]
    if json:
        rows = [vars(check) for check in checks]
        screen.document({"pod": where.name, "ok": not wrong, "facts": facts, "checks": rows})
    else:
        screen.checks(checks)
    if wrong:
        raise PodfabError(f"{where.name} is not well: {', '.join(dict.fromkeys(wrong))}")
