"""What models.yaml is made of. Types only; records/catalog.py reads the file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Value = bool | int | float | str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Engine(_Strict):
    """A recipe: how a vLLM is installed and where it can run."""

    package: str
    version: str
    also: list[str] = []
    python: str
    index: str | None = None
    architectures: list[str] = ["x86_64", "aarch64"]
    min_driver: int | None = None
    min_glibc: str | None = None
    min_compute_capability: float | None = None
    excludes: list[str] = []
    torch_backend: str | None = None
    metadata_version: str | None = None
    cuda: str | None = None
    kernels_from: float | None = None
    nvcc_for: list[int] = []
    min_nvcc: str | None = None
    env: dict[str, str] = {}
    note: str = ""


class GpuType(_Strict):
    """A GPU type; memory in GB as its maker counts it."""

    memory_gb: float
    compute_capability: float


class Configuration(_Strict):
    """One way to serve a model: on how many GPUs of which types, with which arguments."""

    gpus: int
    gpu_types: list[str]
    args: dict[str, Value] = {}
    env: dict[str, str] = {}
    notes: str = ""
    source: str = ""


class Model(_Strict):
    """A model of the catalog."""

    task: Literal["generate", "embed", "rerank"] = "generate"
    params_b: float | None = None
    active_params_b: float | None = None
    precision: str = ""
    weights_gb: float | None = None
    context: int | None = None
    license: str = ""
    gated: bool = False
    tool_parser: str | None = None
    reasoning_parser: str | None = None
    min_engine: str | None = None
    exclude: list[str] = []
    notes: str = ""
    configs: list[Configuration] = []


class Catalog(_Strict):
    """All that models.yaml knows."""

    engines: dict[str, Engine]
    gpus: dict[str, GpuType]
    models: dict[str, Model]
