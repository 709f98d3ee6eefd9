"""What models.yaml is made of. Types only; records/catalog.py reads the file."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

Value = bool | int | float | str
# Podfab sets them itself; a key would be read in the list of processes.
NOT_IN_ARGS = ("api-key", "host", "port", "served-model-name", "model")


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
    """A GPU type; memory in GB as its maker counts it, and in MiB as nvidia-smi does."""

    memory_gb: PositiveFloat
    memory_mib: PositiveInt | None = None
    per_machine: PositiveInt = 8
    compute_capability: float


class Layers(_Strict):
    """Layers of a model that keep the same kind of cache.

    Attention keeps key and value of each token, `kv_heads` of `head_dim` numbers; with `latent`
    one vector of that many numbers instead (MLA). With `window` of the last so many tokens only.
    Linear attention and Mamba keep a state of `state_kib` per sequence, however long it is.
    """

    layers: PositiveInt
    kv_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    value_dim: PositiveInt | None = None
    latent: PositiveInt | None = None
    extra_bytes: NonNegativeInt = 0
    window: PositiveInt | None = None
    state_kib: PositiveFloat | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Layers:
        heads = self.kv_heads is not None and self.head_dim is not None
        if [heads, self.latent is not None, self.state_kib is not None].count(True) != 1:
            raise ValueError("one of kv_heads with head_dim, latent, state_kib is expected")
        return self


class Configuration(_Strict):
    """One way to serve a model: on how many GPUs of which types, with which arguments."""

    gpus: NonNegativeInt
    gpu_types: list[str]
    args: dict[str, Value] = {}
    env: dict[str, str] = {}
    notes: str = ""
    source: str = ""

    @field_validator("args")
    @classmethod
    def _flags(cls, args: dict[str, Value]) -> dict[str, Value]:
        for flag in args:
            if not re.fullmatch(r"[a-z][a-z0-9_.-]*", flag):
                raise ValueError(f"{flag!r} is no flag as it stands here: without dashes before it")
            if flag.replace("_", "-") in NOT_IN_ARGS:
                raise ValueError(f"{flag!r} is podfab's to set")
        return args


class Model(_Strict):
    """A model of the catalog."""

    family: str = ""
    task: Literal["generate", "embed", "rerank"] = "generate"
    architecture: str = ""
    params_b: PositiveFloat | None = None
    active_params_b: PositiveFloat | None = None
    precision: str = ""
    weights_gb: PositiveFloat | None = None
    dense_gb: PositiveFloat | None = None
    context: PositiveInt | None = None
    heads: PositiveInt | None = None
    expert_blocks: PositiveInt | None = None
    cache: list[Layers] | None = None
    license: str = ""
    gated: bool = False
    tool_parser: str | None = None
    reasoning_parser: str | None = None
    min_engine: str | None = None
    min_compute_capability: float | None = None
    exclude: list[str] = []
    good_for: list[Annotated[str, Field(pattern=r"^(cpu|\d+x\d+GB)$")]] = []
    hidden: bool = False
    notes: str = ""
    unsure: str = ""
    configs: list[Configuration] = []


class Catalog(_Strict):
    """All that models.yaml knows."""

    engines: dict[str, Engine]
    gpus: dict[str, GpuType]
    models: dict[str, Model]
