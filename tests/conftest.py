"""What all tests share: a client with a home of its own, and its commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

PROJECT = Path(__file__).parent.parent
PROGRAMS = Path(sys.executable).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pod", default="", help="run tests/engine on this pod of yours")


def pytest_configure() -> None:
    # A shell that runs us in the background makes us, and so our commands, deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Client:
    """A user's side: its own HOME and state, and the programs as a user calls them."""

    home: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.home / ".pi"

    @property
    def environment(self) -> dict[str, str]:
        kept = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "PIP_FIND_LINKS", "PIP_INDEX_URL")
        inherited = {name: os.environ[name] for name in kept if name in os.environ}
        return {**inherited, "HOME": str(self.home), "COLUMNS": "200", **self.extra}

    def run(
        self, *words: str, program: str = "inv", stdin: str | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run `inv WORDS` (or fab) in the project's folder."""
        return subprocess.run(
            [str(PROGRAMS / program), *words],
            cwd=PROJECT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def popen(
        self,
        *words: str,
        program: str = "inv",
        stdout: int | BinaryIO = subprocess.PIPE,
        stderr: int | BinaryIO = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(PROGRAMS / program), *words],
            cwd=PROJECT,
            env=self.environment,
            stdout=stdout,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            text=True,
        )


@pytest.fixture
def client(tmp_path: Path) -> Client:
    home = tmp_path / "client"
    home.mkdir()
    return Client(home)
