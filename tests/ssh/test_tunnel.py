"""Models reached through ports that are held open: tunnels, variables, broken connections."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread, Timer

import pytest

from fabfile.remote.pod import Pod
from tests.conftest import Client
from tests.ssh.typed import remember, start
from tests.support import engine
from tests.support.sshd import Sshd, free_port

KEY = "it's a $(key)"


@pytest.fixture
def served(ready: Client) -> Client:
    ready.extra["PI_API_KEY"] = KEY
    started = start(ready, "qwen")
    assert started.returncode == 0, started.stderr
    return ready


class Held:
    """A tunnel that runs; what it says is read line by line."""

    def __init__(self, client: Client, *words: str) -> None:
        self.process = client.popen("models.tunnel", *words)
        self.said = ""

    def hear(self, words: str) -> str:
        """Wait for the line that holds the words."""
        assert self.process.stderr
        late = Timer(30, self.process.kill)
        late.start()
        for line in self.process.stderr:
            self.said += line
            if words in line:
                late.cancel()
                return line.strip()
        raise AssertionError(f"it did not say {words!r}: {self.said}")

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        out, said = self.process.communicate(timeout=60)
        self.said += said
        assert out == "" and "Traceback" not in self.said
        return self.process.returncode


@pytest.fixture
def hold(ready: Client) -> Iterator[Callable[..., Held]]:
    tunnels: list[Held] = []

    def start(*words: str, client: Client = ready) -> Held:
        tunnels.append(Held(client, *words))
        tunnels[-1].hear("Ctrl-C ends the tunnel")
        return tunnels[-1]

    yield start
    for tunnel in tunnels:
        tunnel.process.kill()
        tunnel.process.communicate()


def evaluated(client: Client, *words: str) -> tuple[str, str]:
    """The address and the key, as a shell has them after eval."""
    printed = client.run("models.env", *words)
    assert printed.returncode == 0, printed.stderr
    script = 'eval "$1"; printf "%s\\n" "$OPENAI_BASE_URL" "$OPENAI_API_KEY"'
    shell = ["bash", "-c", script, "bash", printed.stdout]
    url, key = subprocess.run(shell, capture_output=True, text=True, check=True).stdout.splitlines()
    return url, key


def ask(url: str, key: str = KEY) -> int:
    """Return the status of a question."""
    body = json.dumps({"messages": []}).encode()
    request = urllib.request.Request(f"{url}/chat/completions", body)
    request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert b"I am a stand-in." in answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def two_free_ports() -> int:
    """Return a free port whose successor is free too."""
    while True:
        first = free_port()
        with suppress(OSError), socket.create_server(("127.0.0.1", first + 1)):
            return first


def test_a_question_through_a_tunnel_is_answered(served: Client, hold: Callable[..., Held]) -> None:
    port = free_port()
    tunnel = hold("qwen", f"--port={port}")
    assert tunnel.said.splitlines() == [
        f"qwen: http://127.0.0.1:{port}/v1",
        f'  in another shell: eval "$(inv models.env qwen --port={port})"',
        "Ctrl-C ends the tunnel, what it leads to goes on",
    ]
    url, key = evaluated(served, "qwen", f"--port={port}")
    assert (url, key) == (f"http://127.0.0.1:{port}/v1", KEY)
    assert ask(url, key) == 200
    assert ask(url, "another") == 401
    assert tunnel.interrupt() == 130
    assert tunnel.said.endswith("\nqwen goes on; to stop it: inv models.stop --name=qwen\n")
    with pytest.raises(OSError):
        ask(url, key)
    assert KEY not in tunnel.said


def test_the_examples_of_a_start_work_as_they_are_pasted(
    ready: Client, hold: Callable[..., Held]
) -> None:
    said = start(ready, "qwen").stderr
    tunnel = hold("qwen")
    url, key = evaluated(ready, "qwen", f"--port={tunnel.said.partition('/v1')[0].split(':')[-1]}")
    example = said.partition("from openai")
    run = subprocess.run(
        [sys.executable, "-c", "".join(example[1:])],
        env={**ready.environment, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": key},
        capture_output=True,
        text=True,
    )
    assert (run.stdout, run.stderr) == ("I am a stand-in.\n", "")
    assert key not in said


def test_two_models_in_one_tunnel_and_one_that_ends(
    ready: Client, server: Sshd, hold: Callable[..., Held]
) -> None:
    for name in ("one", "two"):
        ready.extra["PI_API_KEY"] = f"key-{name}"
        start(ready, name)
    first = two_free_ports()
    tunnel = hold("one,two", f"--port={first}")
    urls = [f"http://127.0.0.1:{port}/v1" for port in (first, first + 1)]
    assert [ask(url, "key-one") for url in urls] == [200, 401]
    assert [ask(url, "key-two") for url in urls] == [401, 200]
    assert evaluated(ready, "two", f"--port={first + 1}") == (urls[1], "key-two")
    assert ready.run("models.stop", "--name=one").returncode == 0
    server.cut()
    tunnel.hear("no model that runs is called 'one'; inv models lists dc1's")
    tunnel.hear("dc1 is reached again")
    assert ask(urls[1], "key-two") == 200
    assert ready.run("models.stop", "--name=two").returncode == 0
    server.cut()
    assert tunnel.end() == 1
    assert "podfab: no model that runs is called 'two'" in tunnel.said.splitlines()[-1]


def test_a_port_that_is_in_use_here_is_named(served: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = served.run("models.tunnel", "qwen", f"--port={port}")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == (
        f"podfab: port {port} can not be opened on this machine (address already in use); "
        "take another: --port=N"
    )


def test_a_model_is_at_its_own_port_where_that_is_free(
    monkeypatch: pytest.MonkeyPatch, sshd: Sshd, reach: Callable[..., Pod]
) -> None:
    from fabfile import endpoint

    pod = reach(sshd.ssh)
    monkeypatch.setattr(pod, "_probe", lambda port: None)
    with closing(endpoint._opened(pod, own := free_port(), None)) as forward:
        assert (forward.local, forward.remote) == (own, own)
        with closing(endpoint._opened(pod, own, None)) as second:
            assert second.local != own and second.remote == own


def test_a_lost_connection_is_told_once_and_the_ports_stay(
    served: Client, server: Sshd, hold: Callable[..., Held]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    tunnel = hold("qwen", f"--port={port}")
    assert ask(url) == 200
    server.vanish()
    tunnel.hear("the connection to dc1 is lost; trying again for 120 s")
    asked: list[int] = []
    waiting = Thread(target=lambda: asked.append(ask(url)), daemon=True)
    waiting.start()
    server.start()
    assert tunnel.hear("dc1") == "dc1 is reached again, through the same ports as before"
    waiting.join(30)
    assert asked == [200]
    server.cut()
    tunnel.hear("dc1 is reached again")
    assert ask(url) == 200
    assert tunnel.said.count("is lost") == 2
    assert tunnel.interrupt() == 130


def test_a_pod_that_stays_away_is_given_up(
    served: Client, server: Sshd, hold: Callable[..., Held]
) -> None:
    (served.state / "settings.yaml").write_text("reconnect_for: 1\n")
    tunnel = hold("qwen")
    server.vanish()
    try:
        assert tunnel.end() == 1
    finally:
        server.start()
    lost, error = tunnel.said.splitlines()[-2:]
    assert lost == "the connection to dc1 is lost; trying again for 1 s"
    assert error.startswith("podfab: can not reach dc1") and "connection refused" in error


def test_what_is_not_ready_has_neither_tunnel_nor_variables(ready: Client) -> None:
    start(ready, "qwen", "--no-wait", "--vllm-args=--never-ready")
    for words in (("models.tunnel", "qwen"), ("models.env", "qwen")):
        result = ready.run(*words)
        assert (result.returncode, result.stdout) == (1, "")
        assert "podfab: qwen is not ready yet (" in result.stderr
    result = ready.run("models.tunnel", "qwem,x")
    assert result.returncode == 1 and "did you mean 'qwen'?" in result.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["qwen", "--port=x"], "--port=x is no port"),
        (["one,two", "--port=65535"], "--port=65536 is no port"),
        ([" , "], "which model? inv models.tunnel qwen"),
    ],
)
def test_wrong_words_are_refused(ready: Client, words: list[str], why: str) -> None:
    result = ready.run("models.tunnel", *words)
    assert result.returncode == 2 and result.stderr.startswith(f"podfab: {why}")


def test_variables_are_exactly_two_lines(served: Client) -> None:
    printed = served.run("models.env", "qwen")
    port = json.loads(served.run("models", "--json").stdout)[0]["port"]
    quoted = "'it'\"'\"'s a $(key)'"
    assert printed.stdout == (
        f"export OPENAI_BASE_URL=http://127.0.0.1:{port}/v1\nexport OPENAI_API_KEY={quoted}\n"
    )
    assert printed.stderr == "that port is open while this runs: inv models.tunnel qwen\n"


def test_a_model_of_this_machine_needs_no_tunnel(client: Client) -> None:
    root = client.home / "local"
    engine.install(root)
    remember(client, here=Sshd(client.home / "unused"))
    record = json.loads((client.state / "pods.json").read_text())
    record["pods"]["here"].update(ssh="local", root=str(root))
    (client.state / "pods.json").write_text(json.dumps(record))
    try:
        port = json.loads(start(client, "qwen", "--json").stdout)["port"]
        told = client.run("models.tunnel", "qwen")
        assert (told.returncode, told.stdout) == (0, "")
        assert told.stderr.splitlines() == [
            f"qwen: http://127.0.0.1:{port}/v1",
            '  in another shell: eval "$(inv models.env qwen)"',
            "here is this machine: it needs no tunnel",
        ]
        assert client.run("models.tunnel", "qwen", f"--port={port}").returncode == 0
        for words in (("models.tunnel", "qwen"), ("models.env", "qwen")):
            refused = client.run(*words, f"--port={port + 1}")
            assert (refused.returncode, refused.stdout) == (2, "")
            assert refused.stderr == (
                f"podfab: here is this machine, and qwen is at port {port} of it; "
                "leave --port out\n"
            )
        assert client.run("models.env", "qwen").stderr == ""
    finally:
        client.run("models.stop", "--all")


def test_a_connection_that_the_pod_refuses_leaves_the_port_open(
    sshd: Sshd, reach: Callable[..., Pod]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        forward = reach(sshd.ssh).tunnel(port)
    with closing(forward):
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", forward.local), 10) as refused:
                assert refused.recv(1) == b""
        with (
            socket.create_server(("127.0.0.1", port)) as listener,
            socket.create_connection(("127.0.0.1", forward.local), 10) as client,
        ):
            client.sendall(b"question")
            client.shutdown(socket.SHUT_WR)
            server, _ = listener.accept()
            with server:
                assert server.makefile("rb").read() == b"question"
                server.sendall(b"answer" * 100_000)
            assert client.makefile("rb").read() == b"answer" * 100_000


def test_a_client_that_leaves_is_told_to_the_server(
    sshd: Sshd, reach: Callable[..., Pod], tmp_path: Path
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        closing(reach(sshd.ssh).tunnel(listener.getsockname()[1])) as forward,
    ):
        listener.accept()[0].close()  # tunnel() tries the port once
        client = socket.create_connection(("127.0.0.1", forward.local), 10)
        server, _ = listener.accept()
        client.close()
        with server:
            server.settimeout(10)
            assert server.recv(1) == b""
