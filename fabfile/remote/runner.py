"""Invoke's runner without its brakes: the same part for ssh and for this machine.

Stock Fabric joins all output on each chunk (invoke#1079), reads 1000 bytes at a time and decodes
each of them alone, feeds stdin a byte per 10 ms (invoke#774), and hangs on the first Ctrl-C.
"""

from __future__ import annotations

import codecs
import queue
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from fabric.runners import Remote
from invoke.runners import Local


class Sink:
    """Hand output on as it comes: written by the runner's thread, read as an iterator of bytes.

    Holds 64 chunks at most: a slow reader slows the far side down, it does not fill the memory.
    """

    def __init__(self) -> None:
        self._chunks: queue.Queue[bytes | None] = queue.Queue(maxsize=64)
        self._open = True

    def write(self, text: str) -> None:
        self._put(text.encode("latin-1"))

    def flush(self) -> None:
        """Nothing is held back."""

    def end(self) -> None:
        self._put(None)

    def close(self) -> None:
        """Drop what comes from now on, so that the writer can end."""
        self._open = False

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                chunk = self._chunks.get(timeout=0.2)  # lets Ctrl-C through
            except queue.Empty:
                continue
            if chunk is None:
                return
            yield chunk

    def _put(self, chunk: bytes | None) -> None:
        while self._open:
            try:
                return self._chunks.put(chunk, timeout=0.2)
            except queue.Full:
                continue


class Through:
    """Write output to a binary file as it comes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        self._file.write(text.encode("latin-1"))
        self._file.flush()


class Swift:
    """Mixed into Invoke's runners: linear output, whole characters, stdin at once."""

    read_chunk_size = 65536
    input_sleep = 0.001
    encoding: str
    watchers: list[Any]
    using_pty: bool
    has_dead_threads: bool

    def respond(self, buffer_: list[str]) -> None:
        if self.watchers:
            super().respond(buffer_)  # type: ignore[misc]

    def read_proc_output(self, reader: Callable[[int], bytes | None]) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.encoding)(errors="replace")
        while data := reader(self.read_chunk_size):
            if text := decoder.decode(data):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text

    def handle_stdout(self, buffer_: list[str], hide: bool, output: Any) -> None:
        try:
            if isinstance(output, Sink):
                for text in self.read_proc_output(self.read_proc_stdout):  # type: ignore[attr-defined]
                    output.write(text)
            else:
                super().handle_stdout(buffer_, hide, output)  # type: ignore[misc]
        finally:
            if isinstance(output, Sink):
                output.end()

    def handle_stderr(self, buffer_: list[str], hide: bool, output: Any) -> None:
        if not isinstance(output, Through):
            return super().handle_stderr(buffer_, hide, output)  # type: ignore[misc]
        for text in self.read_proc_output(self.read_proc_stderr):  # type: ignore[attr-defined]
            output.write(text)

    def handle_stdin(self, input_: Any, output: Any, echo: bool = False) -> None:
        """Write a given text at once and leave stdin open: its end tells that we left."""
        if not hasattr(input_, "getvalue"):
            return super().handle_stdin(input_, output, echo)  # type: ignore[misc]
        # What ended before it read its script has an exit code and words of its own.
        with suppress(OSError):
            self.write_proc_stdin(input_.read())  # type: ignore[attr-defined]

    def send_interrupt(self, interrupt: KeyboardInterrupt) -> None:
        if self.using_pty:
            return super().send_interrupt(interrupt)  # type: ignore[misc]
        self.kill()  # type: ignore[attr-defined]
        raise interrupt


class SshRunner(Swift, Remote):
    """Run on a pod."""

    _killed = False

    @property
    def timed_out(self) -> bool:
        """Invoke asks whether its timer has ended; it wakes us before it has."""
        return self._killed or super().timed_out

    def kill(self) -> None:
        self._killed = True
        with suppress(OSError, EOFError):  # the connection may have ended before us
            super().kill()

    def wait(self) -> None:
        while not self.channel.status_event.wait(0.2) and not self.has_dead_threads:
            pass


class LocalRunner(Swift, Local):
    """Run on this machine."""

    def kill(self) -> None:
        """Close stdin: the far end's watch on it ends the whole process group."""
        if self.using_pty:
            return super().kill()
        self._let_go()

    def stop(self) -> None:
        super().stop()
        self._let_go()

    def _let_go(self) -> None:
        if not self.using_pty and self.process.stdin:
            with suppress(OSError):
                self.process.stdin.close()
