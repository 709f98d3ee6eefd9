"""The wheel, in an empty environment, does the real flow from another directory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.engine.conftest import Stage, make_checkpoint
from tests.engine.test_flow import QUESTION


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it where nothing else is."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), str(PROJECT)], check=True)
    (wheel,) = folder.glob("podfab-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([str(python), *pip[1:], "install", str(wheel)], check=True)
    return folder / "venv" / "bin" / "podfab"


def test_the_wheel_serves_a_model(program: Path, stage: Stage, tmp_path: Path) -> None:
    if not stage.server:
        pytest.skip("a pod of yours is tried with the checkout")
    make_checkpoint(stage)

    def run(*words: str) -> str:
        result = subprocess.run(
            [str(program), *words],
            cwd=tmp_path,
            env={**stage.client.environment, "PI_CONFIG_DIR": str(tmp_path / "state")},
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert run("--version").startswith("podfab 0.")
    assert "complete" in run("--print-completion-script", "bash")
    run(*("setup", f"--ssh={stage.server.ssh}", "--name=wheel"))
    started = json.loads(run("models.start", f"--model={stage.model}", "--name=w", "--json"))
    assert started["status"] == "ready"
    assert "Paris" in run("prompt", "w", QUESTION)
    run("models.stop", "--name=w")
    assert json.loads(run("models", "--json")) == []
