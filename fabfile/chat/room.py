"""Room in the model's context: what of a conversation can be left out."""

from __future__ import annotations

from .stream import Message

_SHORT = 200  # characters: what is shorter frees nothing worth losing


def drop_oldest(messages: list[Message]) -> int:
    """Empty the older half of the tool results that are still whole; return how many.

    The newest stays, unless it is the only one: the model has not seen it yet.
    """
    whole = [
        message
        for message in messages
        if message["role"] == "tool" and len(message["content"]) > _SHORT
    ]
    dropped = whole[: max(1, len(whole) // 2)] if whole else []
    for message in dropped:
        size = len(message["content"])
        message["content"] = (
            f"[this result of {size} characters was left out to make room; "
            "ask for less of it when you need it again]"
        )
    return len(dropped)
