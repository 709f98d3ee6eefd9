"""What the installed vLLM itself says: run by the engine's own Python, JSON in, JSON out.

In: `words`, the arguments of each way to serve a model; `caches`, groups of layers with lengths.
Out: `refused`, what its parser says of the words; its names; `bytes` that its planner reserves.
"""

import contextlib
import importlib
import io
import json
import sys
from types import SimpleNamespace

import torch
from vllm import envs
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.kv_cache_interface import (
    FullAttentionSpec,
    MambaSpec,
    MLAAttentionSpec,
    SlidingWindowSpec,
)


def parser():
    for place in ("vllm.entrypoints.common.cli_args", "vllm.entrypoints.launchers.cli_args"):
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(place).make_arg_parser(FlexibleArgumentParser())
    raise SystemExit("this vLLM has its parser elsewhere")


def refused(known, words):
    """Return what the parser says of the words, or nothing."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            known.parse_args(words)
    except SystemExit:
        return said.getvalue().strip().splitlines()[-1]
    except Exception as error:
        return str(error)
    return ""


def spec(group, tensor):
    """Return a layer's cache as vLLM describes it."""
    heads = max(1, (group["kv_heads"] or 0) // tensor)
    dim = group["head_dim"] or group["latent"]
    common = {"block_size": 16, "num_kv_heads": heads, "head_size": dim, "dtype": torch.bfloat16}
    if group["state_kib"]:
        content = (int(group["state_kib"] * 1024 / tensor),)
        return MambaSpec(block_size=16, shapes=(content,), dtypes=(torch.uint8,))
    if group["latent"] and group["window"]:  # one vector: a key without a value
        return SlidingWindowSpec(**common, head_size_v=0, sliding_window=group["window"])
    if group["latent"]:
        return MLAAttentionSpec(**common)
    values = group["value_dim"] or dim
    if group["window"]:
        return SlidingWindowSpec(**common, head_size_v=values, sliding_window=group["window"])
    return FullAttentionSpec(**common, head_size_v=values)


def planned(case):
    """Return the bytes that one sequence takes in each GPU, by vLLM's own planner."""
    config = SimpleNamespace(
        model_config=SimpleNamespace(max_model_len=case["tokens"]),
        parallel_config=SimpleNamespace(decode_context_parallel_size=1),
        cache_config=SimpleNamespace(mamba_cache_mode="align"),
        max_in_flight_tokens=case["in_flight"],
    )
    return sum(
        group["layers"] * spec(group, case["tensor"]).max_memory_usage_bytes(config)
        for group in case["cache"]
    )


def main():
    asked = json.load(sys.stdin)
    known = parser()
    words = [word for action in known._actions for word in action.option_strings]
    flags = {word[2:] for word in words if word.startswith("--")}
    said = {name: refused(known, words) for name, words in asked["words"].items()}
    print(
        json.dumps(
            {
                "refused": {name: text for name, text in said.items() if text},
                "flags": sorted(flags),
                "tool_parsers": sorted(ToolParserManager.list_registered()),
                "reasoning_parsers": sorted(ReasoningParserManager.list_registered()),
                "variables": sorted(envs.environment_variables),
                "bytes": [planned(case) for case in asked["caches"]],
            }
        )
    )


main()
