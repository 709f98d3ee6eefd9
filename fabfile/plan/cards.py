"""GPUs as the catalog names them: by type, by class of memory, or those of a pod to be rented."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from ..errors import UsageError
from ..records.entries import GpuType
from .hardware import Gpu

ANY, CPU = "any", "cpu"
_MIB_PER_GB = 1e9 / 1024**2
_MOST = 16  # cards that a machine holds


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

    Raises UsageError for a text that is none, and for more than one machine has.
    """
    found: list[Gpu] = []
    for part in text.split("+"):
        match = re.fullmatch(r"(?:(\d+)\s*x\s*)?(\S.*)", part.strip(), re.IGNORECASE)
        if not match or match[1] == "0":
            raise UsageError(f"--gpu={text} is no set of GPUs; 2xL40S or 1x24GB is expected")
        name, mib, capability, most = _described(match[2].strip(), types)
        count, first = int(match[1] or 1), len(found)
        if count > most:
            raise UsageError(
                f"--gpu={text}: one machine has at most {most} x {name}, and a model is served "
                "on one machine"
            )
        found += [Gpu(first + i, "", name, mib, mib, capability) for i in range(count)]
    return found


def _described(text: str, types: Mapping[str, GpuType]) -> tuple[str, int, float | None, int]:
    """Return name, MiB, compute capability of a card, and how many a machine has at most."""
    if gigabytes := memory_class(text.upper()):
        # What holds for a size must hold for each card that is sold with it.
        alike = [kind for kind in types.values() if kind.memory_gb == gigabytes]
        mib = min((_mib(kind) for kind in alike), default=int(gigabytes * _MIB_PER_GB))
        newest = max((kind.compute_capability for kind in alike), default=None)
        return f"{gigabytes:g}GB", mib, newest, _MOST
    name = _type_of(text, types)
    kind = types[name]
    return name, _mib(kind), kind.compute_capability, kind.per_machine


def _type_of(text: str, types: Mapping[str, GpuType]) -> str:
    """Return the type that a text means: `h100`, `4090`, or what nvidia-smi calls it."""
    typed = _letters(text)
    exact = [name for name in types if _letters(name) == typed]
    ending = [name for name in types if _letters(name).endswith(typed)] if len(typed) > 3 else []
    starting = [name for name in types if name.lower().startswith(f"{text.lower()}-")]
    told = gpu_type(Gpu(0, "", text, None, None, None), types)
    if exact or len(ending) == 1:
        return (exact or ending)[0]
    if told and len(text) > len(told):
        return told
    if several := starting or ending:
        raise UsageError(f"which {text}? there are {', '.join(several)}")
    near = difflib.get_close_matches(text.upper(), [name.upper() for name in types], 1, 0.85)
    meant = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(
        f"no GPU type is called {text!r}; {meant}a size like 24GB describes any other card"
    )


def _mib(kind: GpuType) -> int:
    return kind.memory_mib or int(kind.memory_gb * _MIB_PER_GB)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _words(name: str) -> list[str]:
    return name.lower().replace("-", " ").split()


def _close(memory_mib: int | None, memory_gb: float) -> bool:
    return memory_mib is not None and abs(memory_mib / 1000 - memory_gb) < memory_gb * 0.15
