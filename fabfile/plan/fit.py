"""Whether a model fits into its GPUs: weights, cache and reserve against the memory, as a sum.

Memory is counted in GB (10^9 bytes), as cards and checkpoints are sold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..records.entries import Layers, Model

UTILIZATION = 0.92  # default of --gpu-memory-utilization: vllm/config/cache.py, 0.33.0
GB = 1e9
_BLOCK = 16  # tokens: vLLM gives cache out in blocks of at least so many


@dataclass(frozen=True)
class Ways:
    """How a model is spread: over how many GPUs its layers, its replicas, its pipeline stages.

    `experts_whole` keeps each expert on one GPU (expert parallelism).
    """

    tensor: int = 1
    data: int = 1
    pipeline: int = 1
    experts_whole: bool = False

    @property
    def gpus(self) -> int:
        return self.tensor * self.data * self.pipeline


@dataclass(frozen=True)
class Card:
    """A GPU: its memory in GB, the share of it that vLLM may take, and how full it may get.

    `batched` is --max-num-batched-tokens. `untried` keeps 3 % more free, where nobody has tried.
    """

    memory_gb: float
    share: float = UTILIZATION
    batched: int = 2048
    untried: bool = False

    @property
    def budget_gb(self) -> float:
        return self.memory_gb * self.share

    @property
    def in_flight(self) -> int:
        """Tokens that may be computed at once: two batches, one prepared while one runs."""
        return 2 * self.batched

    @property
    def reserve_gb(self) -> float:
        """Memory for activations, CUDA graphs and NCCL, which grow with the batch.

        From published logs, see tests/unit/recorded/memory.yaml.
        """
        middle = min(max(self.batched - 2048, 0), 6144) / 1024
        large = max(self.batched - 8192, 0) / 1024
        spare = 0.03 * self.budget_gb if self.untried else 0
        return 2.2 + 0.52 * middle + 0.17 * large + spare


@dataclass(frozen=True)
class Sum:
    """What one GPU holds of a model with one sequence of `context` tokens; sizes in GB."""

    weights_gb: float
    ways: Ways
    per_gpu_gb: float
    cache_gb: float
    reserve_gb: float
    context: int
    card: Card

    @property
    def needed_gb(self) -> float:
        return self.per_gpu_gb + self.cache_gb + self.reserve_gb

    @property
    def fits(self) -> bool:
        return self.needed_gb <= self.card.budget_gb

    def __str__(self) -> str:
        several = self.ways.gpus > 1
        spread = f" of {self.weights_gb:g}" if several else ""
        compared = "of" if self.fits else "but only"
        return (
            f"{'per GPU ' if several else ''}weights {self.per_gpu_gb:.1f}{spread} + "
            f"{self.context} tokens {self.cache_gb:.1f} + reserve {self.reserve_gb:.1f} = "
            f"{self.needed_gb:.1f} {compared} {self.card.memory_gb:.1f} x {self.card.share:g} = "
            f"{self.card.budget_gb:.1f} GB"
        )


def gb(mib: int | None) -> float:
    """Return in GB what nvidia-smi, df and /proc tell in MiB; unknown is 0."""
    return (mib or 0) * 1024**2 / GB


def known(model: Model) -> bool:
    """Tell whether enough is known of a model for a sum."""
    return model.weights_gb is not None and model.cache is not None


def sum_up(model: Model, ways: Ways, card: Card, context: int, fp8_cache: bool = False) -> Sum:
    """Return what one GPU holds with one sequence of that many tokens."""
    cache = cache_bytes(model.cache or [], context, ways.tensor, card.in_flight, fp8_cache)
    return Sum(
        weights_gb=model.weights_gb or 0,
        ways=ways,
        per_gpu_gb=_weights_per_gpu(model, ways),
        cache_gb=cache / ways.pipeline / GB,
        reserve_gb=card.reserve_gb,
        context=context,
        card=card,
    )


def longest(model: Model, ways: Ways, card: Card, fp8_cache: bool = False) -> int:
    """Return the largest context that fits, in tokens: at most the model's own, 0 for none."""
    low, high = 0, model.context or 0
    while low < high:
        middle = (low + high + 1) // 2
        if sum_up(model, ways, card, middle, fp8_cache).fits:
            low = middle
        else:
            high = middle - 1
    return low


def divides(model: Model, ways: Ways) -> bool:
    """Tell whether vLLM can cut the model so: heads, and quantization blocks of experts.

    vllm/config/model.py: "Total number of attention heads must be divisible by tensor parallel
    size"; quantized experts also by their blocks ("is not divisible by weight quantization
    block_n"), unless each stays whole.
    """
    heads = model.heads is None or model.heads % ways.tensor == 0
    kv = all(
        group.kv_heads is None
        or max(group.kv_heads, ways.tensor) % min(group.kv_heads, ways.tensor) == 0
        for group in model.cache or []
    )
    blocks = model.expert_blocks is None or model.expert_blocks % ways.tensor == 0
    return heads and kv and (blocks or ways.experts_whole)


def cache_bytes(
    groups: Sequence[Layers], tokens: int, tensor: int, in_flight: int, fp8: bool = False
) -> float:
    """Return the bytes that one sequence takes in each GPU."""
    return sum(
        group.layers * _kept(group, tokens, in_flight) * _bytes_per_token(group, tensor, fp8)
        if group.state_kib is None
        # Prefix caching keeps the state before the last one too.
        else 2 * group.layers * group.state_kib * 1024 / tensor
        for group in groups
    )


def _kept(group: Layers, tokens: int, in_flight: int) -> int:
    """Return of how many tokens a layer keeps the cache: whole blocks.

    vllm/v1/kv_cache_interface.py, SlidingWindowSpec: the window, what is in flight, and one block
    more, for a window may begin within one.
    """
    if group.window is None:
        return _whole_blocks(tokens)
    return _whole_blocks(min(tokens, group.window - 1 + in_flight)) + _BLOCK


def _whole_blocks(tokens: int) -> int:
    return -(-tokens // _BLOCK) * _BLOCK


def _bytes_per_token(group: Layers, tensor: int, fp8: bool) -> float:
    width = 1 if fp8 else 2
    if group.latent is not None:
        return group.latent * width + group.extra_bytes
    heads = max(1, (group.kv_heads or 0) / tensor)  # fewer heads than GPUs: they are repeated
    dims = (group.head_dim or 0) + (group.value_dim or group.head_dim or 0)
    return heads * dims * width + group.extra_bytes


def _weights_per_gpu(model: Model, ways: Ways) -> float:
    """Return the GB of weights in each GPU; replicas share out the experts, not the rest."""
    whole = model.weights_gb or 0
    if ways.data == 1:
        return whole / ways.gpus
    dense = whole if model.dense_gb is None else model.dense_gb
    return (dense / ways.tensor + (whole - dense) / (ways.tensor * ways.data)) / ways.pipeline
