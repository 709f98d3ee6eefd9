"""How our tasks meet Invoke: words, flags, and errors as one line."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import invoke
from invoke.exceptions import Exit

from .errors import PodfabError, UsageError

POD = "the pod, by name (default: the active one)"
JSON = "print one JSON document"


def task(
    name: str | None = None,
    default: bool = False,
    dash: tuple[str, ...] = (),
    lists: tuple[str, ...] = (),
    flags: Mapping[str, str] | None = None,
    **help: str,
) -> Callable[[Callable[..., None]], invoke.Task]:
    """Declare an Invoke task in the way all of ours are.

    Parameters without a default are bare words; one that begins with `-` is refused with the
    task's help, for Invoke would take `--help` as a name (those in `dash` may be a lone `-`). Flags
    in `lists` can be given several times. `flags` are helps that several tasks share.
    """

    help.update(flags or {})

    def declare(body: Callable[..., None]) -> invoke.Task:
        bare = [
            parameter.name
            for parameter in list(inspect.signature(body).parameters.values())[1:]
            if parameter.default is parameter.empty
        ]

        @functools.wraps(body)
        def guarded(c: invoke.Context, *args: Any, **kwargs: Any) -> None:
            given = {**dict(zip(bare, args, strict=False)), **kwargs}
            for word in bare:
                value = str(given.get(word) or "")
                if value.startswith("-") and not (value == "-" and word in dash):
                    _refuse(value, body, help)
            _ending_well(lambda: body(c, *args, **kwargs))

        return invoke.task(
            name=name,
            default=default,
            positional=bare,
            iterable=lists,
            auto_shortflags=False,
            help={flag.rstrip("_"): text for flag, text in help.items()},
        )(guarded)

    return declare


def drop_output() -> None:
    """Send what is still to be written nowhere: whoever read it has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(value: str, body: Callable[..., None], help: dict[str, str]) -> None:
    print(inspect.getdoc(body), file=sys.stderr)
    for flag, text in help.items():
        print(f"  --{flag.rstrip('_').replace('_', '-'):<14} {text}", file=sys.stderr)
    if value in ("--help", "-h"):
        raise Exit(code=0)
    raise UsageError(f"{value!r} stands where a name or text is expected")


def _ending_well(run: Callable[[], None]) -> None:
    """End with one line and the right code for all that a user, a file or a network can cause."""
    try:
        run()
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        raise Exit(code=130) from error
    except BrokenPipeError as error:
        drop_output()
        raise Exit(code=1) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise PodfabError(f"{where}{error.strerror or error}") from error
