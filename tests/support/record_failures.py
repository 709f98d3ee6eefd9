"""Make the real CPU engine fail in each known way, and keep the logs for the diagnosis' tests.

`python -m tests.support.record_failures [NAME ...]`: a host behind a real sshd is set up, a hub
serves SmolLM2 and broken copies of it, and each start goes through `inv models.start`. Needs root
for the full disk (a tmpfs).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import PROJECT, Client
from tests.engine.conftest import CHECKPOINTS, SMOLLM2, Stage, make_checkpoint
from tests.support.hub import Hub
from tests.support.processes import marked
from tests.support.sshd import Sshd, free_port

LOGS = PROJECT / "tests" / "unit" / "recorded" / "logs"
COPY = "broken/SmolLM2"


@dataclass(frozen=True)
class Failure:
    """A start that fails: its flags, and what is broken in a copy of the model."""

    flags: tuple[str, ...] = ()
    model: str = COPY
    config: dict[str, Any] = field(default_factory=dict)  # laid over its config.json
    without: tuple[str, ...] = ()  # files that it lacks
    cut: int = 0  # what is left of its weights, in bytes
    environment: dict[str, str] = field(default_factory=dict)
    kill: str = ""  # the process that is killed once it serves


def arguments(words: str) -> tuple[str, ...]:
    return (f"--vllm-args={words}", "--force")


FAILURES = {
    "port": Failure(("--port={port}", "--force")),
    "tool-parser": Failure(arguments("--enable-auto-tool-choice --tool-call-parser hermez")),
    "no-tool-parser": Failure(arguments("--enable-auto-tool-choice")),
    "reasoning-parser": Failure(arguments("--reasoning-parser qwen4")),
    "flag": Failure(arguments("--no-such-flag 3")),
    "value": Failure(arguments("--max-num-seqs many")),
    "context": Failure(("--context=100000", "--force")),
    "kv-cache": Failure(
        ("--context=100000", "--force"), config={"max_position_embeddings": 131072}
    ),
    "quantization": Failure(arguments("--quantization nothing-4")),
    "architecture": Failure(config={"architectures": ["NewForCausalLM"]}),
    "model-type": Failure(config={"model_type": "new9"}),
    "custom-code": Failure(
        config={"model_type": "new9", "auto_map": {"AutoConfig": "configuration_new.NewConfig"}}
    ),
    "layers": Failure(config={"num_hidden_layers": 20}),
    "cut-header": Failure(cut=1000),
    "cut-weights": Failure(cut=100_000_000),
    "no-weights": Failure(without=("model.safetensors",)),
    "no-config": Failure(without=("config.json",)),
    "no-tokenizer": Failure(
        without=("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
    ),
    "gated": Failure(model="gated/small"),
    "missing": Failure(model="org/missing"),
    "no-hub": Failure(environment={"HF_ENDPOINT": "http://127.0.0.1:9"}),
    "disk": Failure(),
    "killed-engine": Failure(model=SMOLLM2, kill="VLLM::EngineCor"),
    "killed-worker": Failure(model=SMOLLM2, kill="VLLM::Worker"),
}


def main(names: list[str]) -> None:
    """Record the failures that are named, or all."""
    folder = Path(tempfile.mkdtemp(prefix="podfab-failures-"))
    hub_folder = folder / "hub"
    hub_folder.mkdir()
    client = Client(folder / "client")
    client.home.mkdir()
    with Sshd(folder / "pod") as server, Hub(hub_folder, gated={"gated/small"}) as hub:
        client.extra["HF_ENDPOINT"] = hub.url
        stage = Stage(client, [], "bare", SMOLLM2, server, hub)
        done(client, "setup", f"--ssh={server.ssh}", "--name=bare", "--engine=cpu")
        make_checkpoint(stage)
        copy(CHECKPOINTS / SMOLLM2, hub_folder / SMOLLM2)
        copy(CHECKPOINTS / SMOLLM2, hub_folder / "gated" / "small")
        known = {failure.model for failure in FAILURES.values()} - {SMOLLM2}
        (client.state / "models.yaml").write_text(json.dumps({"models": dict.fromkeys(known, OWN)}))
        try:
            for name in names or FAILURES:
                record(stage, name, FAILURES[name])
        finally:
            client.run("models.stop", "--all")
    shutil.rmtree(folder)


# Told by hand, so that nothing is looked up on the hub before the start.
OWN = {
    "weights_gb": 0.27,
    "context": 8192,
    "heads": 9,
    "cache": [{"layers": 30, "kv_heads": 3, "head_dim": 64}],
    "configs": [
        {
            "gpus": 0,
            "gpu_types": ["cpu"],
            "args": {"enforce-eager": True, "max-model-len": 2048},
            "env": {"VLLM_CPU_KVCACHE_SPACE": "1"},
        }
    ],
}


def record(stage: Stage, name: str, failure: Failure) -> None:
    """Start what fails, and keep its log."""
    assert stage.server and stage.hub
    if failure.model == COPY:
        shutil.rmtree(stage.hub.folder / COPY, ignore_errors=True)
        shutil.rmtree(stage.server.home / ".pi/models/hub/models--broken--SmolLM2", True)
        copy(CHECKPOINTS / SMOLLM2, stage.hub.folder / COPY, failure)
    with full_disk(stage) if name == "disk" else contextlib.nullcontext(), listener() as port:
        flags = [flag.format(port=port) for flag in failure.flags]
        client = Client(stage.client.home, {**stage.client.extra, **failure.environment})
        words = [f"--model={failure.model}", f"--name={name}", *flags]
        started = client.run("models.start", *words, timeout=600)
        if failure.kill:
            assert started.returncode == 0, started.stderr
            kill(stage, name, failure.kill)
    follow = ["--no-follow"] if not failure.kill else []
    said = client.run("models.logs", name, "--lines=100000", *follow)
    (LOGS / f"{name}.log").write_text(scrubbed(said.stdout, stage))
    found = client.run("models.diagnose", f"--name={name}")
    print(
        f"== {name}: {started.stderr.splitlines()[-1:]}\n{found.stdout}{found.stderr}", flush=True
    )
    client.run("models.stop", f"--name={name}")


def copy(source: Path, target: Path, failure: Failure | None = None) -> None:
    """Copy a checkpoint, broken as a failure wants it."""
    failure = failure or Failure()
    shutil.copytree(source, target, ignore=lambda *_: failure.without)
    config = target / "config.json"
    if config.exists():
        config.write_text(json.dumps({**json.loads(config.read_text()), **failure.config}))
    if failure.cut:
        os.truncate(target / "model.safetensors", failure.cut)


@contextlib.contextmanager
def listener() -> Iterator[int]:
    """Hold a port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", free_port()))
        sock.listen()
        yield sock.getsockname()[1]


