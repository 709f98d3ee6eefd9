"""GPUs as nvidia-smi prints them."""

from __future__ import annotations

from dataclasses import dataclass

QUERY = "index,uuid,name,memory.total,memory.free,driver_version,compute_cap"


@dataclass(frozen=True)
class Gpu:
    """A GPU of a pod; memory in MiB, `capability` as 9.0."""

    id: int
    uuid: str
    name: str
    memory_mib: int | None
    free_mib: int | None
    capability: float | None


def parse_gpus(text: str) -> tuple[list[Gpu], str | None, str | None]:
    """Read nvidia-smi's CSV of QUERY.

    Returns the GPUs, the driver's version, and what is wrong when there is a driver but no GPU.
    """
    gpus: list[Gpu] = []
    driver = None
    strange: list[str] = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 7 or not fields[0].isdigit():
            strange.append(line.strip())
            continue
        index, uuid, name, total, free, driver, capability = fields
        gpus.append(Gpu(int(index), uuid, name, _mib(total), _mib(free), _number(capability)))
    problem = next((line for line in strange if line), None) if not gpus else None
    return gpus, driver, problem


def _mib(text: str) -> int | None:
    number = _number(text.removesuffix("MiB").strip())
    return None if number is None else int(number)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # "[N/A]", "[Unknown Error]"
        return None
