from __future__ import annotations

from typing import Any

import pytest

from fabfile.plan.engine import Choice, choose
from fabfile.plan.facts import Facts
from fabfile.plan.mount import Mount, parse_mount
from fabfile.plan.packages import fitting_python
from fabfile.plan.setup import SetupPlan, plan_setup

from .given import SHIPPED, facts, ready_facts

STEPS = [
    "preflight", "packages", "uv", "python", "engine", "kernels", "toolkit", "mount", "storage",
    "environment", "verify",
]  # fmt: skip
NFS = parse_mount("sudo mount -t nfs -o nconnect=16 host:/share /mnt/models")


def planned(
    pod: Facts,
    engine: str = "auto",
    mount: Mount | None = None,
    toolkit: str = "auto",
    **client: str,
) -> SetupPlan:
    return plan_setup(pod, choose(engine, pod, SHIPPED.engines), client, mount, toolkit)


def states(plan: SetupPlan) -> dict[str, str]:
    return {step.step: step.state for step in plan.steps}


def test_a_bare_pod_gets_every_step_in_order() -> None:
    plan = planned(facts("8x-h100", mounted=False), mount=NFS)
    assert [step.step for step in plan.steps] == STEPS
    assert plan.todo == STEPS[1:]
    assert plan.impossible is None


def test_a_bare_pod_without_gpus_gets_nothing_of_cuda() -> None:
    plan = planned(facts())
    assert [step.step for step in plan.steps] == STEPS
    assert plan.todo == [s for s in STEPS[1:] if s not in ("kernels", "toolkit", "mount")]


@pytest.mark.parametrize(("gpus", "engine"), [("", "cpu"), ("8x-h100", "release")])
def test_a_second_setup_has_nothing_to_do(gpus: str, engine: str) -> None:
    pod = ready_facts(engine, SHIPPED.engines[engine].version, gpus)
    plan = planned(pod)
    assert set(states(plan).values()) == {"ok", "skip"}
    assert plan.todo == []


def test_every_step_says_why() -> None:
    for pod in (facts("1x-h100"), ready_facts("release", "0.33.0", "1x-h100")):
        assert all(step.reason for step in planned(pod).steps)


@pytest.mark.parametrize(
    ("changes", "todo"),
    [
        ({"uv": ""}, ["uv"]),
        ({"models_path_exists": False}, ["storage"]),
        ({"links": {}}, ["verify"]),
        ({"links": {"release": "release-0.32.0"}}, ["verify"]),
        ({"engines": [{"name": "release-0.32.0", "vllm_version": "0.32.0", "kernels": ""}]},
         ["python", "engine", "kernels", "verify"]),
        ({"engines": [{"name": "release-0.33.0", "vllm_version": "0.33.0", "kernels": ""}]},
         ["kernels"]),
        ({"nvccs": []}, ["toolkit"]),
        ({"certificates": False}, ["packages"]),
        ({"environment": []}, ["environment"]),
        ({"models_path": "/elsewhere"}, ["environment"]),
    ],
)  # fmt: skip
def test_only_what_is_missing_is_done(changes: dict[str, Any], todo: list[str]) -> None:
    pod = ready_facts("release", "0.33.0", "1x-h100", **changes)
    assert planned(pod).todo == todo


def test_another_engine_is_installed_beside_the_one_that_is_there() -> None:
    pod = ready_facts("release", "0.33.0", "1x-h100")
    assert planned(pod, "cuda12").todo == ["python", "engine", "verify"]


def test_a_token_that_is_new_or_another_one_is_written_and_not_shown() -> None:
    pod = ready_facts("release", "0.33.0", "1x-h100", env={"HF_TOKEN": "hf_old"})
    same = planned(pod, HF_TOKEN="hf_old")
    other = planned(pod, HF_TOKEN="hf_new")
    assert same.todo == []
    assert other.todo == ["environment"]
    shown = " ".join(step.reason for step in other.steps)
    assert "HF_TOKEN" in shown
    assert "hf_" not in shown


def test_a_token_that_is_no_longer_exported_here_stays_on_the_pod() -> None:
    pod = ready_facts("release", "0.33.0", "1x-h100", env={"HF_TOKEN": "hf_old"})
    assert planned(pod).todo == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"libc": "", "os": "Alpine Linux v3.20"}, "Alpine Linux v3.20 has no glibc"),
        ({"tools": {"bash": "/bin/bash", "sha256sum": "/bin/sha256sum"}}, "flock, setsid"),
        ({"root_writable": False, "user": "me"}, "me may not write to /root/.pi"),
        ({"root_free_mib": 3072}, "3 GiB free"),
        ({"root_free_mib": 0}, "0 GiB free"),
    ],
)
def test_what_can_not_be_is_said_before_anything_is_done(
    changes: dict[str, Any], words: str
) -> None:
    step = planned(facts("1x-h100", **changes)).impossible
    assert step is not None
    assert step.step == "preflight"
    assert words in step.reason


