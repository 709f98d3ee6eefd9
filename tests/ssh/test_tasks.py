"""The commands as a user types them, with a stand-in engine on a real sshd."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fabfile.commands.jobs import Job
from fabfile.remote import jobs
from fabfile.remote.pod import Pod
from tests.conftest import Client
from tests.ssh.test_pod import gone
from tests.ssh.typed import record, remember, rows, start
from tests.support import engine
from tests.support.sshd import Sshd, free_port

Serve = Callable[..., Sshd]

TWO_GPUS = """\
0, GPU-1, NVIDIA H100 80GB HBM3, 81559 MiB, 81000 MiB, 580.65.06, 9.0, Disabled
1, GPU-2, NVIDIA H100 80GB HBM3, 81559 MiB, 81000 MiB, 580.65.06, 9.0, Disabled
"""


def test_a_model_is_started_listed_and_stopped(ready: Client, server: Sshd) -> None:
    started = json.loads(start(ready, "qwen", "--json").stdout)
    assert started["status"] == "ready"
    (row,) = rows(ready)
    assert {**row, "uptime_s": started["uptime_s"]} == started
    served = record(ready)["pods"]["dc1"]["models"]["qwen"]
    assert served["model"] == "org/thing"
    assert (served["port"], served["pid"]) == (started["port"], started["pid"])
    assert ready.run("models.stop", "--name=qwen").returncode == 0
    assert gone(started["pid"], patience=1)
    assert (rows(ready), record(ready)["pods"]["dc1"]["models"]) == ([], {})


def test_ports_are_the_next_free_ones(ready: Client) -> None:
    first = json.loads(start(ready, "one", "--json").stdout)["port"]
    second = json.loads(start(ready, "two", "--json").stdout)["port"]
    assert 8001 <= first < second
    refused = start(ready, "three", f"--port={first}")
    assert refused.returncode == 1
    assert f"{first} is in use on the pod; take another: --port=N" in refused.stderr
    assert [row["name"] for row in rows(ready)] == ["one", "two"]
    forced = start(ready, "three", f"--port={first}", "--force")
    assert "three failed: the port is in use on the pod" in forced.stderr


def test_the_ports_begin_where_the_settings_say(ready: Client) -> None:
    (ready.state / "settings.yaml").write_text("first_port: 8765\n")
    assert json.loads(start(ready, "one", "--plan", "--json").stdout)["port"] == 8765


def test_the_key_reaches_the_server_and_stands_nowhere_else(ready: Client, server: Sshd) -> None:
    ready.extra["PI_API_KEY"] = "planted-key-123"
    said = start(ready, "qwen", "--json", "--plan")
    said = [said, start(ready, "qwen", "--json"), ready.run("models.logs", "qwen", "--no-follow")]
    assert all("planted-key-123" not in each.stdout + each.stderr for each in said)
    holders = [
        path.name
        for path in (server.home / ".pi").rglob("*")
        if path.is_file() and b"planted-key-123" in path.read_bytes()
    ]
    assert holders == ["env"]
    assert "planted-key-123" not in (ready.state / "pods.json").read_text()


def test_each_gpu_gets_its_model_and_the_choice_reaches_the_engine(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    from tests.ssh.test_facts import stub

    server = serve(path=stub(tmp_path, "nvidia-smi", TWO_GPUS))
    engine.install(server.home / ".pi")
    remember(client, dc1=server)
    try:
        first = json.loads(start(client, "one", "--json").stdout)
        second = json.loads(start(client, "two", "--json").stdout)
        assert (first["gpus"], second["gpus"]) == ([0], [1])
        log = client.run("models.logs", "two", "--no-follow").stdout
        assert '"visible": "1"' in log
        plan = json.loads(start(client, "both", "--gpus=0,1", "--plan", "--json").stdout)
        assert plan["env"]["CUDA_VISIBLE_DEVICES"] == "0,1"
        assert "--tensor-parallel-size" in plan["args"]
    finally:
        client.run("models.stop", "--all")


def test_a_plan_starts_nothing_and_writes_nothing(ready: Client, server: Sshd) -> None:
    before = sorted(server.home.rglob("*")), (ready.state / "pods.json").read_bytes()
    plan = json.loads(start(ready, "qwen", "--plan", "--json").stdout)
    known = {"pod", "name", "model", "port", "gpus", "engine", "args", "env", "checks"}
    assert set(plan) == known | {"how", "notes"}
    assert plan["args"][:3] == ["--served-model-name", "qwen", "org/thing"]
    assert (sorted(server.home.rglob("*")), (ready.state / "pods.json").read_bytes()) == before


def test_without_waiting_it_goes_on_and_becomes_ready(ready: Client) -> None:
    begun = json.loads(start(ready, "qwen", "--no-wait", "--json").stdout)
    assert begun["status"] in ("starting", "downloading", "loading", "ready")
    deadline = time.monotonic() + 30
    while rows(ready)[0]["status"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_crash_while_starting_is_explained(ready: Client) -> None:
    result = start(ready, "qwen", "--vllm-args=--crash")
    assert result.returncode == 1
    assert "qwen failed: the weights leave no memory for the KV cache; start it" in result.stderr
    (row,) = rows(ready)
    assert (row["status"], row["pid"]) == ("failed", None)
    assert row["cause"] == "the weights leave no memory for the KV cache"
    found = json.loads(ready.run("models.diagnose", "--name=qwen", "--json").stdout)
    assert (found["cause"], found["fix"]) == (row["cause"], row["fix"])
    line = "ValueError: No available memory for the cache blocks. Try more."
    assert found["lines"] == [line]
    log = ready.home / "saved.log"
    log.write_text(ready.run("models.logs", "qwen", "--no-follow").stdout)
    (ready.state / "pods.json").unlink()
    said = ready.run("models.diagnose", f"--log={log}").stdout
    assert said == f"cause  {row['cause']}\nfix    {row['fix']}\nlog    {line}\n"


def test_what_serves_or_was_stopped_has_not_failed(ready: Client) -> None:
    start(ready, "qwen")
    result = ready.run("models.diagnose", "--name=qwen")
    assert result.returncode == 1 and "qwen runs on dc1, it has not failed" in result.stderr
    assert ready.run("models.stop", "--name=qwen").returncode == 0
    result = ready.run("models.diagnose", "--name=qwen")
    assert result.returncode == 1 and "qwen was stopped on dc1" in result.stderr


def test_a_model_that_the_hub_lacks_is_explained(ready: Client) -> None:
    result = ready.run("models.start", "--model=org/missing", "--name=qwen")
    assert result.returncode == 1
    assert "the hub has no such model, or hides it; check the id" in result.stderr


def test_weights_that_are_there_need_neither_room_nor_token(ready: Client, server: Sshd) -> None:
    entry = "{weights_gb: 0.02, gated: true, context: 4096, heads: 8, cache: []}"
    (ready.state / "models.yaml").write_text(f"models:\n  org/big: {entry}\n")
    words = ["models.start", "--model=org/big", "--name=big"]
    result = ready.run(*words)
    assert result.returncode == 1 and rows(ready) == []
    assert "accept its licence at https://huggingface.co/org/big, then export HF" in result.stderr
    (blobs := server.home / ".pi/models/hub/models--org--big/blobs").mkdir(parents=True)
    (blobs / "one").write_bytes(b"x" * 20_000_000)
    plan = json.loads(ready.run(*words, "--plan", "--json").stdout)
    checks = {check["check"]: (check["ok"], check["detail"]) for check in plan["checks"]}
    assert checks["gated"] == (True, "its weights are on the pod")
    assert checks["disk"][0] and checks["disk"][1].startswith("0.0 of 0.02 GB are still")


def test_a_token_on_the_pod_or_of_the_client_is_seen(ready: Client, server: Sshd) -> None:
    entry = "{weights_gb: 0.02, gated: true, context: 4096, heads: 8, cache: []}"
    (ready.state / "models.yaml").write_text(f"models:\n  org/big: {entry}\n")
    words = ["models.start", "--model=org/big", "--name=big", "--plan"]
    assert "no: accept its licence" in ready.run(*words).stdout
    ready.extra["HF_TOKEN"] = "hf_planted"
    said = ready.run(*words)
    assert "ok: HF_TOKEN is there" in said.stdout and "planted" not in said.stdout + said.stderr
    del ready.extra["HF_TOKEN"]
    (server.home / ".pi/env").write_text("HF_TOKEN=hf_planted\n")
    said = ready.run(*words)
    assert "ok: HF_TOKEN is there" in said.stdout and "planted" not in said.stdout + said.stderr


def test_a_crash_after_ready_is_failed_whatever_the_exit_code(ready: Client) -> None:
    started = json.loads(start(ready, "qwen", "--json").stdout)
    os.kill(started["pid"], signal.SIGTERM)
    assert gone(started["pid"])
    (row,) = rows(ready)
    assert (row["status"], row["cause"]) == ("failed", "its process was ended (TERM)")
    assert ready.run("models.stop", "--name=qwen").returncode == 0
    assert rows(ready) == []


def test_a_start_that_hangs_is_listed_with_its_phase_and_can_be_stopped(ready: Client) -> None:
    start(ready, "qwen", "--no-wait", "--vllm-args=--never-ready")
    deadline = time.monotonic() + 20
    while (row := rows(ready)[0])["phase"] != "loading weights":
        assert time.monotonic() < deadline, row
        time.sleep(0.1)
    assert row["status"] == "loading"
    assert ready.run("models.stop", "--name=qwen").returncode == 0
    assert gone(row["pid"], patience=1)


def test_a_start_that_another_stops_says_so(ready: Client, server: Sshd) -> None:
    words = ["models.start", "--model=org/thing", "--name=qwen", "--vllm-args=--never-ready"]
    starting = ready.popen(*words)
    while "Starting to load" not in ready.run("models.logs", "qwen", "--no-follow").stdout:
        assert starting.poll() is None, starting.communicate()
    assert ready.run("models.stop", "--name=qwen").returncode == 0
    _, said = starting.communicate(timeout=30)
    assert starting.returncode == 1
    assert said.splitlines()[-1] == "podfab: qwen was stopped by another command"
    assert "loading weights               stopped" in said


def test_what_ignores_term_is_killed(ready: Client) -> None:
    (ready.state / "settings.yaml").write_text("stop_grace: 1\n")
    started = json.loads(start(ready, "qwen", "--json", "--vllm-args=--deaf").stdout)
    assert ready.run("models.stop", "--all").returncode == 0
    assert gone(started["pid"], patience=0)


def test_more_models_are_stopped_than_an_sshd_allows_sessions(
    ready: Client, server: Sshd, reach: Callable[..., Pod]
) -> None:
    pod = reach("local")
    pod.root = str(server.home / ".pi")
    names = {f"m{number}" for number in range(14)}
    script = "#!/usr/bin/env bash\ntrap 'sleep 1; exit' TERM; sleep 300 & wait\n"
    for name in names:
        jobs.start(pod, Job(name, script, {"kind": "serve", "model": "org/thing"}))
    said = ready.run("models.stop", "--all", "--json")
    assert said.returncode == 0, said.stderr
    assert {row["name"] for row in json.loads(said.stdout)} == names
    assert rows(ready) == []


def test_ctrl_c_leaves_the_start_going(ready: Client) -> None:
    words = ["--model=org/thing", "--name=qwen", "--vllm-args=--never-ready"]
    starting = ready.popen("models.start", *words)
    while not (found := rows(ready)) or found[0]["phase"] != "loading weights":
        assert starting.poll() is None
        time.sleep(0.1)
    starting.send_signal(signal.SIGINT)
    _, said = starting.communicate(timeout=20)
    assert (starting.returncode, "Traceback" in said) == (130, False)
    assert "to stop it: inv models.stop --name=qwen" in said
    assert rows(ready)[0]["status"] == "loading"


def test_all_pods_at_once_and_one_that_does_not_answer(ready: Client, server: Sshd) -> None:
    content = record(ready)
    content["pods"]["dead"] = {"ssh": f"ssh -p {free_port()} root@127.0.0.1"}
    (ready.state / "pods.json").write_text(json.dumps(content))
    start(ready, "qwen")
    found = {row["pod"]: row for row in rows(ready, "--all")}
    assert (found["dc1"]["name"], found["dc1"]["status"]) == ("qwen", "ready")
    assert (found["dead"]["name"], found["dead"]["status"]) == (None, "unreachable")
    assert "connection refused" in found["dead"]["cause"]
    alone = ready.run("models", "--pod=dead")
    assert (alone.returncode, "can not reach dead" in alone.stderr) == (1, True)


def test_several_hosts_get_their_turn_although_one_fails(ready: Client, server: Sshd) -> None:
    result = ready.run("-H", "dc1,nowhere,dc1", "models", "--json", program="fab")
    assert result.returncode == 1
    assert result.stdout.count("[]") == 2
    assert "2 of 3 hosts done, failed: nowhere" in result.stderr


@pytest.mark.parametrize("program", ["inv", "fab", "podfab"])
def test_every_program_knows_every_task(client: Client, program: str) -> None:
    listed = client.run("--list", program=program).stdout
    for name in ("setup", "pods.list", "models.start", "models.logs", "prompt.ask"):
        assert name in listed


def test_the_host_key_of_a_rebuilt_pod_is_trusted_on_request(ready: Client, server: Sshd) -> None:
    assert rows(ready) == []
    server.stop()
    server.new_key("host_key")
    server.start()
    refused = ready.run("models")
    assert refused.returncode == 1 and "inv pods.trust dc1" in refused.stderr
    assert ready.run("pods.trust", "dc1").returncode == 0
    assert rows(ready) == []


def test_pods_are_chosen_and_forgotten(ready: Client, server: Sshd) -> None:
    remember(ready, dc1=server, dc2=server)
    assert ready.run("pods.active", "dc2").returncode == 0
    assert [p["name"] for p in json.loads(ready.run("pods", "--json").stdout) if p["active"]] == [
        "dc2"
    ]
    assert ready.run("pods.remove", "dc2").returncode == 0
    assert list(record(ready)["pods"]) == ["dc1"]
    assert record(ready)["active"] == "dc1"


def test_no_pods_is_an_empty_list(client: Client) -> None:
    result = client.run("pods", "--json")
    assert (result.returncode, json.loads(result.stdout)) == (0, [])


def test_a_model_that_is_starting_is_waited_for(ready: Client, server: Sshd) -> None:
    start(ready, "qwen", "--no-wait", "--vllm-args=--never-ready")
    asking = ready.popen("prompt", "qwen", "hello")
    assert asking.stderr and "qwen is not ready yet; waiting for it" in asking.stderr.readline()
    time.sleep(3)  # Python loses an interruption that comes while it imports
    asking.send_signal(signal.SIGINT)
    _, said = asking.communicate(timeout=20)
    assert (asking.returncode, "Traceback" in said) == (130, False)
    asking = ready.popen("prompt", "qwen", "hello", "--json")
    assert asking.stderr and "waiting for it" in asking.stderr.readline()
    assert ready.run("models.stop", "--name=qwen").returncode == 0
    out, said = asking.communicate(timeout=20)
    assert asking.returncode == 1 and "podfab: qwen " in said
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["error"]


def test_a_model_that_becomes_ready_meanwhile_answers(ready: Client, server: Sshd) -> None:
    entry = "{weights_gb: 0.002, context: 4096, heads: 8, cache: []}"
    (ready.state / "models.yaml").write_text(f"models:\n  org/slow: {entry}\n")
    ready.run("models.start", "--model=org/slow", "--name=slow", "--no-wait")
    asking = ready.popen("prompt", "slow", "hello")
    assert asking.stderr and "slow is not ready yet" in asking.stderr.readline()
    (server.home / "gate").touch()
    out, _ = asking.communicate(timeout=60)
    assert (asking.returncode, out) == (0, "I am a stand-in.\n")


def test_a_question_can_follow_a_start_on_one_line(ready: Client) -> None:
    said = start(ready, "qwen", "prompt", "qwen", "hello")
    assert (said.returncode, said.stdout) == (0, "I am a stand-in.\n"), said.stderr


def test_an_answer_streams(ready: Client) -> None:
    start(ready, "qwen")
    assert ready.run("prompt", "qwen", "hello").stdout == "I am a stand-in.\n"
    lines = ready.run("prompt", "qwen", "hello", "--json").stdout.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["content", "content", "done"]


def test_a_server_elsewhere_is_asked_without_any_pod(client: Client, tmp_path: Path) -> None:
    result = client.run("prompt", "m", "hi", f"--base-url=http://127.0.0.1:{free_port()}/v1")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr and "podfab:" in result.stderr
