"""The pod's sshd dies under what is being followed: all of it arrives, in order and once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fabfile.commands.jobs import Job
from fabfile.records import settings
from fabfile.remote import jobs
from fabfile.remote.address import parse
from fabfile.remote.pod import Pod
from tests.conftest import Client
from tests.soak.running import Running, left, locked, waited
from tests.ssh.test_listing import children
from tests.ssh.typed import rows
from tests.support.sshd import Sshd

Work = Callable[[str], Path]
MIB = 1024 * 1024


@pytest.fixture
def work(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    """Start a job on the pod that waits for the file `go`; return the folder of its run."""
    monkeypatch.setenv("PI_CONFIG_DIR", str(tmp_path / "state"))
    pod = Pod("dc1", parse("local"), str(server.home / ".pi"), settings.load())

    def start(script: str) -> Path:
        wait = f"echo waiting; while [ ! -e {server.home}/go ]; do sleep 0.05; done\n"
        jobs.start(pod, Job("work", f"#!/usr/bin/env bash\n{wait}{script}\n", {"kind": "test"}))
        return server.home / ".pi/jobs/work/current"

    yield start
    jobs.stop(pod, "work")
    assert waited(lambda: not left(server.home)), left(server.home)


@pytest.fixture
def slow(ready: Client) -> Client:
    """The weights come when the file `gate` is there."""
    entry = "{weights_gb: 0.002, context: 4096, heads: 8, cache: []}"
    (ready.state / "models.yaml").write_text(f"models:\n  org/slow: {entry}\n")
    return ready


def has_shell(server: Sshd) -> bool:
    """Tell whether a script of ours runs behind one of the server's connections."""
    shells = [child for pid in server.connections() for child in children(pid)]
    return any((Path("/proc") / str(pid) / "comm").read_text() == "sh\n" for pid in shells)


def restart(server: Sshd, watched: Running) -> None:
    """Kill the server and its connections; start it once the client has found it gone."""
    watched.until(lambda: has_shell(server))
    before = watched.said.count("connection refused")
    server.vanish()
    watched.until(lambda: watched.said.count("connection refused") > before)
    server.start()


def test_a_log_is_whole_when_the_sshd_dies_four_times(
    ready: Client, server: Sshd, work: Work
) -> None:
    lines, rounds = 1000, 300
    work(f"for i in $(seq {rounds}); do seq $((i * {lines})) $((i * {lines} + {lines - 1})); "
         "sleep 0.05; done")  # fmt: skip
    following = Running(ready, "models.logs", "work")
    following.until(following.out.read_text)
    (server.home / "go").touch()
    for share in (0.1, 0.3, 0.5, 0.7):
        size = int(share * 7 * lines * rounds)
        following.until(lambda size=size: following.out.stat().st_size > size)
        restart(server, following)
    assert following.ended() == 0
    numbers = "".join(f"{n}\n" for n in range(lines, lines * (rounds + 1)))
    assert following.out.read_text() == "waiting\n" + numbers
    assert following.said.count("work has ended (exit 0)") == 1
    assert following.said.count("the connection to dc1 broke") == 4


@pytest.mark.parametrize("words", [["models.start", "--name=slow"], ["models.download"]])
def test_a_watch_goes_on_when_the_sshd_dies(slow: Client, server: Sshd, words: list[str]) -> None:
    watching = Running(slow, *words, "--model=org/slow")
    weights = server.home / ".cache/huggingface/hub/models--org--slow"
    watching.until((weights / "part").exists)
    for _ in range(3):
        restart(server, watching)
    (server.home / "gate").touch()
    assert watching.ended() == 0, watching.said
    assert (weights / "rest").exists()
    steps = [line.split("  ")[0] for line in watching.said.splitlines() if " done " in line]
    is_start = words[0] == "models.start"
    assert steps == ["downloading weights", *(["starting vLLM"] if is_start else [])]
    assert [row["status"] for row in rows(slow)] == (["ready"] if is_start else [])
    assert not list((server.home / ".pi/jobs").glob("*/runs/2")), "it was begun twice"
    assert slow.run("models.stop", "--all").returncode == 0
    assert waited(lambda: not left(server.home)), left(server.home)


def test_a_start_whose_sshd_dies_before_the_job_is_begun_once(ready: Client, server: Sshd) -> None:
    root = server.home / ".pi"
    with locked(root):
        starting = Running(ready, "models.start", "--model=org/thing", "--name=qwen")
        starting.until((root / "jobs/qwen/runs").is_dir)
        restart(server, starting)
    assert starting.ended() == 0, starting.said
    assert [row["status"] for row in rows(ready)] == ["ready"]
    assert [run.name for run in (root / "jobs/qwen/runs").iterdir()] == ["1"]
    assert ready.run("models.stop", "--all").returncode == 0
    assert waited(lambda: not left(server.home)), left(server.home)


def test_a_flood_is_cut_at_its_cap_and_arrives_as_it_was_kept(
    ready: Client, server: Sshd, work: Work
) -> None:
    run = work(f"seq 1 100000000 | head -c 200000000; touch {server.home}/done")
    following = Running(ready, "models.logs", "work")
    following.until(following.out.read_text)
    (server.home / "go").touch()
    for size in (4 * MIB, 24 * MIB, 48 * MIB):
        following.until(lambda size=size: following.out.stat().st_size > size)
        restart(server, following)
    assert following.ended() == 0, following.said
    kept = (run / "log").read_bytes()
    assert following.out.read_bytes() == kept
    assert 64 * MIB < len(kept) < 66 * MIB
    assert kept.endswith(b"[podfab] the log is cut here: it has 64 MiB\n")
    assert (server.home / "done").exists(), "the job went on beyond the cap"
    assert "work has ended (exit 0)" in following.said
