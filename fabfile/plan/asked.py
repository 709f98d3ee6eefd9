"""What the user asks of a start."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..records.entries import Value
from . import arguments
from .arguments import Arguments
from .spread import LAYOUT, Want, ways


@dataclass(frozen=True)
class Wish:
    """What the user asks for; what is None is decided by the plan."""

    model: str
    name: str
    gpus: int | list[int] | None = None
    memory: float | None = None
    context: str | None = None
    port: int | None = None
    first_port: int = 8001
    engine: str | None = None
    vllm_args: str = ""
    public: bool = False
    token: bool = False  # the client exports HF_TOKEN

    @property
    def want(self) -> Want:
        """What is asked for that decides how the model is spread."""
        typed = _about_memory(arguments.from_text(self.vllm_args))
        count = len(self.gpus) if isinstance(self.gpus, list) else self.gpus
        if count is None and (spread := ways(typed).gpus) > 1:
            count = spread
        length = typed.pop("max-model-len", None) or self.context
        share = typed.pop("gpu-memory-utilization", None) or self.memory
        tokens = None if length in (None, "auto") else int(length)
        return Want(count, tokens, float(share) if share else None, typed)


def _about_memory(typed: Arguments) -> dict[str, Value]:
    """Return what --vllm-args says about memory; what is no plain number is vLLM's to judge."""
    found: dict[str, Value] = {}
    for flag, values in typed.items():
        if flag in LAYOUT and len(values) == 1:
            number = r"0?\.\d+|1" if flag == "gpu-memory-utilization" else r"[1-9]\d*"
            if re.fullmatch(number, values[0]):
                found[flag] = values[0]
        elif flag in ("enable-expert-parallel", "kv-cache-dtype", "quantization"):
            found[flag] = " ".join(values) or True
    return found
