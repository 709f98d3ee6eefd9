from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fabfile.errors import PodfabError
from fabfile.plan import fit
from fabfile.plan.cards import ANY, CPU, imagined
from fabfile.plan.cpu import on_cpu
from fabfile.plan.matching import Match, match
from fabfile.plan.misfit import LEAST, capable
from fabfile.plan.spread import Want, sum_for, ways
from fabfile.records import catalog
from fabfile.records.entries import Configuration, Model
from fabfile.records.yamlfile import duplicate

from .given import SHIPPED

PROJECT = Path(__file__).parent.parent.parent
# badlogic/pi-mono@83378aad: packages/pods/src/models.json
PIS = """
Qwen/Qwen2.5-Coder-32B-Instruct Qwen/Qwen3-Coder-30B-A3B-Instruct
Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8 Qwen/Qwen3-Coder-480B-A35B-Instruct
Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8 openai/gpt-oss-20b openai/gpt-oss-120b zai-org/GLM-4.5
zai-org/GLM-4.5-FP8 zai-org/GLM-4.5-Air zai-org/GLM-4.5-Air-FP8 moonshotai/Kimi-K2-Instruct
""".split()  # noqa: SIM905

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
def test_a_model_can_be_served_somehow_and_says_what_it_is(model: Model) -> None:
    assert model.configs
    assert model.weights_gb and model.context and model.params_b
    assert model.license and model.precision and model.family and model.architecture
    assert model.heads and model.cache is not None
    assert model.active_params_b is None or model.active_params_b < model.params_b


def cards(config: Configuration) -> list[str]:
    """The types and classes of a configuration; any card is taken for one of 8 GB."""
    return ["8GB" if kind == ANY else kind for kind in config.gpu_types if kind != CPU]


@configurations
def test_a_configuration_fits_the_gpus_that_it_is_for(model: Model, config: Configuration) -> None:
    for kind in cards(config):
        (gpu, *_) = imagined(f"{config.gpus}x{kind}", SHIPPED.gpus)
        found = sum_for(model, config, gpu, Want())
        assert found and found.fits, f"{kind}: {found}"
        assert found.context >= min(LEAST, model.context or 0), f"{kind}: {found}"
        assert found.context >= int(config.args.get("max-model-len", 0)), f"{kind}: {found}"
        assert capable(model, gpu)


@configurations
def test_a_configuration_can_be_cut_as_it_says(model: Model, config: Configuration) -> None:
    spread = ways(config.args)
    assert fit.divides(model, spread)
    assert spread.gpus == max(config.gpus, 1)
    assert config.gpus < 2 or "tensor-parallel-size" in config.args


@configurations
def test_a_configuration_that_serves_on_a_cpu_fits_24_gb(
    model: Model, config: Configuration
) -> None:
    if config.gpu_types != [CPU]:
        return
    one = model.model_copy(update={"configs": [config]})
    assert isinstance(on_cpu(one, 24_000, Want()), Match)
    tokens = int(config.args.get("max-model-len", model.context or 0))
    needed = fit.cache_bytes(model.cache or [], tokens, 1, 4096)
    assert needed <= int(config.env["VLLM_CPU_KVCACHE_SPACE"]) * 1024**3


@configurations
def test_a_configuration_says_where_it_comes_from(model: Model, config: Configuration) -> None:
    assert re.match(
        r"recipe models/\S+\.yaml|pi|arithmetic|measured|a published log", config.source
    )


@models
def test_what_a_model_is_good_for_holds_it(model: Model) -> None:
    for layout in model.good_for:
        if layout == CPU:
            assert any(CPU in config.gpu_types for config in model.configs)
            continue
        found = match(model, imagined(layout, SHIPPED.gpus), SHIPPED.gpus, Want())
        assert isinstance(found, Match)
        assert found.context >= min(24 * 1024, model.context or 0)


@pytest.mark.parametrize(
    "layout",
    ["cpu", "1x16GB", "1x24GB", "1x48GB", "1x80GB", "2x80GB", "4x80GB", "8x80GB", "8x141GB"],
)
def test_there_are_good_choices_for_what_people_rent(layout: str) -> None:
    assert len([model for model in SHIPPED.models.values() if layout in model.good_for]) >= 2


