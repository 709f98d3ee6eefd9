from __future__ import annotations

import re

import pytest

from fabfile.plan.cards import gpu_type
from fabfile.plan.hardware import QUERY, Gpu, Hardware, parse_gpus, supported_cuda
from fabfile.records.entries import GpuType

from .given import SHIPPED, facts, recorded


@pytest.mark.parametrize(
    ("text", "count", "name", "total", "free", "capability"),
    [
        ("1x-h100", 1, "NVIDIA H100 80GB HBM3", 81559, 81004, 9.0),
        ("8x-h100", 8, "NVIDIA H100 80GB HBM3", 81559, 80983, 9.0),
        ("1x-h200", 1, "NVIDIA H200", 143771, 143111, 9.0),
        ("1x-a100-40", 1, "NVIDIA A100-PCIE-40GB", 40960, 40333, 8.0),
        ("2x-a100-80", 2, "NVIDIA A100-SXM4-80GB", 81920, 81152, 8.0),
        ("2x-l40s", 2, "NVIDIA L40S", 46068, 45461, 8.9),
        ("1x-rtx-4090", 1, "NVIDIA GeForce RTX 4090", 24564, 24079, 8.9),
        ("1x-t4", 1, "Tesla T4", 15360, 14913, 7.5),
        ("mixed", 2, "NVIDIA H100 PCIe", 81559, 81004, 9.0),
        ("8x-b200", 8, "NVIDIA B200", 183359, 182642, 10.0),
        ("not-available", 1, "NVIDIA GB10", None, None, 12.1),
    ],
)
def test_nvidia_smi_is_read(
    text: str, count: int, name: str, total: int | None, free: int | None, capability: float
) -> None:
    found = parse_gpus(recorded(f"nvidia-smi/{text}.csv"))
    assert [gpu.id for gpu in found.gpus] == list(range(count))
    assert len({gpu.uuid for gpu in found.gpus}) == count
    last = found.gpus[-1]
    assert (last.name, last.memory_mib, last.free_mib, last.capability) == (
        name,
        total,
        free,
        capability,
    )
    assert (found.driver, found.problem, found.left_out) == ("580.95.05", None, [])


@pytest.mark.parametrize(
    ("text", "usable", "words"),
    [
        ("one-lost", [0], ["Unable to determine the device handle for GPU1"]),
        ("mig-on", [1], ["GPU 0 .* split by MIG \\(slices: 3g.40gb, 2g.20gb\\).* -i 0 -mig 0"]),
        ("all-mig", [], ["GPU 0 .* split by MIG \\(slices: none made\\)"]),
        ("error-state", [0], ["GPU 1 .*Unknown Error", "GPU 2 .*GPU requires reset"]),
    ],
)
def test_a_gpu_that_can_not_be_used_is_named_with_the_reason(
    text: str, usable: list[int], words: list[str]
) -> None:
    pod = facts(text)
    assert [gpu.id for gpu in pod.gpus] == usable
    assert pod.driver == "580.95.05"
    for said, expected in zip(pod.left_out, words, strict=True):
        assert re.search(expected, said)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no-driver", "couldn't communicate with the NVIDIA driver"),
        ("mismatch", "Driver/library version mismatch"),
        ("no-devices", "No devices were found"),
    ],
)
def test_a_driver_that_does_not_answer_is_a_problem_and_not_a_pod_without_gpus(
    text: str, words: str
) -> None:
    found = parse_gpus(recorded(f"nvidia-smi/{text}.csv"))
    assert (found.gpus, found.driver) == ([], None)
    assert found.problem is not None and words in found.problem
    assert len(found.problem.splitlines()) == 1


def test_no_nvidia_smi_is_no_gpu_and_no_problem() -> None:
    assert parse_gpus("") == Hardware([], None, None)


