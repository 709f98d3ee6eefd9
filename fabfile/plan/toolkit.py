"""Whether a pod needs the CUDA compiler, and which one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import UsageError
from .engine import Choice
from .environment import digest
from .facts import Facts, version
from .hardware import supported_cuda

# vLLM's own image has these, for what FlashInfer and DeepGEMM compile while they run.
PACKAGES = (
    "cuda-nvcc", "cuda-cudart-dev", "cuda-nvrtc-dev", "cuda-cuobjdump",
    "libcurand-dev", "libcublas-dev",
)  # fmt: skip
REPOSITORY = "https://developer.download.nvidia.com/compute/cuda/repos"
SWITCH = "VLLM_USE_DEEP_GEMM"


@dataclass(frozen=True)
class Toolkit:
    """A decision: `state` as in a step, and what the pod's environment gets.

    To be installed are `version` from `repository`; `optional` means that vLLM can do without.
    """

    state: str
    reason: str
    version: str = ""
    repository: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    optional: bool = False

    @property
    def packages(self) -> list[str]:
        return [f"{name}-{self.version.replace('.', '-')}" for name in PACKAGES]


def checked(wish: str) -> str:
    """Return the wish for a toolkit: auto, none, or a version. Raises UsageError for another."""
    if wish not in ("auto", "none") and not re.fullmatch(r"\d+\.\d+", wish):
        raise UsageError(f"--toolkit={wish} is neither auto, none nor a version like 12.9")
    return wish


def decide_toolkit(wish: str, facts: Facts, engine: Choice) -> Toolkit:
    """Decide about the CUDA toolkit; `wish` is auto, none, or a version like 12.9."""
    if wish not in ("auto", "none"):
        return _asked_for(wish, facts, engine)
    generations = {int(gpu.capability) for gpu in facts.gpus if gpu.capability}
    compiling = generations & set(engine.recipe.nvcc_for)
    if not compiling:
        return Toolkit("skip", _not_needed(facts, engine))
    off = ((SWITCH, "0"),)
    least = engine.recipe.min_nvcc or "0"
    without = "vLLM compiles no FP8 kernels of its own (DeepGEMM is switched off)"
    if wish == "none":
        return Toolkit("skip", f"--toolkit=none: {without}", environment=off)
    for nvcc in sorted(facts.nvccs, key=lambda found: version(found.version), reverse=True):
        if version(nvcc.version) >= version(least):
            home = nvcc.path.removesuffix("/bin/nvcc")
            return Toolkit("ok", f"nvcc {nvcc.version} in {home}", environment=_using(home))
    wanted = _for_driver(facts, engine.recipe.cuda or least)
    if version(wanted) < version(least):
        reason = f"driver {facts.driver} supports CUDA {wanted}, and {least} is needed: {without}"
        return Toolkit("skip", reason, environment=off)
    if problem := _uninstallable(facts):
        return Toolkit("skip", f"{problem}: {without}", environment=off)
    if digest(f"{SWITCH}=0") in facts.environment:
        reason = f"it could not be installed or was not wanted; --toolkit={wanted} tries again"
        return Toolkit("skip", f"{reason}: {without}", environment=off)
    reason = (
        f"install nvcc {wanted} from NVIDIA's apt repository: on these GPUs vLLM compiles FP8 "
        "kernels (DeepGEMM) that download-kernels does not bring"
    )
    using = _using(f"/usr/local/cuda-{wanted}")
    return Toolkit("todo", reason, wanted, repository(facts), using, optional=True)


def _asked_for(wish: str, facts: Facts, engine: Choice) -> Toolkit:
    if not facts.gpus:
        return Toolkit("skip", "no GPU is here to compile for")
    compiles = version(wish) >= version(engine.recipe.min_nvcc or "0")
    switch = "1" if compiles else "0"
    home = f"/usr/local/cuda-{wish}"
    for nvcc in facts.nvccs:
        if nvcc.version == wish:
            there = nvcc.path.removesuffix("/bin/nvcc")
            return Toolkit("ok", f"nvcc {wish} in {there}", environment=_using(there, switch))
    newest = supported_cuda(facts.driver)
    if facts.driver and (not newest or version(wish)[0] > newest[0]):
        has = f"CUDA {newest[0]}.{newest[1]}" if newest else "no CUDA 12"
        return Toolkit("impossible", f"driver {facts.driver} supports {has}, not {wish}")
    if problem := _uninstallable(facts):
        return Toolkit("impossible", f"{problem}; install CUDA {wish} on the pod")
    reason = f"install nvcc {wish} from NVIDIA's apt repository: --toolkit asks for it"
    return Toolkit("todo", reason, wish, repository(facts), _using(home, switch))


def _for_driver(facts: Facts, built_for: str) -> str:
    """Return the CUDA version that suits the wheel, lowered to what the driver supports."""
    newest = supported_cuda(facts.driver)
    if newest and newest < version(built_for):
        return f"{newest[0]}.{newest[1]}"
    return built_for


def _not_needed(facts: Facts, engine: Choice) -> str:
    if not engine.recipe.min_driver:
        return f"engine {engine.name} runs no CUDA"
    newest = supported_cuda(facts.driver)
    could = f"; CUDA {newest[0]}.{newest[1]} is what the driver supports" if newest else ""
    return f"on these GPUs vLLM's wheel brings all kernels, nothing needs nvcc{could}"


def _uninstallable(facts: Facts) -> str | None:
    if facts.rights == "none":
        return "no root here to install nvcc"
    if "apt-get" not in facts.tools or not repository(facts):
        return f"NVIDIA's apt repository is not for {facts.os}"
    return None


def repository(facts: Facts) -> str:
    """Return the part of NVIDIA's repository that is for a pod, like `ubuntu2204/x86_64`."""
    found = re.fullmatch(r"(ubuntu|debian)([\d.]+)", facts.distribution)
    machine = {"x86_64": "x86_64", "aarch64": "sbsa"}.get(facts.arch)
    return f"{found[1]}{found[2].replace('.', '')}/{machine}" if found and machine else ""


def _using(home: str, switch: str = "1") -> tuple[tuple[str, str], ...]:
    return (("CUDA_HOME", home), (SWITCH, switch))
