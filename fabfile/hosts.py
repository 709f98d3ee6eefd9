"""What `-H a,b,c` does: every host gets its turn, also after one has failed."""

from __future__ import annotations

import sys
from typing import Any

from invoke.exceptions import Exit

RAW = "podfab_host"  # where a task finds the host as it was typed


class HostByHost:
    """Mixed into an executor: run the given tasks host by host and sum up at the end."""

    core: Any
    config: Any

    def execute(self, *tasks: Any) -> Any:
        argument = self.core[0].args.hosts
        hosts = [host for host in (argument.value or "").split(",") if host]
        if not tasks or not hosts:
            return super().execute(*tasks)  # type: ignore[misc]
        failed = [host for host in hosts if not self._one(host, len(hosts) > 1, argument, tasks)]
        if failed:
            done = len(hosts) - len(failed)
            raise Exit(f"{done} of {len(hosts)} hosts done, failed: {', '.join(failed)}", code=1)
        return {}

    def _one(self, host: str, of_several: bool, argument: Any, tasks: tuple[Any, ...]) -> bool:
        """Run the tasks for one host; of several, tell whether it went well."""
        argument.value = self.config[RAW] = host
        if not of_several:
            super().execute(*tasks)  # type: ignore[misc]
            return True
        print(f"== {host}", file=sys.stderr)
        try:
            super().execute(*tasks)  # type: ignore[misc]
        except Exit as error:
            if error.code == 130:
                raise
            if error.message:
                print(error.message, file=sys.stderr)
            return False
        return True


def __getattr__(name: str) -> Any:
    """Make fab's executor when it is asked for: inv and podfab need no fabric to start."""
    if name != "FabExecutor":
        raise AttributeError(name)
    import fabric

    return type("FabExecutor", (HostByHost, fabric.Executor), {})
