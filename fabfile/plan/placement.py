"""Where on the pod a model goes: its GPUs and its port."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..errors import PodfabError
from .facts import JobState
from .hardware import Gpu


def place(gpus: Sequence[Gpu], jobs: Iterable[JobState], wish: int | list[int]) -> list[Gpu]:
    """Return the GPUs for a model: the named ones, or the least used with the most free memory.

    Raises PodfabError when the pod does not have them.
    """
    there = {gpu.id: gpu for gpu in gpus}
    if isinstance(wish, list):
        if missing := [str(id_) for id_ in wish if id_ not in there]:
            have = ", ".join(map(str, there)) or "none"
            raise PodfabError(f"there is no GPU {', '.join(missing)}; this pod has: {have}")
        return [there[id_] for id_ in wish]
    if wish > len(gpus):
        raise PodfabError(f"{wish} GPUs are wanted, this pod has {len(gpus)}")
    used = Counter(id_ for job in jobs if job.alive for id_ in job.details.get("gpus") or [])
    # A few MiB more or less are no difference: equals take turns by their number.
    ranked = sorted(gpus, key=lambda gpu: (used[gpu.id], -((gpu.free_mib or -1) // 1024), gpu.id))
    return sorted(ranked[:wish], key=lambda gpu: gpu.id)


def choose_port(first: int, taken: Iterable[int]) -> int:
    """Return the first free port from `first` on."""
    occupied = set(taken)
    free = (port for port in range(first, 65536) if port not in occupied)
    port = next(free, None)
    if port is None:
        raise PodfabError(f"no port from {first} on is free on the pod; give one: --port=N")
    return port
