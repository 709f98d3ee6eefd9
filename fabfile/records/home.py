"""The client's own directory and how files are written there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import PodfabError


def state_dir() -> Path:
    """Return the client's own directory, made when missing, readable by its owner only.

    `$PI_CONFIG_DIR`, else `~/.pi`: the directory that pi uses, so that its pods are found.
    """
    path = Path(os.environ.get("PI_CONFIG_DIR") or Path.home() / ".pi").expanduser()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PodfabError(
            f"can not make {path}: {error.strerror}; name a writable folder in PI_CONFIG_DIR"
        ) from error
    return path


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, for its owner's eyes only."""
    target = path.resolve()
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise PodfabError(f"can not write {path}: {error.strerror}; nothing was changed") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file: one writer at a time, over all processes."""
    from filelock import FileLock

    lock = FileLock(f"{path}.lock", mode=0o600)
    try:
        lock.acquire()
    except OSError as error:
        raise PodfabError(f"can not lock {path}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
