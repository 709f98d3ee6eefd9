"""The jobs that fetch and serve a model."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from ..plan.download import Download
from ..plan.environment import lines
from ..plan.facts import JobState, weights_folder
from ..plan.launch import LaunchPlan
from .jobs import Claim, Job
from .shell import array, assignments, in_home, text

_FILES = ("run.sh", "env", "ready.py", "checkpoint.py")


def serve(
    root: str, plan: LaunchPlan, secrets: Mapping[str, str], who: Mapping[str, str], forced: bool
) -> Job:
    """Build the job that downloads a model and serves it.

    `secrets` (the API key, the hub's token) reach it by its private env file only; `who` starts it.
    """
    command = shlex.join(["vllm", "serve", plan.model, *plan.args])
    values: dict[str, str | int] = {
        "name": plan.name,
        "port": plan.port,
        "task": plan.task,
        "gpus": _spaced(plan.gpus),
    }
    return Job(
        name=plan.name,
        script=(
            _beginning(root, plan.engine)
            + _fetching(plan.download)
            + assignments(values)
            + text("gpu.sh")
            + text("serve.sh")
            + f"exec {command}\n"
        ),
        details={
            "kind": "serve",
            "model": plan.model,
            "port": plan.port,
            "gpus": plan.gpus,
            "engine": plan.engine,
            "task": plan.task,
            "public": "0.0.0.0" in plan.args,
            "promises": plan.promises,
            **who,
        },
        files={**_files(plan.env, secrets), "ready.py": text("ready.py")},
        claim=Claim(plan.port, plan.gpus, plan.beside, forced),
    )


def fetch(
    root: str, name: str, download: Download, engine: str, secrets: Mapping[str, str],
    who: Mapping[str, str],
) -> Job:  # fmt: skip
    """Build the job that only downloads a model."""
    return Job(
        name=name,
        script=_beginning(root, engine) + _fetching(download),
        details={"kind": "download", "model": download.model, **who},
        files=_files({}, secrets),
    )


def again(job: JobState, others: Iterable[JobState], who: Mapping[str, str]) -> Job:
    """Build the job that serves a model as its last run did, beside those that run now."""
    port, gpus = job.details["port"], job.details.get("gpus") or []
    beside = [other.name for other in others if other.alive and other.name != job.name]
    return Job(
        name=job.name,
        details={**job.details, **who},
        claim=Claim(port, gpus, beside),
        kept=_FILES,
    )


def _beginning(root: str, engine: str) -> str:
    return (
        "#!/usr/bin/env bash\n"
        + in_home(root)
        + f'engine="$root"/engines/{shlex.quote(engine)}\n'
        + 'run=$(cd "$(dirname "$0")" && pwd)\n'
        + text("environment.sh")
    )


def _fetching(download: Download) -> str:
    """Write the part that fetches the weights; a folder on the pod has them."""
    if not download.needed:
        return ""
    values = {
        "model": download.model,
        "folder": weights_folder(download.model),
        "cache": download.cache,
    }
    words = shlex.join(["hf", "download", download.model, *download.words, "--quiet"])
    return (
        assignments(values)
        + array("excluded", download.exclude)
        + f"download() {{\n  {words}\n}}\n\n"
        + text("fetch.sh")
    )


def _files(env: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    return {
        "env": "\n".join(lines({**env, **secrets})) + "\n",
        "checkpoint.py": text("checkpoint.py"),
    }


def _spaced(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids))
