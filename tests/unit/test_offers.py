from __future__ import annotations

from typing import Any

import pytest

from fabfile.plan.cards import imagined
from fabfile.plan.facts import Facts
from fabfile.plan.hardware import Gpu
from fabfile.plan.offers import IF, NO, YES, Offer, Place, offer, smallest
from fabfile.records.entries import Configuration, Layers, Model

from .given import SHIPPED, job, ready_facts

BIG = "zai-org/GLM-4.5-Air-FP8"
SMALL = "Qwen/Qwen3-8B"


def on(name: str, place: Place) -> Offer:
    return offer(name, SHIPPED.models[name], SHIPPED.gpus, place)


def pod(gpus: str, version: str = "0.33.0", used: dict[int, float] | None = None,
        jobs: tuple[Any, ...] = (), driver: str = "") -> Place:  # fmt: skip
    """A pod with these GPUs, of some of which only a share is free."""
    facts = ready_facts("release", version)
    facts = Facts(**{**vars(facts), "driver": driver or "580.95.05"})
    free = used or {}
    cards = [
        Gpu(**{**vars(g), "free_mib": int((g.memory_mib or 0) * free.get(g.id, 0.99))})
        for g in imagined(gpus, SHIPPED.gpus)
    ]
    facts = Facts(**{**vars(facts), "gpus": cards})
    return Place(cards, jobs, facts, 64_000, SHIPPED.engines)


def test_what_fits_says_where_with_how_many_tokens_and_why() -> None:
    found = on(SMALL, Place(imagined("1xL4", SHIPPED.gpus)))
    assert (found.fits, found.place, found.context) == (YES, "1 x L4", 16384)
    assert found.reason.startswith("the catalog's way for cards of 24 GB or more (arithmetic); ")
    assert "16384 tokens 2.4" in found.reason


def test_what_rests_on_the_sum_alone_or_needs_a_token_is_marked() -> None:
    on_l4, on_h100 = (Place(imagined(layout, SHIPPED.gpus)) for layout in ("1xL4", "1xH100"))
    assert on(SMALL, on_l4).marks == ["untried"]
    assert on("openai/gpt-oss-20b", on_h100).marks == []
    assert on("meta-llama/Llama-3.1-8B-Instruct", on_h100).marks == ["gated"]
    assert on("meta-llama/Llama-3.1-8B-Instruct", on_l4).marks == ["untried", "gated"]


def test_what_does_not_fit_says_the_sum() -> None:
    found = on(BIG, Place(imagined("1xH100", SHIPPED.gpus)))
    assert found.fits == NO and found.config is None
    assert "121.4 but only" in found.reason
    assert found.short == "needs 121.4 GB"


def test_what_would_fit_says_what_to_stop() -> None:
    busy = pod("2xH100", used={1: 0.05}, jobs=(job("qwen", details={"gpus": [1]}),))
    found = on(BIG, busy)
    assert (found.fits, found.condition) == (IF, "stop qwen")
    assert "per GPU" in found.reason
    assert on(SMALL, busy).fits == YES, "one GPU is idle, that is enough"


def test_a_model_that_is_just_starting_holds_its_gpu_already() -> None:
    starting = pod("1xH100", jobs=(job("qwen", details={"gpus": [0]}),))
    assert on(SMALL, starting).condition == "stop qwen"


def test_what_is_not_ours_must_be_freed_too() -> None:
    assert on(SMALL, pod("1xH100", used={0: 0.3})).fits == YES, "the rest is enough"
    taken = on(SMALL, pod("1xH100", used={0: 0.1}))
    assert taken.condition == "free the GPUs: something that is not podfab's uses them"


