from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from fabfile.records.entries import Catalog, Configuration, Model
from tests.support import check_catalog
from tests.support.vllm_source import problems, read

SOURCE = {
    "vllm/engine/arg_utils.py": '''
class EngineArgs:
    @staticmethod
    def add_cli_args(parser):
        group.add_argument("--max-model-len", **kwargs["max_model_len"])
        group.add_argument("--enforce-eager", "-e", action="store_true")
        group.add_argument("--tensor-parallel-size", "-tp")
        group.add_argument("--async-scheduling")
        group.add_argument("--speculative-config", "-sc")
''',
    "vllm/entrypoints/common/cli_args.py": '''
class BaseFrontendArgs:
    chat_template: str | None = None
class FrontendArgs(BaseFrontendArgs):
    """Text."""
    enable_auto_tool_choice: bool = False
class Other:
    not_a_flag: int
''',
    "vllm/envs.py": '''
environment_variables: dict[str, object] = {
    "VLLM_USE_DEEP_GEMM": lambda: 1,
}
''',
    "vllm/tool_parsers/__init__.py": '_TOOL_PARSERS_TO_REGISTER = {"hermes": ("file", "Class")}',
    "vllm/reasoning/__init__.py": '_REASONING_PARSERS_TO_REGISTER = {"qwen3": ("a", "b")}',
    "vllm/model_executor/models/registry.py": '_TEXT_MODELS = {"Qwen3ForCausalLM": ("a", "b")}',
    "vllm-0.30.0.dist-info/METADATA": "Name: vllm",
}  # fmt: skip


def wheel(folder: Path, sources: dict[str, str]) -> Path:
    path = folder / "vllm-0.30.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in sources.items():
            archive.writestr(name, text)
    return path


def found(tmp_path: Path, **model: object) -> tuple[list[str], list[str]]:
    catalog = Catalog(engines={}, gpus={}, models={"me/m": Model.model_validate(model)})
    return problems(catalog, read(wheel(tmp_path, SOURCE)))


def way(**changes: object) -> list[Configuration]:
    return [Configuration.model_validate({"gpus": 1, "gpu_types": ["any"], **changes})]


def test_a_wheel_is_read_without_installing_it(tmp_path: Path) -> None:
    accepts = read(wheel(tmp_path, SOURCE))
    assert accepts.version == "0.30.0"
    assert {"max-model-len", "enforce-eager", "chat-template", "enable-auto-tool-choice"} <= (
        accepts.flags
    )
    assert "not-a-flag" not in accepts.flags
    assert (accepts.tool_parsers, accepts.reasoning_parsers) == ({"hermes"}, {"qwen3"})
    assert (accepts.variables, accepts.architectures) == (
        {"VLLM_USE_DEEP_GEMM"},
        {"Qwen3ForCausalLM"},
    )


def test_an_unpacked_package_is_read_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel(tmp_path, SOURCE)) as archive:
        archive.extractall(tmp_path / "site")
    assert read(tmp_path / "site") == read(tmp_path / "vllm-0.30.0-py3-none-any.whl")


def test_parsers_that_register_themselves_are_found(tmp_path: Path) -> None:
    old = {name: text for name, text in SOURCE.items() if "parsers" not in name}
    old["vllm/entrypoints/openai/tool_parsers/x_tool_parser.py"] = '''
@ToolParserManager.register_module(["granite4", "granite"])
class XToolParser:
    pass
'''  # fmt: skip
    assert read(wheel(tmp_path, old)).tool_parsers == {"granite4", "granite"}


@pytest.mark.parametrize("gone", [name for name in SOURCE if name.endswith(".py")])
def test_a_vllm_that_is_built_otherwise_is_an_error_not_a_pass(tmp_path: Path, gone: str) -> None:
    rest = {name: text for name, text in SOURCE.items() if name != gone}
    with pytest.raises(LookupError):
        read(wheel(tmp_path, rest))


@pytest.mark.parametrize(
    "model",
    [
        {"tool_parser": "hermes", "reasoning_parser": "qwen3", "architecture": "Qwen3ForCausalLM"},
        {"configs": way(args={"max-model-len": 1, "no-async-scheduling": True})},
        {"configs": way(args={"speculative-config.method": "mtp"})},
        {"configs": way(env={"VLLM_USE_DEEP_GEMM": "0", "NCCL_DEBUG": "INFO"})},
        {"min_engine": "0.30.0"},
    ],
)
def test_what_a_vllm_accepts_is_no_problem(tmp_path: Path, model: dict[str, object]) -> None:
    assert found(tmp_path, **model) == ([], [])


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ({"tool_parser": "herms"}, "tool_parser herms is not known to vLLM 0.30.0"),
        ({"reasoning_parser": "r1"}, "reasoning_parser r1 is not known to vLLM 0.30.0"),
        ({"architecture": "New"}, "architecture New is not known to vLLM 0.30.0"),
        ({"configs": way(args={"swap-space": 4})}, "--swap-space is no argument of vLLM 0.30.0"),
        ({"configs": way(env={"VLLM_USE_V1": "1"})}, "VLLM_USE_V1 is no variable of vLLM 0.30.0"),
    ],
)
def test_what_a_vllm_does_not_accept_is_named(
    tmp_path: Path, model: dict[str, object], problem: str
) -> None:
    assert found(tmp_path, **model) == ([f"me/m: {problem}"], [])


def test_a_model_that_asks_for_a_newer_vllm_is_left_out_and_named(tmp_path: Path) -> None:
    assert found(tmp_path, tool_parser="new", min_engine="0.31.0") == ([], ["me/m"])


def test_the_command_ends_with_1_when_something_is_wrong_and_with_2_when_it_can_not_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_catalog.main(str(wheel(tmp_path, SOURCE))) == 1, "it knows next to nothing"
    assert "is not known to vLLM 0.30.0" in capsys.readouterr().out
    (tmp_path / "text").write_text("no wheel")
    assert check_catalog.main(str(tmp_path / "text")) == 2
    assert "that can not be checked" in capsys.readouterr().err
