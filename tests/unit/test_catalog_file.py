from __future__ import annotations

import re
from pathlib import Path

import pytest

from fabfile.errors import PodfabError
from fabfile.records import catalog
from fabfile.records.entries import Configuration, Model

from .given import SHIPPED

# vllm 0.33.0: vllm/tool_parsers/__init__.py
TOOL_PARSERS = """
apertus beam cohere_command3 cohere_command4 deepseek_v3 deepseek_v31 deepseek_v32 deepseek_v4
deepseek_v41 dots ernie45 functiongemma gemma4 gigachat3 glm45 glm47 granite granite-20b-fc granite4
hermes hf hunyuan_a13b hy_v3 hy_v4 inkling internlm jamba k2_horizon kimi_k2 kimi_k3 lfm2 ling3
llama3_json llama4_json llama4_pythonic longcat mimo minicpm5 minimax_m2 minimax_m3 mistral muse
muse_glimmer musespark1x olmo3 openai phi4_mini_json plamo3 poolside_v1 pythonic qwen3_coder
qwen3_json qwen3_xml seed_oss step3 step3p5 step5 xlam
""".split()  # noqa: SIM905
# vllm 0.33.0: vllm/reasoning/__init__.py
REASONING_PARSERS = """
beam cohere_command3 cohere_command4 deepseek_r1 deepseek_v3 deepseek_v4 deepseek_v41 ernie45 gemma4
glm45 glm47 granite granite_thinking_parser hf holo2 hunyuan_a13b hy_v3 hy_v4 inkling k2_horizon
kimi_k2 kimi_k3 ling3 mimo minicpmv minimax_m2 minimax_m2_append_think minimax_m3 mistral muse
muse_glimmer musespark1x nemotron_v3 olmo3 openai_gptoss plamo3 poolside_v1 qwen3 seed_oss step3
step3p5 step5
""".split()  # noqa: SIM905
# vllm 0.33.0: the default of --gpu-memory-utilization
UTILIZATION = 0.92

models = pytest.mark.parametrize(
    "model", [pytest.param(model, id=name) for name, model in SHIPPED.models.items()]
)
configurations = pytest.mark.parametrize(
    ("model", "config"),
    [
        pytest.param(model, config, id=f"{name}-{config.gpus}x{config.gpu_types[0]}")
        for name, model in SHIPPED.models.items()
        for config in model.configs
    ],
)


@models
def test_the_parsers_are_ones_that_vllm_knows(model: Model) -> None:
    assert model.tool_parser in (None, *TOOL_PARSERS)
    assert model.reasoning_parser in (None, *REASONING_PARSERS)


@models
def test_a_model_can_be_served_somehow_and_says_what_it_is(model: Model) -> None:
    assert model.configs
    assert model.weights_gb and model.context and model.params_b
    assert model.license and model.precision
    assert model.active_params_b is None or model.active_params_b < model.params_b


@models
def test_the_configurations_stand_from_few_gpus_to_many(model: Model) -> None:
    counts = [config.gpus for config in model.configs]
    assert counts == sorted(counts)


@configurations
def test_the_gpu_types_are_ones_that_the_catalog_knows(model: Model, config: Configuration) -> None:
    assert config.gpu_types
    assert set(config.gpu_types) <= {*SHIPPED.gpus, "any", "cpu"}
    assert (config.gpus == 0) == (config.gpu_types == ["cpu"])


def _smallest_gb(config: Configuration) -> float | None:
    return min((SHIPPED.gpus[kind].memory_gb for kind in config.gpu_types if kind in SHIPPED.gpus),
               default=None)  # fmt: skip


@configurations
def test_weights_and_the_cache_for_one_context_fit_into_the_gpus(
    model: Model, config: Configuration
) -> None:
    memory = _smallest_gb(config)
    per_token = re.search(r"KV ([\d.]+) KiB(, in each GPU)?", model.notes)
    assert per_token and model.weights_gb
    if memory is None:
        return
    length = int(config.args.get("max-model-len", model.context or 0))
    in_each = config.gpus if per_token[2] else 1
    cache = float(per_token[1]) * 1024 * length * in_each / 1e9
    share = float(config.args.get("gpu-memory-utilization", UTILIZATION))
    assert model.weights_gb + cache <= config.gpus * memory * share


@configurations
def test_the_context_is_no_longer_than_the_model_was_made_for(
    model: Model, config: Configuration
) -> None:
    assert int(config.args.get("max-model-len", 0)) <= (model.context or 0)


@configurations
def test_the_parallel_sizes_use_all_gpus_and_are_written_out(
    model: Model, config: Configuration
) -> None:
    sizes = ("tensor-parallel-size", "data-parallel-size", "pipeline-parallel-size")
    product = 1
    for size in sizes:
        product *= int(config.args.get(size, 1))
    assert product == max(config.gpus, 1)
    assert config.gpus < 2 or "tensor-parallel-size" in config.args


