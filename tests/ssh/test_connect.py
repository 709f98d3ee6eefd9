"""Reaching a pod, and the one line when it can not be reached."""

from __future__ import annotations

import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fabfile.errors import PodfabError
from fabfile.records.home import state_dir
from fabfile.remote import sshconfig
from fabfile.remote.hostkeys import entry_name, forget
from fabfile.remote.pod import Pod
from tests.support.sshd import Sshd, free_port

Serve = Callable[..., Sshd]
Reach = Callable[..., Pod]


def refusal(pod: Pod) -> str:
    with pytest.raises(PodfabError) as caught:
        pod.open()
    return str(caught.value)


def test_a_new_host_key_is_pinned_and_said(
    sshd: Sshd, reach: Reach, capsys: pytest.CaptureFixture[str]
) -> None:
    reach(sshd.ssh).open()
    known = state_dir() / "known_hosts"
    assert known.read_text().startswith(f"[127.0.0.1]:{sshd.port} ssh-ed25519 ")
    assert stat.S_IMODE(known.stat().st_mode) == 0o600
    assert f"pinned the host key of [127.0.0.1]:{sshd.port}: SHA256:" in capsys.readouterr().err
    reach(sshd.ssh).open()
    assert len(known.read_text().splitlines()) == 1


def test_a_changed_host_key_is_refused_until_it_is_forgotten(serve: Serve, reach: Reach) -> None:
    server = serve()
    reach(server.ssh).open()
    server.stop()
    server.new_key("host_key")
    server.start()
    assert "its host key is not the pinned one" in (said := refusal(reach(server.ssh)))
    assert said.endswith(f"inv pods.trust '{server.ssh}'"), "no record has it by a name"
    forget(entry_name("127.0.0.1", server.port))
    reach(server.ssh).open()


def test_the_jump_host_is_checked_too(serve: Serve, reach: Reach) -> None:
    jump, server = serve(), serve()
    (server.folder / "authorized").write_text((jump.folder / "id.pub").read_text())
    way = (
        f"ssh -i {jump.key} -J {jump.user}@127.0.0.1:{jump.port} "
        f"-p {server.port} {server.user}@127.0.0.1"
    )
    assert reach(way).run("echo through") == "through\n"
    assert len((state_dir() / "known_hosts").read_text().splitlines()) == 2
    jump.stop()
    jump.new_key("host_key")
    jump.start()
    assert "host key is not the pinned one" in refusal(reach(way))


def test_an_alias_of_ssh_config_is_used(
    sshd: Sshd, reach: Reach, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host dc1\n HostName 127.0.0.1\n Port {sshd.port}\n"
        f" User {sshd.user}\n IdentityFile {sshd.key}\n"
    )
    monkeypatch.setattr(sshconfig, "USER_CONFIG", str(config))
    assert reach("dc1").run("echo alias") == "alias\n"


def test_a_key_that_is_not_accepted(serve: Serve, reach: Reach) -> None:
    server = serve()
    (server.folder / "authorized").write_text("")
    assert f"it refused -i {server.key}; check the user" in refusal(reach(server.ssh))


def test_a_key_file_that_is_missing(sshd: Sshd, reach: Reach) -> None:
    said = refusal(reach(f"ssh -p {sshd.port} -i /no/such/key root@127.0.0.1"))
    assert "the key file /no/such/key does not exist" in said


def test_an_encrypted_key(serve: Serve, reach: Reach) -> None:
    server = serve()
    command = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "hunter2", "-f", str(server.key)]
    subprocess.run(command, check=True, capture_output=True)
    assert "the key is encrypted; add it to an agent: ssh-add" in refusal(reach(server.ssh))


def test_a_host_that_wants_a_password(serve: Serve, reach: Reach) -> None:
    server = serve("PasswordAuthentication=yes", "PubkeyAuthentication=no")
    assert "it asks for a password; install your key" in refusal(reach(server.ssh))


def test_nobody_listens(reach: Reach) -> None:
    said = refusal(reach(f"ssh -p {free_port()} root@127.0.0.1"))
    assert "connection refused; is sshd running, and the port right?" in said


def test_a_name_that_does_not_resolve(reach: Reach) -> None:
    assert "the name does not resolve" in refusal(reach("root@no-such-host.invalid"))


def test_something_else_listens(reach: Reach) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        pod = reach(f"ssh -p {other.getsockname()[1]} root@127.0.0.1")
        pod.settings = quick(pod)
        assert "does not speak ssh" in refusal(pod)


def test_a_host_that_does_not_answer(reach: Reach) -> None:
    fillers = [socket.socket() for _ in range(4)]
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        for filler in fillers:  # a full queue lets further connections wait without an answer
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        pod = reach(f"ssh -p {full.getsockname()[1]} root@127.0.0.1")
        pod.settings = quick(pod)
        assert "no answer in time; is the pod running" in refusal(pod)
    for filler in fillers:
        filler.close()


def quick(pod: Pod) -> object:
    from dataclasses import replace

    return replace(pod.settings, connect_timeout=1)
