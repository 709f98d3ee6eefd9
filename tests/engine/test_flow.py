"""The main job, end to end, as a user does it: nothing in it is a stand-in."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Client
from tests.engine.conftest import Stage, make_checkpoint
from tests.ssh.test_pod import gone
from tests.support.processes import marked

QUESTION = "What is the capital of France?"
STARTED: dict[str, Any] = {}


def done(client: Client, *words: str, program: str = "inv", timeout: float = 900) -> str:
    """Run a command that must succeed; show where the time goes with `pytest -s`."""
    begun = time.monotonic()
    result = client.run(*words, program=program, timeout=timeout)
    print(f"\n{time.monotonic() - begun:7.1f} s  {program} {' '.join(words)}\n{result.stderr}")
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_setup_makes_a_bare_host_ready(stage: Stage) -> None:
    done(stage.client, "setup", *stage.setup)
    pods = json.loads(done(stage.client, "pods", "--json"))
    (pod,) = [pod for pod in pods if pod["name"] == stage.pod]
    assert pod["vllm_version"] and pod["root"].startswith("/")
    if stage.server:
        assert (pod["engine"], pod["active"], pod["gpus"]) == ("cpu", True, [])


def test_a_second_setup_changes_nothing(stage: Stage) -> None:
    plan = json.loads(done(stage.client, "setup", *stage.setup, "--plan", "--json"))
    assert {step["state"] for step in plan["steps"]} <= {"ok", "skip"}
    before = snapshot(stage)
    done(stage.client, "setup", *stage.setup)
    assert snapshot(stage) == before


def test_a_model_starts_and_is_ready(stage: Stage) -> None:
    make_checkpoint(stage)
    words = [f"--model={stage.model}", "--name=flow", f"--pod={stage.pod}"]
    plan = json.loads(done(stage.client, "models.start", *words, "--plan", "--json"))
    assert plan["name"] == "flow" and all(check["ok"] for check in plan["checks"])
    STARTED.update(json.loads(done(stage.client, "models.start", *words, "--json")))
    assert (STARTED["status"], STARTED["port"]) == ("ready", plan["port"])


def test_weights_that_are_there_are_not_fetched_again(stage: Stage) -> None:
    words = [f"--model={stage.model}", f"--pod={stage.pod}", "--json"]
    found = json.loads(done(stage.client, "models.download", *words))
    assert found["model"] == stage.model and found["bytes"] > 200_000_000


def test_the_weights_came_through_the_hub(stage: Stage) -> None:
    if not stage.hub:
        pytest.skip("only where the hub is ours to watch")
    asked = {path.rpartition("/")[2] for _, path in stage.hub.requests}
    assert {"model.safetensors", "tokenizer.json", "config.json"} <= asked


def test_the_list_says_ready_with_the_right_fields(stage: Stage) -> None:
    found = json.loads(done(stage.client, "models.list", f"--pod={stage.pod}", "--json"))
    (row,) = [row for row in found if row["name"] == "flow"]
    assert same(row)
    assert (row["pod"], row["model"], row["status"]) == (stage.pod, stage.model, "ready")
    assert row["url"] == f"http://127.0.0.1:{row['port']}/v1"
    assert isinstance(row["pid"], int) and row["started"].endswith("Z")


def test_it_listens_on_loopback_only(stage: Stage) -> None:
    if not stage.server:
        pytest.skip("only where the pod's sockets can be seen from here")
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    port = f"{STARTED['port']:04X}"
    places = [line.split()[1] for line in listening.splitlines() if " 0A " in line]
    assert [place for place in places if place.endswith(f":{port}")] == [f"0100007F:{port}"]


def test_the_model_answers_a_prompt(stage: Stage) -> None:
    answer = done(stage.client, "prompt", "flow", QUESTION, f"--pod={stage.pod}")
    assert "Paris" in answer


def test_the_answer_streams_as_json_lines(stage: Stage) -> None:
    lines = done(stage.client, "prompt.ask", "flow", QUESTION, "--json", f"--pod={stage.pod}")
    events = [json.loads(line) for line in lines.splitlines()]
    assert {event["type"] for event in events} <= {"reasoning", "content", "usage", "done"}
    assert "Paris" in "".join(e["text"] for e in events if e["type"] == "content")
    assert len([e for e in events if e["type"] == "content"]) > 3, "it came in one piece"
    assert events[-1] == {"type": "done", "finish_reason": "stop"}


def test_a_prompt_from_stdin(stage: Stage) -> None:
    result = stage.client.run("prompt", "flow", "-", f"--pod={stage.pod}", stdin=QUESTION)
    assert "Paris" in result.stdout, result.stderr


def test_the_log_shows_it_and_ctrl_c_ends_the_following_only(stage: Stage) -> None:
    log = done(
        stage.client, "models.logs", "flow", "--no-follow", "--lines=5000", f"--pod={stage.pod}"
    )
    assert "Application startup complete" in log and "[podfab] ready" in log
    following = stage.client.popen("models.logs", "flow", "--lines=1", f"--pod={stage.pod}")
    assert following.stdout and following.stdout.readline()
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=20)
    assert "flow goes on; to stop it: inv models.stop --name=flow" in said
    assert "Paris" in done(stage.client, "prompt", "flow", QUESTION, f"--pod={stage.pod}")


def test_the_same_name_is_not_started_twice(stage: Stage) -> None:
    words = [f"--model={stage.model}", "--name=flow", f"--pod={stage.pod}"]
    result = stage.client.run("models.start", *words)
    assert result.returncode == 1
    assert "flow runs already" in result.stderr
    assert same(model_row(stage))


def test_the_list_tells_how_busy_it_is(stage: Stage) -> None:
    deadline = time.monotonic() + 60
    while (row := model_row(stage))["idle_s"] is None:
        assert time.monotonic() < deadline, "the engine says nothing of its throughput"
        time.sleep(1)
    assert (row["running"], row["waiting"]) == (0, 0)
    assert 0 <= row["kv_cache"] < 1 and row["uptime_s"] > 0


def test_any_client_reaches_it_through_a_tunnel(stage: Stage) -> None:
    holding = stage.client.popen("models.tunnel", "flow", f"--pod={stage.pod}")
    assert holding.stderr
    address = holding.stderr.readline()
    while "http://" not in address:
        assert address, "it ended without a word"
        address = holding.stderr.readline()
    port = re.findall(r":(\d+)/v1", address)[0]
    words = ["models.env", "flow", f"--port={port}", f"--pod={stage.pod}"]
    lines = done(stage.client, *words).splitlines()
    variables = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    request = urllib.request.Request(
        variables["OPENAI_BASE_URL"] + "/models",
        headers={"Authorization": f"Bearer {shlex.split(variables['OPENAI_API_KEY'])[0]}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert "flow" in [model["id"] for model in json.load(answer)["data"]]
    # The same address for prompt: a key that is not the model's, and a name that it does not have.
    base = f"--base-url={variables['OPENAI_BASE_URL']}"
    refused = stage.client.run("prompt", "flow", "hi", base)
    assert refused.returncode == 1 and "the server refuses the key" in refused.stderr
    stage.client.extra["OPENAI_API_KEY"] = shlex.split(variables["OPENAI_API_KEY"])[0]
    unknown = stage.client.run("prompt", "nobody", "hi", base)
    assert "the server has no model nobody; it has: flow, " in unknown.stderr
    assert "Paris" in done(stage.client, "prompt", "flow", QUESTION, base)
    holding.send_signal(signal.SIGINT)
    holding.communicate(timeout=20)
    assert holding.returncode == 130


def test_ctrl_c_stops_an_answer_and_keeps_what_came(stage: Stage) -> None:
    words = ["flow", "Write a very long story about ships and harbours.", "--no-tools"]
    asking = stage.client.popen("prompt", *words, f"--pod={stage.pod}")
    assert asking.stdout
    begun = asking.stdout.read(20)
    asking.send_signal(signal.SIGINT)
    rest, said = asking.communicate(timeout=30)
    assert (asking.returncode, "Traceback" in said) == (130, False)
    assert begun.strip() and (begun + rest).endswith("\n")
    assert model_row(stage)["status"] == "ready"


def test_the_check_tells_what_a_small_model_can_not_do(stage: Stage) -> None:
    if not stage.hub:
        pytest.skip("only where the model is known to be small")
    result = stage.client.run("models.check", "flow", f"--pod={stage.pod}", "--json", timeout=600)
    found = {verdict["capability"]: verdict for verdict in json.loads(result.stdout)}
    assert found["answer"]["ok"] and found["answer"]["promised"], found
    assert "reasoning" not in found, "it was started without a reasoning parser"
    for capability in ("one call", "parallel calls", "long file"):
        assert (found[capability]["ok"], found[capability]["promised"]) == (False, False)
        assert found[capability]["detail"] == "the model was started without a tool parser"
    failed = [v for v in found.values() if v["promised"] and not v["ok"]]
    assert result.returncode == bool(failed)


def test_a_second_model_runs_beside_it_through_fab_and_with_no_hub(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = stage.pod
    if stage.hub:
        monkeypatch.setitem(stage.client.extra, "HF_ENDPOINT", "http://127.0.0.1:9")
    if stage.server:
        place = f"{stage.server.user}@127.0.0.1:{stage.server.port}"
    assert "Traceback" not in (asked := stage.client.run("pods", program="fab")).stderr, asked
    fab = ["-H", place]
    words = [f"--model={stage.model}", "--name=two", "--context=2048"]
    done(stage.client, *fab, "models.start", *words, program="fab")
    assert "Paris" in done(stage.client, *fab, "prompt", "two", QUESTION, program="fab")
    found = json.loads(done(stage.client, *fab, "models", "--json", program="fab"))
    assert [(row["name"], row["status"]) for row in found] == [("flow", "ready"), ("two", "ready")]
    assert found[0]["port"] != found[1]["port"]
    assert "Paris" in done(stage.client, "prompt", "flow", QUESTION, f"--pod={stage.pod}")
    long = stage.client.run("prompt", "two", "-", f"--pod={stage.pod}", stdin="harbour " * 8000)
    assert long.returncode == 1
    assert "this is more than the model's context holds (" in long.stderr and "2048" in long.stderr


def test_an_engine_that_is_killed_is_a_failed_model_that_can_be_restarted(stage: Stage) -> None:
    if not stage.server:
        pytest.skip("only where the pod's processes can be ended from here")
    row = model_row(stage, "two")
    processes = session(row["pid"])
    (core,) = [pid for pid in processes if "EngineCor" in command(pid)]
    asking = stage.client.popen("prompt", "two", "Write a long story.", f"--pod={stage.pod}")
    assert asking.stdout and asking.stdout.read(10)
    os.kill(core, signal.SIGKILL)
    _, said = asking.communicate(timeout=60)
    assert asking.returncode == 1 and "Traceback" not in said
    assert "podfab: " in said.splitlines()[-1]
    assert all(gone(pid, patience=60) for pid in processes)
    row = model_row(stage, "two")
    assert (row["status"], row["pid"]) == ("failed", None)
    assert "engine" in row["cause"] and row["fix"]
    assert model_row(stage)["status"] == "ready", "the other one goes on"
    done(stage.client, "models.restart", "two", f"--pod={stage.pod}")
    again = model_row(stage, "two")
    assert (again["status"], again["port"]) == ("ready", row["port"])


def test_stop_leaves_no_process_and_no_port(stage: Stage) -> None:
    started = model_row(stage, "two")
    processes = session(started["pid"]) if stage.server else []
    assert not stage.server or len(processes) > 2, "engine and workers were expected"
    said = json.loads(
        done(stage.client, "models.stop", "--name=two", "--json", f"--pod={stage.pod}")
    )
    assert said == [{"pod": stage.pod, "name": "two", "stopped": True}]
    assert all(gone(pid, patience=1) for pid in processes)
    if stage.server:
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", started["port"])) != 0
    assert model_row(stage, "two") is None
    pods = json.loads(done(stage.client, "pods", "--json"))
    assert [pod["models"] for pod in pods if pod["name"] == stage.pod] == [["flow"]]


def test_a_server_that_is_killed_leaves_no_engine(stage: Stage) -> None:
    if not stage.server:
        pytest.skip("only where the pod's processes can be ended from here")
    processes = session(STARTED["pid"])
    os.kill(STARTED["pid"], signal.SIGKILL)
    assert all(gone(pid, patience=30) for pid in processes)
    row = model_row(stage)
    assert (row["status"], row["pid"]) == ("failed", None)
    assert "its process was killed (KILL)" in row["cause"]
    done(stage.client, "models.stop", "--all", f"--pod={stage.pod}")
    assert model_row(stage) is None


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("org/missing", "the hub has no such model, or hides it; check the id"),
        ("gated/small", "the model is gated; ask for access on its page, export HF_TOKEN"),
    ],
)
def test_what_the_hub_does_not_give_is_explained(stage: Stage, model: str, line: str) -> None:
    if not stage.hub:
        pytest.skip("only where the hub is ours")
    # A model of the user's catalog is not looked up: its download is the first to hear of it.
    entry = {model: {"weights_gb": 0.3, "context": 2048, "heads": 8, "cache": []}}
    own = stage.client.state / "models.yaml"
    own.write_text(json.dumps({"models": entry}))
    try:
        result = stage.client.run("models.start", f"--model={model}", "--name=bad")
    finally:
        own.unlink()
    assert result.returncode == 1
    assert f"podfab: bad failed: {line}" in result.stderr
    done(stage.client, "models.stop", "--name=bad")


def test_ctrl_c_leaves_a_start_going_and_says_how_to_stop_it(stage: Stage) -> None:
    words = [f"--model={stage.model}", "--name=left", f"--pod={stage.pod}"]
    starting = stage.client.popen("models.start", *words)
    deadline = time.monotonic() + 120
    while (row := model_row(stage)) is None or row["status"] not in ("starting", "loading"):
        assert time.monotonic() < deadline and starting.poll() is None
        time.sleep(0.2)
    starting.send_signal(signal.SIGINT)
    _, said = starting.communicate(timeout=30)
    assert starting.returncode == 130, said
    assert "inv models.stop --name=left" in said
    assert model_row(stage)["status"] in ("starting", "loading")
    done(stage.client, "models.stop", "--name=left", f"--pod={stage.pod}")
    assert model_row(stage) is None


def test_a_model_whose_pid_is_somebody_elses_is_found_and_the_other_is_not_touched(
    stage: Stage,
) -> None:
    if not stage.server:
        pytest.skip("only where the pod's processes can be seen from here")
    words = [f"--model={stage.model}", "--name=left", f"--pod={stage.pod}", "--no-wait"]
    row = json.loads(done(stage.client, "models.start", *words, "--json"))
    processes = session(row["pid"])
    stranger = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        pid_file = stage.server.home / ".pi/jobs/left/current/pid"
        pid_file.write_text(pid_file.read_text().replace(str(row["pid"]), str(stranger.pid), 1))
        assert model_row(stage)["status"] == "failed"
        done(stage.client, "models.stop", "--name=left", f"--pod={stage.pod}")
        assert all(gone(pid, patience=0) for pid in processes)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_disk_that_is_full_during_the_download_is_the_cause(stage: Stage, tmp_path: Path) -> None:
    if not stage.server:
        pytest.skip("only where a small disk can be made on the pod")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small tmpfs needs root's right to mount; script/test as root has it")
    try:
        words = [f"--model={stage.model}", "--name=bad", f"--vllm-args=--download-dir={tmp_path}"]
        result = stage.client.run("models.start", *words, timeout=300)
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
    assert result.returncode == 1
    assert "podfab: bad failed: the disk is full" in result.stderr, result.stderr
    done(stage.client, "models.stop", "--name=bad")


def test_a_failed_start_names_its_cause_and_fix(stage: Stage) -> None:
    words = [f"--model={stage.model}", "--name=bad", f"--pod={stage.pod}"]
    result = stage.client.run("models.start", *words, "--vllm-args=--no-such-flag", timeout=300)
    assert result.returncode == 1
    assert "vLLM knows no argument --no-such-flag; correct --vllm-args" in result.stderr
    found = json.loads(
        done(stage.client, "models.diagnose", "--name=bad", "--json", f"--pod={stage.pod}")
    )
    assert found["cause"] == "vLLM knows no argument --no-such-flag"
    assert found["lines"] == ["vllm: error: unrecognized arguments: --no-such-flag"]
    row = model_row(stage)
    assert (row["status"], row["cause"], row["fix"]) == ("failed", found["cause"], found["fix"])
    done(stage.client, "models.stop", "--name=bad", f"--pod={stage.pod}")
    assert model_row(stage) is None


def test_nothing_of_ours_is_left_running(stage: Stage) -> None:
    if not stage.server:
        pytest.skip("only where the pod's processes can be seen from here")
    assert marked(stage.server.home) == []


def model_row(stage: Stage, name: str = "") -> Any:
    found = json.loads(stage.client.run("models", f"--pod={stage.pod}", "--json").stdout)
    names = {name} if name else {"flow", "left", "bad"}
    return next((row for row in found if row["name"] in names), None)


def same(row: Any) -> bool:
    """Tell whether a row is that of the model that was started first."""
    fixed = ("pod", "name", "model", "status", "port", "gpus", "pid", "url", "started", "owner")
    return all(row[field] == STARTED[field] for field in fixed)


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()


def session(leader: int) -> list[int]:
    """Return the processes of a session."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            pids.append(int(path.parent.name))
    return pids


def snapshot(stage: Stage) -> dict[str, float]:
    """Return when each file of the pod's root was changed, but for the job's own lock."""
    if not stage.server:
        return {}
    root = stage.server.home / ".pi"
    return {
        os.path.join(folder, name): os.lstat(os.path.join(folder, name)).st_mtime
        for folder, _, names in os.walk(root)
        for name in names
    }
