"""How to reach a model: what is said of it, and the examples that work as they are pasted."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from . import say

if TYPE_CHECKING:
    from ..plan.rows import Row

_CURL = """\
curl "$OPENAI_BASE_URL/{path}" \\
  -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{name}", {body}}}'
"""
_BODIES = {
    "generate": ("chat/completions", '"messages": [{"role": "user", "content": "Hi"}]'),
    "embed": ("embeddings", '"input": "Hi"'),
    "rerank": ("rerank", '"query": "Hi", "documents": ["Hello", "Bye"]'),
}
_PYTHON = {
    "generate": """\
from openai import OpenAI
answer = OpenAI().chat.completions.create(
    model="{name}", messages=[{{"role": "user", "content": "Hi"}}]
)
print(answer.choices[0].message.content)
""",
    "embed": """\
from openai import OpenAI
answer = OpenAI().embeddings.create(model="{name}", input="Hi")
print(answer.data[0].embedding)
""",
    "rerank": "",  # openai has no call for it
}


def started(row: Row, flag: str, ssh: str, outside: str) -> None:
    """Say how to reach a model that was just started, with an example of curl and of Python."""
    name = row.name
    ways = (
        ("ask it", f'inv prompt {name} "..."{flag}' if row.task == "generate" else ""),
        ("log", f"inv models.logs {name}{flag}"),
        ("stop it", f"inv models.stop --name={name}{flag}"),
        ("tunnel", f"inv models.tunnel {name}{flag}" if ssh else ""),
        ("or", ssh),
        ("outside", f"{outside} (unless ports are mapped or closed)" if outside else ""),
        ("env", _evaluated(name, flag)),
    )
    say(f"{name} is {row.status} on {row.pod}, at {row.url} there")
    for word, text in ways:
        if text:
            say(f"  {word + ':':9}{text}")
    path, body = _BODIES[row.task]
    say(f"\n{_CURL.format(path=path, name=name, body=body)}\n{_PYTHON[row.task].format(name=name)}")


def forwarded(name: str, port: int, local: int, flag: str) -> None:
    """Say where a model is reached on this side, and how a shell gets to know it."""
    say(f"{name}: http://127.0.0.1:{local}/v1")
    say(f"  in another shell: {_evaluated(name, _chosen(port, local) + flag)}")


def variables(local: int, key: str) -> None:
    """Print the variables of OpenAI's clients, for a shell to evaluate."""
    print(f"export OPENAI_BASE_URL=http://127.0.0.1:{local}/v1")
    print(f"export OPENAI_API_KEY={shlex.quote(key)}")


def needs_tunnel(name: str, port: int, local: int, flag: str) -> None:
    """Say which command holds the local port open for a model."""
    say(f"that port is open while this runs: inv models.tunnel {name}{_chosen(port, local)}{flag}")


def _evaluated(name: str | None, flags: str) -> str:
    return f'eval "$(inv models.env {name}{flags})"'


def _chosen(port: int, local: int) -> str:
    """Write the flag for a port on this side that is not the model's own."""
    return f" --port={local}" if local != port else ""
