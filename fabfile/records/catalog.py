"""models.yaml: engines, GPU types and models; the user's own laid over ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import PodfabError
from .entries import Catalog
from .home import state_dir
from .yamlfile import line_of, read_yaml

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
        raise PodfabError(f"{path}, line {line}: {named}: {first['msg'].lower()}") from error
