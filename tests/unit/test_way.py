from __future__ import annotations

from typing import Any

import pytest

from fabfile.errors import PodfabError
from fabfile.plan.asked import Wish
from fabfile.plan.facts import Facts
from fabfile.plan.hardware import Gpu
from fabfile.plan.launch import LaunchPlan, plan_launch
from fabfile.plan.spread import Want
from fabfile.plan.way import choose_engine
from fabfile.records.entries import Catalog, Configuration, Layers, Model

from .given import SHIPPED, raw_job, ready_facts

CACHE = [Layers(layers=36, kv_heads=8, head_dim=128)]


def plan(name: str, gpus: str = "1x-h100", catalog: Catalog = SHIPPED, **wish: Any) -> LaunchPlan:
    facts = ready_facts("release", "0.33.0", gpus)
    return plan_launch(Wish(name, "m", **wish), facts, catalog, "release")


def refused(name: str, gpus: str, **wish: Any) -> str:
    with pytest.raises(PodfabError) as error:
        plan(name, gpus, **wish)
    return error.value.text


@pytest.mark.parametrize(
    ("wish", "want"),
    [
        ({}, Want()),
        ({"gpus": 2}, Want(2)),
        ({"gpus": [1, 3]}, Want(2)),
        ({"context": "32768", "memory": 0.5}, Want(None, 32768, 0.5)),
        ({"context": "auto"}, Want()),
        ({"vllm_args": "--max-model-len 4096 --gpu-memory-utilization=0.4"}, Want(None, 4096, 0.4)),
        ({"vllm_args": "-tp 4"}, Want(4, args={"tensor-parallel-size": "4"})),
        ({"vllm_args": "-tp 2 -dp 2"},
         Want(4, args={"tensor-parallel-size": "2", "data-parallel-size": "2"})),
        ({"vllm_args": "-tp 4", "gpus": 2}, Want(2, args={"tensor-parallel-size": "4"})),
        ({"vllm_args": "--kv-cache-dtype fp8 -ep"},
         Want(args={"kv-cache-dtype": "fp8", "enable-expert-parallel": True})),
        # What is no plain number is for vLLM to judge.
        ({"vllm_args": "--max-model-len 25.6k -tp many --max-model-len auto"}, Want()),
        ({"vllm_args": "--chat-template x"}, Want()),
        ({"vllm_args": "-tp 0 --gpu-memory-utilization 2"}, Want()),
    ],
)  # fmt: skip
def test_what_decides_about_memory_is_read_from_all_flags(wish: dict[str, Any], want: Want) -> None:
    assert Wish("me/m", "m", **wish).want == want


def test_the_plan_says_where_its_configuration_comes_from_and_shows_the_sum() -> None:
    found = plan("Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8")
    assert found.how == "the catalog's way for H100 (pi)"
    (memory,) = [check for check in found.checks if check.check == "memory"]
    assert memory.ok
    assert memory.detail.startswith("weights 31.2 + 262144 tokens 25.8 + reserve 5.3 = 62.3 of 8")


def test_a_context_that_memory_cuts_says_what_an_8_bit_cache_holds() -> None:
    found = plan("Qwen/Qwen3-8B", "1x-rtx-4090")
    assert "26624 of 40960 tokens fit; --vllm-args='--kv-cache-dtype fp8' holds 40960" in (
        " ".join(found.notes)
    )
    assert plan("Qwen/Qwen3-8B").notes == []
    assert plan("Qwen/Qwen3-8B", "1x-rtx-4090", context="8192").notes == []
    given = plan("Qwen/Qwen3-8B", "1x-rtx-4090", vllm_args="--kv-cache-dtype fp8")
    assert given.notes == []
    old = plan("Qwen/Qwen3-Coder-30B-A3B-Instruct", "2x-a100-80")
    assert old.notes == [], "an A100 has no FP8"


def test_what_does_not_fit_says_which_checkpoint_does() -> None:
    text = refused("Qwen/Qwen3-Coder-30B-A3B-Instruct", "1x-a100-40")
    assert text.endswith("GB; Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8 fits")
    assert "weights 61.1 + 4096 tokens 0.4" in text


