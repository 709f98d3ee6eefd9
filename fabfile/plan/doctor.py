"""What a pod needs to serve well, each need with a verdict and a fix."""

from __future__ import annotations

from collections.abc import Mapping

from ..records.entries import Engine
from . import examination, space
from .examination import Check, Examination
from .facts import Facts, version
from .hardware import counted, supported_cuda
from .packages import missing_packages

SHOWN = (
    "user", "hostname", "os", "arch", "glibc", "rights", "driver", "gpus", "left_out", "root",
    "root_free_mib", "models_path", "models_free_mib", "memory_mib", "shm_mib", "volumes",
    "engines", "links",
)  # fmt: skip
CLOCK_SECONDS = 60  # certificates and tokens are refused when clocks differ by more than that
ROOT_MIB = 5 * 1024
MODELS_MIB = 20 * 1024
MEMORY_MIB = 8 * 1024


def examine(
    facts: Facts,
    found: Examination,
    engine: str,
    engines: Mapping[str, Engine],
    ahead: float,
    key_digest: str,
    setup: str,
) -> list[Check]:
    """Judge a pod; `engine` is the one of its record, `ahead` how many seconds its clock is.

    `setup` is the command that sets this pod up.
    """
    checks = [
        _system(facts),
        _driver(facts, engines),
        *_gpus(facts),
        _engine(facts, engine, setup),
        _packages(facts, setup),
        _mount(facts, setup),
        _room("disk", facts.root, facts.root_free_mib, ROOT_MIB, facts),
        _room("models", facts.models_path, facts.models_free_mib, MODELS_MIB, facts),
        _memory(facts),
        _shm(facts),
        _clock(ahead),
        *examination.network(found.network, setup),
        examination.processes(facts, found.gpu_processes),
        examination.keys(found.keys, key_digest),
        _setup(facts, setup),
    ]
    return [check for check in checks if check]


def _system(facts: Facts) -> Check:
    detail = f"{facts.os}, {facts.arch}, {facts.who} on {facts.hostname}"
    if facts.glibc is None:
        return Check("system", False, detail + ", no glibc", "take an Ubuntu or Debian image")
    return Check("system", True, detail)


def _driver(facts: Facts, engines: Mapping[str, Engine]) -> Check | None:
    if not facts.driver:
        return None
    cuda = supported_cuda(facts.driver)
    detail = f"{facts.driver}, CUDA {cuda[0]}.{cuda[1]}" if cuda else facts.driver
    newest, oldest = engines["release"].min_driver or 0, engines["cuda12"].min_driver or 0
    has = version(facts.driver)[:1]
    ask = f"ask the provider for a pod with driver {newest} or newer"
    if has < (oldest,):
        return Check("driver", False, f"{detail}: too old for any vLLM", ask)
    if has < (newest,):
        last = engines["cuda12"].version
        return Check("driver", True, f"{detail}: vLLM {last} at most; {ask} for the current one")
    return Check("driver", True, detail)


def _gpus(facts: Facts) -> list[Check]:
    if facts.gpu_problem:
        fix = "restart the pod, or ask the provider for one with a working driver"
        return [Check("gpus", False, facts.gpu_problem, fix)]
    count = counted(gpu.name for gpu in facts.gpus) or "none"
    left_out = [Check("gpus", False, *said.rpartition("; ")[::2]) for said in facts.left_out]
    return [Check("gpus", True if facts.gpus else None, count), *left_out]


def _engine(facts: Facts, name: str, setup: str) -> Check:
    folder = facts.links.get(name, name)
    if folder in facts.engines:
        return Check("engine", True, f"{folder}, vLLM {facts.engines[folder]}")
    there = ", ".join(facts.engines) or "none is installed"
    return Check("engine", False, f"{name or 'none'} is not installed ({there})", setup)


def _packages(facts: Facts, setup: str) -> Check:
    missing = missing_packages(facts, None)
    if not missing:
        return Check("packages", True, "a C compiler and certificates are there")
    words = " ".join(missing)
    fix = f"apt-get install {words}" if facts.rights == "none" else setup
    return Check("packages", False, f"missing: {words}", fix)


def _mount(facts: Facts, setup: str) -> Check | None:
    if facts.mounted is None:
        return None
    if facts.mounted:
        return Check("mount", True, "it is there")
    return Check("mount", False, "what setup mounted for the weights is not there", setup)


def _room(check: str, path: str, free: int | None, least: int, facts: Facts) -> Check:
    detail = f"{path}: {space.gib(free)} free"
    if free is None or free >= least:
        return Check(check, None if free is None else True, detail)
    better = space.advice(facts)
    return Check(check, False, detail, "inv pods.clean" + (f"; {better}" if better else ""))


def _memory(facts: Facts) -> Check:
    mib = facts.memory_mib
    if mib is None or mib >= MEMORY_MIB:
        return Check("memory", None if mib is None else True, f"{space.gib(mib)} of RAM")
    return Check("memory", False, f"{space.gib(mib)} of RAM", "vLLM wants 8 GiB; rent more")


def _shm(facts: Facts) -> Check:
    warning = space.shm_warning(facts)
    if warning:
        detail, _, fix = warning.rpartition("; ")
        return Check("shm", False, detail, fix)
    return Check("shm", True, f"/dev/shm has {facts.shm_mib} MiB")


def _clock(ahead: float) -> Check:
    if abs(ahead) <= CLOCK_SECONDS:
        return Check("clock", True, f"within {CLOCK_SECONDS} s of this machine's")
    side = "ahead of" if ahead > 0 else "behind"
    detail = f"{abs(ahead):.0f} s {side} this machine's"
    return Check("clock", False, detail, "set it: sudo timedatectl set-ntp true; or restart it")


def _setup(facts: Facts, setup: str) -> Check | None:
    for job in facts.jobs:
        if job.name == "_setup" and job.alive:
            return Check("setup", None, "a setup is running")
        if job.name == "_setup" and job.exit != 0:
            return Check("setup", False, f"the last one ended with {job.exit}", setup)
    return None
