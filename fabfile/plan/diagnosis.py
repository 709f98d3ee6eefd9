"""Why a start failed: known marks in the log, with what helps.

The texts are vLLM 0.32/0.33's and huggingface_hub 2.4's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    """A cause and its fix, None when unknown, and the telling lines of the log."""

    cause: str | None
    fix: str | None
    lines: list[str]


# (pattern, cause, fix); {1} is the pattern's first group. Matched line by line from the top, so
# the root cause is met before the errors that wrap it.
CAUSES = (
    (r"Address already in use", "the port is in use on the pod", "start it with another --port"),
    (
        r"invalid tool call parser: (\S+)",
        "vLLM knows no tool parser {1}",
        "correct tool_parser in models.yaml",
    ),
    (
        r"Reasoning parser '(\S+?)' not found|invalid reasoning parser: (\S+)",
        "vLLM does not know the reasoning parser",
        "correct reasoning_parser in models.yaml",
    ),
    (r"error: unrecognized arguments: (.+)", "vLLM knows no argument {1}", "correct --vllm-args"),
    (r"error: argument (\S+): (.+)", "vLLM refuses {1}: {2}", "correct --vllm-args"),
    (
        r"max_model_len \((\d+)\) is greater than the derived max_model_len \(\S*?=(\d+)",
        "the context {1} is longer than the model's {2}",
        "start it with --context={2}",
    ),
    (
        r"estimated maximum model length is (\d+)",
        "the context does not fit into the memory left for the KV cache",
        "start it with --context={1}",
    ),
    (
        r"No available memory for the cache blocks",
        "no memory is left for the KV cache",
        "more --memory, more --gpus or a smaller model",
    ),
    (
        r"Free memory on device \S+ \(([\d.]+)/[\d.]+ GiB\)",
        "only {1} GiB of the GPU are free",
        "stop what else uses it, or give less: --memory=0.5",
    ),
    (
        r"CUDA out of memory|not enough GPU memory",
        "the model does not fit into the GPU's memory",
        "more --gpus, a quantized variant, or a smaller model",
    ),
    (
        r"architectures \['(\S+?)'\] are not supported",
        "this vLLM can not serve {1}",
        "run setup with a newer --engine",
    ),
    (
        r"model type `(\S+?)` but Transformers does not recognize",
        "this engine does not know the model type {1}",
        "run setup with a newer --engine",
    ),
    (
        r"attention heads \((\d+)\) must be divisible by tensor parallel size \((\d+)\)",
        "{2} GPUs do not divide the model's {1} attention heads",
        "take another number: --gpus",
    ),
    (
        r"World size \((\d+)\) is larger than the number of available GPUs \((\d+)\)",
        "{1} GPUs are asked for, {2} are visible",
        "fewer --gpus",
    ),
    (
        r"Access denied\. Model '(\S+?)' requires approval|trying to access a gated repo",
        "the model is gated",
        "ask for access on its page, export HF_TOKEN, and start it again",
    ),
    (
        r"Error: Model '(\S+?)' not found|is not a valid model identifier",
        "the hub has no such model, or hides it",
        "check the id; a private one needs HF_TOKEN",
    ),
    (
        r"No space left on device|Not enough free disk space",
        "the disk is full",
        "free space, or set the pod up with --models-path on a bigger disk",
    ),
    (
        r"couldn't connect to '(\S+?)'|Local entry not found|Max retries exceeded",
        "the pod does not reach the hub",
        "check its network, or name a mirror in HF_ENDPOINT and run setup",
    ),
    (
        r"NVIDIA driver on your system is too old|driver version is insufficient|libcudart\.so",
        "the driver is too old for this engine",
        "run setup with --engine=cuda12",
    ),
    (r"Failed to infer device type", "vLLM sees no GPU", "check nvidia-smi on the pod"),
    (
        r"quantization method (\S+) is not supported for the current GPU",
        "this GPU can not run {1}",
        "take another variant of the model",
    ),
    (r"Failed to find C compiler", "no C compiler is on the pod", "install build-essential there"),
    (
        r"died unexpectedly \(exit code: (-?\d+)\)|EngineCore encountered a fatal error",
        "the engine died",
        "look at the log; -9 is mostly the system's own lack of memory",
    ),
)
_ENDINGS = {137: "was killed (KILL)", 143: "was ended (TERM)", None: "is gone"}


def diagnose(log: str, exit_code: int | None = None) -> Diagnosis:
    """Name the first known cause in a log, else show its last lines."""
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", log) if line.strip()]
    for line in lines:
        for pattern, cause, fix in CAUSES:
            if match := re.search(pattern, line):
                groups = [group or "" for group in (match[0], *match.groups())]
                return Diagnosis(cause.format(*groups), fix.format(*groups), [line[-300:]])
    if exit_code in _ENDINGS:
        fix = "start it again; inv models.logs shows what it did last"
        return Diagnosis(f"its process {_ENDINGS[exit_code]}", fix, lines[-3:])
    return Diagnosis(None, None, lines[-3:])
