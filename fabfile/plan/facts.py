"""What a pod is like: the typed form of the facts script's JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .hardware import Gpu, parse_gpus


@dataclass(frozen=True)
class JobState:
    """A job as its folder on the pod tells it.

    `uptime` in seconds; `load` is `RUNNING,WAITING,KV`, requests and share of the KV cache; `stats`
    the newest line of the log about throughput, `cut` when the log has ended before; `clock` the
    pod's time. `fetched` of `bytes` are on the disk of a download that goes on.
    """

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
    uptime: int | None = None
    load: str = ""
    stats: str = ""
    clock: str = ""
    fetched: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Python:
    """A Python of the pod's system; `headers` tells whether C code can be built for it."""

    path: str
    version: str
    headers: bool


@dataclass(frozen=True)
class Nvcc:
    """A CUDA compiler of the pod's system."""

    path: str
    version: str


@dataclass(frozen=True)
class Volume:
    """A place with room that we may write to."""

    path: str
    free_mib: int


@dataclass(frozen=True)
class Facts:
    """A pod as its facts script found it; sizes in MiB, unknown is None.

    `now` is the pod's clock in seconds since 1970. `distribution` is like `ubuntu22.04`. `cards`
    are the makers of GPUs on the bus. `modules` of python3 are told only where there is no uv.
    `mounted` is None when no mount was asked for. `kernels` says of an engine whether its GPU
    kernels were downloaded: `downloaded`, `unavailable`, or nothing. `token` says whether the pod
    keeps an HF_TOKEN. `weights_mib` is what is on its disk of the model that was asked about.
    """

    user: str
    home: str
    root: str
    hostname: str
    now: int
    os: str
    distribution: str
    arch: str
    glibc: tuple[int, ...] | None
    rights: str
    cards: frozenset[str]
    gpus: list[Gpu]
    driver: str | None
    gpu_problem: str | None
    left_out: list[str]
    nvccs: list[Nvcc]
    uv: str
    tools: dict[str, str]
    modules: frozenset[str]
    pythons: list[Python]
    certificates: bool
    mounted: bool | None
    volumes: list[Volume]
    root_free_mib: int | None
    models_free_mib: int | None
    shm_mib: int | None
    memory_mib: int | None
    engines: dict[str, str]
    kernels: dict[str, str]
    links: dict[str, str]
    environment: frozenset[str]
    models_path: str
    models_path_exists: bool
    models_path_writable: bool
    root_writable: bool
    token: bool
    weights_mib: int | None
    ports: frozenset[int] = field(default_factory=frozenset)
    jobs: list[JobState] = field(default_factory=list)

    @property
    def who(self) -> str:
        """The ssh user, and what that user may."""
        rights = {"root": "", "passwordless": " with sudo", "none": " without root"}
        return self.user + rights[self.rights]


def parse_facts(text: str) -> Facts:
    """Read the facts script's output. Raises ValueError when it is none."""
    raw = json.loads(text, strict=False)
    hardware = parse_gpus(raw["gpus"], raw["gpu_list"])
    return Facts(
        user=raw["user"],
        home=raw["home"],
        root=raw["root"],
        hostname=raw["hostname"],
        now=raw["now"],
        os=raw["os"],
        distribution=raw["distribution"],
        arch=raw["arch"],
        glibc=version(raw["libc"].rpartition(" ")[2]) or None,
        rights=raw["rights"],
        cards=frozenset(raw["cards"].split()),
        gpus=hardware.gpus,
        driver=hardware.driver,
        gpu_problem=hardware.problem,
        left_out=hardware.left_out,
        nvccs=[Nvcc(**nvcc) for nvcc in raw["nvccs"]],
        uv=raw["uv"],
        tools=raw["tools"],
        modules=frozenset(raw["modules"].split()),
        pythons=[Python(**python) for python in raw["pythons"]],
        certificates=raw["certificates"],
        mounted=raw["mounted"],
        volumes=[Volume(**volume) for volume in raw["volumes"]],
        root_free_mib=raw["root_free_mib"],
        models_free_mib=raw["models_free_mib"],
        shm_mib=raw["shm_mib"],
        memory_mib=raw["memory_mib"],
        engines={engine["name"]: engine["vllm_version"] for engine in raw["engines"]},
        kernels={engine["name"]: engine["kernels"] for engine in raw["engines"]},
        links=raw["links"],
        environment=frozenset(raw["environment"]),
        models_path=raw["models_path"],
        models_path_exists=raw["models_path_exists"],
        models_path_writable=raw["models_path_writable"],
        root_writable=raw["root_writable"],
        token=raw["token"],
        weights_mib=raw["weights_mib"],
        ports=frozenset(int(place.rpartition(":")[2], 16) for place in raw["ports"].split()),
        jobs=[JobState(**job) for job in raw["jobs"]],
    )


def parse_jobs(text: str) -> list[JobState]:
    """Read the status script's output."""
    return [JobState(**job) for job in json.loads(text, strict=False)]


def weights_folder(model: str) -> str:
    """Return the folder below hub/ that huggingface_hub keeps a model in."""
    return f"models--{model.replace('/', '--')}"


def version(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version for comparing: `2.28` is (2, 28)."""
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
