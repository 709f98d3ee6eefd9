"""The user's ssh_config, with an address's own options laid before it."""

from __future__ import annotations

import getpass
import glob
import re
from pathlib import Path

from paramiko import SSHConfig
from paramiko.ssh_exception import ConfigParseError

from ..errors import PodfabError
from .address import Address

USER_CONFIG = "~/.ssh/config"
SYSTEM_CONFIG = "/etc/ssh/ssh_config"


def config_for(address: Address) -> SSHConfig:
    """Return the ssh configuration that holds for an address: its own -o options win."""
    options = {name: value for name, value in address.options.items() if name != "ProxyJump"}
    own = "".join(f"  {name} {value}\n" for name, value in options.items())
    text = f"Host {address.host}\n{own}Host *\n" if own else ""
    for source in (USER_CONFIG, SYSTEM_CONFIG):
        text += _read(Path(source).expanduser()) + "\nHost *\n"
    try:
        return SSHConfig.from_text(text)
    except ConfigParseError as error:
        raise PodfabError(f"can not read {USER_CONFIG}: {error}") from error


def destination(address: Address) -> tuple[str, str, int]:
    """Return the user, host and port that an address leads to, ssh_config considered."""
    found = config_for(address).lookup(address.host)
    user = address.user or found.get("user") or getpass.getuser()
    return user, found.get("hostname", address.host), address.port or int(found.get("port", 22))


def _read(path: Path, depth: int = 0) -> str:
    """Read a file with its Include lines carried out, which paramiko leaves alone."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(_expanded(line, path.parent, depth) for line in lines)


def _expanded(line: str, folder: Path, depth: int) -> str:
    match = re.match(r"\s*include\s*[\s=]\s*(.+)", line, re.IGNORECASE)
    if not match or depth > 8:
        return line
    patterns = [folder / Path(pattern).expanduser() for pattern in match[1].split()]
    return "\n".join(
        _read(Path(found), depth + 1)
        for pattern in patterns
        for found in sorted(glob.glob(str(pattern)))
    )
