"""A container pod: a fresh Debian behind a real sshd, without systemd, curl or Python."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.support.sshd import Sshd

PROJECT = Path(__file__).parents[2]
BASE = PROJECT / ".work" / "debian"
SYSTEM_PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def base() -> Path:
    """Return a folder with a minimal Debian, made once."""
    if not (BASE / "made").exists():
        shutil.rmtree(BASE, ignore_errors=True)
        BASE.parent.mkdir(exist_ok=True)
        words = ["debootstrap", "--variant=minbase", "bookworm", str(BASE)]
        subprocess.run([*words, "http://deb.debian.org/debian"], check=True, capture_output=True)
        (BASE / "made").touch()
    return BASE


class Container:
    """A pod in a root of its own; `ssh` reaches it as root, or as `user`.

    Folders of wheels and the certificates of this machine are those of the pod too: `pip.conf` in
    it names them.
    """

    def __init__(self, folder: Path, user: str = "root") -> None:
        self.folder = folder
        self.root = folder / "root"
        self.user = user
        self.mounts: list[Path] = []
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True)
        layers = f"lowerdir={base()},upperdir={folder}/upper,workdir={folder}/work"
        self.mount("overlay", "overlay", self.root, layers)
        self.mount("proc", "proc", self.root / "proc")
        self.mount("tmpfs", "tmpfs", self.root / "dev" / "shm", "size=64m")
        (self.root / "dev" / "fd").unlink(missing_ok=True)
        (self.root / "dev" / "fd").symlink_to("/proc/self/fd")
        self._network()
        if user != "root":
            self.run(f"useradd -m -s /bin/bash -p '*' {user}")
        home = "/root" if user == "root" else f"/home/{user}"
        enter = f"chroot --userspec={user} {self.root} /usr/bin/env -i HOME={home} USER={user}"
        shell = f'{enter} PATH=/stubs:{SYSTEM_PATH} /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
        self.home = self.root / home.lstrip("/")
        self.sshd = Sshd(folder / "sshd", f"ForceCommand=exec {shell}").start()

    @property
    def ssh(self) -> str:
        return self.sshd.ssh

    def mount(self, kind: str, what: str, where: Path, options: str = "") -> None:
        where.mkdir(parents=True, exist_ok=True)
        extra = ["-o", options] if options else []
        subprocess.run(["mount", "-t", kind, *extra, what, str(where)], check=True)
        self.mounts.append(where)

    def bind(self, what: Path, where: Path) -> None:
        where.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", str(what), str(where)], check=True)
        self.mounts.append(where)

    def run(self, command: str) -> str:
        """Run a command in the container, beside ssh."""
        words = ["chroot", str(self.root), "/usr/bin/env", "-i", f"PATH={SYSTEM_PATH}", "sh", "-c"]
        done = subprocess.run([*words, command], check=True, capture_output=True, text=True)
        return done.stdout

    def stub(self, name: str, words: str, hold: str) -> None:
        """Make a program wait while the file `hold` is there, when its words have these in them."""
        path = self.root / "stubs" / name
        path.parent.mkdir(exist_ok=True)
        wait = f"while [ -e {hold} ]; do sleep 0.1; done"
        path.write_text(
            f'#!/bin/sh\ncase "$*" in *{words}*) {wait} ;; esac\nexec /usr/bin/{name} "$@"\n'
        )
        path.chmod(0o755)

    def _network(self) -> None:
        """Give the container this machine's names, wheels and certificates."""
        for name in ("resolv.conf", "hosts"):
            shutil.copy(f"/etc/{name}", self.root / "etc" / name)
        lines = []
        certificates = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
        if Path(certificates).exists():
            shutil.copy(certificates, self.root / "etc" / "authority.crt")
            lines.append("cert = /etc/authority.crt")
        places = []
        for place in map(Path, os.environ.get("PIP_FIND_LINKS", "").split()):
            if place.is_dir():
                self.bind(place, self.root / "wheels" / place.name)
                places.append(f"/wheels/{place.name}")
        if places:
            lines.append("find-links = " + " ".join(places))
        (self.root / "etc" / "pip.conf").write_text("[global]\n" + "\n".join(lines) + "\n")

    def crash(self) -> None:
        """End all that runs in the container at once, as a power cut would."""
        for path in Path("/proc").glob("[0-9]*/root"):
            try:
                if os.readlink(path) == str(self.root):
                    os.kill(int(path.parent.name), signal.SIGKILL)
            except OSError:
                continue

    def stop(self) -> None:
        """End the container and all that is mounted in it."""
        self.sshd.vanish()
        self.crash()
        for place in reversed(self.mounts):
            subprocess.run(["umount", "-l", str(place)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
