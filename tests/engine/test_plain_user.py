"""Setup and serving as a user without root and without sudo."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Client
from tests.engine.conftest import Stage, make_checkpoint
from tests.engine.test_flow import done
from tests.support.sshd import Sshd

USER = "podfab-plain"

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="making a user account takes root")


@pytest.fixture(scope="module")
def plain(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client that knows the same machine under the account of a plain user."""
    if not stage.server:
        pytest.skip("not on a pod of yours")
    subprocess.run(["userdel", "-f", USER], capture_output=True)
    subprocess.run(["useradd", "-M", "-s", "/bin/bash", "-p", "*", USER], check=True)
    folder = Path("/var/tmp") / f"podfab-plain-{os.getpid()}"  # pytest's own is closed to others
    folder.mkdir(mode=0o755)
    server = Sshd(folder, user=USER)
    account = pwd.getpwnam(USER)
    os.chown(server.home, account.pw_uid, account.pw_gid)
    home = tmp_path_factory.mktemp("plain")
    try:
        with server:
            client = Client(home, {**stage.client.extra, "POD": server.ssh})
            yield client
            client.run("models.stop", "--all")
    finally:
        subprocess.run(["userdel", "-f", USER], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_plain_user_sets_up_and_serves(stage: Stage, plain: Client) -> None:
    words = ("setup", f"--ssh={plain.extra['POD']}", "--name=plain")
    plan = json.loads(done(plain, *words, "--plan", "--json"))
    assert "podfab-plain without root" in plan["steps"][0]["reason"]
    done(plain, *words)
    again = json.loads(done(plain, *words, "--plan", "--json"))
    assert {step["state"] for step in again["steps"]} <= {"ok", "skip"}
    done(plain, *words)
    make_checkpoint(stage)
    done(plain, "models.start", f"--model={stage.model}", "--name=plain")
    answer = done(plain, "prompt", "plain", "What is the capital of France?")
    assert "Paris" in answer
    done(plain, "models.stop", "--name=plain")
    examined = json.loads(plain.run("pods.doctor", "--json").stdout)
    assert [check["check"] for check in examined["checks"] if check["ok"] is False] == []
    done(plain, "pods.remove", "plain", "--purge")
