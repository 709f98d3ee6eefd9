from __future__ import annotations

import json
from typing import Any

import pytest

from fabfile.errors import PodfabError
from fabfile.plan.clean import Waste, chosen, engines_in_use, parse_usage
from fabfile.plan.facts import Facts

from .given import raw_job, ready_facts

USAGE = json.dumps({
    "engines": "4096 nightly-20261120\n2048 uv\n",
    "runs": "12 jobs/qwen/runs/1\n",
    "models": "8192 models--Qwen--Qwen3-8B\n16 models--gpt2\n",
})  # fmt: skip


def pod(**changes: Any) -> Facts:
    return ready_facts("release", "0.33.0", "1x-h100", **changes)


def names(things: list[Waste]) -> list[str]:
    return [thing.name for thing in things]


def test_what_could_go_has_its_name_its_folder_and_its_size() -> None:
    assert parse_usage(USAGE, pod()) == [
        Waste("engine", "nightly-20261120", "/root/.pi/engines/nightly-20261120", 4096),
        Waste("engine", "uv's download cache", "/root/.pi/cache/uv", 2048),
        Waste("run", "qwen/runs/1", "/root/.pi/jobs/qwen/runs/1", 12),
        Waste("model", "Qwen/Qwen3-8B", "/root/.pi/models/hub/models--Qwen--Qwen3-8B", 8192),
        Waste("model", "gpt2", "/root/.pi/models/hub/models--gpt2", 16),
    ]


def test_only_what_was_asked_for_goes() -> None:
    waste = parse_usage(USAGE, pod())
    assert names(chosen(waste, pod(), True, False, "")) == names(waste[:2])
    assert names(chosen(waste, pod(), False, True, "")) == ["qwen/runs/1"]
    assert names(chosen(waste, pod(), False, True, "gpt2")) == ["qwen/runs/1", "gpt2"]


def test_an_engine_that_serves_is_in_use_beside_the_pods_own() -> None:
    engines = [
        {"name": name, "vllm_version": "1", "kernels": ""}
        for name in ("release-0.33.0", "vllm-0.31.0", "nightly-20261120")
    ]
    details = {**raw_job()["details"], "engine": "vllm-0.31.0"}
    facts = pod(engines=engines, jobs=[raw_job(details=details)])
    assert engines_in_use(facts, "release") == ["release-0.33.0", "vllm-0.31.0"]
    assert engines_in_use(facts, None) == ["vllm-0.31.0"]


def test_nothing_goes_that_something_needs() -> None:
    waste = parse_usage(USAGE, pod())
    serving = pod(jobs=[raw_job()])
    with pytest.raises(PodfabError, match="qwen serves Qwen/Qwen3-8B"):
        chosen(waste, serving, False, False, "Qwen/Qwen3-8B")
    with pytest.raises(PodfabError, match="a setup is running"):
        chosen(waste, pod(jobs=[raw_job("_setup")]), True, False, "")


def test_a_model_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(PodfabError, match="did you mean 'Qwen/Qwen3-8B'"):
        chosen(parse_usage(USAGE, pod()), pod(), False, False, "Qwen/Qwen3-8b")
