"""vLLM's arguments, laid over each other flag by flag."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from ..errors import UsageError
from ..records.entries import Value

# A flag's values; a bare flag has none.
Arguments = dict[str, list[str]]

# vllm serve --help, 0.32.0
_SHORT = {
    "-tp": "tensor-parallel-size",
    "-pp": "pipeline-parallel-size",
    "-dp": "data-parallel-size",
    "-dpl": "data-parallel-size-local",
    "-ep": "enable-expert-parallel",
    "-O": "optimization-level",
    "-cc": "compilation-config",
    "-q": "quantization",
}


def from_mapping(args: Mapping[str, Value]) -> Arguments:
    """Read the catalog's form: `true` is a bare flag, `false` its --no- form."""
    arguments: Arguments = {}
    for name, value in args.items():
        flag = name.replace("_", "-")
        if value is True:
            arguments[flag] = []
        elif value is False:
            arguments[f"no-{flag}"] = []
        else:
            arguments[flag] = [str(value)]
    return arguments


def from_text(text: str) -> Arguments:
    """Read what stands in --vllm-args, split as a shell would.

    Raises UsageError for text that is no list of flags.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--vllm-args can not be read: {error}") from error
    arguments: Arguments = {}
    current: list[str] | None = None
    for word in words:
        if not word.startswith("-") or re.fullmatch(r"-[\d.]+", word):
            if current is None:
                raise UsageError(f"--vllm-args begins with {word!r}; a flag is expected")
            current.append(word)
            continue
        flag, equals, value = word.partition("=")
        name = flag[2:] if flag.startswith("--") else _SHORT.get(flag, "")
        if not name:
            raise UsageError(f"--vllm-args: {flag!r} is not known; give its long form")
        current = arguments[name.replace("_", "-")] = [value] if equals else []
    return arguments


def laid_over(under: Arguments, over: Arguments) -> Arguments:
    """Return both, `over` winning: a flag replaces its namesake and its --no- form."""
    merged = dict(under)
    for flag, values in over.items():
        opposite = flag[3:] if flag.startswith("no-") else f"no-{flag}"
        merged.pop(opposite, None)
        merged[flag] = values
    return merged


def words(arguments: Arguments) -> list[str]:
    """Return the words of the command line."""
    return [word for flag, values in arguments.items() for word in (f"--{flag}", *values)]
