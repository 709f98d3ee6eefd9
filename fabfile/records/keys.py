"""The key that guards the models' HTTP interface."""

from __future__ import annotations

import os
import secrets

from ..errors import PodfabError
from .home import locked, state_dir, write_private


def api_key() -> str:
    """Return `$PI_API_KEY`, else the key kept in the file api_key, made on first use."""
    if key := os.environ.get("PI_API_KEY", "").strip():
        return key
    path = state_dir() / "api_key"
    with locked(path):
        try:
            if path.exists() and (key := path.read_text("utf-8").strip()):
                return key
        except (OSError, UnicodeDecodeError) as error:
            raise PodfabError(f"can not read {path}: {error}") from error
        key = "sk-" + secrets.token_urlsafe(32)
        write_private(path, key + "\n")
        return key
