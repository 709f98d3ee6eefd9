from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabfile.plan import fit
from fabfile.plan.asked import Wish
from fabfile.plan.cards import groups, imagined
from fabfile.plan.facts import Facts
from fabfile.plan.hardware import Gpu
from fabfile.plan.launch import plan_launch
from fabfile.plan.matching import Match, Misfit, match, named
from fabfile.plan.spread import Want, ways
from fabfile.records.entries import Configuration, Layers, Model

from .given import SHIPPED, ready_facts
from .placements import LAYOUTS, MODELS, TABLE, told

REVIEWED = {
    (layout, line.split(": ", 1)[0]): line.split(": ", 1)[1]
    for block in TABLE.read_text("utf-8").split("== ")[1:]
    for layout, *lines in [block.splitlines()]
    for line in lines
}
CACHE = [Layers(layers=36, kv_heads=8, head_dim=128)]


def model(**changes: Any) -> Model:
    """A model of 8 billion parameters that the catalog does not have."""
    known = {"weights_gb": 16.4, "context": 40960, "heads": 32, "cache": CACHE}
    return Model(**{**known, **changes})


def found(entry: Model, layout: str, **want: Any) -> Match | Misfit:
    return match(entry, imagined(layout, SHIPPED.gpus), SHIPPED.gpus, Want(**want))


def matched(entry: Model, layout: str, **want: Any) -> Match:
    way = found(entry, layout, **want)
    assert isinstance(way, Match), way.reason
    return way


def refused(entry: Model, layout: str, **want: Any) -> str:
    way = found(entry, layout, **want)
    assert isinstance(way, Misfit)
    return way.reason


def config(gpus: int, *types: str, **args: Any) -> Configuration:
    spread = {"tensor-parallel-size": gpus} if gpus > 1 else {}
    flags = {name.replace("_", "-"): value for name, value in args.items()}
    return Configuration(gpus=gpus, gpu_types=list(types), args={**spread, **flags})


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", MODELS)
def test_the_way_is_the_one_that_was_reviewed(name: str, layout: str) -> None:
    assert told(name, layout) == REVIEWED[layout, name]


def test_the_reviewed_table_is_whole() -> None:
    assert len(REVIEWED) == len(LAYOUTS) * len(MODELS) >= 200


def test_a_way_for_this_very_card_comes_before_one_for_its_class_and_for_any() -> None:
    ways_ = [
        config(1, "any", a=1),
        config(1, "24GB", a=2),
        config(1, "40GB", a=3),
        config(1, "L40S", a=4),
    ]
    entry = model(configs=ways_)
    assert matched(entry, "1xL40S").config.args["a"] == 4
    assert matched(entry, "1xA6000").config.args["a"] == 3
    assert matched(entry, "1x32GB").config.args["a"] == 2
    assert matched(model(weights_gb=5, configs=ways_), "1x12GB").config.args["a"] == 1
    assert matched(model(), "1xL40S").how.startswith("computed")


def test_fewer_gpus_come_before_a_class_that_was_meant_for_smaller_cards() -> None:
    entry = model(weights_gb=30, configs=[config(2, "24GB")])
    assert matched(entry, "4xRTX-3090").config.gpus == 2
    assert matched(entry, "8xH100").config.gpus == 1


def test_a_context_worth_having_comes_before_everything() -> None:
    entry = model(configs=[config(1, "L4")])
    alone = matched(entry, "1xL4")
    assert alone.context < 32768 and alone.how == "the catalog's way for L4 (untried)"
    both = matched(entry, "2xL4")
    assert (both.config.gpus, both.context) == (2, 40960)


def test_the_context_is_cut_to_what_fits_and_written_out() -> None:
    way = matched(model(), "1xL4")
    length = way.config.args["max-model-len"]
    assert length == way.context and int(length) % 1024 == 0
    assert way.sum and way.sum.fits
    assert "max-model-len" not in matched(model(), "1xH100").config.args


def test_a_context_of_the_catalog_is_kept_and_never_made_longer() -> None:
    entry = model(configs=[config(1, "H100", max_model_len=8192)])
    assert matched(entry, "1xH100").context == 8192


def test_the_catalogs_order_decides_between_ways_for_this_very_card() -> None:
    first, second = config(2, "H100"), config(1, "H100")
    assert matched(model(configs=[first, second]), "8xH100").config.gpus == 2
    assert matched(model(configs=[first, second]), "1xH100").config.gpus == 1
    assert matched(model(configs=[second, first]), "8xH100").config.gpus == 1


