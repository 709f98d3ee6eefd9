"""Write docs/catalog.md and models.schema.json anew from models.yaml and its classes.

Usage: .venv/bin/python script/generate.py [--check]; with --check nothing is written, and the exit
code is 1 when a file is not what it should be.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from fabfile.plan import fit  # noqa: E402
from fabfile.plan.cards import ANY, CPU, imagined  # noqa: E402
from fabfile.plan.matching import WANTED, Match, match  # noqa: E402
from fabfile.plan.spread import Want, untried  # noqa: E402
from fabfile.records.entries import Catalog, Model  # noqa: E402
from fabfile.records.yamlfile import read_yaml  # noqa: E402

SOURCE = HERE / "models.yaml"
_COLUMN = 28  # where the texts of its comment begin
INTRODUCTION = """\
# The catalog

Written by `script/generate.py` from [models.yaml](../models.yaml); change that file, not this page.

## How a way is chosen

`inv models.start --model=X` looks at the pod's GPUs and takes, of what holds a context worth having
({wanted} tokens, or what a configuration says):

1. the catalog's first way for this very type of card,
2. else what takes the fewest GPUs; a way for the class of memory (`48GB`: any card with 48 GB or
   more) before one for any card,
3. else what arithmetic finds: tensor parallelism over as few GPUs as hold the model, with the
   arguments that all its ways have in common. Attention heads and key-value heads must be
   divisible; experts whose quantized blocks are not stay whole (expert parallelism). The cards must
   be alike, unless you name them (`--gpus=0,2`).

Idle GPUs come first; only when they are too few it says what to stop. A model that the catalog does
not have is looked up on the hub from the pod (config.json and the sizes of the files, nothing is
downloaded) and placed by arithmetic; its parsers are a guess, and the plan says so.

`inv models.catalog` says of each model `yes`, `no`, or `if`: it would fit, once you have done what
stands behind it (stop a model, add an engine, let vLLM make the weights FP8). `untried` marks what
rests on the sum alone.

## The sum

Per GPU, in GB (10^9 bytes):

    weights / GPUs + cache of one full context + reserve <= memory x --gpu-memory-utilization

- **Memory** is what nvidia-smi reports less 2 %, which the driver keeps; vLLM takes {share} of it.
- **Weights** are shared out by tensor parallelism. Replicas (data parallelism) share out the
  experts only.
- **Cache**: keys and values of each token, in 2 bytes each, or 1 with an fp8 cache; heads are
  shared out, down to one per GPU. A latent (MLA) is kept on each GPU. A sliding window keeps itself
  and what is computed at once. Linear attention and Mamba keep a state per sequence, whatever its
  length.
- **Reserve** is for activations, CUDA graphs and NCCL: 2.2 GB, and 0.52 GB for each 1024 tokens
  that a batch has more than 2048, 0.17 GB from 8192 on (vLLM's default is 2048; on cards from 70
  GiB on, but an A100, 8192; from 160 GiB on 16384). Where nobody has tried, 3 % of what vLLM may
  take are kept free besides.

The context is cut to what fits, in steps of 1024 tokens. `inv models.start --plan` shows the sum:

    weights 31.2 + 89088 tokens 8.8 + reserve 3.5 = 43.5 of 47.3 x 0.92 = 43.6 GB

The cache is what vLLM itself plans (`tests/engine/test_truth.py` asks its planner for every model
here), the reserve is compared with what others published (`tests/unit/recorded/memory.yaml`).

## Your own models

`~/.pi/models.yaml` is laid over ours: a new name is added, a known one is changed field by field,
`hidden: true` takes one away. `configs` is one field: yours replaces the whole list. With the first
line below an editor knows all fields (`models.schema.json` lies beside models.yaml):

    # yaml-language-server: $schema=/path/to/podfab/models.schema.json
    models:
      me/my-coder:
        family: mine
        weights_gb: 16.4
        context: 40960
        heads: 32
        cache: [{{layers: 36, kv_heads: 8, head_dim: 128}}]
        tool_parser: hermes
        configs:
          - {{gpus: 1, gpu_types: [24GB], args: {{max-model-len: 16384}}}}
      Qwen/Qwen3-8B:
        reasoning_parser: deepseek_r1
      zai-org/GLM-4.5:
        hidden: true

