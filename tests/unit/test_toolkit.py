from __future__ import annotations

from typing import Any

import pytest

from fabfile.errors import UsageError
from fabfile.plan.engine import choose
from fabfile.plan.environment import digest
from fabfile.plan.toolkit import Toolkit, checked, decide_toolkit

from .given import SHIPPED, facts

USR = "/usr/local/cuda-{}/bin/nvcc"


def decided(
    wish: str = "auto",
    gpus: str = "8x-h100",
    driver: str = "",
    engine: str = "auto",
    **changes: Any,
) -> Toolkit:
    pod = facts(gpus, driver, **changes)
    return decide_toolkit(wish, pod, choose(engine, pod, SHIPPED.engines))


def nvcc(*versions: str) -> list[dict[str, str]]:
    return [{"path": USR.format(version), "version": version} for version in versions]


def test_hopper_gets_the_compiler_of_the_engines_cuda() -> None:
    toolkit = decided()
    assert (toolkit.state, toolkit.version, toolkit.optional) == ("todo", "13.0", True)
    assert toolkit.repository == "ubuntu2204/x86_64"
    assert "cuda-nvcc-13-0" in toolkit.packages
    assert dict(toolkit.environment) == {
        "CUDA_HOME": "/usr/local/cuda-13.0",
        "VLLM_USE_DEEP_GEMM": "1",
    }


@pytest.mark.parametrize("gpus", ["1x-rtx-4090", "2x-a100-80", "1x-t4", "2x-l40s"])
def test_older_gpus_need_no_compiler(gpus: str) -> None:
    toolkit = decided(gpus=gpus)
    assert (toolkit.state, toolkit.environment) == ("skip", ())
    assert "CUDA 13.0 is what the driver supports" in toolkit.reason


@pytest.mark.parametrize(
    ("there", "state", "home"),
    [
        (["13.0"], "ok", "/usr/local/cuda-13.0"),
        (["12.4", "12.9"], "ok", "/usr/local/cuda-12.9"),
        (["12.4"], "todo", "/usr/local/cuda-13.0"),
        ([], "todo", "/usr/local/cuda-13.0"),
    ],
)
def test_a_compiler_that_is_there_is_taken_when_it_is_new_enough(
    there: list[str], state: str, home: str
) -> None:
    toolkit = decided(nvccs=nvcc(*there))
    assert toolkit.state == state
    assert dict(toolkit.environment)["CUDA_HOME"] == home


@pytest.mark.parametrize(
    "changes",
    [
        {"rights": "none"},
        {"tools": {"bash": "/bin/bash"}},
        {"distribution": "fedora42", "os": "Fedora 42"},
        {"environment": [digest("VLLM_USE_DEEP_GEMM=0")]},
    ],
)
def test_where_it_can_not_be_installed_vllm_does_without(changes: dict[str, Any]) -> None:
    toolkit = decided(**changes)
    assert toolkit.state == "skip"
    assert dict(toolkit.environment) == {"VLLM_USE_DEEP_GEMM": "0"}
    assert "DeepGEMM is switched off" in toolkit.reason


def test_none_means_none() -> None:
    toolkit = decided("none", nvccs=nvcc("13.0"))
    assert (toolkit.state, dict(toolkit.environment)) == ("skip", {"VLLM_USE_DEEP_GEMM": "0"})


def test_a_version_that_was_asked_for_is_installed_or_fails() -> None:
    toolkit = decided("12.9", gpus="1x-t4")
    assert (toolkit.state, toolkit.version, toolkit.optional) == ("todo", "12.9", False)
    assert decided("12.9", nvccs=nvcc("12.9")).state == "ok"
    assert decided("12.9", rights="none").state == "impossible"
    assert decided("12.9", distribution="debian12").repository == "debian12/x86_64"
    assert decided("12.9", gpus="").state == "skip"
    assert decided("12.9", arch="aarch64").repository == "ubuntu2204/sbsa"


@pytest.mark.parametrize(("wish", "switch"), [("12.8", "0"), ("12.9", "1"), ("13.0", "1")])
def test_a_version_that_is_too_old_for_deep_gemm_leaves_it_off(wish: str, switch: str) -> None:
    for there in ([], nvcc(wish)):
        assert dict(decided(wish, nvccs=there).environment)["VLLM_USE_DEEP_GEMM"] == switch


@pytest.mark.parametrize(
    ("wish", "driver", "state", "words"),
    [
        ("13.0", "570.124.06", "impossible", "supports CUDA 12.8, not 13.0"),
        ("12.9", "570.124.06", "todo", "--toolkit asks for it"),
        ("13.1", "580.95.05", "todo", "--toolkit asks for it"),
    ],
)
def test_the_driver_has_the_last_word(wish: str, driver: str, state: str, words: str) -> None:
    toolkit = decided(wish, driver=driver)
    assert toolkit.state == state and words in toolkit.reason


@pytest.mark.parametrize("wish", ["", "13", "latest", "12.9.1", "12.x", "-1", "none "])
def test_another_wish_is_refused(wish: str) -> None:
    with pytest.raises(UsageError, match="neither auto, none nor a version"):
        checked(wish)
