"""A stand-in for nvidia-smi whose GPUs fill with what the stand-in engine serves on them.

It is for our bookkeeping only: what a driver does with memory is its own, and not tried here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

TOTAL, IDLE, TAKEN = 81559, 300, 30_000


def install(folder: Path, home: Path, count: int) -> str:
    """Put it on a path of its own, for the pod whose jobs lie below `home`; return that path."""
    programs = folder / "programs"
    programs.mkdir()
    program = programs / "nvidia-smi"
    words = f"'{sys.executable}' '{__file__}' '{home}' {count}"
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)
    return str(programs)


def servers(home: str) -> dict[int, list[int]]:
    """Return which of the pod's servers use which GPUs: those that have their port open."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            variables = (path / "environ").read_bytes().split(b"\0")
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        mine = any(v.startswith(f"PODFAB_RUN={home}".encode()) for v in variables)
        visible = [v.partition(b"=")[2] for v in variables if v.startswith(b"CUDA_VISIBLE_DEVICES")]
        if mine and visible and b"serve" in words:
            found[int(path.name)] = [int(id_) for id_ in visible[0].split(b",")]
    return found


def main(home: str, count: int, words: list[str]) -> None:
    users = servers(home)
    hidden = Path(home) / "computes"
    least = IDLE + (TAKEN if (Path(home) / "stuck").exists() else 0)
    query = next(word for word in words if word.startswith("--query"))
    if query.startswith("--query-compute-apps"):
        print(*users, sep="\n")
        print(hidden.read_text() if hidden.exists() else "")
        return
    for gpu in range(count):
        used = max(least, IDLE + TAKEN * sum(gpu in ids for ids in users.values()))
        if query.endswith("memory.used"):
            print(f"{gpu}, {used}")
        else:
            free = TOTAL - used
            print(f"{gpu}, GPU-{gpu}, NVIDIA H100 80GB HBM3, {TOTAL} MiB, {free} MiB, 580.65.06, "
                  "9.0, Disabled")  # fmt: skip


if __name__ == "__main__":
    os.environ.pop("PODFAB_RUN", None)
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
