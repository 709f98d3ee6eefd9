"""What a model may write into a call, and what it is told when that is not right."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fabfile.chat.tools.roots import Roots
from fabfile.chat.tools.toolbox import Toolbox
from fabfile.errors import UsageError

from .toolboxes import proper, tree

SCHEMAS = {each["function"]["name"]: each["function"] for each in Toolbox(Roots("/")).schemas}


@pytest.fixture
def box(tmp_path: Path) -> Toolbox:
    return Toolbox(Roots(str(tree(tmp_path / "work", f="one\ntwo\n", sub__g="x"))))


def test_the_tools_are_these() -> None:
    first = {name: list(each["parameters"]["properties"]) for name, each in SCHEMAS.items()}
    assert list(first) == ["ls", "read", "glob", "rg"]
    assert first["ls"] == ["path", "ignore"]
    assert first["read"] == ["path", "offset", "limit"]
    assert first["glob"] == ["pattern", "path"]
    assert first["rg"][:4] == ["pattern", "path", "glob", "type"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_strict_and_describes_everything(name: str) -> None:
    function = SCHEMAS[name]
    parameters = function["parameters"]
    assert function["strict"] is True
    assert parameters["additionalProperties"] is False
    assert parameters["required"] == list(parameters["properties"])
    assert 40 < len(function["description"]) < 300
    for each in parameters["properties"].values():
        assert 10 < len(each["description"]) < 100
        assert isinstance(each["type"], str) or each["type"][1] == "null"
    json.dumps(function)


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("grep", "{}", "there is no tool \"grep\"; there are ls, read, glob, rg"),
        ("raed", "{}", "there is no tool \"raed\"; did you mean 'read'?"),
        ("read", "{}", "read needs 'path': the file, as ls, glob and rg name it"),
        ("read", "", "read needs 'path': the file, as ls, glob and rg name it"),
        ("read", "null", "read needs 'path': the file, as ls, glob and rg name it"),
        ("read", '{"path": null}', "read needs 'path': the file, as ls, glob and rg name it"),
        ("read", '{"file_path": "f"}', "read has no parameter \"file_path\"; did you mean 'path'?"),
        ("read", '{"xyz": 1}', 'read has no parameter "xyz"; it takes path, offset, limit'),
        ("read", '{"path": 5}', "'path' must be a string, and 5 is not"),
        ("read", '{"path": ["f"]}', "'path' must be a string, and [\"f\"] is not"),
        ("read", '{"offset": "two"}', "'offset' must be an integer, and \"two\" is not"),
        ("read", '{"path": "f", "offset": 1.5}', "'offset' must be an integer, and 1.5 is not"),
        ("read", '{"path": "f", "offset": true}', "'offset' must be an integer, and true is not"),
        ("read", '{"path": "f", "offset": 0}', "'offset' must be 1 or more, not 0"),
        ("read", '{"path": "f", "limit": -3}', "'limit' must be 1 or more, not -3"),
        ("read", '{"path": "f\\u0000"}', "'path' holds a NUL character; leave it out"),
        ("ls", '{"path": "\\ud800"}', "'path' holds characters that no file name or text can hold"),
        ("read", json.dumps({"path": "x/" * 3000}), "'path' is too long: 6000 bytes, 4096 at most"),
        ("ls", '{"ignore": [1]}', "'ignore' must be an array of strings, and [1] is not"),
        ("ls", '["."]', 'the arguments must be a JSON object like {"path": "."}, not ["."]'),
        ("rg", '{"ignore_case": 1}', "'ignore_case' must be true or false, and 1 is not"),
        ("rg", '{"pattern": "x", "context": -1}', "'context' must be 0 or more, not -1"),
        ("rg", '{"pattern": "x", "max_results": 0}', "'max_results' must be 1 or more, not 0"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_told_what_is_wrong(
    box: Toolbox, tool: str, arguments: str, text: str
) -> None:
    found = proper(box.call(tool, arguments))
    assert found.text == text
    assert not found.ok


@pytest.mark.parametrize("text", ["{", "{'path': 'f'}", '{"path": "f"', "path=f", "[" * 100_000])
def test_what_is_no_json_is_told_so(box: Toolbox, text: str) -> None:
    found = proper(box.call("read", text))
    assert found.text.startswith("the arguments are no valid JSON (")
    assert found.text.endswith("; send one JSON object")
    assert not found.ok


@pytest.mark.parametrize(
    ("tool", "given", "meant"),
    [
        ("read", {"path": "f", "limit": "1"}, {"path": "f", "limit": 1}),
        ("read", {"path": "f", "limit": "null"}, {"path": "f"}),
        ("read", {"path": "f", "offset": None, "limit": None}, {"path": "f"}),
        ("ls", {"ignore": "f"}, {"ignore": ["f"]}),
        ("ls", {"ignore": '["f"]'}, {"ignore": ["f"]}),
        ("rg", {"pattern": "ONE", "ignore_case": "True"}, {"pattern": "ONE", "ignore_case": True}),
    ],
)
def test_what_a_tool_parser_leaves_as_text_is_understood(
    box: Toolbox, tool: str, given: dict[str, Any], meant: dict[str, Any]
) -> None:
    found = box.call(tool, json.dumps(given))
    assert found.ok
    assert found == box.call(tool, json.dumps(meant))


def test_a_directory_that_is_none_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none is no directory"):
        Roots(str(tmp_path), [str(tmp_path / "none")])


def test_a_working_directory_that_goes_away_is_told(tmp_path: Path) -> None:
    work = tree(tmp_path / "work", f="x")
    box = Toolbox(Roots(str(work)))
    work.rename(tmp_path / "away")
    for tool, arguments in [("ls", "{}"), ("read", '{"path": "f"}'), ("rg", '{"pattern": "x"}')]:
        assert "is gone or was replaced" in proper(box.call(tool, arguments)).text
    tree(work, f="y")
    assert "is gone or was replaced" in box.call("read", '{"path": "f"}').text


_folder = tempfile.TemporaryDirectory()
EMPTY = Toolbox(Roots(_folder.name))
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
_parameters = st.sampled_from(
    sorted({key for each in SCHEMAS.values() for key in each["parameters"]["properties"]})
)


@given(tool=st.sampled_from(sorted(SCHEMAS)), values=st.dictionaries(_parameters, _anything))
@example(tool="rg", values={"pattern": "x", "path": "\udcff"})
@example(tool="glob", values={"pattern": "\udcff"})
@example(tool="rg", values={"pattern": "\udcff"})
def test_whatever_a_model_writes_there_is_a_result(tool: str, values: dict[str, Any]) -> None:
    proper(EMPTY.call(tool, json.dumps(values)))


@given(tool=st.text(max_size=10), text=st.text(max_size=30))
def test_whatever_text_comes_as_a_call_there_is_a_result(tool: str, text: str) -> None:
    assert not proper(EMPTY.call(tool, text)).ok or tool == "ls"
