"""What models.yaml is made of. Types only; records/catalog.py reads the file."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    field_validator,
    model_validator,
)

Value = bool | int | float | str
# Podfab sets them itself; a key would be read in the list of processes.
NOT_IN_ARGS = {
    "api-key": "it is the file api_key",
    "host": "models.start --public",
    "port": "models.start --port",
    "served-model-name": "models.start --name",
    "model": "it is the entry's name",
    "tool-call-parser": "the field tool_parser",
    "enable-auto-tool-choice": "the field tool_parser",
    "reasoning-parser": "the field reasoning_parser",
}
_COUNTS = (
    "tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size", "max-model-len",
    "max-num-batched-tokens", "max-num-seqs",
)  # fmt: skip


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is expected")
    return value


Size = Annotated[float, BeforeValidator(_no_truth), Field(gt=0, allow_inf_nan=False)]
Release = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+")]


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

    memory_gb: Size
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
    state_kib: Size | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Layers:
        heads = self.kv_heads is not None and self.head_dim is not None
        if [heads, self.latent is not None, self.state_kib is not None].count(True) != 1:
            raise ValueError("one of kv_heads with head_dim, latent, state_kib is expected")
        return self


class Configuration(_Strict):
    """One way to serve a model: on how many GPUs of which types, with which arguments."""

    gpus: NonNegativeInt
    gpu_types: Annotated[list[str], Field(min_length=1)]
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
        flags = {flag.replace("_", "-"): value for flag, value in args.items()}
        for flag, value in flags.items():
            if use := NOT_IN_ARGS.get(flag):
                raise ValueError(f"{flag!r} does not stand in args: {use}")
            if flag in _COUNTS and not re.fullmatch(r"[1-9]\d*", str(value)):
                raise ValueError(f"{flag!r} is a whole number from 1 on, written out")
        share = flags.get("gpu-memory-utilization", 1)
        if not re.fullmatch(r"\d*\.?\d+", str(share)) or not 0 < float(share) <= 1:
            raise ValueError("'gpu-memory-utilization' is a share like 0.9")
        return flags

    @model_validator(mode="after")
    def _spread(self) -> Configuration:
        """Use all GPUs: by tensor parallelism, unless the arguments say how."""
        if (self.gpus == 0) != (self.gpu_types == ["cpu"]):
            raise ValueError("gpus: 0 goes with gpu_types: [cpu], and with nothing else")
        sizes = [int(self.args[flag]) for flag in _COUNTS[:3] if flag in self.args]
        if not sizes and self.gpus > 1:
            self.args["tensor-parallel-size"] = self.gpus
        elif math.prod(sizes) != max(self.gpus, 1):
            raise ValueError(f"the parallel sizes make {math.prod(sizes)}, gpus is {self.gpus}")
        return self


class Model(_Strict):
    """A model of the catalog."""

    family: str = ""
    task: Literal["generate", "embed", "rerank"] = "generate"
    architecture: str = ""
    params_b: Size | None = None
    active_params_b: Size | None = None
    precision: str = ""
    weights_gb: Size | None = None
    dense_gb: Size | None = None
    context: PositiveInt | None = None
    heads: PositiveInt | None = None
    expert_blocks: PositiveInt | None = None
    cache: list[Layers] | None = None
    license: str = ""
    gated: bool = False
    tool_parser: str | None = None
    reasoning_parser: str | None = None
    min_engine: Release | None = None
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
