"""The script that gathers all facts of a pod in one round trip."""

from __future__ import annotations

from ..plan.facts import weights_folder
from ..plan.hardware import QUERY
from .shell import in_home, script


def gather(root: str, models_path: str = "", mount_target: str = "", model: str = "") -> str:
    """Write the facts script: POSIX sh that prints one JSON document.

    `model` is the one whose weights are looked for on the disk.
    """
    return in_home(root) + script(
        "json.sh",
        "process.sh",
        "status.sh",
        "facts.sh",
        models_path=models_path,
        mount_target=mount_target,
        weights=weights_folder(model) if model else "",
        gpu_query=QUERY,
    )
