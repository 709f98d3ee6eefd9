"""GPUs as the catalog names them: by type, by class of memory, or those of a pod to be rented."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..errors import UsageError
from ..records.entries import GpuType
from ..records.names import unknown
from .hardware import Gpu

ANY, CPU = "any", "cpu"
_MIB_PER_GB = 1e9 / 1024**2


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


def memory_class(name: str) -> float | None:
    """Read a class of memory as gpu_types write it: `48GB` is any card with 48 GB or more."""
    match = re.fullmatch(r"(\d+) ?GB", name)
    return float(match[1]) if match else None


def of_class(gpu: Gpu, gigabytes: float) -> bool:
    """Tell whether a card is of a class; some report up to 3 % less than they are sold with."""
    return gpu.memory_mib is not None and gpu.memory_mib / _MIB_PER_GB >= gigabytes * 0.97


def groups(gpus: Sequence[Gpu]) -> list[list[Gpu]]:
    """Return the cards that are alike, those with most memory first.

    Tensor parallelism gives each GPU the same share, so unlike ones waste what they have more.
    """
    alike: dict[tuple[str, int], list[Gpu]] = {}
    for gpu in gpus:
        alike.setdefault((gpu.name, gpu.memory_mib or 0), []).append(gpu)
    return sorted(alike.values(), key=lambda group: -(group[0].memory_mib or 0))


def imagined(text: str, types: Mapping[str, GpuType]) -> list[Gpu]:
    """Return the GPUs that a text like `2xL40S` or `1x24GB` describes; `+` joins several.

    Raises UsageError for a text that is none.
    """
    found: list[Gpu] = []
    for part in text.split("+"):
        match = re.fullmatch(r"(?:(\d+)\s*x\s*)?(\S.*)", part.strip(), re.IGNORECASE)
        count = int(match[1] or 1) if match else 0
        if not match or not 0 < count <= 64:
            raise UsageError(f"--gpu={text} is no set of GPUs; 2xL40S or 1x24GB is expected")
        name, mib, capability = _described(match[2], types)
        first = len(found)
        found += [Gpu(first + i, "", name, mib, mib, capability) for i in range(count)]
    return found


def _described(text: str, types: Mapping[str, GpuType]) -> tuple[str, int, float | None]:
    name = text.strip().replace(" ", "-")
    by_name = {known.lower(): known for known in types}
    if name.lower() in by_name:
        kind = types[by_name[name.lower()]]
        mib = kind.memory_mib or int(kind.memory_gb * _MIB_PER_GB)
        return by_name[name.lower()], mib, kind.compute_capability
    if gigabytes := memory_class(text.strip().upper()):
        return f"{gigabytes:g}GB", int(gigabytes * _MIB_PER_GB), None
    if several := [kind for kind in types if kind.lower().startswith(f"{name.lower()}-")]:
        raise UsageError(f"which {name}? there are {' and '.join(several)}")
    advice = "a size like 24GB describes any other card"
    raise UsageError(unknown(text.strip(), "GPU type", list(types), advice).text)


def _words(name: str) -> list[str]:
    return name.lower().replace("-", " ").split()


def _close(memory_mib: int | None, memory_gb: float) -> bool:
    return memory_mib is not None and abs(memory_mib / 1000 - memory_gb) < memory_gb * 0.15
