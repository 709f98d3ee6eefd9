"""Host keys: pinned on first use in our own known_hosts, a changed key refused.

Fabric accepts any key silently (fabric#1804, #2071), so the policy is ours.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

from ..errors import PodfabError
from ..records.home import locked, state_dir, write_private

_within_process = threading.Lock()


class PinOnFirstUse(paramiko.MissingHostKeyPolicy):
    """Write down the key of a host that is seen for the first time, and say so."""

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        line = f"{hostname} {key.get_name()} {key.get_base64()}\n"
        with _within_process, locked(path()):
            write_private(path(), _text() + line)
        print(f"pinned the host key of {hostname}: {fingerprint(key)}", file=sys.stderr)


def path() -> Path:
    """Return our own known_hosts."""
    return state_dir() / "known_hosts"


def guard(client: paramiko.SSHClient) -> None:
    """Make a client check host keys against our file."""
    for number, line in enumerate(_text().splitlines(), 1):
        try:
            entry = HostKeyEntry.from_line(line, number)
        except InvalidHostKey:
            entry = None
        for name in entry.hostnames if entry else []:
            client.get_host_keys().add(name, entry.key.get_name(), entry.key)
    client.set_missing_host_key_policy(PinOnFirstUse())


def forget(hostname: str) -> bool:
    """Drop the pinned keys of a host (`host` or `[host]:port`); tell whether there were any."""
    with _within_process, locked(path()):
        lines = _text().splitlines(keepends=True)
        kept = [line for line in lines if hostname not in line.split(" ")[0].split(",")]
        if len(kept) < len(lines):
            write_private(path(), "".join(kept))
    return len(kept) < len(lines)


def entry_name(host: str, port: int) -> str:
    """Return the name under which a host stands in known_hosts."""
    return host if port == 22 else f"[{host}]:{port}"


def fingerprint(key: paramiko.PKey) -> str:
    """Return a key's fingerprint as OpenSSH prints it."""
    return str(key.fingerprint)


def _text() -> str:
    try:
        return path().read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise PodfabError(f"can not read {path()}: {error}") from error
