"""A place that may be read, and what is said when it can not be."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from . import walk
from .result import ToolError, name


@dataclass(frozen=True)
class Root:
    """A directory that may be read: its real path, the path as given, its device and inode."""

    real: str
    given: str
    identity: tuple[int, int]


@dataclass(frozen=True)
class Place:
    """A path inside of a root, free of links when it was looked at."""

    root: Root
    parts: tuple[str, ...]
    shown: str

    @property
    def real(self) -> str:
        """The path on the disk."""
        return os.path.join(self.root.real, *self.parts)

    @property
    def parent(self) -> Place:
        """The directory that holds this place, which is not a root itself."""
        return Place(self.root, self.parts[:-1], os.path.dirname(self.shown) or ".")

    def below(self, path: str) -> str:
        """Return how to name what lies below this directory."""
        return name(path if self.shown == "." else os.path.join(self.shown, path))

    @contextmanager
    def directory(self) -> Iterator[int]:
        """Hold the directory open. Raises ToolError."""
        with self._top() as top, self._explained():
            opened = walk.directory(top, self.parts)
        try:
            yield opened
        finally:
            os.close(opened)

    @contextmanager
    def file(self) -> Iterator[int]:
        """Hold the file open for reading. Raises ToolError, also for anything but a file."""
        with self._top() as top, self._explained():
            if not self.parts:
                raise IsADirectoryError
            opened = walk.file(top, self.parts)
        try:
            yield opened
        finally:
            os.close(opened)

    @contextmanager
    def _top(self) -> Iterator[int]:
        try:
            top = walk.top(self.root.real)
        except OSError:
            raise _replaced(self.root) from None
        try:
            if identity(top) != self.root.identity:
                raise _replaced(self.root)
            yield top
        finally:
            os.close(top)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        shown = name(self.shown)
        try:
            yield
        except FileNotFoundError:
            raise ToolError(f"there is no {shown}{self._nearest()}", "not found") from None
        except PermissionError:
            raise ToolError(f"{shown} may not be read: permission denied", "not allowed") from None
        except IsADirectoryError:
            raise ToolError(f"{shown} is a directory; ls lists it", "a directory") from None
        except NotADirectoryError:
            raise ToolError(
                f"{shown} or a part of it is a file, not a directory", "no directory"
            ) from None
        except walk.NotAFile as error:
            raise ToolError(
                f"{shown} is a {error.strerror}; only files can be read", f"a {error.strerror}"
            ) from None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ToolError(f"{shown} is a loop of symbolic links", "a loop") from None
            if error.errno == errno.ENAMETOOLONG:
                raise ToolError(f"{shown} is too long for a path", "too long") from None
            raise ToolError(f"{shown} can not be read: {error.strerror}", "not readable") from None

    def _nearest(self) -> str:
        if self.parts[0].startswith("~"):
            return "; ~ is not expanded here, paths are relative to the working directory"
        try:
            with self._top() as top:
                parent = walk.directory(top, self.parts[:-1])
                try:
                    with os.scandir(parent) as entries:
                        others = [entry.name for entry in islice(entries, 2000)]
                finally:
                    os.close(parent)
        except (OSError, ToolError):
            others = []
        if near := difflib.get_close_matches(self.parts[-1], others, n=1):
            return f"; did you mean {name(os.path.join(os.path.dirname(self.shown), near[0]))}?"
        return "; ls lists a directory, glob finds files by name (glob **/NAME)"


def identity(opened: int) -> tuple[int, int]:
    """Return what an open directory is on the disk, whatever its name."""
    found = os.fstat(opened)
    return found.st_dev, found.st_ino


def _replaced(root: Root) -> ToolError:
    return ToolError(f"{name(root.real)} is gone or was replaced", "gone")
