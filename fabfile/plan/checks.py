"""What must hold before a model is started, each with its arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from ..records.entries import Engine, Model
from .engine import unfit
from .facts import Facts, JobState, version
from .fit import UTILIZATION, Sum, gb
from .hardware import Gpu
from .matching import Match
from .space import SHM_MIB, shm_warning


@dataclass(frozen=True)
class Check:
    """Something that must hold before a start, with its arithmetic."""

    check: str
    ok: bool
    detail: str


def port(number: int, occupied: Set[int]) -> Check:
    """Check that nothing listens on the port."""
    state = "in use on the pod; take another: --port=N" if number in occupied else "free"
    return Check("port", number not in occupied, f"{number} is {state}")


def engine(model: Model, folder: str, facts: Facts, engines: Mapping[str, Engine]) -> list[Check]:
    """Check that the vLLM is new enough for the model; else name the engine that is."""
    if not model.min_engine:
        return []
    here = facts.engines[folder]
    detail = f"vLLM {here} is here, {model.min_engine} is needed"
    if version(here) >= version(model.min_engine):
        return [Check("engine", True, detail)]
    return [Check("engine", False, f"{detail}; {newer(model.min_engine, facts, engines)}")]


def capability(model: Model, gpus: Sequence[Gpu]) -> list[Check]:
    """Check that the GPUs are of a generation that serves the model."""
    known = [gpu.capability for gpu in gpus if gpu.capability is not None]
    if not known or not model.min_compute_capability:
        return []
    ok = min(known) >= model.min_compute_capability
    detail = f"compute capability {min(known)} is here, {model.min_compute_capability} is needed"
    fix = "" if ok else "; take other --gpus, or a checkpoint of another precision"
    return [Check("capability", ok, detail + fix)]


def newer(needed: str, facts: Facts, engines: Mapping[str, Engine]) -> str:
    """Say which engine serves what the present one can not."""
    reasons = []
    for name, recipe in engines.items():
        if recipe.version == "latest" or version(recipe.version) >= version(needed):
            if reason := unfit(recipe, facts):
                reasons.append(f"{name} can not run here: {reason}")
            elif (recipe.min_driver is not None) == bool(facts.gpus):
                return f"--engine={name} adds vLLM {recipe.version} beside it"
    return "; ".join(reasons[:1]) or "no engine of the catalog is as new"


def shm(facts: Facts, gpus: int) -> list[Check]:
    """Check that several GPUs can talk through /dev/shm: containers have 64 MiB by default."""
    if gpus < 2 or facts.shm_mib is None:
        return []
    if facts.shm_mib >= SHM_MIB:
        return [Check("shm", True, f"/dev/shm has {facts.shm_mib} MiB")]
    return [Check("shm", False, f"{shm_warning(facts)}; or take --gpus=1")]


def memory(found: Match, gpus: Sequence[Gpu], share: float, jobs: Sequence[JobState]) -> Check:
    """Check that the model fits, and that what vLLM takes of each GPU is free now."""
    if found.problem:
        return Check("memory", False, found.problem)
    if others := starting(gpus, jobs):
        return Check("memory", False, _too_early(others[0]))
    for gpu in gpus:
        if gpu.free_mib is None or gpu.memory_mib is None:
            continue
        takes, free = _taken(gpu, share), gb(gpu.free_mib)
        if takes > free:
            return Check("memory", False, _occupied(gpu, takes, free, share, found.sum, jobs))
    if found.sum:
        return Check("memory", True, str(found.sum))
    return Check("memory", True, f"not known; vLLM takes {share:.0%} of each GPU, which is free")


def context(model: Model, length: int | None) -> list[Check]:
    """Check that the context is no longer than the model was made for."""
    if length is None or model.context is None:
        return []
    ok = length <= model.context
    detail = f"{length} of {model.context} tokens that the model was made for"
    return [Check("context", ok, detail if ok else f"{detail}; less --context is needed")]


def idle(gpu: Gpu, jobs: Sequence[JobState], share: float | None = None) -> bool:
    """Tell whether a GPU has room for what vLLM takes, and no model that is just starting."""
    if any(job.alive and gpu.id in (job.details.get("gpus") or []) for job in jobs):
        return False
    if gpu.free_mib is None or gpu.memory_mib is None:
        return True
    return _taken(gpu, share or UTILIZATION) <= gb(gpu.free_mib)


def holders(gpus: Sequence[Gpu], jobs: Sequence[JobState]) -> list[str]:
    """Return the names of the models that run on these GPUs."""
    ids = {gpu.id for gpu in gpus}
    return [job.name for job in jobs if job.alive and ids & set(job.details.get("gpus") or [])]


def starting(gpus: Sequence[Gpu], jobs: Sequence[JobState]) -> list[str]:
    """Return the names of the models on these GPUs that are not ready: they have yet to take."""
    unready = [job for job in jobs if not job.ready]
    return holders(gpus, unready)


def _too_early(other: str) -> str:
    return (
        f"{other} is still starting there, and two that start at once on one GPU miscount its "
        "memory; wait until it is ready, or take other --gpus"
    )


def _taken(gpu: Gpu, share: float) -> float:
    return gb(gpu.memory_mib) * 0.98 * share


def _occupied(
    gpu: Gpu, takes: float, free: float, share: float, found: Sum | None, jobs: Sequence[JobState]
) -> str:
    names = holders([gpu], jobs)
    stop = f"inv models.stop --name={names[0]} frees it" if names else "something else uses it"
    less = int(100 * free / (takes / share)) - 1
    enough = found is not None and found.needed_gb <= free * 0.98
    instead = f", or share it: --memory={less}%" if enough and less > 0 else ""
    return (
        f"GPU {gpu.id} has {free:.1f} GB free, vLLM takes {share:.0%} of it, {takes:.1f} GB; "
        f"{stop}{instead}"
    )
