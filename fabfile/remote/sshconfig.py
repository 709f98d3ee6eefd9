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
    port = str(address.port or found.get("port", 22))
    if not port.isdigit():
        raise PodfabError(f"the ssh settings for {address.host} are wrong: {port!r} is no port")
    user = address.user or found.get("user") or getpass.getuser()
    return user, found.get("hostname", address.host), int(port)


def _read(path: Path, folder: Path | None = None, depth: int = 0) -> str:
    """Read a file with its Include lines carried out, which paramiko leaves alone."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    block = "Host *"
    text = ""
    for line in lines:
        include = re.match(r"\s*include\s*[\s=]\s*(.+)", line, re.IGNORECASE)
        if include and depth < 9:
            # What follows belongs to the same block as before, whatever blocks were included.
            text += _included(include[1], folder or path.parent, depth) + f"{block}\n"
            continue
        if re.match(r"\s*(host|match)[\s=]", line, re.IGNORECASE):
            block = line
        text += line + "\n"
    return text


def _included(patterns: str, folder: Path, depth: int) -> str:
    places = [folder / Path(pattern).expanduser() for pattern in patterns.split()]
    return "".join(
        _read(Path(found), folder, depth + 1)
        for place in places
        for found in sorted(glob.glob(str(place)))
    )
