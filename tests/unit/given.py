"""What the tests decide about: pods as recorded texts tell them."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fabfile.plan.environment import digest, lines
from fabfile.plan.facts import Facts, JobState, parse_facts, parse_jobs
from fabfile.records import catalog
from fabfile.records.entries import Catalog
from fabfile.records.yamlfile import read_yaml

RECORDED = Path(__file__).parent / "recorded"
SHIPPED = Catalog.model_validate(read_yaml(catalog.SHIPPED))


def recorded(name: str) -> str:
    return (RECORDED / name).read_text("utf-8")


def facts(gpus: str = "", driver: str = "", **changes: Any) -> Facts:
    """A bare Ubuntu pod with the GPUs of a recorded nvidia-smi, or with another driver."""
    raw = {**json.loads(recorded("facts.json")), **changes}
    if gpus:
        raw["gpus"] = recorded(f"nvidia-smi/{gpus}.csv")
        if (RECORDED / f"nvidia-smi/{gpus}.list").exists():
            raw["gpu_list"] = recorded(f"nvidia-smi/{gpus}.list")
    if driver:
        raw["gpus"] = raw["gpus"].replace("580.95.05", driver)
    return parse_facts(json.dumps(raw))


def ready_facts(
    engine: str, version: str, gpus: str = "", env: dict[str, str] | None = None, **changes: Any
) -> Facts:
    """The same pod after a setup with one engine."""
    folder = f"{engine}-{version}"
    done = {
        "uv": "/root/.pi/bin/uv",
        "tools": {**json.loads(recorded("facts.json"))["tools"], "cc": "/usr/bin/cc"},
        "engines": [{"name": folder, "vllm_version": version, "kernels": "downloaded"}],
        "links": {engine: folder},
        "models_path_exists": True,
        "nvccs": [{"path": "/usr/local/cuda-13.0/bin/nvcc", "version": "13.0"}],
        "environment": [
            digest(line)
            for line in lines(
                {
                    "HF_HOME": "/root/.pi/models",
                    "CUDA_HOME": "/usr/local/cuda-13.0",
                    "VLLM_USE_DEEP_GEMM": "1",
                    **(env or {}),
                }
            )
        ],
    }
    return facts(gpus, **{**done, **changes})


def job(name: str = "qwen", **changes: Any) -> JobState:
    """A model that was just started."""
    return parse_jobs(json.dumps([raw_job(name, **changes)]))[0]


def raw_job(name: str = "qwen", **changes: Any) -> dict[str, Any]:
    details = {
        "kind": "serve",
        "model": "Qwen/Qwen3-8B",
        "port": 8001,
        "gpus": [0],
        "engine": "release-0.33.0",
        "task": "generate",
        "started": "2026-11-22T10:00:00Z",
    }
    raw = {
        "name": name,
        "run": 1,
        "alive": True,
        "pid": 4711,
        "exit": None,
        "ready": False,
        "stopped": False,
        "health": None,
        "phase": "",
        "tail": "",
        "details": details,
    }
    return {**raw, **changes}


def in_processes(count: int, body: Callable[[int], None]) -> list[int]:
    """Run a function in processes that begin together, and return their exit codes."""
    context = multiprocessing.get_context("fork")
    together = context.Barrier(count)

    def main(number: int) -> None:
        together.wait()
        body(number)

    processes = [context.Process(target=main, args=(number,)) for number in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    return [process.exitcode if process.exitcode is not None else -1 for process in processes]
