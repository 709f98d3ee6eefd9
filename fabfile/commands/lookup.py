"""The script that reads what a checkpoint is, on the hub or in a folder, without its weights."""

from __future__ import annotations

from collections.abc import Mapping

from .shell import in_home, script, text


def lookup(root: str, engine: str, model: str, client: Mapping[str, str]) -> str:
    """Write the script; HF_TOKEN and HF_ENDPOINT of the client go before the pod's."""
    return in_home(root) + script(
        "lookup.sh",
        engine=engine,
        model=model,
        reader=text("checkpoint.py"),
        hub_token=client.get("HF_TOKEN", ""),
        endpoint=client.get("HF_ENDPOINT", ""),
    )
