"""What models.list tells beyond the status, and how long it takes to tell it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROGRAMS, PROJECT, Client
from tests.ssh.test_pod import gone
from tests.ssh.typed import record, rows, start
from tests.support.processes import marked
from tests.support.sshd import Sshd


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of a host that takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"ssh -p {listening.getsockname()[1]} root@127.0.0.1"


def with_pod(client: Client, name: str, ssh: str) -> None:
    content = record(client)
    content["pods"][name] = {"ssh": ssh}
    (client.state / "pods.json").write_text(json.dumps(content))


def test_a_server_tells_how_busy_it_is_in_the_same_round_trip(ready: Client) -> None:
    assert start(ready, "busy", "--vllm-args=--busy").returncode == 0
    (row,) = rows(ready)
    assert (row["running"], row["waiting"], row["kv_cache"]) == (2, 1, 0.4125)
    assert row["idle_s"] == 0 and 0 <= row["uptime_s"] < 60
    said = ready.run("models").stdout
    assert "2 running, 1 waiting, KV cache 41%" in said
    assert start(ready, "other").returncode == 0
    found = {row["name"]: row for row in rows(ready)}
    assert (found["busy"]["running"], found["other"]["running"]) == (2, None)


def test_how_long_a_server_is_idle_stands_in_its_log(ready: Client, server: Sshd) -> None:
    assert start(ready, "qwen").returncode == 0
    log = server.home / ".pi/jobs/qwen/current/log"
    then = time.strftime("%m-%d %H:%M:%S", time.localtime(time.time() - 7260))
    line = (
        f"(APIServer pid=1) INFO {then} [loggers.py:273] Engine 000: Avg prompt throughput: "
        "3.6 tokens/s, Avg generation throughput: 48.2 tokens/s, Running: 0 reqs\n"
    )
    with log.open("a") as file:
        file.write(line)
    (row,) = rows(ready)
    assert 7255 <= row["idle_s"] <= 7300 and row["generation_tokens_per_s"] is None
    assert "idle 2 h 1 min" in ready.run("models").stdout
    with log.open("a") as file:
        file.write("[podfab] the log is cut here: it has 64 MiB\n")
    assert rows(ready)[0]["idle_s"] is None


def test_a_pod_that_says_nothing_delays_nobody(ready: Client, deaf: str) -> None:
    with_pod(ready, "deaf", deaf)
    start(ready, "qwen")
    (ready.state / "settings.yaml").write_text("list_timeout: 3\n")
    begun = time.monotonic()
    found = {row["pod"]: row for row in rows(ready, "--all")}
    assert time.monotonic() - begun < 9, "it waits for the limit, not for ssh's own"
    assert found["dc1"]["status"] == "ready"
    assert found["deaf"]["cause"] == "deaf gave no answer within 3 s; is it up?"
    alone = ready.run("models", "--pod=deaf")
    assert alone.returncode == 1 and "deaf gave no answer within 3 s" in alone.stderr


def test_in_a_terminal_the_others_stand_there_while_one_is_waited_for(
    ready: Client, deaf: str
) -> None:
    with_pod(ready, "deaf", deaf)
    start(ready, "qwen")
    (ready.state / "settings.yaml").write_text("list_timeout: 20\n")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(PROGRAMS / "inv"), "models", "--all"],
        cwd=PROJECT,
        env={**ready.environment, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    seen, deadline = b"", time.monotonic() + 15
    try:
        while b"waiting for deaf" not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([ours], [], [], 1)[0]:
                seen += os.read(ours, 65536)
        assert b"qwen" in seen
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        os.close(ours)
        os.close(theirs)


def test_the_record_follows_the_pod(ready: Client) -> None:
    start(ready, "qwen")
    content = record(ready)
    kept = dict(content["pods"]["dc1"]["models"]["qwen"])
    content["pods"]["dc1"]["models"] = {"ghost": {"model": "org/gone", "port": 1}}
    (ready.state / "pods.json").write_text(json.dumps(content))
    assert [row["name"] for row in rows(ready)] == ["qwen"]
    assert record(ready)["pods"]["dc1"]["models"] == {"qwen": kept}


def test_an_api_server_that_is_killed_leaves_no_engine(ready: Client) -> None:
    started = json.loads(start(ready, "qwen", "--json", "--vllm-args=--child").stdout)
    (child,) = children(started["pid"])
    os.kill(started["pid"], signal.SIGKILL)
    assert gone(child, patience=20)
    (row,) = rows(ready)
    assert (row["status"], row["pid"]) == ("failed", None)
    assert "kill" in row["cause"].lower()
    assert ready.run("models.restart", "qwen").returncode == 0
    assert [row["status"] for row in rows(ready)] == ["ready"]


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def slow(ready: Client, server: Sshd) -> Iterator[Client]:
    """The pod's weights come slowly: a half, and the rest once the file `gate` is there."""
    entry = "{weights_gb: 0.002, context: 4096, heads: 8, cache: []}"
    (ready.state / "models.yaml").write_text(f"models:\n  org/slow: {entry}\n")
    yield ready
    (server.home / "gate").touch()


