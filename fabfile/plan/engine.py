"""Which engine a pod gets: the driver decides the wheel."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import PodfabError
from ..records.entries import Engine
from .facts import Facts, version

FIRST_CUDA_13 = (0, 20)  # vllm-project/vllm PR 39878: its PyPI wheel links libcudart.so.13


@dataclass(frozen=True)
class Choice:
    """An engine, and why it is this one."""

    name: str
    recipe: Engine
    reason: str

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.recipe.version}"


def choose(wish: str, facts: Facts, engines: dict[str, Engine]) -> Choice:
    """Return the engine for a pod; `auto` lets its hardware decide.

    Raises PodfabError when none can serve there. Driver floors: NVIDIA's table of CUDA
    compatibility (13.x needs driver 580, 12.x needs 525).
    """
    if match := re.fullmatch(r"vllm==([0-9][0-9A-Za-z.+_-]*)", wish):
        line = "release" if version(match[1]) >= FIRST_CUDA_13 else "cuda12"
        recipe = engines[line].model_copy(update={"version": match[1]})
        return _wished(Choice("vllm", recipe, f"--engine asks for vLLM {match[1]}"), facts)
    if wish != "auto":
        if wish not in engines:
            names = ", ".join([*engines, "auto", "vllm==VERSION"])
            raise PodfabError(f"no engine is called {wish!r}; there are: {names}")
        return _wished(Choice(wish, engines[wish], f"--engine asks for {wish}"), facts)
    if not facts.gpus:
        if facts.gpu_problem:
            raise PodfabError(
                f"the GPU driver does not answer ({facts.gpu_problem}); restart the pod, or ask "
                "the provider for one with a working driver; --engine=cpu serves without"
            )
        return Choice("cpu", engines["cpu"], "no NVIDIA GPU is here")
    problems = []
    for name in ("release", "cuda12"):
        if name in engines:
            problem = unfit(engines[name], facts)
            if not problem:
                return Choice(name, engines[name], f"driver {facts.driver} can run it")
            problems.append(problem)
    newest = engines["release"].min_driver or 0
    old = version(facts.driver or "")[:1] < (newest,)
    wanted = f"a pod with driver {newest} or newer" if old else "another pod"
    raise PodfabError(f"no engine can run here: {problems[-1]}; ask for {wanted}")


def _wished(choice: Choice, facts: Facts) -> Choice:
    if problem := unfit(choice.recipe, facts):
        raise PodfabError(f"engine {choice.folder} can not run here: {problem}")
    return choice


def unfit(recipe: Engine, facts: Facts) -> str | None:
    """Say why an engine can not run on a pod, or None."""
    driver = version(facts.driver or "")
    if recipe.min_driver:
        if not facts.gpus:
            return "it needs an NVIDIA GPU, and none is here"
        if driver[:1] < (recipe.min_driver,):
            return f"it needs driver {recipe.min_driver}, this pod has {facts.driver}"
    weakest = min((gpu.capability for gpu in facts.gpus if gpu.capability), default=None)
    needed = recipe.min_compute_capability
    if needed and weakest and weakest < needed:
        return f"it needs compute capability {needed}, a GPU here has {weakest}"
    if recipe.min_glibc and facts.glibc and facts.glibc < version(recipe.min_glibc):
        has = ".".join(map(str, facts.glibc))
        return f"it needs glibc {recipe.min_glibc}, this system has {has}"
    return None
