"""What a model is told before the first question: where it is, and what it may do."""

from __future__ import annotations

import json
import platform
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tools.toolbox import Toolbox

_LINES = 60  # of the listing: a small context must hold it


def prologue(toolbox: Toolbox, directories: list[str]) -> str:
    """Write the system prompt that goes with the tools."""
    here, *further = directories
    listed = toolbox.call("ls", json.dumps({"path": ".", "ignore": None})).text.splitlines()
    more = [f"... and {len(listed) - _LINES} more"] if len(listed) > _LINES else []
    also = f" You may also read in {', '.join(further)}." if further else ""
    return "\n".join(
        [
            f"You are a helpful assistant with read-only file tools. You work in {here} on "
            f"{platform.system()}; today is {date.today().isoformat()}.{also}",
            "Paths are relative to that directory. Look into files with the tools before you say "
            "what is in them, several at once where that helps; name file and line for what you "
            "found. When you know enough, answer in Markdown.",
            "",
            "The directory holds:",
            *listed[:_LINES],
            *more,
        ]
    )
