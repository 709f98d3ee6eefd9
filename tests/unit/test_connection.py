"""What is said of the ways to a model."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from fabfile import endpoint
from fabfile.errors import PodfabError
from fabfile.plan.rows import ready_port, rows, running
from fabfile.records import pods, settings
from fabfile.remote.address import parse
from fabfile.remote.pod import Pod
from fabfile.screen import connection
from fabfile.target import Target

from .given import job

(ROW,) = rows("dc1", [job(ready=True, health=200)])
WAY = "ssh -N -L 8001:127.0.0.1:8001 -p 40022 root@1.2.3.4"


def started(
    capsys: pytest.CaptureFixture[str], task: str = "generate", ssh: str = WAY, outside: str = ""
) -> str:
    connection.started(replace(ROW, task=task), "", ssh, outside)
    told = capsys.readouterr()
    assert told.out == ""
    return told.err


def test_a_start_tells_every_way_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    said = started(capsys, outside="http://1.2.3.4:8001/v1")
    assert said.splitlines()[:8] == [
        "qwen is ready on dc1, at http://127.0.0.1:8001/v1 there",
        '  ask it:  inv prompt qwen "..."',
        "  log:     inv models.logs qwen",
        "  stop it: inv models.stop --name=qwen",
        "  tunnel:  inv models.tunnel qwen",
        f"  or:      {WAY}",
        "  outside: http://1.2.3.4:8001/v1 (unless ports are mapped or closed)",
        '  env:     eval "$(inv models.env qwen)"',
    ]
    assert max(map(len, said.splitlines())) <= 80


def test_a_model_of_this_machine_needs_no_tunnel(capsys: pytest.CaptureFixture[str]) -> None:
    said = started(capsys, ssh="")
    assert "tunnel" not in said and "ssh" not in said and "models.env" in said


@pytest.mark.parametrize(
    ("task", "path", "fields"),
    [
        ("generate", "chat/completions", {"model", "messages"}),
        ("embed", "embeddings", {"model", "input"}),
        ("rerank", "rerank", {"model", "query", "documents"}),
    ],
)
def test_the_examples_ask_what_the_model_is_for(
    capsys: pytest.CaptureFixture[str], task: str, path: str, fields: set[str]
) -> None:
    said = started(capsys, task)
    assert ("inv prompt" in said) == (task == "generate")
    curl, _, python = said.partition("curl ")[2].partition("\n\n")
    url, *words = shlex.split(curl)
    assert url == f"$OPENAI_BASE_URL/{path}" and "Authorization: Bearer $OPENAI_API_KEY" in words
    body = json.loads(words[-1])
    assert set(body) == fields and body["model"] == "qwen"
    compile(python, "example", "exec")
    assert ('model="qwen"' in python) == (task != "rerank")


@pytest.mark.parametrize(
    ("ssh", "public", "way", "outside"),
    [
        ("ssh -p 40022 root@1.2.3.4", True, WAY, "http://1.2.3.4:8001/v1"),
        ("ssh -p 40022 root@1.2.3.4", False, WAY, ""),
        ("root@[fe80::1]", True, "ssh -N -L 8001:127.0.0.1:8001 root@fe80::1",
         "http://[fe80::1]:8001/v1"),
        ("ssh -J hop box", True, "ssh -N -L 8001:127.0.0.1:8001 -o ProxyJump=hop box", ""),
        ("local", True, "", ""),
    ],
)  # fmt: skip
def test_the_ways_follow_from_the_address(
    monkeypatch: pytest.MonkeyPatch, ssh: str, public: bool, way: str, outside: str
) -> None:
    told: list[object] = []
    monkeypatch.setattr(connection, "started", lambda *words: told.extend(words))
    where = Target("dc1", pods.Pod(ssh), Pod("dc1", parse(ssh), "~/.pi", settings.load()))
    row = replace(ROW, public=public)
    endpoint.show(where, row)
    assert told == [row, " --pod=dc1", way, outside]


def test_a_command_that_is_told_names_a_pod_that_is_not_the_active_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    connection.forwarded("qwen", 8001, 8001, "")
    connection.forwarded("qwen", 8001, 9001, " --pod=dc2")
    connection.needs_tunnel("qwen", 8001, 9001, " --pod=dc2")
    assert capsys.readouterr().err.splitlines() == [
        "qwen: http://127.0.0.1:8001/v1",
        '  in another shell: eval "$(inv models.env qwen)"',
        "qwen: http://127.0.0.1:9001/v1",
        '  in another shell: eval "$(inv models.env qwen --port=9001 --pod=dc2)"',
        "that port is open while this runs: inv models.tunnel qwen --port=9001 --pod=dc2",
    ]


def test_the_variables_are_two_lines_whatever_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    connection.variables(9001, "a key's $(id)")
    assert capsys.readouterr() == (
        "export OPENAI_BASE_URL=http://127.0.0.1:9001/v1\n"
        "export OPENAI_API_KEY='a key'\"'\"'s $(id)'\n",
        "",
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "qwen is not ready yet (starting); look: inv models"),
        ({"ready": True, "health": 503}, "qwen is not ready yet (it runs, but does not answer on"),
        ({"alive": False, "exit": 1}, "qwen has failed: it ended with exit code 1; read its log"),
        ({"name": "qwen3"}, "no model that runs is called 'qwen'; did you mean 'qwen3'?"),
    ],
)
def test_a_model_that_is_not_ready_has_no_port(changes: dict[str, object], why: str) -> None:
    with pytest.raises(PodfabError) as error:
        ready_port("dc1", "qwen", [job(**changes)])
    assert error.value.text.startswith(why)


def test_a_model_that_is_busy_still_runs() -> None:
    assert ready_port("dc1", "qwen", [job(ready=True, health=200)]) == 8001
    assert running("dc1", "qwen", [job(ready=True, health=None)]).port == 8001
