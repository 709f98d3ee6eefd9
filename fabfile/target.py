"""The pod that a command works on: its record, and the way to it."""

from __future__ import annotations

import atexit
import gc
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import invoke

from .errors import PodfabError, UsageError
from .hosts import RAW
from .records import pods, settings
from .records.home import state_dir
from .records.names import derived, unknown

if TYPE_CHECKING:
    from .remote.address import Address
    from .remote.pod import Pod


@dataclass
class Target:
    """A pod's name, its record, and the pod itself."""

    name: str
    record: pods.Pod
    pod: Pod

    @property
    def flag(self) -> str:
        """What a further command needs to work on this pod: nothing when it is the active one."""
        return "" if pods.load().active == self.name else f" --pod={self.name}"


_reached: dict[tuple[str, str, str], Pod] = {}


def target(c: invoke.Context, pod: str = "") -> Target:
    """Return the pod a command is meant for: --pod, else `fab -H`, else the active one."""
    known = pods.load()
    name = find(known, pod or host(c, known))
    record = known.get(name)
    return Target(name, record, reach(name, record.ssh, record.root))


def host(c: invoke.Context, known: pods.Pods) -> str:
    """Return the text given with `-H`, or nothing.

    Our executors keep it. A fabfile with another one hands over just a Connection, which has taken
    the text apart.
    """
    if typed := c.config.get(RAW):
        return str(typed)
    given = getattr(c, "original_host", "")
    if not given:
        return ""
    return given if given in known.pods else f"{c.user}@{given}:{c.port}"


def find(known: pods.Pods, text: str) -> str:
    """Return the name of the pod that a text names: its name, or its address."""
    from .remote.address import parse

    if not text:
        if known.active:
            return known.active
        raise PodfabError(
            "no pod is active; inv pods lists them, inv pods.active NAME picks one"
            if known.pods
            else "there is no pod yet; set one up: fab -H user@host setup"
        )
    if text in known.pods:
        return text
    try:
        place = parse(text)
    except UsageError:
        place = None
    if place and not place.is_local:
        for name, pod in known.pods.items():
            if same_place(pod.ssh, text):
                return name
    raise unknown(text, "pod", known.pods, f"set it up first: fab -H {shlex.quote(text)} setup")


def anywhere(c: invoke.Context, pod: str = "") -> Target:
    """Return the pod a command is meant for; one of `fab -H` that is unknown gets a record."""
    from .remote.address import parse

    known = pods.load()
    text = pod or host(c, known)
    try:
        return target(c, pod)
    except PodfabError:
        if pod or not text:
            raise
    address = parse(text)
    name, record = derived(address.host), pods.Pod(str(address))
    return Target(name, record, reach(name, record.ssh, None))


def reach(name: str, ssh: str, root: str | None) -> Pod:
    """Return the way to a pod, the same one throughout the process; nothing is sent yet."""
    from .remote.address import parse
    from .remote.pod import Pod

    address = parse(ssh)
    root = root or default_root(address)
    key = (name, ssh, root)
    if key not in _reached:
        _reached[key] = Pod(name, address, root, settings.load())
        atexit.register(_reached[key].close)
        atexit.register(gc.freeze)  # Python would tidy up what ends with it anyway: 30 ms
    return _reached[key]


def default_root(address: Address) -> str:
    """Return where our folder is on a pod when nobody says otherwise."""
    return str(state_dir() / "local") if address.is_local else "~/.pi"


def address_of(known: pods.Pods, text: str) -> str:
    """Return the ssh string that a text is, for a pod that is not known by this name."""
    from .remote.address import parse

    if not any(mark in text for mark in "@: ."):
        known.get(text)  # a name, then: say which was meant
    return str(parse(text))


def same_place(one: str, other: str) -> bool:
    """Tell whether two ssh strings lead to the same user, host and port."""
    from .remote.address import parse
    from .remote.sshconfig import destination

    first, second = parse(one), parse(other)
    if first.is_local or second.is_local:
        return first.is_local and second.is_local
    return destination(first) == destination(second)


def forget_key(ssh: str) -> None:
    """Forget the host key that is pinned for an address."""
    from .remote.address import parse
    from .remote.hostkeys import entry_name, forget
    from .remote.sshconfig import destination

    address = parse(ssh)
    if not address.is_local:
        _, host, port = destination(address)
        forget(entry_name(host, port))