def test_the_catalog_knows_what_was_asked_for() -> None:
    assert len(SHIPPED.models) >= 60
    assert set(PIS) <= set(SHIPPED.models)
    tasks = [model.task for model in SHIPPED.models.values()]
    assert min(tasks.count(task) for task in ("embed", "rerank")) >= 2
    assert len([m for m in SHIPPED.models.values() if any(c.gpus == 0 for c in m.configs)]) >= 4


@models
def test_a_model_that_no_machine_of_h200_holds_says_so(model: Model) -> None:
    found = match(model, imagined("8xH200", SHIPPED.gpus), SHIPPED.gpus, Want())
    said = "needs more than one machine" in model.notes
    assert isinstance(found, Match) or said


@configurations
def test_the_context_is_no_longer_than_the_model_was_made_for(
    model: Model, config: Configuration
) -> None:
    assert int(config.args.get("max-model-len", 0)) <= (model.context or 0)


@configurations
def test_what_podfab_decides_itself_stands_in_no_arguments(
    model: Model, config: Configuration
) -> None:
    ours = {"tool-call-parser", "reasoning-parser", "enable-auto-tool-choice", "host", "port",
            "api-key", "served-model-name", "model"}  # fmt: skip
    assert not ours & set(config.args)
    assert not any("_" in flag or flag.startswith("-") for flag in config.args)


@configurations
def test_no_variable_is_set_that_needs_a_secret(model: Model, config: Configuration) -> None:
    assert not any("TOKEN" in name or "KEY" in name for name in config.env)


def test_gpu_types_with_one_name_and_two_memories_are_told_apart_by_it() -> None:
    assert SHIPPED.gpus["A100-40GB"].memory_gb == 40
    assert SHIPPED.gpus["A100-80GB"].memory_gb == 80


def test_every_engine_that_setup_chooses_from_is_there() -> None:
    assert {"release", "cuda12", "cpu"} <= set(SHIPPED.engines)
    assert SHIPPED.engines["release"].min_driver == 580
    assert SHIPPED.engines["cuda12"].min_driver == 525
    assert SHIPPED.engines["cpu"].min_driver is None


def one_way(config: str) -> str:
    """A catalog with one model that is served so."""
    return f"models:\n  me/a:\n    configs:\n      - {config}\n"


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


@pytest.mark.parametrize("text", ["", "# mine\n", "models: {}\n", "models:\ngpus:\n"])
def test_an_empty_file_changes_nothing(state: Path, text: str) -> None:
    (state / "models.yaml").write_text(text)
    assert catalog.load() == SHIPPED


