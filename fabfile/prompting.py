"""What prompt's tasks share: the way to the model, and a conversation that is ready to be held."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import invoke

from . import screen
from .errors import PodfabError, UsageError
from .target import Target, target

if TYPE_CHECKING:
    import openai

    from .chat.loop import Conversation


@dataclass(frozen=True)
class Options:
    """What the flags of ask and chat say."""

    pod: str = ""
    base_url: str = ""
    no_tools: bool = False
    system: str = ""
    system_file: str = ""
    dir: str = "."
    add_dir: list[str] = field(default_factory=list)

    @property
    def instructions(self) -> str:
        """The user's own system prompt.

        Raises UsageError for two of them, PodfabError for a file that can not be read.
        """
        if self.system and self.system_file:
            raise UsageError("--system and --system-file are two system prompts; give one")
        if not self.system_file:
            return self.system
        try:
            return Path(self.system_file).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise PodfabError(f"--system-file={self.system_file} can not be read: {why}") from error


@contextmanager
def conversation(c: invoke.Context, name: str, options: Options) -> Iterator[Conversation]:
    """Hold a conversation open with a model on a pod, or at --base-url."""
    from .chat.loop import Conversation
    from .chat.prologue import prologue
    from .chat.tools.roots import Roots
    from .chat.tools.toolbox import Toolbox

    system = options.instructions
    roots = Roots(options.dir, options.add_dir)
    toolbox = None if options.no_tools else Toolbox(roots)
    before = prologue(toolbox, roots.directories) if toolbox else ""
    with _client(c, name, options) as client:
        yield Conversation(client, name, toolbox, before, system)


@contextmanager
def _client(c: invoke.Context, name: str, options: Options) -> Iterator[openai.OpenAI]:
    from .chat.client import client

    if options.base_url:
        with client(options.base_url, os.environ.get("OPENAI_API_KEY", "")) as opened:
            yield opened
    else:
        with connected(target(c, options.pod), name) as opened:
            yield opened


@contextmanager
def connected(where: Target, name: str) -> Iterator[openai.OpenAI]:
    """Hold a client open to a model on a pod, with the key that the model was started with.

    One that is still starting is waited for. Raises PodfabError when it failed.
    """
    from .chat.client import client, import_openai
    from .plan.rows import ready_port, running
    from .remote import jobs
    from .serving import watch_start

    with ThreadPoolExecutor(max_workers=1) as pool:
        importing = pool.submit(import_openai)  # 0.4 s that the network need not wait for
        key, found = jobs.access(where.pod, name)
        if running(where.name, name, found).status in ("starting", "downloading", "loading"):
            screen.say(f"{name} is not ready yet; waiting for it")
            watch_start(where, name, "current")
            key, found = jobs.access(where.pod, name)
        port = ready_port(where.name, name, found)
        with where.pod.forward(port) as local:
            importing.result()
            with client(f"http://127.0.0.1:{local}/v1", key) as opened:
                yield opened
