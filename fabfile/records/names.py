"""Names of pods and models."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from ..errors import PodfabError, UsageError

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def checked(name: str, kind: str) -> str:
    """Return the name, or refuse it: names become folder names and words in shell lines."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} can not be a {kind}'s name: lower case letters, digits, . _ - only, "
            "a letter or digit first, 63 at most"
        )
    return name


def derived(text: str) -> str:
    """Make a name out of any text: `Qwen/Qwen3-8B` becomes `qwen3-8b`."""
    last = text.rstrip("/").rsplit("/", 1)[-1].lower()
    return re.sub(r"[^a-z0-9._-]+", "-", last).strip("-._")[:63] or "model"


def unknown(name: str, kind: str, known: Iterable[str], advice: str) -> PodfabError:
    """Build the error for a name nobody has, with the nearest one."""
    letters = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), list(letters), n=1, cutoff=0.5)
    hint = f"did you mean {letters[near[0]]!r}?" if near else advice
    return PodfabError(f"no {kind} is called {name!r}; {hint}")
