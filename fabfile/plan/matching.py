"""How a model is served on GPUs: as the catalog has it for them, else by arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..records.entries import Configuration, GpuType, Model
from . import fit
from .cards import ANY, gpu_type, groups, memory_class, of_class
from .fit import Sum, Ways
from .hardware import Gpu, counted
from .misfit import LEAST, SIZES, capable, reason
from .spread import Want, card, plain, sum_for

WANTED = 32768  # tokens that an agent's work takes

# The better, the larger: enough context, or else how much; for this very card; the catalog's order
# or few GPUs; the closest class of memory.
Rank = tuple[bool, int, bool, int, float]


@dataclass(frozen=True)
class Match:
    """A way to serve a model: with this configuration, on as many of these GPUs as it says.

    `how` says where it comes from; `sum` is None when too little is known of the model. `problem`
    says why it does not fit, when somebody wants it all the same. `cut` means that memory, not the
    configuration, sets the context.
    """

    config: Configuration
    gpus: list[Gpu]
    how: str
    sum: Sum | None = None
    problem: str = ""
    cut: bool = False

    @property
    def context(self) -> int:
        return self.sum.context if self.sum else 0


@dataclass(frozen=True)
class Misfit:
    """Why a model can not be served: as a sum, and in a few words."""

    reason: str
    sum: Sum | None = None

    @property
    def short(self) -> str:
        """What is missing, in a few words."""
        if self.sum is None:
            return self.reason
        return f"needs {self.sum.needed_gb:.1f} GB{' per GPU' if self.sum.ways.gpus > 1 else ''}"


def match(
    model: Model, gpus: Sequence[Gpu], types: Mapping[str, GpuType], want: Want
) -> Match | Misfit:
    """Return the best way to serve a model on some of these GPUs, which are all alike.

    Best is what holds a context worth having; then what is made for this very type, in the order
    of the catalog; then what takes few GPUs; then what is made for a class of memory, before what
    arithmetic finds.
    """
    found = [
        candidate
        for group in groups([gpu for gpu in gpus if capable(model, gpu)])
        for candidate in _candidates(model, group, types, want)
    ]
    if not found:
        why = reason(model, gpus, want)
        return Misfit(str(why), why if isinstance(why, Sum) else None)
    return max(found, key=lambda pair: pair[0])[1]


def named(
    model: Model, gpus: Sequence[Gpu], types: Mapping[str, GpuType], want: Want
) -> Match | Misfit:
    """Return the way to serve a model on exactly these GPUs; of unlike ones the smallest counts."""
    want = replace(want, count=len(gpus))
    if len(groups(gpus)) == 1 or not all(capable(model, gpu) for gpu in gpus):
        return match(model, gpus, types, want)
    weakest = min(gpus, key=lambda gpu: gpu.memory_mib or 0)
    found = match(model, [replace(weakest, id=gpu.id) for gpu in gpus], types, want)
    if isinstance(found, Misfit):
        return found
    note = f"the GPUs differ ({counted(gpu.name for gpu in gpus)}): the smallest counts"
    return replace(found, gpus=list(gpus), how=f"{found.how}; {note}")


def _candidates(
    model: Model, group: list[Gpu], types: Mapping[str, GpuType], want: Want
) -> Iterator[tuple[Rank, Match]]:
    kind = gpu_type(group[0], types)
    for place, config in enumerate(model.configs):
        size = _class(config, group[0])
        exact, order, closeness = kind in config.gpu_types, -config.gpus, size
        if exact:
            how, order = f"for {kind}", -place
        elif size:
            how = f"for cards of {size:g} GB or more"
        elif ANY in config.gpu_types:
            how, closeness = "for any card", 1
        else:
            continue
        how = f"the catalog's way {how} ({config.source or 'untried'})"
        right = want.count in (None, config.gpus) and 0 < config.gpus <= len(group)
        if right and (found := _fitted(model, config, group, how, want)):
            yield (*_holds(model, config, found, want), exact, order, closeness), found
    if not fit.known(model):
        return
    for count in [want.count] if want.count else SIZES:
        if count <= len(group) and fit.divides(model, Ways(count, experts_whole=True)):
            config, how = plain(model, count), "computed, for no tried way is known"
            if found := _fitted(model, config, group, how, want):
                yield (*_holds(model, config, found, want), False, -count, 0), found


def _class(config: Configuration, gpu: Gpu) -> float:
    """Return the largest class of memory of a configuration that a card is of, or 0."""
    sizes = [size for name in config.gpu_types if (size := memory_class(name))]
    return max((size for size in sizes if of_class(gpu, size)), default=0)


def _holds(model: Model, config: Configuration, found: Match, want: Want) -> tuple[bool, int]:
    """Tell whether a way holds enough context: the wanted one, or the configuration's own."""
    said = int(config.args.get("max-model-len", WANTED))
    enough = want.context or min(WANTED, said, model.context or 0)
    good = found.sum is None or found.context >= enough
    return good, 0 if good else found.context


def _fitted(
    model: Model, config: Configuration, group: list[Gpu], how: str, want: Want
) -> Match | None:
    """Return the match if it holds, with its context written out where memory cuts it."""
    found = sum_for(model, config, group[0], want)
    if found is None:
        whole = config.gpus * card(group[0], want.share).budget_gb
        fits = group[0].memory_mib is None or (model.weights_gb or 0) <= whole
        return Match(config, group, how) if fits else None
    if want.context:
        return Match(config, group, how, found) if found.fits else None
    full = model.context or 0
    if found.context < min(LEAST, full) or not found.fits:
        return None
    if found.context >= min(full, int(config.args.get("max-model-len", full))):
        return Match(config, group, how, found)
    length = found.context // 1024 * 1024 or found.context
    shorter = config.model_copy(update={"args": {**config.args, "max-model-len": length}})
    found = sum_for(model, shorter, group[0], want) or found
    return Match(shorter, group, how, found, cut=True)
