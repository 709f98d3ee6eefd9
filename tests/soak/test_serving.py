"""The real engine: stopped in every phase of its start, left by its client, killed in parts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fabfile.plan.phases import PHASES
from tests.engine.conftest import Stage, make_checkpoint
from tests.engine.test_flow import command, done, session
from tests.soak.running import Running, left, locked, waited
from tests.support.hub import Handler

NOT_ON_A_CPU = ("compiling", "capturing CUDA graphs")
MARKS = {phase.name: phase.mark for phase in PHASES if phase.name not in NOT_ON_A_CPU}


class Halting(Handler):
    """Sends half of a file, and the rest when the hub flows."""

    flows = threading.Event()

    def send_body(self, file: Path, start: int, end: int) -> None:
        middle = (start + end) // 2
        super().send_body(file, start, middle)
        self.flows.wait()
        super().send_body(file, middle, end)


class Soaked:
    """The stage with one model on it."""

    def __init__(self, stage: Stage) -> None:
        assert stage.server and stage.hub
        self.stage, self.client, self.home = stage, stage.client, stage.server.home
        self.root, self.hub = self.home / ".pi", stage.hub

    def start(self, name: str) -> Running:
        return Running(self.client, "models.start", f"--model={self.stage.model}", f"--name={name}")

    def run(self, name: str) -> Path:
        return self.root / "jobs" / name / "current"

    def reached(self, name: str, phase: str) -> Callable[[], bool]:
        run = self.run(name)
        if phase == "ready":
            return (run / "ready").exists
        if phase == "downloading weights":
            blobs = self.weights / "blobs"
            return lambda: any(blob.stat().st_size > 2**26 for blob in blobs.glob("*.incomplete"))
        return lambda: (run / "log").exists() and MARKS[phase] in (run / "log").read_text("latin-1")

    @property
    def weights(self) -> Path:
        return self.root / "models/hub" / f"models--{self.stage.model.replace('/', '--')}"

    def row(self, name: str) -> Any:
        rows = json.loads(done(self.client, "models", "--json"))
        return next((row for row in rows if row["name"] == name), None)

    def stop(self, name: str) -> None:
        """Stop it, and prove what stop says."""
        port = int((self.run(name) / "claim").read_text().split()[0])
        done(self.client, "models.stop", f"--name={name}")
        assert left(self.home) == []
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", port)) != 0
        assert self.row(name) is None


@pytest.fixture(scope="module")
def made(stage: Stage) -> Iterator[Soaked]:
    done(stage.client, "setup", *stage.setup)
    make_checkpoint(stage)
    # Other suites on this machine begin at 8001.
    (stage.client.state / "settings.yaml").write_text("first_port: 8301\n")
    soaked = Soaked(stage)
    soaked.hub.RequestHandlerClass = Halting
    yield soaked
    soaked.hub.RequestHandlerClass = Handler


@pytest.fixture
def soaked(request: pytest.FixtureRequest, made: Soaked) -> Iterator[Soaked]:
    """The weights are fetched where the test is about that."""
    Halting.flows.set()
    if "downloading weights" in request.node.name:
        Halting.flows.clear()
        shutil.rmtree(made.weights, ignore_errors=True)
    yield made
    Halting.flows.set()
    made.client.run("models.stop", "--all")
    assert waited(lambda: not left(made.home)), left(made.home)


@pytest.mark.parametrize("phase", [*MARKS, "ready"])
def test_a_stop_in_every_phase_of_a_start_leaves_nothing(soaked: Soaked, phase: str) -> None:
    name = f"stopped-{phase.lower().replace(' ', '-')}"
    starting = soaked.start(name)
    starting.until(soaked.reached(name, phase))
    soaked.stop(name)
    # The last phases may be over before a stop has begun.
    if starting.ended() or phase not in ("waiting for the first answer", "ready"):
        assert starting.error == f"podfab: {name} was stopped by another command"


@pytest.mark.parametrize("phase", ["downloading weights", "loading weights", "ready"])
def test_a_start_whose_client_is_killed_becomes_ready(soaked: Soaked, phase: str) -> None:
    name = f"left-{phase.replace(' ', '-')}"
    starting = soaked.start(name)
    starting.until(soaked.reached(name, phase))
    starting.process.kill()
    assert soaked.row(name)["status"] in ("downloading", "loading", "ready")
    Halting.flows.set()
    assert waited(lambda: soaked.row(name)["status"] == "ready", patience=180)
    soaked.stop(name)


def test_a_client_that_is_killed_before_its_job_is_there_leaves_none(soaked: Soaked) -> None:
    with locked(soaked.root):
        starting = soaked.start("never")
        starting.until((soaked.root / "jobs/never/runs").is_dir)
        starting.process.kill()
        starting.process.wait()
    with locked(soaked.root):  # whoever waited for it has had it
        assert not soaked.run("never").exists()
    assert soaked.row("never") is None and left(soaked.home) == []


@pytest.mark.parametrize(
    ("victims", "status", "cause"),
    [
        (["supervisor"], "ready", None),
        (["vllm"], "failed", "its process was killed (KILL)"),
        (["VLLM::EngineCor"], "failed", "a process of the engine"),
        (["VLLM::Worker"], "failed", "a process of the engine"),
        (["supervisor", "vllm"], "failed", "its process is gone without a trace"),
    ],
)
def test_what_is_killed_is_told_and_restarted_or_started_or_stopped(
    soaked: Soaked, victims: list[str], status: str, cause: str | None
) -> None:
    starting = soaked.start("killed")
    assert starting.ended() == 0, starting.said
    # What serves on is not started again.
    for then in ("restart", "start", "stop") if cause else ("restart", "stop"):
        kill(soaked.run("killed"), victims)
        assert waited(lambda: soaked.row("killed")["status"] == status), soaked.row("killed")
        row = soaked.row("killed")
        print(victims, row["cause"], row["fix"])
        assert row["cause"] is cause is None or cause in row["cause"]
        if then == "restart":
            done(soaked.client, "models.restart", "killed")
        elif then == "start":
            assert soaked.start("killed").ended() == 0
        assert then == "stop" or soaked.row("killed")["status"] == "ready"
    soaked.stop("killed")


def kill(run: Path, victims: list[str]) -> None:
    """Kill parts of a run: its supervisor, or those of its processes that have such a name."""
    leader = int((run / "pid").read_text().split()[0])
    found = {command(pid).strip(): pid for pid in session(leader)}
    found["vllm"] = leader
    found["supervisor"] = int((run / "supervisor").read_text().split()[0])
    for victim in victims:
        os.kill(found[victim], signal.SIGKILL)
