"""Open what lies below a directory, one name after the other, and follow no link on the way.

A path that was looked at can be another one when it is opened: a directory swapped for a link to
elsewhere. So names are opened from the descriptor of the directory before, with O_NOFOLLOW.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# Should a FIFO or a device take a file's place, the opening neither waits nor becomes our terminal.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY

_KINDS = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


class NotAFile(OSError):
    """Something that is neither a file nor a directory; `strerror` says what."""


def top(path: str) -> int:
    """Open the directory that everything else is opened from."""
    return os.open(path, _DIRECTORY)


def directory(below: int, names: Sequence[str]) -> int:
    """Open a directory; the caller closes it. Raises OSError, also for a link on the way."""
    here = os.dup(below)
    for name in names:
        try:
            inner = os.open(name, _DIRECTORY, dir_fd=here)
        finally:
            os.close(here)
        here = inner
    return here


def status(below: int, names: Sequence[str]) -> os.stat_result:
    """Return the status of an entry itself. Raises OSError, also for a link on the way."""
    parent = directory(below, names[:-1])
    try:
        return os.stat(names[-1], dir_fd=parent, follow_symlinks=False)
    finally:
        os.close(parent)


def file(below: int, names: Sequence[str]) -> int:
    """Open a regular file for reading; the caller closes it.

    Raises OSError: IsADirectoryError for a directory, NotAFile for a device or a link.
    """
    parent = directory(below, names[:-1])
    try:
        # To open a device can already do something, hence a look before.
        _expect_file(os.stat(names[-1], dir_fd=parent, follow_symlinks=False))
        opened = os.open(names[-1], _FILE, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        _expect_file(os.fstat(opened))
    except OSError:
        os.close(opened)
        raise
    return opened


def kind(found: os.stat_result) -> str:
    """Say what an entry is that is neither a file nor a directory."""
    return _KINDS.get(stat.S_IFMT(found.st_mode), "special file")


def _expect_file(found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(found.st_mode):
        raise NotAFile(0, kind(found))
