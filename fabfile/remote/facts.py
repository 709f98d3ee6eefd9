"""Ask a pod what it is like."""

from __future__ import annotations

from ..commands import facts as commands
from ..errors import PodfabError
from ..plan.facts import Facts, parse_facts
from .pod import Pod


def gather(pod: Pod, models_path: str = "", mount_target: str = "", model: str = "") -> Facts:
    """Return a pod's facts, in one round trip."""
    answer = pod.run(commands.gather(pod.root, models_path, mount_target, model))
    try:
        return parse_facts(answer)
    except (ValueError, KeyError, TypeError) as error:
        raise PodfabError(f"{pod.name} told its facts unreadably: {error}") from error
