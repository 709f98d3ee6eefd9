from __future__ import annotations

import pytest

from fabfile.errors import PodfabError
from fabfile.plan.engine import choose, wished
from fabfile.records.entries import Engine

from .given import SHIPPED, facts

ENGINES = SHIPPED.engines


@pytest.mark.parametrize(
    ("driver", "engine"),
    [
        ("610.43.02", "release"),
        ("580.65.06", "release"),
        ("580", "release"),
        ("579.99", "cuda12"),
        ("570.124.06", "cuda12"),
        ("550.54.15", "cuda12"),
        ("525.60.13", "cuda12"),
    ],
)
@pytest.mark.parametrize("gpus", ["1x-h100", "1x-t4", "8x-h100"])
def test_the_driver_decides_the_wheel(gpus: str, driver: str, engine: str) -> None:
    choice = choose("auto", facts(gpus, driver), ENGINES)
    assert choice.name == engine
    assert choice.recipe == ENGINES[engine]
    assert choice.folder == f"{engine}-{ENGINES[engine].version}"
    assert driver in choice.reason


@pytest.mark.parametrize("driver", ["470.57.02", "524.99", "[N/A]"])
def test_an_older_driver_is_refused_with_the_one_that_is_needed(driver: str) -> None:
    with pytest.raises(PodfabError) as refused:
        choose("auto", facts("1x-h100", driver), ENGINES)
    assert driver in str(refused.value)
    assert "driver 525" in str(refused.value)
    assert "580" in str(refused.value)


def test_a_card_that_no_wheel_has_kernels_for_is_refused_for_that_reason() -> None:
    with pytest.raises(PodfabError) as refused:
        choose("auto", facts("1x-p100"), ENGINES)
    assert "compute capability 7.5" in str(refused.value)
    assert "6.0" in str(refused.value)
    assert "driver" not in str(refused.value)


def test_an_old_c_library_is_refused_for_that_reason() -> None:
    with pytest.raises(PodfabError) as refused:
        choose("auto", facts("1x-h100", libc="glibc 2.17"), ENGINES)
    assert "glibc" in str(refused.value)
    assert "2.17" in str(refused.value)
    assert "driver" not in str(refused.value)


def test_the_weakest_card_of_a_pod_counts() -> None:
    weak = {"release": ENGINES["release"].model_copy(update={"min_compute_capability": 9.0})}
    with pytest.raises(PodfabError, match=r"9\.0"):
        choose("release", facts("mixed"), weak)


def test_a_pod_without_gpus_gets_the_cpu_build() -> None:
    assert choose("auto", facts(), ENGINES).name == "cpu"


@pytest.mark.parametrize("text", ["no-driver", "mismatch", "no-devices"])
def test_a_broken_driver_is_no_pod_without_gpus(text: str) -> None:
    with pytest.raises(PodfabError) as refused:
        choose("auto", facts(text), ENGINES)
    assert "--engine=cpu" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_the_cpu_build_can_be_asked_for_anywhere() -> None:
    for pod in (facts(), facts("no-driver"), facts("1x-h100")):
        assert choose("cpu", pod, ENGINES).name == "cpu"


@pytest.mark.parametrize(
    ("wish", "driver", "words"),
    [
        ("release", "570.124.06", "driver 580"),
        ("vllm==0.20.0", "570.124.06", "driver 580"),
        ("vllm==0.20", "570.124.06", "driver 580"),
        ("cuda12", "470.57.02", "driver 525"),
        ("vllm==0.19.1", "470.57.02", "driver 525"),
    ],
)
def test_an_engine_that_was_asked_for_must_run_too(wish: str, driver: str, words: str) -> None:
    with pytest.raises(PodfabError, match=words):
        choose(wish, facts("1x-h100", driver), ENGINES)


def test_a_gpu_engine_is_refused_where_there_is_no_gpu() -> None:
    with pytest.raises(PodfabError, match="needs an NVIDIA GPU"):
        choose("release", facts(), ENGINES)


@pytest.mark.parametrize(
    ("wish", "driver", "version"),
    [
        ("vllm==0.34.0", "580.95.05", "0.34.0"),
        ("vllm==0.34.0rc1", "580.95.05", "0.34.0rc1"),
        ("vllm==0.19.0", "550.54.15", "0.19.0"),
        ("vllm==0.9.2", "550.54.15", "0.9.2"),
    ],
)
def test_a_release_can_be_asked_for_by_its_version(wish: str, driver: str, version: str) -> None:
    choice = choose(wish, facts("1x-h100", driver), ENGINES)
    assert choice.recipe.version == version
    assert choice.recipe.package == "vllm"
    assert choice.folder == f"vllm-{version}"


