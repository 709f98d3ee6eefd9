"""Which packages of the system a pod lacks, and where its engine's Python and uv come from."""

from __future__ import annotations

from .engine import Choice
from .facts import Facts, Python, version
from .mount import HELPERS, Mount


def missing_packages(facts: Facts, mount: Mount | None) -> dict[str, str]:
    """Return the packages that are to be installed, each with what needs it."""
    missing = {}
    if "cc" not in facts.tools:
        missing["build-essential"] = "vLLM compiles while it starts"  # vllm#2997
    if not facts.uv and not uv_sources(facts):
        missing["curl"] = "uv has to be fetched"
    if not facts.certificates:
        missing["ca-certificates"] = "downloads are checked"
    if mount and not facts.mounted and mount.helper and mount.helper not in facts.tools:
        missing[HELPERS[mount.helper]] = "the mount needs it"
    return missing


def uv_sources(facts: Facts) -> list[str]:
    """Return what uv can be fetched with on a pod."""
    has_pip = "python3" in facts.tools and facts.modules & {"pip", "ensurepip"}
    return [*(tool for tool in ("curl", "wget") if tool in facts.tools), *["pip"] * bool(has_pip)]


def fitting_python(facts: Facts, engine: Choice) -> Python | None:
    """Return the newest system Python that an engine supports.

    GPU engines compile against it (triton's launcher, vllm#2997), so it must have its headers.
    """
    gpu = engine.recipe.min_driver is not None
    fitting = [
        python
        for python in facts.pythons
        if _admits(engine.recipe.python, python.version) and (python.headers or not gpu)
    ]
    return max(fitting, key=lambda python: version(python.version), default=None)


def admitted(specifier: str) -> list[str]:
    """Return the Python versions that a specifier like `>=3.11,<3.15` admits, newest first."""
    return [text for n in range(20, 8, -1) if _admits(specifier, text := f"3.{n}")]


def _admits(specifier: str, candidate: str) -> bool:
    has = version(candidate)
    for part in specifier.replace(" ", "").split(","):
        bound = version(part.strip("<>="))
        if has < bound if part.startswith(">=") else has >= bound:
            return False
    return True
