"""Models on a pod: start, list, follow, stop."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import invoke

from . import cli, screen
from .cli import task
from .errors import PodfabError, UsageError
from .records import names, pods
from .target import target

if TYPE_CHECKING:
    from .plan.launch import LaunchPlan


@task(name="list", default=True, pod=cli.POD, all="every pod", json=cli.JSON)
def list_(c: invoke.Context, pod: str = "", all: bool = False, json: bool = False) -> None:
    """List the models of a pod as they are just now.

    Examples:
      inv models
      inv models --all --json
    """
    from .listing import list_pods
    from .screen import listing

    known = pods.load()
    where = list(known.pods) if all else [target(c, pod).name]
    found = listing.collected(where, list_pods(known, where), show=not json)
    lost = found[0].cause if not all and found and found[0].name is None else None
    if json:
        screen.document([row.document() for row in found])
    elif lost:
        pass
    elif not found:
        screen.say("no model runs; start one: inv models.start --model=Qwen/Qwen3-8B --name=qwen")
    else:
        listing.models(found)
    if lost:
        raise PodfabError(lost)


@task(
    model="its id on Hugging Face, or a folder on the pod",
    name_="what to call it (default: from the id)",
    gpus="how many GPUs (2), or which (2,3)",
    memory="share of each GPU's memory that it may take: 0.9 or 90%",
    context="longest context: 32k, 32768 or auto",
    port="its port on the pod (default: the first free one from 8001)",
    engine="an engine other than the pod's; it is added when it is not there",
    vllm_args="more arguments for vllm serve, laid over the catalog's",
    public="listen on all addresses, not only for ssh",
    force="start although a check failed",
    no_wait="do not wait until it is ready",
    plan="show what would be started, and start nothing",
    pod=cli.POD,
    json=cli.JSON,
)
def start(
    c: invoke.Context,
    model: str = "",
    name: str = "",
    gpus: str = "",
    memory: str = "",
    context: str = "",
    port: str = "",
    engine: str = "",
    vllm_args: str = "",
    public: bool = False,
    force: bool = False,
    no_wait: bool = False,
    plan: bool = False,
    pod: str = "",
    json: bool = False,
) -> None:
    """Start a model and watch it until it answers.

    Examples:
      inv models.start --model=Qwen/Qwen3-8B --name=qwen
      inv models.start --model=Qwen/Qwen3-8B --context=32k --memory=50% --plan
    """
    from .endpoint import show
    from .plan import numbers
    from .plan.asked import Wish
    from .records import settings
    from .serving import decide, launch, refuse_failed

    if not model:
        raise UsageError("which model? inv models.start --model=Qwen/Qwen3-8B")
    wish = Wish(
        model=model,
        name=names.checked(name or names.derived(model), "model"),
        gpus=numbers.gpus(gpus),
        memory=numbers.memory(memory),
        context=numbers.context(context),
        port=numbers.port(port),
        engine=engine or None,
        vllm_args=vllm_args,
        first_port=settings.load().first_port,
        public=public,
        token=bool(os.environ.get("HF_TOKEN")),
    )
    where = target(c, pod)
    decided = decide(where, wish, add=not plan)
    if plan:
        _show_plan(where.name, decided, json)
    refuse_failed(decided, force)
    if plan:
        return
    row = launch(where, wish, decided, force, wait=not no_wait)
    if json:
        screen.document(row.document())
    else:
        show(where, row)


@task(name_="the model to stop", all="all models of the pod", pod=cli.POD, json=cli.JSON)
def stop(
    c: invoke.Context, name: str = "", all: bool = False, pod: str = "", json: bool = False
) -> None:
    """Stop a model and prove that its processes and its GPU memory are gone.

    Examples:
      inv models.stop --name=qwen
      inv models.stop --all
    """
    from .stopping import stop_all, stop_model

    if bool(name) == all:
        raise UsageError("which model? --name=NAME, or --all")
    where = target(c, pod)
    if all:
        stopped = stop_all(where)
    else:
        stop_model(where, name)
        stopped = [name]
    if json:
        screen.document([{"pod": where.name, "name": each, "stopped": True} for each in stopped])
    elif not stopped:
        screen.say(f"no model runs on {where.name}")


@task(name_="the model", pod=cli.POD)
def restart(c: invoke.Context, name: str, pod: str = "") -> None:
    """Stop a model and start it again as it was; also one that failed or was stopped.

    Example: inv models.restart qwen
    """
    from .endpoint import show
    from .serving import restart as start_again

    where = target(c, pod)
    show(where, start_again(where, name))


@task(model="its id on Hugging Face", pod=cli.POD, json=cli.JSON)
def download(c: invoke.Context, model: str = "", pod: str = "", json: bool = False) -> None:
    """Fetch a model's weights to the pod, and start nothing.

    Example: inv models.download --model=Qwen/Qwen3-8B
    """
    from .fetching import download as fetch

    if not model:
        raise UsageError("which model? inv models.download --model=Qwen/Qwen3-8B")
    if model.startswith("/"):
        raise UsageError(f"{model} is a folder on the pod: there is nothing to download")
    where = target(c, pod)
    fetched = fetch(where, model)
    if json:
        screen.document(fetched)
    else:
        screen.say(f"{model} is on {where.name}, in {fetched['folder']}")


@task(
    name_="the model",
    lines="how many of the last lines to begin with",
    no_follow="print and end, do not follow",
    run="which run: a number, or -1 for the one before",
    pod=cli.POD,
)
def logs(
    c: invoke.Context,
    name: str,
    lines: str = "100",
    no_follow: bool = False,
    run: str = "",
    pod: str = "",
) -> None:
    """Follow a model's log; Ctrl-C ends the following, never the model.

    Examples:
      inv models.logs qwen
      inv models.logs qwen --lines=20 --no-follow
    """
    from .plan import numbers
    from .serving import show_log

    if run and not run.removeprefix("-").isdigit():
        raise UsageError(f"--run={run} is no number")
    count = numbers.whole(lines, "--lines")
    show_log(target(c, pod), name, count, follow=not no_follow, run=run)


@task(
    name_="the model that failed",
    log="a log that was saved, instead of one on a pod",
    pod=cli.POD,
    json=cli.JSON,
)
def diagnose(
    c: invoke.Context, name: str = "", log: str = "", pod: str = "", json: bool = False
) -> None:
    """Say why a model failed, and what helps.

    Examples:
      inv models.diagnose --name=qwen
      inv models.diagnose --log=server.log
    """
    from .diagnosing import from_file, from_pod

    if bool(name) == bool(log):
        raise UsageError("which model? --name=NAME, or --log=FILE")
    if log and pod:
        raise UsageError("--log is a file on this side; --pod does not go with it")
    found = from_file(log) if log else from_pod(target(c, pod), name)
    if json:
        screen.document(found.document())
    else:
        screen.diagnosis(found)


@task(
    name_="the model, or several: qwen,coder",
    port="the port on this side, of several models the first (default: the model's own, or any)",
    pod=cli.POD,
)
def tunnel(c: invoke.Context, name: str, port: str = "", pod: str = "") -> None:
    """Hold a local port open that leads to a model; Ctrl-C ends the tunnel, never the model.

    Examples:
      inv models.tunnel qwen
      inv models.tunnel qwen,coder --port=9001
    """
    from .endpoint import hold
    from .plan import numbers

    names = list(dict.fromkeys(filter(None, (word.strip() for word in name.split(",")))))
    if not names:
        raise UsageError("which model? inv models.tunnel qwen")
    first = numbers.port(port)
    ports = [numbers.port(str(first + i)) if first else None for i in range(len(names))]
    hold(target(c, pod), dict(zip(names, ports, strict=True)))


@task(name_="the model", port="the tunnel's port on this side, when not the model's", pod=cli.POD)
def env(c: invoke.Context, name: str, port: str = "", pod: str = "") -> None:
    """Print what a shell needs to reach a model: its address, and the key it was started with.

    Example: eval "$(inv models.env qwen)"
    """
    from .endpoint import show_variables
    from .plan import numbers

    show_variables(target(c, pod), name, numbers.port(port))


@task(name_="the model", pod=cli.POD, json=cli.JSON)
def check(c: invoke.Context, name: str, pod: str = "", json: bool = False) -> None:
    """Find out in a minute whether a model can do an agent's work: small tasks, pass or fail each.

    Exit code 1 when something fails that the model was started for.

    Example: inv models.check qwen
    """
    from .checking import check as verdicts

    found = []
    for verdict in verdicts(target(c, pod), name):
        found.append(verdict)
        if not json:
            screen.verdict(verdict)
    if json:
        screen.document([vars(verdict) for verdict in found])
    if broken := [one.capability for one in found if one.promised and not one.ok]:
        raise PodfabError(f"{name} can not do what it was started for: {', '.join(broken)}")


@task(
    fits="only those that fit",
    family="only these: a family, or a part of the id",
    gpu="ask for GPUs that one does not have yet: 2xL40S, 1x24GB, 1xH100+2xL4",
    for_="the smallest sets of GPUs that hold this model",
    pod=cli.POD,
    json=cli.JSON,
)
def catalog(
    c: invoke.Context,
    fits: bool = False,
    family: str = "",
    gpu: str = "",
    for_: str = "",
    pod: str = "",
    json: bool = False,
) -> None:
    """List the models that are known, and which of them fit the pod.

    Examples:
      inv models.catalog --fits
      inv models.catalog --gpu=2xL40S --family=qwen
      inv models.catalog --for=openai/gpt-oss-120b
    """
    from .offering import holding, offered
    from .screen import catalog as show

    if for_ and (fits or family or gpu):
        raise UsageError("--for asks about one model; --fits, --family and --gpu do not go with it")
    if gpu and pod:
        raise UsageError("--gpu asks about GPUs of no pod; --pod does not go with it")
    found = holding(c, pod, for_) if for_ else offered(c, pod, gpu, family, fits)
    if json:
        screen.document([one.document() for one in found])
    elif for_:
        show.sets(found)
    elif not found:
        screen.say("no model of the catalog fits")
    else:
        show.offers(found)


def _show_plan(pod: str, plan: LaunchPlan, json: bool) -> None:
    if json:
        screen.document(plan.document(pod))
        return
    screen.table(
        ("", ""),
        [
            ("pod", pod),
            ("model", plan.model),
            ("way", plan.how),
            ("engine", plan.engine),
            ("GPUs", ", ".join(map(str, plan.gpus)) or "none"),
            ("port", plan.port),
            ("command", shlex.join(["vllm", "serve", plan.model, *plan.args])),
            ("environment", " ".join(f"{key}={value}" for key, value in plan.env.items())),
            *(
                (check.check, ("ok: " if check.ok else "no: ") + check.detail)
                for check in plan.checks
            ),
            *(("note", note) for note in plan.notes),
        ],
    )
