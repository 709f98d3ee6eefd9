"""What a pod is like: the typed form of the facts script's JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .hardware import Gpu, parse_gpus


@dataclass(frozen=True)
class JobState:
    """A job as its folder on the pod tells it."""

    name: str
    run: int | None
    alive: bool
    pid: int | None
    exit: int | None
    ready: bool
    stopped: bool
    health: int | None
    phase: str
    tail: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Python:
    """A Python of the pod's system; `headers` tells whether C code can be built for it."""

    path: str
    version: str
    headers: bool


@dataclass(frozen=True)
class Facts:
    """A pod as its facts script found it; sizes in MiB, unknown is None."""

    user: str
    home: str
    root: str
    os: str
    arch: str
    glibc: tuple[int, ...] | None
    rights: str
    gpus: list[Gpu]
    driver: str | None
    gpu_problem: str | None
    uv: str
    tools: dict[str, str]
    pythons: list[Python]
    root_free_mib: int | None
    models_free_mib: int | None
    shm_mib: int | None
    memory_mib: int | None
    engines: dict[str, str]
    links: dict[str, str]
    environment: frozenset[str]
    models_path: str
    models_path_exists: bool
    ports: frozenset[int] = field(default_factory=frozenset)
    jobs: list[JobState] = field(default_factory=list)


def parse_facts(text: str) -> Facts:
    """Read the facts script's output. Raises ValueError when it is none."""
    raw = json.loads(text, strict=False)
    gpus, driver, problem = parse_gpus(raw["gpus"])
    return Facts(
        user=raw["user"],
        home=raw["home"],
        root=raw["root"],
        os=raw["os"],
        arch=raw["arch"],
        glibc=version(raw["libc"].rpartition(" ")[2]) or None,
        rights=raw["rights"],
        gpus=gpus,
        driver=driver,
        gpu_problem=problem,
        uv=raw["uv"],
        tools=raw["tools"],
        pythons=[Python(**python) for python in raw["pythons"]],
        root_free_mib=raw["root_free_mib"],
        models_free_mib=raw["models_free_mib"],
        shm_mib=raw["shm_mib"],
        memory_mib=raw["memory_mib"],
        engines={engine["name"]: engine["vllm_version"] for engine in raw["engines"]},
        links=raw["links"],
        environment=frozenset(raw["environment"]),
        models_path=raw["models_path"],
        models_path_exists=raw["models_path_exists"],
        ports=frozenset(int(place.rpartition(":")[2], 16) for place in raw["ports"].split()),
        jobs=[JobState(**job) for job in raw["jobs"]],
    )


def parse_jobs(text: str) -> list[JobState]:
    """Read the status script's output."""
    return [JobState(**job) for job in json.loads(text, strict=False)]


def version(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version for comparing: `2.28` is (2, 28)."""
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
