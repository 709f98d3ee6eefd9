"""Numbers as people type them. Flags are text to Invoke: its own errors are tracebacks."""

from __future__ import annotations

import re

from ..errors import UsageError


def port(text: str, flag: str = "--port") -> int | None:
    """Read a port; empty is None."""
    if not text:
        return None
    if not _digits(text) or not 0 < int(text) < 65536:
        raise UsageError(f"{flag}={text} is no port; a number from 1 to 65535 is expected")
    return int(text)


def whole(text: str, flag: str) -> int:
    """Read a whole number, 0 or more."""
    if not _digits(text):
        raise UsageError(f"{flag}={text} is no number")
    return int(text)


def memory(text: str) -> float | None:
    """Read a share of the GPU's memory, `0.9` or `90%`; empty is None."""
    if not text:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)(%?)", text)
    share = float(match[1]) / (100 if match[2] else 1) if match else 0
    if not 0 < share <= 1:
        raise UsageError(f"--memory={text} is no share of the memory; 0.9 or 90% is expected")
    return share


def context(text: str) -> str | None:
    """Read a context length, `32k` (32,000), `32K` (32,768), `32768` or `auto`; empty is None.

    vLLM's own --max-model-len reads k and K the same way.
    """
    if not text or text == "auto":
        return text or None
    match = re.fullmatch(r"(\d+)([kK]?)", text)
    length = int(match[1]) * {"": 1, "k": 1000, "K": 1024}[match[2]] if match else 0
    if not length:
        raise UsageError(f"--context={text} is no length; 32k, 32K, 32768 or auto is expected")
    return str(length)


def gpus(text: str) -> int | list[int] | None:
    """Read a number of GPUs, `2`, or their ids, `2,3` (one id: `2,`); empty is None."""
    if not text:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(_digits(part) for part in parts):
        raise UsageError(f"--gpus={text} is neither a number (2) nor a list of ids (2,3)")
    ids = [int(part) for part in parts]
    if text.strip() == "0":
        raise UsageError("--gpus=0 asks for none; the GPU with id 0 is --gpus=0,")
    if "," not in text:
        return ids[0]
    if len(set(ids)) < len(ids):
        raise UsageError(f"--gpus={text} names a GPU twice")
    return ids


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
