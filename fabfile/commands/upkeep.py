"""The scripts that look after a pod: examine it, tell what takes disk, remove, purge."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from . import facts
from .shell import assignments, in_home, script, text


def examine(root: str, models_path: str, mount_target: str) -> str:
    """Write the script that prints the facts, and what only the doctor asks."""
    return facts.gather(root, models_path, mount_target) + script(
        "doctor.sh", probe=text("probe.py"), indexes=text("setup/indexes.sh")
    )


def usage(root: str, models_path: str, kept: Iterable[str]) -> str:
    """Write the script that tells how much disk each thing takes that could go."""
    return in_home(root) + script(
        "json.sh", "process.sh", "usage.sh", models_path=models_path, kept="\n".join(kept)
    )


def remove(paths: Iterable[str]) -> str:
    """Write the script that removes folders."""
    return f"rm -rf -- {shlex.join(paths)}\n"


def purge(root: str) -> str:
    """Write the script that removes all that is ours from a pod."""
    return in_home(root) + script("process.sh", "purge.sh")


def run(command: str) -> str:
    """Write the script that runs a user's command as their own shell would."""
    return (
        assignments({"command": command})
        + 'cd || exit\nunset LC_ALL\numask 022\n"${SHELL:-/bin/sh}" -c "$command"\n'
    )
