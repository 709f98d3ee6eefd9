"""The script that gathers all facts of a pod in one round trip."""

from __future__ import annotations

from ..plan.hardware import QUERY
from .shell import in_home, script


def gather(root: str, models_path: str = "", mount_target: str = "") -> str:
    """Write the facts script: POSIX sh that prints one JSON document."""
    return in_home(root) + script(
        "json.sh",
        "process.sh",
        "status.sh",
        "facts.sh",
        models_path=models_path,
        mount_target=mount_target,
        gpu_query=QUERY,
    )
