"""Open a Fabric connection to an address, and say in one line why it can not be opened."""

from __future__ import annotations

import logging
import re
import shlex
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fabric
from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    BadHostKeyException,
    ChannelException,
    PasswordRequiredException,
    SSHException,
)

from ..errors import PodfabError, Unreachable
from ..records import pods
from ..records.settings import Settings
from . import hostkeys
from .address import Address, parse
from .runner import LocalRunner, SshRunner
from .sshconfig import config_for

# Without a handler, Python prints paramiko's tracebacks itself; the cause is told by our one line.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


def connect(address: Address, name: str, settings: Settings) -> fabric.Connection:
    """Return an open connection to a pod.

    Raises Unreachable, a line with the cause and what to do.
    """
    connection = _prepared(address, settings)
    try:
        if connection.gateway is None:
            connection.connect_kwargs["sock"] = _socket(connection, settings)
        connection.open()
    except (OSError, SSHException, EOFError) as error:
        raise _explained(error, connection, name, address) from error
    connection.transport.set_keepalive(settings.keepalive)
    return connection


def _prepared(address: Address, settings: Settings) -> fabric.Connection:
    connection = _built(address, settings, _gateway(address, settings))
    for hop in _hops(connection):
        hostkeys.guard(hop.client)
    return connection


def _gateway(address: Address, settings: Settings) -> fabric.Connection | None:
    """Return the connection to the last jump host of -J, None when ssh_config has the say.

    Fabric's own reading of ProxyJump leaves a jump out that has the pod's address and another port.
    """
    gateway = None
    for hop in filter(None, address.options.get("ProxyJump", "").split(",")):
        gateway = _built(replace(parse(hop), key=address.key), settings, gateway)
    return gateway


def _built(
    address: Address, settings: Settings, gateway: fabric.Connection | None
) -> fabric.Connection:
    ssh_config = config_for(address)
    config = fabric.Config(
        ssh_config=ssh_config,
        overrides={
            "runners": {"remote": SshRunner, "local": LocalRunner},
            "timeouts": {"connect": settings.connect_timeout},
        },
    )
    only_given = ssh_config.lookup(address.host).get("identitiesonly") == "yes"
    kwargs: dict[str, object] = {
        "banner_timeout": settings.connect_timeout,
        "auth_timeout": settings.connect_timeout,
        "allow_agent": not only_given,
    }
    if address.key:
        kwargs["key_filename"] = [str(_key(address.key))]
    if address.key or only_given:
        kwargs["look_for_keys"] = False
    try:
        return fabric.Connection(
            address.host,
            address.user,
            address.port,
            config=config,
            gateway=gateway,
            connect_kwargs=kwargs,
        )
    except (ValueError, SSHException) as error:
        raise PodfabError(f"the ssh settings for {address.host} are wrong: {error}") from error


def _key(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        raise PodfabError(f"the key file {text} does not exist; correct -i in the ssh string")
    return path


def _hops(connection: fabric.Connection) -> Iterator[fabric.Connection]:
    """Yield the connection and the jump hosts before it."""
    hop = connection
    while isinstance(hop, fabric.Connection):
        yield hop
        hop = hop.gateway


class _PromptSocket(socket.socket):
    """A socket whose packets leave and are acknowledged at once.

    Nagle on one side and delayed acknowledgements on the other cost 40 ms a command.
    """

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        if hasattr(socket, "TCP_QUICKACK"):  # the kernel forgets it
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def _socket(connection: fabric.Connection, settings: Settings) -> socket.socket:
    """Connect in a way that small packets are quick and a dead network is noticed."""
    where = (connection.host, connection.port)
    opened = socket.create_connection(where, settings.connect_timeout)
    sock = _PromptSocket(fileno=opened.detach())
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        patience = 2 * settings.keepalive * 1000
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
    return sock


def _explained(
    error: Exception, connection: fabric.Connection, name: str, address: Address
) -> Unreachable:
    where = f"{connection.user}@{connection.host}:{connection.port}"
    return Unreachable(f"can not reach {name} ({where}): {_cause(error, address, name)}")


def _cause(error: Exception, address: Address, name: str) -> str:
    """Translate what paramiko and the sockets raise; the order goes from special to general."""
    if isinstance(error, BadHostKeyException):
        where = name if name in pods.load().pods else str(address)
        return (
            "its host key is not the pinned one: another machine, or somebody between; "
            f"if it was rebuilt: inv pods.trust {shlex.quote(where)}"
        )
    if isinstance(error, PasswordRequiredException) or "encrypted" in str(error):
        return "the key is encrypted; add it to an agent: ssh-add KEY"
    if isinstance(error, BadAuthenticationType) and "publickey" not in error.allowed_types:
        return "it asks for a password; install your key: ssh-copy-id"
    if "No authentication methods available" in str(error):
        return "there is no key to offer; name one with -i, or add it to an agent: ssh-add KEY"
    if isinstance(error, AuthenticationException):
        key = f"-i {address.key}" if address.key else "your keys"
        return f"it refused {key}; check the user and install the public key there"
    if isinstance(error, socket.gaierror):
        return "the name does not resolve; check it for a typo"
    if isinstance(error, TimeoutError):
        return "no answer in time; is the pod running, and the port right?"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is sshd running, and the port right?"
    if isinstance(error, ChannelException):
        return f"the jump host can not reach it ({error.text})"
    if isinstance(error, EOFError) or re.search("banner|No existing session", str(error)):
        return "what listens there does not speak ssh, or hung up; is the port right?"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
