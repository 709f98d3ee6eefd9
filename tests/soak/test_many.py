"""Many podfabs at once, from several laptops: no port is given twice, and nothing is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Client
from tests.soak.running import Running, left, waited
from tests.ssh.typed import record, remember, rows
from tests.support.sshd import Sshd

NAMES = [f"m{number:02}" for number in range(20)]
SAME = ["one", "two", "three", "four", "five"]
# What may go wrong for one of many, each in one line.
REFUSALS = (
    "runs already on dc1: org/thing (by ",
    "no model that runs is called",
    "no model is called",
    "was stopped by another command",
    "has just taken it",
)


class Ports(threading.Thread):
    """Watches the pod; `twice` are the ports that two models had at one time."""

    def __init__(self, server: Sshd) -> None:
        super().__init__(daemon=True)
        self.jobs, self.over = server.home / ".pi/jobs", threading.Event()
        self.twice: set[int] = set()

    def run(self) -> None:
        while not self.over.wait(0.1):
            ports = [port for path in self.jobs.glob("*/current") if (port := held(path))]
            self.twice |= {port for port in ports if ports.count(port) > 1}


def held(run: Path) -> int | None:
    """Return the port that a run has while its process lives."""
    try:
        pid, start, _ = (run / "pid").read_text().split()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        port = int((run / "claim").read_text().split()[0])
    except (OSError, ValueError):
        return None
    return port if fields[19] == start and fields[0] != "Z" else None


@pytest.fixture
def laptops(client: Client, server: Sshd, tmp_path: Path) -> Iterator[list[Client]]:
    """Four homes that know one pod; no port of it was ever given twice."""
    found = [client]
    for number in range(3):
        home = tmp_path / f"laptop{number}"
        home.mkdir()
        found.append(Client(home))
    for laptop in found:
        remember(laptop, dc1=server)
    ports = Ports(server)
    ports.start()
    yield found
    ports.over.set()
    ports.join()
    assert found[0].run("models.stop", "--all").returncode == 0
    assert waited(lambda: not left(server.home)), left(server.home)
    logs = [path.read_text() for path in server.home.glob(".pi/jobs/*/runs/*/log")]
    assert not ports.twice and not any("already in use" in log for log in logs)


def start(laptop: Client, name: str, *words: str) -> Running:
    wanted = ["--model=org/thing", f"--name={name}", *words]
    return Running(laptop, "models.start", *wanted, "--json")


def stop(laptop: Client, name: str) -> Running:
    return Running(laptop, "models.stop", f"--name={name}", "--json")


def told(laptop: Client) -> dict[str, Any]:
    return record(laptop)["pods"]["dc1"]["models"]


def test_twenty_starts_then_twenty_stops_beside_twenty_starts(laptops: list[Client]) -> None:
    homes = dict(zip(NAMES, laptops * 5, strict=True))
    begun = {name: start(home, name) for name, home in homes.items()}
    for name, running in begun.items():
        assert running.ended() == 0, running.said
        assert json.loads(running.out.read_text())["status"] == "ready", name
    for home in laptops:
        assert {name for name in NAMES if homes[name] is home} <= set(told(home))
    ports = [json.loads(running.out.read_text())["port"] for running in begun.values()]
    assert len(set(ports)) == len(NAMES)
    assert {row["name"] for row in rows(laptops[0])} == set(NAMES)

    # What one laptop has started, another one stops.
    others = {name: laptops[(laptops.index(homes[name]) + 1) % 4] for name in NAMES}
    stops = [stop(others[name], name) for name in NAMES]
    starts = {f"n{name}": start(home, f"n{name}") for name, home in homes.items()}
    for running in (*stops, *starts.values()):
        assert running.ended() == 0, running.said
    for home in laptops:
        assert {(row["name"], row["status"]) for row in rows(home)} == {
            (name, "ready") for name in starts
        }
        assert set(told(home)) == set(starts)


def test_the_same_names_are_started_and_stopped_by_all_at_once(laptops: list[Client]) -> None:
    for _ in range(2):
        begun = [start(laptop, name) for name in SAME for laptop in laptops]
        begun += [stop(laptop, name) for name in SAME for laptop in laptops]
        for running in begun:
            if running.ended():
                assert any(text in running.error for text in REFUSALS), running.said
    listed = {row["name"]: (row["port"], row["status"]) for row in rows(laptops[0])}
    assert {status for _, status in listed.values()} <= {"ready"}
    assert len({port for port, _ in listed.values()}) == len(listed)
    for laptop in laptops:
        same = {row["name"]: (row["port"], row["status"]) for row in rows(laptop)}
        assert same == listed and set(told(laptop)) == set(listed)


def test_models_that_are_being_started_are_stopped(laptops: list[Client], server: Sshd) -> None:
    """The stop of each comes as soon as its run is there; every other one would take for ever."""
    begun = {
        name: start(laptop, name, *(["--vllm-args=--never-ready"] if number % 2 else []))
        for number, (name, laptop) in enumerate(zip(NAMES, laptops * 5, strict=True))
    }
    stops = {}
    while len(stops) < len(NAMES):
        for name, running in begun.items():
            if name not in stops and (server.home / ".pi/jobs" / name / "current").exists():
                stops[name] = stop(laptops[len(stops) % 4], name)
            assert running.process.poll() in (None, 0, 1), running.said
    for number, name in enumerate(NAMES):
        assert stops[name].ended() == 0, stops[name].said
        if begun[name].ended() or number % 2:
            assert any(text in begun[name].error for text in REFUSALS), begun[name].said
    assert rows(laptops[0]) == []
    assert waited(lambda: not left(server.home)), left(server.home)
