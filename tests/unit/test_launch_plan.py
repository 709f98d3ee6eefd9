from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabfile.errors import PodfabError, UsageError
from fabfile.plan import arguments
from fabfile.plan.asked import Wish
from fabfile.plan.facts import Facts
from fabfile.plan.hardware import Gpu
from fabfile.plan.launch import LaunchPlan, plan_launch
from fabfile.plan.placement import choose_port, place
from fabfile.records.entries import Catalog, Configuration, Model

from .given import SHIPPED, job, raw_job, ready_facts


def pod(gpus: str = "8x-h100", **changes: Any) -> Facts:
    return ready_facts("release", "0.33.0", gpus, **changes)


def plan(
    wish: Wish, facts: Facts | None = None, catalog: Catalog = SHIPPED, engine: str = "release"
) -> LaunchPlan:
    return plan_launch(wish, facts or pod(), catalog, engine)


def catalog_with(**fields: Any) -> Catalog:
    """A catalog that knows one model, me/mine."""
    return SHIPPED.model_copy(update={"models": {"me/mine": Model(**fields)}})


def values(found: LaunchPlan, flag: str) -> list[str] | None:
    """The words that follow a flag, or None when it is not given."""
    if flag not in found.args:
        return None
    after = found.args[found.args.index(flag) + 1 :]
    end = next((i for i, word in enumerate(after) if word.startswith("--")), len(after))
    return after[:end]


def gpu(id_: int, free_mib: int | None = 80_000) -> Gpu:
    return Gpu(id_, f"GPU-{id_}", "NVIDIA H100 80GB HBM3", 81_559, free_mib, 9.0)


def on(*gpus: int, alive: bool = True, name: str = "other") -> Any:
    return job(name, alive=alive, details={"gpus": list(gpus)})


@pytest.mark.parametrize(
    ("gpus", "jobs", "wish", "ids"),
    [
        ([gpu(0), gpu(1)], [], 1, [0]),
        ([gpu(0, 10_000), gpu(1)], [], 1, [1]),
        ([gpu(0), gpu(1)], [on(0)], 1, [1]),
        ([gpu(0), gpu(1, 10_000)], [on(0)], 1, [1]),
        ([gpu(0), gpu(1)], [on(0, alive=False)], 1, [0]),
        ([gpu(0), gpu(1), gpu(2)], [on(0, 1), on(0)], 2, [1, 2]),
        ([gpu(0), gpu(1), gpu(2), gpu(3)], [on(0), on(2)], 2, [1, 3]),
        ([gpu(0, None), gpu(1, 10)], [], 1, [1]),
        ([gpu(0), gpu(1)], [on(0), on(1)], [0, 1], [0, 1]),
        ([gpu(0), gpu(1)], [], [1, 0], [1, 0]),
        ([], [], 0, []),
    ],
)
def test_a_model_goes_to_the_gpus_that_are_least_used_or_to_those_named(
    gpus: list[Gpu], jobs: list[Any], wish: int | list[int], ids: list[int]
) -> None:
    assert [found.id for found in place(gpus, jobs, wish)] == ids


@pytest.mark.parametrize(
    ("gpus", "wish", "words"),
    [
        ([gpu(0)], 2, "2 GPUs are wanted, this pod has 1"),
        ([], 1, "1 GPUs are wanted, this pod has 0"),
        ([gpu(0), gpu(1)], [1, 7], "no GPU 7; this pod has: 0, 1"),
        ([], [0], "no GPU 0; this pod has: none"),
    ],
)
def test_gpus_that_are_not_there_are_named(
    gpus: list[Gpu], wish: int | list[int], words: str
) -> None:
    with pytest.raises(PodfabError, match=words):
        place(gpus, [], wish)


@given(st.sets(st.integers(8001, 8040)), st.integers(8001, 8030))
def test_the_port_is_the_first_free_one(taken: set[int], first: int) -> None:
    port = choose_port(first, taken)
    assert port not in taken
    assert set(range(first, port)) <= taken


def test_no_free_port_is_an_error_with_the_flag_that_helps() -> None:
    assert choose_port(65535, []) == 65535
    with pytest.raises(PodfabError, match="--port"):
        choose_port(65535, [65535])


