"""Container pods, and a client that sets them up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.container import Container


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