def test_what_all_configurations_agree_on_goes_into_a_computed_one() -> None:
    configs = [
        config(1, "H200", block_size=64, trust_remote_code=True, max_model_len=5000),
        config(2, "H100", block_size=128, trust_remote_code=True),
    ]
    way = matched(model(configs=configs), "1xL40S")
    assert way.config.args == {"trust-remote-code": True}


def test_a_number_of_gpus_that_is_asked_for_is_kept_to() -> None:
    assert matched(model(), "8xH100", count=4).config.args["tensor-parallel-size"] == 4
    assert refused(model(), "8xH100", count=3) == (
        "3 GPUs can not share its 32 attention heads evenly; 1 or 2 or 4 or 8 can"
    )


def test_experts_that_can_not_be_cut_stay_whole() -> None:
    coder = SHIPPED.models["Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8"]
    whole = {"tensor-parallel-size": 4, "enable-expert-parallel": True}
    assert matched(coder, "8xH100", count=4).config.args == whole
    cut = {"tensor-parallel-size": 2}
    assert matched(coder, "8xH100", count=2).config.args == cut
    step = SHIPPED.models["stepfun-ai/Step-3.5-Flash-FP8"]
    assert matched(step, "8xH100").config.args["enable-expert-parallel"] is True


def test_a_configuration_for_several_gpus_is_spread_by_tensor_parallelism() -> None:
    said = Configuration(gpus=2, gpu_types=["H100"])
    assert said.args == {"tensor-parallel-size": 2}


def test_a_context_that_is_asked_for_must_fit() -> None:
    assert matched(model(), "1xL4", context=8192).context == 8192
    assert "40960 tokens 6.0" in refused(model(), "1xL4", context=40960)
    assert matched(model(), "2xL4", context=40960).config.gpus == 2


def test_a_share_of_the_memory_is_all_that_is_used() -> None:
    half = matched(model(), "1xL40S", share=0.5)
    assert half.sum and half.sum.card.share == 0.5 and half.context < 40960
    assert "x 0.3" in refused(model(), "1xL40S", share=0.3)


def test_arguments_of_the_users_count_in_the_sum() -> None:
    plain, halved = (
        matched(model(), "1xL4", args=args) for args in ({}, {"kv-cache-dtype": "fp8"})
    )
    assert halved.context > 1.9 * plain.context


def test_gpus_that_differ_do_not_share_a_model_unless_they_are_named() -> None:
    entry = model(weights_gb=60)
    mixed = imagined("1xL40S+1xA6000+1xT4", SHIPPED.gpus)
    assert isinstance(match(entry, mixed, SHIPPED.gpus, Want()), Misfit)
    way = named(entry, mixed[:2], SHIPPED.gpus, Want())
    assert isinstance(way, Match)
    assert way.how.endswith("the GPUs differ (1 x L40S, 1 x A6000): the smallest counts")
    assert way.sum and way.sum.card.memory_gb == pytest.approx(47.3, abs=0.1)
    assert isinstance(named(entry, mixed[1:], SHIPPED.gpus, Want()), Misfit)


def test_of_a_mixed_pod_only_the_cards_that_are_new_enough_serve() -> None:
    entry = model(min_compute_capability=8.9)
    way = matched(entry, "2xRTX-3090+1xL4")
    assert [gpu.name for gpu in way.gpus] == ["L4"]
    assert refused(entry, "2xRTX-3090") == (
        "it needs GPUs of compute capability 8.9, 2 x RTX-3090 has 8.6"
    )
    assert matched(entry, "1x24GB"), "nothing is said of an unknown card's generation"


def test_gpus_that_mig_splits_are_left_out_and_the_whole_ones_serve() -> None:
    facts = ready_facts("release", "0.33.0", "mig-on")
    plan = plan_launch(Wish("Qwen/Qwen3-8B", "m"), facts, SHIPPED, "release")
    assert plan.gpus == [1]
    assert plan.env["CUDA_VISIBLE_DEVICES"] == "GPU-591acf50-02c8-2429-913a-3efdde8ce891"


def test_a_model_of_which_nothing_is_known_goes_where_the_catalog_says() -> None:
    known = Model(configs=[config(1, "H100")])
    way = matched(known, "1xH100")
    assert way.sum is None and way.context == 0
    assert refused(known, "1xT4") == "it is not known to fit 1 x T4"


def test_a_gpu_that_tells_no_memory_gets_the_model_without_a_sum() -> None:
    spark = [Gpu(0, "GPU-0", "NVIDIA GB10", None, None, 12.1)]
    way = match(model(), spark, SHIPPED.gpus, Want())
    assert isinstance(way, Match) and way.sum is None
    assert "max-model-len" not in way.config.args