def test_the_plan_of_a_known_model_is_the_catalogs() -> None:
    found = plan(Wish("Qwen/Qwen3-8B", "qwen"))
    assert found.args == [
        "--served-model-name", "qwen", "Qwen/Qwen3-8B",
        "--host", "127.0.0.1",
        "--port", "8001",
        "--disable-access-log-for-endpoints", "/health,/metrics",
        "--enable-auto-tool-choice",
        "--tool-call-parser", "hermes",
        "--reasoning-parser", "qwen3",
    ]  # fmt: skip
    assert found.env == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "0"}
    assert (found.engine, found.port, found.gpus) == ("release-0.33.0", 8001, [0])
    assert found.failed == []


def test_the_json_of_a_plan_has_the_fields_that_scripts_rely_on() -> None:
    document = plan(Wish("Qwen/Qwen3-8B", "qwen")).document("dc1")
    assert set(document) >= {
        "pod", "name", "model", "port", "gpus", "engine", "args", "env", "checks"
    }  # fmt: skip
    assert document["pod"] == "dc1"
    assert all(set(check) >= {"check", "ok", "detail"} for check in document["checks"])


@pytest.mark.parametrize(
    ("model", "gpus", "count", "tensor", "context"),
    [
        ("openai/gpt-oss-120b", "1x-h100", 1, None, ["32768"]),
        ("openai/gpt-oss-120b", "1x-h200", 1, None, None),
        ("openai/gpt-oss-120b", "2x-l40s", 2, ["2"], None),
        ("Qwen/Qwen3-8B", "1x-rtx-4090", 1, None, ["26624"]),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "1x-h100", 1, None, ["108544"]),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "2x-a100-80", 1, None, ["119808"]),
        ("zai-org/GLM-4.5-Air", "8x-h100", 4, ["4"], None),
    ],
)
def test_the_configuration_is_the_one_for_these_gpus(
    model: str, gpus: str, count: int, tensor: list[str] | None, context: list[str] | None
) -> None:
    found = plan(Wish(model, "m"), pod(gpus))
    assert len(found.gpus) == count
    assert values(found, "--tensor-parallel-size") == tensor
    assert values(found, "--max-model-len") == context


