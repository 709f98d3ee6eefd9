"""What the README shows works as it stands."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fabfile import ns
from fabfile.records import settings
from tests.conftest import PROGRAMS, PROJECT, Client
from tests.support import engine
from tests.support.sshd import Sshd

README = (PROJECT / "README.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return str(found)


@pytest.fixture
def known(client: Client, tmp_path: Path) -> Iterator[Client]:
    with Sshd(tmp_path / "pod") as server:
        root = server.home / ".pi"
        engine.install(root)
        client.state.mkdir()
        pod = {"ssh": server.ssh, "root": str(root), "engine": "stub"}
        content = {"version": 1, "active": "dc1", "pods": {"dc1": pod}}
        (client.state / "pods.json").write_text(json.dumps(content))
        client.extra["PATH"] = f"{PROGRAMS}:{client.environment['PATH']}"
        yield client
        client.run("models.stop", "--all")


def in_shell(client: Client, folder: Path, script: str) -> str:
    """Run lines as typed into an interactive shell, aliases included."""
    result = subprocess.run(
        ["bash", "-O", "expand_aliases", "-e"],
        input=script,
        cwd=folder,
        env=client.environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_aliases_work(known: Client, tmp_path: Path) -> None:
    typed = block("sh") + (
        "pod pods\nserve org/thing qwen\nmodels\n"
        "ask qwen 'who are you?'\ngit init -q .\nreview qwen || echo nothing to review\n"
        "unserve qwen\nmodels --json\n"
    )
    said = in_shell(known, tmp_path, typed)
    assert "dc1" in said and "qwen  org/thing  ready" in said
    assert "I am a stand-in." in said
    assert said.endswith("[]\n")


def test_a_fabfile_of_ones_own_works(known: Client, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(block("python"))
    (known.state / "models.yaml").write_text(
        "models: {Qwen/Qwen3-8B: {configs: [{gpus: 0, gpu_types: [cpu]}]}}\n"
    )
    listed = in_shell(known, tmp_path, "inv --list\n")
    assert "evening" in listed and "podfab.models.start" in listed and "podfab.setup" in listed
    in_shell(known, tmp_path, "inv evening\n")
    assert "Qwen/Qwen3-8B" in in_shell(known, tmp_path, "inv podfab.models\n")


def test_the_settings_shown_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PI_CONFIG_DIR", str(tmp_path))
    (tmp_path / "settings.yaml").write_text(block("yaml"))
    shown = yaml.safe_load(block("yaml"))
    loaded = settings.load()
    assert {name: getattr(loaded, name) for name in shown} == shown


def test_every_task_is_in_the_table_and_in_no_other_form() -> None:
    table = README.partition("| command | does |")[2].partition("\n\n")[0]
    shown = set(re.findall(r"^\| `(\S+?)[ `]", table, re.MULTILINE))
    names = {name.removesuffix(".list").removesuffix(".ask") for name in ns.task_names}
    assert shown == names - {"pods.setup"}


def test_every_task_shows_an_example(client: Client) -> None:
    for name in ns.task_names:
        shown = client.run("--help", name).stdout
        assert re.search(r"Examples?:", shown), name
        word = "setup" if name == "pods.setup" else name.partition(".")[0]
        assert re.search(rf"(inv|fab -H \S+) {word}", shown), name
