"""Known failures of a model's start or service, as data: the mark in the log, the cause, the fix.

The texts are those of vllm 0.33.0 (config/, v1/engine/, v1/worker/, tool_parsers/, reasoning/),
huggingface_hub 2.4.0 (cli/_errors.py), transformers 5 (utils/hub.py, dynamic_module_utils.py),
safetensors, torch 2.14, CUDA and NCCL.
"""

from __future__ import annotations

from typing import NamedTuple


class Cause(NamedTuple):
    """A failure: an expression for one line of log, what it means, and what helps.

    Both texts may name groups of the expression (`asked2` stands for `asked` where it has
    alternatives), and what diagnosis.py works out from them and from the log.
    """

    pattern: str
    cause: str
    fix: str


_NEWER = "a newer vLLM may: start it with --engine=release or --engine=nightly (it is added)"
_TOKEN = "export HF_TOKEN, and start it again"
_AGAIN = (
    "free its folder with inv pods.clean --model={model} and start it again: it is downloaded anew"
)

# The first line of the log that any of these knows is the root cause.
ROOTS = (
    # --- words on the command line
    Cause(
        r"Address already in use|error while attempting to bind on address|\[Errno 98\]",
        "the port is in use on the pod",
        "leave --port out, and the next free port is taken",
    ),
    Cause(
        r"invalid tool call parser: (?P<asked>\S+) \(chose from \{(?P<names>.*?)\}?\)",
        "vLLM knows no tool parser {asked}",
        "correct tool_parser in models.yaml, or start it with --vllm-args='--tool-call-parser "
        "{nearest}'",
    ),
    Cause(
        r"--enable-auto-tool-choice requires --tool-call-parser",
        "tool choice is switched on without a tool parser",
        "name one: --vllm-args='--tool-call-parser hermes', or the one that the model card says",
    ),
    Cause(
        r"Reasoning parser '(?P<asked>\S+?)' not found\. Available parsers: (?P<names>[^\"]*)"
        r"|invalid reasoning parser: (?P<asked2>\S+) \(chose from \{(?P<names2>.*?)\}",
        "vLLM knows no reasoning parser {asked}",
        "correct reasoning_parser in models.yaml, or start it with "
        "--vllm-args='--reasoning-parser {nearest}'",
    ),
    Cause(
        r"error: unrecognized arguments: (?P<words>.+)",
        "vLLM knows no argument {words}",
        "correct --vllm-args; bin/vllm serve --help=all in the engine's folder lists what it knows",
    ),
    Cause(
        r"error: argument (?P<flag>\S+): (?P<why>.+)",
        "vLLM refuses {flag}: {why}",
        "correct --vllm-args; bin/vllm serve --help={plain} in the engine's folder explains it",
    ),
    # --- context and the KV cache
    Cause(
        r"max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len "
        r"\(\S*?=(?P<limit>\d+)",
        "the context {asked} is longer than the model's {limit}",
        "start it with --context={limit}",
    ),
    Cause(
        r"model's max seq len \((?P<asked>\d+)\), \((?P<needed>[\d.]+) GiB KV cache is needed, "
        r"which is larger than "
        r"the available KV cache memory \((?P<left>[\d.]+) GiB\)(?:.*estimated maximum model "
        r"length is "
        r"(?P<length>\d+))?",
        "a context of {asked} tokens needs {needed} GiB of KV cache, {left} GiB are left for it",
        "{context}",
    ),
    Cause(
        r"No available memory for the cache blocks",
        "the weights leave no memory for the KV cache",
        "{more_memory}",
    ),
    Cause(
        r"more than the (?P<left>[\d.]+) GiB of CPU memory reserved",
        "the weights leave no main memory for the KV cache",
        "a smaller model, or a pod with more main memory",
    ),
    Cause(
        r"Available memory on node \d+ \((?P<left>[\d.]+)/[\d.]+ GiB\) on kv cache allocation is "
        r"less than requested "
        r"memory for kv \((?P<asked>[\d.]+) GiB\)",
        "{asked} GiB of main memory are asked for as KV cache, {left} GiB are free",
        "set VLLM_CPU_KVCACHE_SPACE to less in the model's env in models.yaml, or stop what else "
        "runs there",
    ),
    Cause(
        r"max_num_seqs \(\d+\) exceeds available Mamba cache blocks \((?P<left>\d+)\)",
        "the memory holds the state of {left} sequences only",
        "start it with --vllm-args='--max-num-seqs {left}'",
    ),
    Cause(
        r"max_tokens_per_mm_item \((?P<asked>\d+)\) is larger than max_num_batched_tokens",
        "one image or video needs a batch of {asked} tokens",
        "start it with --vllm-args='--max-num-batched-tokens {asked}'",
    ),
    Cause(
        r"max_num_batched_tokens \((?P<limit>\d+)\) is smaller than max_model_len "
        r"\((?P<asked>\d+)\)",
        "the batch of {limit} tokens is smaller than the context of {asked}",
        "start it with --vllm-args='--max-num-batched-tokens {asked}', or with --context={limit}",
    ),
    # --- the GPU's memory
    Cause(
        r"Free memory on device \S+ \((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is "
        r"less than "
        r"[^(]*\((?P<asked>[\d.]+)",
        "only {free} of the GPU's {total} GiB are free, something else uses it",
        "stop that (inv models, inv pods.doctor), or share the GPU: --memory={share}%",
    ),
    Cause(
        r"Error in memory profiling",
        "something else gave back or took GPU memory while vLLM measured it",
        "start it again when nothing else starts or stops on this GPU",
    ),
    Cause(
        r"out of memory occurred when warming up sampler with (?P<asked>\d+) dummy requests",
        "the GPU's memory does not hold {asked} requests at once",
        "start it with --vllm-args='--max-num-seqs {half}'",
    ),
    Cause(
        r"OutOfMemoryError: |CUDA out of memory|not enough GPU memory|CUDA error: out of memory",
        "the model does not fit into the GPU's memory",
        "{more_memory}",
    ),
    # --- the model and its engine
    Cause(
        r"Model architecture (?P<asked>\S+) is not supported in-tree",
        "this vLLM has no {asked} any more",
        "start it with an older engine, or install the plugin that the log names into the pod's "
        "engine",
    ),
    Cause(
        r"[Mm]odel architectures? \[?'?(?P<asked>[\w.]+)'?\]? (?:are|is) not supported|has no "
        r"vLLM implementation",
        "this vLLM can not serve {asked}",
        _NEWER,
    ),
    Cause(
        r"model type `(?P<asked>\S+?)` but Transformers does not recognize",
        "this engine does not know the model type {asked}",
        _NEWER,
    ),
    Cause(
        r"requires you to execute the (?:configuration|tokenizer) "
        r"file|trust_remote_code=True|contains custom code "
        r"which must be executed",
        "the model brings code of its own, which would run on the pod",
        "when you trust its owner: --vllm-args=--trust-remote-code",
    ),
    Cause(
        r"attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size "
        r"\((?P<gpus>\d+)\)",
        "{gpus} GPUs do not divide the model's {heads} attention heads",
        "start it with --gpus={divisor}",
    ),
    Cause(
        r"is not divisible by weight quantization block_[nk] = (?P<block>\d+)",
        "so many GPUs cut the FP8 weights inside their blocks of {block}",
        "fewer --gpus, or --vllm-args=--enable-expert-parallel for a mixture of experts",
    ),
    Cause(
        r"(?:heads|size|num_heads|hidden_size)\S* .*(?:is not|must be) divisible by (?:tensor "
        r"parallel size|tp_size|TP)",
        "so many GPUs do not divide the model",
        "start it with half the --gpus",
    ),
    Cause(
        r"World size \((?P<asked>\d+)\) is larger than the number of available GPUs "
        r"\((?P<limit>\d+)\)",
        "{asked} GPUs are asked for, {limit} are visible",
        "start it with --gpus={limit}",
    ),
    Cause(
        r"quantization method (?P<asked>\S+) is not supported for the current GPU\. Minimum "
        r"capability: (?P<needed>\d+)",
        "this GPU can not run {asked} weights: they need compute capability {capability}",
        "take another variant of the model: inv models.catalog --fits",
    ),
    Cause(
        r"Quantization method specified in the model config \((?P<has>\S+)\) does not match",
        "the weights are {has} already",
        "leave --quantization out of --vllm-args",
    ),
    Cause(
        r"Unknown quantization method: (?P<asked>\S+?)\. Must be one of \[(?P<names>.*?)\]",
        "vLLM knows no quantization {asked}",
        "leave --quantization out, mostly the weights say it themselves; the nearest name is "
        "{nearest}",
    ),
    Cause(
        r"(?:fp8e4nv|float8_e4m3fn|type fp8e4nv) .*not supported",
        "this GPU has no FP8",
        "take a variant that is not FP8, or leave --kv-cache-dtype out: inv models.catalog --fits",
    ),
    Cause(
        r"Bfloat16 is only supported on GPUs with compute capability of at least 8",
        "this GPU has no bfloat16",
        "start it with --vllm-args='--dtype half'",
    ),
    Cause(
        r"No valid attention backend found|Selected backend \S+ is not valid for this "
        r"configuration",
        "no attention kernel of this vLLM serves the model on this GPU",
        "leave --attention-backend and --kv-cache-dtype out of --vllm-args, or take another "
        "--engine",
    ),
    Cause(
        r"Cannot find any model weights with",
        "the repository holds no weights that vLLM reads",
        "take the model's repository with safetensors, not the one with GGUF or adapter files only",
    ),
    Cause(
        r"Error while deserializing header|incomplete metadata, file not fully covered"
        r"|JSONDecodeError|Expecting (?:'.' delimiter|value|property name).*: line \d",
        "a file of the model is damaged or incomplete",
        _AGAIN,
    ),
    Cause(
        r"Invalid repository ID or local directory specified: '(?P<asked>\S+?)'",
        "{asked} has no config.json that vLLM reads",
        "check the id: it may be an adapter, a GGUF repository, or not a model at all",
    ),
    Cause(
        r"does not appear to have a file named (?P<file>\S+?)\.? ",
        "the repository has no {file}",
        "check the id: it may be an adapter, a GGUF repository, or not a model at all",
    ),
    Cause(
        r"There is no module or parameter named '?(?P<asked>[\w.]+)|KeyError: "
        r"'(?P<asked2>(?:model|layers|lm_head)\.\S+)'",
        "the weights hold {asked}, which this vLLM does not expect",
        _NEWER,
    ),
    Cause(
        r"Couldn't instantiate the backend tokenizer|Can't load tokenizer for|Unable to load "
        r"vocabulary",
        "the model's tokenizer can not be loaded",
        "its repository is incomplete, or name another: --vllm-args='--tokenizer ID'",
    ),
    Cause(
        r"ModuleNotFoundError: No module named '(?P<asked>[\w.]+)'|Please install "
        r"(?P<asked2>vllm\[\w+\])",
        "the engine lacks {asked}, which this model needs",
        "install it there: inv pods.shell, then "
        "PATH=~/.pi/bin:~/.pi/uv/bin:$PATH uv pip install --python ~/.pi/engines/ENGINE '{asked}'",
    ),
    # --- the hub
    Cause(
        r"Access denied\. \S+ '(?P<asked>\S+?)' requires approval|trying to access a gated "
        r"repo|Access to model \S+ is "
        r"restricted|GatedRepoError",
        "the model is gated",
        f"ask for access on its page, {_TOKEN}",
    ),
    Cause(
        r"Invalid user token|Invalid username or password|token .* (?:is invalid|has expired)",
        "the hub does not accept the token in HF_TOKEN",
        f"make a new one on its page of access tokens, {_TOKEN}",
    ),
    Cause(
        r"Error: Model '(?P<asked>\S+?)' not found|is not a valid model "
        r"identifier|RepositoryNotFoundError",
        "the hub has no such model, or hides it",
        "check the id; a private one needs HF_TOKEN",
    ),
    Cause(
        r"Revision not found in model",
        "the hub has no such revision of the model",
        "correct --revision in --vllm-args, or leave it out",
    ),
    Cause(
        r"Error: .*Server error '(?P<asked>5\d\d[^']*)'",
        "the hub is in trouble itself: {asked}",
        "start it again in some minutes, what came is kept; or name a mirror in HF_ENDPOINT",
    ),
    Cause(
        r"Error: .*(?:Client error '(?P<asked>40[13][^']*)'|(?P<asked2>403 Forbidden))",
        "the hub refuses a file of the model: {asked}",
        f"see on its page whether you have access, {_TOKEN} (it must allow gated repositories)",
    ),
    Cause(
        r"Error: .*Client error '(?P<asked>404[^']*)'",
        "the hub does not give what it lists: {asked}",
        "check HF_ENDPOINT where it names a mirror, else start it again in some minutes",
    ),
    Cause(
        r"429 Client Error|Too Many Requests",
        "the hub refuses more requests from this address for now",
        f"wait some minutes; with a token it allows more: {_TOKEN}",
    ),
    Cause(
        r"/dev/shm\S* .*(?:No space left|Failed|failed)|(?:No space left|creat\w+ shared memory "
        r"segment) .*/dev/shm",
        "shared memory (/dev/shm) is full or too small for several GPUs",
        "give the container more, 10 GB (--shm-size=10g or --ipc=host), or start it with --gpus=1",
    ),
    Cause(
        r"No space left on device|os error 28|Disk quota exceeded",
        "the disk is full",
        "free some: inv pods.clean; or set the pod up with --models-path on a bigger disk",
    ),
    Cause(
        r"couldn't connect to '(?P<asked>\S+?)'|Local entry not found|Cannot find an appropriate "
        r"cached snapshot|"
        r"Temporary failure in name resolution",
        "the pod does not reach the hub, and the model is not on its disk",
        "check its network, or name a mirror in HF_ENDPOINT and run setup",
    ),
    # --- the pod
    Cause(
        r"driver on your system is too old|driver version is insufficient|libcudart\.so\.1[3-9]|"
        r"unsupported display driver / cuda driver combination|UnsupportedPtxVersion|PTX was "
        r"compiled with an unsupported "
        r"toolchain",
        "the driver is too old for this engine",
        "start it with --engine=cuda12 (it is added), or take a pod with driver 580 or newer",
    ),
    Cause(
        r"forward compatibility was attempted on non supported HW",
        "the container brings CUDA compatibility libraries that this GPU does not take",
        "take them off its library path (inv pods.run 'ldconfig -p | grep libcuda' shows them), or "
        "take another image",
    ),
    Cause(
        r"system not yet initialized|CUDA_ERROR_SYSTEM_NOT_READY",
        "the GPUs' NVLink fabric is not up (error 802)",
        "start nvidia-fabricmanager on the host (its version must be the driver's); on a rented "
        "pod: take another",
    ),
    Cause(
        r"no kernel image is available for execution",
        "this engine has no code for this generation of GPU",
        "take another --engine, or a newer GPU (compute capability 7.5 or more)",
    ),
    Cause(
        r"Failed to infer device type|No CUDA GPUs are available|Found no NVIDIA "
        r"driver|libcuda\.so\.1: cannot open",
        "vLLM sees no GPU",
        "see what does: inv pods.doctor; without any, start it with --engine=cpu",
    ),
    Cause(
        r"invalid device ordinal",
        "a GPU that the model was given is not there any more",
        "see which are: inv pods.doctor, and start it again",
    ),
    Cause(
        r"ECC error|fallen off the bus|CUDA error: unspecified launch failure|GPU is lost",
        "the GPU failed (hardware)",
        "restart the pod or take another; inv pods.doctor shows its state",
    ),
    Cause(
        r"device\(s\) is/are busy or unavailable|all CUDA-capable devices are busy",
        "the GPU is held by another process, alone",
        "stop that one: inv pods.run nvidia-smi shows it and its compute mode",
    ),
    Cause(
        r"illegal memory access was encountered|CUDA error: misaligned address|device-side assert",
        "a kernel of the engine crashed on the GPU",
        "start it with --vllm-args=--enforce-eager, or with another --engine",
    ),
    Cause(
        r"Not enough allowed NUMA nodes to bind threads of (?P<asked>\d+)",
        "tensor parallelism over {asked} needs as many NUMA nodes on a CPU",
        "leave --tensor-parallel-size out of --vllm-args",
    ),
    Cause(
        r"ncclSystemError|NCCL error|ncclInternalError|ncclUnhandledCudaError|NCCL WARN Error",
        "the GPUs can not talk to each other (NCCL)",
        "mostly /dev/shm is too small (10 GB for several GPUs) or peer access is broken: try "
        "NCCL_P2P_DISABLE=1 in the model's env in models.yaml, or --gpus=1",
    ),
    Cause(
        r"Gloo connectFullMesh failed|unable to find address for|Name or service not known",
        "the pod can not resolve its own name",
        "set VLLM_HOST_IP: '127.0.0.1' in the model's env in models.yaml",
    ),
    Cause(
        r"Failed to find C compiler|gcc: (?:command )?not found|No such file or directory: 'gcc'",
        "no C compiler is on the pod",
        "run setup again: it installs one (root or passwordless sudo), else install "
        "build-essential there",
    ),
    Cause(
        r"fatal error: Python\.h",
        "the headers of Python are missing on the pod",
        "run setup again with an engine of its own Python, or install python3-dev there",
    ),
    Cause(
        r"Could not find nvcc|nvcc: (?:command )?not found|NVCC version must be at least",
        "a kernel is to be compiled, and the pod's CUDA compiler is missing or too old",
        "run setup again with --toolkit=auto: it installs one",
    ),
    Cause(
        r"Illegal instruction",
        "the processor lacks an instruction that the engine was built for",
        "the cpu engine wants AVX2 or AVX-512: take another pod",
    ),
    Cause(
        r"Cannot allocate memory|std::bad_alloc|DefaultCPUAllocator: can't allocate|oom-kill|Out "
        r"of memory: Killed",
        "the pod's main memory is full",
        "stop what else runs there, or take a pod with more main memory",
    ),
    Cause(
        r"can't start new thread|Resource temporarily unavailable",
        "the pod allows no more processes (pids limit)",
        "raise the container's limit (--pids-limit=-1, ulimit -u)",
    ),
    Cause(
        r"Too many open files",
        "the pod allows too few open files",
        "raise its limit (ulimit -n 65536)",
    ),
)