@pytest.mark.parametrize(
    ("gpus", "engine", "free_mib", "possible"),
    [
        ("1x-h100", "auto", 15_000, False),
        ("1x-h100", "auto", 40_000, True),
        ("", "auto", 15_000, True),
        ("1x-h100", "auto", None, True),
    ],
)
def test_a_disk_must_hold_the_engine(
    gpus: str, engine: str, free_mib: int | None, possible: bool
) -> None:
    plan = planned(facts(gpus, root_free_mib=free_mib), engine)
    assert (plan.impossible is None) == possible


def test_a_full_disk_does_not_matter_when_the_engine_is_there() -> None:
    pod = ready_facts("release", "0.33.0", "1x-h100", root_free_mib=100)
    assert planned(pod).impossible is None


@pytest.mark.parametrize(
    ("rights", "state"), [("root", "todo"), ("passwordless", "todo"), ("none", "skip")]
)
def test_a_compiler_is_installed_only_with_the_right_to(rights: str, state: str) -> None:
    plan = planned(facts("1x-h100", rights=rights))
    assert states(plan)["packages"] == state
    assert ("packages" in plan.todo) == (state == "todo")


def test_without_the_right_to_install_one_the_compiler_is_named_for_the_one_who_has_it() -> None:
    (step,) = (s for s in planned(facts(rights="none")).steps if s.step == "packages")
    assert "build-essential" in step.reason


def python(version: str, headers: bool = True) -> dict[str, Any]:
    return {"path": f"/usr/bin/python{version}", "version": version, "headers": headers}


@pytest.mark.parametrize(
    ("gpus", "pythons", "path"),
    [
        ("1x-h100", [python("3.11"), python("3.12")], "/usr/bin/python3.12"),
        ("1x-h100", [python("3.9"), python("3.10")], None),
        ("1x-h100", [python("3.10"), python("3.11")], "/usr/bin/python3.11"),
        ("1x-h100", [python("3.15")], None),
        ("1x-h100", [python("3.12", headers=False)], None),
        ("1x-h100", [python("3.11"), python("3.12", headers=False)], "/usr/bin/python3.11"),
        ("", [python("3.12", headers=False)], "/usr/bin/python3.12"),
        ("1x-h100", [], None),
    ],
)
def test_the_newest_python_that_the_engine_can_use_is_taken(
    gpus: str, pythons: list[dict[str, Any]], path: str | None
) -> None:
    pod = facts(gpus, pythons=pythons)
    engine = choose("auto", pod, SHIPPED.engines)
    found = fitting_python(pod, engine)
    assert (found.path if found else None) == path
    plan = planned(pod)
    assert states(plan)["python"] == ("ok" if path else "todo")
    assert plan.python == (path or engine.recipe.python)


@pytest.mark.parametrize(
    ("specifier", "admitted"),
    [
        (">=3.11,<3.13", ["3.11", "3.12"]),
        (">=3.11, <3.13", ["3.11", "3.12"]),
        ("<3.13, >=3.11", ["3.11", "3.12"]),
        (">=3.12", ["3.12", "3.13"]),
    ],
)
def test_a_recipe_says_which_pythons_it_takes(specifier: str, admitted: list[str]) -> None:
    recipe = SHIPPED.engines["cpu"].model_copy(update={"python": specifier})
    for version in ("3.10", "3.11", "3.12", "3.13"):
        found = fitting_python(facts(pythons=[python(version)]), Choice("cpu", recipe, "", "cpu-1"))
        assert bool(found) == (version in admitted)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shm_mib": 64}, "/dev/shm has 64 MiB"),
        ({"root_free_mib": 30000, "models_free_mib": 30000,
          "volumes": [{"path": "/etc-like", "free_mib": 40000},
                      {"path": "/workspace", "free_mib": 900000}]},
         "/workspace has 879 GiB free: --root=/workspace/podfab puts all there"),
        ({"rights": "none"}, "ask for: apt-get install build-essential"),
    ],
)  # fmt: skip
def test_what_setup_can_not_change_is_a_warning(changes: dict[str, Any], words: str) -> None:
    assert any(words in warning for warning in planned(facts("8x-h100", **changes)).warnings)


