"""Files that go with a question."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import PodfabError

_MOST = 1_000_000  # bytes: more than any context holds


def with_files(text: str, paths: Iterable[str]) -> str:
    """Return the question with the files before it, each between fences.

    Raises PodfabError for a file that can not be read, or is no text.
    """
    return "\n\n".join([*(_fenced(path) for path in paths), text])


def _fenced(path: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(_MOST + 1)
        if len(data) > _MOST:
            raise PodfabError(f"--file={path} is larger than 1 MB; attach a part of it")
        content = data.decode("utf-8")
    except OSError as error:
        raise PodfabError(f"--file={path} can not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PodfabError(f"--file={path} is no text; only text can be attached") from error
    longest = max((len(run) for run in content.split() if set(run) == {"`"}), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{path}:\n{fence}\n{content.rstrip()}\n{fence}"
