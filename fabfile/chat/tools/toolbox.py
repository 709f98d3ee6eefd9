"""The tools under one roof: their schemas for the model, and one way to call them."""

from __future__ import annotations

import difflib
from typing import Any

from . import glob, ls, read, rg, ripgrep
from .arguments import Tool
from .result import Result, ToolError, brief
from .roots import Roots

_TOOLS: dict[str, Tool] = {tool.name: tool for tool in (ls.TOOL, read.TOOL, glob.TOOL, rg.TOOL)}


class Toolbox:
    """Read-only file tools inside of given directories. Calls may run at the same time.

    Raises PodfabError when there is no rg on this machine.
    """

    def __init__(self, roots: Roots) -> None:
        ripgrep.binary()
        self._roots = roots

    @property
    def schemas(self) -> list[dict[str, Any]]:
        """The tools as OpenAI's API takes them."""
        return [tool.schema for tool in _TOOLS.values()]

    def call(self, name: str, arguments: str) -> Result:
        """Run a tool with arguments as a model wrote them; whatever goes wrong is a result too."""
        try:
            found = self._run(name, arguments)
        except ToolError as error:
            found = Result(error.text, error.summary, ok=False)
        except Exception as error:  # a conversation does not end by a tool
            found = Result(f"{name} failed: {error or type(error).__name__}", "failed", ok=False)
        return Result(_valid(found.text), _valid(found.summary), found.ok)

    def _run(self, name: str, arguments: str) -> Result:
        tool = _TOOLS.get(name)
        if not tool:
            near = difflib.get_close_matches(name, _TOOLS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_TOOLS)}"
            raise ToolError(f"there is no tool {brief(name)}; {hint}", "unknown tool")
        return tool.run(self._roots, **tool.arguments(arguments))


def _valid(text: str) -> str:
    return text.replace("\0", "␀").encode(errors="replace").decode()
