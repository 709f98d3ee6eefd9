"""What a vLLM accepts, read from its source: a wheel, or a folder that holds the package.

Nothing is imported or installed, so any version can be asked on any machine.
"""

from __future__ import annotations

import ast
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fabfile.plan.facts import version
from fabfile.records.entries import Catalog, Configuration, Model


@dataclass(frozen=True)
class Accepts:
    """What `vllm serve` of one version knows."""

    version: str
    flags: frozenset[str]
    tool_parsers: frozenset[str]
    reasoning_parsers: frozenset[str]
    variables: frozenset[str]
    architectures: frozenset[str]


def read(place: Path) -> Accepts:
    """Read a wheel, or the folder above a package vllm/.

    Raises LookupError when something that is looked for is not there any more.
    """
    sources = dict(_sources(place))
    trees = {name: ast.parse(text) for name, text in sources.items()}

    def keys(pattern: str, folder: str) -> frozenset[str]:
        found = {
            key for name, tree in trees.items() if folder in name for key in _keys(tree, pattern)
        }
        # Up to 0.11 the file of each parser registers it.
        found |= {
            key
            for name, tree in trees.items()
            if f"/{folder.removesuffix('/__init__')}/" in name
            for key in _registered(tree)
        }
        if not found:
            raise LookupError(f"{place} has no {pattern} below {folder}")
        return frozenset(found)

    command_line = [tree for name, tree in trees.items() if name.endswith("cli_args.py")]
    frontend = {field for tree in command_line for field in _fields(tree, "FrontendArgs")}
    if not frontend:
        raise LookupError(f"{place} has no FrontendArgs")
    engine = trees["vllm/engine/arg_utils.py"]
    return Accepts(
        version=_version(place),
        flags=frozenset(frontend.union(*map(_flags, (engine, *command_line)))),
        tool_parsers=keys("_TOOL_PARSERS_TO_REGISTER", "tool_parsers/__init__"),
        reasoning_parsers=keys("_REASONING_PARSERS_TO_REGISTER", "reasoning/__init__"),
        variables=keys("environment_variables", "vllm/envs.py"),
        architectures=keys("_[A-Z_]*MODELS", "models/registry.py"),
    )


def problems(catalog: Catalog, accepts: Accepts) -> tuple[list[str], list[str]]:
    """Return what this vLLM does not accept, and which models ask for a newer one."""
    wrong, newer = [], []
    for name, model in catalog.models.items():
        if version(model.min_engine or "") > version(accepts.version):
            newer.append(name)
            continue
        wrong += [f"{name}: {problem}" for problem in _of_model(model, accepts)]
    return wrong, newer


def _of_model(model: Model, accepts: Accepts) -> Iterator[str]:
    known = (
        ("architecture", model.architecture, accepts.architectures),
        ("tool_parser", model.tool_parser, accepts.tool_parsers),
        ("reasoning_parser", model.reasoning_parser, accepts.reasoning_parsers),
    )
    for field, value, accepted in known:
        if value and value not in accepted:
            yield f"{field} {value} is not known to vLLM {accepts.version}"
    for config in model.configs:
        yield from _of_config(config, accepts)


def _of_config(config: Configuration, accepts: Accepts) -> Iterator[str]:
    for flag in config.args:
        if flag.partition(".")[0].removeprefix("no-") not in accepts.flags:
            yield f"--{flag} is no argument of vLLM {accepts.version}"
    for name in config.env:
        if name.startswith("VLLM_") and name not in accepts.variables:
            yield f"{name} is no variable of vLLM {accepts.version}"


def _sources(place: Path) -> Iterator[tuple[str, str]]:
    wanted = re.compile(
        r"vllm/(envs\.py|engine/arg_utils\.py|.*cli_args\.py|model_executor/models/registry\.py"
        r"|.*(tool_parsers|reasoning)/\w+\.py)"
    )
    if place.is_dir():
        for path in sorted((place / "vllm").rglob("*.py")):
            name = path.relative_to(place).as_posix()
            if wanted.fullmatch(name):
                yield name, path.read_text("utf-8")
        return
    with zipfile.ZipFile(place) as wheel:
        for name in wheel.namelist():
            if wanted.fullmatch(name):
                yield name, wheel.read(name).decode("utf-8")


def _version(place: Path) -> str:
    if place.is_dir():
        names = [path.name for path in place.glob("vllm*-*.dist-info")]
    else:
        with zipfile.ZipFile(place) as wheel:
            names = [name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name]
    for name in sorted(names):
        if match := re.fullmatch(r"vllm(?:_cpu)?-(.+)\.dist-info", name):
            return match[1]
    raise LookupError(f"{place} holds no vLLM")


def _keys(tree: ast.Module, pattern: str) -> Iterator[str]:
    """Yield the keys of the dictionaries that are assigned to such names."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        named = any(isinstance(t, ast.Name) and re.fullmatch(pattern, t.id) for t in targets)
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if named and isinstance(value, ast.Dict):
            yield from (str(key.value) for key in value.keys if isinstance(key, ast.Constant))


def _registered(tree: ast.Module) -> Iterator[str]:
    """Yield the names under which classes are registered by a decorator."""
    for node in tree.body:
        for mark in node.decorator_list if isinstance(node, ast.ClassDef) else []:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith(".register_module"):
                for word in ast.walk(mark):
                    if isinstance(word, ast.Constant) and isinstance(word.value, str):
                        yield word.value


def _flags(tree: ast.Module) -> set[str]:
    """Return the long flags that are added one by one."""
    return {
        str(word.value)[2:].replace("_", "-")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "add_argument"
        for word in node.args
        if isinstance(word, ast.Constant) and str(word.value).startswith("--")
    }


def _fields(tree: ast.Module, suffix: str) -> Iterator[str]:
    """Yield the fields of the classes that flags are made of."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.endswith(suffix):
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    yield line.target.id.replace("_", "-")
