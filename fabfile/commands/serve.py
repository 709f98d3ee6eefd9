"""The jobs that fetch and serve a model."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from ..plan.environment import lines
from ..plan.launch import LaunchPlan
from .jobs import Job
from .shell import assignments, in_home, text


def serve(root: str, plan: LaunchPlan, secrets: Mapping[str, str], started: str) -> Job:
    """Build the job that downloads a model and serves it.

    `secrets` (the API key, the hub's token) reach it by its private env file only.
    """
    details = {
        "kind": "serve",
        "model": plan.model,
        "port": plan.port,
        "gpus": plan.gpus,
        "engine": plan.engine,
        "task": plan.task,
        "started": started,
    }
    command = shlex.join(["vllm", "serve", plan.model, *plan.args])
    excluded = [word for glob in plan.exclude for word in ("--exclude", glob)]
    download = shlex.join(["hf", "download", plan.model, *excluded, "--quiet"])
    return Job(
        name=plan.name,
        script=(
            "#!/usr/bin/env bash\n"
            + in_home(root)
            + assignments(
                {
                    "name": plan.name,
                    "model": plan.model,
                    "port": plan.port,
                    "task": plan.task,
                    "fetch": "no" if plan.model.startswith("/") else "yes",
                }
            )
            + f'engine="$root"/engines/{shlex.quote(plan.engine)}\n'
            + 'run=$(cd "$(dirname "$0")" && pwd)\n\n'
            + f"download() {{\n  {download}\n}}\n\n"
            + text("serve.sh")
            + '\n"$engine/bin/python" "$run/ready.py" "$run" "$port" "$name" "$task" &\n'
            + 'echo "[podfab] starting vLLM"\n'
            + f"exec {command}\n"
        ),
        details=details,
        files={
            "env": "\n".join(lines({**plan.env, **secrets})) + "\n",
            "ready.py": text("ready.py"),
        },
    )
