from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fabfile.errors import UsageError
from fabfile.plan.environment import digest, lines, passed_on

SHELLS = pytest.mark.parametrize("shell", ["bash", "dash"])


def test_the_pod_gets_what_names_mirrors_and_tokens_and_nothing_else() -> None:
    client = {
        "HF_TOKEN": "hf_1",
        "HF_ENDPOINT": "https://mirror",
        "PIP_INDEX_URL": "https://index",
        "UV_DEFAULT_INDEX": "https://uv-index",
        "AWS_SECRET_ACCESS_KEY": "no",
        "PATH": "/bin",
        "HOME": "/home/me",
        "HF_HOME": "/home/me/hub",
        "PIP_FIND_LINKS": "",
    }
    assert passed_on(client) == {
        "HF_TOKEN": "hf_1",
        "HF_ENDPOINT": "https://mirror",
        "PIP_INDEX_URL": "https://index",
        "UV_DEFAULT_INDEX": "https://uv-index",
    }


def test_a_hub_that_is_no_address_is_refused() -> None:
    with pytest.raises(UsageError, match="HF_ENDPOINT=not a url is no address"):
        passed_on({"HF_ENDPOINT": "not a url"})


@pytest.mark.parametrize("value", ["a\nb", "a\n", "\n", "a\0b"])
def test_a_value_of_several_lines_is_refused_by_its_name_only(value: str) -> None:
    with pytest.raises(UsageError, match="HF_TOKEN") as refused:
        lines({"HF_HOME": "/models", "HF_TOKEN": value})
    assert value not in str(refused.value)


_values = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"))


@SHELLS
@hypothesis_settings(max_examples=25)
@given(values=st.lists(_values, min_size=1, max_size=10))
def test_a_shell_that_sources_the_lines_has_the_same_values(shell: str, values: list[str]) -> None:
    environment = {f"V{i}": value for i, value in enumerate(values)}
    script = "set -a\n" + "\n".join(lines(environment)) + "\nset +a\nexec env -0\n"
    told = subprocess.run([shell, "-s"], input=script.encode(), capture_output=True, check=True)
    found = dict(pair.split(b"=", 1) for pair in told.stdout.rstrip(b"\0").split(b"\0"))
    assert {name: found[name.encode()].decode() for name in environment} == environment


def test_a_line_is_told_by_the_digest_that_sha256sum_prints(tmp_path: Path) -> None:
    line = "HF_TOKEN='hf_größe $(id)'"
    (tmp_path / "line").write_text(line)
    told = subprocess.run(["sha256sum", tmp_path / "line"], capture_output=True, text=True)
    assert digest(line) == told.stdout.split()[0]
