"""The words of a real ssh, for what needs the user's own terminal."""

from __future__ import annotations

from .address import Address
from .hostkeys import path


def ssh_words(address: Address) -> list[str]:
    """Return the command that opens a terminal on a pod, checked against our pinned host keys."""
    pinned = ["-o", f'UserKnownHostsFile="{path()}"', "-o", "StrictHostKeyChecking=accept-new"]
    return ["ssh", "-t", *pinned, *address.words]
