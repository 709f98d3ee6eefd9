"""GPUs that others use too: a model takes what they leave free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..records.entries import GpuType, Model
from . import checks, fit
from .facts import JobState
from .fit import UTILIZATION
from .hardware import Gpu
from .matching import Match, match
from .spread import Want, card

_LEAST = 0.1  # of a GPU: what is less is not worth an engine


def shared(
    model: Model,
    gpus: Sequence[Gpu],
    jobs: Sequence[JobState],
    types: Mapping[str, GpuType],
    want: Want,
) -> Match | None:
    """Return the way to serve a model in what others leave free, on as few GPUs as can be.

    Its share of the memory is what is free on the fullest of them. Several GPUs are shared only
    with others than our own models, whose cache would be cut on each. None when too little is free,
    or when a model is only starting there and its memory can not be told yet.
    """
    if not fit.known(model):
        return None
    settled = [gpu for gpu in gpus if not checks.starting([gpu], jobs) and gpu.free_mib is not None]
    settled.sort(key=lambda gpu: (-free_share(gpu), gpu.id))
    for count in range(1, len(settled) + 1):
        group = settled[:count]
        share = free_share(group[-1])
        if share < _LEAST:
            return None
        if count > 1 and checks.holders(group, jobs):
            continue
        found = match(model, group, types, replace(want, share=share))
        if isinstance(found, Match):
            return _told(found, share, jobs)
    return None


def free_share(gpu: Gpu) -> float:
    """Return what vLLM can be given of a GPU: what is free now, less 1 %, in whole percent."""
    free = checks.gb(gpu.free_mib) / card(gpu).memory_gb if gpu.memory_mib else 0
    return min(UTILIZATION, int(100 * free - 1) / 100)


def _told(found: Match, share: float, jobs: Sequence[JobState]) -> Match:
    """Write the share out, and say with whom the GPU is shared."""
    args = {**found.config.args, "gpu-memory-utilization": share}
    names = ", ".join(checks.holders(found.gpus, jobs)) or "others"
    ids = ", ".join(str(gpu.id) for gpu in found.gpus[: found.config.gpus])
    return replace(
        found,
        config=found.config.model_copy(update={"args": args}),
        how=f"{found.how}; beside {names} on GPU {ids}, with the {share:.0%} that is free",
    )
