"""Conversations, kept per directory for their owner only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..records.home import state_dir, write_private
from ..records.names import derived

_KEPT = 20


@dataclass
class Session:
    """A conversation that is kept: with which model, the user's system prompt, the messages."""

    path: Path
    model: str = ""
    system: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def save(self) -> None:
        """Write it down; one without a message leaves no file."""
        if self.messages:
            content = {key: value for key, value in asdict(self).items() if key != "path"}
            write_private(self.path, json.dumps(content, ensure_ascii=False) + "\n")


def begun(directory: str, model: str, system: str) -> Session:
    """Return a new session of a directory; of old ones the last twenty are kept."""
    folder = _folder(directory)
    for path in (folder.parent, folder):
        path.mkdir(mode=0o700, exist_ok=True)
    for old in sorted(folder.glob("*.json"))[: 1 - _KEPT]:
        old.unlink(missing_ok=True)
    name = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%f")
    return Session(folder / f"{name}.json", model, system)


def latest(directory: str) -> Session | None:
    """Return the newest session of a directory that can be read."""
    for path in sorted(_folder(directory).glob("*.json"), reverse=True):
        try:
            content = json.loads(path.read_text("utf-8"))
            return Session(path, content["model"], content["system"], content["messages"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _folder(directory: str) -> Path:
    digest = hashlib.sha256(directory.encode(errors="surrogateescape")).hexdigest()[:12]
    return state_dir() / "chats" / f"{derived(directory)}-{digest}"
