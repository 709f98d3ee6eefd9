"""The plan over pods as they are rented: layout x rights x engine x mount."""

from __future__ import annotations

import itertools
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from fabfile.commands.setup_script import setup_script
from fabfile.errors import PodfabError
from fabfile.plan.engine import choose
from fabfile.plan.mount import parse_mount
from fabfile.plan.setup import SetupPlan, plan_setup

from .given import SHIPPED, facts

LAYOUTS = (
    "", "1x-h100", "8x-h100", "1x-h200", "1x-a100-40", "2x-a100-80", "2x-l40s", "1x-rtx-4090",
    "1x-t4", "mixed", "8x-b200", "mig-on", "all-mig", "error-state", "one-lost", "no-driver",
    "mismatch", "no-devices", "not-available", "1x-p100",
)  # fmt: skip
DRIVERS = ("580.95.05", "550.54.15", "470.57.02")
RIGHTS = ("root", "passwordless", "none")
ENGINES = ("auto", "release", "nightly", "cuda12", "cpu", "gpt-oss", "vllm==0.31.0", "vllm==0.18.0")
MOUNTS = (None, parse_mount("sudo mount -t nfs -o nconnect=16 host:/share '/mnt/my models'"))
BROKEN = {"all-mig", "no-driver", "mismatch", "no-devices"}


@cache
def plans() -> dict[tuple[str, ...], SetupPlan | str]:
    """Plan every combination; a refusal is its text."""
    found: dict[tuple[str, ...], SetupPlan | str] = {}
    for layout, driver, rights, wish in itertools.product(LAYOUTS, DRIVERS, RIGHTS, ENGINES):
        pod = facts(layout, driver, rights=rights, user="me", mounted=False)
        for mount in MOUNTS:
            key = (layout, driver, rights, wish, "mount" if mount else "")
            try:
                engine = choose(wish, pod, SHIPPED.engines)
                found[key] = plan_setup(pod, engine, {}, mount)
            except PodfabError as error:
                found[key] = str(error)
    return found


def made() -> list[tuple[tuple[str, ...], SetupPlan]]:
    return [(key, plan) for key, plan in plans().items() if isinstance(plan, SetupPlan)]


def test_each_combination_is_a_plan_or_one_line() -> None:
    assert len(plans()) == len(LAYOUTS) * len(DRIVERS) * len(RIGHTS) * len(ENGINES) * 2
    for key, plan in plans().items():
        if isinstance(plan, str):
            assert len(plan.splitlines()) == 1 and plan.startswith("podfab: "), key
            continue
        for step in plan.steps:
            assert step.state in ("ok", "todo", "skip", "impossible"), key
            assert step.reason and len(step.reason.splitlines()) == 1, (key, step)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("driver", DRIVERS)
def test_what_auto_takes(layout: str, driver: str) -> None:
    plan = plans()[layout, driver, "root", "auto", ""]
    name = "" if isinstance(plan, str) else plan.engine.name
    if layout in BROKEN or layout == "1x-p100" or (layout and driver == "470.57.02"):
        assert name == ""
    elif not layout:
        assert name == "cpu"
    else:
        assert name == ("release" if driver == "580.95.05" else "cuda12")


def test_a_refusal_says_what_to_do() -> None:
    for key, plan in plans().items():
        if isinstance(plan, str) and key[3] in ("auto", "gpt-oss"):
            assert "ask the provider" in plan or "--engine=cpu" in plan, (key, plan)


def test_without_root_nothing_is_planned_that_needs_it() -> None:
    for key, plan in made():
        if key[2] == "none":
            assert "packages" not in plan.todo and "toolkit" not in plan.todo, key
            assert any("ask for: apt-get install build-essential" in w for w in plan.warnings), key
            assert (plan.impossible is not None) == (key[4] == "mount"), key


def test_an_engine_without_gpus_gets_nothing_of_cuda() -> None:
    for key, plan in made():
        if plan.engine.name == "cpu":
            assert not {"kernels", "toolkit"} & set(plan.todo), key
            assert set(plan.decided) == {"HF_HOME"}, key


def test_fp8_kernels_are_compiled_only_where_there_is_a_compiler() -> None:
    """On Hopper and Blackwell DeepGEMM is on with nvcc, off without; elsewhere nothing is said."""
    for key, plan in made():
        compiles = key[0] in ("1x-h100", "8x-h100", "1x-h200", "8x-b200", "mixed", "mig-on",
                              "error-state", "one-lost", "not-available")  # fmt: skip
        if plan.engine.recipe.nvcc_for and compiles:
            on = plan.decided["VLLM_USE_DEEP_GEMM"] == "1"
            assert on == ("toolkit" in plan.todo) == (key[2] != "none"), key
            assert ("CUDA_HOME" in plan.decided) == on, key
        else:
            assert "VLLM_USE_DEEP_GEMM" not in plan.decided, key


@cache
def scripts() -> dict[str, tuple[str, ...]]:
    """Return every different script, with one of the combinations that it is for."""
    return {setup_script(plan, "/a b/it's $(id)", plan.todo): key for key, plan in made()}


def test_every_script_can_be_parsed_by_bash(tmp_path: Path) -> None:
    assert len(scripts()) > 30
    for number, (script, key) in enumerate(scripts().items()):
        (tmp_path / f"{number}.sh").write_text(script)
        told = subprocess.run(
            ["bash", "-n", tmp_path / f"{number}.sh"], capture_output=True, text=True
        )
        assert (told.returncode, told.stderr) == (0, ""), key


def test_shellcheck_has_nothing_to_say_about_any_list_of_steps(tmp_path: Path) -> None:
    """Scripts with the same steps differ in their quoted values only."""
    by_steps: dict[tuple[str, ...], str] = {}
    for _, plan in made():
        by_steps.setdefault(tuple(plan.todo), setup_script(plan, "~/.pi", plan.todo))
    files = []
    for number, script in enumerate(by_steps.values()):
        files.append(tmp_path / f"{number}.sh")
        files[-1].write_text(script)
    shellcheck = Path(sys.executable).parent / "shellcheck"
    rules = Path(__file__).parents[2] / ".shellcheckrc"
    told = subprocess.run(
        [shellcheck, "--rcfile", rules, "--shell", "bash", *files], capture_output=True, text=True
    )
    assert told.stdout + told.stderr == ""
