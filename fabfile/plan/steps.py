"""How it stands with each step of a setup: a function each, from the facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import space
from .engine import Choice
from .environment import digest, lines
from .facts import Facts, Python
from .mount import HELPERS, Mount
from .packages import uv_sources

NEEDED_TOOLS = ("bash", "flock", "setsid", "sha256sum")


@dataclass(frozen=True)
class Step:
    """One step; `state` is ok, todo, skip or impossible."""

    step: str
    state: str
    reason: str


def preflight(facts: Facts, engine: Choice, mount: Mount | None) -> Step:
    """See whether the machine can become a vLLM host at all."""
    missing = [tool for tool in NEEDED_TOOLS if tool not in facts.tools]
    if facts.glibc is None:
        return Step("preflight", "impossible", f"{facts.os} has no glibc; take Ubuntu or Debian")
    if missing:
        return Step("preflight", "impossible", f"install on the pod: {', '.join(missing)}")
    if not facts.root_writable:
        reason = f"{facts.user} may not write to {facts.root}; name another folder with --root"
        return Step("preflight", "impossible", reason)
    if mount and not facts.mounted and mount.holds(facts.root):
        reason = f"{facts.root} lies on the mount; mount it by hand first, then run setup"
        return Step("preflight", "impossible", reason)
    need, free = space.needed(facts, engine), facts.root_free_mib
    if free is not None and free < need:
        better = space.advice(facts) or "name another place with --root"
        reason = f"{facts.root} has {space.gib(free)} free, the engine takes {space.gib(need)}"
        return Step("preflight", "impossible", f"{reason}; {better}")
    here = f"{facts.os}, {facts.arch}, {facts.who}"
    return Step("preflight", "ok", f"{here}, {space.gib(free)} free for {facts.root}")


def packages(facts: Facts, missing: Mapping[str, str]) -> Step:
    """See which packages of the system are to be installed."""
    if not missing:
        return Step("packages", "ok", "nothing is missing")
    words = " ".join(missing)
    why = ", ".join(f"{name} ({why})" for name, why in missing.items())
    if "apt-get" not in facts.tools:
        return Step("packages", "skip", f"no apt-get here; install what holds: {why}")
    if facts.rights == "none":
        return Step("packages", "skip", f"no root here; ask for: apt-get install {words}")
    return Step("packages", "todo", f"install {why}")


def uv(facts: Facts, installing: Step) -> Step:
    """See whether a uv is there, and what it can be fetched with."""
    if facts.uv:
        return Step("uv", "ok", facts.uv)
    sources = uv_sources(facts) or (["curl"] if installing.state == "todo" else [])
    if not sources:
        reason = "neither curl, wget nor pip is here to fetch uv with; install curl on the pod"
        return Step("uv", "impossible", reason)
    return Step("uv", "todo", f"install uv into {facts.root}, with {' or '.join(sources)}")


def python(facts: Facts, engine: Choice, found: Python | None) -> Step:
    """See which Python the engine gets."""
    if engine.folder in facts.engines:
        return Step("python", "ok", "the engine has its own")
    if found:
        return Step("python", "ok", found.path)
    here = ", ".join(python.version for python in facts.pythons) or "none"
    wanted = engine.recipe.python
    return Step("python", "todo", f"uv fetches a Python {wanted} (of the system: {here})")


def install(facts: Facts, engine: Choice) -> Step:
    """See whether the engine is installed."""
    newest = engine.recipe.version == "latest"
    package = engine.recipe.package
    what = f"the newest {package}" if newest else f"{package} {engine.recipe.version}"
    if engine.folder in facts.engines:
        return Step("engine", "ok", f"{what} is installed")
    return Step("engine", "todo", f"install {what} into {facts.root}/engines/{engine.folder}")


def kernels(facts: Facts, engine: Choice) -> Step:
    """See whether the GPUs want kernels that vLLM downloads."""
    recipe, state = engine.recipe, facts.kernels.get(engine.folder, "")
    best = max((gpu.capability for gpu in facts.gpus if gpu.capability), default=0)
    if not recipe.min_driver:
        return Step("kernels", "skip", f"engine {engine.name} has no GPU kernels")
    if not recipe.kernels_from:
        return Step("kernels", "skip", "they come with the engine")
    if best < recipe.kernels_from:
        wants = f"vLLM wants them from compute capability {recipe.kernels_from} on"
        return Step("kernels", "skip", f"{wants}, the best GPU here has {best}")
    if state == "downloaded":
        return Step("kernels", "ok", "FlashInfer's kernels are installed")
    if state:
        again = f"delete engines/{engine.folder}/podfab-kernels to try again"
        return Step("kernels", "skip", f"they could not be downloaded; {again}")
    return Step("kernels", "todo", "fetch FlashInfer's kernels: vllm download-kernels")


def mount(facts: Facts, wanted: Mount | None, installing: Step) -> Step:
    """See whether the mount is there."""
    if not wanted:
        return Step("mount", "skip", "no --mount")
    if facts.mounted:
        return Step("mount", "ok", f"{wanted.target} is mounted")
    if wanted.as_root and facts.rights == "none":
        return Step("mount", "impossible", f"no root here to mount {wanted.target}")
    if wanted.helper and wanted.helper not in facts.tools and installing.state != "todo":
        reason = f"{wanted.helper} is missing; install {HELPERS[wanted.helper]} on the pod"
        return Step("mount", "impossible", reason)
    return Step("mount", "todo", f"mount {wanted.target}: {wanted.text}")


def storage(facts: Facts, wanted: Mount | None) -> Step:
    """See whether the folder for the weights is there."""
    where = f"{facts.models_path}, {space.gib(facts.models_free_mib)} free"
    if wanted and not facts.mounted and wanted.holds(facts.models_path):
        return Step("storage", "todo", f"{facts.models_path}, once the mount is there")
    if facts.models_free_mib == 0:
        return Step("storage", "impossible", f"{where}: no room for weights; --models-path")
    makeable = facts.models_path_writable or facts.rights == "passwordless"
    if not facts.models_path_exists and makeable:
        return Step("storage", "todo", f"make {where}")
    if not facts.models_path_writable:
        reason = f"{facts.user} may not write to {facts.models_path}; name another --models-path"
        return Step("storage", "impossible", reason)
    return Step("storage", "ok", where)


def environment(facts: Facts, wanted: Mapping[str, str]) -> Step:
    """See which variables the pod's env file lacks."""
    missing = [line for line in lines(wanted) if digest(line) not in facts.environment]
    new = [line.partition("=")[0] for line in missing]
    if new:
        return Step("environment", "todo", f"write {', '.join(new)} to {facts.root}/env")
    return Step("environment", "ok", ", ".join(wanted))


def verify(facts: Facts, engine: Choice) -> Step:
    """See whether the engine was verified and is the one in use."""
    if engine.folder not in facts.engines:
        return Step("verify", "todo", "import vllm and read its version")
    if facts.links.get(engine.name) != engine.folder:
        return Step("verify", "todo", f"point engines/{engine.name} at {engine.folder}")
    return Step("verify", "ok", f"vLLM {facts.engines[engine.folder]}")
