"""The end of models: stopped, and proven to be gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from . import screen
from .errors import PodfabError
from .listing import forget, list_live, row_of
from .target import Target

_AT_ONCE = 8  # an sshd allows ten sessions on one connection (MaxSessions)


def stop_model(where: Target, name: str) -> None:
    """Stop a model, prove that nothing of it is left, and forget it.

    Raises PodfabError with what is left.
    """
    from .remote import jobs

    if name not in where.record.models:
        row_of(where, name)
    screen.say(f"stopping {name} ...")
    ending = jobs.stop(where.pod, name)
    forget(where, name)
    proof = ending.proven if ending else "it was not there"
    screen.say(f"{name} is stopped on {where.name}: {proof}")


def stop_all(where: Target) -> list[str]:
    """Stop all models that run or failed on a pod, several at once, and return their names.

    Raises PodfabError at the end when some could not be stopped.
    """
    found = [row.name for row in list_live(where.name, where.record) if row.name]
    failed: list[str] = []

    def stop(name: str) -> None:
        try:
            stop_model(where, name)
        except PodfabError as error:
            failed.append(error.text)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(stop, found))
    if failed:
        raise PodfabError("; ".join(failed))
    return found