def begun(client: Client, server: Sshd, *words: str) -> tuple[Any, Path]:
    """Begin to fetch the weights; return the process and the folder that they come into."""
    process = client.popen(*words)
    name = "hub/models--org--slow"
    folder = server.home / ".cache/huggingface" / name
    deadline = time.monotonic() + 60
    while not (folder / "part").exists():
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process, folder


def test_weights_are_fetched_ahead_of_a_start(slow: Client, server: Sshd) -> None:
    process, folder = begun(slow, server, "models.download", "--model=org/slow", "--json")
    (server.home / "gate").touch()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert set(json.loads(out)) == {"pod", "model", "folder", "bytes"}
    assert (folder / "rest").exists()
    assert "downloading weights           done" in err and rows(slow) == []


def test_ctrl_c_cancels_a_download_and_keeps_what_came(slow: Client, server: Sshd) -> None:
    process, folder = begun(slow, server, "models.download", "--model=org/slow")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert "the download of org/slow was cancelled; what came is kept" in err
    assert (folder / "part").exists()


def test_what_stalls_can_be_stopped(slow: Client, server: Sshd) -> None:
    """A download is cancelled, as nobody could stop it later; a start says how to stop it."""
    (slow.state / "settings.yaml").write_text("stall_timeout: 6\n")
    process, folder = begun(slow, server, "models.download", "--model=org/slow")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and "podfab: nothing has moved for 6 s: no log line" in err
    assert "the download of org/slow was cancelled; what came is kept" in err
    assert (folder / "part").exists() and marked(server.home) == []
    said = slow.run("models.start", "--model=org/slow", "--name=qwen").stderr
    assert "nothing has moved for 6 s" in said
    assert "it still runs; look: inv models.logs qwen; to stop it: inv models.stop" in said
    assert [row["status"] for row in rows(slow)] == ["downloading"]


def test_a_download_that_another_began_is_joined_and_left_alone(slow: Client, server: Sshd) -> None:
    first, folder = begun(slow, server, "models.download", "--model=org/slow")
    second = slow.popen("models.download", "--model=org/slow")
    assert second.stderr
    line = second.stderr.readline()
    while "is being downloaded already (by " not in line:
        assert line, "it ended without a word"
        line = second.stderr.readline()
    second.send_signal(signal.SIGINT)
    _, err = second.communicate(timeout=60)
    assert (second.returncode, "the download goes on (by " in err) == (130, True), err
    assert first.poll() is None
    (server.home / "gate").touch()
    first.communicate(timeout=60)
    assert first.returncode == 0 and (folder / "rest").exists()


def test_a_start_that_downloads_tells_its_bytes_in_the_list(slow: Client, server: Sshd) -> None:
    process, _ = begun(slow, server, "models.start", "--model=org/slow", "--name=slow")
    (row,) = rows(slow)
    assert row["status"] == "downloading" and row["fetched"] >= 1_000_000
    assert "0.00 GB" in slow.run("models").stdout
    (server.home / "gate").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which model? inv models.download --model=Qwen/Qwen3-8B"),
        (["--model=/srv/x"], "/srv/x is a folder on the pod: there is nothing to download"),
    ],
)
def test_what_can_not_be_fetched_is_told(ready: Client, words: list[str], said: str) -> None:
    result = ready.run("models.download", *words)
    assert (result.returncode, result.stderr) == (2, f"podfab: {said}\n")


def test_a_download_that_fails_says_why(ready: Client) -> None:
    result = ready.run("models.download", "--model=org/missing")
    assert result.returncode == 1
    said = (
        "the download of org/missing failed: the hub has no such model, or hides it; check the id"
    )
    assert f"podfab: {said}" in result.stderr


def test_a_hub_that_stumbles_once_is_asked_again(ready: Client) -> None:
    words = ["models.start", "--model=org/stumbling", "--name=qwen", "--vllm-args=--crash"]
    entry = "{weights_gb: 1, context: 4096, heads: 8, cache: []}"
    (ready.state / "models.yaml").write_text(f"models:\n  org/stumbling: {entry}\n")
    said = ready.run(*words)
    assert "qwen failed: the weights leave no memory for the KV cache" in said.stderr
    log = ready.run("models.logs", "qwen", "--no-follow").stdout
    assert log.count("503 Service Unavailable") == 1
    assert "[podfab] the hub stumbled; it is asked again in 5 s" in log
