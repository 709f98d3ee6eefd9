"""script/demo, as somebody runs it who has just cloned the project."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Client
from tests.support.processes import marked


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of what git knows of the project, and a home where nothing is."""
    folder = tmp_path_factory.mktemp("demo")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        target = folder / "podfab" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target, follow_symlinks=False)
    (folder / "home").mkdir()
    yield folder
    shutil.rmtree(folder)


def demo(checkout: Path, *words: str) -> str:
    client = Client(checkout / "home")
    result = subprocess.run(
        [str(checkout / "podfab" / "script" / "demo"), *words],
        env=client.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    print(result.stdout)
    assert result.returncode == 0
    return result.stdout


def test_the_demo_serves_answers_stops_and_says_what_next(checkout: Path) -> None:
    said = demo(checkout)
    assert "The capital of France is Paris." in said
    assert "port 8443" in said
    assert re.search(r"^total +\d+ s$", said, re.MULTILINE)
    assert "What to type next:" in said
    assert "Traceback" not in said and "\x1b" not in said
    assert marked(checkout) == []
    # pip asks rustc for its version; where rustup stands in for it, that makes a folder.
    made = {path.name for path in (checkout / "home").iterdir()} - {".rustup"}
    assert made == set(), "something was left in the user's home"


def test_a_second_demo_keeps_the_model_up_and_says_how_to_stop_it(checkout: Path) -> None:
    said = demo(checkout, "--keep")
    total = re.search(r"^total +(\d+) s$", said, re.MULTILINE)
    assert total
    try:
        assert marked(checkout) != []
    finally:
        (stop,) = re.findall(r"^ +(PI_CONFIG_DIR=\S+ \S+ models\.stop .*)$", said, re.MULTILINE)
        subprocess.run(["bash", "-c", stop], cwd=checkout / "podfab", check=True)
    assert marked(checkout) == []
