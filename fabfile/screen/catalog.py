"""The catalog on the screen: what fits, the sets of GPUs that hold a model, what a model is."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from . import say, table

if TYPE_CHECKING:
    from ..plan.offers import Offer
    from ..records.entries import Model

_WIDE = 110


def offers(found: Iterable[Offer]) -> None:
    """Print the catalog by family, and how each model fits; a narrow terminal gets less of it."""
    columns = ("model", "size", "weights", "context", "tools", "thinks", "fits", "how")
    shown = range(8) if _wide() else (0, 6, 7)
    rows: list[Sequence[Any]] = []
    family = None
    for one in found:
        entry = one.entry
        if entry.family != family:
            family = entry.family
            rows.append((family or "yours", *[""] * 7))
        rows.append(
            (
                f"  {one.model}",
                f"{entry.params_b:g}B" if entry.params_b else "",
                f"{_short(entry.weights_gb)} GB" if entry.weights_gb else "",
                _tokens(entry.context),
                "yes" if entry.tool_parser else "",
                "yes" if entry.reasoning_parser else "",
                one.fits,
                _how(one),
            )
        )
    cut = [[row[i] for i in shown] for row in rows]
    table([columns[i] for i in shown], cut, fold_last=True)


def _how(one: Offer) -> str:
    """Write how a model fits, or why not, in few words."""
    if one.fits == "yes":
        context = f", {_tokens(one.context)}" if one.context else ""
        marks = f" ({', '.join(one.marks)})" if one.marks else ""
        return f"{one.place}{context}{marks}"
    return one.condition or one.short or one.entry.notes


def sets(found: Iterable[Offer]) -> None:
    """Print the sets of GPUs that hold a model, and which cards are too small."""
    found = list(found)
    table(
        ("fits", "GPUs", "context", "how"),
        [(one.fits, one.place, _tokens(one.context), one.reason) for one in found
         if one.fits != "no"],
        fold_last=True,
    )  # fmt: skip
    if small := ", ".join(one.place for one in found if one.fits == "no"):
        say(f"not on one machine of: {small}")


def described(name: str, entry: Model) -> None:
    """Say what a model is."""
    active = f" ({entry.active_params_b:g}B active)" if entry.active_params_b else ""
    facts = (
        f"{entry.params_b:g}B parameters{active}" if entry.params_b else "",
        f"{_short(entry.weights_gb)} GB of {entry.precision}" if entry.weights_gb else "",
        f"{_tokens(entry.context)} tokens" if entry.context else "",
        f"tools by {entry.tool_parser}" if entry.tool_parser else "no tools",
        f"thinking by {entry.reasoning_parser}" if entry.reasoning_parser else "",
        f"vLLM {entry.min_engine} or newer" if entry.min_engine else "",
        entry.license + (", gated" if entry.gated else ""),
    )
    say(f"{name}: {', '.join(filter(None, facts))}")
    for text in (entry.notes, entry.unsure and f"unsure: {entry.unsure}"):
        if text:
            say(f"  {text}")


def _short(number: float) -> str:
    """Write a number with three digits, or all of its whole ones."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _wide() -> bool:
    """Tell whether what we print to has room for long lines."""
    if not sys.stdout.isatty():
        return True
    from rich.console import Console

    return Console().width >= _WIDE


def _tokens(count: int | None) -> str:
    """Write a context as people do: 131072 is 128k."""
    if not count or count < 1024:
        return str(count or "")
    return f"{count // 1024}k" if count < 1024**2 else f"{count // 1024**2}M"
