"""Commands as a user types them, and what they leave on this side."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import Client
from tests.support.sshd import Sshd

# The model that the tests start is known, so that no hub is asked about it.
CATALOG = "models:\n  org/thing: {weights_gb: 1, context: 4096, heads: 8, cache: []}\n"


def remember(client: Client, **servers: Sshd) -> None:
    client.state.mkdir(exist_ok=True)
    (client.state / "models.yaml").write_text(CATALOG)
    pods = {
        name: {"ssh": server.ssh, "root": str(server.home / ".pi"), "engine": "stub"}
        for name, server in servers.items()
    }
    content = {"version": 1, "active": next(iter(pods)), "pods": pods}
    (client.state / "pods.json").write_text(json.dumps(content))


def start(client: Client, name: str, *words: str, **keywords: Any) -> Any:
    return client.run("models.start", "--model=org/thing", f"--name={name}", *words, **keywords)


def rows(client: Client, *words: str) -> list[dict[str, Any]]:
    result = client.run("models", "--json", *words)
    return json.loads(result.stdout)


def record(client: Client) -> dict[str, Any]:
    return json.loads((client.state / "pods.json").read_text())
