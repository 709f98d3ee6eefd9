"""A model's endpoint on this side: the tunnel to it, and what clients need to use it."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from . import screen
from .errors import PodfabError, Unreachable, UsageError
from .plan.rows import ready_port, running
from .screen import connection
from .target import Target

if TYPE_CHECKING:
    from .plan.rows import Row
    from .remote.pod import Pod
    from .remote.tunnel import Forward


def hold(where: Target, wishes: dict[str, int | None]) -> None:
    """Hold a local port open for each model, over lost connections, until Ctrl-C.

    Raises PodfabError when a model is not ready, a wished port is taken, or the pod stays away.
    """
    from .remote import jobs

    found = jobs.status(where.pod)
    ports = {name: ready_port(where.name, name, found) for name in wishes}
    if where.pod.address.is_local:
        return _say_local(where, ports, wishes)
    forwards: dict[str, Forward] = {}
    try:
        for name, wish in wishes.items():
            forwards[name] = _opened(where.pod, ports[name], wish)
            connection.forwarded(name, ports[name], forwards[name].local, where.flag)
        screen.say("Ctrl-C ends the tunnel, what it leads to goes on")
        while True:
            while transport := where.pod.transport():
                transport.join(1)
            _rejoin(where, forwards)
    except KeyboardInterrupt:
        screen.say("")
        for name in forwards:
            screen.say(f"{name} goes on; to stop it: inv models.stop --name={name}{where.flag}")
        raise
    finally:
        for forward in forwards.values():
            forward.close()


def show_variables(where: Target, name: str, wish: int | None) -> None:
    """Print the variables by which clients find a model, for a shell to evaluate.

    Raises PodfabError when the model is not ready.
    """
    from .remote import jobs

    key, found = jobs.access(where.pod, name)
    port = ready_port(where.name, name, found)
    _check_local(where, name, port, wish)
    connection.variables(wish or port, key)
    if not where.pod.address.is_local:
        connection.needs_tunnel(name, port, wish or port, where.flag)


def show(where: Target, row: Row) -> None:
    """Say how a model that was just started is reached."""
    from .remote.sshconfig import destination

    address, port = where.pod.address, row.port
    ssh = outside = ""
    if not address.is_local:
        ssh = shlex.join(["ssh", "-N", "-L", f"{port}:127.0.0.1:{port}", *address.words])
        if row.public and "ProxyJump" not in address.options:
            host = destination(address)[1]
            outside = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
    connection.started(row, where.flag, ssh, outside)


def _say_local(where: Target, ports: dict[str, int], wishes: dict[str, int | None]) -> None:
    for name, port in ports.items():
        _check_local(where, name, port, wishes[name])
        connection.forwarded(name, port, port, where.flag)
    screen.say(f"{where.name} is this machine: it needs no tunnel")


def _check_local(where: Target, name: str, port: int, wish: int | None) -> None:
    if where.pod.address.is_local and wish not in (None, port):
        raise UsageError(
            f"{where.name} is this machine, and {name} is at port {port} of it; leave --port out"
        )


def _opened(pod: Pod, port: int, wish: int | None) -> Forward:
    """Open the local port that is wished, else the model's own, else any that is free."""
    try:
        return pod.tunnel(port, wish or port)
    except OSError as error:
        if not wish:
            return pod.tunnel(port)
        why = os.strerror(error.errno or 0).lower()
        raise PodfabError(
            f"port {wish} can not be opened on this machine ({why}); take another: --port=N"
        ) from error


def _rejoin(where: Target, forwards: dict[str, Forward]) -> None:
    """Reach the pod again, and let the ports go whose models have ended meanwhile.

    Raises PodfabError when that takes too long, or no model is left.
    """
    from .remote import jobs

    seconds = where.pod.settings.reconnect_for
    screen.say(f"the connection to {where.name} is lost; trying again for {seconds} s")
    patience = jobs.Patience(where.pod, lambda cause: None)
    while True:
        try:
            found = jobs.status(where.pod)
            break
        except Unreachable as error:
            patience.wait(error)
    for name, forward in list(forwards.items()):
        try:
            forward.remote = running(where.name, name, found).port or forward.remote
        except PodfabError as error:
            forwards.pop(name).close()
            if not forwards:
                raise
            screen.say(error.text)
    screen.say(f"{where.name} is reached again, through the same ports as before")