def test_a_pod_without_gpus_gets_the_configuration_for_the_cpu() -> None:
    facts = ready_facts("cpu", "0.32.0")
    found = plan(Wish("Qwen/Qwen3-0.6B", "q"), facts, engine="cpu")
    assert found.gpus == []
    assert "CUDA_VISIBLE_DEVICES" not in found.env
    assert found.env["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert values(found, "--enforce-eager") == []


def test_weights_that_are_too_big_for_an_unknown_card_are_not_tried() -> None:
    any_card = [Configuration(gpus=1, gpu_types=["any"])]
    big = catalog_with(weights_gb=20, configs=any_card)
    assert plan(Wish("me/mine", "m"), pod("1x-h100"), big).gpus == [0]
    with pytest.raises(PodfabError, match="does not fit here"):
        plan(Wish("me/mine", "m"), pod("1x-t4"), big)


def test_a_configuration_for_this_very_card_comes_before_one_for_any() -> None:
    known = catalog_with(
        configs=[
            Configuration(gpus=1, gpu_types=["any"], args={"max-model-len": 1}),
            Configuration(gpus=1, gpu_types=["H100"], args={"max-model-len": 2}),
        ]
    )
    assert values(plan(Wish("me/mine", "m"), catalog=known), "--max-model-len") == ["2"]
    assert values(plan(Wish("me/mine", "m"), pod("1x-t4"), known), "--max-model-len") == ["1"]


def test_a_model_that_does_not_fit_is_refused_with_what_it_is_known_to_run_on() -> None:
    with pytest.raises(PodfabError) as refused:
        plan(Wish("openai/gpt-oss-120b", "m"), pod("1x-t4"))
    assert "1 x Tesla T4" in str(refused.value)
    assert "2 x H100" in str(refused.value)
    assert "--gpus=N" in str(refused.value)


def test_a_number_of_gpus_tries_what_is_not_known_to_fit() -> None:
    found = plan(Wish("zai-org/GLM-4.5-Air", "m", gpus=3))
    assert len(found.gpus) == 3
    assert values(found, "--tensor-parallel-size") == ["3"]
    assert "not known to work" in found.how
    (check,) = [check for check in found.failed if check.check == "memory"]
    assert check.detail == "3 GPUs can not share its 8 key-value heads evenly; 1 or 2 or 4 or 8 can"


@pytest.mark.parametrize(
    ("gpus", "ids", "tensor"),
    [
        (None, [0], None),
        (1, [0], None),
        ([5], [5], None),
        (2, [0, 1], ["2"]),
        ([2, 3], [2, 3], ["2"]),
        (8, list(range(8)), ["8"]),
    ],
)
def test_a_model_nobody_knows_is_spread_over_the_gpus_that_are_asked_for(
    gpus: int | list[int] | None, ids: list[int], tensor: list[str] | None
) -> None:
    found = plan(Wish("me/unknown", "m", gpus=gpus))
    assert found.gpus == ids
    assert found.env["CUDA_VISIBLE_DEVICES"] == ",".join(map(str, ids))
    assert values(found, "--tensor-parallel-size") == tensor
    assert "not known to work" in found.how


def test_every_placement_is_pinned_also_one_of_all_gpus() -> None:
    found = plan(Wish("openai/gpt-oss-120b", "m", gpus=8))
    assert found.env["CUDA_VISIBLE_DEVICES"] == "0,1,2,3,4,5,6,7"
    assert found.env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_a_second_model_gets_another_gpu_and_port() -> None:
    facts = pod(jobs=[raw_job()], ports="0100007F:1F41\n")
    found = plan(Wish("Qwen/Qwen3-8B", "second"), facts)
    assert found.port == 8002
    assert found.gpus == [1]


def test_the_port_of_a_model_that_does_not_listen_yet_is_taken_too() -> None:
    facts = pod(jobs=[raw_job()], ports="")
    assert plan(Wish("Qwen/Qwen3-8B", "second"), facts).port == 8002


def test_asking_for_the_port_of_a_model_that_does_not_listen_yet_fails_the_check() -> None:
    facts = pod(jobs=[raw_job()], ports="")
    asked = plan(Wish("Qwen/Qwen3-8B", "second", port=8001), facts)
    assert [check.check for check in asked.failed] == ["port"]


def test_the_port_of_a_model_that_ended_is_free_again() -> None:
    facts = pod(jobs=[raw_job(alive=False, exit=1)], ports="")
    assert plan(Wish("Qwen/Qwen3-8B", "second"), facts).port == 8001


def test_a_port_that_is_in_use_fails_the_check() -> None:
    asked = plan(Wish("Qwen/Qwen3-8B", "q", port=9000), pod(ports="00000000:2328\n"))
    assert asked.port == 9000
    (check,) = asked.failed
    assert check.check == "port"
    assert "9000" in check.detail and "--port" in check.detail


def test_a_gpu_with_less_free_than_vllm_takes_fails_the_check_with_the_arithmetic() -> None:
    known = catalog_with(weights_gb=70, configs=[Configuration(gpus=1, gpu_types=["H100"])])
    busy = ready_facts("release", "0.33.0", "1x-h100")
    full = Gpu(**{**vars(busy.gpus[0]), "free_mib": 20_000})
    busy = Facts(**{**vars(busy), "gpus": [full]})
    (check,) = plan(Wish("me/mine", "m"), busy, known).failed
    assert check.check == "memory"
    assert "GPU 0 has 21.0 GB free, vLLM takes 92% of it, 77.1 GB" in check.detail


GATED = {"weights_gb": 100, "gated": True, "context": 4096, "heads": 8, "cache": []}


@pytest.mark.parametrize(
    ("changes", "token", "failed", "words"),
    [
        ({"models_free_mib": 200_000}, True, [], "100.0 of 100 GB are still to be downloaded"),
        ({"models_free_mib": 90_000}, True, ["disk"], "94.4 GB are free in /root/.pi/models; inv"),
        ({"models_free_mib": None}, True, [], "HF_TOKEN is there"),
        ({"models_free_mib": 90_000, "weights_mib": 30_000}, True, [], "68.5 of 100 GB"),
        ({"models_free_mib": 0, "weights_mib": 94_000}, False, [], "0.0 of 100 GB"),
        ({"models_free_mib": 200_000}, False, ["gated"], "https://huggingface.co/me/mine, then"),
        ({"models_free_mib": 200_000, "token": True}, False, [], "HF_TOKEN is there"),
        ({"models_free_mib": 9, "weights_mib": 9}, False, ["disk", "gated"], "100.0 of 100 GB"),
    ],
)
def test_the_weights_need_room_and_a_gated_model_a_token(
    changes: dict[str, Any], token: bool, failed: list[str], words: str
) -> None:
    found = plan(Wish("me/mine", "m", token=token), pod(**changes), catalog_with(**GATED))
    assert [check.check for check in found.failed if check.check != "shm"] == failed
    assert any(words in check.detail for check in found.checks)


def test_a_folder_on_the_pod_is_not_downloaded() -> None:
    known = SHIPPED.model_copy(update={"models": {"/data/mine": Model(**GATED)}})
    found = plan(Wish("/data/mine", "m"), pod(models_free_mib=1), known)
    assert not {"disk", "gated"} & {check.check for check in found.checks}


@pytest.mark.parametrize(
    ("shm_mib", "gpus", "ok"),
    [(64, 2, [False]), (1024, 2, [True]), (None, 2, []), (64, 1, [])],
)
def test_several_gpus_need_shared_memory(shm_mib: int | None, gpus: int, ok: list[bool]) -> None:
    found = plan(Wish("Qwen/Qwen3-8B", "q", gpus=gpus), pod(shm_mib=shm_mib))
    assert [check.ok for check in found.checks if check.check == "shm"] == ok


@pytest.mark.parametrize(("gpus", "failed"), [("8x-h100", []), ("1x-t4", ["capability", "memory"])])
def test_cards_of_an_older_generation_are_told(gpus: str, failed: list[str]) -> None:
    known = catalog_with(
        min_compute_capability=8.9, configs=[Configuration(gpus=1, gpu_types=["any"])]
    )
    found = plan(Wish("me/mine", "m", gpus=1), pod(gpus), known)
    assert [check.check for check in found.failed] == failed
    (check,) = [check for check in found.checks if check.check == "capability"]
    here = "9.0" if gpus == "8x-h100" else "7.5"
    assert check.detail.startswith(f"compute capability {here} is here, 8.9 is needed")


def test_an_engine_that_is_too_old_for_the_model_fails_the_check() -> None:
    known = catalog_with(min_engine="0.34.0")
    (check,) = plan(Wish("me/mine", "m"), catalog=known).failed
    assert check.check == "engine"
    assert "0.33.0" in check.detail and "0.34.0" in check.detail


def test_a_version_with_two_digits_is_newer_than_one_with_one() -> None:
    known = catalog_with(min_engine="0.9.2")
    assert plan(Wish("me/mine", "m"), catalog=known).failed == []


@pytest.mark.parametrize(
    ("wish", "engine", "folder"),
    [
        (None, "release", "release-0.33.0"),
        ("release-0.33.0", "cuda12", "release-0.33.0"),
        ("release", "", "release-0.33.0"),
    ],
)
def test_the_engine_is_the_wished_one_or_the_pods(
    wish: str | None, engine: str, folder: str
) -> None:
    assert plan(Wish("me/mine", "m", engine=wish), engine=engine).engine == folder


@pytest.mark.parametrize(("wish", "engine"), [("cuda12", "release"), (None, "cuda12"), (None, "")])
def test_an_engine_that_is_not_installed_is_refused_with_those_that_are(
    wish: str | None, engine: str
) -> None:
    with pytest.raises(PodfabError, match=r"is not installed \(there: release\); run setup"):
        plan(Wish("me/mine", "m", engine=wish), engine=engine)


def test_the_port_is_bound_to_the_pods_loopback_unless_it_shall_be_public() -> None:
    assert values(plan(Wish("me/mine", "m")), "--host") == ["127.0.0.1"]
    assert values(plan(Wish("me/mine", "m", public=True)), "--host") == ["0.0.0.0"]


def test_a_model_answers_to_its_name_and_to_its_id() -> None:
    assert values(plan(Wish("me/mine", "m")), "--served-model-name") == ["m", "me/mine"]
    assert values(plan(Wish("mine", "mine")), "--served-model-name") == ["mine"]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({}, ["26624"]),
        ({"context": "4096"}, ["4096"]),
        ({"context": "auto"}, ["auto"]),
        ({"vllm_args": "--max-model-len 2048"}, ["2048"]),
        ({"context": "4096", "vllm_args": "--max-model-len=2048"}, ["2048"]),
        ({"context": "4096", "vllm_args": "--max_model_len 2048"}, ["2048"]),
        ({"vllm_args": "--max-model-len -1"}, ["-1"]),
    ],
)
def test_arguments_are_laid_over_each_other_and_the_last_word_is_the_users(
    wish: dict[str, Any], expected: list[str]
) -> None:
    found = plan(Wish("Qwen/Qwen3-8B", "m", **wish), pod("1x-rtx-4090"))
    assert values(found, "--max-model-len") == expected
    assert found.args.count("--max-model-len") == 1


