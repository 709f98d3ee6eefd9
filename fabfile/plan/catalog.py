"""Which of a model's configurations a pod can carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..records.entries import Configuration, GpuType, Model
from .hardware import Gpu

ANY, CPU = "any", "cpu"


def gpu_type(gpu: Gpu, types: Mapping[str, GpuType]) -> str | None:
    """Return the catalog's name for a card: the longest that its own name contains.

    Types that exist with two memories carry it in their name: A100-40GB, A100-80GB.
    """

    def described(name: str) -> bool:
        model, _, memory = name.rpartition("-") if name.endswith("GB") else (name, "", "")
        words = model.lower().split("-")
        if not all(word in _words(gpu.name) for word in words):
            return False
        return not memory or _close(gpu.memory_mib, types[name].memory_gb)

    return max((name for name in types if described(name)), key=len, default=None)


def matching(
    model: Model, gpus: Sequence[Gpu], types: Mapping[str, GpuType], count: int | None = None
) -> list[Configuration]:
    """Return the configurations that fit these GPUs by type and number, best first.

    On a pod without GPUs that is what serves on a CPU; `count` asks for that many GPUs.
    """
    if not gpus:
        return [config for config in model.configs if CPU in config.gpu_types]
    names = {gpu_type(gpu, types) for gpu in gpus}
    kind = next(iter(names)) if len(names) == 1 else None
    fitting = [
        config
        for config in model.configs
        if config.gpus <= len(gpus)
        and (count is None or config.gpus == count)
        and (kind in config.gpu_types or ANY in config.gpu_types)
        and config.gpus > 0
        and _holds(model, config, gpus)
    ]
    return sorted(fitting, key=lambda config: ANY in config.gpu_types)


def _holds(model: Model, config: Configuration, gpus: Sequence[Gpu]) -> bool:
    smallest = min((gpu.memory_mib for gpu in gpus if gpu.memory_mib), default=None)
    if smallest is None or model.weights_gb is None:
        return True
    return model.weights_gb * 1e9 <= config.gpus * smallest * 1024**2 * 0.92


def _words(name: str) -> list[str]:
    return name.lower().replace("-", " ").split()


def _close(memory_mib: int | None, memory_gb: float) -> bool:
    return memory_mib is not None and abs(memory_mib / 1000 - memory_gb) < memory_gb * 0.15
