"""GPUs as nvidia-smi prints them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

QUERY = "index,uuid,name,memory.total,memory.free,driver_version,compute_cap,mig.mode.current"

# First driver whose release supports a CUDA version in full; an older one of the same CUDA major
# runs its binaries, not its PTX. NVIDIA: CUDA toolkit release notes, table 3.
DRIVERS = {
    (13, 3): 610, (13, 2): 595, (13, 1): 590, (13, 0): 580,
    (12, 9): 575, (12, 8): 570, (12, 6): 560, (12, 5): 555, (12, 4): 550,
    (12, 3): 545, (12, 2): 535, (12, 1): 530, (12, 0): 525,
}  # fmt: skip


@dataclass(frozen=True)
class Gpu:
    """A GPU of a pod; memory in MiB, `capability` as 9.0."""

    id: int
    uuid: str
    name: str
    memory_mib: int | None
    free_mib: int | None
    capability: float | None


@dataclass(frozen=True)
class Hardware:
    """What nvidia-smi knows.

    `gpus` are those that can be used, `left_out` says why others can not; `problem` is what is
    wrong when there is a driver and no GPU at all.
    """

    gpus: list[Gpu]
    driver: str | None
    problem: str | None
    left_out: list[str] = field(default_factory=list)


def parse_gpus(text: str, listing: str = "") -> Hardware:
    """Read nvidia-smi's CSV of QUERY, and of `nvidia-smi -L` which MIG slices a GPU has."""
    gpus: list[Gpu] = []
    driver = None
    strange: list[str] = []
    left_out: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 8 or not fields[0].isdigit():
            strange.append(line)
            continue
        index, uuid, name, total, free, driver, capability, mig = fields
        broken = next((f for f in (total, free, capability) if _is_error(f)), None)
        if broken:
            left_out.append(
                f"GPU {index} ({name}) is in an error state ({broken}) and is not used; "
                "restart the pod, or ask the provider for another"
            )
        elif mig == "Enabled":
            slices = ", ".join(_slices(listing, index)) or "none made"
            left_out.append(
                f"GPU {index} ({name}) is split by MIG (slices: {slices}) and is not used; "
                f"podfab takes whole GPUs: nvidia-smi -i {index} -mig 0"
            )
        else:
            gpus.append(Gpu(int(index), uuid, name, _mib(total), _mib(free), _number(capability)))
    if gpus or left_out:
        left_out += [f"a GPU is not used: {line}" for line in strange]
        return Hardware(gpus, driver, None, left_out)
    return Hardware(gpus, driver, next(iter(strange), None))


def supported_cuda(driver: str | None) -> tuple[int, int] | None:
    """Return the newest CUDA version that a driver supports in full, None before 12.0."""
    digits = re.match(r"\d+", driver or "")
    major = int(digits[0]) if digits else 0
    return next((cuda for cuda, first in DRIVERS.items() if major >= first), None)


def counted(names: Iterable[str]) -> str:
    """Write names as people do: `8 x NVIDIA H100`."""
    found = Counter(names)
    return ", ".join(f"{count} x {name}" for name, count in found.items())


def _is_error(text: str) -> bool:
    return bool(re.search("error|reset|lost|ERR!", text, re.IGNORECASE))


def _slices(listing: str, index: str) -> list[str]:
    """Return the MIG profiles of a GPU: `nvidia-smi -L` names them below its line."""
    gpu = ""
    found = []
    for line in listing.splitlines():
        if match := re.match(r"GPU (\d+):", line):
            gpu = match[1]
        elif gpu == index and (match := re.match(r"\s+MIG (\S+)\s", line)):
            found.append(match[1])
    return found


def _mib(text: str) -> int | None:
    number = _number(text.removesuffix("MiB").strip())
    return None if number is None else int(number)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # "[N/A]"
        return None
