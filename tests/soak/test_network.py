"""The network between client and pod goes down in the middle: two hosts, in network namespaces."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Client
from tests.ssh.test_setup import UV
from tests.support.sshd import Sshd

SPACE, HERE, THERE = "podfab-soak", "10.213.7.1", "10.213.7.2"


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)


class Apart(Sshd):
    """An sshd on another host."""

    prefix = ("ip", "netns", "exec", SPACE)


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    ip("link", "del", "podfab0", check=False)  # of a run that was ended
    ip("netns", "del", SPACE, check=False)
    ip("netns", "add", SPACE)
    try:
        ip("link", "add", "podfab0", "type", "veth", "peer", "name", "podfab1", "netns", SPACE)
        ip("addr", "add", f"{HERE}/30", "dev", "podfab0")
        ip("link", "set", "podfab0", "up")
        for words in (["lo"], ["podfab1"]):
            ip("-n", SPACE, "link", "set", *words, "up")
        ip("-n", SPACE, "addr", "add", f"{THERE}/30", "dev", "podfab1")
        with Apart(tmp_path / "apart", address=THERE) as server:
            yield server
    finally:
        ip("link", "del", "podfab0", check=False)
        ip("netns", "del", SPACE)


def test_a_link_that_goes_down_does_not_end_a_setup(apart: Apart, client: Client) -> None:
    root = apart.home / ".pi"
    (root / "bin").mkdir(parents=True)
    (root / "bin/uv").write_text(UV)
    (root / "bin/uv").chmod(0o755)
    client.state.mkdir()
    (client.state / "models.yaml").write_text(
        'engines: {slow: {package: slow, version: "1.0", python: ">=3.8"}}\n'
    )
    (client.state / "settings.yaml").write_text("keepalive: 3\n")
    hold = apart.home / "hold"
    hold.touch()
    process = client.popen("setup", f"--ssh={apart.ssh}", "--name=apart", "--engine=slow")
    log = root / "jobs/_setup/current/log"
    while not (log.exists() and "begun" in log.read_text()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    ip("link", "set", "podfab0", "down")
    time.sleep(20)
    hold.unlink()  # the pod goes on by itself
    while "verify changed" not in log.read_text():
        time.sleep(0.1)
    assert process.poll() is None, process.communicate()
    ip("link", "set", "podfab0", "up")
    _, said = process.communicate(timeout=120)
    print(said)
    assert process.returncode == 0, said
    assert "the connection to apart broke" in said or "can not reach apart" in said
    assert "apart is ready: vLLM 1.0" in said
