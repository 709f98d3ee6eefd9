"""Whether a model that runs can do an agent's work: small tasks, asked for real."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import PodfabError
from .target import Target

if TYPE_CHECKING:
    import openai

    from .chat.exams import Exam
    from .plan.rows import Row

_TOKENS, _STEPS = 4000, 8  # of an answer at most, thinking included; rounds of tools


@dataclass(frozen=True)
class Verdict:
    """How a task went; `promised` tells whether the model was started as one that can do it."""

    capability: str
    ok: bool
    promised: bool
    detail: str
    seconds: float


def check(where: Target, name: str) -> Iterator[Verdict]:
    """Set a model the tasks, one after the other, and yield how each went.

    Raises PodfabError when the model does not run, or generates no text.
    """
    from .chat.exams import EXAMS, lay_out
    from .listing import row_of
    from .prompting import connected

    row = row_of(where, name)
    if row.task != "generate":
        raise PodfabError(f"{name} is a model for {row.task}: it takes no tasks in words")
    with connected(where, name) as client, tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder))
        options = {"max_tokens": _room(client), "temperature": 0}
        for exam in EXAMS:
            if exam.promise != "reasoning" or "reasoning" in row.promises:
                given = replace(exam, options={**options, **exam.options})
                yield _verdict(client, name, given, folder, row)


def _room(client: openai.OpenAI) -> int:
    """Return how long an answer may get: half of a small context is left to the question."""
    from openai import OpenAIError

    try:
        longest = [getattr(model, "max_model_len", None) for model in client.models.list()]
    except OpenAIError as error:
        raise PodfabError(f"the model's server can not be asked: {error}") from error
    return min([_TOKENS, *(tokens // 2 for tokens in longest if tokens)])


def _verdict(client: openai.OpenAI, name: str, exam: Exam, folder: str, row: Row) -> Verdict:
    from .chat.exams import Transcript
    from .chat.loop import Conversation
    from .chat.prologue import prologue
    from .chat.tools.roots import Roots
    from .chat.tools.toolbox import Toolbox

    options: dict[str, Any] = dict(exam.options)
    roots = Roots(folder)
    toolbox = Toolbox(roots) if options.pop("tools", True) else None
    before = prologue(toolbox, roots.directories) if toolbox else ""
    begun = time.monotonic()
    try:
        talk = Conversation(client, name, toolbox, before, needs_tools=True, **options)
        wrong = exam.judge(Transcript.of(talk.ask(exam.question, _STEPS)))
    except PodfabError as error:
        wrong = error.text
    promised = exam.promise == "always" or exam.promise in row.promises
    return Verdict(exam.capability, not wrong, promised, wrong, time.monotonic() - begun)