def test_a_disk_that_is_too_small_names_the_big_one() -> None:
    volumes = [{"path": "/workspace", "free_mib": 900000}]
    plan = planned(facts("1x-h100", root_free_mib=9000, volumes=volumes))
    assert plan.impossible and "--root=/workspace/podfab" in plan.impossible.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"root_free_mib": 200000, "volumes": [{"path": "/data", "free_mib": 9000000}]},
        {"root_free_mib": 80000, "volumes": [{"path": "/data", "free_mib": 90000}]},
        {"root_free_mib": None, "models_free_mib": None},
    ],
)
def test_enough_room_needs_no_advice(changes: dict[str, Any]) -> None:
    assert planned(facts("1x-h100", **changes)).warnings == []


def test_one_gpu_needs_no_shared_memory() -> None:
    assert planned(facts("1x-h100", shm_mib=64)).warnings == []


@pytest.mark.parametrize(
    ("tools", "modules", "rights", "state", "words"),
    [
        ({"curl": "/c"}, "", "none", "todo", "with curl"),
        ({"wget": "/w"}, "", "none", "todo", "with wget"),
        ({"python3": "/p"}, "pip", "none", "todo", "with pip"),
        ({"python3": "/p"}, "", "none", "impossible", "neither curl, wget nor pip"),
        ({}, "", "root", "todo", "with curl"),
        ({}, "", "none", "impossible", "install curl on the pod"),
    ],
)
def test_uv_comes_from_what_is_there(
    tools: dict[str, str], modules: str, rights: str, state: str, words: str
) -> None:
    needed = {name: f"/bin/{name}" for name in ("bash", "flock", "setsid", "sha256sum", "apt-get")}
    pod = facts("1x-h100", tools={**needed, **tools}, modules=modules, rights=rights)
    plan = planned(pod)
    (step,) = [step for step in plan.steps if step.step == "uv"]
    assert (step.state, words in step.reason) == (state, True)
    assert ("curl" in plan.packages) == (not tools or (modules == "" and "python3" in tools))


def test_a_mount_that_is_there_has_nothing_to_do() -> None:
    plan = planned(facts("1x-h100", mounted=True), mount=NFS)
    assert states(plan)["mount"] == "ok"
    assert "nfs-common" not in plan.packages


def test_a_mount_needs_its_helper_and_root() -> None:
    plan = planned(facts("1x-h100", mounted=False), mount=NFS)
    assert "nfs-common" in plan.packages and states(plan)["mount"] == "todo"
    plan = planned(facts("1x-h100", mounted=False, rights="none"), mount=NFS)
    assert plan.impossible and "no root here to mount /mnt/models" in plan.impossible.reason


def test_a_root_below_a_mount_that_is_not_there_yet_is_refused() -> None:
    pod = facts("1x-h100", mounted=False, root="/mnt/models/podfab")
    plan = planned(pod, mount=NFS)
    assert plan.impossible and "mount it by hand first" in plan.impossible.reason


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({"models_path_exists": True}, "ok", "200 GiB free"),
        ({"models_path_exists": True, "models_path_writable": False, "user": "me"}, "impossible",
         "me may not write"),
        ({"models_path": "/mnt/models/hub"}, "todo", "once the mount is there"),
        ({"models_path": "/etc/passwd", "models_path_writable": False}, "impossible", "may not"),
        ({"models_path": "/srv/m", "models_path_writable": False, "rights": "passwordless"}, "todo",
         "make /srv/m"),
        ({"models_path": "/proc/x", "models_free_mib": 0}, "impossible", "no room for weights"),
    ],
)  # fmt: skip
def test_the_weights_need_a_folder_that_can_be_written(
    changes: dict[str, Any], state: str, words: str
) -> None:
    plan = planned(facts("1x-h100", mounted=False, **changes), mount=NFS)
    (step,) = [step for step in plan.steps if step.step == "storage"]
    assert (step.state, words in step.reason) == (state, True)


@pytest.mark.parametrize(
    ("gpus", "kernels", "state", "words"),
    [
        ("1x-h100", "", "todo", "vllm download-kernels"),
        ("1x-h100", "downloaded", "ok", "are installed"),
        ("1x-h100", "unavailable", "skip", "podfab-kernels to try again"),
        ("1x-rtx-4090", "", "skip", "the best GPU here has 8.9"),
        ("", "", "skip", "no GPU kernels"),
    ],
)
def test_kernels_are_fetched_for_the_gpus_that_want_them(
    gpus: str, kernels: str, state: str, words: str
) -> None:
    engine, version = ("release", "0.33.0") if gpus else ("cpu", "0.32.0")
    there = [{"name": f"{engine}-{version}", "vllm_version": version, "kernels": kernels}]
    plan = planned(ready_facts(engine, version, gpus, engines=there))
    (step,) = [step for step in plan.steps if step.step == "kernels"]
    assert (step.state, words in step.reason) == (state, True)
