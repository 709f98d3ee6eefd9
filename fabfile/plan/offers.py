"""Which models a pod can serve: those that fit, those that would, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..records.entries import Catalog, Configuration, Engine, GpuType, Model
from . import checks, instead
from .cards import imagined
from .cpu import on_cpu
from .facts import Facts, JobState, version
from .hardware import Gpu
from .matching import Match, Misfit, match
from .misfit import SIZES
from .sharing import shared
from .spread import Want, untried

YES, IF, NO = "yes", "if", "no"


@dataclass(frozen=True)
class Offer:
    """A model and how it fits; `fits` is empty when nobody asked where.

    `condition` says what to free or to change first, when it would fit then.
    """

    model: str
    entry: Model
    fits: str = ""
    config: Configuration | None = None
    context: int = 0
    reason: str = ""
    condition: str = ""
    gpu: str = ""
    gpus: int = 0
    short: str = ""

    @property
    def place(self) -> str:
        """On what it is served."""
        return f"{self.gpus} x {self.gpu}" if self.gpu else "CPU"

    @property
    def marks(self) -> list[str]:
        """What one should know before counting on it."""
        by_sum = self.config is not None and untried(self.config)
        return [*(["untried"] if by_sum else []), *(["gated"] if self.entry.gated else [])]

    def document(self) -> dict[str, Any]:
        """The offer as models.catalog --json prints it."""
        config = self.config and {
            "gpus": self.config.gpus,
            "gpu_types": self.config.gpu_types,
            "args": self.config.args,
            "env": self.config.env,
        }
        return {
            "model": self.model,
            "fits": self.fits == YES if self.fits else None,
            "config": config,
            "reason": self.reason,
            "if": self.condition or None,
            "gpu": self.gpu or None,
            "gpus": self.gpus or None,
            "context": self.context or None,
            "max_context": self.entry.context,
            "family": self.entry.family,
            "task": self.entry.task,
            "params_b": self.entry.params_b,
            "active_params_b": self.entry.active_params_b,
            "weights_gb": self.entry.weights_gb,
            "tools": bool(self.entry.tool_parser),
            "reasoning": bool(self.entry.reasoning_parser),
            "license": self.entry.license,
            "gated": self.entry.gated,
            "min_engine": self.entry.min_engine,
            "source": (self.config.source if self.config else "") or None,
            "unsure": self.entry.unsure or None,
        }


@dataclass(frozen=True)
class Place:
    """Where a model should go: the GPUs, what runs there, and what is known of the pod.

    `facts` is None for a pod that one does not have yet.
    """

    gpus: Sequence[Gpu]
    jobs: Sequence[JobState] = ()
    facts: Facts | None = None
    memory_mib: int | None = None
    engines: Mapping[str, Engine] = field(default_factory=dict)


def offer(name: str, model: Model, types: Mapping[str, GpuType], place: Place) -> Offer:
    """Judge whether a model fits in a place."""
    idle = [gpu for gpu in place.gpus if checks.idle(gpu, place.jobs)]
    condition = ""
    found: Match | Misfit = Misfit("")
    if not place.gpus:
        found = on_cpu(model, place.memory_mib, Want())
    elif idle:
        found = match(model, idle, types, Want())
    if isinstance(found, Misfit):
        found = shared(model, place.gpus, place.jobs, types, Want()) or found
    if isinstance(found, Misfit) and place.gpus:
        found = match(model, place.gpus, types, Want())
        condition = _freed(place)
    if isinstance(found, Misfit):
        way = instead.quantized(model, place.gpus, types, Want())
        if way is None:
            return Offer(name, model, NO, reason=found.reason, short=found.short)
        args = {**way.config.args, "quantization": "fp8"}
        found = replace(way, config=way.config.model_copy(update={"args": args}))
        condition = f"--vllm-args='{instead.QUANTIZE}' halves the weights"
    condition = condition or _engine(model, place)
    context = found.context or int(found.config.args.get("max-model-len", model.context or 0))
    reason = found.how
    if found.sum:
        reason += f"; {found.sum}"
    fits = IF if condition else YES
    gpu = found.gpus[0].name if found.gpus else ""
    count = found.config.gpus
    return Offer(name, model, fits, found.config, context, reason, condition, gpu, count)


def smallest(name: str, model: Model, catalog: Catalog) -> list[Offer]:
    """Return for each GPU type the smallest set that holds a model, those with least memory first.

    What no machine has of a type is more than one machine, which podfab does not start.
    """
    found = []
    for kind, card in catalog.gpus.items():
        for count in [size for size in SIZES if size <= card.per_machine]:
            place = Place(imagined(f"{count}x{kind}", catalog.gpus))
            one = offer(name, model, catalog.gpus, place)
            if one.fits == YES:
                break
        if one.fits == NO:
            one = replace(one, gpu=kind, gpus=count)
        found.append((one.fits == NO, count * card.memory_gb, one))
    return [one for _, _, one in sorted(found, key=lambda row: row[:2])]


def _freed(place: Place) -> str:
    names = checks.holders(place.gpus, place.jobs)
    if names:
        return f"stop {' or '.join(sorted(names))}"
    return "free the GPUs: something that is not podfab's uses them"


def _engine(model: Model, place: Place) -> str:
    """Say what engine is missing for the model, or nothing."""
    if place.facts is None or not model.min_engine:
        return ""
    if any(version(has) >= version(model.min_engine) for has in place.facts.engines.values()):
        return ""
    advice = checks.newer(model.min_engine, place.facts, place.engines)
    return f"it needs vLLM {model.min_engine}: {advice}"
