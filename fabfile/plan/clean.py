"""What on a pod could go, and how much disk that frees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import PodfabError
from ..records.names import unknown
from .facts import Facts


@dataclass(frozen=True)
class Waste:
    """A thing that could go: its kind (engine, run, model), name, folder, and size in KiB."""

    kind: str
    name: str
    path: str
    kib: int


def engines_in_use(facts: Facts, engine: str | None) -> list[str]:
    """Return the engine folders that are the pod's own or serve a model."""
    serving = [str(job.details.get("engine")) for job in facts.jobs if job.alive]
    chosen = facts.links.get(engine or "", engine or "")
    return sorted({chosen, *serving} & set(facts.engines))


def parse_usage(text: str, facts: Facts) -> list[Waste]:
    """Read what the usage script printed. Raises ValueError when it is none."""
    raw: Mapping[str, str] = json.loads(text, strict=False)
    found = []
    for kib, name in _lines(raw["engines"]):
        path = "cache/uv" if name == "uv" else f"engines/{name}"
        shown = "uv's download cache" if name == "uv" else name
        found.append(Waste("engine", shown, f"{facts.root}/{path}", kib))
    for kib, path in _lines(raw["runs"]):
        found.append(Waste("run", path.removeprefix("jobs/"), f"{facts.root}/{path}", kib))
    for kib, name in _lines(raw["models"]):
        model = name.removeprefix("models--").replace("--", "/")
        found.append(Waste("model", model, f"{facts.models_path}/hub/{name}", kib))
    return found


def chosen(waste: list[Waste], facts: Facts, engines: bool, runs: bool, model: str) -> list[Waste]:
    """Return what is to go.

    Raises PodfabError when a running setup or model needs it, or there is no such model.
    """
    running = [job for job in facts.jobs if job.alive]
    if engines and any(job.name == "_setup" for job in running):
        raise PodfabError("a setup is running on the pod; clean it when that has ended")
    kinds = {"engine": engines, "run": runs}
    gone = [thing for thing in waste if kinds.get(thing.kind)]
    if model:
        there = {thing.name: thing for thing in waste if thing.kind == "model"}
        if model not in there:
            raise unknown(model, "model on the pod's disk", there, "inv pods.clean lists them")
        for job in running:
            if job.details.get("model") == model:
                raise PodfabError(f"{job.name} serves {model}; inv models.stop --name={job.name}")
        gone.append(there[model])
    return gone


def _lines(text: str) -> list[tuple[int, str]]:
    pairs = (line.partition(" ")[::2] for line in text.splitlines())
    return [(int(kib), name) for kib, name in pairs if kib.isdigit()]
