"""Nothing of the user's is read or written by these tests, and no key of theirs is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from fabfile.plan.environment import PASSED_ON
from fabfile.remote import sshconfig

# Times vary too much on a busy machine to fail for; failures are printed, not kept in a folder.
settings.register_profile("unit", deadline=None, database=None, print_blob=True)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The client's own directory, fresh for each test."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sshconfig, "SYSTEM_CONFIG", str(tmp_path / "no-ssh_config"))
    for name in ("PI_API_KEY", *PASSED_ON):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "state"
    monkeypatch.setenv("PI_CONFIG_DIR", str(path))
    path.mkdir(mode=0o700)
    return path
