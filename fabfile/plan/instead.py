"""What else would do: a smaller checkpoint, 8 bits where the cards compute with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..records.entries import GpuType, Model
from .hardware import Gpu
from .matching import Match, match
from .spread import Want, sum_for

# Ada, Hopper and newer compute in FP8; older ones would only unpack it (Marlin).
_COMPUTES_FP8 = 8.9
_WHOLE = ("bf16", "fp16")
QUANTIZE, CACHE = "--quantization fp8", "--kv-cache-dtype fp8"


def smaller(
    name: str, models: Mapping[str, Model], gpus: Sequence[Gpu], types: Mapping[str, GpuType]
) -> str:
    """Return the catalog's quantized checkpoint of the same model that fits, or nothing."""
    siblings = [other for other in models if other.startswith(f"{name}-") and other != name]
    fitting = [
        other for other in siblings if isinstance(match(models[other], gpus, types, Want()), Match)
    ]
    return fitting[0] if fitting else ""


def quantized(
    model: Model, gpus: Sequence[Gpu], types: Mapping[str, GpuType], want: Want
) -> Match | None:
    """Return the way to serve a model whose weights vLLM makes FP8 while it loads them."""
    able = [gpu for gpu in gpus if (gpu.capability or 0) >= _COMPUTES_FP8]
    if model.precision not in _WHOLE or not able or "quantization" in want.args:
        return None
    found = match(model, able, types, replace(want, args={**want.args, "quantization": "fp8"}))
    return found if isinstance(found, Match) else None


def longer(model: Model, found: Match, want: Want) -> str:
    """Say how many tokens an 8-bit cache would hold, where memory has cut the context."""
    whole = found.sum is None or found.context >= (model.context or 0)
    given = {**found.config.args, **want.args}
    explicit = want.context or ("max-model-len" in given and not found.cut)
    if whole or explicit or "kv-cache-dtype" in given or not found.gpus:
        return ""
    if (found.gpus[0].capability or 0) < _COMPUTES_FP8:
        return ""
    free = {flag: value for flag, value in found.config.args.items() if flag != "max-model-len"}
    config = found.config.model_copy(update={"args": {**free, "kv-cache-dtype": "fp8"}})
    more = sum_for(model, config, found.gpus[0], want)
    if more is None or more.context < 1.2 * found.context:
        return ""
    return (
        f"{found.context} of {model.context} tokens fit; --vllm-args='{CACHE}' holds "
        f"{more.context // 1024 * 1024}"
    )