@configurations
def test_what_podfab_decides_itself_stands_in_no_arguments(
    model: Model, config: Configuration
) -> None:
    ours = {"tool-call-parser", "reasoning-parser", "enable-auto-tool-choice", "host", "port",
            "api-key", "served-model-name", "model"}  # fmt: skip
    assert not ours & set(config.args)
    assert not any("_" in flag or flag.startswith("-") for flag in config.args)


@configurations
def test_no_variable_is_set_that_needs_a_secret_or_is_gone(
    model: Model, config: Configuration
) -> None:
    # vllm 0.33.0: no longer in vllm/envs.py
    gone = {"VLLM_ATTENTION_BACKEND", "VLLM_USE_V1", "VLLM_USE_FLASHINFER_MXFP4_MOE",
            "HF_HUB_ENABLE_HF_TRANSFER", "VLLM_ALLOW_LONG_MAX_MODEL_LEN"}  # fmt: skip
    assert not gone & set(config.env)
    assert not any("TOKEN" in name or "KEY" in name for name in config.env)


def test_gpu_types_with_one_name_and_two_memories_are_told_apart_by_it() -> None:
    assert SHIPPED.gpus["A100-40GB"].memory_gb == 40
    assert SHIPPED.gpus["A100-80GB"].memory_gb == 80


def test_every_engine_that_setup_chooses_from_is_there() -> None:
    assert {"release", "cuda12", "cpu"} <= set(SHIPPED.engines)
    assert SHIPPED.engines["release"].min_driver == 580
    assert SHIPPED.engines["cuda12"].min_driver == 525
    assert SHIPPED.engines["cpu"].min_driver is None


def test_without_a_file_of_the_users_the_shipped_catalog_holds() -> None:
    assert catalog.load() == SHIPPED


def test_the_users_models_are_added(state: Path) -> None:
    (state / "models.yaml").write_text("models:\n  me/mine: {tool_parser: hermes}\n")
    loaded = catalog.load()
    assert loaded.models == {**SHIPPED.models, "me/mine": Model(tool_parser="hermes")}
    assert loaded.engines == SHIPPED.engines


def test_a_known_model_is_changed_field_by_field(state: Path) -> None:
    (state / "models.yaml").write_text("models:\n  Qwen/Qwen3-8B: {context: 4096}\n")
    ours = SHIPPED.models["Qwen/Qwen3-8B"]
    assert catalog.load().models["Qwen/Qwen3-8B"] == ours.model_copy(update={"context": 4096})


def test_the_users_configs_replace_the_whole_list(state: Path) -> None:
    (state / "models.yaml").write_text(
        "models:\n  Qwen/Qwen3-8B:\n    configs:\n      - {gpus: 1, gpu_types: [my-card]}\n"
        "gpus:\n  my-card: {memory_gb: 48, compute_capability: 8.9}\n"
    )
    loaded = catalog.load()
    assert loaded.models["Qwen/Qwen3-8B"].configs == [Configuration(gpus=1, gpu_types=["my-card"])]
    assert loaded.gpus["my-card"].memory_gb == 48
    assert loaded.gpus["H100"] == SHIPPED.gpus["H100"]


def test_an_engine_of_the_users_can_be_laid_over_ours(state: Path) -> None:
    (state / "models.yaml").write_text('engines:\n  release: {version: "0.34.0"}\n')
    release = catalog.load().engines["release"]
    assert release == SHIPPED.engines["release"].model_copy(update={"version": "0.34.0"})


@pytest.mark.parametrize("text", ["", "# mine\n", "models: {}\n"])
def test_an_empty_file_changes_nothing(state: Path, text: str) -> None:
    (state / "models.yaml").write_text(text)
    assert catalog.load() == SHIPPED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models:\n  a: [b\n", "line 3"),
        ("models:\n  a:\n\t- b\n", "line 3"),
        ("- a\n", "line 1"),
        ("modells: {}\n", "modells: "),
        ("models:\n  Qwen/Qwen3-8B: {colour: red}\n", "models > Qwen/Qwen3-8B > colour: "),
        ("models:\n  me/mine:\n    context: 1\n    colour: red\n", "line 4"),
        ("models:\n  me/mine: {task: sing}\n", "models > me/mine > task: "),
        ("models:\n  me/mine: {context: long}\n", "models > me/mine > context: "),
        ("models:\n  me/mine:\n", "models > me/mine: "),
        ("models: \x00\n", "can not read"),
        (
            "models:\n  me/mine: {configs: [{gpus: 1, gpu_types: [H100], arg: {a: 1}}]}\n",
            "models > me/mine > configs > 0 > arg: ",
        ),
        ("models:\n  me/mine:\n    configs:\n      - {gpus: 1}\n", "configs > 0 > gpu_types: "),
        ("engines:\n  mine: {package: vllm}\n", "engines > mine > version: "),
    ],
)
def test_what_is_wrong_is_named_with_file_and_place(state: Path, text: str, words: str) -> None:
    path = state / "models.yaml"
    path.write_text(text)
    with pytest.raises(PodfabError) as refused:
        catalog.load()
    assert str(path) in str(refused.value)
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