def test_a_share_of_the_memory_wins_over_the_catalogs() -> None:
    found = plan(Wish("openai/gpt-oss-120b", "m", gpus=1, memory=0.5), pod("1x-h100"))
    assert values(found, "--gpu-memory-utilization") == ["0.5"]


def test_a_users_parser_replaces_the_catalogs() -> None:
    found = plan(Wish("Qwen/Qwen3-8B", "m", vllm_args="--tool-call-parser qwen3_xml"))
    assert values(found, "--tool-call-parser") == ["qwen3_xml"]
    assert "hermes" not in found.args


@pytest.mark.parametrize(
    ("args", "vllm_args", "there", "gone"),
    [
        ({"async-scheduling": True}, "", "--async-scheduling", "--no-async-scheduling"),
        ({"async-scheduling": False}, "", "--no-async-scheduling", "--async-scheduling"),
        ({"async-scheduling": True}, "--no-async-scheduling",
         "--no-async-scheduling", "--async-scheduling"),
        ({"async-scheduling": False}, "--async-scheduling",
         "--async-scheduling", "--no-async-scheduling"),
        ({}, "--async-scheduling --no-async-scheduling",
         "--no-async-scheduling", "--async-scheduling"),
    ],
)  # fmt: skip
def test_a_flag_and_its_no_form_never_stand_together(
    args: dict[str, Any], vllm_args: str, there: str, gone: str
) -> None:
    known = catalog_with(configs=[Configuration(gpus=1, gpu_types=["any"], args=args)])
    found = plan(Wish("me/mine", "m", vllm_args=vllm_args), catalog=known)
    assert there in found.args
    assert gone not in found.args


