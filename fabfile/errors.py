"""The errors a user can see: one line that says what is wrong and what to do."""

from __future__ import annotations

from invoke.exceptions import Exit


class PodfabError(Exit):
    """End the task with one line on stderr and exit code 1."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(f"podfab: {message}", code=code)

    def __str__(self) -> str:
        return str(self.message)

    @property
    def text(self) -> str:
        """The message without the program's name, for tables and JSON."""
        return str(self.message).removeprefix("podfab: ")


class UsageError(PodfabError):
    """Wrong words on the command line; exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=2)


class Unreachable(PodfabError):
    """The pod can not be reached, or refuses us."""


class ConnectionLost(Unreachable):
    """The connection broke while something was running."""


class RemoteFailed(PodfabError):
    """A command on the pod ended with a failure."""
