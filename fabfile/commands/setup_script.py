"""The setup script: the steps that are to be done, as one piece of bash."""

from __future__ import annotations

from collections.abc import Iterable

from ..plan.environment import lines
from ..plan.packages import admitted
from ..plan.setup import SetupPlan
from ..plan.toolkit import REPOSITORY
from .shell import array, assignments, in_home, text

_HEAD = """\
#!/usr/bin/env bash
# Makes this machine a vLLM host, as podfab planned it. Each step looks first and does only what is
# missing, so the script can be run again, also by hand: bash FILE. All of ours goes below {root}.
"""


def setup_script(plan: SetupPlan, root: str, steps: Iterable[str]) -> str:
    """Write the bash that carries out the named steps of a plan.

    No secret is in it: what the client passes on is laid beside it when it runs as a job.
    """
    recipe = plan.engine.recipe
    chosen = list(steps)
    mount = plan.mount
    values = {
        "models_path": plan.models_path,
        "engine_name": plan.engine.name,
        "engine": plan.engine.folder,
        "package": recipe.package,
        "version": recipe.version,
        "index": recipe.index or "",
        "python": plan.python,
        "torch_backend": recipe.torch_backend or "",
        "metadata_version": recipe.metadata_version or "",
        "engine_environment": "\n".join(lines(recipe.env)),
        "environment": "\n".join(lines(plan.decided)),
        "cuda_home": plan.decided.get("CUDA_HOME", ""),
        "toolkit_optional": "yes" if plan.toolkit.optional else "no",
        "nvidia_repository": f"{REPOSITORY}/{plan.toolkit.repository}",
        "mount_target": mount.target if mount else "",
        "mount_as_root": "yes" if mount and mount.as_root else "no",
    }
    arrays = {
        "packages": plan.packages,
        "python_versions": admitted(recipe.python),
        "also": recipe.also,
        "excludes": recipe.excludes,
        "toolkit_packages": plan.toolkit.packages,
        "mount_words": mount.words if mount else (),
    }
    passed = f"# By hand, set first, as your side has them: {' '.join(plan.passed)}\n"
    parts = [
        _HEAD.format(root=root.replace("\n", " ")),
        passed if plan.passed else "",
        in_home(root),
        assignments(values),
        *(array(name, words) for name, words in arrays.items()),
        'run=$(cd "$(dirname "$0")" && pwd)\n\n',
        text("setup/begin.sh"),
        "\n",
        text("setup/indexes.sh"),
        *(f"\n{text(f'setup/{name}.sh')}" for name in chosen),
        "\n",
        *(f"run_step {name}\n" for name in chosen),
    ]
    return "".join(parts)
