"""The console script `podfab`: the same tasks from any directory."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import invoke
from invoke.exceptions import ParseError

from . import ns
from .cli import drop_output
from .errors import UsageError
from .hosts import HostByHost


class Config(invoke.Config):
    """Invoke's settings, with the same task allowed twice on one line."""

    prefix = "podfab"

    @staticmethod
    def global_defaults() -> dict[str, Any]:
        defaults: dict[str, Any] = invoke.Config.global_defaults()
        defaults["tasks"]["dedupe"] = False
        return defaults


class Executor(HostByHost, invoke.Executor):
    """Invoke's executor, host by host."""


class Program(invoke.Program):
    """Invoke's program with -H, and exit code 2 for words it can not parse."""

    def core_args(self) -> list[invoke.Argument]:
        help_ = "the pods to work on: names, aliases or user@host:port, separated by commas"
        return [*super().core_args(), invoke.Argument(names=("hosts", "H"), help=help_)]

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        try:
            super().run(argv, exit)
        except BrokenPipeError:
            drop_output()
            sys.exit(1)

    def print_version(self) -> None:
        print(f"podfab {version('podfab')}")

    def parse_core(self, argv: list[str] | None) -> None:
        with _usage_errors():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        with _usage_errors():
            super().parse_tasks()


@contextmanager
def _usage_errors() -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        word = re.search("No idea what '(.+)' is", str(error))
        near = difflib.get_close_matches(word[1], list(ns.task_names), n=1) if word else []
        hint = f"did you mean {near[0]!r}?" if near else "podfab --list shows the tasks"
        raise UsageError(f"{str(error).rstrip('!')}; {hint}") from error


program = Program(
    name="podfab",
    binary="podfab",
    binary_names=["podfab"],
    namespace=ns,
    config_class=Config,
    executor_class=Executor,
)
