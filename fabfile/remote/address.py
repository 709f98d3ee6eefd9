"""Ssh strings as providers print them, parsed."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from ..errors import UsageError

LOCAL = "local"

_TAKES_VALUE = set("BbcDEeFIiJLlmOoPpQRSWw")
# Options that are understood, and mean nothing here: podfab opens its own forwards and terminals.
_IGNORED = set("AaCfGgKkMNnqsTtVvXxYy46LRDbcEeIlmOPQSWwB")


@dataclass(frozen=True)
class Address:
    """Where a pod is. `host` may be an alias of ssh_config; `local` is this machine."""

    host: str
    user: str | None = None
    port: int | None = None
    key: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        return self.host == LOCAL and self.user is None and self.port is None

    def __str__(self) -> str:
        """The address as an ssh string that parses back into it."""
        return LOCAL if self.is_local else shlex.join(["ssh", *self.words])

    @property
    def words(self) -> list[str]:
        """The words that follow `ssh`: options, then the destination."""
        words = []
        if self.port:
            words += ["-p", str(self.port)]
        if self.key:
            words += ["-i", self.key]
        for name, value in self.options.items():
            words += ["-o", f"{name}={value}"]
        return [*words, f"{self.user}@{self.host}" if self.user else self.host]


def parse(text: str) -> Address:
    """Parse `ssh -p 40022 root@1.2.3.4 -i key`, `root@host:port`, an alias, or `local`.

    Raises UsageError with what can not be understood.
    """
    if any(ord(character) < 32 for character in text):
        raise UsageError("an ssh string stands on one line")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"can not read the ssh string {text!r}: {error}") from error
    if words[:1] == ["ssh"]:
        words = words[1:]
    flags, destination = _split(words, text)
    user, host, port = _destination(destination)
    options = dict(_option(value) for name, value in reversed(flags) if name == "o")
    jump = [value for name, value in flags if name == "J"]
    if jump:
        options["ProxyJump"] = jump[-1]
    first = dict(reversed(flags))  # as for ssh itself, the first one counts
    if "p" in first:
        port = _port(first["p"])
    if "F" in first:
        raise UsageError("ssh -F is not supported; put the host into ~/.ssh/config")
    return Address(
        host=host,
        user=first.get("l") or user,
        port=port,
        key=first.get("i"),
        options=options,
        ignored=tuple(sorted({f"-{name}" for name, _ in flags if name in _IGNORED - {"l"}})),
    )


def _split(words: list[str], text: str) -> tuple[list[tuple[str, str]], str]:
    """Sort words into (flag, value) pairs and the destination, as getopt does for ssh."""
    flags: list[tuple[str, str]] = []
    plain: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            plain.append(word)
            continue
        letters = word[1:]
        while letters:
            name, letters = letters[0], letters[1:]
            if name not in _TAKES_VALUE:
                if name not in _IGNORED:
                    raise UsageError(f"unknown ssh option -{name} in {text!r}")
                flags.append((name, ""))
                continue
            value = letters or next(rest, None)
            if value is None:
                raise UsageError(f"ssh option -{name} lacks its value in {text!r}")
            flags.append((name, value))
            letters = ""
    if len(plain) != 1:
        what = "names no host" if not plain else f"has words after the host: {plain[1]!r}"
        raise UsageError(f"the ssh string {text!r} {what}; expected: ssh -p PORT user@host -i KEY")
    return flags, plain[0]


def _destination(text: str) -> tuple[str | None, str, int | None]:
    text = text.removeprefix("ssh://").rstrip("/")
    user, _, place = text.rpartition("@")
    if match := re.fullmatch(r"\[([0-9A-Fa-f:.%\w]+)\](?::(\w+))?", place):
        host, port = match[1], match[2]
    elif place.count(":") == 1:
        host, port = place.split(":")
    else:
        host, port = place, None
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:%-]*|::[A-Za-z0-9_.:%-]*", host):
        raise UsageError(f"{text!r} does not name a host")
    return user or None, host, _port(port) if port is not None else None


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise UsageError(f"{text!r} is no port; a number from 1 to 65535 is expected")
    return int(text)


def _option(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"\s*([A-Za-z0-9]+)\s*[=\s]\s*(.+)", text)
    if not match:
        raise UsageError(f"can not read the ssh option -o {text!r}; expected Name=value")
    return match[1], match[2].strip()
