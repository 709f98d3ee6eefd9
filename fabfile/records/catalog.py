"""models.yaml: engines, GPU types and models; the user's own laid over ours."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ..errors import PodfabError
from .entries import Catalog, Configuration, Engine, GpuType, Layers, Model
from .home import state_dir
from .yamlfile import duplicate, line_of, read_yaml

SHIPPED = Path(__file__).parent.parent / "models.yaml"
Place = Sequence[str | int]
# What stands at a place of the file, by its first name and its depth.
_KINDS: dict[str, type[BaseModel]] = {"engines": Engine, "gpus": GpuType, "models": Model}
_LISTS: dict[str, type[BaseModel]] = {"configs": Configuration, "cache": Layers}


def load() -> Catalog:
    """Read our models.yaml, and the user's over it: entries are added, changed or hidden.

    Raises PodfabError with the file, the line and the field of what is wrong, and the nearest
    valid name.
    """
    content = read_yaml(SHIPPED)
    own = state_dir() / "models.yaml"
    if own.exists():
        theirs = {name: value for name, value in read_yaml(own).items() if value is not None}
        _check_names(own, content, theirs)
        content = _merged(content, theirs)
    catalog = _parsed(content, own if own.exists() else SHIPPED)
    shown = {name: model for name, model in catalog.models.items() if not model.hidden}
    return catalog.model_copy(update={"models": shown})


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = _merged(below, value) if both and below else value
    return merged


def _check_names(own: Path, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Refuse what would do nothing: a name twice, one of ours in other letters, or misspelled."""
    if twice := duplicate(own):
        line, name = twice
        raise PodfabError(f"{own}, line {line}: {name} stands here twice; only one can hold")
    for kind in _KINDS:
        entries, known = theirs.get(kind), ours.get(kind) or {}
        by_letters = {name.lower(): name for name in known}
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            ours_is = by_letters.get(str(name).lower(), name)
            if ours_is != name:
                raise _error(own, [kind, name], f"did you mean {ours_is!r}? names are exact")
            if name not in known and isinstance(entry, dict) and entry.get("hidden"):
                advice = "inv models.catalog lists the names"
                said = _nearest(str(name), known, advice, "model to hide")
                raise _error(own, [kind, name], said)


def _parsed(content: dict[str, Any], path: Path) -> Catalog:
    try:
        catalog = Catalog.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = [part for part in first["loc"] if isinstance(part, str | int)]
        raise _error(path, place, _said(first, place)) from error
    for name, model in catalog.models.items():
        for number, config in enumerate(model.configs):
            for kind in config.gpu_types:
                if kind not in (*catalog.gpus, "any", "cpu") and not re.fullmatch(r"\d+GB", kind):
                    place = ["models", name, "configs", number, "gpu_types"]
                    advice = "one of gpus, a class like 48GB, any or cpu is expected"
                    raise _error(path, place, _nearest(kind, catalog.gpus, advice))
    return catalog


def _error(path: Path, place: Place, said: str) -> PodfabError:
    named = " > ".join(map(str, place))
    return PodfabError(f"{path}, line {line_of(path, place)}: {named}: {said}")


def _said(error: Mapping[str, Any], place: Place) -> str:
    """Say what is wrong with a field; for an unknown word, which was probably meant."""
    if error["type"] == "extra_forbidden":
        fields = _kind_at(place).model_fields
        return _nearest(str(place[-1]), fields, "the top of our models.yaml lists them", "field")
    if error["type"] == "literal_error":
        known = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        return _nearest(str(error["input"]), known, f"one of {', '.join(known)} is expected")
    if error["type"] in ("model_type", "dict_type"):
        return "fields are expected, a line for each: name: value"
    if error["type"] == "string_pattern_mismatch" and place[-1] == "min_engine":
        return 'a release in quotes is expected: "0.10.0"'
    if len(place) > 5 and place[4] == "args":
        return "one number, text, true or false is expected"
    said = str(error["msg"]).removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def _kind_at(place: Place) -> type[BaseModel]:
    if len(place) == 5 and place[2] in _LISTS:
        return _LISTS[str(place[2])]
    return _KINDS[str(place[0])] if len(place) == 3 else Catalog


def _nearest(word: str, known: Iterable[str], advice: str, kind: str = "word") -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"unknown {kind} {word!r}; " + (f"did you mean {near[0]!r}?" if near else advice)
