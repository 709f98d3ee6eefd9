"""The setup of a pod: what it should become, and the ordered steps to there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import space, steps
from .engine import Choice
from .environment import passed_on
from .facts import Facts
from .mount import Mount
from .packages import fitting_python, missing_packages
from .steps import Step
from .toolkit import Toolkit, decide_toolkit


@dataclass(frozen=True)
class SetupPlan:
    """What setup would do on a pod.

    Its env file gets what is `decided`, and what the client passes on: `passed`, secrets too.
    `warnings` name what setup can not change.
    """

    engine: Choice
    toolkit: Toolkit
    mount: Mount | None
    models_path: str
    decided: dict[str, str]
    passed: dict[str, str]
    python: str
    packages: list[str]
    steps: list[Step]
    warnings: list[str]

    @property
    def todo(self) -> list[str]:
        return [step.step for step in self.steps if step.state == "todo"]

    @property
    def impossible(self) -> Step | None:
        return next((step for step in self.steps if step.state == "impossible"), None)


def plan_setup(
    facts: Facts,
    engine: Choice,
    client: Mapping[str, str],
    mount: Mount | None = None,
    toolkit: str = "auto",
) -> SetupPlan:
    """Compare a pod with what it should be; `client` is the environment on this side."""
    compiler = decide_toolkit(toolkit, facts, engine)
    decided = {"HF_HOME": facts.models_path, **dict(compiler.environment)}
    passed = passed_on(client)
    found = fitting_python(facts, engine)
    missing = missing_packages(facts, mount)
    packages = steps.packages(facts, missing)
    return SetupPlan(
        engine=engine,
        toolkit=compiler,
        mount=mount,
        models_path=facts.models_path,
        decided=decided,
        passed=passed,
        python=found.path if found else engine.recipe.python,
        packages=list(missing),
        steps=[
            steps.preflight(facts, engine, mount),
            packages,
            steps.uv(facts, packages),
            steps.python(facts, engine, found),
            steps.install(facts, engine),
            steps.kernels(facts, engine),
            Step("toolkit", compiler.state, compiler.reason),
            steps.mount(facts, mount, packages),
            steps.storage(facts, mount),
            steps.environment(facts, {**decided, **passed}),
            steps.verify(facts, engine),
        ],
        warnings=_warnings(facts, packages),
    )


def _warnings(facts: Facts, packages: Step) -> list[str]:
    """Collect what will hurt later and is not for setup to change."""
    skipped = packages.reason if packages.state == "skip" else None
    found = [*facts.left_out, space.shm_warning(facts), space.advice(facts), skipped]
    return [warning for warning in found if warning]
