"""The catalog on a pod, and a model that it does not know; GPUs are a recorded nvidia-smi's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Client
from tests.ssh.test_facts import stub
from tests.ssh.typed import remember, start
from tests.support import engine
from tests.support.hub import Hub
from tests.support.sshd import Sshd
from tests.unit.given import RECORDED, SHIPPED

Serve = Callable[..., Sshd]
CONFIGS = json.loads((RECORDED / "configs.json").read_text("utf-8"))


def offers(client: Client, *words: str) -> dict[str, dict[str, Any]]:
    result = client.run("models.catalog", "--json", *words)
    assert result.returncode == 0, result.stderr
    return {row["model"]: row for row in json.loads(result.stdout)}


def pod(serve: Serve, folder: Path, gpus: str, version: str = "0.33.0") -> Sshd:
    recorded = (RECORDED / f"nvidia-smi/{gpus}.csv").read_text("utf-8")
    server = serve(path=stub(folder, "nvidia-smi", recorded))
    engine.install(server.home / ".pi", version=version)
    return server


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with models that the catalog does not have."""
    folder = tmp_path / "hub"
    for name, config in (("someone/qwen3-tuned", "Qwen/Qwen3-8B"), ("gated/one", "Qwen/Qwen3-8B")):
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(CONFIGS[config]))
        with open(folder / name / "model.safetensors", "wb") as file:
            file.truncate(16_380_000_000)
    (folder / "someone" / "gguf").mkdir()
    (folder / "someone" / "gguf" / "model.gguf").write_bytes(b"x")
    with Hub(folder, gated={"gated/one"}, token="hf_right") as hub:
        yield hub


