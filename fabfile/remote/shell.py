"""The words of a real ssh, for what needs the user's own terminal."""

from __future__ import annotations

from .address import Address
from .hostkeys import path


def ssh_words(address: Address) -> list[str]:
    """Return the command that opens a terminal on a pod, checked against our pinned host keys."""
    words = ["ssh", "-t", "-o", f'UserKnownHostsFile="{path()}"']
    words += ["-o", "StrictHostKeyChecking=accept-new"]
    if address.port:
        words += ["-p", str(address.port)]
    if address.key:
        words += ["-i", address.key]
    for name, value in address.options.items():
        words += ["-o", f"{name}={value}"]
    return [*words, f"{address.user}@{address.host}" if address.user else address.host]