# These follow from something else, or are warnings: they count when nothing above is in the log.
CONSEQUENCES = (
    Cause(
        r"Not enough free disk space to download",
        "the disk is nearly full",
        "free some: inv pods.clean; or set the pod up with --models-path on a bigger disk",
    ),
    Cause(
        r"Max retries exceeded|Connection refused|Read timed out|Network is "
        r"unreachable|ConnectError",
        "the pod does not reach the hub",
        "check its network, or name a mirror in HF_ENDPOINT and run setup",
    ),
    Cause(
        r"Timed out waiting for engine core processes to start",
        "the engine took longer than vLLM waits for it",
        "weights from a slow disk need more: VLLM_ENGINE_READY_TIMEOUT_S: '3600' in the model's "
        "env in models.yaml",
    ),
    Cause(
        r"died unexpectedly \(exit code: -9\)|Engine core process \S+ died unexpectedly|exitcode: "
        r"-9|SIGKILL",
        "a process of the engine was killed",
        "mostly main memory was full (inv pods.run 'dmesg | tail' tells): a pod with more, or a "
        "smaller model",
    ),
    Cause(
        r"died unexpectedly \(exit code: -7\)|Bus error|SIGBUS",
        "a process of the engine died of a bus error",
        "mostly /dev/shm is full: give the container 10 GB (--shm-size=10g), or take --gpus=1",
    ),
    Cause(
        r"died unexpectedly \(exit code: -11\)|Segmentation fault|SIGSEGV",
        "a process of the engine crashed (segmentation fault)",
        "start it with --vllm-args=--enforce-eager, or with another --engine",
    ),
    Cause(
        r"Value error, (?P<why>[^\[]{1,200}[^\[ ])",
        "vLLM refuses its configuration: {why}",
        "correct --vllm-args or the model's args in models.yaml",
    ),
)

# What is left when a process of the engine ended and none of them has said why.
SILENT = Cause(
    r"EngineDeadError|Engine core initialization failed",
    "a process of the engine ended without a word",
    "mostly it was killed when main memory was full (inv pods.run 'dmesg | tail' tells): a pod "
    "with more, or a smaller model",
)
