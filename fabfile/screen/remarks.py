"""What is said beside an answer: remarks, and how long it took."""

from __future__ import annotations

from typing import Any

from . import plain


def remark(event: dict[str, Any]) -> str:
    """Return the line that an event is worth: a note, an error, an answer that was cut."""
    if event["type"] == "note":
        text = event["text"]
    elif event["type"] == "error":
        text = event["message"]
    elif event["type"] == "done" and event["finish_reason"] == "length":
        text = "the answer was cut at the token limit"
    else:
        return ""
    return " ".join(plain(text).split())


def figures(usages: list[dict[str, Any]]) -> str:
    """Sum up the turns of an answer: tokens, the time to the first one, tokens per second."""
    tokens = sum(usage["completion_tokens"] for usage in usages)
    words = [f"{usages[-1]['prompt_tokens']} + {tokens} tokens"]
    if (first := usages[0]["first_token_s"]) is not None:
        words.append(f"first after {first:.2f} s")
    timed = [(usage["completion_tokens"], usage["tokens_per_s"]) for usage in usages]
    seconds = sum(count / speed for count, speed in timed if speed)
    if seconds:
        words.append(f"{sum(count for count, speed in timed if speed) / seconds:.0f} tokens/s")
    return ", ".join(words)
