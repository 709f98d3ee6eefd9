"""The pods we know: list them, choose one, forget one."""

from __future__ import annotations

import invoke

from . import cli, screen
from .cli import task
from .errors import PodfabError
from .records import pods
from .target import find


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


@task(name_="the pod to forget")
def remove(c: invoke.Context, name: str) -> None:
    """Forget a pod and its host key; nothing is changed on the pod itself.

    Example: inv pods.remove dc1
    """
    with pods.edit() as known:
        pod = known.get(name)
        del known.pods[name]
        if known.active == name:
            known.active = next(iter(known.pods), None)
    _forget_key(pod)
    if pod.models:
        names = ", ".join(pod.models)
        screen.say(f"warning: {names} may still run on {name}; nothing there was stopped")
    screen.say(f"{name} is forgotten" + (f"; {known.active} is active" if known.active else ""))


@task(name_="the pod whose new host key is right")
def trust(c: invoke.Context, name: str) -> None:
    """Forget the pinned host key of a pod and pin the one it shows now.

    Example: inv pods.trust dc1
    """
    from .target import reach

    known = pods.load()
    name = find(known, name)
    pod = known.get(name)
    if pod.ssh == "local":
        raise PodfabError(f"{name} is this machine; it has no host key")
    _forget_key(pod)
    reach(name, pod.ssh, pod.root).open()


def _forget_key(pod: pods.Pod) -> None:
    from .remote.address import parse
    from .remote.hostkeys import entry_name, forget
    from .remote.sshconfig import destination

    address = parse(pod.ssh)
    if not address.is_local:
        _, host, port = destination(address)
        forget(entry_name(host, port))
