from __future__ import annotations

import re
import subprocess

import pytest

from fabfile.plan.diagnosis import diagnose
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


# The texts are those of vllm 0.33.0 and huggingface_hub 2.4.0.
FAILURES = {
    "OSError: [Errno 98] Address already in use": ("port is in use", "--port"),
    "KeyError: 'invalid tool call parser: hermez (chose from { apertus,beam })'": (
        "tool parser hermez", "tool_parser"),
    "KeyError: \"Reasoning parser 'qwen4' not found. Available parsers: beam\"": (
        "reasoning parser", "reasoning_parser"),
    "vllm: error: unrecognized arguments: --nope 3": ("--nope 3", "--vllm-args"),
    "vllm: error: argument --max-num-seqs: invalid int value: 'x'": (
        "--max-num-seqs: invalid int value: 'x'", "--vllm-args"),
    "ValueError: User-specified max_model_len (65536) is greater than the derived max_model_len "
    "(max_position_embeddings=40960 or model_max_length=None in model's config.json).": (
        "65536 is longer than the model's 40960", "--context=40960"),
    "ValueError: To serve at least one request with the model's max seq len (40960), (5.62 GiB KV "
    "cache is needed, which is larger than the available KV cache memory (2.10 GiB). Based on the "
    "available memory, the estimated maximum model length is 15296. ": (
        "does not fit", "--context=15296"),
    "ValueError: No available memory for the cache blocks. Try increasing "
    "`gpu_memory_utilization` when initializing the engine.": ("KV cache", "--memory"),
    "ValueError: Free memory on device cuda:0 (10.12/79.1 GiB) on startup is less than desired GPU "
    "memory utilization (0.92, 72.77 GiB).": ("only 10.12 GiB", "--memory"),
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.": ("memory", "--gpus"),
    "RuntimeError: Failed to load model - not enough GPU memory. Try lowering "
    "--gpu-memory-utilization": ("memory", "--gpus"),
    "ValueError: Model architectures ['NewForCausalLM'] are not supported for now. Supported "
    "architectures: dict_keys([": ("NewForCausalLM", "--engine"),
    "ValueError: The checkpoint you are trying to load has model type `qwen9` but Transformers "
    "does not recognize this architecture.": ("qwen9", "--engine"),
    "ValueError: Total number of attention heads (40) must be divisible by tensor parallel size "
    "(3).": ("3 GPUs do not divide the model's 40", "--gpus"),
    "ValueError: World size (4) is larger than the number of available GPUs (2) in this node.": (
        "4 GPUs are asked for, 2 are visible", "--gpus"),
    "OSError: You are trying to access a gated repo.": ("gated", "HF_TOKEN"),
    "Error: Access denied. Model 'org/x' requires approval.": ("gated", "HF_TOKEN"),
    "Error: Model 'org/x' not found.": ("no such model", "HF_TOKEN"),
    "OSError: org/x is not a local folder and is not a valid model identifier listed on "
    "'https://huggingface.co/models'": ("no such model", "id"),
    "OSError: [Errno 28] No space left on device": ("disk is full", "--models-path"),
    "Error: Local entry not found.": ("does not reach the hub", "HF_ENDPOINT"),
    "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find "
    "them in the cached files.": ("does not reach the hub", "HF_ENDPOINT"),
    "RuntimeError: The NVIDIA driver on your system is too old (found version 12080).": (
        "driver is too old", "cuda12"),
    "ImportError: libcudart.so.13: cannot open shared object file: No such file or directory": (
        "driver is too old", "cuda12"),
    "RuntimeError: Failed to infer device type, please set the environment variable "
    "`VLLM_LOGGING_LEVEL=DEBUG`": ("no GPU", "nvidia-smi"),
    "ValueError: The quantization method fp8 is not supported for the current GPU. Minimum "
    "capability: 89. Current capability: 75.": ("can not run fp8", "another variant"),
    "RuntimeError: Failed to find C compiler. Please specify via CC environment variable.": (
        "no C compiler", "build-essential"),
    "Worker proc VllmWorker-1 died unexpectedly (exit code: -9), shutting down executor.": (
        "died", "-9"),
}  # fmt: skip


@pytest.mark.parametrize("text", FAILURES, ids=lambda text: text[:50])
def test_a_known_failure_is_named_with_what_helps(text: str) -> None:
    cause, fix = FAILURES[text]
    line = f"(EngineCore pid=77) ERROR 11-22 10:00:07 [core.py:1201] {text}"
    wrapper = "RuntimeError: Engine core initialization failed. See root cause above."
    found = diagnose(f"{GOOD}\n{line}\n  File x.py, line 3\n{wrapper}\n", exit_code=1)
    assert found.cause is not None and cause in found.cause
    assert found.fix is not None and fix in found.fix
    assert len(found.lines) == 1
    assert text[:100].strip() in found.lines[0]
    assert "{" not in found.fix


def test_the_first_failure_is_the_cause_and_what_follows_from_it_is_not() -> None:
    found = diagnose(
        "torch.OutOfMemoryError: CUDA out of memory.\n"
        "Worker proc VllmWorker-1 died unexpectedly (exit code: 1), shutting down executor.\n",
        1,
    )
    assert found.lines == ["torch.OutOfMemoryError: CUDA out of memory."]


def test_a_line_behind_a_progress_bar_is_seen_alone() -> None:
    found = diagnose(
        "Loading:  10%\rLoading:  20%\rOSError: [Errno 98] Address already in use\n", 1
    )
    assert found.lines == ["OSError: [Errno 98] Address already in use"]


def test_a_good_log_has_no_cause() -> None:
    assert diagnose(GOOD, 1).cause is None


@pytest.mark.parametrize("code", [0, 1, 2])
@pytest.mark.parametrize(
    ("log", "last"), [("", []), ("\n\n", []), ("a\n", ["a"]), ("a\nb\n\nc\nd\n", ["b", "c", "d"])]
)
def test_what_is_not_known_is_not_guessed_and_the_last_lines_are_shown(
    log: str, last: list[str], code: int
) -> None:
    found = diagnose(log, code)
    assert (found.cause, found.fix) == (None, None)
    assert found.lines == last


@pytest.mark.parametrize(("code", "words"), [(137, "KILL"), (143, "TERM"), (None, "gone")])
def test_an_end_by_a_signal_or_without_a_trace_is_a_cause(code: int | None, words: str) -> None:
    found = diagnose("INFO something\n", code)
    assert found.cause is not None and words in found.cause
    assert found.fix


def test_a_cause_in_the_log_says_more_than_the_signal() -> None:
    found = diagnose("OSError: [Errno 28] No space left on device\n", 137)
    assert found.cause == "the disk is full"


def test_a_line_of_any_length_is_told_short() -> None:
    found = diagnose("x" * 100_000 + " Address already in use", 1)
    assert len(found.lines[0]) <= 300


def test_the_recorded_good_log_is_one_of_vllm() -> None:
    assert re.search(r"Initializing a V1 LLM engine \(v0\.33\.0\)", GOOD)
