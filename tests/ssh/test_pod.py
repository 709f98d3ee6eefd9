"""Scripts on a pod: their output, their end, and ours."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fabfile.errors import ConnectionLost, RemoteFailed, Unreachable
from fabfile.remote.pod import Pod
from tests.support.sshd import Sshd

Serve = Callable[..., Sshd]
Reach = Callable[..., Pod]


def test_a_script_returns_what_it_prints(pod: Pod) -> None:
    assert pod.run("echo one; echo two") == "one\ntwo\n"


def test_a_failing_script_tells_the_last_line_of_its_stderr(pod: Pod) -> None:
    with pytest.raises(RemoteFailed, match="pod: no such thing"):
        pod.run("echo first >&2; echo no such thing >&2; exit 3")


def test_15_mb_with_every_character_whole(pod: Pod) -> None:
    count = 2_500_000
    text = pod.run(f"yes äöü漢 | head -n {count // 2}")
    assert text == "äöü漢\n" * (count // 2)


def test_a_script_of_a_megabyte_arrives(pod: Pod) -> None:
    assert pod.run(f": '{'x' * 1_000_000}'; echo here") == "here\n"


def test_no_word_of_a_script_is_seen_in_the_process_list(pod: Pod) -> None:
    seen = pod.run("secret=hunter2xyz; tr '\\0' ' ' </proc/$$/cmdline; cat /proc/[0-9]*/cmdline")
    assert "hunter2xyz" not in seen


def test_what_a_script_reads_is_not_the_script(pod: Pod) -> None:
    assert pod.run("cat; echo after") == "after\n"


def test_a_command_that_never_ends_is_given_up(pod: Pod) -> None:
    with pytest.raises(Unreachable, match="did not finish a command in 1 s"):
        pod.run("sleep 300", timeout=1)


def test_output_streams_while_the_script_runs(pod: Pod, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    chunks = pod.stream(f"echo first; while [ ! -e {gate} ]; do sleep 0.05; done; echo last")
    assert next(c for c in chunks if c) == b"first\n"
    gate.touch()
    assert b"".join(chunks) == b"last\n"


def test_leaving_a_stream_ends_the_script_even_a_silent_one(pod: Pod, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    chunks = pod.stream(f"echo $$ >{pid_file}; echo begun; sleep 300; echo never")
    next(c for c in chunks if c)
    chunks.close()  # type: ignore[attr-defined]
    assert gone(int(pid_file.read_text()))


@pytest.mark.parametrize("where", ["ssh", "local"])
def test_ctrl_c_returns_at_once_and_ends_the_remote_command(
    where: str, sshd: Sshd, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    ssh = sshd.ssh if where == "ssh" else "local"
    program = (
        "from fabfile.remote.pod import Pod; from fabfile.remote.address import parse\n"
        "from fabfile.records import settings\n"
        f"pod = Pod('p', parse({ssh!r}), '/nowhere', settings.load())\n"
        f"pod.run('echo $$ >{pid_file}; sleep 300')\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert child.poll() is None
        time.sleep(0.02)
    begun = time.monotonic()
    child.send_signal(signal.SIGINT)
    child.wait(20)
    assert time.monotonic() - begun < 10
    assert gone(int(pid_file.read_text()))


def test_a_cut_connection_is_told_and_the_next_command_connects_anew(
    serve: Serve, reach: Reach, tmp_path: Path
) -> None:
    server = serve()
    pod = reach(server.ssh)
    chunks = pod.stream("echo begun; sleep 300")
    next(c for c in chunks if c)
    server.cut()
    with pytest.raises(ConnectionLost, match="the connection to pod broke"):
        list(chunks)
    assert pod.run("echo again") == "again\n"


def test_a_connection_cut_under_a_flow_of_output_is_told(serve: Serve, reach: Reach) -> None:
    server = serve()
    pod = reach(server.ssh)
    for _ in range(3):
        with pytest.raises(ConnectionLost, match="the connection to pod broke"):
            for number, _ in enumerate(pod.stream("exec yes 'a line of some length'")):
                if number == 20:
                    server.cut()


def test_a_noisy_login_does_not_disturb(serve: Serve, reach: Reach, tmp_path: Path) -> None:
    banner = tmp_path / "banner"
    banner.write_text("### Welcome to the pod! ###\n")
    server = serve(f"Banner={banner}")
    for name in (".bashrc", ".bash_profile", ".profile"):
        (server.home / name).write_text("echo '{\"noise\": 1}'; echo more noise >&2\n")
    assert reach(server.ssh).run("echo clean") == "clean\n"


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash --posix", "/bin/sh"])
def test_other_login_shells_do(serve: Serve, reach: Reach, shell: str) -> None:
    server = serve(f'ForceCommand=exec {shell} -c "$SSH_ORIGINAL_COMMAND"')
    assert reach(server.ssh).run("echo 'a  b' \"$(echo c)\"") == "a  b c\n"


def test_a_gateway_with_only_an_interactive_shell_is_explained(serve: Serve, reach: Reach) -> None:
    server = serve('ForceCommand=echo "Error: Your SSH client doesn\'t support PTY"; exit 1')
    with pytest.raises(Unreachable, match=r"only an interactive one .*SSH over exposed TCP"):
        reach(server.ssh).run("echo hi")


def test_a_port_is_forwarded(sshd: Sshd, reach: Reach) -> None:
    pod = reach(sshd.ssh)
    with pod.forward(sshd.port) as local:
        import socket

        with socket.create_connection(("127.0.0.1", local), 5) as sock:
            assert sock.recv(4) == b"SSH-"


def test_forbidden_forwarding_is_named(serve: Serve, reach: Reach) -> None:
    server = serve("AllowTcpForwarding=no")
    pod = reach(server.ssh)
    with pytest.raises(Unreachable, match="AllowTcpForwarding no"), pod.forward(server.port):
        pass


def test_a_port_that_nobody_listens_on_is_named(sshd: Sshd, reach: Reach) -> None:
    pod = reach(sshd.ssh)
    with pytest.raises(Unreachable, match="nothing answers on port 1 of pod"), pod.forward(1):
        pass


def gone(pid: int, patience: float = 10) -> bool:
    """Wait until a process has ended."""
    deadline = time.monotonic() + patience
    while not ended(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
