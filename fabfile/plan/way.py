"""Which engine serves a model on a pod, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import PodfabError
from ..records.entries import Catalog, Engine, Model
from . import checks, fit, instead
from .asked import Wish
from .cpu import on_cpu
from .facts import Facts, version
from .hardware import Gpu, counted
from .matching import Match, Misfit, match, named
from .placement import place
from .sharing import shared
from .spread import Want, plain, sum_for


def choose_engine(
    wished: str | None, own: str, model: Model, facts: Facts, engines: Mapping[str, Engine]
) -> tuple[str, str]:
    """Return the folder of the engine that serves a model, and why it is not the pod's own.

    Without a wish that is the pod's own, or another installed one that is new enough.
    """
    name = wished or own
    folder = facts.links.get(name, name)
    if folder not in facts.engines:
        there = ", ".join(facts.links) or "none"
        raise PodfabError(
            f"engine {name or 'of this pod'} is not installed (there: {there}); run setup"
            + (f" with --engine={name}" if name else "")
        )
    needed = version(model.min_engine or "")
    if wished or version(facts.engines[folder]) >= needed:
        return folder, ""
    newer = [
        other
        for other, has in facts.engines.items()
        if version(has) >= needed and needs_gpus(other, engines) == needs_gpus(folder, engines)
    ]
    if not newer:
        return folder, ""
    best = max(newer, key=lambda other: version(facts.engines[other]))
    return best, f"{best} serves it: {folder} is older than vLLM {model.min_engine}"


def needs_gpus(folder: str, engines: Mapping[str, Engine]) -> bool:
    """Tell whether an installed engine computes on GPUs."""
    recipe = engines.get(folder.rpartition("-")[0])
    return recipe is None or recipe.min_driver is not None


def choose(
    wish: Wish, model: Model, facts: Facts, usable: Sequence[Gpu], catalog: Catalog
) -> Match:
    """Return how a model is served on a pod: on idle GPUs if it can be, else in what is free.

    Raises PodfabError with the sum and what would do instead, when it can not be.
    """
    want = wish.want
    if not usable:
        if want.count:
            place(usable, facts.jobs, wish.gpus or want.count)
        found = on_cpu(model, facts.memory_mib, want)
    elif not fit.known(model) and not model.configs:
        return _tried(model, place(usable, facts.jobs, wish.gpus or want.count or 1), want)
    elif isinstance(wish.gpus, list):
        found = named(model, place(usable, facts.jobs, wish.gpus), catalog.gpus, want)
    else:
        idle = [gpu for gpu in usable if checks.idle(gpu, facts.jobs, want.share)]
        found = match(model, idle, catalog.gpus, want) if idle else Misfit("")
        if isinstance(found, Misfit) and want.share is None:
            found = shared(model, usable, facts.jobs, catalog.gpus, want) or found
        if isinstance(found, Misfit):
            found = match(model, usable, catalog.gpus, want)
    if isinstance(found, Match):
        return found
    if want.count and usable:
        gpus = place(usable, facts.jobs, wish.gpus or want.count)
        return replace(_tried(model, gpus, want), problem=found.reason)
    here = counted(gpu.name for gpu in usable) or "no GPU"
    raise PodfabError(
        f"{wish.model} does not fit here ({here}): {found.reason}; "
        f"{_instead(wish, model, usable, catalog)}"
    )


def _tried(model: Model, gpus: list[Gpu], want: Want) -> Match:
    """Return the plain way on these GPUs; nobody knows whether it works, its checks may."""
    config = plain(model, len(gpus))
    how = "by vLLM's own defaults; it is not known to work"
    return Match(config, gpus, how, sum_for(model, config, gpus[0], want))


def _instead(wish: Wish, model: Model, usable: Sequence[Gpu], catalog: Catalog) -> str:
    """Say what would do: less context, another checkpoint, FP8, other cards."""
    if wish.want.context:
        shorter = match(model, usable, catalog.gpus, replace(wish.want, context=None))
        if isinstance(shorter, Match):
            return f"{shorter.context} tokens fit: less --context"
    if other := instead.smaller(wish.model, catalog.models, usable, catalog.gpus):
        return f"{other} fits"
    if instead.quantized(model, usable, catalog.gpus, wish.want):
        return f"--vllm-args='{instead.QUANTIZE}' makes it fit"
    known = [f"{c.gpus} x {' or '.join(c.gpu_types)}" for c in model.configs if c.gpus]
    ways_ = f"it is known to run on {'; '.join(known)}; " if known else ""
    if usable:
        return f"{ways_}--gpus=N --force tries it all the same"
    return ways_.rstrip("; ") or f"inv models.catalog --for={wish.model} says what holds it"
