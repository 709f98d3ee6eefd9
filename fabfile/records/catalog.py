"""models.yaml: engines, GPU types and models; the user's own laid over ours."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import PodfabError
from .entries import Catalog, Configuration, Engine, GpuType, Model
from .home import state_dir
from .yamlfile import line_of, read_yaml

KINDS = (Catalog, Configuration, Engine, GpuType, Model)
SHIPPED = Path(__file__).parent.parent / "models.yaml"


def load() -> Catalog:
    """Read our models.yaml, and the user's over it: entries are added, fields replaced.

    Raises PodfabError with the file and the place of what is wrong.
    """
    content = read_yaml(SHIPPED)
    own = state_dir() / "models.yaml"
    if not own.exists():
        return _parsed(content, SHIPPED)
    _parsed(content, SHIPPED)
    return _parsed(_merged(content, read_yaml(own)), own)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = _merged(below, value) if both and below else value
    return merged


def _parsed(content: dict[str, Any], path: Path) -> Catalog:
    try:
        return Catalog.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = [part for part in first["loc"] if isinstance(part, str | int)]
        named = " > ".join(map(str, place))
        line = line_of(path, place)
        raise PodfabError(f"{path}, line {line}: {named}: {_said(first)}") from error


def _said(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a field; for an unknown one, which was probably meant."""
    if error["type"] != "extra_forbidden":
        return str(error["msg"]).lower()
    fields = {field for kind in KINDS for field in kind.model_fields}
    near = difflib.get_close_matches(str(error["loc"][-1]), fields, n=1)
    return "unknown field" + (f"; did you mean {near[0]!r}?" if near else "")
