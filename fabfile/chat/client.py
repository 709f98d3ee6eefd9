"""A client for an OpenAI-compatible server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openai


def client(base_url: str, key: str) -> openai.OpenAI:
    """Return a client; a request that fails is not tried again by it."""
    return import_openai()(base_url=base_url, api_key=key or "none", timeout=600, max_retries=0)


def import_openai() -> type[openai.OpenAI]:
    """Import openai, which takes 0.4 s."""
    from openai import OpenAI

    return OpenAI
