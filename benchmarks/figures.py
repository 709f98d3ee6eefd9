"""The figures: each measures one budget of the design and returns rows of the table."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import fabric

from fabfile.chat.client import client
from fabfile.chat.loop import Conversation
from fabfile.commands.jobs import Job
from fabfile.commands.serve import serve
from fabfile.plan.download import Download
from fabfile.plan.launch import LaunchPlan
from fabfile.remote import jobs
from fabfile.remote.jobs import Log, News
from fabfile.remote.pod import Pod
from tests.support.sshd import Sshd, free_port

from . import stage
from .report import Row, compared, duration, speeds
from .stage import inv, medians, run, ssh
from .standin import TOKENS

SEQ = "seq 1 2000000"
LINE = "a line of some length, as logs have"


class Skipped(Exception):
    """A figure can not be measured here, and why."""


def pods(home: Path, runs: int) -> list[Row]:
    """Measure a list that needs no ssh."""
    gpus = [{"id": n, "name": "NVIDIA H100 80GB HBM3", "memory_mib": 81559} for n in range(8)]
    models = {"qwen": {"model": "Qwen/Qwen3-8B", "port": 8001, "gpus": [0]}}
    record = {"ssh": "ssh -p 40022 root@192.0.2.1", "gpus": gpus, "models": models}
    stage.record(home, {name: dict(record) for name in ("dc1", "dc2", "dc3")})
    ours, version = medians(runs, lambda: inv("pods"), lambda: inv("--version"))
    return [compared("inv pods, 3 pods", ours, "inv --version", version, 1.5)]


def models(home: Path, runs: int) -> list[Row]:
    """Measure a list of one pod."""
    with stage.eight_models(home) as (server, _):
        ours, true = medians(runs, lambda: inv("models"), lambda: run(*ssh(server), "true"))
    return [compared("inv models, 8 models", ours, "ssh pod true", true, 1.8)]


def all_pods(home: Path, runs: int) -> list[Row]:
    """Measure a list of many pods, on which no job runs; they share this machine's cores."""
    with stage.pods(home, 32) as servers, ThreadPoolExecutor(32) as pool:
        ours, true, together = medians(
            runs,
            lambda: inv("models", "--all"),
            lambda: run(*ssh(servers[0]), "true"),
            lambda: list(pool.map(lambda server: run(*ssh(server), "true"), servers)),
        )
    return [
        compared("inv models --all, 32 pods", ours, "ssh pod true", true, 4),
        compared("inv models --all, 32 pods", ours, "32 x ssh pod true at once", together),
    ]


def setup(home: Path, runs: int) -> list[Row]:
    """Measure a setup that has nothing to do."""
    with stage.pods(home) as (server,):
        stage.make_ready(server)
        words = ("setup", f"--ssh={server.ssh}", "--name=pod0", "--engine=cpu")
        steps = json.loads(inv(*words, "--plan", "--json"))["steps"]
        if left := [step for step in steps if step["state"] not in ("ok", "skip")]:
            raise RuntimeError(f"the pod is not ready: {left}")
        ours, true = medians(runs, lambda: inv(*words), lambda: run(*ssh(server), "true"))
    within = ours <= 2 + true
    against = f"ssh pod true {duration(true)}"
    row = Row("inv setup, all done", duration(ours), against, ours / true, "2 s + trips", within)
    return [row]


def follow(home: Path, runs: int) -> list[Row]:
    """Measure the following of logs of several sizes: linear means the same speed for each."""
    rows = []
    with stage.pods(home) as (server,), stage.reached(server) as pod:
        for megabytes in (15, 30, 60):
            size = megabytes * 1_000_000
            jobs.start(pod, Job("log", f"yes '{LINE}' | head -c {size}\n"))
            if _followed(pod) != size:
                raise RuntimeError("the log came incomplete")
            ours, cat = medians(
                runs,
                lambda: _followed(pod),
                lambda: run(*ssh(server), "cat ~/.pi/jobs/log/current/log"),
            )
            what = f"following {megabytes} MB"
            rows.append(speeds(what, size, ours, "ssh cat (connects)", cat, 50))
    return rows


