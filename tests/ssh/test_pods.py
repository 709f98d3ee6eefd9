"""Looking after pods: run, shell, sync, clean, doctor, remove, on a real sshd."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Client
from tests.ssh.test_facts import stub
from tests.ssh.typed import record, remember, rows, start
from tests.support import engine
from tests.support.hub import Hub
from tests.support.sshd import Sshd, free_port

Serve = Callable[..., Sshd]


@pytest.mark.parametrize("program", ["inv", "fab", "podfab"])
def test_a_command_runs_there_with_its_streams_and_its_exit_code(
    ready: Client, server: Sshd, program: str
) -> None:
    result = ready.run("pods.run", "pwd; echo größe >&2; umask; exit 7", program=program)
    assert result.stdout.splitlines() == [str(server.home), "0022"]
    assert (result.stderr.splitlines()[-1], result.returncode) == ("größe", 7)


def test_what_a_command_prints_comes_through_byte_by_byte(ready: Client) -> None:
    words = ["pods.run", "head -c 3000000 /dev/zero | tr '\\0' '\\377'; printf '\\0end'"]
    result = subprocess.run(
        [str(Path(engine.sys.executable).parent / "inv"), *words],
        cwd=Path(__file__).parents[2], env=ready.environment, capture_output=True,
    )  # fmt: skip
    assert result.stdout == b"\xff" * 3000000 + b"\0end"


def test_output_comes_while_the_command_runs(ready: Client) -> None:
    running = ready.popen("pods.run", "echo begun; sleep 60")
    assert running.stdout
    assert running.stdout.readline() == "begun\n"
    running.send_signal(2)
    assert running.wait(30) == 130


def test_a_command_of_the_pod_that_dash_h_names(ready: Client, server: Sshd) -> None:
    result = ready.run("-H", "dc1", "pods.run", "id -un", program="fab")
    assert result.stdout.strip() == server.user


def test_a_shell_is_the_real_sshs(ready: Client, server: Sshd) -> None:
    assert rows(ready) == []  # pins the host key
    result = ready.run("pods.shell", stdin="echo $((6 * 7)); exit 3\n")
    assert "42" in result.stdout and result.returncode == 3, result.stderr
    server.stop()
    server.new_key("host_key")
    server.start()
    refused = ready.run("pods.shell", stdin="echo $((6 * 7))\n")
    assert refused.returncode == 255 and "42" not in refused.stdout
    assert "HOST IDENTIFICATION HAS CHANGED" in refused.stderr


def test_a_lost_record_is_made_anew_from_the_pod(ready: Client, server: Sshd) -> None:
    start(ready, "qwen")
    before = record(ready)
    remember(ready, dc1=server)
    assert "models" not in record(ready)["pods"]["dc1"]
    assert ready.run("pods.sync").returncode == 0
    after = record(ready)
    assert after["pods"]["dc1"]["models"] == before["pods"]["dc1"]["models"]
    assert after["pods"]["dc1"]["vllm_version"] == "9.9.0"


def test_a_second_laptop_takes_a_pod_over(ready: Client, server: Sshd, tmp_path: Path) -> None:
    start(ready, "qwen")
    other = Client(tmp_path / "other")
    other.home.mkdir()
    where = f"{server.user}@127.0.0.1:{server.port}"
    (other.home / ".ssh").mkdir()
    (other.home / ".ssh" / "config").write_text(f"Host 127.0.0.1\n  IdentityFile {server.key}\n")
    result = other.run("-H", where, "pods.sync", program="fab")
    assert result.returncode == 0, result.stderr
    assert "engine stub 9.9.0, qwen runs" in result.stderr
    assert [row["name"] for row in rows(other)] == ["qwen"]
    assert "I am a stand-in." in other.run("prompt", "qwen", "hello").stdout


def test_a_bare_machine_is_not_taken_over(client: Client, serve: Serve) -> None:
    server = serve()
    remember(client, dc1=server)
    result = client.run("pods.sync")
    assert result.returncode == 1
    assert "has no engine in" in result.stderr and "inv setup" in result.stderr


def test_disk_is_freed_of_what_nothing_needs(ready: Client, server: Sshd) -> None:
    root = server.home / ".pi"
    start(ready, "qwen")
    for folder, size in (
        ("engines/stub-1.0", 9), ("engines/half", 3), ("cache/uv", 5),
        ("models/hub/models--a--b", 7),
    ):  # fmt: skip
        (root / folder).mkdir(parents=True)
        (root / folder / "data").write_bytes(os.urandom(size * 1024**2))
    start(ready, "old")
    ready.run("models.stop", "--name=old")
    shown = ready.run("pods.clean")
    assert shown.returncode == 0 and shown.stderr == ""
    found = {
        " ".join(line.split()[:2]): " ".join(line.split()) for line in shown.stdout.splitlines()
    }
    assert "9 MiB" in found["engine stub-1.0"] and "3 MiB" in found["engine half"]
    assert "5 MiB" in found["engine uv's"] and "7 MiB" in found["model a/b"]
    assert "run old/runs/1" in found and "run qwen/runs/1" not in found
    assert (root / "engines/stub-1.0").exists(), "without a flag nothing goes"
    done = ready.run("pods.clean", "--engines", "--runs", "--model=a/b")
    assert done.returncode == 0 and "24 MiB freed" in done.stderr, done.stderr
    assert sorted(path.name for path in (root / "engines").iterdir()) == ["stub", "stub-9.9.0"]
    assert not (root / "models/hub/models--a--b").exists()
    assert [row["status"] for row in rows(ready)] == ["ready"]
    assert "nothing to remove" in ready.run("pods.clean", "--engines").stderr


def test_weights_that_are_served_stay(ready: Client, server: Sshd) -> None:
    start(ready, "qwen")
    (server.home / ".pi/models/hub/models--org--thing").mkdir(parents=True)
    result = ready.run("pods.clean", "--model=org/thing")
    assert result.returncode == 1
    assert "qwen serves org/thing; inv models.stop --name=qwen" in result.stderr


def test_a_pod_is_purged_of_what_is_ours_only(ready: Client, server: Sshd) -> None:
    root = server.home / ".pi"
    (root / "mine.txt").write_text("mine")
    start(ready, "qwen")
    refused = ready.run("pods.remove", "dc1", "--purge")
    assert refused.returncode == 1 and "qwen runs; stop it first" in refused.stderr
    assert list(record(ready)["pods"]) == ["dc1"] and (root / "engines").exists()
    ready.run("models.stop", "--all")
    (root / "models" / "hub").mkdir(parents=True, exist_ok=True)
    (root / "models" / "mine.bin").write_text("mine")
    done = ready.run("pods.remove", "dc1", "--purge")
    assert done.returncode == 0, done.stderr
    assert "what is not ours stays there: " in done.stderr
    assert sorted(path.name for path in root.iterdir()) == ["mine.txt", "models"]
    assert [path.name for path in (root / "models").iterdir()] == ["mine.bin"]
    assert record(ready)["pods"] == {}


def test_a_purged_root_is_gone(ready: Client, server: Sshd) -> None:
    assert ready.run("pods.remove", "dc1", "--purge").returncode == 0
    assert not (server.home / ".pi").exists()


def test_a_folder_and_a_key_that_another_record_uses_stay(ready: Client, server: Sshd) -> None:
    remember(ready, dc1=server, dc2=server)
    assert rows(ready) == []  # pins the host key
    refused = ready.run("pods.remove", "dc1", "--purge")
    assert refused.returncode == 1 and "dc2 lies in the same folder" in refused.stderr
    assert (server.home / ".pi" / "engines").exists()
    assert ready.run("pods.remove", "dc1").returncode == 0
    assert f"]:{server.port} " in (ready.state / "known_hosts").read_text()


def test_the_key_of_a_pod_that_is_not_set_up_yet_is_trusted_by_its_address(
    client: Client, server: Sshd
) -> None:
    words = ("setup", f"--ssh={server.ssh}", "--name=new", "--plan")
    assert client.run(*words).returncode == 0
    server.stop()
    server.new_key("host_key")
    server.start()
    refused = client.run(*words)
    advice = refused.stderr.strip().splitlines()[-1].rpartition("inv pods.trust ")[2]
    assert server.ssh in advice, refused.stderr
    assert client.run("pods.trust", advice.strip("'")).returncode == 0
    assert client.run(*words).returncode == 0


def test_a_pod_that_is_not_set_up_yet_is_examined(client: Client, serve: Serve) -> None:
    server = serve()
    code, report, checks = examined(client, "-H", server.ssh)
    assert code == 1 and checks["engine"]["ok"] is False
    assert f"--ssh='{server.ssh}'" in checks["engine"]["fix"]
    assert report["pod"] == "127.0.0.1"


def test_an_nvidia_smi_that_hangs_is_no_pod_without_gpus(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    says = stub(tmp_path, "nvidia-smi", "")
    (Path(says) / "nvidia-smi").write_text("#!/bin/sh\nexit 124\n")  # as `timeout` ends it
    server = serve(path=says)
    refused = client.run("setup", f"--ssh={server.ssh}", "--name=new", "--plan")
    assert refused.returncode == 1 and "nvidia-smi gave no answer" in refused.stderr


def examined(client: Client, *words: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    program = "fab" if "-H" in words else "inv"
    result = client.run(*words, "pods.doctor", "--json", program=program)
    report = json.loads(result.stdout)
    assert report["ok"] == (result.returncode == 0)
    return result.returncode, report, {check["check"]: check for check in report["checks"]}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with Hub(tmp_path, token="hf_right") as hub:
        yield hub


def give(server: Sshd, **environment: str) -> None:
    lines = "".join(f"{name}={value}\n" for name, value in environment.items())
    (server.home / ".pi" / "env").write_text(lines)


def test_a_pod_is_examined(ready: Client, server: Sshd, hub: Hub) -> None:
    give(server, HF_ENDPOINT=hub.url, HF_TOKEN="hf_right", PIP_INDEX_URL=hub.url)
    start(ready, "qwen")
    code, report, checks = examined(ready)
    assert set(report) == {"pod", "ok", "facts", "checks"}
    assert all(set(check) == {"check", "ok", "detail", "fix"} for check in report["checks"])
    assert (code, report["pod"]) == (0, "dc1"), [c for c in checks.values() if c["ok"] is False]
    assert checks["engine"]["detail"] == "stub-9.9.0, vLLM 9.9.0"
    assert checks["token"]["detail"] == "the hub accepts it"
    assert checks["hub"]["ok"] and checks["index"]["ok"] and checks["clock"]["ok"]
    assert checks["key"]["ok"] is True
    shown = ready.run("pods.doctor")
    assert shown.returncode == 0 and "hf_right" not in shown.stdout + shown.stderr


def test_what_a_pod_does_not_reach_is_told(ready: Client, server: Sshd) -> None:
    nowhere = f"http://me:SECRET@127.0.0.1:{free_port()}"
    give(server, HF_ENDPOINT=nowhere, PIP_INDEX_URL=nowhere)
    code, report, checks = examined(ready)
    assert code == 1
    for check, variable in (("hub", "HF_ENDPOINT"), ("index", "PIP_INDEX_URL")):
        assert checks[check]["ok"] is False and variable in checks[check]["fix"]
    assert "SECRET" not in json.dumps(report)
    result = ready.run("pods.doctor")
    assert "dc1 is not well: hub, index" in result.stderr.splitlines()[-1]


def test_a_refused_token_and_another_key_are_told(ready: Client, server: Sshd, hub: Hub) -> None:
    give(server, HF_ENDPOINT=hub.url, HF_TOKEN="hf_wrong", PIP_INDEX_URL=hub.url)
    start(ready, "qwen")
    ready.extra["PI_API_KEY"] = "another-key"
    code, _, checks = examined(ready)
    assert code == 1
    assert checks["token"]["ok"] is False and "the hub refuses it" in checks["token"]["detail"]
    assert checks["key"]["ok"] is False and "qwen" in checks["key"]["detail"]


def test_strangers_on_the_gpus_are_told(client: Client, serve: Serve, tmp_path: Path) -> None:
    """The stub answers as nvidia-smi does; it is no test of a GPU."""
    sleeper = subprocess.Popen(["sleep", "300"])
    says = stub(tmp_path, "nvidia-smi", "")
    (Path(says) / "nvidia-smi").write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f'  *compute-apps*) echo "{sleeper.pid}, GPU-1, 12000 MiB, python3" ;;\n'
        '  *) echo "0, GPU-1, NVIDIA L4, 23034 MiB, 10000 MiB, 580.65.06, 8.9, [N/A]" ;;\n'
        "esac\n"
    )
    try:
        server = serve(path=says)
        engine.install(server.home / ".pi")
        remember(client, dc1=server)
        _, report, checks = examined(client)
        assert f"{sleeper.pid} (python3, 12000 MiB)" in checks["processes"]["detail"]
        assert report["facts"]["gpus"][0]["name"] == "NVIDIA L4"
        assert checks["driver"]["ok"] and checks["gpus"]["detail"] == "1 x NVIDIA L4"
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_clock_that_is_off_is_told(client: Client, serve: Serve, tmp_path: Path) -> None:
    ahead = f"#!/bin/sh\n[ $# = 1 ] && [ $1 = +%s ] && echo {int(time.time()) + 7200}\n"
    says = stub(tmp_path, "date", "")
    (Path(says) / "date").write_text(ahead)
    server = serve(path=says)
    engine.install(server.home / ".pi")
    remember(client, dc1=server)
    _, _, checks = examined(client)
    assert checks["clock"]["ok"] is False
    assert "ahead of this machine's" in checks["clock"]["detail"]


def test_a_pod_that_can_not_be_reached_is_examined_so_far(ready: Client, server: Sshd) -> None:
    server.stop()
    code, _, checks = examined(ready)
    assert (code, list(checks)) == (1, ["ssh"])
    assert "connection refused" in checks["ssh"]["detail"]
    assert "is sshd running" in checks["ssh"]["fix"]