Fields that you leave out are read from the hub. What each field means stands at the top of
models.yaml.
"""


def page(catalog: Catalog) -> str:
    """Return docs/catalog.md."""
    parts = [
        INTRODUCTION.format(wanted=WANTED, share=f"{fit.UTILIZATION:.0%}"),
        good_choices(catalog),
        "## The models\n",
        "Context in tokens, cache in KiB per token of a long text. From: the first vLLM release. "
        "Holds it: the smallest sets of cards, by the sum. Ways: how many configurations, and how "
        "many of them somebody else has published; the others rest on the sum alone.\n",
    ]
    families: dict[str, list[str]] = defaultdict(list)
    for name, model in catalog.models.items():
        families[model.family].append(name)
    for family, names in families.items():
        parts.append(f"### {family}\n")
        parts.append(
            table(
                (
                    "model",
                    "parameters",
                    "weights",
                    "context",
                    "cache",
                    "tools",
                    "reasoning",
                    "from",
                    "licence",
                    "holds it",
                    "ways",
                ),
                [row(name, catalog.models[name], catalog) for name in names],
            )
        )
        notes = [f"- {name}: {said}" for name in names if (said := told(catalog.models[name]))]
        parts += ["\n".join(notes) + "\n"] if notes else []
    return "\n".join(parts)


def good_choices(catalog: Catalog) -> str:
    """Return the table of what to start with."""
    chosen: dict[str, list[str]] = defaultdict(list)
    for name, model in catalog.models.items():
        for layout in model.good_for:
            found = None
            if layout != "cpu":
                found = match(model, imagined(layout, catalog.gpus), catalog.gpus, Want())
            tokens = f" ({found.context} tokens)" if isinstance(found, Match) else ""
            chosen[layout].append(f"{name}{tokens}")

    def size(layout: str) -> tuple[int, int]:
        numbers = [int(number) for number in re.findall(r"\d+", layout)]
        return (numbers[0], numbers[1]) if numbers else (0, 0)

    layouts = sorted(chosen, key=size)
    rows = [(layout.replace("x", " x "), ", ".join(chosen[layout])) for layout in layouts]
    return "## What to start with\n\n" + table(("cards", "good choices"), rows)


def row(name: str, model: Model, catalog: Catalog) -> tuple[str, ...]:
    """Return a model's line."""
    active = f", {model.active_params_b:g}B active" if model.active_params_b else ""
    groups = model.cache or []
    long, longer = (fit.cache_bytes(groups, tokens, 1, 4096) for tokens in (10**6, 2 * 10**6))
    tried = sum(not untried(config) for config in model.configs)
    return (
        name,
        f"{model.params_b:g}B{active}",
        f"{model.weights_gb:g} GB {model.precision}",
        str(model.context),
        f"{(longer - long) / 10**6 / 1024:.3g}",
        model.tool_parser or "",
        model.reasoning_parser or "",
        model.min_engine or "",
        model.license + (", gated" if model.gated else ""),
        "; ".join(holding(model, catalog)),
        f"{len(model.configs)}, {tried} with a source" if tried else f"{len(model.configs)}",
    )


def holding(model: Model, catalog: Catalog) -> list[str]:
    """Return the smallest sets of common cards that hold a model."""
    found = []
    for kind in ("16GB", "24GB", "32GB", "48GB", "80GB", "96GB", "H200", "B200", "B300"):
        for count in (1, 2, 4, 8):
            way = match(model, imagined(f"{count}x{kind}", catalog.gpus), catalog.gpus, Want())
            if isinstance(way, Match):
                found.append(f"{way.config.gpus} x {kind}")
                break
        if found and found[-1].startswith("1 x"):
            break
    return found


def told(model: Model) -> str:
    """Return what is to be said of a model in words."""
    unsure = f"unsure: {model.unsure}" if model.unsure else ""
    return "; ".join(filter(None, (model.notes, unsure)))


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table of Markdown."""
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def schema() -> str:
    """Return the JSON schema of a user's models.yaml.

    What is laid over ours needs no field that ours has. The descriptions are those at the top of
    models.yaml.
    """
    whole = Catalog.model_json_schema()
    described = descriptions()
    for kind, definition in {"Catalog": whole, **whole["$defs"]}.items():
        if kind in ("Catalog", "Engine", "GpuType"):
            definition.pop("required", None)
        for field, about in definition["properties"].items():
            about.pop("title", None)
            about["description"] = described[kind, field]
    types = [*Catalog.model_validate(read_yaml(SOURCE)).gpus, ANY, CPU]
    # An editor offers ours; a user's own types are as good.
    offered = [{"enum": types}, {"pattern": r"^\d+GB$"}, {}]
    ways = whole["$defs"]["Configuration"]["properties"]
    ways["gpu_types"]["items"] = {"type": "string", "anyOf": offered}
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps({"$schema": dialect, **whole}, indent=1)


def descriptions() -> dict[tuple[str, str], str]:
    """Read what each field means from the comment at the top of models.yaml.

    Raises KeyError in schema() for a field that the comment leaves out.
    """
    found: dict[tuple[str, str], str] = {}
    kinds = {"engines": "Engine", "gpus": "GpuType", "models": "Model"}
    lists = {"cache": "Layers", "configs": "Configuration"}
    kind, fields = "Catalog", []
    for line in SOURCE.read_text("utf-8").split("\nengines:\n")[0].splitlines():
        names, text = line[1:_COLUMN], line[_COLUMN:]
        depth = len(names) - len(names.lstrip())
        words = [name.strip(" :") for name in names.split(",")]
        if depth == 1 and words[0] in kinds:
            kind, fields = kinds[words[0]], [("Catalog", words[0])]
        elif depth == 3 and words[0]:
            owner = kind if kind in kinds.values() else "Model"
            fields = [(owner, word) for word in words]
            kind = lists.get(words[0], owner)
        elif depth == 5 and words[0]:
            fields = [(kind, word) for word in words]
        elif not text:
            fields = []
        for field in fields:
            found[field] = f"{found[field]} {text}" if field in found else text
    return found


def main() -> int:
    """Write both files, or tell with --check whether they are fresh."""
    if unknown := [word for word in sys.argv[1:] if word != "--check"]:
        print(f"{unknown[0]} is not known; usage: script/generate.py [--check]", file=sys.stderr)
        return 2
    catalog = Catalog.model_validate(read_yaml(SOURCE))
    made: dict[str, Any] = {"docs/catalog.md": page(catalog), "models.schema.json": schema() + "\n"}
    stale = []
    for name, text in made.items():
        path = HERE / name
        if not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, "utf-8")
    if stale and "--check" in sys.argv:
        print(f"not fresh: {', '.join(stale)}; run script/generate.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