def runner(home: Path, runs: int) -> list[Row]:
    """Measure how fast a command's output comes in."""
    with stage.pods(home) as (server,), stage.reached(server) as pod:
        key = {"key_filename": str(server.key)}
        stock = fabric.Connection("127.0.0.1", server.user, server.port, connect_kwargs=key)
        with stock:
            size = len(pod.run(SEQ))
            ours, fabrics, plain = medians(
                max(1, runs // 5),
                lambda: pod.run(SEQ),
                lambda: stock.run(SEQ, hide=True, in_stream=False),
                lambda: run(*ssh(server), SEQ),
            )
    return [
        speeds("Pod.run, 14.9 MB", size, ours, "Connection.run", fabrics),
        speeds("Pod.run, 14.9 MB", size, ours, "ssh (connects)", plain),
    ]


def prompt(home: Path, runs: int) -> list[Row]:
    """Measure the first token through a pod's connection against straight to the port."""
    with (
        stage.pods(home) as (server,),
        stage.standin() as (port,),
        stage.reached(server) as pod,
        pod.forward(port) as local,
        client(f"http://127.0.0.1:{local}/v1", "key") as through,
        client(f"http://127.0.0.1:{port}/v1", "key") as straight,
    ):
        first: dict[str, list[float]] = {"through": [], "straight": []}
        whole: dict[str, list[float]] = {"through": [], "straight": []}
        for _ in range(max(20, runs) + 1):
            for name, opened in (("through", through), ("straight", straight)):
                begun = time.perf_counter()
                events = Conversation(opened, "m").ask("1", 1)
                next(event for event in events if event["type"] == "content")
                first[name].append(time.perf_counter() - begun)
                list(events)
                whole[name].append(time.perf_counter() - begun)
    # The first of each also connects.
    ours, theirs = (median(first[name][1:]) for name in ("through", "straight"))
    within = ours <= theirs + 0.05
    against = f"the port {duration(theirs)}"
    answer, direct = (median(whole[name][1:]) for name in ("through", "straight"))
    return [
        Row("first token by ssh", duration(ours), against, ours / theirs, "+50 ms", within),
        compared(f"{TOKENS} tokens at once by ssh", answer, "the port", direct),
    ]


def ready(home: Path, runs: int) -> list[Row]:
    """Measure how long after a server's first possible answer its client knows of it."""
    with stage.pods(home) as (server,), stage.reached(server) as pod:
        stage.make_ready(server)
        # The points of time are spread over the period at which the server is asked.
        late = sorted(_lateness(pod, server, 0.8 + 0.2 * n / runs) for n in range(runs))
    measured = f"{duration(median(late))}, at most {duration(late[-1])}"
    return [Row("ready is seen after", measured, "", None, "0.5 s", median(late) <= 0.5)]


def pi(home: Path, runs: int) -> list[Row]:
    """Measure pi's list of the same eight models."""
    program = _installed_pi(home)
    with stage.eight_models(home) as (server, started):
        entries = {
            f"model-{number}": {**each.details, "gpu": [0], "pid": each.pid}
            for number, each in enumerate(started)
        }
        pod = {"ssh": " ".join(ssh(server)), "gpus": [], "models": entries}
        config = home / "pi"
        config.mkdir()
        (config / "pods.json").write_text(json.dumps({"active": "pod", "pods": {"pod": pod}}))
        command = ("env", f"PI_CONFIG_DIR={config}", program, "list")
        said = run(*command).decode()
        if "All processes verified" not in said or "Still starting" in said:
            raise RuntimeError(f"pi did not find eight running models: {said}")
        theirs, ours, true = medians(
            runs,
            lambda: run(*command),
            lambda: inv("models"),
            lambda: run(*ssh(server), "true"),
        )
    return [
        compared("pi-pods list, 8 models", theirs, "ssh pod true", true),
        compared("pi-pods list, 8 models", theirs, "inv models", ours),
    ]


FIGURES: dict[str, Callable[[Path, int], list[Row]]] = {
    "pods": pods,
    "models": models,
    "all": all_pods,
    "setup": setup,
    "follow": follow,
    "runner": runner,
    "prompt": prompt,
    "ready": ready,
    "pi": pi,
}


def _followed(pod: Pod) -> int:
    """Follow a log to its end and return its size."""
    return sum(len(event.data) for event in jobs.follow(pod, "log") if isinstance(event, Log))


def _lateness(pod: Pod, server: Sshd, after: float) -> float:
    """Start the stand-in as an engine would be; return how late the client sees it ready."""
    port = free_port()
    vllm = server.home / ".pi" / "engines" / "cpu" / "bin" / "vllm"
    vllm.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{stage.STANDIN}" --after {after} "$4"\n')
    vllm.chmod(0o755)
    plan = LaunchPlan(
        name="model",
        model="/model",
        task="generate",
        port=port,
        gpus=[],
        engine="cpu",
        args=["--port", str(port)],
        env={},
        download=Download("/model"),
        beside=[],
        checks=[],
        notes=[],
        how="",
    )
    jobs.start(pod, serve(pod.root, plan, {"VLLM_API_KEY": "key"}, jobs.who(), forced=False))
    try:
        return _seen_ready(jobs.follow(pod, "model", until="ready"))
    finally:
        jobs.stop(pod, "model")


def _seen_ready(events: Iterable[Log | News]) -> float:
    log = b""
    for event in events:
        if isinstance(event, Log):
            log += event.data
        elif event.what == "ready" and (match := re.search(rb"answers since ([\d.]+)\n", log)):
            return time.time() - float(match[1])
    raise RuntimeError(f"the stand-in did not get ready: {log.decode()}")


def _installed_pi(home: Path) -> str:
    """Install pi with the user's npm settings and return its program."""
    if not (shutil.which("node") and (npm := shutil.which("npm"))):
        raise Skipped("node and npm are needed")
    words = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(home)]
    result = subprocess.run(
        [*words, "@mariozechner/pi"],
        env=stage.USER_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if result.returncode:
        raise Skipped("npm could not install @mariozechner/pi")
    return str(home / "node_modules" / ".bin" / "pi-pods")
