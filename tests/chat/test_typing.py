"""A conversation in a real terminal: lines of several rows, Ctrl-C, the history's file."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import PROGRAMS, PROJECT, Client
from tests.support.scripted import END, Scripted, piece, says, streams

ENTER, ALT_ENTER, CTRL_C, CTRL_D = b"\r", b"\x1b\r", b"\x03", b"\x04"


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, client: Client, *words: str) -> None:
        self.side, theirs = pty.openpty()
        self.seen = b""
        self.process = subprocess.Popen(
            [str(PROGRAMS / "inv"), *words],
            cwd=PROJECT,
            env={**client.environment, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
        )
        os.close(theirs)

    def type(self, keys: bytes) -> None:
        os.write(self.side, keys)

    def hear(self, text: bytes, patience: float = 30) -> None:
        """Wait until something is shown after what was seen before."""
        deadline = time.monotonic() + patience
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.side], [], [], 0.5)[0]:
                try:
                    self.seen += os.read(self.side, 65536)
                except OSError:
                    raise AssertionError(f"it ended: {self.seen!r}") from None
        self.seen = self.seen.partition(text)[2]


@contextmanager
def chatting(client: Client, server: Scripted) -> Iterator[Terminal]:
    words = ("prompt.chat", "m", f"--base-url={server.url}", "--no-tools")
    terminal = Terminal(client, *words)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.side)


def test_a_question_of_two_lines_is_sent_whole(client: Client) -> None:
    with Scripted(says("Hello ", "there.")) as server, chatting(client, server) as terminal:
        terminal.hear(b">")
        terminal.type(b"one" + ALT_ENTER)
        terminal.type(b"two" + ENTER)
        terminal.hear(b"there.")
        terminal.hear(b">")
        terminal.type(CTRL_D)
        assert terminal.process.wait(20) == 0
    assert server.asked[0]["messages"] == [{"role": "user", "content": "one\ntwo"}]
    history = client.state / "chats" / "history"
    assert history.stat().st_mode & 0o777 == 0o600 and "+two" in history.read_text()


def test_ctrl_c_stops_the_answer_and_not_the_conversation(client: Client) -> None:
    endless = streams([piece(content="word "), *[piece(content="more ")] * 2000], pause=0.01)
    script = [endless, streams([piece(content="fine"), piece("stop"), END])]
    with Scripted(*script) as server, chatting(client, server) as terminal:
        terminal.hear(b">")
        terminal.type(b"go on" + ENTER)
        terminal.hear(b"more")
        terminal.type(CTRL_C)
        terminal.hear(b"stopped; what came is kept")
        terminal.hear(b">")
        terminal.type(b"and now?" + ENTER)
        terminal.hear(b"fine")
    kept = [message["role"] for message in server.asked[1]["messages"]]
    assert kept == ["user", "assistant", "user"]
    assert server.asked[1]["messages"][1]["content"].startswith("word more")