def test_the_users_parser_flag_can_be_taken_away() -> None:
    found = plan(Wish("Qwen/Qwen3-8B", "m", vllm_args="--no-enable-auto-tool-choice"))
    assert "--enable-auto-tool-choice" not in found.args


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("--host 0.0.0.0", "--public"),
        ("--host=0.0.0.0", "--public"),
        ("--port 9000", "--port"),
        ("--served-model-name other", "--name"),
        ("--served_model_name other", "--name"),
        ("--api-key sk-1", "PI_API_KEY"),
        ("--api_key=sk-1", "PI_API_KEY"),
        ("--enforce-eager --api-key sk-1", "PI_API_KEY"),
    ],
)
def test_flags_that_podfab_sets_itself_are_refused_with_the_one_to_use(text: str, use: str) -> None:
    with pytest.raises(PodfabError, match=use) as refused:
        plan(Wish("me/mine", "m", vllm_args=text))
    assert refused.value.code == 2
    assert "sk-1" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("--enforce-eager", ["--enforce-eager"]),
        ("-tp 2", ["--tensor-parallel-size", "2"]),
        ("-tp=2", ["--tensor-parallel-size", "2"]),
        ("--a_b=c_d", ["--a-b", "c_d"]),
        ("--a=", ["--a", ""]),
        ("--a b c", ["--a", "b", "c"]),
        ("--a b --a c", ["--a", "c"]),
        ("--a -1.5 --b", ["--a", "-1.5", "--b"]),
        ("""--j '{"a b": 1}'""", ["--j", '{"a b": 1}']),
        ("--lora-modules x=/y z=/w", ["--lora-modules", "x=/y", "z=/w"]),
    ],
)
def test_vllm_args_are_split_as_a_shell_would(text: str, words: list[str]) -> None:
    assert arguments.words(arguments.from_text(text)) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("4096", "begins with '4096'"),
        ("-x 1", "'-x' is not known"),
        ("--", "'--' is not known"),
        ("--a 'b", "No closing quotation"),
    ],
)
def test_vllm_args_that_are_no_flags_are_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        arguments.from_text(text)


_flag = st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True).filter(
    lambda flag: not flag.startswith("no-")
)
_value = st.text(min_size=1).filter(lambda value: not value.startswith("-"))
_arguments = st.dictionaries(_flag, st.lists(_value, max_size=3), max_size=4)


@given(_arguments)
def test_arguments_written_as_words_and_read_again_are_the_same(
    given_arguments: arguments.Arguments,
) -> None:
    text = shlex.join(arguments.words(given_arguments))
    assert arguments.from_text(text) == given_arguments


@given(_arguments, _arguments)
def test_what_is_laid_over_is_all_there_and_nothing_of_the_rest_is_lost(
    under: arguments.Arguments, over: arguments.Arguments
) -> None:
    both = arguments.laid_over(under, over)
    assert {flag: both[flag] for flag in over} == over
    assert {flag: both[flag] for flag in under if flag not in over} == {
        flag: under[flag] for flag in under if flag not in over
    }
    assert set(both) == {*under, *over}
