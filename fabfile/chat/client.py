"""The way to a model's HTTP interface: through the pod's ssh, or straight to an address."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..plan.rows import ready_port
from ..target import Target

if TYPE_CHECKING:
    import openai


@contextmanager
def connected(where: Target, name: str) -> Iterator[openai.OpenAI]:
    """Hold a client open to a model on a pod, with the key that the model was started with.

    Raises PodfabError when the model is not ready, with what it does or why it failed.
    """
    from ..remote import jobs

    with ThreadPoolExecutor(max_workers=1) as pool:
        importing = pool.submit(_import_openai)  # 0.4 s that the network need not wait for
        key, found = jobs.access(where.pod, name)
        port = ready_port(where.name, name, found)
        with where.pod.forward(port) as local:
            importing.result()
            with client(f"http://127.0.0.1:{local}/v1", key) as opened:
                yield opened


def client(base_url: str, key: str) -> openai.OpenAI:
    """Return a client for an OpenAI-compatible server."""
    return _import_openai()(base_url=base_url, api_key=key or "none", timeout=600, max_retries=2)


def _import_openai() -> type[openai.OpenAI]:
    from openai import OpenAI

    return OpenAI
