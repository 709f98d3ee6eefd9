"""A local port that leads to one on a pod's loopback, through the pod's ssh connection.

Fabric's forward_local ends with the first connection that the pod refuses, looks for new ones every
10 ms, and passes a kilobyte at a time.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

from paramiko import Channel, Transport
from paramiko.ssh_exception import ChannelException, SSHException

_LOOPBACK = "127.0.0.1"
_BROKEN = (OSError, EOFError, SSHException)


class Forward:
    """A local port that is held until closed, also while the pod is away: who connects then waits.

    `transport` gives the ssh connection while it stands. Raises OSError when the port is not free.
    """

    def __init__(self, transport: Callable[[], Transport | None], remote: int, local: int) -> None:
        self.remote = remote
        self._transport = transport
        self._listener = socket.create_server((_LOOPBACK, local), backlog=128)
        self._listener.settimeout(0.1)
        self.local: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Let the port go; what is connected stays so."""
        self._listener.close()

    def _accept(self) -> None:
        while self._held():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:  # closed, or no file is left to be opened: what waits is taken later
                time.sleep(0.1)
                continue
            Thread(target=self._carry, args=(sock,), daemon=True).start()

    def _carry(self, sock: socket.socket) -> None:
        """Pass one connection on, both ways; one that the pod refuses is closed."""
        with sock, suppress(*_BROKEN):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._channel() as channel:
                end = (sock.shutdown, socket.SHUT_RDWR)
                back = Thread(target=_copy, args=(channel.recv, sock.sendall, *end), daemon=True)
                back.start()
                _copy(sock.recv, channel.sendall, channel.shutdown, 1)
                back.join()

    def _channel(self) -> Channel:
        """Open the pod's end of a connection, as soon as the pod is there."""
        while self._held():
            try:
                if transport := self._transport():
                    return open_channel(transport, self.remote)
            except ChannelException:
                raise
            except (SSHException, EOFError):  # the pod has left just now, and got nothing of it yet
                pass
            time.sleep(0.1)
        raise EOFError

    def _held(self) -> bool:
        return self._listener.fileno() >= 0


def open_channel(transport: Transport, port: int) -> Channel:
    """Open a connection from the pod to a port of its loopback."""
    return transport.open_channel("direct-tcpip", (_LOOPBACK, port), (_LOOPBACK, 0), timeout=30)


def _copy(
    receive: Callable[[int], bytes],
    send: Callable[[bytes], Any],
    end: Callable[[int], Any],
    how: int,
) -> None:
    """Pass on what comes until nothing more does, then end the side that it went to."""
    with suppress(*_BROKEN):
        while data := receive(65536):
            send(data)
    with suppress(*_BROKEN):
        end(how)