def test_a_model_can_be_hidden(state: Path) -> None:
    (state / "models.yaml").write_text("models:\n  Qwen/Qwen3-8B: {hidden: true}\n")
    assert set(SHIPPED.models) - set(catalog.load().models) == {"Qwen/Qwen3-8B"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models:\n  a: [b\n", "line 3"),
        ("models:\n  a:\n\t- b\n", "line 3"),
        ("- a\n", "line 1"),
        ("modells: {}\n", "modells: "),
        ("models:\n  Qwen/Qwen3-8B: {colour: red}\n", "models > Qwen/Qwen3-8B > colour: "),
        ("models:\n  me/mine:\n    context: 1\n    colour: red\n", "line 4"),
        ("models:\n  Qwen/Qwen3-8B: {contxt: 1}\n", "did you mean 'context'?"),
        ("engines:\n  release: {vesion: '1'}\n", "did you mean 'version'?"),
        ("models:\n  me/mine: {task: sing}\n", "one of generate, embed, rerank is expected"),
        ("models:\n  me/mine: {task: embed_}\n", "did you mean 'embed'?"),
        ("models:\n  Qwen/Qwen3-8: {hidden: true}\n", "did you mean 'Qwen/Qwen3-8B'?"),
        ("models:\n  me/a: {min_engine: 0.10}\n", 'a release in quotes is expected: "0.10.0"'),
        ("models:\n  me/a: {weights_gb: .inf}\n", "models > me/a > weights_gb: "),
        ("models:\n  me/a: {weights_gb: true}\n", "weights_gb: a number is expected"),
        ("models:\n  me/a: [1]\n", "fields are expected, a line for each: name: value"),
        (one_way("{gpus: 1, gpu_types: []}"), "gpu_types: "),
        (one_way("{gpus: 0, gpu_types: [H100]}"), "gpus: 0 goes with gpu_types: [cpu]"),
        (one_way("{gpus: 1, gpu_types: [cpu]}"), "gpus: 0 goes with gpu_types: [cpu]"),
        (
            one_way("{gpus: 2, gpu_types: [H100], args: {tensor-parallel-size: 4}}"),
            "the parallel sizes make 4, gpus is 2",
        ),
        (one_way("{gpus: 1, gpu_types: [any], args: {max-model-len: 32k}}"), "is a whole number"),
        (one_way("{gpus: 1, gpu_types: [any], args: {max-model-len: auto}}"), "is a whole number"),
        (one_way("{gpus: 1, gpu_types: [any], args: {max_model_len: 0}}"), "is a whole number"),
        (
            one_way("{gpus: 1, gpu_types: [any], args: {gpu-memory-utilization: 90%}}"),
            "'gpu-memory-utilization' is a share like 0.9",
        ),
        (
            one_way("{gpus: 1, gpu_types: [any], args: {gpu-memory-utilization: 1.5}}"),
            "'gpu-memory-utilization' is a share like 0.9",
        ),
        (
            one_way("{gpus: 1, gpu_types: [any], args: {tool-call-parser: hermes}}"),
            "'tool-call-parser' does not stand in args: the field tool_parser",
        ),
        (one_way("{gpus: 1, gpu_types: [any], args: {x: [1]}}"), "one number, text, true or false"),
        ("models:\n  qwen/qwen3-8b: {context: 4}\n", "did you mean 'Qwen/Qwen3-8B'?"),
        ("models:\n  me/a: {}\n  me/b: {}\n  me/a: {}\n", "line 4: me/a stands here twice"),
        ("models:\n  me/a: {context: 0}\n", "models > me/a > context: "),
        ("models:\n  me/a: {good_for: [many]}\n", "models > me/a > good_for > 0: "),
        ("models:\n  me/a: {cache: [{layers: 2, kv_head: 3}]}\n", "did you mean 'kv_heads'?"),
        (
            "models:\n  me/a: {cache: [{layers: 2, kv_heads: 3}]}\n",
            "kv_heads with head_dim, latent",
        ),
        (
            "models:\n  me/a:\n    configs:\n      - {gpus: 1, gpu_types: [H10]}\n",
            "line 4: models > me/a > configs > 0 > gpu_types: unknown word 'H10'; "
            "did you mean 'H100'?",
        ),
        (
            "models:\n  me/a: {configs: [{gpus: 1, gpu_types: [Z9]}]}\n",
            "one of gpus, a class like 48GB, any or cpu is expected",
        ),
        (
            "models:\n  me/a: {configs: [{gpus: 1, gpu_types: [any], args: {--x: 1}}]}\n",
            "'--x' is no flag as it stands here: without dashes",
        ),
        (
            "models:\n  me/a: {configs: [{gpus: 1, gpu_types: [any], args: {api_key: k}}]}\n",
            "'api-key' does not stand in args: it is the file api_key",
        ),
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


def test_our_file_has_nothing_twice() -> None:
    assert duplicate(catalog.SHIPPED) is None


def test_the_page_and_the_schema_are_fresh() -> None:
    command = [sys.executable, str(PROJECT / "script" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_schema_describes_every_field_and_needs_none_that_ours_has() -> None:
    schema = json.loads((PROJECT / "models.schema.json").read_text("utf-8"))
    assert "required" not in schema and "required" not in schema["$defs"]["Engine"]
    for kind in schema["$defs"].values():
        for field, about in kind["properties"].items():
            assert about.get("description"), field
    assert schema["$defs"]["Model"]["properties"]["task"]["enum"] == ["generate", "embed", "rerank"]


def test_the_users_page_shows_a_catalog_that_can_be_read(state: Path) -> None:
    page = (PROJECT / "docs" / "catalog.md").read_text("utf-8")
    example = page.split("# yaml-language-server")[1].split("\n\n")[0].split("\n", 1)[1]
    (state / "models.yaml").write_text(example)
    assert set(yaml.safe_load(example)["models"]) == {
        "me/my-coder",
        "Qwen/Qwen3-8B",
        "zai-org/GLM-4.5",
    }
    loaded = catalog.load().models
    assert loaded["me/my-coder"].weights_gb == 16.4 and "zai-org/GLM-4.5" not in loaded
