"""What is asked of a setup: what was said now, completed by what a pod's record says."""

from __future__ import annotations

from dataclasses import dataclass

from ..records import pods
from .engine import wished
from .mount import Mount, parse_mount
from .toolkit import checked


@dataclass(frozen=True)
class Wish:
    """What is asked of a setup; `again` means that the engine is the one of an earlier time."""

    models_path: str
    mount: Mount | None
    engine: str
    again: bool
    toolkit: str

    @staticmethod
    def of(known: pods.Pod | None, models_path: str, mount: str, engine: str, toolkit: str) -> Wish:
        """Complete what was said now by what is known of the pod.

        Raises UsageError for a mount or a toolkit that can not be one.
        """
        known = known or pods.Pod("")
        text = "" if mount == "none" else mount or known.mount or ""
        mounting = parse_mount(text) if text else None
        if not models_path and mount and mounting:
            models_path = mounting.target
        if not models_path and mount == "none" and known.mount and known.root:
            models_path = f"{known.root}/models"
        return Wish(
            models_path or known.models_path or (mounting.target if mounting else ""),
            mounting,
            engine or wished(known.engine, known.vllm_version, bool(known.gpus)),
            not engine,
            checked(toolkit),
        )
