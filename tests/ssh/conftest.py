"""A real sshd for the whole run, and pods on it and on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fabfile.records import settings
from fabfile.remote.address import parse
from fabfile.remote.pod import Pod
from tests.conftest import Client
from tests.ssh.typed import remember
from tests.support import engine
from tests.support.sshd import Sshd


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PI_CONFIG_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    """Start further servers, with options of their own."""
    servers: list[Sshd] = []

    def start(*options: str, **keywords: object) -> Sshd:
        folder = tmp_path / f"sshd{len(servers)}"
        servers.append(Sshd(folder, *options, **keywords))  # type: ignore[arg-type]
        return servers[-1].start()

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def reach(tmp_path: Path) -> Iterator[Callable[..., Pod]]:
    """Return the way to a server's pod; its root is new for each test."""
    pods: list[Pod] = []

    def to(ssh: str, name: str = "pod") -> Pod:
        pods.append(Pod(name, parse(ssh), str(tmp_path / "root"), settings.load()))
        return pods[-1]

    yield to
    for pod in pods:
        pod.close()


@pytest.fixture(params=["ssh", "local"])
def pod(request: pytest.FixtureRequest, sshd: Sshd, reach: Callable[..., Pod]) -> Pod:
    """The same tests hold for a pod behind ssh and for this machine."""
    return reach(sshd.ssh if request.param == "ssh" else "local")


@pytest.fixture
def server(serve: Callable[..., Sshd]) -> Iterator[Sshd]:
    server = serve()
    engine.install(server.home / ".pi")
    yield server


@pytest.fixture
def ready(client: Client, server: Sshd) -> Iterator[Client]:
    """A client that knows the server as pod `dc1`."""
    remember(client, dc1=server)
    yield client
    client.run("models.stop", "--all")
