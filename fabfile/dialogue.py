"""A conversation at the keyboard: lines in, answers out, commands between."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from . import screen
from .errors import PodfabError
from .records.home import state_dir, write_private

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from .chat.loop import Conversation
    from .chat.sessions import Session

_HELP = """\
/help            these commands
/tools           the file tools, and what they may read
/system [TEXT]   show the system prompt, or set your own
/save [FILE]     write the conversation down as Markdown
/clear           begin anew
/retry           ask the last question again
/exit            end; so does Ctrl-D
Enter sends, Alt-Enter begins a new line, Ctrl-C stops an answer."""


class Dialogue:
    """Reads questions and commands until the user leaves; the session is kept after each turn."""

    def __init__(self, talk: Conversation, session: Session, max_steps: int) -> None:
        self._talk, self._session, self._max_steps = talk, session, max_steps
        self._commands: dict[str, Callable[[str], None]] = {
            "help": lambda _: screen.say(_HELP),
            "tools": self._tools,
            "system": self._system,
            "save": self._save,
            "clear": self._clear,
            "retry": self._retry,
        }

    def run(self) -> None:
        """Hold the conversation."""
        for line in _lines():
            if not line.startswith("/"):
                self._ask(line)
                continue
            word, _, rest = line[1:].partition(" ")
            if word in ("exit", "quit"):
                return
            if command := self._commands.get(word):
                command(rest.strip())
            else:
                screen.say(f"there is no command /{word}; /help lists them")

    def _ask(self, text: str) -> None:
        from .screen.answer import Answer

        answer = Answer()
        try:
            for event in self._talk.ask(text, self._max_steps):
                answer.show(event)
        except KeyboardInterrupt:
            answer.end()
            screen.say("stopped; what came is kept")
        except PodfabError as error:
            answer.end()
            screen.say(str(error))
        finally:
            answer.end()
            self._keep()

    def _keep(self) -> None:
        self._session.messages = self._talk.messages
        self._session.system = self._talk.system
        self._session.save()

    def _tools(self, _: str) -> None:
        for schema in self._talk.tools:
            function = schema["function"]
            screen.say(f"{function['name']:6}{function['description'].split('. ')[0]}")
        if not self._talk.tools:
            screen.say("none")

    def _system(self, text: str) -> None:
        if text:
            self._talk.system = text
        screen.say(self._talk.instructions or "there is none")

    def _save(self, name: str) -> None:
        path = Path(name or "chat.md").expanduser()
        if path.exists() and not name:
            screen.say(f"{path} is there already; name another: /save FILE")
            return
        try:
            write_private(path, self._talk.as_markdown())
            screen.say(f"saved as {path}")
        except PodfabError as error:
            screen.say(str(error))

    def _clear(self, _: str) -> None:
        self._talk.messages.clear()
        screen.say("a new conversation")

    def _retry(self, _: str) -> None:
        if text := self._talk.take_back():
            self._ask(text)
        else:
            screen.say("nothing was asked yet")


def _lines() -> Iterator[str]:
    """Yield what is typed, without empty lines, until the end of the input."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    with _prompt() as prompt:
        while True:
            try:
                line = prompt.prompt("> ").strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if line:
                yield line


@contextmanager
def _prompt() -> Iterator[PromptSession[str]]:
    """Make the line editor; its history is for the owner's eyes only."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.key_binding import KeyBindings

    folder = state_dir() / "chats"
    folder.mkdir(mode=0o700, exist_ok=True)
    history = folder / "history"
    os.close(os.open(history, os.O_CREAT | os.O_WRONLY, 0o600))
    keys = KeyBindings()
    keys.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
    keys.add("enter")(lambda event: event.current_buffer.validate_and_handle())
    yield PromptSession(
        history=FileHistory(str(history)),
        auto_suggest=AutoSuggestFromHistory(),
        key_bindings=keys,
        multiline=True,
        prompt_continuation="  ",
    )
