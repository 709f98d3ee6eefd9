"""The launch of a model: everything is decided here, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import PodfabError
from ..records.entries import Catalog, Configuration, Model
from . import arguments
from .arguments import Arguments
from .catalog import matching
from .facts import Facts, version
from .hardware import Gpu
from .placement import choose_port, place


@dataclass(frozen=True)
class Wish:
    """What the user asks for; what is None is decided by the plan."""

    model: str
    name: str
    gpus: int | list[int] | None = None
    memory: float | None = None
    context: str | None = None
    port: int | None = None
    first_port: int = 8001
    engine: str | None = None
    vllm_args: str = ""
    public: bool = False


@dataclass(frozen=True)
class Check:
    """Something that must hold before a start, with its arithmetic."""

    check: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class LaunchPlan:
    """What models.start would do."""

    name: str
    model: str
    task: str
    port: int
    gpus: list[int]
    engine: str
    args: list[str]
    env: dict[str, str]
    exclude: list[str]
    checks: list[Check]
    notes: list[str]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.ok]

    def document(self, pod: str) -> dict[str, Any]:
        """The plan as --plan --json prints it."""
        names = ("name", "model", "port", "gpus", "engine", "args", "env", "checks")
        return {"pod": pod, **{name: asdict(self)[name] for name in names}}


def plan_launch(wish: Wish, facts: Facts, catalog: Catalog, engine: str) -> LaunchPlan:
    """Decide how a model is served on a pod; `engine` is the pod's, wish.engine wins.

    Raises PodfabError when it can not be: nothing fits, no engine, no such GPU.
    """
    model = catalog.models.get(wish.model, Model())
    config, notes = _configuration(wish, model, facts, catalog)
    gpus = place(facts.gpus, facts.jobs, wish.gpus if wish.gpus is not None else config.gpus)
    config = _spread(config, len(gpus))
    folder = _engine(wish.engine or engine, facts)
    taken = [port for job in facts.jobs if job.alive and (port := job.details.get("port"))]
    occupied = {*facts.ports, *taken}
    port = wish.port or choose_port(wish.first_port, occupied)
    args = _arguments(wish, model, config, port)
    return LaunchPlan(
        name=wish.name,
        model=wish.model,
        task=model.task,
        port=port,
        gpus=[gpu.id for gpu in gpus],
        engine=folder,
        args=arguments.words(args),
        env={**config.env, **_visible(gpus, by_uuid=bool(facts.left_out))},
        exclude=model.exclude,
        checks=_checks(model, gpus, facts.engines[folder], port, occupied),
        notes=notes,
    )


def _spread(config: Configuration, count: int) -> Configuration:
    """Return the configuration for that many GPUs, by tensor parallelism unless it says how."""
    if count < 2 or (config.gpus == count and any("parallel-size" in arg for arg in config.args)):
        return config
    return config.model_copy(
        update={"gpus": count, "args": {**config.args, "tensor-parallel-size": count}}
    )


def _configuration(
    wish: Wish, model: Model, facts: Facts, catalog: Catalog
) -> tuple[Configuration, list[str]]:
    count = len(wish.gpus) if isinstance(wish.gpus, list) else wish.gpus
    chosen = wish.gpus if isinstance(wish.gpus, list) else [gpu.id for gpu in facts.gpus]
    there = [gpu for gpu in facts.gpus if gpu.id in chosen]
    fitting = matching(model, there, catalog.gpus, count) if there or not facts.gpus else []
    if fitting:
        return fitting[0], [fitting[0].notes] if fitting[0].notes else []
    here = f"{len(facts.gpus)} x {facts.gpus[0].name}" if facts.gpus else "no GPU"
    if model.configs and count is None:
        known = "; ".join(f"{c.gpus} x {' or '.join(c.gpu_types)}" for c in model.configs)
        raise PodfabError(
            f"{wish.model} is not known to fit here ({here}); it is known to run on {known}; "
            "--gpus=N tries it all the same"
        )
    kind = "not in the catalog" if not model.configs else f"not known to run on {here}"
    generic = Configuration(gpus=min(count or 1, len(facts.gpus)), gpu_types=[])
    return generic, [f"{wish.model} is {kind}: vLLM's own defaults are used"]


def _engine(name: str, facts: Facts) -> str:
    folder = facts.links.get(name, name)
    if folder in facts.engines:
        return folder
    there = ", ".join(facts.links) or "none"
    raise PodfabError(
        f"engine {name or 'of this pod'} is not installed (there: {there}); run setup"
        + (f" with --engine={name}" if name else "")
    )


def _arguments(wish: Wish, model: Model, config: Configuration, port: int) -> Arguments:
    """Lay the arguments over each other: ours, the catalog's, the task's flags, --vllm-args."""
    parsers: Arguments = {}
    if model.tool_parser:
        parsers = {"enable-auto-tool-choice": [], "tool-call-parser": [model.tool_parser]}
    if model.reasoning_parser:
        parsers["reasoning-parser"] = [model.reasoning_parser]
    flags: Arguments = {}
    if wish.memory is not None:
        flags["gpu-memory-utilization"] = [f"{wish.memory:g}"]
    if wish.context is not None:
        flags["max-model-len"] = [wish.context]
    ours: Arguments = {
        "served-model-name": [wish.name, *([wish.model] if wish.model != wish.name else [])],
        "host": ["0.0.0.0" if wish.public else "127.0.0.1"],
        "port": [str(port)],
    }
    merged = ours
    for layer in (arguments.from_mapping(config.args), parsers, flags, ours):
        merged = arguments.laid_over(merged, layer)
    extra = arguments.from_text(wish.vllm_args)
    if taken := sorted(set(extra) & {*ours, "api-key"}):
        advice = {"host": "--public", "port": "--port", "served-model-name": "--name"}
        use = advice.get(taken[0], "PI_API_KEY")
        raise PodfabError(f"--vllm-args can not set --{taken[0]}; use {use}", code=2)
    return arguments.laid_over(merged, extra)


def _visible(gpus: Sequence[Gpu], by_uuid: bool) -> dict[str, str]:
    """Name the GPUs by nvidia-smi's index, in its order; CUDA's own may differ.

    Beside a GPU that is lost or split by MIG CUDA counts otherwise: there the UUID is sure.
    """
    if not gpus:
        return {}
    ids = ",".join(gpu.uuid if by_uuid else str(gpu.id) for gpu in gpus)
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ids}


def _checks(
    model: Model, gpus: Sequence[Gpu], engine: str, port: int, occupied: Set[int]
) -> list[Check]:
    """Check what must hold; `engine` is the installed vLLM's version."""
    state = "in use on the pod; take another: --port=N" if port in occupied else "free"
    checks = [Check("port", port not in occupied, f"{port} is {state}")]
    if model.min_engine:
        ok = version(engine) >= version(model.min_engine)
        advice = "" if ok else "; run setup with a newer --engine"
        detail = f"vLLM {engine} is here, {model.min_engine} is needed{advice}"
        checks.append(Check("engine", ok, detail))
    if model.weights_gb and gpus:
        free = sum(gpu.free_mib or 0 for gpu in gpus) * 1024**2 / 1e9
        ok = model.weights_gb < free
        advice = "" if ok else "; stop a model or take more --gpus"
        weights = f"weights {model.weights_gb:g} GB, free on the chosen GPUs {free:.1f} GB"
        checks.append(Check("memory", ok, weights + advice))
    return checks
