"""Jobs in shell: start one, follow it, end it, ask how all of them are."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .shell import in_home, script, text


@dataclass(frozen=True)
class Job:
    """A script that runs detached on a pod, in jobs/NAME/runs/N.

    `files` are written beside the script, for their owner only; `details` is what the record
    shows: no secret goes there.
    """

    name: str
    script: str
    details: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict, repr=False)


def start(root: str, job: Job, owner: str, log_cap_mb: int) -> str:
    """Write the script that starts a job, unless it runs already."""
    files = {
        **job.files,
        "run.sh": job.script,
        "supervise.sh": text("supervise.sh"),
        "job.json": json.dumps(job.details, separators=(",", ":")) + "\n",
    }
    writes = " &&\n".join(_write(name, content) for name, content in files.items())
    return (
        in_home(root)
        + script(job=job.name, owner=owner, cap=log_cap_mb * 1024 * 1024)
        + f"write_files() {{\n{writes}\n}}\n"
        + script("process.sh", "start.sh")
    )


def follow(
    root: str,
    job: str,
    run: str = "current",
    offset: int = 0,
    until: str = "exit",
    lines: int | None = None,
    watched: str = "",
) -> str:
    """Write the script that follows a run's log from a byte offset until it ends or is ready."""
    path = "/current" if run == "current" else f"/runs/{run}"
    return (
        in_home(root)
        + f'run="$root"{shlex.quote(f"/jobs/{job}{path}")}\n'
        + script(
            "process.sh",
            "follow.sh",
            offset=offset,
            until=until,
            lines="" if lines is None else lines,
            watched=watched,
        )
    )


def stop(root: str, job: str, grace: int) -> str:
    """Write the script that ends a job's whole session and names what is left of it."""
    return in_home(root) + script("process.sh", "stop.sh", job=job, grace=grace)


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


def _write(name: str, content: str) -> str:
    return f'  printf %s {shlex.quote(content)} >"$run"/{shlex.quote(name)}'
