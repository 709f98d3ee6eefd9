"""Known failures are named with what helps; what is not known is not guessed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from fabfile.commands.shell import text as shell_text
from fabfile.plan.causes import CONSEQUENCES, ROOTS, SILENT
from fabfile.plan.diagnosis import diagnose

from .given import RECORDED, recorded

GOOD = recorded("logs/ready.log")
WRAPPER = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc"

# Text of the log: (words of the cause, words of the fix). The texts are vllm 0.33.0's,
# huggingface_hub 2.4.0's, transformers', torch's, CUDA's and NCCL's; where those are not at hand,
# of the issue named.
FAILURES = {
    "OSError: [Errno 98] Address already in use": ("port is in use", "leave --port out"),
    "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8001): address "
    "already in use": ("port is in use", "leave --port out"),
    "KeyError: 'invalid tool call parser: hermez (chose from { apertus,beam,hermes })'": (
        "no tool parser hermez", "--vllm-args='--tool-call-parser hermes'"),
    "TypeError: Error: --enable-auto-tool-choice requires --tool-call-parser": (
        "without a tool parser", "--tool-call-parser"),
    "KeyError: \"Reasoning parser 'qwen4' not found. Available parsers: beam, qwen3, step3\"": (
        "no reasoning parser qwen4", "--vllm-args='--reasoning-parser qwen3'"),
    "KeyError: 'invalid reasoning parser: qwen4 (chose from { beam,qwen3 })'": (
        "no reasoning parser qwen4", "--vllm-args='--reasoning-parser qwen3'"),
    "vllm: error: unrecognized arguments: --nope 3": ("no argument --nope 3", "--vllm-args"),
    "vllm: error: argument --max-num-seqs: invalid int value: 'x'": (
        "--max-num-seqs: invalid int value: 'x'", "vllm serve --help=max-num-seqs"),
    "vllm: error: argument -tp/--tensor-parallel-size: invalid int value: 'x'": (
        "refuses -tp/--tensor-parallel-size", "--help=tensor-parallel-size"),
    "ValueError: User-specified max_model_len (65536) is greater than the derived max_model_len "
    "(max_position_embeddings=40960 or model_max_length=None in model's config.json).": (
        "65536 is longer than the model's 40960", "--context=40960"),
    "ValueError: To serve at least one request with the model's max seq len (40960), (5.62 GiB KV "
    "cache is needed, which is larger than the available KV cache memory (2.10 GiB). Based on the "
    "available memory, the estimated maximum model length is 15296. ": (
        "40960 tokens needs 5.62 GiB of KV cache, 2.10 GiB are left", "--context=14848"),
    "ValueError: To serve at least one request with the model's max seq len (2048), (5.62 GiB KV "
    "cache is needed, which is larger than the available KV cache memory (0.10 GiB). Try "
    "increasing `gpu_memory_utilization`": ("needs 5.62 GiB", "--gpus=2"),
    "ValueError: No available memory for the cache blocks. Try increasing "
    "`gpu_memory_utilization` when initializing the engine.": ("no memory for the KV", "--gpus=2"),
    "ValueError: The worker already uses 3.1 GiB (model weights and runtime), more than the 2.00 "
    "GiB of CPU memory reserved for it on node 0, leaving none for the KV cache.": (
        "no main memory", "more main memory"),
    "ValueError: Available memory on node 0 (3.10/7.60 GiB) on kv cache allocation is less than "
    "requested memory for kv (40.00 GiB). ": (
        "40.00 GiB of main memory are asked for as KV cache, 3.10", "VLLM_CPU_KVCACHE_SPACE"),
    "ValueError: max_num_seqs (1024) exceeds available Mamba cache blocks (310). Each decode": (
        "310 sequences", "--vllm-args='--max-num-seqs 310'"),
    "ValueError: Chunked MM input disabled but max_tokens_per_mm_item (16384) is larger than "
    "max_num_batched_tokens (2048). Please increase max_num_batched_tokens.": (
        "batch of 16384", "--vllm-args='--max-num-batched-tokens 16384'"),
    "ValueError: max_num_batched_tokens (2048) is smaller than max_model_len (8192).": (
        "2048 tokens is smaller", "--max-num-batched-tokens 8192"),
    "ValueError: Free memory on device cuda:0 (10.12/79.1 GiB) on startup is less than desired GPU "
    "memory utilization (0.92, 72.77 GiB).": ("only 10.12 of the GPU's 79.1", "--memory=11%"),
    "AssertionError: Error in memory profiling. Initial free memory 70 GiB": (
        "while vLLM measured", "start it again"),
    "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests. "
    "Please try lowering `max_num_seqs`": ("1024 requests at once", "--max-num-seqs 512"),
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.": (
        "does not fit into the GPU's memory", "--gpus=2"),
    "RuntimeError: Failed to load model - not enough GPU memory. Try lowering "
    "--gpu-memory-utilization": ("does not fit into the GPU's memory", "--gpus=2"),
    "ValueError: Model architecture Phi3SmallForCausalLM is not supported in-tree anymore. Please "
    "install the plugin at https://x": ("no Phi3SmallForCausalLM any more", "older engine"),
    "ValueError: Model architectures ['NewForCausalLM'] are not supported for now. Supported "
    "architectures: dict_keys([": ("can not serve NewForCausalLM", "--engine"),
    "ValueError: The checkpoint you are trying to load has model type `qwen9` but Transformers "
    "does not recognize this architecture.": ("model type qwen9", "--engine"),
    "ValueError: The repository org/x contains custom code which must be executed to correctly": (
        "code of its own", "--vllm-args=--trust-remote-code"),
    "RuntimeError: Failed to load the model config. If the model is a custom model not yet "
    "available in the HuggingFace transformers library, consider setting `trust_remote_code=True` "
    "in LLM": ("code of its own", "--vllm-args=--trust-remote-code"),
    "ValueError: Total number of attention heads (40) must be divisible by tensor parallel size "
    "(3).": ("3 GPUs do not divide the model's 40", "--gpus=2"),
    "ValueError: The output_size of gate's and up's weight = 320 is not divisible by weight "
    "quantization block_n = 128.": ("blocks of 128", "--enable-expert-parallel"),
    "AssertionError: num_heads 28 is not divisible by tp_size 8.": ("do not divide", "half"),
    "ValueError: World size (4) is larger than the number of available GPUs (2) in this node.": (
        "4 GPUs are asked for, 2 are visible", "--gpus=2"),
    "ValueError: The quantization method fp8 is not supported for the current GPU. Minimum "
    "capability: 89. Current capability: 75.": ("compute capability 8.9", "another variant"),
    "ValueError: Quantization method specified in the model config (awq) does not match the "
    "quantization method specified in the `quantization` argument (fp8).": (
        "are awq already", "leave --quantization out"),
    "Value error, Unknown quantization method: fp9. Must be one of ['awq', 'fp8', 'mxfp4'].": (
        "no quantization fp9", "is fp8"),
    "ValueError: type fp8e4nv not supported in this architecture. The supported fp8 dtypes are": (
        "no FP8", "not FP8"),
    "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0.": (
        "no bfloat16", "--dtype half"),
    "ValueError: No valid attention backend found for cuda with AttentionSelectorConfig(": (
        "no attention kernel", "--attention-backend"),
    "RuntimeError: Cannot find any model weights with `org/x-GGUF`": (
        "no weights that vLLM reads", "safetensors"),
    "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer":
        ("damaged or incomplete", "inv pods.clean --model=Qwen/Qwen3-8B"),
    "Value error, Expecting ',' delimiter: line 1 column 993 (char 992)": (
        "damaged", "inv pods.clean --model=Qwen/Qwen3-8B"),
    "Value error, Invalid repository ID or local directory specified: 'org/x'.": (
        "org/x has no config.json", "check the id"),
    "OSError: org/x does not appear to have a file named config.json. Checkout 'https://h'": (
        "has no config.json", "check the id"),
    "ValueError: There is no module or parameter named 'model.layers.0.new' in NewForCausalLM.": (
        "hold model.layers.0.new", "--engine"),
    "KeyError: 'layers.0.mlp.gate.bias'": ("hold layers.0.mlp.gate.bias", "--engine"),
    "ValueError: Couldn't instantiate the backend tokenizer from one of:": (
        "tokenizer", "--tokenizer ID"),
    "ModuleNotFoundError: No module named 'blobfile'": (
        "lacks blobfile", "uv pip install --python ~/.pi/engines/ENGINE 'blobfile'"),
    "ImportError: Please install vllm[audio] for audio support": (
        "lacks vllm[audio]", "ENGINE 'vllm[audio]'"),
    "OSError: You are trying to access a gated repo.": ("gated", "HF_TOKEN"),
    "Error: Access denied. Model 'org/x' requires approval.": ("gated", "HF_TOKEN"),
    "Invalid user token.": ("does not accept the token", "HF_TOKEN"),
    "Error: Model 'org/x' not found.": ("no such model", "HF_TOKEN"),
    "OSError: org/x is not a local folder and is not a valid model identifier listed on "
    "'https://huggingface.co/models'": ("no such model", "id"),
    "Error: Revision not found in model 'org/x'.": ("no such revision", "--revision"),
    "Error: Server error '500 Internal Server Error' for url 'https://huggingface.co/org/x/y'": (
        "in trouble itself: 500 Internal", "some minutes"),
    "Error: Local entry not found. Server error '502 Bad Gateway' for url 'https://x/api'": (
        "in trouble itself: 502 Bad", "some minutes"),
    "Error: Client error '401 Unauthorized' for url 'https://huggingface.co/org/x/y'": (
        "refuses a file of the model: 401 Unauth", "HF_TOKEN"),
    "Error: Local entry not found. 403 Forbidden: None.": (
        "refuses a file of the model: 403 Forbidden", "gated"),
    "Error: Client error '404 Not Found' for url 'https://huggingface.co/org/x/y'": (
        "does not give what it lists: 404 Not Found", "HF_ENDPOINT"),
    "Error: Local entry not found. 429 Too Many Requests for url: https://x": ("more", "wait"),
    "HfHubHTTPError: 429 Client Error: Too Many Requests for url": ("more requests", "wait"),
    "Error while creating shared memory segment /dev/shm/nccl-1a2b (size 9637888), error: No space "
    "left on device (28)": ("shared memory", "--shm-size"),  # vllm#1710
    "OSError: [Errno 28] No space left on device": ("disk is full", "--models-path"),
    "RuntimeError: Data processing error: I/O error: No space left on device (os error 28)": (
        "disk is full", "inv pods.clean"),
    "Error: Local entry not found.": ("does not reach the hub", "HF_ENDPOINT"),
    "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find "
    "them in the cached files.": ("does not reach the hub", "HF_ENDPOINT"),
    "RuntimeError: The NVIDIA driver on your system is too old (found version 12080).": (
        "driver is too old", "--engine=cuda12"),
    "ImportError: libcudart.so.13: cannot open shared object file: No such file or directory": (
        "driver is too old", "--engine=cuda12"),
    "torch.AcceleratorError: CUDA error: the provided PTX was compiled with an unsupported "
    "toolchain.": ("driver is too old", "--engine=cuda12"),
    "Error 804: forward compatibility was attempted on non supported HW": (
        "compatibility libraries", "ldconfig"),  # gpustack#1254
    "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 802: system not yet "
    "initialized": ("802", "nvidia-fabricmanager"),  # huggingface_hub#4134
    "CUDA error: no kernel image is available for execution on the device": (
        "generation of GPU", "--engine"),
    "RuntimeError: Failed to infer device type, please set the environment variable "
    "`VLLM_LOGGING_LEVEL=DEBUG`": ("no GPU", "inv pods.doctor"),
    "ImportError: libcuda.so.1: cannot open shared object file: No such file": (
        "no GPU", "inv pods.doctor"),
    "torch.AcceleratorError: CUDA error: invalid device ordinal": ("not there", "inv pods.doctor"),
    "CUDA error: uncorrectable ECC error encountered": ("hardware", "restart the pod"),
    "CUDA error: CUDA-capable device(s) is/are busy or unavailable": ("alone", "nvidia-smi"),
    "CUDA error: an illegal memory access was encountered": ("kernel", "--enforce-eager"),
    "AssertionError: Not enough allowed NUMA nodes to bind threads of 2 local CPUWorkers.": (
        "over 2 needs", "--tensor-parallel-size"),
    "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)": (
        "NCCL", "/dev/shm"),
    "RuntimeError: Gloo connectFullMesh failed with [../third_party/gloo/transport/tcp/pair.cc": (
        "its own name", "VLLM_HOST_IP"),
    "RuntimeError: Failed to find C compiler. Please specify via CC environment variable.": (
        "no C compiler", "build-essential"),
    "/tmp/tmpx/main.c:6:10: fatal error: Python.h: No such file or directory": (
        "headers of Python", "python3-dev"),
    "RuntimeError: Could not find nvcc and default cuda_home='/usr/local/cuda' doesn't exist": (
        "CUDA compiler", "--toolkit=auto"),
    "/root/.pi/jobs/x/current/run.sh: line 60: 77 Illegal instruction": ("instruction", "AVX2"),
    "RuntimeError: [enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate "
    "memory: you tried to allocate 42949672960 bytes.": ("main memory is full", "more"),
    "RuntimeError: can't start new thread": ("no more processes", "pids"),
    "OSError: [Errno 24] Too many open files": ("open files", "ulimit -n"),
    "UserWarning: Not enough free disk space to download the file. The expected file size is: 9": (
        "nearly full", "inv pods.clean"),
    "requests.exceptions.ConnectionError: Max retries exceeded with url": ("reach", "HF_ENDPOINT"),
    "TimeoutError: Timed out waiting for engine core processes to start.": (
        "longer than vLLM waits", "VLLM_ENGINE_READY_TIMEOUT_S"),
    "Worker proc VllmWorker-1 died unexpectedly (exit code: -9), shutting down executor.": (
        "killed", "main memory"),
    "Worker proc VllmWorker-1 died unexpectedly (exit code: -7), shutting down executor.": (
        "bus error", "/dev/shm"),
    "Worker proc VllmWorker-1 died unexpectedly (exit code: -11), shutting down executor.": (
        "segmentation fault", "--enforce-eager"),
    "AsyncLLM output_handler failed: EngineDeadError: EngineCore encountered an issue.": (
        "without a word", "dmesg"),
    "  Value error, The block size must be even. [type=value_error, input_value=ArgsKwargs()]": (
        "The block size must be even.", "--vllm-args"),
}  # fmt: skip


@pytest.mark.parametrize("text", FAILURES, ids=lambda text: text[:50])
def test_a_known_failure_is_named_with_what_helps(text: str) -> None:
    cause, fix = FAILURES[text]
    line = f"(EngineCore pid=77) ERROR 11-22 10:00:07 [core.py:1201] {text}"
    found = diagnose(f"{GOOD}\n{line}\n  File x.py, line 3\n{WRAPPER}\n", exit_code=1)
    assert found.cause is not None and cause in found.cause
    assert found.fix is not None and fix in found.fix
    assert text[-80:].strip() in found.lines[-1]
    assert "{" not in found.fix + found.cause


@pytest.mark.parametrize(
    "known", [*ROOTS, *CONSEQUENCES, SILENT], ids=lambda known: known.cause[:40]
)
def test_no_row_of_the_table_is_dead(known: object) -> None:
    def first(text: str) -> object:
        rows = (row for row in (*ROOTS, *CONSEQUENCES, SILENT) if re.search(row.pattern, text))
        return next(rows, None)

    assert any(first(text) is known for text in FAILURES)


# Logs of real starts of the CPU engine (0.32.0), made by script/record-failures.
RECORDED_FAILURES = {
    "port": ("the port is in use", "leave --port out"),
    "tool-parser": ("no tool parser hermez", "--tool-call-parser hermes"),
    "no-tool-parser": ("without a tool parser", "--tool-call-parser"),
    "reasoning-parser": ("no reasoning parser qwen4", "--reasoning-parser qwen3"),
    "flag": ("knows no argument --no-such-flag 3", "--help=all"),
    "value": ("--max-num-seqs: invalid int value: 'many'", "--help=max-num-seqs"),
    "context": ("100000 is longer than the model's 8192", "--context=8192"),
    "kv-cache": ("needs 2.15 GiB of KV cache, 1.0 GiB are left", "--context=45312"),
    "quantization": ("no quantization nothing-4", "leave --quantization out"),
    "architecture": ("can not serve NewForCausalLM", "--engine"),
    "model-type": ("does not know the model type new9", "--engine"),
    "custom-code": ("code of its own", "--trust-remote-code"),
    "layers": ("weights hold layers.20", "--engine"),
    "cut-header": ("damaged or incomplete", "inv pods.clean --model=broken/SmolLM2"),
    "cut-weights": ("damaged or incomplete", "inv pods.clean --model=broken/SmolLM2"),
    "no-weights": ("no weights that vLLM reads", "safetensors"),
    "no-config": ("has no config.json", "check the id"),
    "no-tokenizer": ("tokenizer can not be loaded", "--tokenizer"),
    "gated": ("is gated", "HF_TOKEN"),
    "missing": ("the hub has no such model", "check the id"),
    "no-hub": ("does not reach the hub", "HF_ENDPOINT"),
    "disk": ("the disk is full", "--models-path"),
    "killed-engine": ("ended without a word", "dmesg"),
    "killed-worker": ("was killed", "dmesg"),
}


@pytest.mark.parametrize("name", RECORDED_FAILURES)
def test_a_real_failure_is_named_with_what_helps(name: str) -> None:
    cause, fix = RECORDED_FAILURES[name]
    for log in (recorded(f"logs/{name}.log"), sent_by_pod(RECORDED / f"logs/{name}.log")):
        found = diagnose(log, 1)
        assert cause in (found.cause or "") and fix in (found.fix or ""), found


def test_every_recorded_log_is_looked_at() -> None:
    kept = {path.stem for path in (RECORDED / "logs").glob("*.log")}
    assert kept == {*RECORDED_FAILURES, "ready"}


def sent_by_pod(log: Path) -> str:
    """What the list gets of a log: the pod leaves out what tells nothing."""
    script = f"{shell_text('status.sh')}\ntelling '{log}'\n"
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True).stdout


def test_the_first_failure_is_the_cause_and_what_follows_from_it_is_not() -> None:
    found = diagnose(
        "Worker proc VllmWorker-0 died unexpectedly (exit code: 1), shutting down executor.\n"
        "torch.OutOfMemoryError: CUDA out of memory.\n"
        "OSError: [Errno 98] Address already in use\n",
        1,
    )
    assert found.lines == ["torch.OutOfMemoryError: CUDA out of memory."]


def test_what_vllm_tells_at_its_ease_is_no_failure() -> None:
    found = diagnose(
        "(APIServer pid=7) INFO 11-22 10:00:00 [x.py:1] retrying: No space left on device\n"
        "(APIServer pid=7) WARNING 11-22 10:00:00 [x.py:1] CUDA out of memory, trying less\n",
        1,
    )
    assert found.cause is None


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("{'model_tag': 'x', 'gpu_memory_utilization': 0.4}", "--memory=92%"),
        ("{'model_tag': 'x', 'tensor_parallel_size': 4}", "--gpus=8"),
        ("{'model_tag': 'x'}", "--gpus=2"),
    ],
)
def test_more_memory_is_a_larger_share_or_twice_the_gpus(given: str, advice: str) -> None:
    log = f"INFO 11-22 10:00:00 [utils.py:2] non-default args: {given}\n"
    found = diagnose(log + "torch.OutOfMemoryError: CUDA out of memory.\n", 1)
    assert found.fix is not None and advice in found.fix


def test_a_line_behind_a_progress_bar_is_seen_alone() -> None:
    found = diagnose(
        "Loading:  10%\rLoading:  20%\rOSError: [Errno 98] Address already in use\n", 1
    )
    assert found.lines == ["OSError: [Errno 98] Address already in use"]


def test_a_good_log_has_no_cause() -> None:
    assert diagnose(GOOD, 1).cause is None


@pytest.mark.parametrize("code", [0, 1, 2])
@pytest.mark.parametrize(
    ("log", "last"),
    [("", []), ("\n\n", []), ("a\n", ["a"]), ("a\nb\n\nc\nd\ne\nf\n", ["b", "c", "d", "e", "f"])],
)
def test_what_is_not_known_is_not_guessed_and_the_last_lines_are_shown(
    log: str, last: list[str], code: int
) -> None:
    found = diagnose(log, code)
    assert (found.cause, found.fix) == (None, None)
    assert found.lines == last


def test_of_an_unknown_failure_what_was_raised_is_shown_before_the_logs_end() -> None:
    raised = "(EngineCore pid=7) ERROR 11-22 10:00:00 [core.py:9] WeirdError: never seen"
    end = [f"line {n}" for n in range(9)]
    found = diagnose("\n".join(["begin", raised, WRAPPER, *end]))
    assert found.lines == [raised, *end[-5:]]


@pytest.mark.parametrize(("code", "gone", "words"), [
    (137, False, "KILL"), (143, False, "TERM"), (None, True, "gone"),
])  # fmt: skip
def test_an_end_by_a_signal_or_without_a_trace_is_a_cause(
    code: int | None, gone: bool, words: str
) -> None:
    found = diagnose("INFO something\n", code, gone)
    assert found.cause is not None and words in found.cause
    assert found.fix


def test_a_cause_in_the_log_says_more_than_the_signal() -> None:
    found = diagnose("OSError: [Errno 28] No space left on device\n", 137)
    assert found.cause == "the disk is full"


def test_what_was_overcome_is_no_cause() -> None:
    stumbled = "Error: Server error '503 Service Unavailable' for url 'https://x'\n"
    again = "[podfab] the hub stumbled; it is asked again in 5 s\n"
    assert "503" in str(diagnose(stumbled + again + stumbled, 1).cause)
    assert diagnose(stumbled + again + "an odd end\n", 1).cause is None


def test_a_line_of_any_length_is_told_short() -> None:
    found = diagnose("x" * 100_000 + " Address already in use", 1)
    assert len(found.lines[0]) <= 300


def test_the_list_sees_the_same_causes_through_what_the_pod_sends(tmp_path: Path) -> None:
    log = tmp_path / "log"
    frames = '(Worker_TP0 pid=9) ERROR 11-22 10:00:07 [x.py:1]   File "/a/b.py", line 3, in f\n'
    source = "(Worker_TP0 pid=9) ERROR 11-22 10:00:07 [x.py:1]     return f(x)\n"
    bars = "".join(f"Loading:  {n}%|###   | 3/9\r" for n in range(100))
    for text, (cause, _) in FAILURES.items():
        line = f"(Worker_TP0 pid=9) ERROR 11-22 10:00:07 [core.py:1201] {text}\n"
        log.write_text(GOOD + bars + line + (frames + source) * 1000 + WRAPPER + "\n")
        sent = sent_by_pod(log)
        assert len(sent) < 2000 and cause in (diagnose(sent, 1).cause or ""), text
