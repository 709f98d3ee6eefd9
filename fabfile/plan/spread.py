"""What a configuration's arguments mean for memory: how the model is spread over the GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..records.entries import Configuration, Model, Value
from . import fit
from .cards import ANY, CPU
from .fit import Card, Sum, Ways
from .hardware import Gpu

# What belongs to a number of GPUs or their memory, not to the model.
LAYOUT = {
    "tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size",
    "data-parallel-size-local", "enable-expert-parallel", "max-model-len", "max-num-seqs",
    "max-num-batched-tokens", "gpu-memory-utilization", "enforce-eager",
}  # fmt: skip


@dataclass(frozen=True)
class Want:
    """What is asked for beyond the model; None is decided by the plan.

    `args` are further arguments for vLLM, which go before the catalog's.
    """

    count: int | None = None
    context: int | None = None
    share: float | None = None
    args: Mapping[str, Value] = field(default_factory=dict)


def card(
    gpu: Gpu, share: float | None = None, batched: int | None = None, untried: bool = False
) -> Card:
    """Return what of a GPU's memory can be used; its driver keeps up to 2 %.

    Published logs: an L40S of 46068 MiB is 44.4 GiB to PyTorch, an H100 of 81559 MiB 79.2.
    """
    memory = fit.gb(gpu.memory_mib) * 0.98
    return Card(memory, share or fit.UTILIZATION, batched or _batched(gpu), untried)


def _batched(gpu: Gpu) -> int:
    """Return vLLM's default of --max-num-batched-tokens: vllm/engine/arg_utils.py, 0.33.0."""
    memory_gib = (gpu.memory_mib or 0) / 1024
    if memory_gib >= 160:
        return 16384
    return 8192 if memory_gib >= 70 and "a100" not in gpu.name.lower() else 2048


def ways(args: Mapping[str, Value]) -> Ways:
    """Read from arguments how a model is spread."""

    def size(flag: str) -> int:
        return int(args.get(f"{flag}-parallel-size", 1))

    whole = bool(args.get("enable-expert-parallel", False))
    return Ways(size("tensor"), size("data"), size("pipeline"), whole)


def sum_for(model: Model, config: Configuration, gpu: Gpu, want: Want) -> Sum | None:
    """Return the sum with the context that is wanted, or with the largest that fits.

    None when too little is known of the model, or of the GPU: some share the machine's memory.
    """
    if not fit.known(model) or gpu.memory_mib is None:
        return None
    args = {**config.args, **want.args}
    if args.get("quantization") == "fp8" and model.precision in ("bf16", "fp16"):
        # Linear layers are halved while they load, embeddings are not.
        model = model.model_copy(update={"weights_gb": (model.weights_gb or 0) * 0.55})
    share = want.share or float(args.get("gpu-memory-utilization", 0)) or None
    batched = args.get("max-num-batched-tokens")
    of = card(gpu, share, int(batched) if batched else None, untried(config))
    spread, fp8 = ways(args), str(args.get("kv-cache-dtype", "")).startswith("fp8")
    if want.context:
        return fit.sum_up(model, spread, of, want.context, fp8)
    most = int(args.get("max-model-len", 0)) or model.context or 0
    return fit.sum_up(model, spread, of, min(most, fit.longest(model, spread, of, fp8)), fp8)


def untried(config: Configuration) -> bool:
    """Tell whether a configuration rests on arithmetic alone."""
    return not config.source or config.source.startswith("arithmetic")


def plain(model: Model, count: int) -> Configuration:
    """Return the configuration for so many GPUs that follows from the model alone.

    By tensor parallelism, with whole experts where they can not be cut, and with what all its
    configurations agree on.
    """
    configs = [config for config in model.configs if config.gpus]
    args = dict(configs[0].args) if configs else {}
    env = dict(configs[0].env) if configs else {}
    for config in configs[1:]:
        args = {flag: value for flag, value in args.items() if config.args.get(flag) == value}
        env = {name: value for name, value in env.items() if config.env.get(name) == value}
    args = {flag: value for flag, value in args.items() if flag not in LAYOUT}
    spread: dict[str, Value] = {"tensor-parallel-size": count} if count > 1 else {}
    whole = Ways(count, experts_whole=True)
    if count and not fit.divides(model, Ways(count)) and fit.divides(model, whole):
        spread["enable-expert-parallel"] = True
    kinds = [ANY if count else CPU]
    return Configuration(gpus=count, gpu_types=kinds, args={**args, **spread}, env=env)