def test_a_value_that_nvidia_smi_does_not_know_is_unknown() -> None:
    line = "0, GPU-1, Tesla T4, [N/A], [N/A], 580.95.05, [Not Supported], [N/A]\n"
    assert parse_gpus(line) == Hardware(
        [Gpu(0, "GPU-1", "Tesla T4", None, None, None)], "580.95.05", None
    )


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("610.43.02", (13, 3)),
        ("700.1", (13, 3)),
        ("580.65.06", (13, 0)),
        ("579.99", (12, 9)),
        ("570.124.06", (12, 8)),
        ("535.183.01", (12, 2)),
        ("525.60.13", (12, 0)),
        ("470.57.02", None),
        ("[N/A]", None),
        (None, None),
    ],
)
def test_a_driver_supports_a_cuda_version(driver: str | None, cuda: tuple[int, int] | None) -> None:
    assert supported_cuda(driver) == cuda


def test_the_question_has_the_columns_of_the_answer() -> None:
    assert len(QUERY.split(",")) == len(recorded("nvidia-smi/1x-h100.csv").split(","))


@pytest.mark.parametrize(
    ("name", "memory_mib", "kind"),
    [
        ("NVIDIA H100 80GB HBM3", 81559, "H100"),
        ("NVIDIA H100 PCIe", 81559, "H100"),
        ("NVIDIA H200", 143771, "H200"),
        ("NVIDIA H20", 97871, "H20"),
        ("NVIDIA GH200 480GB", 97871, "GH200"),
        ("NVIDIA A100-SXM4-80GB", 81920, "A100-80GB"),
        ("NVIDIA A100 80GB PCIe", 81920, "A100-80GB"),
        ("NVIDIA A100-SXM4-40GB", 40960, "A100-40GB"),
        ("NVIDIA A100-PCIE-40GB", 40960, "A100-40GB"),
        ("NVIDIA A100-SXM4-80GB", None, None),
        ("NVIDIA L40S", 46068, "L40S"),
        ("NVIDIA L40", 46068, "L40"),
        ("NVIDIA L4", 23034, "L4"),
        ("NVIDIA A10", 23028, "A10"),
        ("NVIDIA A10G", 23028, "A10G"),
        ("NVIDIA RTX A6000", 49140, "A6000"),
        ("NVIDIA GeForce RTX 3090", 24576, "RTX-3090"),
        ("NVIDIA GeForce RTX 4090", 24564, "RTX-4090"),
        ("NVIDIA GeForce RTX 5090", 32607, "RTX-5090"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887, "RTX-PRO-6000"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 97887, "RTX-PRO-6000"),
        ("NVIDIA RTX 6000 Ada Generation", 49140, "RTX-6000-Ada"),
        ("NVIDIA A40", 46068, "A40"),
        ("NVIDIA RTX A5000", 24564, "RTX-A5000"),
        ("NVIDIA GeForce RTX 4080 SUPER", 16376, "RTX-4080"),
        ("NVIDIA H100 NVL", 95830, "H100-NVL"),
        ("Quadro RTX 6000", 24576, None),
        ("Tesla T4", 15360, "T4"),
        ("Tesla V100-SXM2-32GB", 32768, None),
        ("NVIDIA B200", 183359, "B200"),
        ("NVIDIA GB200", 189471, "GB200"),
        ("NVIDIA B300 SXM6 AC", 275040, "B300"),
        ("NVIDIA GB10", None, None),
    ],
)
def test_a_card_has_the_catalogs_name_when_its_own_says_so(
    name: str, memory_mib: int | None, kind: str | None
) -> None:
    assert gpu_type(Gpu(0, "GPU-1", name, memory_mib, memory_mib, 9.0), SHIPPED.gpus) == kind


def test_of_two_names_that_fit_the_longer_one_says_more() -> None:
    mine = {name: GpuType(memory_gb=94, compute_capability=9.0) for name in ("NVL", "H100-NVL")}
    card = Gpu(0, "GPU-1", "NVIDIA H100 NVL", 95830, 95830, 9.0)
    assert gpu_type(card, {**SHIPPED.gpus, **mine}) == "H100-NVL"


def test_the_card_of_a_recorded_pod_is_known_by_its_capability_too() -> None:
    for text in ("1x-h100", "1x-a100-40", "2x-l40s", "1x-rtx-4090", "1x-t4", "8x-b200"):
        gpu = facts(text).gpus[0]
        kind = gpu_type(gpu, SHIPPED.gpus)
        assert kind and gpu.capability == SHIPPED.gpus[kind].compute_capability
