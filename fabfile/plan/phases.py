"""The phases of a start, read off the log's marks.

vLLM's marks: vllm 0.33.0, v1/engine/core.py, default_loader.py, compilation/, gpu_model_runner.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A phase: the mark that begins it, its name for people, the status it counts as."""

    mark: str
    name: str
    status: str


PHASES = (
    Phase("[podfab] downloading", "downloading weights", "downloading"),
    Phase("[podfab] starting vLLM", "starting vLLM", "starting"),
    Phase("Initializing a V1 LLM engine", "starting the engine", "starting"),
    Phase("Starting to load model", "loading weights", "loading"),
    Phase("Loading weights took", "preparing", "loading"),
    Phase("for vLLM's torch.compile", "compiling", "loading"),
    Phase("Capturing CUDA graphs", "capturing CUDA graphs", "loading"),
    Phase("init engine (profile", "opening the port", "loading"),
    Phase("Application startup complete", "waiting for the first answer", "loading"),
)
MARKERS = tuple(re.sub(r"([][().])", r"\\\1", phase.mark) for phase in PHASES)


def phase_of(text: str) -> Phase | None:
    """Return the phase that a piece of log is in at its end, or None when it bears no mark."""
    latest = max(PHASES, key=lambda phase: text.rfind(phase.mark))
    return latest if latest.mark in text else None
