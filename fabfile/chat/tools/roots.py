"""The directories that may be read, and the way from a model's path to a place in them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ...errors import UsageError
from . import walk
from .place import Place, Root, identity
from .result import ToolError, brief, name


class Roots:
    """The working directory and further ones that may be read.

    Raises UsageError when one of them is no directory.
    """

    def __init__(self, directory: str = ".", further: Iterable[str] = ()) -> None:
        self._roots = [_root(path) for path in (directory, *further)]

    @property
    def directories(self) -> list[str]:
        """The real paths, the working directory first."""
        return [root.real for root in self._roots]

    def locate(self, path: str | None) -> Place:
        """Find the place that a path names; none is the working directory.

        Raises ToolError when it lies outside, be it by `..`, by its start or by a link.
        """
        asked = path or "."
        place = self._inside(os.path.normpath(os.path.join(self._roots[0].real, asked)))
        if not place:
            raise self._outside(asked)
        try:
            place = self._inside(os.path.realpath(place.real))
        except (OSError, RecursionError):
            raise ToolError(f"{brief(asked)} is too long a chain of links", "a loop") from None
        if not place:
            raise self._outside(asked, ", where a symbolic link leads")
        if os.path.islink(place.real):
            raise ToolError(f"{brief(asked)} is a loop of symbolic links", "a loop")
        if any(part.lower() == ".git" for part in place.parts):
            raise ToolError("what lies in .git is left out; read the working tree", "left out")
        return place

    def _inside(self, path: str) -> Place | None:
        for root in self._roots:
            for start in (root.real, root.given):
                parts = _parts(path, start)
                if parts is None:
                    continue
                relative = os.path.join(*parts) if parts else "."
                first = root is self._roots[0]
                shown = relative if first else os.path.join(root.real, *parts)
                return Place(root, parts, shown)
        return None

    def _outside(self, asked: str, how: str = "") -> ToolError:
        allowed = ", ".join(name(path) for path in self.directories)
        return ToolError(
            f"{brief(asked)} is outside of what may be read{how}; give a path inside of {allowed}",
            "outside",
        )


def _root(path: str) -> Root:
    real = os.path.realpath(path)
    try:
        top = walk.top(real)
    except OSError as error:
        raise UsageError(f"{path} is no directory that can be read: {error.strerror}") from error
    try:
        return Root(real, os.path.abspath(path), identity(top))
    finally:
        os.close(top)


def _parts(path: str, start: str) -> tuple[str, ...] | None:
    if path == start:
        return ()
    prefix = start.rstrip("/") + "/"
    if not path.startswith(prefix):
        return None
    return tuple(part for part in path[len(prefix) :].split("/") if part)
