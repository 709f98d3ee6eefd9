"""The setup of a pod: the ordered steps, and how it stands with each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .engine import Choice
from .environment import digest, lines, pod_environment
from .facts import Facts, Python, version

NEEDED_TOOLS = ("bash", "flock", "setsid", "sha256sum")
ENGINE_MIB = 20_000  # a CUDA venv with its download cache; the CPU build takes a third
CPU_ENGINE_MIB = 7_000


@dataclass(frozen=True)
class Step:
    """One step; `state` is ok, todo, skip or impossible."""

    step: str
    state: str
    reason: str


@dataclass(frozen=True)
class SetupPlan:
    """What setup would do on a pod."""

    engine: Choice
    models_path: str
    environment: dict[str, str]
    python: str
    steps: list[Step]

    @property
    def todo(self) -> list[str]:
        return [step.step for step in self.steps if step.state == "todo"]

    @property
    def impossible(self) -> Step | None:
        return next((step for step in self.steps if step.state == "impossible"), None)


def plan_setup(facts: Facts, engine: Choice, client: Mapping[str, str]) -> SetupPlan:
    """Compare a pod with what it should be; `client` is the environment on this side."""
    environment = pod_environment(client, facts.models_path)
    found = fitting_python(facts, engine)
    return SetupPlan(
        engine=engine,
        models_path=facts.models_path,
        environment=environment,
        python=found.path if found else engine.recipe.python,
        steps=[
            _preflight(facts, engine),
            _packages(facts),
            _uv(facts),
            _python(found, engine, facts),
            _engine(facts, engine),
            _storage(facts),
            _environment(facts, environment),
            _verify(facts, engine),
        ],
    )


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


def _admits(specifier: str, candidate: str) -> bool:
    has = version(candidate)
    for part in specifier.replace(" ", "").split(","):
        bound = version(part.strip("<>="))
        if has < bound if part.startswith(">=") else has >= bound:
            return False
    return True


def _preflight(facts: Facts, engine: Choice) -> Step:
    missing = [tool for tool in NEEDED_TOOLS if tool not in facts.tools]
    need = ENGINE_MIB if engine.recipe.min_driver else CPU_ENGINE_MIB
    free = facts.root_free_mib
    if facts.arch not in ("x86_64", "aarch64"):
        return Step("preflight", "impossible", f"vLLM has no build for {facts.arch}")
    if facts.glibc is None:
        return Step("preflight", "impossible", f"{facts.os} has no glibc; take Ubuntu or Debian")
    if missing:
        return Step("preflight", "impossible", f"install on the pod: {', '.join(missing)}")
    if engine.folder not in facts.engines and free is not None and free < need:
        reason = f"{facts.root} has {_gib(free)} free, the engine takes {_gib(need)}; use --root"
        return Step("preflight", "impossible", reason)
    return Step("preflight", "ok", f"{facts.os}, {facts.arch}, {_gib(free)} free")


def _packages(facts: Facts) -> Step:
    if "cc" in facts.tools:
        return Step("packages", "ok", "a C compiler is there")
    if facts.rights == "none":
        return Step("packages", "skip", "no root here; ask for: apt-get install build-essential")
    return Step("packages", "todo", "install build-essential: vLLM compiles while it starts")


def _uv(facts: Facts) -> Step:
    if facts.uv:
        return Step("uv", "ok", facts.uv)
    return Step("uv", "todo", f"install uv into {facts.root}")


def _python(found: Python | None, engine: Choice, facts: Facts) -> Step:
    if engine.folder in facts.engines:
        return Step("python", "ok", "the engine has its own")
    if found:
        return Step("python", "ok", found.path)
    return Step("python", "todo", f"uv fetches a Python {engine.recipe.python}")


def _engine(facts: Facts, engine: Choice) -> Step:
    what = f"{engine.recipe.package} {engine.recipe.version}"
    if engine.folder in facts.engines:
        return Step("engine", "ok", f"{what} is installed")
    return Step("engine", "todo", f"install {what} into {facts.root}/engines/{engine.folder}")


def _storage(facts: Facts) -> Step:
    space = f"{facts.models_path}, {_gib(facts.models_free_mib)} free"
    return Step("storage", "ok" if facts.models_path_exists else "todo", space)


def _environment(facts: Facts, environment: Mapping[str, str]) -> Step:
    missing = [line for line in lines(environment) if digest(line) not in facts.environment]
    new = [line.partition("=")[0] for line in missing]
    if new:
        return Step("environment", "todo", f"write {', '.join(new)} to {facts.root}/env")
    return Step("environment", "ok", ", ".join(environment))


def _verify(facts: Facts, engine: Choice) -> Step:
    if engine.folder not in facts.engines:
        return Step("verify", "todo", "import vllm and read its version")
    if facts.links.get(engine.name) != engine.folder:
        return Step("verify", "todo", f"point engines/{engine.name} at {engine.folder}")
    return Step("verify", "ok", f"vLLM {facts.engines[engine.folder]}")


def _gib(mib: int | None) -> str:
    return "unknown" if mib is None else f"{mib / 1024:.0f} GiB"
