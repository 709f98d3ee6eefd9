"""What a model is that the catalog does not know: asked from the pod, without a download."""

from __future__ import annotations

import difflib
import json
import os
from typing import TYPE_CHECKING

from .errors import PodfabError

if TYPE_CHECKING:
    from .records.entries import Catalog, Model
    from .target import Target


def look_up(where: Target, engine: str, name: str, known: Catalog) -> tuple[Model, list[str]]:
    """Return a model's entry, completed by what its checkpoint tells, and notes about it.

    Raises PodfabError when there is no such model, or when it may not be read.
    """
    from .commands.lookup import lookup
    from .plan import checkpoint
    from .records.entries import Model

    by_letters = {other.lower(): other for other in known.models}
    same = by_letters.get(name.lower(), name)
    if same != name:
        raise PodfabError(f"{name}: did you mean {same!r}? ids are exact")
    entry = known.models.get(name, Model())
    answer = where.pod.run(lookup(where.pod.root, engine, name, os.environ), timeout=90)
    found = json.loads(answer.strip().rpartition("\n")[2])
    if found["status"] in (401, 403, 404):
        raise _unreadable(where.name, name, found["status"], known)
    if found["status"] != 200:
        why = found["error"] or f"it answers {found['status']}"
        return entry, [f"the hub can not be asked about {name} ({why}): vLLM's defaults are used"]
    if found["config"] is None:
        raise PodfabError(f"{name} has no config.json: it is no checkpoint that vLLM can serve")
    try:
        read = checkpoint.read(found["config"], found["files"], name)
    except (ValueError, KeyError, TypeError) as error:
        why = str(error).splitlines()[0]
        return entry, [f"the config.json of {name} is unusual ({why}): vLLM's defaults are used"]
    return checkpoint.completed(entry, read, name, known.models)


def _unreadable(pod: str, name: str, status: int, known: Catalog) -> PodfabError:
    """Say why a checkpoint can not be read; without a token the hub hides what is not there."""
    if name.startswith("/"):
        return PodfabError(f"there is no folder {name} on {pod}")
    near = difflib.get_close_matches(name, known.models, n=1, cutoff=0.8)
    meant = f"did you mean {near[0]!r}?" if near else ""
    if status == 404:
        return PodfabError(f"the hub has no model {name}; {meant or 'is the id right?'}")
    what = "is gated, and this token may not read it" if status == 403 else "is gated, or not there"
    token = "export HF_TOKEN of an account that may read it"
    return PodfabError(f"{name} {what} (the hub answers {status}); {meant or token}")
