"""The setup script: the steps that are to be done, as one piece of bash."""

from __future__ import annotations

from collections.abc import Iterable

from ..plan.setup import SetupPlan
from .shell import assignments, in_home, text

_HEAD = """\
#!/usr/bin/env bash
# Makes this machine a vLLM host, as podfab planned it. Each step looks first and does only what is
# missing, so the script can be run again. Everything goes below {root}.
"""


def setup_script(plan: SetupPlan, root: str, steps: Iterable[str]) -> str:
    """Write the bash that carries out the named steps of a plan.

    The values of the environment file are not in it: they are laid beside it when it runs.
    """
    recipe = plan.engine.recipe
    chosen = list(steps)
    values = {
        "models_path": plan.models_path,
        "engine_name": plan.engine.name,
        "engine": plan.engine.folder,
        "package": recipe.package,
        "version": recipe.version,
        "python": plan.python,
        "excludes": " ".join(recipe.excludes),
        "torch_backend": recipe.torch_backend or "",
        "metadata_version": recipe.metadata_version or "",
    }
    parts = [
        _HEAD.format(root=root.replace("\n", " ")),
        in_home(root),
        assignments(values),
        'run=$(cd "$(dirname "$0")" && pwd)\n\n',
        text("setup/begin.sh"),
        *(f"\n{text(f'setup/{name}.sh')}" for name in chosen),
        "\n",
        *(f"run_step {name}\n" for name in chosen),
    ]
    return "".join(parts)