def test_a_model_that_needs_a_newer_engine_says_which_adds_it() -> None:
    assert on("zai-org/GLM-5.2-FP8", pod("8xB200")).fits == YES
    found = on("zai-org/GLM-5.2-FP8", pod("8xB200", "0.19.1"))
    assert found.fits == IF
    assert found.condition == ("it needs vLLM 0.23.0: --engine=release adds vLLM 0.33.0 beside it")
    old = on("zai-org/GLM-5.2-FP8", pod("8xB200", "0.19.1", driver="550.54.15"))
    assert old.condition == (
        "it needs vLLM 0.23.0: release can not run here: it needs driver 580, "
        "this pod has 550.54.15"
    )


def test_a_pod_without_gpus_serves_what_its_memory_holds() -> None:
    place = Place([], memory_mib=16_000)
    small = on("Qwen/Qwen3-0.6B", place)
    assert (small.fits, small.place, small.context) == (YES, "CPU", 8192)
    assert on(SMALL, place).reason == (
        "weights 16.4 + cache 2.1 + the server 3 = 21.5 GB, but only 16.8 GB of main memory"
    )
    assert on(BIG, place).reason == "fp8 weights need a GPU"
    computed = on("HuggingFaceTB/SmolLM3-3B", place)
    assert computed.fits == YES and computed.config
    assert computed.config.env == {"VLLM_CPU_KVCACHE_SPACE": "1"}
    assert computed.config.args["max-model-len"] == 8192


@pytest.mark.parametrize(
    ("name", "first", "none"),
    [
        ("openai/gpt-oss-120b", "1 x A100-80GB", ["T4"]),
        ("moonshotai/Kimi-K2-Instruct", "8 x B200", ["H100", "H200", "GH200", "GB200"]),
        ("Qwen/Qwen3-0.6B", "1 x T4", []),
    ],
)
def test_the_smallest_sets_come_first_and_what_is_too_small_says_so(
    name: str, first: str, none: list[str]
) -> None:
    found = smallest(name, SHIPPED.models[name], SHIPPED)
    assert len(found) == len(SHIPPED.gpus)
    assert found[0].place == first
    assert {one.gpu for one in found if one.fits == NO} >= set(none)
    assert bool([one for one in found if one.fits == NO]) == bool(none)
    for one in found:
        document = one.document()
        assert (document["gpu"], document["gpus"]) == (one.gpu, one.gpus)


def test_the_smallest_set_is_one_gpu_less_than_too_many() -> None:
    for one in smallest(BIG, SHIPPED.models[BIG], SHIPPED):
        if one.fits == YES and one.config and one.config.gpus > 1:
            kind = one.place.split(" x ")[1]
            fewer = Place(imagined(f"{one.config.gpus // 2}x{kind}", SHIPPED.gpus))
            assert on(BIG, fewer).fits == NO


def test_the_json_has_the_fields_that_scripts_rely_on() -> None:
    document = on(SMALL, Place(imagined("1xL4", SHIPPED.gpus))).document()
    assert set(document) >= {"model", "fits", "config", "reason"}
    assert document["fits"] is True
    assert set(document["config"]) == {"gpus", "gpu_types", "args", "env"}
    refused = on(BIG, Place(imagined("1xL4", SHIPPED.gpus))).document()
    assert (refused["fits"], refused["config"], refused["if"]) == (False, None, None)
    unasked = Offer(SMALL, SHIPPED.models[SMALL]).document()
    assert unasked["fits"] is None
    waiting = on(SMALL, pod("1xH100", used={0: 0.1})).document()
    assert waiting["fits"] is False and waiting["if"]


def test_a_model_of_the_users_with_nothing_but_configs_is_offered_too() -> None:
    mine = Model(configs=[Configuration(gpus=1, gpu_types=["H100"], args={"max-model-len": 512})])
    found = offer("me/m", mine, SHIPPED.gpus, pod("1xH100"))
    assert (found.fits, found.context) == (YES, 512)
    with_cache = Model(weights_gb=5, context=1024, heads=8,
                       cache=[Layers(layers=2, kv_heads=2, head_dim=64)])  # fmt: skip
    assert offer("me/m", with_cache, SHIPPED.gpus, pod("1xH100")).context == 1024
