"""A real OpenSSH server on loopback, with its own keys, configuration and home folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


class Sshd:
    """Runs one sshd until stopped. `ssh` is the string that reaches it."""

    prefix: tuple[str, ...] = ()  # the words before it, such as those that lead to another host

    def __init__(
        self,
        folder: Path,
        *extra: str,
        user: str = "",
        path: str = "",
        environment: dict[str, str] | None = None,
        port: int = 0,
        address: str = "127.0.0.1",
    ) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.user = user or pwd.getpwuid(os.getuid()).pw_name
        self.port = port or free_port()
        self.address = address
        self.key = folder / "id"
        for name in ("id", "host_key"):
            if not (folder / name).exists():
                self.new_key(name)
        (folder / "authorized").write_text((folder / "id.pub").read_text())
        variables = {"HOME": str(self.home), **(environment or {})}
        if path:
            variables["PATH"] = f"{path}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        self.options = [
            f"ListenAddress={address}:{self.port}",
            f"HostKey={folder / 'host_key'}",
            f"AuthorizedKeysFile={folder / 'authorized'}",
            "PidFile=none",
            "UsePAM=no",
            "StrictModes=no",
            "PasswordAuthentication=no",
            "MaxStartups=100",
            "SetEnv=" + " ".join(f'"{name}={value}"' for name, value in variables.items()),
            *extra,
        ]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def ssh(self) -> str:
        return f"ssh -p {self.port} -i {self.key} {self.user}@{self.address}"

    def new_key(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)],
            check=True,
        )

    def start(self) -> Sshd:
        sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert sshd, "sshd is missing; script/test installs it"
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        words = [word for option in self.options for word in ("-o", option)]
        with open(self.folder / "sshd.log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sshd, "-D", "-e", "-f", "/dev/null", *words], stderr=log, stdout=log
            )
        await_port(self.port, address=self.address)
        return self

    def stop(self) -> None:
        """End the server; its sessions go on, as with a real one."""
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def cut(self) -> None:
        """End the server's connections, as a lost network would; what they started goes on."""
        for child in self.connections():
            os.kill(child, signal.SIGKILL)

    def vanish(self) -> None:
        """End the server and its connections."""
        children = self.connections()
        self.stop()
        for child in children:
            os.kill(child, signal.SIGKILL)

    def connections(self) -> list[int]:
        """Return the processes of the connections that are open."""
        assert self.process
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                if int(path.read_text().rpartition(")")[2].split()[1]) == self.process.pid:
                    found.append(int(path.parent.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    def __enter__(self) -> Sshd:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def await_port(port: int, patience: float = 20, address: str = "127.0.0.1") -> None:
    """Wait until somebody listens on a port."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with socket.socket() as sock:
            if sock.connect_ex((address, port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on port {port}")


def main() -> None:
    """Serve until interrupted; print the ssh string."""
    import sys

    with Sshd(Path(sys.argv[1]).resolve(), port=int(sys.argv[2]) if sys.argv[2:] else 0) as sshd:
        print(sshd.ssh, flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