@contextlib.contextmanager
def full_disk(stage: Stage) -> Iterator[None]:
    """Let the weights go to a disk that is too small for them."""
    assert stage.server
    small = stage.server.folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(small)], check=True)
    words = [f"--ssh={stage.server.ssh}", "--name=bare", "--engine=cpu"]
    try:
        done(stage.client, "setup", *words, f"--models-path={small}")
        yield
    finally:
        done(stage.client, "setup", *words, f"--models-path={stage.server.home}/.pi/models")
        subprocess.run(["umount", str(small)], check=True)


def kill(stage: Stage, name: str, comm: str) -> None:
    """Kill a process of a model that serves."""
    assert stage.server
    for pid in marked(stage.server.home / ".pi" / "jobs" / name):
        if Path(f"/proc/{pid}/comm").read_text().startswith(comm[:15]):
            os.kill(pid, signal.SIGKILL)


def scrubbed(log: str, stage: Stage) -> str:
    """Take out what tells of this machine and of this run."""
    assert stage.server and stage.hub
    log = log.replace(str(stage.server.home), "/root").replace(stage.hub.url, "http://hub")
    log = log.replace(str(stage.server.folder), "/mnt").replace(socket.gethostname(), "pod")
    log = re.sub(r"(?m)^(.{2000}).*$", r"\1 ...", log)
    return re.sub(r"\b\d+(?:\.\d+){3}:\d{4,5}\b", "127.0.0.1:8001", log)


def done(client: Client, *words: str) -> None:
    """Run a command that must succeed."""
    result = client.run(*words, timeout=900)
    assert result.returncode == 0, result.stderr


if __name__ == "__main__":
    main(sys.argv[1:])