@pytest.mark.parametrize("wish", ["relase", "vllm==", "vllm==../x", "vllm==0.1 --pre", ""])
def test_an_engine_that_nobody_knows_is_answered_with_those_there_are(wish: str) -> None:
    with pytest.raises(PodfabError, match="release, nightly, cuda12, cpu, auto, vllm==VERSION"):
        choose(wish, facts("1x-h100"), ENGINES)


def test_a_recipe_of_the_users_can_be_asked_for_by_its_name() -> None:
    mine = Engine(package="vllm-mine", version="1", python=">=3.11")
    assert choose("mine", facts("1x-h100"), {**ENGINES, "mine": mine}).folder == "mine-1"


def test_gpt_oss_is_understood_and_answered_by_the_current_release() -> None:
    choice = choose("gpt-oss", facts("1x-h100"), ENGINES)
    assert choice.folder == f"release-{ENGINES['release'].version}"
    assert "obsolete" in choice.reason
    assert choose("gpt-oss", facts("1x-h100", "550.54.15"), ENGINES).name == "cuda12"


def test_a_nightly_bears_its_day_and_stays_until_it_is_asked_for_again() -> None:
    pod = facts("1x-h100")
    assert choose("nightly", pod, ENGINES).folder == "nightly-20261122"
    engines = [{"name": "nightly-20261101", "vllm_version": "0.34.0.dev1", "kernels": ""}]
    later = facts("1x-h100", engines=engines, links={"nightly": "nightly-20261101"})
    assert choose("nightly", later, ENGINES, again=True).folder == "nightly-20261101"
    assert choose("nightly", later, ENGINES).folder == "nightly-20261122"


@pytest.mark.parametrize(
    ("folder", "name", "version"),
    [
        ("release-0.32.0", "release", "0.32.0"),
        ("nightly-20261101", "nightly", "20261101"),
        ("vllm-0.18.0", "vllm", "0.18.0"),
        ("my-own-1.2", "my-own", "1.2"),
    ],
)
def test_what_is_installed_can_be_taken_by_its_folder(folder: str, name: str, version: str) -> None:
    engines = [{"name": folder, "vllm_version": version, "kernels": ""}]
    choice = choose(folder, facts("1x-h100", engines=engines), ENGINES)
    assert (choice.name, choice.folder, choice.recipe.version) == (name, folder, version)


@pytest.mark.parametrize(
    ("engine", "version", "wish"),
    [
        (None, None, "auto"),
        ("release", "0.33.0", "auto"),
        ("cuda12", "0.19.1", "auto"),
        ("cpu", "0.32.0", "auto"),
        ("nightly", "0.34.0.dev1", "nightly"),
        ("gpt-oss", None, "gpt-oss"),
        ("vllm", "0.31.0", "vllm==0.31.0"),
        ("vllm", None, "auto"),
        ("mine", "1", "mine"),
    ],
)
def test_what_auto_would_never_take_was_asked_for_and_stays(
    engine: str | None, version: str | None, wish: str
) -> None:
    assert wished(engine, version) == wish


def test_the_cpu_engine_on_a_pod_with_gpus_was_asked_for_and_stays() -> None:
    assert wished("cpu", "0.32.0", has_gpus=True) == "cpu"


@pytest.mark.parametrize(
    ("cards", "words"),
    [("amd", "AMD GPUs are here, and podfab does not support them yet"),
     ("nvidia", "an NVIDIA GPU is here without its driver")],
)  # fmt: skip
def test_gpus_that_no_driver_shows_are_no_pod_without_gpus(cards: str, words: str) -> None:
    with pytest.raises(PodfabError, match=words) as refused:
        choose("auto", facts(cards=cards), ENGINES)
    assert "--engine=cpu" in str(refused.value)
    assert choose("cpu", facts(cards=cards), ENGINES).name == "cpu"


def test_a_machine_that_no_wheel_is_for_is_refused() -> None:
    with pytest.raises(PodfabError, match="no build for riscv64"):
        choose("auto", facts("1x-h100", arch="riscv64"), ENGINES)


def test_an_engine_whose_recipe_is_gone_stays_while_it_is_installed() -> None:
    engines = [{"name": "mine-1.2", "vllm_version": "0.31.0", "kernels": ""}]
    there = facts("1x-h100", engines=engines, links={"mine": "mine-1.2"})
    assert choose("mine", there, ENGINES, again=True).folder == "mine-1.2"
    assert choose("mine", facts("1x-h100"), ENGINES, again=True).name == "release"
    with pytest.raises(PodfabError, match="no engine is called 'mine'"):
        choose("mine", there, ENGINES)
