"""Ask a model that runs on a pod, once or in a conversation."""

from __future__ import annotations

import sys
from pathlib import Path

import invoke

from . import cli, screen
from .cli import task
from .errors import PodfabError, UsageError

_FLAGS = {
    "no_tools": "no file tools",
    "system": "a system prompt, beside the one that goes with the tools",
    "system_file": "a file with a system prompt",
    "max_steps": "rounds of tools until it has to answer",
    "dir": "the directory that the tools read (default: this one)",
    "add_dir": "a further directory that they may read; can be given again",
    "base_url": "an OpenAI-compatible server instead of a pod; NAME is the model's name there",
    "pod": cli.POD,
}


@task(
    default=True,
    dash=("text",),
    lists=("add_dir", "file"),
    name_="the model",
    text="the question; - reads it from stdin",
    json="print one JSON object per event",
    file="a text file that goes with the question; can be given again",
    flags=_FLAGS,
)
def ask(
    c: invoke.Context,
    name: str,
    text: str,
    json: bool = False,
    no_tools: bool = False,
    system: str = "",
    system_file: str = "",
    max_steps: str = "20",
    dir: str = ".",
    add_dir: list[str] | None = None,
    file: list[str] | None = None,
    base_url: str = "",
    pod: str = "",
) -> None:
    """Ask a model one question; it may look into the files here before it answers.

    Examples:
      inv prompt qwen "Which file here defines the port?"
      git diff | inv prompt qwen - --system="You review code. Be brief."
      inv prompt qwen "What is wrong?" --file=server.log --no-tools
    """
    from .chat.attachments import with_files
    from .plan.numbers import whole
    from .prompting import Options, conversation
    from .screen.answer import Answer, Events

    question = sys.stdin.read() if text == "-" else text
    if not question.strip():
        raise UsageError("the question is empty")
    steps = whole(max_steps, "--max-steps")
    question = with_files(question, file or [])
    options = Options(pod, base_url, no_tools, system, system_file, dir, add_dir or [])
    answer = Events() if json else Answer()
    try:
        with conversation(c, name, options) as talk:
            for event in talk.ask(question, steps):
                answer.show(event)
    except PodfabError as error:
        if json:
            answer.show({"type": "error", "message": error.text, "retry": False})
        raise
    finally:
        answer.end()


@task(
    lists=("add_dir",),
    name_="the model",
    continue_="go on with the last conversation in this directory",
    flags=_FLAGS,
)
def chat(
    c: invoke.Context,
    name: str,
    continue_: bool = False,
    no_tools: bool = False,
    system: str = "",
    system_file: str = "",
    max_steps: str = "20",
    dir: str = ".",
    add_dir: list[str] | None = None,
    base_url: str = "",
    pod: str = "",
) -> None:
    """Talk with a model; /help shows what else there is.

    Examples:
      inv prompt.chat qwen
      inv prompt.chat qwen --continue
    """
    from .chat import sessions
    from .dialogue import Dialogue
    from .plan.numbers import whole
    from .prompting import Options, conversation

    steps = whole(max_steps, "--max-steps")
    here = str(Path(dir).resolve())
    session = sessions.latest(here) if continue_ else None
    if continue_ and not session:
        raise PodfabError(f"there is no conversation in {here} yet; leave --continue out")
    options = Options(pod, base_url, no_tools, system, system_file, dir, add_dir or [])
    with conversation(c, name, options) as talk:
        if session:
            talk.messages = session.messages
            talk.system = talk.system or session.system
            screen.say(f"going on after {len(talk.messages)} messages; /clear begins anew")
        Dialogue(talk, session or sessions.begun(here, name, talk.system), steps).run()
