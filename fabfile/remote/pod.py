"""A pod one can run scripts on: over ssh, or this machine, through one interface."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, BinaryIO

import invoke
from invoke.exceptions import CommandTimedOut, ThreadException
from paramiko import Transport
from paramiko.ssh_exception import ChannelException, SSHException

from ..errors import ConnectionLost, PodfabError, RemoteFailed, Unreachable
from ..records.settings import Settings
from .address import Address
from .connect import connect
from .runner import LocalRunner, Sink, Through
from .tunnel import Forward, open_channel

# The script comes on stdin, by its length: nothing of it stands in argv, and any login shell can
# read this line. What stays open of stdin then tells the script that its client is still there.
_BOOT = "exec sh -c 'eval \"$(head -c {length})\"'"
_MARK = "@podfab@ begin"
_PRELUDE = f"""\
PATH="$PATH:$HOME/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export LC_ALL=C PATH
umask 077
exec 3<&0 </dev/null
(cat <&3 >/dev/null 2>&1; kill -TERM 0) >/dev/null 2>&1 &
exec 3<&-
echo '{_MARK}'
"""


class Pod:
    """Run scripts on a pod.

    `name` is for messages, `root` the folder on the pod that holds all that is ours.
    """

    def __init__(self, name: str, address: Address, root: str, settings: Settings) -> None:
        self.name = name
        self.address = address
        self.root = root
        self.settings = settings
        self._opened: Any = None

    def __repr__(self) -> str:
        return f"Pod({self.name!r})"

    def open(self) -> None:
        """Connect, when not yet connected.

        Raises Unreachable, a line with the cause and what to do.
        """
        if self._opened is not None and (self.address.is_local or self._opened.is_connected):
            return
        if self.address.is_local:
            config = invoke.Config(overrides={"runners": {"local": LocalRunner}})
            self._opened = invoke.Context(config)
        else:
            self._opened = connect(self.address, self.name, self.settings)

    def close(self) -> None:
        if self._opened is not None and not self.address.is_local:
            self._opened.close()
        self._opened = None

    def run(self, script: str, timeout: int | None = None) -> str:
        """Run a POSIX sh script and return what it printed.

        Raises RemoteFailed with the last line of stderr when it fails, ConnectionLost, and
        Unreachable when the far side gives no shell that runs commands.
        """
        timeout = timeout or self.settings.command_timeout
        try:
            result = self._start(script, timeout=timeout)
        except CommandTimedOut as error:
            self._expect_mark(_bytes(error.result.stdout), "")
            raise Unreachable(f"{self.name} did not finish a command in {timeout} s") from error
        except (SSHException, OSError, EOFError, ThreadException) as error:
            raise self._lost(error) from error
        if self._is_gone(result):
            raise self._lost()
        output = self._expect_mark(_bytes(result.stdout), result.stderr)
        if result.exited:
            said = _bytes(result.stderr).decode("utf-8", "replace").strip().splitlines()
            raise RemoteFailed(f"{self.name}: {said[-1] if said else f'exit {result.exited}'}")
        return output.decode("utf-8", "replace")

    def stream(self, script: str) -> Iterator[bytes]:
        """Run a script and yield its output as it comes; leaving the iterator ends the script.

        Raises ConnectionLost when the connection breaks before the script has ended.
        """
        yield from self._streamed(script)

    def execute(self, script: str, out: BinaryIO, err: BinaryIO) -> int:
        """Run a script, write what it prints as it comes, and return its exit code.

        Raises ConnectionLost when the connection breaks before the script has ended.
        """
        chunks = self._streamed(script, err_stream=Through(err))
        while True:
            try:
                out.write(next(chunks))
                out.flush()
            except StopIteration as end:
                return int(end.value) if end.value >= 0 else 255

    def _streamed(self, script: str, **options: Any) -> Generator[bytes, None, int]:
        sink = Sink()
        try:
            promise = self._start(script, asynchronous=True, out_stream=sink, **options)
        except (SSHException, OSError, EOFError) as error:
            raise self._lost(error) from error
        finished = marked = False
        result: Any = None  # a flow of output that is cut leaves none
        try:
            marked = yield from self._after_mark(sink)
            finished = True
        finally:
            sink.close()
            if not finished:
                promise.runner.kill()
            with suppress(ThreadException, SSHException, OSError, EOFError):
                result = promise.join()
        if result is None or self._is_gone(result):
            raise self._lost()
        if not marked:
            self._expect_mark(b"", result.stderr)
        return int(result.exited)

    @contextmanager
    def forward(self, port: int) -> Iterator[int]:
        """Hold a port of this machine open that leads to one on the pod's loopback.

        Raises Unreachable when the pod's sshd forbids forwarding.
        """
        if self.address.is_local:
            yield port
            return
        with closing(self.tunnel(port)) as held:
            yield held.local

    def tunnel(self, port: int, local: int = 0) -> Forward:
        """Open a local port that leads to one on the pod's loopback; 0 is any that is free.

        Raises Unreachable when the pod's sshd forbids forwarding, OSError when `local` is not free.
        """
        self.open()
        self._probe(port)
        return Forward(self.transport, port, local)

    def transport(self) -> Transport | None:
        """Return the ssh connection's transport while it stands."""
        connected = self._opened is not None and self._opened.is_connected
        return self._opened.transport if connected else None

    def _start(self, script: str, **options: Any) -> Any:
        self.open()
        body = (_PRELUDE + script).encode()
        command = _BOOT.format(length=len(body))
        if self.address.is_local:
            command = "exec setsid -w " + command.removeprefix("exec ")
        return self._opened.run(
            command,
            in_stream=io.StringIO(body.decode("latin-1")),
            encoding="latin-1",
            hide=True,
            warn=True,
            pty=False,
            echo=False,
            dry=False,
            **options,
        )

    def _after_mark(self, sink: Sink) -> Generator[bytes, None, bool]:
        """Skip what login files print before the script begins; tell whether it began."""
        mark, seen = f"{_MARK}\n".encode(), b""
        chunks = iter(sink)
        for chunk in chunks:
            seen += chunk
            if mark in seen:
                yield seen.partition(mark)[2]
                yield from chunks
                return True
        return False

    def _expect_mark(self, output: bytes, stderr: str) -> bytes:
        before, mark, after = output.partition(f"{_MARK}\n".encode())
        if mark:
            return after
        said = (before.decode("utf-8", "replace") + stderr).strip().splitlines()
        hint = f" (it said: {said[-1][:120]})" if said else ""
        raise Unreachable(
            f"{self.name} gives no shell that runs commands, only an interactive one{hint}; "
            "use the provider's direct address (RunPod: SSH over exposed TCP)"
        )

    def _is_gone(self, result: Any) -> bool:
        return not self.address.is_local and not self._opened.is_connected and result.exited == -1

    def _lost(self, error: BaseException | None = None) -> PodfabError:
        if isinstance(error, PodfabError):
            return error
        why = f" ({error})" if isinstance(error, OSError | SSHException) and str(error) else ""
        return ConnectionLost(f"the connection to {self.name} broke{why}; try again")

    def _probe(self, port: int) -> None:
        """Ask sshd for one forwarded connection: its refusal has a reason, a tunnel's has none."""
        try:
            open_channel(self._opened.transport, port).close()
        except ChannelException as error:
            if error.code == 1:
                raise Unreachable(
                    f"{self.name} forbids port forwarding (sshd's AllowTcpForwarding no); allow "
                    "it, or use another ssh port of the pod"
                ) from error
            raise Unreachable(f"nothing answers on port {port} of {self.name}") from error
        except (SSHException, OSError, EOFError) as error:
            raise self._lost(error) from error


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")
