"""What a checkpoint is, by its config.json and the sizes of its files: a catalog entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..records.entries import Model
from .layers import layers

Config = Mapping[str, Any]
_PRECISIONS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def read(config: Config, files: Mapping[str, int], name: str) -> Model:
    """Return what can be told of a model without downloading it; sizes of files in bytes.

    Raises ValueError for a config.json that describes no language model.
    """
    text = _text(config)
    architectures = config.get("architectures") or text.get("architectures") or [""]
    if not text.get("num_hidden_layers"):
        raise ValueError(f"the config.json of {name} describes no language model")
    return Model(
        family=name.partition("/")[0],
        task=_task(architectures[0], files),
        architecture=architectures[0],
        precision=_precision(config, text),
        weights_gb=weights_gb(files),
        context=_context(text),
        heads=text.get("num_attention_heads"),
        expert_blocks=_expert_blocks(config, text),
        cache=layers(text),
        min_compute_capability=_capability(config, text),
    )


def weights_gb(files: Mapping[str, int]) -> float | None:
    """Return the size of the weights that vLLM loads: one set of those in the top folder."""
    top = {path: size for path, size in files.items() if "/" not in path}
    for suffix in (".safetensors", ".bin", ".pt"):
        found = {path: size for path, size in top.items() if PurePosixPath(path).suffix == suffix}
        # Mistral's repositories hold the same weights again as consolidated*.safetensors.
        plain = {path: size for path, size in found.items() if not path.startswith("consolidated")}
        if chosen := plain or found:
            return round(sum(chosen.values()) / 1e9, 2) or None
    return None


def completed(
    entry: Model, read: Model, name: str, catalog: Mapping[str, Model]
) -> tuple[Model, list[str]]:
    """Lay a catalog's entry over what was read; parsers it does not give are guessed.

    The guess is what the catalog's model of the same architecture takes whose name is most alike.
    """
    where = "in its folder" if name.startswith("/") else "on the hub"
    notes = [
        f"{name} was read {where}: {read.architecture}, {read.weights_gb or '?'} GB of "
        f"{read.precision} weights, {read.context} tokens"
    ]
    given = {field: getattr(entry, field) for field in entry.model_fields_set}
    model = read.model_copy(update=given)
    same = [
        other
        for other, known in catalog.items()
        if known.architecture == read.architecture and other != name
    ]
    like = max(same, key=lambda other: _alike(name, other), default="")
    if not like or "tool_parser" in given or model.task != "generate":
        return model, notes
    fields = ("tool_parser", "reasoning_parser", "min_engine")
    guessed = {field: getattr(catalog[like], field) for field in fields if field not in given}
    parsers = [str(guessed[field]) for field in fields[:2] if guessed.get(field)]
    said = " and ".join(parsers) or "none"
    notes.append(f"a guess: parsers as for {like}, {said}; --vllm-args replaces them")
    return model.model_copy(update=guessed), notes


def _alike(one: str, other: str) -> float:
    first, second = (Counter(_words(name)) for name in (one, other))
    return 2 * sum((first & second).values()) / (sum(first.values()) + sum(second.values()))


def _words(name: str) -> list[str]:
    return name.lower().replace("/", "-").replace("_", "-").split("-")


def _text(config: Config) -> Config:
    """Return the part about the language model: models that also see nest it."""
    for name in ("text_config", "llm_config", "language_config"):
        if isinstance(config.get(name), Mapping):
            return dict(config[name])
    return config


def _context(text: Config) -> int | None:
    longest = text.get("max_position_embeddings")
    if longest and "roberta" in str(text.get("model_type", "")):
        return int(longest) - 2  # its positions begin after the padding's
    return longest


def _task(architecture: str, files: Mapping[str, int]) -> Any:
    if "SequenceClassification" in architecture:
        return "rerank"
    if "modules.json" in files or not architecture.endswith(("LM", "LMHeadModel", "Generation")):
        return "embed"  # modules.json is of sentence-transformers
    return "generate"


def _precision(config: Config, text: Config) -> str:
    quantization = _quantization(config, text)
    method = quantization.get("quant_method", "")
    if method == "compressed-tensors":
        groups = list((quantization.get("config_groups") or {}).values())
        weights = (groups[0] if groups else {}).get("weights") or {}
        return f"{'fp' if weights.get('type') == 'float' else 'int'}{weights.get('num_bits', 4)}"
    if method == "modelopt":
        return str(quantization.get("quant_algo", "fp8")).lower()
    if method:
        return str(method)
    fields = [of.get(name) for of in (text, config) for name in ("dtype", "torch_dtype")]
    named = str(next(filter(None, fields), "")).removeprefix("torch.")
    return _PRECISIONS.get(named, named)


def _quantization(config: Config, text: Config) -> Config:
    return config.get("quantization_config") or text.get("quantization_config") or {}


def _expert_blocks(config: Config, text: Config) -> int | None:
    """Return the width of an expert in quantization blocks; tensor parallelism cuts there."""
    width = text.get("moe_intermediate_size")
    if width is None and text.get("num_local_experts"):
        width = text.get("intermediate_size")
    block = _quantization(config, text).get("weight_block_size")
    return width // block[0] if isinstance(width, int) and block else None


def _capability(config: Config, text: Config) -> float | None:
    """Return the oldest GPU generation that serves it, where the kernels have a floor.

    vllm 0.33.0: layers/quantization/mxfp4.py; sparse MLA (an indexer) has kernels from Hopper on.
    """
    if text.get("index_head_dim"):
        return 9.0
    return 8.0 if _quantization(config, text).get("quant_method") == "mxfp4" else None
