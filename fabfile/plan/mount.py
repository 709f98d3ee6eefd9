"""A mount command as the user gives it: the words, and the folder that it mounts on."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ..errors import UsageError

# Package of Debian and Ubuntu that brings the helper for a kind of mount, by the helper's name.
HELPERS = {
    "mount.nfs": "nfs-common",
    "mount.cifs": "cifs-utils",
    "sshfs": "sshfs",
}
_SECRET = re.compile(r"(^|,|--)(pass|passwd|password2?|token|secret)=", re.IGNORECASE)
_EXAMPLE = 'for example --mount="sudo mount -t nfs host:/share /mnt/models"'


@dataclass(frozen=True)
class Mount:
    """A mount: the words of its command without sudo, and its target."""

    text: str
    words: tuple[str, ...]
    target: str
    as_root: bool

    def holds(self, path: str) -> bool:
        """Tell whether a path lies on the mount."""
        return f"{path}/".startswith(f"{self.target}/")

    @property
    def helper(self) -> str | None:
        """The program that this kind of mount needs besides `mount`."""
        kind = self.words[0] if self.words[0] in HELPERS else None
        for flag, value in zip(self.words, self.words[1:], strict=False):
            if flag in ("-t", "--types"):
                kind = f"mount.{value.removesuffix('4')}"
        return kind if kind in HELPERS else None


def parse_mount(text: str) -> Mount:
    """Read a mount command; it is run as words, not by a shell.

    Raises UsageError for one that names no folder, holds a password, or is more than one command.
    """
    if "\n" in text or "\0" in text:
        raise UsageError("--mount is one command on one line")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--mount can not be read: {error}; {_EXAMPLE}") from error
    as_root = words[:1] == ["sudo"]
    while words and words[0] in ("sudo", "-n", "-E"):
        words = words[1:]
    if any(re.fullmatch(r"[|&;<>]+", word) or word.endswith(";") for word in words):
        raise UsageError(f"--mount is one command without shell operators; {_EXAMPLE}")
    if any(_SECRET.search(word) for word in words):
        raise UsageError(
            "--mount holds a password, which would be kept; put it into a file on the pod: "
            "-o credentials=FILE"
        )
    target = _target(words[1:])
    if not words or not target:
        raise UsageError(f"--mount={text} names no folder of the pod to mount on; {_EXAMPLE}")
    as_root = as_root or words[0].startswith("mount")
    return Mount(text, tuple(words), target, as_root)


def _target(words: list[str]) -> str:
    """Return the last absolute path that is not the value of a flag."""
    pairs = zip(["", *words], words, strict=False)
    paths = [word for before, word in pairs if word.startswith("/") and before[:1] != "-"]
    paths = paths or [word for word in words if word.startswith("/")]
    return (paths[-1].rstrip("/") if paths else "") or ""
