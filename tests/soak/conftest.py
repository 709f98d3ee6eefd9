"""Container pods, pods with a stand-in engine, and one with the real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import stage
from tests.ssh.conftest import ready, serve, server
from tests.support.container import Container

__all__ = ["container", "ready", "serve", "server", "stage"]


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Callable[..., Container]]:
    """Start container pods; they are gone after the test."""
    made: list[Container] = []

    def start(**options: str) -> Container:
        made.append(Container(tmp_path / f"pod{len(made)}", **options))
        return made[-1]

    yield start
    for pod in made:
        pod.stop()
