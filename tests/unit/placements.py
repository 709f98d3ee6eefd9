"""Which way each of some models is served on each of some pods, as a table that people review.

`python -m tests.unit.placements` writes tests/unit/recorded/placements.txt anew: look at its
difference before you commit it.
"""

from __future__ import annotations

from fabfile.plan.arguments import from_mapping, words
from fabfile.plan.cards import imagined
from fabfile.plan.matching import Match, match
from fabfile.plan.spread import Want

from .given import RECORDED, SHIPPED

TABLE = RECORDED / "placements.txt"
LAYOUTS = (
    "1xT4", "1xL4", "1xRTX-4090", "1xRTX-5090", "1x20GB", "1xL40S", "2xL40S", "4xRTX-3090",
    "1xA100-80GB", "1xH100", "2xH100", "4xH100", "8xH100", "1xRTX-PRO-6000", "2x64GB", "1xH200",
    "8xH200", "8xB200", "1xH100+2xL4",
)  # fmt: skip
MODELS = (
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-14B-AWQ",
    "Qwen/Qwen3-32B-FP8",
    "Qwen/Qwen3-Coder-30B-A3B-Instruct",
    "Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8",
    "Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8",
    "Qwen/Qwen3-Next-80B-A3B-Instruct-FP8",
    "Qwen/Qwen3.6-27B-FP8",
    "openai/gpt-oss-20b",
    "openai/gpt-oss-120b",
    "zai-org/GLM-4.5-Air",
    "zai-org/GLM-4.5-Air-FP8",
    "zai-org/GLM-4.7-Flash",
    "zai-org/GLM-5.2-FP8",
    "moonshotai/Kimi-K2-Instruct",
    "moonshotai/Kimi-K2.6",
    "deepseek-ai/DeepSeek-V4-Flash",
    "MiniMaxAI/MiniMax-M2.1",
    "meta-llama/Llama-3.3-70B-Instruct",
    "google/gemma-4-31B-it",
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-FP8",
    "BAAI/bge-m3",
)


def told(name: str, layout: str) -> str:
    """Say in a line how a model is served on GPUs, or why it can not be."""
    found = match(SHIPPED.models[name], imagined(layout, SHIPPED.gpus), SHIPPED.gpus, Want())
    if not isinstance(found, Match):
        return f"no: {found.reason}"
    args = " ".join(words(from_mapping(found.config.args)))
    way = "exact" if "way for cards" not in found.how else "class"
    if found.how.startswith("computed"):
        way = "computed"
    elif "any card" in found.how:
        way = "any"
    assert found.sum
    full = found.sum.card.budget_gb
    used = f"{found.sum.needed_gb / full:.0%} of {full:.1f} GB"
    where = f"{found.config.gpus} x {found.gpus[0].name}"
    return f"{way}, {where}, {found.context} tokens, {used}" + (f": {args}" if args else "")


def table() -> str:
    """Return the whole table as text."""
    parts = []
    for layout in LAYOUTS:
        parts.append(f"== {layout}")
        parts += [f"{name}: {told(name, layout)}" for name in MODELS]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), "utf-8")
