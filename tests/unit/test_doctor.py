from __future__ import annotations

import json
from typing import Any

import pytest

from fabfile.plan.doctor import examine
from fabfile.plan.examination import Check, Examination, parse_examination

from .given import SHIPPED, facts, raw_job, ready_facts

REACHED = {
    "hub": {"url": "https://huggingface.co", "status": 200, "error": None},
    "index": {"url": "https://pypi.org/simple", "status": 200, "error": None},
}
SETUP = "inv setup --name=dc1"
WELL = Examination([], {}, REACHED)


def verdicts(
    found: Examination = WELL, ahead: float = 0.5, gpus: str = "8x-h100", **changes: Any
) -> dict[str, Check]:
    pod = ready_facts("release", "0.33.0", gpus, **changes)
    checks = examine(pod, found, "release", SHIPPED.engines, ahead, "mine", SETUP)
    return {check.check: check for check in checks}


def test_a_pod_that_has_all_it_needs_is_well() -> None:
    found = verdicts()
    assert [check for check in found.values() if check.ok is False] == []
    assert found["gpus"].detail == "8 x NVIDIA H100 80GB HBM3"
    assert found["driver"].detail == "580.95.05, CUDA 13.0"
    assert (found["token"].ok, found["token"].fix) == (
        None,
        f"export HF_TOKEN=hf_...; then: {SETUP}",
    )


@pytest.mark.parametrize(
    ("check", "changes", "detail", "fix"),
    [
        ("engine", {"engines": [], "links": {}}, "release is not installed", SETUP),
        ("packages", {"tools": {}}, "missing: build-essential", SETUP),
        ("packages", {"tools": {}, "rights": "none"}, "build-essential", "apt-get install build"),
        ("disk", {"root_free_mib": 1024}, "/root/.pi: 1 GiB free", "inv pods.clean"),
        ("models", {"models_free_mib": 10240}, "/root/.pi/models: 10 GiB free", "inv pods.clean"),
        ("models",
         {"models_free_mib": 10240, "volumes": [{"path": "/workspace", "free_mib": 900000}]},
         "10 GiB free", "--root=/workspace/podfab"),
        ("mount", {"mounted": False}, "is not there", SETUP),
        ("memory", {"memory_mib": 4096}, "4 GiB of RAM", "rent more"),
        ("shm", {"shm_mib": 64}, "/dev/shm has 64 MiB: a model on several GPUs", "--shm-size=10g"),
        ("setup", {"jobs": [raw_job("_setup", alive=False, exit=1)]}, "ended with 1", SETUP),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_fix(
    check: str, changes: dict[str, Any], detail: str, fix: str
) -> None:
    found = verdicts(**changes)[check]
    assert found.ok is False
    assert detail in found.detail and fix in found.fix


@pytest.mark.parametrize(
    ("driver", "ok", "words"),
    [
        ("470.57.02", False, "too old for any vLLM"),
        ("550.54.15", True, "vLLM 0.19.1 at most"),
        ("580.65.06", True, "CUDA 13.0"),
    ],
)
def test_the_driver_is_judged(driver: str, ok: bool, words: str) -> None:
    pod = facts("1x-h100", driver)
    checks = examine(pod, WELL, "release", SHIPPED.engines, 0, "mine", SETUP)
    (found,) = [check for check in checks if check.check == "driver"]
    assert found.ok is ok and words in found.detail


def test_gpus_that_can_not_be_used_are_wrong_one_by_one() -> None:
    pod = facts("error-state")
    checks = examine(pod, WELL, "release", SHIPPED.engines, 0, "mine", SETUP)
    wrong = [check for check in checks if check.check == "gpus" and check.ok is False]
    assert len(wrong) == 2
    assert all("error state" in c.detail and "restart the pod" in c.fix for c in wrong)


def test_a_driver_that_does_not_answer_is_wrong() -> None:
    checks = examine(facts("no-driver"), WELL, "release", SHIPPED.engines, 0, "mine", SETUP)
    (found,) = [check for check in checks if check.check == "gpus"]
    assert found.ok is False and "couldn't communicate" in found.detail


@pytest.mark.parametrize(("ahead", "ok"), [(0, True), (-59, True), (61, False), (-3600, False)])
def test_the_clock(ahead: float, ok: bool) -> None:
    found = verdicts(ahead=ahead)["clock"]
    assert found.ok is ok
    if not ok:
        assert ("ahead of" in found.detail) == (ahead > 0)


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (401, False), (403, False), (404, None), (None, None)]
)
def test_the_hub_judges_the_token(status: int | None, ok: bool | None) -> None:
    token = {"url": "https://huggingface.co", "status": status, "error": None}
    assert verdicts(Examination([], {}, {**REACHED, "token": token}))["token"].ok is ok


def test_what_is_out_of_reach_is_named_with_its_variable() -> None:
    gone = {"status": None, "error": "timed out"}
    network = {"hub": {"url": "https://hub", **gone}, "index": {"url": "https://index", **gone}}
    found = verdicts(Examination([], {}, network))
    assert "HF_ENDPOINT" in found["hub"].fix and "https://hub: timed out" in found["hub"].detail
    assert "PIP_INDEX_URL" in found["index"].fix


def test_without_a_python_the_network_is_unknown() -> None:
    assert verdicts(Examination([], {}, None))["hub"].ok is None


def test_strangers_on_the_gpus_are_named() -> None:
    text = json.dumps({
        "gpu_processes": "ours,41, GPU-1, 70000 MiB, VLLM::EngineCore\n"
        "other,42, GPU-2, 12000 MiB, python3\n",
        "keys": {}, "network": None,
    })  # fmt: skip
    found = verdicts(parse_examination(text))["processes"]
    assert found.ok is False
    assert "42 (python3, 12000 MiB)" in found.detail and "41" not in found.detail


def test_a_model_with_another_key_is_named() -> None:
    found = verdicts(Examination([], {"qwen": "mine", "glm": "other"}, REACHED))["key"]
    assert found.ok is False and "glm" in found.detail and "qwen" not in found.detail
    assert verdicts(Examination([], {"qwen": "mine"}, REACHED))["key"].ok is True
