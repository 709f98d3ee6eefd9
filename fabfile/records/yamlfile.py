"""YAML files, with the line of whatever is wrong in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import PodfabError


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; an empty one is an empty mapping.

    Raises PodfabError with file and line.
    """
    import yaml

    if not path.is_file():
        raise PodfabError(f"can not read {path}: it is no file")
    try:
        content = yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PodfabError(f"{path}, line {line}: {error.problem}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PodfabError(f"can not read {path}: {str(error).splitlines()[0]}") from error
    if content is not None and not isinstance(content, dict):
        raise PodfabError(f"{path}, line 1: names with values are expected (name: value)")
    return content or {}


def duplicate(path: Path) -> tuple[int, str] | None:
    """Return line and name of what a mapping of a YAML file has twice, or None."""
    import yaml

    open_nodes = [yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, yaml.SequenceNode):
            open_nodes += node.value
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                if key.value in seen:
                    return key.start_mark.line + 1, str(key.value)
                seen.add(key.value)
                open_nodes.append(value)
    return None


def line_of(path: Path, place: Sequence[str | int]) -> int:
    """Return the line on which a place of a YAML file stands, or the nearest one above it."""
    import yaml

    node = yaml.compose(path.read_text("utf-8"))
    line = 0
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = [pair for pair in node.value if pair[0].value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1
