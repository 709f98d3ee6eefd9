"""The pods.json that pi (@mariozechner/pi) writes, translated to ours.

Its form: packages/pods/src/types.ts of badlogic/pi-mono.
"""

from __future__ import annotations

import re
from typing import Any


def wrote(content: Any) -> bool:
    """Tell whether pi wrote this file: it knows no version."""
    return (
        isinstance(content, dict)
        and "version" not in content
        and isinstance(content.get("pods"), dict)
    )


def translated(content: dict[str, Any]) -> dict[str, Any]:
    """Return the same pods in our form."""
    pods = {name: _pod(pod) for name, pod in content["pods"].items()}
    return {"version": 1, "active": content.get("active"), "pods": pods}


def _pod(pod: dict[str, Any]) -> dict[str, Any]:
    # What pi calls the version is the name of an engine: release, nightly, gpt-oss.
    return {
        "ssh": pod["ssh"],
        "models_path": pod.get("modelsPath"),
        "engine": pod.get("vllmVersion"),
        "gpus": [
            {"id": gpu["id"], "name": gpu["name"], "memory_mib": _mib(gpu.get("memory"))}
            for gpu in pod.get("gpus") or []
        ],
        "models": {
            name: {
                "model": model["model"],
                "port": model.get("port"),
                "gpus": model.get("gpu") or [],
                "pid": model.get("pid"),
            }
            for name, model in (pod.get("models") or {}).items()
        },
    }


def _mib(text: Any) -> int | None:
    match = re.match(r"\s*([\d.]+)\s*([GM]?)", str(text or ""))
    if not match:
        return None
    return round(float(match[1]) * (1024 if match[2] == "G" else 1))
