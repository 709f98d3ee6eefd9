"""What only the doctor asks a pod for, and what to think of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .facts import Facts


@dataclass(frozen=True)
class Check:
    """A need of a pod; `ok` is None when it can not be told, or does not matter by itself."""

    check: str
    ok: bool | None
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Examination:
    """What only the doctor asks a pod for."""

    gpu_processes: list[list[str]]
    keys: dict[str, str]
    network: dict[str, dict[str, Any]] | None


def parse_examination(text: str) -> Examination:
    """Read the second document of the doctor's script. Raises ValueError when it is none."""
    raw = json.loads(text, strict=False)
    lines = [line.split(",") for line in raw["gpu_processes"].splitlines()]
    processes = [[word.strip() for word in words] for words in lines if len(words) >= 5]
    return Examination(processes, raw["keys"], raw["network"])


def network(found: dict[str, dict[str, Any]] | None, setup: str) -> list[Check]:
    """Judge what a pod reaches; `setup` is the command that sets it up."""
    if found is None:
        return [Check("hub", None, "no Python on the pod to ask with", setup)]
    checks = []
    for name, variable in (("hub", "HF_ENDPOINT"), ("index", "PIP_INDEX_URL")):
        said = found[name]
        if said["status"] is None:
            fix = f"export {variable}=URL of one that it reaches; then: {setup}"
            checks.append(Check(name, False, f"{said['url']}: {said['error']}", fix))
        else:
            checks.append(Check(name, True, f"{said['url']} answers"))
    return [*checks, _token(found.get("token"), setup)]


def _token(said: dict[str, Any] | None, setup: str) -> Check:
    fix = f"export HF_TOKEN=hf_...; then: {setup}"
    if said is None:
        return Check("token", None, "no HF_TOKEN on the pod; only gated models need one", fix)
    if said["status"] == 200:
        return Check("token", True, "the hub accepts it")
    if said["status"] in (401, 403):
        return Check("token", False, "the hub refuses it", fix)
    return Check("token", None, f"the hub says nothing of it ({said['status'] or said['error']})")


def processes(facts: Facts, found: list[list[str]]) -> Check | None:
    """Judge who uses the GPUs."""
    if not facts.gpus:
        return None
    strangers = [words for words in found if words[0] == "other"]
    if not strangers:
        return Check("processes", True, "nothing but ours is on the GPUs")
    shown = ", ".join(f"{words[1]} ({words[-1]}, {words[3]})" for words in strangers)
    return Check("processes", False, f"others on the GPUs: {shown}", "end them: kill PID")


def keys(found: Mapping[str, str], digest: str) -> Check | None:
    """Compare the running models' API keys with this machine's, by their digests."""
    if not found:
        return None
    others = sorted(name for name, theirs in found.items() if theirs != digest)
    if not others:
        return Check("key", True, "all models have this machine's API key")
    names = ", ".join(others)
    fix = "stop them and start them here, or export their key as PI_API_KEY"
    return Check("key", False, f"another API key than this machine's: {names}", fix)
