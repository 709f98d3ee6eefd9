"""What `fab -H a,b,c` does: every host gets its turn, also after one has failed."""

from __future__ import annotations

import sys
from typing import Any

import fabric
from invoke.exceptions import Exit

RAW = "podfab_host"  # where a task finds the text as it was typed


class Executor(fabric.Executor):
    """Run the given tasks host by host and sum up at the end."""

    def execute(self, *tasks: Any) -> Any:
        hosts_argument = self.core[0].args.hosts
        hosts = [host for host in (hosts_argument.value or "").split(",") if host]
        if not tasks or not hosts:
            return super().execute(*tasks)
        if len(hosts) == 1:
            self.config[RAW] = hosts[0]
            return super().execute(*tasks)
        failed = {}
        for host in hosts:
            hosts_argument.value = self.config[RAW] = host
            print(f"== {host}", file=sys.stderr)
            try:
                super().execute(*tasks)
            except Exit as error:
                if error.code == 130:
                    raise
                failed[host] = error.message or f"exit {error.code}"
                if error.message:
                    print(error.message, file=sys.stderr)
        print(f"== {len(hosts) - len(failed)} of {len(hosts)} hosts done", file=sys.stderr)
        if failed:
            raise Exit(f"failed: {', '.join(failed)}", code=1)
        return {}