def test_what_fits_the_pod_is_told_with_the_way(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    remember(client, dc1=pod(serve, tmp_path, "2x-l40s"))
    found = offers(client)
    assert set(found) == {*SHIPPED.models, "org/thing"}
    fits = found["openai/gpt-oss-120b"]
    assert fits["fits"] is True and fits["config"]["gpus"] == 2
    assert fits["config"]["args"] == {"tensor-parallel-size": 2}
    refused = found["zai-org/GLM-4.5"]
    assert (refused["fits"], refused["config"]) == (False, None)
    assert "but only" in refused["reason"]
    only = offers(client, "--fits")
    assert set(only) == {name for name, row in found.items() if row["fits"]}
    assert set(offers(client, "--family=gpt-oss")) == {"openai/gpt-oss-20b", "openai/gpt-oss-120b"}
    shown = client.run("models.catalog", "--family=gpt-oss").stdout.splitlines()
    columns = ["model", "size", "weights", "context", "tools", "thinks", "fits", "how"]
    assert shown[0].split() == columns
    assert shown[1] == "gpt-oss"
    assert shown[3].endswith("yes   2 x NVIDIA L40S, 128k (untried)")


def test_a_pod_that_runs_something_says_what_to_stop(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    remember(client, dc1=pod(serve, tmp_path, "1x-h100"))
    try:
        assert start(client, "busy", "--no-wait", "--vllm-args=--never-ready").returncode == 0
        found = offers(client, "--family=Qwen3-8B")["Qwen/Qwen3-8B"]
        assert (found["fits"], found["if"]) == (False, "stop busy")
        assert "if    stop busy" in client.run("models.catalog", "--family=Qwen3-8B").stdout
    finally:
        client.run("models.stop", "--all")


def test_a_model_needs_a_newer_engine_than_the_pod_has(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    remember(client, dc1=pod(serve, tmp_path, "1x-h100", "0.10.1"))
    found = offers(client, "--family=Qwen3.6")["Qwen/Qwen3.6-27B-FP8"]
    advice = "needs vLLM 0.17.0: --engine=release adds vLLM 0.33.0 beside it"
    assert found["fits"] is False and found["if"].endswith(advice)
    result = client.run("models.start", "--model=Qwen/Qwen3.6-27B-FP8")
    assert result.returncode == 1
    assert "vLLM 0.10.1 is here, 0.17.0 is needed; --engine=release adds" in result.stderr


def test_gpus_that_one_does_not_have_yet_need_no_pod(client: Client) -> None:
    found = offers(client, "--gpu=2xL40S", "--family=gpt-oss")
    assert found["openai/gpt-oss-120b"]["config"]["gpus"] == 2
    sets = client.run("models.catalog", "--for=openai/gpt-oss-120b", "--json")
    rows = json.loads(sets.stdout)
    assert [row["model"] for row in rows] == ["openai/gpt-oss-120b"] * len(SHIPPED.gpus)
    assert rows[0]["fits"] and not rows[-1]["fits"]
    assert all(row["fits"] is None for row in offers(client).values())


def test_a_pod_out_of_reach_leaves_the_catalog(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    server = pod(serve, tmp_path, "1x-h100")
    remember(client, dc1=server)
    server.stop()
    result = client.run("models.catalog", "--json", "--family=gpt-oss")
    assert result.returncode == 0
    assert [row["fits"] for row in json.loads(result.stdout)] == [None, None]
    assert "what fits is not known: can not reach dc1" in result.stderr


def test_an_unknown_model_is_looked_up_from_the_pod_and_placed_by_arithmetic(
    client: Client, serve: Serve, tmp_path: Path, hub: Hub
) -> None:
    remember(client, dc1=pod(serve, tmp_path, "1x-rtx-4090"))
    client.extra["HF_ENDPOINT"] = hub.url
    words = ["--model=someone/qwen3-tuned", "--plan", "--json"]
    plan = json.loads(client.run("models.start", *words).stdout)
    assert plan["how"] == "computed, for no tried way is known"
    assert plan["notes"][:2] == [
        "someone/qwen3-tuned was read on the hub: Qwen3ForCausalLM, 16.38 GB of bf16 weights, "
        "40960 tokens",
        "a guess: parsers as for Qwen/Qwen3-0.6B, hermes and qwen3; --vllm-args replaces them",
    ]
    assert plan["args"][-7:] == [
        "--max-model-len", "26624", "--enable-auto-tool-choice", "--tool-call-parser", "hermes",
        "--reasoning-parser", "qwen3",
    ]  # fmt: skip
    assert "GET /someone/qwen3-tuned/resolve/main/model.safetensors" not in str(hub.requests)
    sets = json.loads(client.run("models.catalog", "--for=someone/qwen3-tuned", "--json").stdout)
    assert sets[0]["fits"] and sets[0]["config"]["gpus"] == 1


def test_a_folder_on_the_pod_is_read_the_same(client: Client, serve: Serve, tmp_path: Path) -> None:
    server = pod(serve, tmp_path, "1x-h100")
    remember(client, dc1=server)
    folder = server.home / "weights"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIGS["zai-org/GLM-5.1-FP8"]))
    with open(folder / "model.safetensors", "wb") as file:
        file.truncate(40_000_000_000)
    plan = json.loads(client.run("models.start", f"--model={folder}", "--plan", "--json").stdout)
    assert f"{folder} was read in its folder: GlmMoeDsaForCausalLM" in plan["notes"][0]
    assert plan["args"][plan["args"].index("--tool-call-parser") + 1] == "glm47"


@pytest.mark.parametrize(
    ("model", "token", "line"),
    [
        (
            "someone/none",
            "",
            "someone/none is gated, or not there (the hub answers 401); export HF",
        ),
        ("someone/none", "hf_right", "the hub has no model someone/none; is the id right?"),
        ("Qwen/Qwen3-8C", "", "not there (the hub answers 401); did you mean 'Qwen/Qwen3-8B'?"),
        ("Qwen/Qwen3-8C", "hf_right", "no model Qwen/Qwen3-8C; did you mean 'Qwen/Qwen3-8B'?"),
        ("gated/one", "", "(the hub answers 403); export HF_TOKEN of an account that may read it"),
        ("qwen/QWEN3-8b", "", "qwen/QWEN3-8b: did you mean 'Qwen/Qwen3-8B'? ids are exact"),
        ("someone/gguf", "", "has no config.json: it is no checkpoint that vLLM can serve"),
        ("/srv/nothing", "", "there is no folder /srv/nothing on dc1"),
    ],
)
def test_a_model_that_can_not_be_served_is_one_line(
    client: Client, serve: Serve, tmp_path: Path, hub: Hub, model: str, token: str, line: str
) -> None:
    remember(client, dc1=pod(serve, tmp_path, "1x-h100"))
    client.extra.update(HF_ENDPOINT=hub.url, HF_TOKEN=token)
    result = client.run("models.start", f"--model={model}", "--name=m")
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("podfab: ") and line in last
    assert result.stdout == ""


def test_the_token_opens_a_gated_model_and_stands_nowhere(
    client: Client, serve: Serve, tmp_path: Path, hub: Hub
) -> None:
    remember(client, dc1=pod(serve, tmp_path, "1x-h100"))
    client.extra.update(HF_ENDPOINT=hub.url, HF_TOKEN="hf_right")
    result = client.run("models.start", "--model=gated/one", "--plan", "--json")
    assert json.loads(result.stdout)["model"] == "gated/one"
    assert "hf_right" not in result.stdout + result.stderr


def test_a_hub_that_does_not_answer_is_noted_and_nothing_more(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    remember(client, dc1=pod(serve, tmp_path, "1x-h100"))
    client.extra["HF_ENDPOINT"] = "http://127.0.0.1:1"
    result = client.run("models.start", "--model=someone/new", "--plan", "--json")
    plan = json.loads(result.stdout)
    (note,) = plan["notes"]
    assert note.startswith("the hub can not be asked about someone/new (") and plan["gpus"] == [0]
