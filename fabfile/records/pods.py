"""pods.json: the pods we know and what we started on them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import PodfabError
from . import pi
from .home import locked, state_dir, write_private
from .names import unknown


@dataclass
class Gpu:
    """A GPU as the pod's driver names it; memory in MiB."""

    id: int
    name: str
    memory_mib: int | None = None


@dataclass
class Served:
    """A model that we started on a pod."""

    model: str
    port: int | None = None
    gpus: list[int] = field(default_factory=list)
    pid: int | None = None
    started: str | None = None


@dataclass
class Pod:
    """A pod's record; all but the ssh string may be unknown."""

    ssh: str
    root: str | None = None
    engine: str | None = None
    vllm_version: str | None = None
    models_path: str | None = None
    mount: str | None = None
    gpus: list[Gpu] = field(default_factory=list)
    models: dict[str, Served] = field(default_factory=dict)


@dataclass
class Pods:
    """All pods by name, and the active one."""

    pods: dict[str, Pod] = field(default_factory=dict)
    active: str | None = None

    def get(self, name: str) -> Pod:
        """Return a pod, or say which name was probably meant."""
        if name not in self.pods:
            raise unknown(name, "pod", self.pods, "inv pods lists them")
        return self.pods[name]


def load() -> Pods:
    """Read pods.json; take over the one that pi wrote.

    A file that can not be read is kept aside under another name and named in the error.
    """
    path = _path()
    if not path.exists():
        return Pods()
    content = _read(path)
    if not pi.wrote(content):
        return _parsed(content, path)
    with locked(path):
        content = _read(path)
        if not pi.wrote(content):
            return _parsed(content, path)
        pods = _parsed(content, path)
        kept = path.with_name("pods.json.pi")
        shutil.copyfile(path, kept)
        kept.chmod(0o600)
        _write(path, pods)
        return pods


@contextmanager
def edit() -> Iterator[Pods]:
    """Read, change and write pods.json under its lock, so that no command's change is lost."""
    load()  # takes pi's file over first, under the same lock
    path = _path()
    with locked(path):
        pods = _parsed(_read(path), path) if path.exists() else Pods()
        yield pods
        _write(path, pods)


def _path() -> Path:
    return state_dir() / "pods.json"


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise _kept_aside(path, f"line {error.lineno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise _kept_aside(path, "it is not text") from error
    except OSError as error:
        raise PodfabError(f"can not read {path}: {error.strerror}") from error


def _parsed(content: Any, path: Path) -> Pods:
    if isinstance(content, dict) and content.get("version", 1) != 1:
        raise PodfabError(f"{path} was written by a newer podfab; update this one")
    try:
        if pi.wrote(content):
            content = pi.translated(content)
        pods = {name: _pod(entry) for name, entry in content["pods"].items()}
        active = content.get("active")
        return Pods(pods, active if active in pods else None)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise _kept_aside(path, f"it does not have the form of a pods.json ({error!r})") from error


def _pod(entry: dict[str, Any]) -> Pod:
    if not isinstance(entry["ssh"], str):
        raise TypeError("ssh is no text")
    known = {name: entry.get(name) for name in ("root", "engine", "vllm_version", "models_path")}
    return Pod(
        ssh=entry["ssh"],
        mount=entry.get("mount"),
        gpus=[Gpu(int(g["id"]), g["name"], g.get("memory_mib")) for g in entry.get("gpus") or []],
        models={name: _served(model) for name, model in (entry.get("models") or {}).items()},
        **known,
    )


def _served(entry: dict[str, Any]) -> Served:
    names = ("port", "pid", "started")
    return Served(entry["model"], gpus=entry.get("gpus") or [], **{n: entry.get(n) for n in names})


def _write(path: Path, pods: Pods) -> None:
    entries = {name: asdict(pod) for name, pod in pods.pods.items()}
    content = {"version": 1, "active": pods.active, "pods": entries}
    write_private(path, json.dumps(content, indent=2) + "\n")


def _kept_aside(path: Path, why: str) -> PodfabError:
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%f")
    aside = path.with_name(f"{path.name}.unreadable-{stamp}")
    try:
        path.rename(aside)
    except OSError as error:
        return PodfabError(f"{path}, {why}; mend it or move it away ({error.strerror})")
    return PodfabError(f"{path}, {why}; it is kept as {aside}: mend it and move it back")
