from __future__ import annotations

import json
from typing import Any

import pytest

from fabfile.plan import checkpoint
from fabfile.plan.layers import layers
from fabfile.records.entries import Layers, Model

from .given import RECORDED, SHIPPED

# The fields that matter of real config.json files.
CONFIGS: dict[str, dict[str, Any]] = json.loads((RECORDED / "configs.json").read_text("utf-8"))
GB = 10**9


def read(config: dict[str, Any], files: dict[str, int] | None = None, name: str = "me/m") -> Model:
    return checkpoint.read(config, files or {}, name)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_real_configuration_is_read_as_the_catalog_has_it(name: str) -> None:
    found, ours = read(CONFIGS[name]), SHIPPED.models[name]
    assert found.cache == ours.cache
    assert (found.architecture, found.heads) == (ours.architecture, ours.heads)
    assert found.min_compute_capability == ours.min_compute_capability
    assert found.task == ours.task
    if name.startswith("MiniMax"):
        assert ours.expert_blocks == 1536 // 128
    assert found.expert_blocks == ours.expert_blocks


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("Qwen/Qwen3-8B", "bf16"),
        ("Qwen/Qwen3-14B-AWQ", "awq"),
        ("openai/gpt-oss-20b", "mxfp4"),
        ("zai-org/GLM-5.1-FP8", "fp8"),
        ("moonshotai/Kimi-K2.5", "int4"),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-FP8", "fp8"),
        ("google/gemma-4-31B-it", "bf16"),
        ("BAAI/bge-reranker-v2-m3", "fp32"),
    ],
)
def test_the_precision_is_told(name: str, precision: str) -> None:
    assert read(CONFIGS[name]).precision == precision


PLAIN = {"num_hidden_layers": 6, "num_attention_heads": 8, "hidden_size": 512}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (PLAIN, [Layers(layers=6, kv_heads=8, head_dim=64)]),
        ({**PLAIN, "num_key_value_heads": 2, "head_dim": 96},
         [Layers(layers=6, kv_heads=2, head_dim=96)]),
        # A window that is declared and not used, or as long as the context, is none.
        ({**PLAIN, "sliding_window": 64, "use_sliding_window": False},
         [Layers(layers=6, kv_heads=8, head_dim=64)]),
        ({**PLAIN, "sliding_window": None, "layer_types": ["sliding_attention"] * 6},
         [Layers(layers=6, kv_heads=8, head_dim=64)]),
        ({**PLAIN, "sliding_window": 4096, "max_position_embeddings": 4096},
         [Layers(layers=6, kv_heads=8, head_dim=64)]),
        ({**PLAIN, "sliding_window": 4096, "max_position_embeddings": 8192},
         [Layers(layers=6, kv_heads=8, head_dim=64, window=4096)]),
        ({**PLAIN, "sliding_window": 1024, "sliding_window_pattern": 3},
         [Layers(layers=2, kv_heads=8, head_dim=64),
          Layers(layers=4, kv_heads=8, head_dim=64, window=1024)]),
        ({**PLAIN, "attention_chunk_size": 8192,
          "layer_types": ["chunked_attention"] * 5 + ["full_attention"]},
         [Layers(layers=1, kv_heads=8, head_dim=64),
          Layers(layers=5, kv_heads=8, head_dim=64, window=8192)]),
        ({**PLAIN, "kv_lora_rank": 512, "qk_rope_head_dim": 64}, [Layers(layers=6, latent=576)]),
        ({**PLAIN, "layers_block_type": ["mamba", "attention"] * 3, "mamba_n_heads": 4,
          "mamba_d_head": 32, "mamba_d_state": 16},
         [Layers(layers=3, kv_heads=8, head_dim=64), Layers(layers=3, state_kib=8.9)]),
        ({**PLAIN, "model_type": "xlm-roberta"}, []),
    ],
)  # fmt: skip
def test_what_layers_keep_is_told(config: dict[str, Any], expected: list[Layers]) -> None:
    assert layers(config) == expected


