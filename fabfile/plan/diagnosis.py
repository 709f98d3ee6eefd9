"""Why a model does not serve: the root cause in its log, and what helps, with flag and value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .causes import CONSEQUENCES, ROOTS, SILENT, Cause

_SHOWN = 300  # characters of a line
_END = 5  # lines of the log's end, for a failure that is not known
_ENDINGS = {137: "was killed (KILL)", 143: "was ended (TERM)"}
_OVERCOME = "[podfab] the hub stumbled"  # fetch.sh's; what stands before it was asked for again
_QUIET = re.compile(r"(?:\(\S+ pid=\d+\) )?(?:INFO: |(?:INFO|DEBUG|WARNING) \d\d-\d\d )")
_FRAME = re.compile(r"(?:^|[])]) {4}|File \".*\", line \d")
_RAISED = re.compile(r"(?:^|\] |\) )((?:[\w.]+\.)?\w*(?:Error|Exception|Interrupt)(?:: .*|$))")
_WRAPPER = re.compile(
    r"See root cause above|EngineDeadError|in a background process|Executor failed\."
)
_RUBBISH = re.compile(r"nanobind: |^ - (?:leaked|\.\.\.) |resource_tracker")


@dataclass(frozen=True)
class Diagnosis:
    """A cause and its fix, None when unknown, and the telling lines of the log."""

    cause: str | None
    fix: str | None
    lines: list[str]

    def document(self) -> dict[str, Any]:
        """The diagnosis as --json prints it."""
        return {"cause": self.cause, "fix": self.fix, "lines": self.lines}


def diagnose(log: str, exit_code: int | None = None, gone: bool = False) -> Diagnosis:
    """Name the root cause in a log; without a known one show what was raised, and its end.

    `gone`: its process has ended without leaving an exit code.
    """
    log = log.rpartition(_OVERCOME)[2]
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", log) if line.strip()]
    lines = [line for line in lines if not _RUBBISH.search(line)]
    kept = (line for line in lines if not (_QUIET.match(line) or _FRAME.search(line)))
    loud = list(dict.fromkeys(kept))
    if found := _first(ROOTS, loud):
        return _told(*found, [], log)
    raised = _raised(loud)
    if found := _first(CONSEQUENCES, loud):
        return _told(*found, raised, log)
    if not raised and (found := _first([SILENT], loud)):
        return _told(*found, [], log)
    if gone or exit_code in _ENDINGS:
        how = _ENDINGS.get(exit_code or 0, "is gone without a trace")
        fix = "start it again; its log shows what it did last"
        return Diagnosis(f"its process {how}", fix, _ending(lines))
    return Diagnosis(None, None, list(dict.fromkeys([*raised, *_ending(lines)])))


def _first(causes: Sequence[Cause], lines: Sequence[str]) -> tuple[Cause, re.Match[str]] | None:
    """Return what is known of the first line that any cause knows."""
    for line in lines:
        for cause in causes:
            if match := re.search(cause.pattern, line):
                return cause, match
    return None


def _told(cause: Cause, match: re.Match[str], before: list[str], log: str) -> Diagnosis:
    words = _Words(match, log)
    line = match.string
    if match.end() > _SHOWN:
        line = line[match.start() :]
    return Diagnosis(
        cause.cause.format_map(words), cause.fix.format_map(words), [*before, line[:_SHOWN]]
    )


def _raised(lines: Sequence[str]) -> list[str]:
    """Return the first exception that does not only wrap another one."""
    raised = [line for line in lines if _RAISED.search(line) and not _WRAPPER.search(line)]
    return [line[:_SHOWN] for line in raised[:1]]


def _ending(lines: Sequence[str]) -> list[str]:
    return [line[:_SHOWN] for line in lines[-_END:]]


class _Words(dict[str, str]):
    """What a cause's texts may name: groups of its expression, and what follows from them."""

    def __init__(self, match: re.Match[str], log: str) -> None:
        groups = match.groupdict(default="")
        super().__init__({name: groups[name] or groups.get(f"{name}2", "") for name in groups})
        self.log = log

    def __missing__(self, name: str) -> str:
        return _COMPUTED[name](self)

    def given(self, argument: str, default: str) -> str:
        """Return what vLLM says that it was given (its line of non-default args)."""
        said = re.findall(rf"'{argument}': '?([^',}}]+)", self.log)
        return said[-1] if said else default


def _nearest(words: _Words) -> str:
    names = re.findall(r"[\w.-]+", words["names"])
    return next(iter(difflib.get_close_matches(words["asked"], names, 1, 0.3)), "NAME")


def _share(words: _Words) -> str:
    """Return the percentage of the GPU that is free, one point less for what moves."""
    return str(max(1, int(100 * float(words["free"]) / float(words["total"])) - 1))


def _context(words: _Words) -> str:
    """Advise the longest context that fits, less 2 %: measured memory is never quite the same."""
    if not words["length"]:
        return words["more_memory"]
    longest = int(words["length"])
    return f"start it with --context={int(longest * 0.98) // 256 * 256 or longest}"


def _divisor(words: _Words) -> str:
    heads, gpus = int(words["heads"]), int(words["gpus"])
    return str(max(n for n in range(1, gpus + 1) if heads % n == 0))


def _more_memory(words: _Words) -> str:
    """Advise a larger share where it was small, else twice the GPUs."""
    if "device_config=cpu" in words.log:
        return (
            "a larger VLLM_CPU_KVCACHE_SPACE in the model's env in models.yaml, or less --context"
        )
    gpus = int(words.given("tensor_parallel_size", "1"))
    share = float(words.given("gpu_memory_utilization", "0.92"))
    more = "start it with --memory=92%" if share < 0.85 else f"start it with --gpus={2 * gpus}"
    return f"{more}, a smaller --context or a quantized variant: inv models.catalog --fits"


def _capability(words: _Words) -> str:
    return f"{int(words['needed']) / 10:.1f}"


_COMPUTED: dict[str, Callable[[_Words], str]] = {
    "nearest": _nearest,
    "share": _share,
    "context": _context,
    "divisor": _divisor,
    "more_memory": _more_memory,
    "capability": _capability,
    "half": lambda words: str(max(1, int(words["asked"]) // 2)),
    "plain": lambda words: words["flag"].split("/")[-1].lstrip("-"),
    "model": lambda words: words.given("model_tag", "ID"),
}
