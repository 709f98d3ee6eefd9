"""What the tests of the file tools share: a tree to read, and calls as a model writes them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fabfile.chat.tools.result import CHARACTERS, Result
from fabfile.chat.tools.roots import Roots
from fabfile.chat.tools.toolbox import Toolbox


def tree(root: Path, **files: str | bytes) -> Path:
    """Write files below a folder; `__` in a name is a slash, `_dot_` a dot."""
    for key, content in files.items():
        path = root / key.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def call(where: Path | Roots, tool: str, **arguments: Any) -> Result:
    """Call a tool, and check what holds for every result."""
    roots = where if isinstance(where, Roots) else Roots(str(where))
    return proper(Toolbox(roots).call(tool, json.dumps(arguments)))


def proper(result: Result) -> Result:
    """Check that a result can be sent and is not too long."""
    for text in (result.text, result.summary):
        assert "\0" not in text
        text.encode()
    assert result.text
    assert len(result.text) < CHARACTERS * 1.1
    assert 0 < len(result.summary) < 80
    assert "\n" not in result.summary
    return result


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))
