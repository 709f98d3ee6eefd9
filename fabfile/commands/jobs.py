"""Jobs in shell: start one, follow it, end it, ask how all of them are."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .shell import in_home, script, text


@dataclass(frozen=True)
class Claim:
    """What a job takes for itself on the pod.

    `beside` are the jobs that hold some of these GPUs already, and may. One that is `forced` asks
    nobody.
    """

    port: int
    gpus: list[int]
    beside: list[str] = field(default_factory=list)
    forced: bool = False


@dataclass(frozen=True)
class Job:
    """A script that runs detached on a pod, in jobs/NAME/runs/N.

    `files` are written beside the script, for their owner only, those in `kept` are taken over from
    the run before; `details` is what the record shows: no secret goes there.
    """

    name: str
    script: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict, repr=False)
    claim: Claim | None = None
    kept: tuple[str, ...] = ()


def start(root: str, job: Job, owner: str, log_cap_mb: int) -> str:
    """Write the script that starts a job, unless it runs already or its claim is another's."""
    files = {
        **job.files,
        **({"run.sh": job.script} if job.script else {}),
        "supervise.sh": text("supervise.sh"),
        "job.json": json.dumps(job.details, separators=(",", ":")) + "\n",
    }
    if job.claim:
        files["claim"] = f"{job.claim.port} {_spaced(job.claim.gpus)}\n"
    writes = [_write(name, content) for name, content in files.items()]
    writes += [f'  cp "$jobs/current/"{shlex.quote(name)} "$run/"' for name in job.kept]
    claim = job.claim
    return (
        in_home(root)
        + script(
            job=job.name,
            owner=owner,
            cap=log_cap_mb * 1024 * 1024,
            port=claim.port if claim else "",
            gpus=_spaced(claim.gpus) if claim else "",
            beside=_spaced(claim.beside) if claim else "",
            forced="yes" if claim and claim.forced else "",
        )
        + "write_files() {\n"
        + " &&\n".join(writes)
        + "\n}\n"
        + script("process.sh", "lock.sh", "start.sh")
    )


def follow(
    root: str,
    job: str,
    run: str = "current",
    offset: int = 0,
    until: str = "exit",
    lines: int | None = None,
) -> str:
    """Write the script that follows a run's log from a byte offset until it ends or is ready."""
    path = "/current" if run == "current" else f"/runs/{run}"
    return (
        in_home(root)
        + f'run="$root"{shlex.quote(f"/jobs/{job}{path}")}\n'
        + script(
            "process.sh",
            "gpu.sh",
            "follow.sh",
            offset=offset,
            until=until,
            lines="" if lines is None else lines,
        )
    )


def stop(root: str, job: str, owner: str, grace: int) -> str:
    """Write the script that ends all of a job and tells what is left of it."""
    names = ("process.sh", "lock.sh", "gpu.sh", "stop.sh")
    return in_home(root) + script(*names, job=job, owner=owner, grace=grace)


def status(root: str, markers: Iterable[str] = ()) -> str:
    """Write the script that prints how all jobs are."""
    return (
        in_home(root)
        + script("json.sh", "process.sh", "status.sh", markers="|".join(markers))
        + "jobs_json\n"
    )


def access(root: str, job: str) -> str:
    """Write the script that prints the key of a model on one line, then how all jobs are."""
    env = f'"$root"{shlex.quote(f"/jobs/{job}/current/env")}'
    key = f'(VLLM_API_KEY=; [ -f {env} ] && . {env}; printf "%s\\n" "$VLLM_API_KEY")\n'
    return in_home(root) + key + status(root)


def runs(root: str, job: str) -> str:
    """Write the script that lists the runs of a job that are kept."""
    return in_home(root) + f'ls "$root"{shlex.quote(f"/jobs/{job}/runs")} 2>/dev/null || true\n'


def _spaced(words: Iterable[object]) -> str:
    return " ".join(map(str, words))


def _write(name: str, content: str) -> str:
    return f'  printf %s {shlex.quote(content)} >"$run"/{shlex.quote(name)}'