def test_what_does_not_fit_says_whether_fp8_weights_would_where_the_card_computes_them() -> None:
    mine = SHIPPED.model_copy(
        update={
            "models": {
                "me/m": Model(weights_gb=30, context=32768, heads=32, cache=CACHE, precision="bf16")
            }
        }
    )
    with pytest.raises(PodfabError, match="--vllm-args='--quantization fp8' makes it fit"):
        plan("me/m", "1x-rtx-4090", mine)
    made = plan("me/m", "1x-rtx-4090", mine, vllm_args="--quantization fp8")
    assert made.failed == [] and "--quantization" in made.args
    with pytest.raises(PodfabError, match="--gpus=N --force tries it all the same"):
        plan("me/m", "1x-t4", mine)


def test_a_context_that_does_not_fit_says_which_does() -> None:
    text = refused("Qwen/Qwen3-8B", "1x-rtx-4090", context="40960")
    assert text.endswith("26624 tokens fit: less --context")
    longer = plan("Qwen/Qwen3-8B", context="50000")
    assert [check.check for check in longer.failed] == ["context"]
    assert longer.failed[0].detail == (
        "50000 of 40960 tokens that the model was made for; less --context is needed"
    )


def test_what_nothing_helps_says_where_it_is_known_to_run() -> None:
    text = refused("moonshotai/Kimi-K2-Instruct", "8x-h100")
    assert "it is known to run on 8 x B200 or B300; --gpus=N --force tries it all the same" in text
    without = refused("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", "1x-t4")
    assert "4 x H100" in without


def busy(free_mib: int, *jobs: dict[str, Any]) -> Facts:
    facts = ready_facts("release", "0.33.0", "1x-h100", jobs=list(jobs))
    gpu = Gpu(**{**vars(facts.gpus[0]), "free_mib": free_mib})
    return Facts(**{**vars(facts), "gpus": [gpu]})


def test_a_gpu_that_is_taken_says_what_to_stop_or_how_to_share_it() -> None:
    facts = busy(30_000, raw_job("other", ready=True))
    wish = Wish("Qwen/Qwen3-8B", "m", port=9000, memory=0.5)
    (check,) = plan_launch(wish, facts, SHIPPED, "release").failed
    assert check.detail == (
        "GPU 0 has 31.5 GB free, vLLM takes 50% of it, 41.9 GB; inv models.stop --name=other "
        "frees it, or share it: --memory=36%"
    )
    shared = plan_launch(Wish("Qwen/Qwen3-8B", "m", memory=0.36), facts, SHIPPED, "release")
    assert shared.failed == []


def engines(**there: str) -> Facts:
    facts = ready_facts("release", "0.33.0", "1x-h100")
    known = {f"{name}-{has}": has for name, has in there.items()}
    links = {name: f"{name}-{has}" for name, has in there.items()}
    return Facts(**{**vars(facts), "engines": known, "links": links})


@pytest.mark.parametrize(
    ("there", "wished", "needed", "folder"),
    [
        ({"cuda12": "0.19.1"}, None, "0.19.0", "cuda12-0.19.1"),
        ({"cuda12": "0.19.1", "release": "0.33.0"}, None, "0.19.0", "cuda12-0.19.1"),
        ({"cuda12": "0.19.1", "release": "0.33.0"}, None, "0.20.0", "release-0.33.0"),
        ({"cuda12": "0.19.1", "release": "0.33.0"}, "cuda12", "0.20.0", "cuda12-0.19.1"),
        ({"cuda12": "0.19.1", "cpu": "0.32.0"}, None, "0.20.0", "cuda12-0.19.1"),
        ({"cuda12": "0.19.1"}, None, "0.20.0", "cuda12-0.19.1"),
    ],
)
def test_an_installed_engine_that_is_new_enough_serves_a_model(
    there: dict[str, str], wished: str | None, needed: str, folder: str
) -> None:
    model = Model(min_engine=needed)
    found, why = choose_engine(wished, "cuda12", model, engines(**there), SHIPPED.engines)
    assert found == folder
    assert bool(why) == (folder == "release-0.33.0")


def test_a_model_that_is_new_to_the_engine_says_which_adds_it() -> None:
    facts = engines(cuda12="0.19.1")
    new = SHIPPED.model_copy(
        update={"models": {"me/m": Model(min_engine="0.23.0",
                                         configs=[Configuration(gpus=1, gpu_types=["any"])])}}
    )  # fmt: skip
    (check,) = plan_launch(Wish("me/m", "m"), facts, new, "cuda12").failed
    assert check.detail == (
        "vLLM 0.19.1 is here, 0.23.0 is needed; --engine=release adds vLLM 0.33.0 beside it"
    )
