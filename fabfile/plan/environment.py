"""What every job on a pod needs in its environment: the pod's `env` file."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping

from ..errors import UsageError

# The client's variables that reach the pod, so that mirrors and tokens work there too.
PASSED_ON = (
    "HF_TOKEN",
    "HF_ENDPOINT",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "PIP_TRUSTED_HOST",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX_STRATEGY",
    "UV_NO_INDEX",
    "UV_INSECURE_HOST",
    "UV_HTTP_TIMEOUT",
    "UV_SYSTEM_CERTS",
    "UV_NATIVE_TLS",
    "UV_PYTHON_INSTALL_MIRROR",
)


def passed_on(client: Mapping[str, str]) -> dict[str, str]:
    """Return those of the client's variables that go into the pod's env file.

    Raises UsageError for a hub that is no address: it would be kept on the pod.
    """
    hub = client.get("HF_ENDPOINT")
    if hub and not hub.startswith(("http://", "https://")):
        raise UsageError(f"HF_ENDPOINT={hub} is no address; https://... is expected")
    return {name: client[name] for name in PASSED_ON if client.get(name)}


def lines(environment: Mapping[str, str]) -> list[str]:
    """Write variables as lines that a shell can source.

    Raises UsageError for a value of several lines.
    """
    for name, value in environment.items():
        if "\n" in value or "\0" in value:
            raise UsageError(f"the value of {name} has more than one line; correct it")
    return [f"{name}={shlex.quote(value)}" for name, value in environment.items()]


def digest(line: str) -> str:
    """Return what the facts script tells about a line of the env file instead of its text."""
    return hashlib.sha256(line.encode()).hexdigest()
