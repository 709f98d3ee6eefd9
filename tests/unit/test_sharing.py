"""Layouts, what runs on them, and a request: where it goes, or the text of the refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabfile.errors import PodfabError
from fabfile.plan import checks, fit
from fabfile.plan.asked import Wish
from fabfile.plan.facts import Facts
from fabfile.plan.launch import LaunchPlan, plan_launch
from fabfile.plan.sharing import free_share
from fabfile.records.entries import Model

from .given import SHIPPED, raw_job, ready_facts

SMALL, CODER, BIG = "Qwen/Qwen3-8B", "Qwen/Qwen3-Coder-30B-A3B-Instruct", "zai-org/GLM-4.5-Air"
H100_MIB = 81559


def layout(count: int, free: dict[int, float], running: dict[str, Any]) -> Facts:
    """A pod with H100s, of some of which only `free` GB are left, and models on those it says.

    A name that ends in `?` is of a model that is still starting.
    """
    jobs = [
        raw_job(name.rstrip("?"), ready=not name.endswith("?"),
                details={"kind": "serve", "gpus": ids, "port": 8001 + number})
        for number, (name, ids) in enumerate(running.items())
    ]  # fmt: skip
    facts = ready_facts("release", "0.33.0", "8x-h100", jobs=jobs)
    return replace(
        facts,
        gpus=[
            replace(gpu, free_mib=round(free[gpu.id] * 1e9 / 1024**2)) if gpu.id in free else gpu
            for gpu in facts.gpus[:count]
        ],
    )


def share(plan: LaunchPlan) -> str | None:
    flag = "--gpu-memory-utilization"
    return plan.args[plan.args.index(flag) + 1] if flag in plan.args else None


# gpus, GB free, what runs, the request: the GPUs and the share that it gets (None: vLLM's default)
PLACED: list[Any] = [
    (1, {}, {}, {}, [0], None),
    # whole GPUs first, the least used, equals by their number
    (8, {}, {}, {}, [0], None),
    (8, {0: 8.0}, {"a": [0]}, {}, [1], None),
    (8, {0: 8.0, 1: 8.0}, {"a": [0, 1]}, {}, [2], None),
    (8, {0: 8.0, 1: 8.0}, {"a": [0, 1]}, {"gpus": 2}, [2, 3], None),
    (8, {0: 8.0, 2: 8.0}, {"a": [0], "b": [2]}, {"gpus": 4}, [1, 3, 4, 5], None),
    (8, {}, {"a?": [0]}, {}, [1], None),
    # what is not ours counts too
    (8, {0: 40.0}, {}, {}, [1], None),
    # one GPU is shared when no whole one is left: the one with most room, with what is free
    (1, {0: 40.0}, {"a": [0]}, {}, [0], "0.46"),
    (1, {0: 40.0}, {}, {}, [0], "0.46"),
    (2, {0: 30.0, 1: 40.0}, {"a": [0], "b": [1]}, {}, [1], "0.46"),
    (2, {0: 40.0, 1: 60.0}, {"a": [0], "b?": [1]}, {}, [0], "0.46"),
    # several with others than ours, with what the fullest leaves
    (2, {0: 70.0, 1: 75.0}, {}, {"gpus": 2}, [0, 1], "0.82"),
    (2, {0: 70.0, 1: 75.0}, {}, {"model": BIG + "-FP8"}, [0, 1], "0.82"),
    # what is asked for is done
    (2, {0: 40.0}, {"a": [0]}, {"gpus": [0], "memory": 0.4}, [0], "0.4"),
    (2, {0: 40.0, 1: 50.0}, {"a": [0], "b": [1]}, {"memory": 0.4}, [1], "0.4"),
]


@pytest.mark.parametrize(("gpus", "free", "running", "wish", "ids", "part"), PLACED)
def test_a_model_goes_to_whole_gpus_first_then_to_what_is_free(
    gpus: int,
    free: dict[int, float],
    running: dict[str, Any],
    wish: dict[str, Any],
    ids: list[int],
    part: str | None,
) -> None:
    asked = Wish(**{"model": SMALL, "name": "new", **wish})
    found = plan_launch(asked, layout(gpus, free, running), SHIPPED, "release")
    assert (found.gpus, share(found), found.failed) == (ids, part, [])
    assert sorted(found.beside) == sorted(
        name for name, held in running.items() if set(held) & set(ids)
    )


# gpus, GB free, what runs, the request: the words of the refusal
REFUSED: list[Any] = [
    (1, {0: 6.0}, {"a": [0]}, {},
     "GPU 0 has 6.0 GB free, vLLM takes 92% of it, 77.1 GB; inv models.stop --name=a frees it"),
    (1, {0: 60.0}, {"a?": [0]}, {},
     "a is still starting there, and two that start at once on one GPU miscount its memory; wait "
     "until it is ready, or take other --gpus"),
    (2, {0: 50.0}, {"a": [0]}, {"gpus": [0]},
     "GPU 0 has 50.0 GB free, vLLM takes 92% of it, 77.1 GB; inv models.stop --name=a frees it, "
     "or share it: --memory=58%"),
    (2, {0: 40.0, 1: 40.0}, {"a": [0], "b": [1]}, {"model": BIG + "-FP8"},
     "GPU 0 has 40.0 GB free"),
    (1, {0: 20.0}, {}, {"model": CODER}, "something else uses it"),
]  # fmt: skip


@pytest.mark.parametrize(("gpus", "free", "running", "wish", "words"), REFUSED)
def test_a_model_that_finds_no_room_is_told_what_would_make_it(
    gpus: int, free: dict[int, float], running: dict[str, Any], wish: dict[str, Any], words: str
) -> None:
    asked = Wish(**{"model": SMALL, "name": "new", **wish})
    facts = layout(gpus, free, running)
    try:
        details = [c.detail for c in plan_launch(asked, facts, SHIPPED, "release").failed]
    except PodfabError as error:
        details = [error.text]
    assert any(words in detail for detail in details), details


def test_the_plan_says_with_whom_a_gpu_is_shared() -> None:
    facts = layout(1, {0: 40.0}, {"a": [0]})
    found = plan_launch(Wish(SMALL, "new"), facts, SHIPPED, "release")
    assert found.how.endswith("; beside a on GPU 0, with the 46% that is free")
    (memory,) = [check for check in found.checks if check.check == "memory"]
    assert "x 0.46 = " in memory.detail


def test_a_model_of_which_too_little_is_known_shares_nothing() -> None:
    known = SHIPPED.model_copy(update={"models": {"me/m": Model(weights_gb=2)}})
    facts = layout(1, {0: 40.0}, {"a": [0]})
    assert plan_launch(Wish("me/m", "new"), facts, known, "release").failed


@given(st.lists(st.floats(0, 85), min_size=1, max_size=8), st.sampled_from([SMALL, CODER, BIG]))
def test_what_is_planned_without_a_failed_check_fits_into_what_is_free(
    free: list[float], model: str
) -> None:
    facts = layout(8, {**dict.fromkeys(range(8), 0.5), **dict(enumerate(free))}, {"a": [0]})
    try:
        found = plan_launch(Wish(model, "new"), facts, SHIPPED, "release")
    except PodfabError:
        return
    if not found.failed:
        takes = float(share(found) or fit.UTILIZATION) * fit.gb(H100_MIB) * 0.98
        assert all(takes <= fit.gb(facts.gpus[id_].free_mib) for id_ in found.gpus)


@given(st.integers(0, H100_MIB))
def test_the_share_that_is_free_leaves_a_little(free_mib: int) -> None:
    gpu = replace(layout(1, {}, {}).gpus[0], free_mib=free_mib)
    assert free_share(gpu) <= fit.UTILIZATION
    assert free_share(gpu) * fit.gb(H100_MIB) * 0.98 <= checks.gb(free_mib)
