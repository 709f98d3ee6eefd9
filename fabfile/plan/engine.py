"""Which engine a pod gets: the driver decides the wheel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from ..errors import PodfabError
from ..records.entries import Engine
from .facts import Facts, version

FIRST_CUDA_13 = (0, 20)  # vllm-project/vllm PR 39878: its PyPI wheel links libcudart.so.13
AUTOMATIC = ("release", "cuda12", "cpu")
# What pi calls an engine and vLLM has since taken in (vllm-project/recipes: openai/gpt-oss-120b).
OBSOLETE = {"gpt-oss": "its own build (0.10.1+gptoss) is obsolete, current releases serve gpt-oss"}


@dataclass(frozen=True)
class Choice:
    """An engine, why it is this one, and the folder that it is installed in."""

    name: str
    recipe: Engine
    reason: str
    folder: str


def wished(engine: str | None, vllm_version: str | None, has_gpus: bool = False) -> str:
    """Return what a pod's record says that was asked for: what `auto` never takes stays."""
    if engine == "cpu" and has_gpus:
        return "cpu"
    if engine == "vllm":
        return f"vllm=={vllm_version}" if vllm_version else "auto"
    return "auto" if not engine or engine in AUTOMATIC else engine


def choose(wish: str, facts: Facts, engines: Mapping[str, Engine], again: bool = False) -> Choice:
    """Return the engine for a pod; `auto` lets its hardware decide.

    `again` keeps the build that is installed of an engine whose newest one changes by the day.

    Raises PodfabError when none can serve there. Driver floors: NVIDIA's table of CUDA
    compatibility (13.x needs driver 580, 12.x needs 525).
    """
    if wish in facts.engines:
        return _installed(wish, facts, engines)
    if match := re.fullmatch(r"vllm==([0-9][0-9A-Za-z.+_-]*)", wish):
        line = "release" if version(match[1]) >= FIRST_CUDA_13 else "cuda12"
        recipe = engines[line].model_copy(update={"version": match[1]})
        reason = f"--engine asks for vLLM {match[1]}"
        return _able(Choice("vllm", recipe, reason, f"vllm-{match[1]}"), facts)
    if wish in OBSOLETE:
        choice = _automatic(facts, engines)
        return Choice(choice.name, choice.recipe, f"{wish}: {OBSOLETE[wish]}", choice.folder)
    if wish == "auto":
        return _automatic(facts, engines)
    if wish not in engines and again:  # a recipe that the user's models.yaml has no longer
        kept = facts.links.get(wish, "")
        there = kept in facts.engines
        return _installed(kept, facts, engines) if there else _automatic(facts, engines)
    if wish not in engines:
        names = ", ".join([*engines, "auto", "vllm==VERSION"])
        raise PodfabError(f"no engine is called {wish!r}; there are: {names}")
    recipe = engines[wish]
    folder = f"{wish}-{recipe.version}"
    if recipe.version == "latest":
        kept = facts.links.get(wish, "") if again else ""
        folder = kept if kept in facts.engines else f"{wish}-{_day(facts.now)}"
    reason = f"{wish} was asked for before" if again else f"--engine asks for {wish}"
    return _able(Choice(wish, recipe, reason, folder), facts)


def _installed(folder: str, facts: Facts, engines: Mapping[str, Engine]) -> Choice:
    """Return an engine that is there already: switching to it is instant, also backwards."""
    name, _, number = folder.rpartition("-")
    line = "release" if version(number) >= FIRST_CUDA_13 else "cuda12"
    recipe = engines.get(name, engines[line]).model_copy(update={"version": number})
    return _able(Choice(name, recipe, f"{folder} was asked for and is installed", folder), facts)


def _automatic(facts: Facts, engines: Mapping[str, Engine]) -> Choice:
    if not facts.gpus:
        if problem := _broken(facts):
            raise PodfabError(problem)
        return _able(_named("cpu", engines, "no NVIDIA GPU is here"), facts)
    problems: list[str] = []
    for name in ("release", "cuda12"):
        problem = unfit(engines[name], facts)
        if not problem:
            return _named(name, engines, _why(name, engines[name], facts, problems))
        problems.append(problem)
    newest = engines["release"].min_driver or 0
    old = version(facts.driver or "")[:1] < (newest,)
    wanted = f"a pod with driver {newest} or newer" if old else "another pod"
    raise PodfabError(f"no engine can run here: {problems[-1]}; ask the provider for {wanted}")


def _named(name: str, engines: Mapping[str, Engine], reason: str) -> Choice:
    return Choice(name, engines[name], reason, f"{name}-{engines[name].version}")


def _why(name: str, recipe: Engine, facts: Facts, problems: list[str]) -> str:
    weakest = min((gpu.capability for gpu in facts.gpus if gpu.capability), default=None)
    card = f", compute capability {weakest}" if weakest else ""
    glibc = ".".join(map(str, facts.glibc or ()))
    fits = f"driver {facts.driver}{card}, glibc {glibc} and {facts.arch} can run it"
    return "; ".join([f"{problems[0]}" if problems else "the current release", fits])


def _broken(facts: Facts) -> str | None:
    """Say why a machine that has GPUs shows none that can be used."""
    instead = "--engine=cpu serves without"
    if facts.left_out:
        return f"no GPU can be used here: {'; '.join(facts.left_out)}; {instead}"
    if facts.gpu_problem:
        return (
            f"the GPU driver does not answer ({facts.gpu_problem}); restart the pod, or ask "
            f"the provider for one with a working driver; {instead}"
        )
    if "nvidia" in facts.cards:
        return f"an NVIDIA GPU is here without its driver; install it on the pod; {instead}"
    if "amd" in facts.cards:
        return f"AMD GPUs are here, and podfab does not support them yet; {instead}"
    return None


def _able(choice: Choice, facts: Facts) -> Choice:
    if problem := unfit(choice.recipe, facts):
        raise PodfabError(f"engine {choice.folder} can not run here: {problem}")
    return choice


def unfit(recipe: Engine, facts: Facts) -> str | None:
    """Say why an engine can not run on a pod, or None."""
    driver = version(facts.driver or "")
    if facts.arch not in recipe.architectures:
        return f"it has no build for {facts.arch}"
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


def _day(now: int) -> str:
    return f"{datetime.fromtimestamp(now, timezone.utc):%Y%m%d}"
