from __future__ import annotations

import pytest

from fabfile.errors import UsageError
from fabfile.plan.cards import gpu_type, groups, imagined, memory_class, of_class
from fabfile.plan.hardware import Gpu

from .given import SHIPPED


def card(name: str, mib: int | None) -> Gpu:
    return Gpu(0, "GPU-0", name, mib, mib, None)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("2xL40S", ["L40S", "L40S"]),
        ("1xH100", ["H100"]),
        ("H100", ["H100"]),
        ("2 x h200", ["H200", "H200"]),
        ("1x24GB", ["24GB"]),
        ("24gb", ["24GB"]),
        ("1xH100+2xL4", ["H100", "L4", "L4"]),
        ("2xa100-80GB", ["A100-80GB", "A100-80GB"]),
        ("1xRTX PRO 6000", ["RTX-PRO-6000"]),
        ("4090", ["RTX-4090"]),
        ("2xRTX4090", ["RTX-4090", "RTX-4090"]),
        ("NVIDIA H100 80GB HBM3", ["H100"]),
        ("1xRTX 6000 Ada", ["RTX-6000-Ada"]),
    ],
)
def test_gpus_are_described_as_people_type_them(text: str, names: list[str]) -> None:
    found = imagined(text, SHIPPED.gpus)
    assert [gpu.name for gpu in found] == names
    assert [gpu.id for gpu in found] == list(range(len(names)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2xH10", "did you mean 'H100'? a size like 24GB describes any other card"),
        ("2xA100", "which A100? there are A100-40GB, A100-80GB"),
        ("1xV100", "no GPU type is called 'V100'; a size like 24GB describes any other card"),
        ("1xMI300X", "no GPU type is called 'MI300X'; a size like 24GB"),
        ("4xfoo", "a size like 24GB describes any other card"),
        ("0xH100", "is no set of GPUs"),
        ("16xH100", "one machine has at most 8 x H100"),
        ("2xGH200", "one machine has at most 1 x GH200"),
        ("17x24GB", "one machine has at most 16 x 24GB"),
        ("2x", "no GPU type is called"),
        ("", "is no set of GPUs"),
        ("1xH100+", "is no set of GPUs"),
    ],
)
def test_what_describes_no_gpus_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        imagined(text, SHIPPED.gpus)
    assert words in str(refused.value)


@pytest.mark.parametrize("kind", SHIPPED.gpus)
def test_an_imagined_card_is_of_its_type_and_class(kind: str) -> None:
    (gpu,) = imagined(kind, SHIPPED.gpus)
    assert gpu_type(gpu, SHIPPED.gpus) == kind
    assert of_class(gpu, SHIPPED.gpus[kind].memory_gb)
    assert gpu.capability == SHIPPED.gpus[kind].compute_capability


def test_a_size_stands_for_the_cards_that_are_sold_with_it() -> None:
    (gpu,) = imagined("80GB", SHIPPED.gpus)
    assert (gpu.memory_mib, gpu.capability) == (81559, 9.0)  # H100; an A100 has more memory
    (odd,) = imagined("20GB", SHIPPED.gpus)
    assert (odd.memory_mib, odd.capability) == (19073, None)


@pytest.mark.parametrize(
    ("mib", "gigabytes", "ok"),
    [
        (23028, 24, True),  # an A10
        (24564, 24, True),
        (46068, 48, True),  # an L40S
        (15109, 16, True),  # a T4 with ECC
        (20475, 24, False),
        (81559, 48, True),
        (81559, 96, False),
        (None, 8, False),
    ],
)
def test_a_class_is_the_least_memory_that_a_card_has(
    mib: int | None, gigabytes: float, ok: bool
) -> None:
    assert of_class(card("a card", mib), gigabytes) is ok


def test_a_class_is_written_as_a_size() -> None:
    assert memory_class("48GB") == memory_class("48 GB") == 48
    assert memory_class("H100") is memory_class("GB200") is memory_class("A100-80GB") is None


def test_cards_are_grouped_by_what_they_are() -> None:
    mixed = imagined("2xL4+1xH100+1xL4", SHIPPED.gpus)
    assert [[gpu.id for gpu in group] for group in groups(mixed)] == [[2], [0, 1, 3]]
