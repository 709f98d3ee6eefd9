"""Planted secrets are looked for everywhere after the whole flow, and in argv while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Client
from tests.support import engine
from tests.support.sshd import Sshd

PLANTED = {
    "HF_TOKEN": "hf_planted0123456789",
    "PI_API_KEY": "sk-planted0123456789",
    "PIP_INDEX_URL": "https://someone:planted-index-pw@index.invalid/simple",
    "PIP_EXTRA_INDEX_URL": "https://someone:planted-extra-pw@extra.invalid/simple",
    "HF_ENDPOINT": "https://someone:planted-hub-pw@hub.invalid",
}
SECRETS = (
    "hf_planted0123456789",
    "sk-planted0123456789",
    "planted-index-pw",
    "planted-extra-pw",
    "planted-hub-pw",
)
OWN_ENGINE = """\
engines:
  stub: {package: stub, version: 9.9.0, python: ">=3.10"}
"""


class Sampler(threading.Thread):
    """Reads every process's argv over and over, and keeps those that bear a secret."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: set[bytes] = set()
        self.rounds = 0
        self._over = threading.Event()

    def run(self) -> None:
        wanted = [secret.encode() for secret in SECRETS]
        while not self._over.is_set():
            self.rounds += 1
            self._over.wait(0.01)
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes()
                except OSError:
                    continue
                if any(secret in line for secret in wanted):
                    self.found.add(line)

    def stop(self) -> None:
        self._over.set()
        self.join()


@pytest.fixture
def sampler() -> Iterator[Sampler]:
    sampler = Sampler()
    sampler.start()
    yield sampler
    sampler.stop()


def test_no_secret_is_left_where_it_could_be_read(
    client: Client, tmp_path: Path, sampler: Sampler
) -> None:
    client.extra.update(PLANTED)
    client.state.mkdir()
    (client.state / "models.yaml").write_text(OWN_ENGINE)
    with Sshd(tmp_path / "pod") as server:
        root = server.home / ".pi"
        engine.install(root)
        (root / "bin").mkdir()
        (root / "bin" / "uv").write_text("#!/bin/sh\necho --excludes\n")
        (root / "bin" / "uv").chmod(0o755)
        where = ("setup", f"--ssh={server.ssh}", "--name=dc1", "--engine=stub")
        start = ("models.start", "--model=org/thing", "--name=qwen")
        said = ""
        try:
            for words in (
                (*where, "--script"),
                (*where, "--plan", "--json"),
                where,
                (*start, "--plan", "--json"),
                (*start, "--json"),
                ("models", "--json"),
                ("models.logs", "qwen", "--no-follow"),
                ("prompt", "qwen", "hello"),
                ("models.stop", "--name=qwen"),
                ("models.start", "--model=org/missing", "--name=bad"),
                ("models", "--json"),
                ("models.logs", "bad", "--no-follow"),
                ("models.start", "--model=org/thing", "--name=crash", "--vllm-args=--crash"),
                ("pods", "--json"),
            ):
                result = client.run(*words)
                assert "Traceback" not in result.stderr
                said += result.stdout + result.stderr
        finally:
            client.run("models.stop", "--all")
        assert "dc1 is ready: vLLM 9.9.0" in said and '"status": "ready"' in said
        assert [secret for secret in SECRETS if secret in said] == []
        assert_only_private_files_hold_them(server.home, {"env", "environment"})
        assert PLANTED["HF_TOKEN"] in (root / "env").read_text()
        log = (server.folder / "sshd.log").read_text(errors="replace")
        assert [secret for secret in SECRETS if secret in log] == []
    assert_only_private_files_hold_them(client.home, set())
    sampler.stop()
    assert sampler.rounds > 10
    assert sampler.found == set()


def assert_only_private_files_hold_them(folder: Path, allowed: set[str]) -> None:
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if any(secret.encode() in content for secret in SECRETS):
            assert path.name in allowed, path
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_key_that_is_made_is_kept_private(client: Client, tmp_path: Path) -> None:
    with Sshd(tmp_path / "pod") as server:
        engine.install(server.home / ".pi")
        (client.state).mkdir()
        (client.state / "models.yaml").write_text(OWN_ENGINE)
        where = f"--ssh={server.ssh}"
        (server.home / ".pi" / "bin").mkdir()
        (server.home / ".pi" / "bin" / "uv").symlink_to("/bin/true")
        assert client.run("setup", where, "--name=dc1", "--engine=stub").returncode == 0
        started = client.run("models.start", "--model=org/thing", "--name=qwen", "--json")
        assert started.returncode == 0, started.stderr
        client.run("models.stop", "--all")
    key = (client.state / "api_key").read_text().strip()
    assert key.startswith("sk-") and len(key) > 30
    assert (client.state / "api_key").stat().st_mode & 0o777 == 0o600
    assert key not in started.stdout + started.stderr
