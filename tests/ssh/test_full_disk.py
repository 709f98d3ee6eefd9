"""A full disk, here or on the pod: one line, nothing lost, nothing half done."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Client
from tests.support import engine
from tests.support.sshd import Sshd


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small tmpfs needs root's right to mount; script/test as root has it")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    with pytest.raises(OSError, match="No space left"), open(folder / "filler", "wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()


def test_here(client: Client, small: Path) -> None:
    client.extra["PI_CONFIG_DIR"] = str(small)
    pods = {name: {"ssh": f"root@{name}"} for name in ("dc1", "dc2")}
    text = json.dumps({"version": 1, "active": "dc1", "pods": pods})
    (small / "pods.json").write_text(text)
    (small / "pods.json.lock").touch()
    fill(small)
    result = client.run("pods.active", "dc2")
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.endswith("pods.json: No space left on device; nothing was changed")
    assert (small / "pods.json").read_text() == text
    assert sorted(path.name for path in small.iterdir()) == [
        "filler",
        "pods.json",
        "pods.json.lock",
    ]


def test_on_the_pod(client: Client, small: Path, tmp_path: Path) -> None:
    with Sshd(tmp_path / "pod") as server:
        root = small / "root"
        engine.install(root)
        client.state.mkdir()
        pod = {"ssh": server.ssh, "root": str(root), "engine": "stub"}
        content = json.dumps({"version": 1, "active": "dc1", "pods": {"dc1": pod}})
        (client.state / "pods.json").write_text(content)
        fill(small)
        result = client.run("models.start", "--model=org/thing", "--name=qwen")
        assert result.returncode == 1 and "Traceback" not in result.stderr
        last = result.stderr.strip().splitlines()[-1]
        assert last.startswith("podfab: dc1") and "disk full" in last, result.stderr
        assert json.loads(client.run("models", "--json").stdout) == []
        assert (client.state / "pods.json").read_text() == content


def test_a_log_that_fills_the_disk_does_not_stop_its_job(small: Path, tmp_path: Path) -> None:
    from fabfile.commands.jobs import Job
    from fabfile.records import settings
    from fabfile.remote import jobs
    from fabfile.remote.address import parse
    from fabfile.remote.pod import Pod

    pod = Pod("pod", parse("local"), str(small / "root"), settings.load())
    script = f"#!/usr/bin/env bash\nyes | head -c 2000000\necho >{tmp_path}/done\n"
    jobs.start(pod, Job("flood", script))
    events = list(jobs.follow(pod, "flood"))
    assert (tmp_path / "done").exists()
    assert isinstance(events[-1], jobs.News) and events[-1].what == "exit"


def test_weights_that_have_no_room_are_not_begun(ready: Client, small: Path) -> None:
    pods = json.loads((ready.state / "pods.json").read_text())
    pods["pods"]["dc1"]["models_path"] = str(small)
    (ready.state / "pods.json").write_text(json.dumps(pods))
    words = ["models.start", "--model=org/thing", "--name=big"]
    result = ready.run(*words)
    assert result.returncode == 1
    said = f"podfab: 1.0 of 1 GB are still to be downloaded, 0.0 GB are free in {small}; inv pods.c"
    assert result.stderr.strip().splitlines()[-1].startswith(said)
    assert list(small.iterdir()) == [] and json.loads(ready.run("models", "--json").stdout) == []
