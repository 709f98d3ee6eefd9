"""Why a model can not be served on GPUs, as the sum of what comes nearest."""

from __future__ import annotations

from collections.abc import Sequence

from ..records.entries import Model
from . import fit
from .cards import groups
from .fit import Sum, Ways
from .hardware import Gpu, counted
from .spread import Want, card

SIZES = (1, 2, 4, 8, 16)  # of tensor parallelism
LEAST = 4096  # tokens: a shorter context is no use


def capable(model: Model, gpu: Gpu) -> bool:
    """Tell whether a GPU is of a generation that serves the model."""
    needed = model.min_compute_capability
    return needed is None or gpu.capability is None or gpu.capability >= needed


def reason(model: Model, gpus: Sequence[Gpu], want: Want) -> Sum | str:
    """Say why a model does not fit on any of these GPUs: the sum that comes nearest, or words."""
    able = [gpu for gpu in gpus if capable(model, gpu)]
    if not gpus:
        return "there is no GPU"
    if not able:
        here = max(gpu.capability or 0 for gpu in gpus)
        return (
            f"it needs GPUs of compute capability {model.min_compute_capability}, "
            f"{counted(gpu.name for gpu in gpus)} has {here}"
        )
    group = max(groups(able), key=lambda group: len(group) * (group[0].memory_mib or 0))
    if want.count and want.count > max(map(len, groups(able))):
        return f"{want.count} GPUs that are alike are wanted, there are {len(group)}"
    sizes = [want.count] if want.count else [size for size in SIZES if size <= len(group)]
    even = [size for size in sizes if fit.divides(model, Ways(size, experts_whole=True))]
    if not even:
        return _uneven(model, sizes[-1])
    if not fit.known(model) or group[0].memory_mib is None:
        return f"it is not known to fit {even[-1]} x {group[0].name}"
    least = want.context or min(LEAST, model.context or LEAST)
    of = card(group[0], want.share, untried=True)
    return fit.sum_up(model, Ways(even[-1]), of, least)


def _uneven(model: Model, count: int) -> str:
    even = [str(size) for size in SIZES[:4] if fit.divides(model, Ways(size, experts_whole=True))]
    what = f"{model.heads} attention heads"
    if model.heads is None or model.heads % count == 0:
        uneven = [g.kv_heads for g in model.cache or [] if g.kv_heads and g.kv_heads % count]
        what = f"{uneven[0]} key-value heads" if uneven else "heads"
    return f"{count} GPUs can not share its {what} evenly; {' or '.join(even)} can"