_names = st.sampled_from(sorted(SHIPPED.models))
_types = st.sampled_from([*SHIPPED.gpus, "6GB", "12GB", "20GB", "64GB", "120GB"])
_layouts = st.lists(st.tuples(st.integers(1, 8), _types), min_size=1, max_size=3).map(
    lambda layout: [
        (min(count, SHIPPED.gpus[kind].per_machine if kind in SHIPPED.gpus else 8), kind)
        for count, kind in layout
    ]
)
_shares = st.one_of(st.none(), st.floats(0.2, 1))
_contexts = st.one_of(st.none(), st.integers(1, 300_000))


def pod(layout: list[tuple[int, str]], free: list[float], **changes: Any) -> Facts:
    """A pod with these GPUs, of which so much is free."""
    text = "+".join(f"{count}x{kind}" for count, kind in layout)
    gpus = [
        Gpu(**{**vars(gpu), "free_mib": int((gpu.memory_mib or 0) * share)})
        for gpu, share in zip(imagined(text, SHIPPED.gpus), free + [0.99] * 24, strict=False)
    ]
    facts = ready_facts("release", "0.33.0", "1x-h100", **changes)
    return Facts(**{**vars(facts), "gpus": gpus})


@given(_names, _layouts, _shares, _contexts, st.one_of(st.none(), st.integers(1, 8)))
def test_no_way_takes_more_than_it_was_given(
    name: str,
    layout: list[tuple[int, str]],
    share: float | None,
    context: int | None,
    count: int | None,
) -> None:
    entry = SHIPPED.models[name]
    gpus = imagined("+".join(f"{n}x{kind}" for n, kind in layout), SHIPPED.gpus)
    way = match(entry, gpus, SHIPPED.gpus, Want(count, context, share))
    if isinstance(way, Misfit):
        assert way.reason
        return
    assert way.sum and way.sum.fits
    assert way.config.gpus <= len(way.gpus) <= len(gpus)
    assert count in (None, way.config.gpus)
    assert len(groups(way.gpus)) == 1, "tensor parallelism is for cards that are alike"
    spread = ways(way.config.args)
    assert spread.gpus == way.config.gpus and fit.divides(entry, spread)
    assert (entry.heads or 1) % spread.tensor == 0
    total = (way.gpus[0].memory_mib or 0) * 1024**2 / 1e9
    assert way.sum.card.budget_gb <= total * (share or 0.95)
    length = way.config.args.get("max-model-len")
    assert way.context == context or way.context <= min(entry.context or 0, int(length or 10**9))


@given(
    _names,
    _layouts,
    st.lists(st.floats(0, 1), max_size=8),
    _shares,
    st.one_of(st.none(), st.integers(1, 8)),
)
def test_a_plan_that_passes_its_checks_takes_no_more_than_is_free(
    name: str,
    layout: list[tuple[int, str]],
    free: list[float],
    share: float | None,
    count: int | None,
) -> None:
    facts = pod(layout, free)
    wish = Wish(name, "m", gpus=count, memory=share)
    try:
        plan = plan_launch(wish, facts, SHIPPED, "release")
    except Exception as error:
        assert type(error).__name__ == "PodfabError"
        return
    assert len(set(plan.gpus)) == len(plan.gpus), "a GPU was taken twice"
    chosen = [gpu for gpu in facts.gpus if gpu.id in plan.gpus]
    words = plan.args
    tensor = "--tensor-parallel-size"
    size = int(words[words.index(tensor) + 1]) if tensor in words else 1
    data = "--data-parallel-size"
    replicas = int(words[words.index(data) + 1]) if data in words else 1
    assert size * replicas == len(plan.gpus)
    if plan.failed:
        return
    flag = "--gpu-memory-utilization"
    taken = float(words[words.index(flag) + 1]) if flag in words else 0.92
    for gpu in chosen:
        assert (gpu.memory_mib or 0) * 0.98 * taken <= (gpu.free_mib or 0)


@given(st.lists(_names, min_size=1, max_size=5))
def test_models_that_are_started_one_after_another_never_share_a_gpu(names: list[str]) -> None:
    from .given import raw_job

    jobs: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        facts = pod([(8, "H200")], [], jobs=jobs)
        try:
            plan = plan_launch(Wish(name, f"m{number}"), facts, SHIPPED, "release")
        except Exception as error:
            assert type(error).__name__ == "PodfabError"
            continue
        taken = {id_ for job in jobs for id_ in job["details"]["gpus"]}
        assert not taken & set(plan.gpus) or len(taken) + len(plan.gpus) > 8
        jobs.append(raw_job(f"m{number}", details={"gpus": plan.gpus, "port": plan.port}))
