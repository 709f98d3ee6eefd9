"""The settings: invoke.yaml's `podfab:` section, the user's settings.yaml laid over it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..errors import PodfabError
from .home import state_dir
from .yamlfile import line_of, read_yaml

DEFAULTS = Path(__file__).parent.parent / "invoke.yaml"


@dataclass(frozen=True)
class Settings:
    """What can be set; units and meaning stand in invoke.yaml."""

    connect_timeout: int
    command_timeout: int
    list_timeout: int
    keepalive: int
    reconnect_for: int
    first_port: int
    stop_grace: int
    stall_timeout: int
    log_cap_mb: int


def load() -> Settings:
    """Read the settings that hold for every program: inv, fab and podfab.

    Raises PodfabError with file and line for broken YAML, an unknown name or a wrong value.
    """
    settings = Settings(**read_yaml(DEFAULTS)["podfab"])
    user = state_dir() / "settings.yaml"
    return replace(settings, **_checked(read_yaml(user), user)) if user.exists() else settings


def _checked(given: dict[str, Any], path: Path) -> dict[str, int]:
    known = [field.name for field in fields(Settings)]
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0)
            raise _wrong(path, name, f"unknown setting {name!r}; did you mean {near[0]!r}?")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise _wrong(path, name, f"{name} is {value!r}; a whole number above 0 is expected")
    return given


def _wrong(path: Path, name: str, what: str) -> PodfabError:
    return PodfabError(f"{path}, line {line_of(path, [name])}: {what}")