@pytest.mark.parametrize(
    ("files", "gigabytes"),
    [
        ({"model-1.safetensors": 4 * GB, "model-2.safetensors": 2 * GB, "x.json": GB}, 6),
        ({"original/consolidated.safetensors": 9 * GB, "model.safetensors": 6 * GB}, 6),
        ({"consolidated.safetensors": 6 * GB, "model-1.safetensors": 6 * GB}, 6),
        ({"consolidated-1.safetensors": 3 * GB, "consolidated-2.safetensors": 3 * GB}, 6),
        ({"pytorch_model.bin": 6 * GB, "tokenizer.model": 1}, 6),
        ({"model.safetensors": 6 * GB, "pytorch_model.bin": 6 * GB}, 6),
        ({"model.gguf": 6 * GB}, None),
        ({}, None),
    ],
)
def test_one_set_of_weights_is_counted(files: dict[str, int], gigabytes: float | None) -> None:
    assert checkpoint.weights_gb(files) == gigabytes


@pytest.mark.parametrize(
    ("architecture", "files", "task"),
    [
        ("Qwen3ForCausalLM", {}, "generate"),
        ("GPT2LMHeadModel", {}, "generate"),
        ("Qwen3_5ForConditionalGeneration", {}, "generate"),
        ("Qwen3ForCausalLM", {"modules.json": 1}, "embed"),
        ("XLMRobertaModel", {}, "embed"),
        ("BertForMaskedLM", {"modules.json": 1}, "embed"),
        ("ModernBertForSequenceClassification", {}, "rerank"),
    ],
)
def test_the_task_is_told(architecture: str, files: dict[str, int], task: str) -> None:
    assert read({**PLAIN, "architectures": [architecture]}, files).task == task


def test_what_is_no_language_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"config\.json of me/m describes no language model"):
        read({"model_type": "unet"})


def guessed(name: str, config: str) -> tuple[Model, list[str]]:
    found = read(CONFIGS[config], {"model.safetensors": 16 * GB}, name)
    return checkpoint.completed(Model(), found, name, SHIPPED.models)


@pytest.mark.parametrize(
    ("name", "config", "parsers"),
    [
        ("someone/Qwen3-8B-tuned", "Qwen/Qwen3-8B", ("hermes", "qwen3")),
        ("someone/qwen3-coder-480b-ours", "Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8",
         ("qwen3_coder", None)),
        ("someone/my-gpt-oss", "openai/gpt-oss-20b", ("openai", "openai_gptoss")),
        ("someone/Llama-3.1-8B-tuned", "meta-llama/Llama-3.1-8B-Instruct", ("llama3_json", None)),
        ("someone/reranker", "BAAI/bge-reranker-v2-m3", (None, None)),
    ],
)  # fmt: skip
def test_parsers_are_guessed_from_the_architecture_and_the_name(
    name: str, config: str, parsers: tuple[str | None, str | None]
) -> None:
    found, notes = guessed(name, config)
    assert (found.tool_parser, found.reasoning_parser) == parsers
    assert notes[0].startswith(f"{name} was read on the hub: ")
    said = [note for note in notes if note.startswith("a guess: parsers as for ")]
    assert bool(said) == (found.task == "generate")


def test_the_guess_is_said_with_the_way_to_replace_it() -> None:
    _, notes = guessed("someone/Qwen3-8B-tuned", "Qwen/Qwen3-8B")
    assert notes == [
        "someone/Qwen3-8B-tuned was read on the hub: Qwen3ForCausalLM, 16.0 GB of bf16 weights, "
        "40960 tokens",
        "a guess: parsers as for Qwen/Qwen3-8B, hermes and qwen3; --vllm-args replaces them",
    ]


def test_an_entry_of_the_users_is_laid_over_what_was_read() -> None:
    entry = Model(tool_parser="mine", context=8192)
    read_ = read(CONFIGS["Qwen/Qwen3-8B"], {"model.safetensors": 16 * GB})
    found, notes = checkpoint.completed(entry, read_, "me/m", SHIPPED.models)
    assert (found.tool_parser, found.reasoning_parser) == ("mine", None)
    assert (found.context, found.weights_gb) == (8192, 16)
    assert len(notes) == 1


def test_an_architecture_that_nobody_knows_gets_no_parser() -> None:
    read_ = read({**PLAIN, "architectures": ["NewForCausalLM"]})
    found, notes = checkpoint.completed(Model(), read_, "me/m", SHIPPED.models)
    assert found.tool_parser is None and len(notes) == 1
