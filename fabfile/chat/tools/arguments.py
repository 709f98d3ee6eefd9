"""A tool as a model sees it: its parameters as a schema, and a call's arguments checked by them."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .result import Result, ToolError, brief

_LONGEST = 4096
_TYPES: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "array": list}
_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "boolean": "true or false",
    "array": "an array of strings",
}


@dataclass(frozen=True)
class Parameter:
    """What a tool takes: its JSON type, and for an integer the least one."""

    name: str
    type: str
    about: str
    required: bool = False
    least: int = 0


@dataclass(frozen=True)
class Tool:
    """A function that a model may call; `run` gets the roots and the arguments by name."""

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    run: Callable[..., Result]

    @property
    def schema(self) -> dict[str, Any]:
        """Return the function as OpenAI's API describes it, strict."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.about,
                "strict": True,
                "parameters": {
                    "type": "object",
                    "properties": {each.name: _schema(each) for each in self.parameters},
                    "required": [each.name for each in self.parameters],
                    "additionalProperties": False,
                },
            },
        }

    def arguments(self, text: str) -> dict[str, Any]:
        """Read a call's arguments; what is null or absent is left to the tool's own default.

        Raises ToolError.
        """
        given = _read(text)
        known = {each.name: each for each in self.parameters}
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
                raise _wrong(f"{self.name} has no parameter {brief(name)}; {hint}")
        values = {name: _value(known[name], value) for name, value in given.items()}
        for name, parameter in known.items():
            if parameter.required and values.get(name) is None:
                raise _wrong(f"{self.name} needs {name!r}: {parameter.about}")
        return {name: value for name, value in values.items() if value is not None}


def _schema(parameter: Parameter) -> dict[str, Any]:
    optional = not parameter.required
    return {
        "type": [parameter.type, "null"] if optional else parameter.type,
        "description": parameter.about,
        **({"items": {"type": "string"}} if parameter.type == "array" else {}),
    }


def _read(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise _wrong(f"the arguments are no valid JSON ({error}); send one JSON object") from None
    if not isinstance(given or {}, dict):
        raise _wrong(
            f'the arguments must be a JSON object like {{"path": "."}}, not {brief(given)}'
        )
    return given or {}


def _value(parameter: Parameter, value: Any) -> Any:
    if isinstance(value, str) and parameter.type != "string":
        value = _from_text(parameter, value)
    if value is None:
        return None
    texts = value if isinstance(value, list) else [value]
    fits = type(value) is _TYPES[parameter.type]
    if not fits or (parameter.type == "array" and not all(type(each) is str for each in texts)):
        raise _wrong(
            f"{parameter.name!r} must be {_WORDS[parameter.type]}, and {brief(value)} is not"
        )
    if parameter.type == "integer" and value < parameter.least:
        raise _wrong(f"{parameter.name!r} must be {parameter.least} or more, not {brief(value)}")
    if parameter.type in ("string", "array"):
        for each in texts:
            _expect_text(parameter.name, each)
    return value


def _from_text(parameter: Parameter, text: str) -> Any:
    """Take "400" for 400: some of vLLM's tool parsers hand every value on as text."""
    try:
        return json.loads(text if parameter.type == "array" else text.lower())
    except (ValueError, RecursionError):
        return [text] if parameter.type == "array" else text


def _expect_text(name: str, text: str) -> None:
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError:
        raise _wrong(f"{name!r} holds characters that no file name or text can hold") from None
    if b"\0" in encoded:
        raise _wrong(f"{name!r} holds a NUL character; leave it out")
    if len(encoded) > _LONGEST:
        raise _wrong(f"{name!r} is too long: {len(encoded)} bytes, {_LONGEST} at most")


def _wrong(text: str) -> ToolError:
    return ToolError(text, "wrong arguments")
