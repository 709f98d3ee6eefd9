"""Two podfabs at once: what one has taken, the other does not get."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fabfile.commands.jobs import Claim, Job
from fabfile.remote import jobs
from fabfile.remote.jobs import Taken
from fabfile.remote.pod import Pod
from tests.conftest import Client
from tests.ssh.typed import record, remember, rows, start
from tests.support import engine, gpus
from tests.support.sshd import Sshd

Serve = Callable[..., Sshd]


def claiming(name: str, claim: Claim, script: str = "exec sleep 300") -> Job:
    details = {"kind": "test", "owner": "ann@laptop"}
    return Job(name, f"#!/usr/bin/env bash\n{script}\n", details, claim=claim)


@pytest.fixture
def claimed(pod: Pod) -> Iterator[Pod]:
    """A pod where the job `first` holds port 8001 and the GPUs 0 and 1."""
    jobs.start(pod, claiming("first", Claim(8001, [0, 1])))
    yield pod
    for each in jobs.status(pod):
        jobs.stop(pod, each.name)


@pytest.mark.parametrize(
    "claim",
    [
        Claim(8001, []),
        Claim(8001, [2], ["first"]),
        Claim(8002, [0]),
        Claim(8002, [1, 2]),
        Claim(8002, [2, 0], ["other"]),
    ],
)
def test_what_another_holds_is_not_taken_twice(claimed: Pod, claim: Claim) -> None:
    with pytest.raises(Taken, match=r"first has just taken it \(by ann@laptop\); start it again"):
        jobs.start(claimed, claiming("second", claim))
    assert [job.name for job in jobs.status(claimed)] == ["first"]
    assert not (Path(claimed.root) / "jobs/second/current").exists()


@pytest.mark.parametrize(
    "claim",
    [
        Claim(8002, []),
        Claim(8002, [2, 3]),
        Claim(8002, [10, 11]),
        Claim(8002, [0, 1], ["first"]),
        Claim(8001, [0], forced=True),
    ],
)
def test_what_is_free_or_known_to_be_shared_is(claimed: Pod, claim: Claim) -> None:
    assert not jobs.start(claimed, claiming("second", claim)).joined


def test_what_a_job_held_is_free_when_it_has_ended(claimed: Pod) -> None:
    jobs.stop(claimed, "first")
    assert not jobs.start(claimed, claiming("second", Claim(8001, [0]))).joined


def test_a_lock_that_is_held_is_told_with_its_owner(claimed: Pod) -> None:
    from fabfile.errors import RemoteFailed

    root = Path(claimed.root)
    holder = subprocess.Popen(
        ["flock", str(root / "lock"), "sleep", "60"], stdin=subprocess.DEVNULL
    )
    (root / "lock.owner").write_text("ann@laptop, since now\n")
    script = jobs.commands.start(claimed.root, claiming("second", Claim(8002, [])), "me", 1)
    try:
        with pytest.raises(RemoteFailed, match="holds the lock of this pod: ann@laptop, since now"):
            claimed.run(script.replace("flock -w 20", "flock -w 0.2"))
    finally:
        subprocess.run(["pkill", "-P", str(holder.pid)], check=False)
        holder.wait(10)


@pytest.fixture
def two_gpus(client: Client, serve: Serve, tmp_path: Path) -> Iterator[Client]:
    """A client of a pod with two stand-in GPUs."""
    home = tmp_path / "sshd0" / "home"
    server = serve(path=gpus.install(tmp_path, home, 2))
    engine.install(server.home / ".pi")
    remember(client, dc1=server)
    (client.state / "models.yaml").write_text(
        "models:\n  org/thing: {weights_gb: 5, context: 4096, heads: 8, cache: "
        "[{layers: 8, kv_heads: 4, head_dim: 64}]}\n"
    )
    yield client
    client.run("models.stop", "--all")


def second_client(first: Client, tmp_path: Path) -> Client:
    """Another laptop that knows the same pod."""
    home = tmp_path / "other"
    home.mkdir()
    other = Client(home)
    other.state.mkdir()
    for name in ("pods.json", "models.yaml"):
        (other.state / name).write_bytes((first.state / name).read_bytes())
    return other


def test_two_laptops_that_start_at_once_never_collide(two_gpus: Client, tmp_path: Path) -> None:
    other = second_client(two_gpus, tmp_path)
    words = ["models.start", "--model=org/thing", "--memory=40%", "--json"]
    begun = [
        each.popen(*words, f"--name={name}")
        for each, name in ((two_gpus, "a"), (other, "b"), (two_gpus, "c"), (other, "d"))
    ]
    ended = [process.communicate(timeout=120) for process in begun]
    started = [json.loads(out) for out, _ in ended if out]
    # Two share a GPU only once the first of them is ready; who came too early was told.
    for (out, err), process in zip(ended, begun, strict=True):
        assert out or "is still starting there" in err or "has just taken it" in err, err
        assert process.returncode == (0 if out else 1)
    assert len({row["port"] for row in started}) == len(started) >= 2
    assert {tuple(row["gpus"]) for row in started} == {(0,), (1,)}
    assert {row["name"] for row in rows(two_gpus)} == {row["name"] for row in started}


def test_the_same_name_at_once_is_one_model(two_gpus: Client, tmp_path: Path) -> None:
    other = second_client(two_gpus, tmp_path)
    words = ["models.start", "--model=org/thing", "--name=qwen"]
    begun = [each.popen(*words) for each in (two_gpus, other)]
    said = [process.communicate(timeout=120)[1] for process in begun]
    assert sorted(process.returncode for process in begun) == [0, 1], said
    (refused,) = [text for text in said if "runs already" in text]
    assert "qwen runs already on dc1: org/thing (by " in refused
    (row,) = rows(two_gpus)
    assert row["name"] == "qwen"


def test_a_model_shares_a_gpu_with_what_is_free(two_gpus: Client) -> None:
    def started(name: str, *words: str) -> Any:
        said = start(two_gpus, name, "--json", *words)
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)

    assert [started(name)["gpus"] for name in ("a", "b")] == [[0], [1]]
    plan = json.loads(start(two_gpus, "c", "--plan", "--json").stdout)
    # 81559 MiB, of which 300 and a stand-in's 30000 are in use
    share = plan["args"][plan["args"].index("--gpu-memory-utilization") + 1]
    assert (plan["gpus"], share) == ([0], "0.63")
    assert "beside a on GPU 0, with the 63% that is free" in plan["how"]
    assert started("c")["gpus"] == [0]


def test_a_model_of_another_laptop_is_shown_and_adopted(two_gpus: Client, tmp_path: Path) -> None:
    other = second_client(two_gpus, tmp_path)
    assert start(other, "theirs").returncode == 0
    (row,) = rows(two_gpus)
    assert (row["name"], row["status"]) == ("theirs", "ready")
    assert row["owner"].count("@") == 1
    assert list(record(two_gpus)["pods"]["dc1"]["models"]) == ["theirs"]
    assert other.run("models.stop", "--name=theirs").returncode == 0
    assert rows(two_gpus) == [] and record(two_gpus)["pods"]["dc1"]["models"] == {}


def test_stop_proves_that_the_memory_is_back(two_gpus: Client) -> None:
    start(two_gpus, "a")
    said = two_gpus.run("models.stop", "--name=a")
    assert said.returncode == 0, said.stderr
    assert "a is stopped on dc1: no process of it is left, 31.5 GB of GPU memory" in said.stderr


def test_memory_that_does_not_come_back_is_no_success(two_gpus: Client, tmp_path: Path) -> None:
    start(two_gpus, "a")
    (tmp_path / "sshd0/home/stuck").touch()
    said = two_gpus.run("models.stop", "--name=a", "--json")
    assert (said.returncode, said.stdout) == (1, "")
    assert "a on dc1 is not gone: GPU 0 has 31.8 GB in use, 0.3 before the model" in said.stderr


def test_what_hides_but_computes_on_a_gpu_is_ended_too(two_gpus: Client, tmp_path: Path) -> None:
    from tests.ssh.test_pod import gone

    said = start(two_gpus, "a", "--vllm-args=--leave-behind")
    assert said.returncode == 0, said.stderr
    hidden = int((tmp_path / "sshd0/home/computes").read_text())
    assert not gone(hidden, patience=0)
    assert two_gpus.run("models.stop", "--name=a").returncode == 0
    assert gone(hidden, patience=0)


def test_restart_serves_the_same_in_the_same_place(two_gpus: Client, tmp_path: Path) -> None:
    two_gpus.extra["PI_API_KEY"] = "planted-key-1"
    before = json.loads(start(two_gpus, "a", "--json", "--gpus=1,", "--port=8077").stdout)
    run = tmp_path / "sshd0/home/.pi/jobs/a/current"
    kept = {name: (run / name).read_bytes() for name in ("run.sh", "env")}
    two_gpus.extra["PI_API_KEY"] = "planted-key-2"
    said = two_gpus.run("models.restart", "a")
    assert said.returncode == 0, said.stderr
    (after,) = rows(two_gpus)
    same = ("name", "model", "status", "port", "gpus", "url")
    assert [after[field] for field in same] == [before[field] for field in same]
    assert after["pid"] != before["pid"]
    assert {name: (run / name).read_bytes() for name in kept} == kept
    assert (run / "number").read_text() == "2\n"
    # also after it was stopped, but not where another has come to be
    assert two_gpus.run("models.stop", "--name=a").returncode == 0
    start(two_gpus, "b", "--port=8077")
    said = two_gpus.run("models.restart", "a")
    assert said.returncode == 1 and "b has just taken it (by " in said.stderr
    assert two_gpus.run("models.stop", "--name=b").returncode == 0
    assert two_gpus.run("models.restart", "a").returncode == 0
    assert [row["name"] for row in rows(two_gpus)] == ["a"]
    said = two_gpus.run("models.restart", "nobody")
    assert said.returncode == 1 and "no model is called 'nobody'" in said.stderr
