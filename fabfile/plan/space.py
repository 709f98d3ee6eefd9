"""Which disk holds what, whether it has the room, and which one would be better."""

from __future__ import annotations

from .engine import Choice
from .facts import Facts, Volume
from .mount import Mount

ENGINE_MIB = 20_000  # a CUDA venv with its download cache; the CPU build takes a third
CPU_ENGINE_MIB = 7_000
SMALL_MIB = 100 * 1024
SHM_MIB = 1024  # less is the default of containers (64 MiB); vllm#1710: NCCL fails on it


def needed(facts: Facts, engine: Choice) -> int:
    """Return the MiB that the engine still takes below the root."""
    if engine.folder in facts.engines:
        return 0
    return ENGINE_MIB if engine.recipe.min_driver else CPU_ENGINE_MIB


def layout(facts: Facts, mount: Mount | None) -> str:
    """Say which path holds what, and how much is free there."""
    pending = mount and not facts.mounted and mount.holds(facts.models_path)
    free = "once it is mounted" if pending else f"{gib(facts.models_free_mib)} free"
    engines = f"engines in {facts.root} ({gib(facts.root_free_mib)} free)"
    return f"{engines}, weights in {facts.models_path} ({free})"


def bigger(facts: Facts) -> Volume | None:
    """Return a volume that would be the better place, when the present one is small."""
    root, models = facts.root_free_mib, facts.models_free_mib
    free = min(SMALL_MIB if mib is None else mib for mib in (root, models))
    best = max(facts.volumes, key=lambda volume: volume.free_mib, default=None)
    return best if best and free < SMALL_MIB and best.free_mib > 2 * free else None


def advice(facts: Facts) -> str | None:
    """Propose the big volume, as the flags to give."""
    volume = bigger(facts)
    if not volume:
        return None
    place = volume.path.rstrip("/")
    return f"{volume.path} has {gib(volume.free_mib)} free: --root={place}/podfab puts all there"


def shm_warning(facts: Facts) -> str | None:
    """Say what a small /dev/shm prevents, on a pod with several GPUs."""
    if facts.shm_mib is None or facts.shm_mib >= SHM_MIB or len(facts.gpus) < 2:
        return None
    return (
        f"/dev/shm has {facts.shm_mib} MiB: a model on several GPUs needs more for NCCL; start the "
        "container with --shm-size=10g or --ipc=host"
    )


def gib(mib: int | None) -> str:
    return "unknown" if mib is None else f"{mib / 1024:.0f} GiB"
