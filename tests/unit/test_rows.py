from __future__ import annotations

import json
from typing import Any

import pytest

from fabfile.plan.rows import rows, unreachable

from .given import job

CONTRACT = {"pod", "name", "model", "status", "port", "gpus", "pid", "url", "started"}


def test_a_row_has_the_fields_that_scripts_rely_on() -> None:
    (row,) = rows("dc1", [job(ready=True, health=200)])
    document = row.document()
    assert {name: document[name] for name in CONTRACT} == {
        "pod": "dc1",
        "name": "qwen",
        "model": "Qwen/Qwen3-8B",
        "status": "ready",
        "port": 8001,
        "gpus": [0],
        "pid": 4711,
        "url": "http://127.0.0.1:8001/v1",
        "started": "2026-11-22T10:00:00Z",
    }
    json.dumps(document)


@pytest.mark.parametrize(
    ("changes", "status", "phase"),
    [
        ({}, "starting", "starting"),
        ({"phase": "[podfab] downloading"}, "downloading", "downloading weights"),
        ({"phase": "[podfab] starting vLLM"}, "starting", "starting vLLM"),
        ({"phase": "Starting to load model"}, "loading", "loading weights"),
        ({"phase": "Capturing CUDA graphs"}, "loading", "capturing CUDA graphs"),
        ({"ready": True, "health": 200}, "ready", None),
        ({"ready": True, "health": 200, "phase": "Capturing CUDA graphs"}, "ready", None),
        ({"ready": True, "health": 503}, "unreachable", None),
        ({"ready": True, "health": None}, "unreachable", None),
    ],
)
def test_a_model_that_runs_has_the_status_of_what_it_does(
    changes: dict[str, Any], status: str, phase: str | None
) -> None:
    (row,) = rows("dc1", [job(**changes)])
    assert (row.status, row.phase) == (status, phase)
    assert row.pid == 4711


@pytest.mark.parametrize("code", [0, 1, 137, 143, None])
@pytest.mark.parametrize("was_ready", [True, False])
def test_a_model_that_ended_unasked_has_failed_whatever_its_exit_code(
    code: int | None, was_ready: bool
) -> None:
    (row,) = rows("dc1", [job(alive=False, exit=code, ready=was_ready)])
    assert row.status == "failed"
    assert row.cause and row.fix
    assert row.pid is None


def test_the_cause_of_a_failure_is_read_from_the_logs_end() -> None:
    (row,) = rows("dc1", [job(alive=False, exit=1, tail="Address already in use\nthe end")])
    assert row.cause == "the port is in use on the pod"
    assert "--port" in str(row.fix)


def test_an_unknown_cause_still_names_the_exit_code_and_the_log() -> None:
    (row,) = rows("dc1", [job(alive=False, exit=3, tail="?")])
    assert "3" in str(row.cause)
    assert "inv models.logs qwen" in str(row.fix)


def test_a_stopped_model_is_not_listed() -> None:
    assert rows("dc1", [job(alive=False, exit=143, stopped=True)]) == []


def test_a_model_that_is_being_stopped_is_listed_until_it_is_gone() -> None:
    assert len(rows("dc1", [job(alive=True, stopped=True)])) == 1


@pytest.mark.parametrize("details", [{"kind": "setup"}, {"kind": "download", "model": "a/b"}, {}])
def test_jobs_that_serve_no_model_are_not_listed(details: dict[str, str]) -> None:
    assert rows("dc1", [job("_setup", details=details)]) == []


def test_the_models_of_a_pod_stand_in_its_order() -> None:
    assert [row.name for row in rows("dc1", [job("b"), job("a")])] == ["b", "a"]


def test_a_pod_that_does_not_answer_is_a_row_of_the_same_form() -> None:
    document = unreachable("dc1", "no answer in time").document()
    assert set(document) >= CONTRACT
    assert document["status"] == "unreachable"
    assert document["cause"] == "no answer in time"
    assert document["gpus"] == []
