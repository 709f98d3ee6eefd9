from __future__ import annotations

import re
import subprocess

import pytest

from fabfile.plan.phases import MARKERS, PHASES, phase_of

from .given import recorded

GOOD = recorded("logs/ready.log")


def _reached(log: str) -> list[str]:
    """The phases that a log goes through, line by line."""
    found = [phase.name for line in log.splitlines() if (phase := phase_of(line))]
    return list(dict.fromkeys(found))


def test_a_log_goes_through_the_phases_in_order() -> None:
    names = [phase.name for phase in PHASES]
    reached = _reached(GOOD)
    assert reached == [name for name in names if name in reached]
    assert len(reached) == len(names)


def test_the_phase_of_a_piece_of_log_is_its_last_one() -> None:
    lines = GOOD.splitlines()
    for end in range(1, len(lines)):
        reached = _reached("\n".join(lines[:end]))
        phase = phase_of("\n".join(lines[:end]))
        assert (phase.name if phase else None) == (reached[-1] if reached else None)


def test_a_log_that_begins_anew_is_at_its_beginning_again() -> None:
    begun = GOOD[: GOOD.index("Initializing")]
    phase = phase_of(GOOD + begun)
    assert phase is not None and phase.name == "starting vLLM"


@pytest.mark.parametrize(
    "text",
    ["", "INFO 11-22 10:00:00 [utils.py:1] hello", "Capturing CUDA graph", "[podfab] the download"],
)
def test_a_piece_without_a_mark_says_nothing(text: str) -> None:
    assert phase_of(text) is None


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("[podfab] downloading Qwen/Qwen3-8B", "downloading"),
        ("[podfab] starting vLLM", "starting"),
        ("(EngineCore pid=1) INFO [x.py:1] Starting to load model Qwen/Qwen3-8B...", "loading"),
        ("INFO:     Application startup complete.", "loading"),
    ],
)
def test_a_phase_counts_as_a_status_of_the_list(line: str, status: str) -> None:
    phase = phase_of(line)
    assert phase is not None and phase.status == status


def test_the_marks_mean_the_same_to_grep_on_the_pod() -> None:
    lines = [f"before {phase.mark} after" for phase in PHASES] + ["nothing", "podfab downloading"]
    found = subprocess.run(
        ["grep", "-aoE", "|".join(MARKERS)],
        input="\n".join(lines), capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert found == [phase.mark for phase in PHASES]


def test_the_recorded_good_log_is_one_of_vllm() -> None:
    assert re.search(r"Initializing a V1 LLM engine \(v0\.33\.0\)", GOOD)
