"""The launch of a model: everything is decided here, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import PodfabError
from ..records.entries import Catalog, Configuration, Model
from . import arguments, checks, download, instead
from .arguments import Arguments
from .asked import Wish
from .checks import Check
from .download import Download
from .facts import Facts, version
from .fit import UTILIZATION
from .hardware import Gpu
from .placement import choose_port, place
from .way import choose, choose_engine, needs_gpus


@dataclass(frozen=True)
class LaunchPlan:
    """What models.start would do; `how` says where the configuration comes from.

    `beside` are the models that hold some of its GPUs already.
    """

    name: str
    model: str
    task: str
    port: int
    gpus: list[int]
    engine: str
    args: list[str]
    env: dict[str, str]
    download: Download
    beside: list[str]
    checks: list[Check]
    notes: list[str]
    how: str

    @property
    def promises(self) -> list[str]:
        """What it is started for beside text: the arguments name a parser of it."""
        flags = {"--tool-call-parser": "tools", "--reasoning-parser": "reasoning"}
        return [word for flag, word in flags.items() if flag in self.args]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.ok]

    def document(self, pod: str) -> dict[str, Any]:
        """The plan as --plan --json prints it."""
        names = ("name", "model", "port", "gpus", "engine", "args", "env", "checks", "how", "notes")
        return {"pod": pod, **{name: asdict(self)[name] for name in names}}


def plan_launch(
    wish: Wish, facts: Facts, catalog: Catalog, engine: str, model: Model | None = None
) -> LaunchPlan:
    """Decide how a model is served on a pod; `engine` is the pod's, wish.engine wins.

    `model` is what is known of it when the catalog does not know enough. Raises PodfabError when
    it can not be served: nothing fits, no engine, no such GPU.
    """
    model = model or catalog.models.get(wish.model, Model())
    folder, why = choose_engine(wish.engine, engine, model, facts, catalog.engines)
    usable = facts.gpus if needs_gpus(folder, catalog.engines) else []
    found = choose(wish, model, facts, usable, catalog)
    if isinstance(wish.gpus, list):
        gpus = place(usable, facts.jobs, wish.gpus)
    else:
        gpus = place(found.gpus, facts.jobs, found.config.gpus)
    taken = [port for job in facts.jobs if job.alive and (port := job.details.get("port"))]
    occupied = {*facts.ports, *taken}
    port = wish.port or choose_port(wish.first_port, occupied)
    fetched = Download.of(wish.model, model, arguments.from_text(wish.vllm_args))
    longer = instead.longer(model, found, wish.want)
    share = wish.memory or float(found.config.args.get("gpu-memory-utilization", UTILIZATION))
    return LaunchPlan(
        name=wish.name,
        model=wish.model,
        task=model.task,
        port=port,
        gpus=[gpu.id for gpu in gpus],
        engine=folder,
        args=arguments.words(
            _arguments(wish, model, found.config, port, _quiet(facts.engines[folder]))
        ),
        env={**found.config.env, **_visible(gpus, by_uuid=bool(facts.left_out))},
        download=fetched,
        beside=checks.holders(gpus, facts.jobs),
        checks=[
            checks.port(port, occupied),
            *checks.engine(model, folder, facts, catalog.engines),
            *checks.capability(model, gpus),
            *checks.context(model, wish.want.context),
            *download.checks(model, fetched, facts, wish.token),
            *checks.shm(facts, len(gpus)),
            *([checks.memory(found, gpus, share, facts.jobs)] if gpus else []),
        ],
        notes=[note for note in (why, found.config.notes, longer, *facts.left_out) if note],
        how=found.how,
    )


def _quiet(engine: str) -> Arguments:
    """Keep out of the log what models.list asks; vLLM 0.19.1 is the oldest seen to know how."""
    quiet = {"disable-access-log-for-endpoints": ["/health,/metrics"]}
    return quiet if version(engine) >= (0, 19, 1) else {}


def _arguments(
    wish: Wish, model: Model, config: Configuration, port: int, defaults: Arguments
) -> Arguments:
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
    for layer in (defaults, arguments.from_mapping(config.args), parsers, flags, ours):
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
