"""Each thing a user, a file or a network can get wrong is one clear line, whatever the program."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Client
from tests.ssh.typed import CATALOG
from tests.support import engine
from tests.support.sshd import Sshd, free_port

PROGRAMS = ("inv", "fab", "podfab")
START = ("models.start", "--model=org/thing", "--name=qwen")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd")) as server:
        engine.install(server.home / ".pi")
        yield server


@pytest.fixture
def known(client: Client, server: Sshd) -> Client:
    """A client that knows two pods, one of them out of reach."""
    root = str(server.home / ".pi")
    pods = {
        "dc1": {"ssh": server.ssh, "root": root, "engine": "stub"},
        "gone": {"ssh": f"ssh -p {free_port()} root@127.0.0.1"},
    }
    client.state.mkdir()
    (client.state / "models.yaml").write_text(CATALOG)
    (client.state / "pods.json").write_text(
        json.dumps({"version": 1, "active": "dc1", "pods": pods})
    )
    return client


def everywhere(client: Client, *words: str) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run the same words through all programs, and hold them to what holds for all."""
    before = files(client.state)
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda program: client.run(*words, program=program), PROGRAMS)
    found = dict(zip(PROGRAMS, results, strict=True))
    for program, result in found.items():
        said = f"{program} {words}: {result.stderr}"
        assert "Traceback" not in result.stderr, said
        assert result.stdout == "", said
    assert files(client.state) == before, "something was written"
    return found


def files(folder: Path) -> dict[str, bytes]:
    kept = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path): path.read_bytes() for path in kept if path.name != "known_hosts"}


@pytest.mark.parametrize(
    ("words", "line", "code"),
    [
        (("models", "--pod=dc2"), "no pod is called 'dc2'; did you mean 'dc1'?", 1),
        (("models", "--pod=zzz"), "no pod is called 'zzz'; set it up first", 1),
        (("pods.active", "dc"), "no pod is called 'dc'; did you mean 'dc1'?", 1),
        (("pods.remove", "dc"), "no pod is called 'dc'; did you mean 'dc1'?", 1),
        (("pods.trust", "dc"), "no pod is called 'dc'; did you mean 'dc1'?", 1),
        (("models.stop", "--name=nope"), "no model that runs is called 'nope'; inv models", 1),
        (("models.logs", "nope"), "no model is called 'nope'; inv models lists dc1's", 1),
        (("models.diagnose", "--name=nope"), "no model is called 'nope'; inv models lists", 1),
        (("models.diagnose", "--log=/no/such"), "/no/such can not be read: No such file", 1),
        (("models.diagnose", "--log=/"), "/ can not be read: Is a directory", 1),
        (("models.diagnose",), "which model\\? --name=NAME, or --log=FILE", 2),
        (("models.diagnose", "--log=a", "--pod=dc1"), "--pod does not go with it", 2),
        (("prompt", "nope", "hi"), "no model that runs is called 'nope'; inv models", 1),
        (("models", "--pod=gone"), "can not reach gone .*: connection refused; is sshd running", 1),
        (("setup", "--ssh=root@no-such-host.invalid"), "the name does not resolve", 1),
        (("setup",), "where is the pod\\? fab -H user@host setup", 2),
        (("setup", "--ssh=ssh -p 99999 root@h"), "'99999' is no port", 2),
        (("setup", "--ssh=ssh -p"), "ssh option -p lacks its value", 2),
        (("setup", "--ssh=ssh root@h ls"), "has words after the host: 'ls'", 2),
        (("setup", "--ssh=ssh -Z root@h"), "unknown ssh option -Z", 2),
        (("setup", "--ssh=local", "--name=Not_OK!"), "can not be a pod's name: lower case", 2),
        (("setup", "--ssh=local", "--root=here"), "--root=here is no absolute path", 2),
        (("setup", "--ssh=local", "--root=/"), "--root='/' can not be ours", 2),
        (("setup", "--ssh=local", "--root=/a\nb"), "can not be ours; name a folder", 2),
        (("setup", "--ssh=local", "--root=/it's"), "Python's programs can not start there", 2),
        (("pods.run", " "), "the command is empty", 2),
        (("setup", "--ssh=local", "--engine=tpu"), "no engine is called 'tpu'; there are: rel", 1),
        (("setup", "--name=dc1", "--engine=release"), "it needs an NVIDIA GPU, and none is", 1),
        (("setup", "--name=dc1", "--toolkit=new"), "--toolkit=new is neither auto, none nor a", 2),
        (
            ("setup", "--name=dc1", "--mount=mount"),
            "names no folder of the pod to mount on; for",
            2,
        ),
        (("setup", "--name=dc1", "--mount=mount a:/b /c; id"), "one command without shell op", 2),
        (("setup", "--name=dc1", "--mount=mount //a/b /c -o password=x"), "holds a password", 2),
        (("pods.run", "id", "--pod=dc2"), "no pod is called 'dc2'; did you mean 'dc1'?", 1),
        (("pods.run", "id", "--pod=gone"), "can not reach gone .*: connection refused", 1),
        (("pods.shell", "--pod=dc2"), "no pod is called 'dc2'; did you mean 'dc1'?", 1),
        (("pods.sync", "--pod=dc2"), "no pod is called 'dc2'; did you mean 'dc1'?", 1),
        (("pods.sync", "--pod=gone"), "can not reach gone .*: connection refused", 1),
        (("pods.doctor", "--pod=dc2"), "no pod is called 'dc2'; did you mean 'dc1'?", 1),
        (("pods.clean", "--pod=dc2"), "no pod is called 'dc2'; did you mean 'dc1'?", 1),
        (("pods.remove", "dc", "--purge"), "no pod is called 'dc'; did you mean 'dc1'?", 1),
        (("pods.remove", "gone", "--purge"), "can not reach gone .*: connection refused", 1),
        (("models.start",), "which model\\? inv models.start --model=", 2),
        (("models.start", "--model=a/b", "--name=A B"), "can not be a model's name", 2),
        ((*START, "--port=eighty"), "--port=eighty is no port", 2),
        ((*START, "--port=70000"), "--port=70000 is no port", 2),
        ((*START, "--memory=lots"), "--memory=lots is no share of the memory; 0.9 or 90%", 2),
        ((*START, "--memory=120%"), "--memory=120% is no share of the memory", 2),
        ((*START, "--context=long"), "--context=long is no length; 32k, 32K, 32768", 2),
        ((*START, "--gpus=many"), "--gpus=many is neither a number", 2),
        ((*START, "--gpus=0,0"), "--gpus=0,0 names a GPU twice", 2),
        ((*START, "--gpus=2"), "2 GPUs are wanted, this pod has 0", 1),
        ((*START, "--gpus=3,"), "there is no GPU 3; this pod has: none", 1),
        ((*START, "--engine=nightly"), "engine nightly-.* can not run here: it needs an NV", 1),
        (
            (*START, "--engine=nightly", "--plan"),
            "is not installed \\(there: stub\\); without --p",
            1,
        ),
        ((*START, "--engine=nope"), "no engine is called 'nope'; there are: release", 1),
        (
            ("models.start", "--model=Qwen/Qwen3-32B-FP8"),
            "does not fit here \\(no GPU\\): fp8 wei",
            1,
        ),
        (("models.catalog", "--gpu=2xH10"), "no GPU type is called 'H10'; did you mean 'H100'", 2),
        (("models.catalog", "--gpu=H100", "--pod=dc1"), "--gpu asks about GPUs of no pod", 2),
        (("models.catalog", "--gpu=many"), "a size like 24GB describes any other card", 2),
        (("models.catalog", "--family=qven"), "no family is called 'qven'; did you mean", 2),
        (("models.catalog", "--for=qwen/qwen3-8b", "--pod=dc2"), "no pod is called 'dc2'", 1),
        (("models.catalog", "--for=a/b", "--fits"), "--for asks about one model; --fits", 2),
        (("models.catalog", "--fits", "--pod=gone"), "can not reach gone .*: connection ref", 1),
        (("models.catalog", "--pod=dc2"), "no pod is called 'dc2'; did you mean 'dc1'?", 1),
        ((*START, "--vllm-args=--port 1"), "--vllm-args can not set --port; use --port", 2),
        ((*START, "--vllm-args='open"), "--vllm-args can not be read", 2),
        ((*START, "--vllm-args=word"), "--vllm-args begins with 'word'", 2),
        (("models.stop",), "which model\\? --name=NAME, or --all", 2),
        (("models.stop", "--all", "--name=x"), "which model\\? --name=NAME, or --all", 2),
        (("models.logs", "qwen", "--lines=few"), "--lines=few is no number", 2),
        (("models.logs", "qwen", "--run=last"), "--run=last is no number", 2),
        (("models.logs", "--bogus"), "'--bogus' stands where a name or text is expected", 2),
        (("pods.active", "-x"), "'-x' stands where a name or text is expected", 2),
        (("prompt", "qwen", "--help-me"), "'--help-me' stands where a name or text is", 2),
        (("prompt", "qwen", " "), "the question is empty", 2),
    ],
)
def test_wrong_words(known: Client, words: tuple[str, ...], line: str, code: int) -> None:
    for program, result in everywhere(known, *words).items():
        last = result.stderr.strip().splitlines()[-1]
        assert re.search(f"^podfab: .*{line}", last), f"{program}: {result.stderr}"
        assert result.returncode == code, program


@pytest.mark.parametrize("words", [("models.strt",), ("models.stop", "--bogus"), ("pods", "stray")])
def test_words_that_invoke_itself_refuses(known: Client, words: tuple[str, ...]) -> None:
    for program, result in everywhere(known, *words).items():
        assert "No idea what" in result.stderr
        if (program, words[0]) == ("podfab", "models.strt"):
            assert "did you mean 'models.start'?" in result.stderr
        assert result.returncode == (2 if program == "podfab" else 1)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("settings.yaml", "first_port: 1\nstop_grase: 2\n", "line 2: unknown setting 'stop_grase'"),
        ("settings.yaml", "first_port: many\n", "line 1: first_port is 'many'; a whole number"),
        ("settings.yaml", "a: [\n", "line 2: "),
        ("settings.yaml", "- a list\n", "line 1: names with values are expected"),
        ("models.yaml", "models:\n  a/b:\n    gpu: 3\n", "line 3: models > a/b > gpu: unknown"),
        ("models.yaml", "models: {a/b: {configs: [{gpus: x}]}}\n", "line 1: models > a/b > conf"),
        ("models.yaml", "\tx", "line 1: "),
    ],
)
def test_broken_yaml(known: Client, name: str, content: str, line: str) -> None:
    (known.state / name).write_text(content)
    for program, result in everywhere(known, *START, "--plan").items():
        last = result.stderr.strip().splitlines()[-1]
        assert re.search(f"^podfab: .*/{name}, {line}", last), f"{program} {result.stderr}"
        assert result.returncode == 1


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("content", ["{broken", "[]", '{"version": 1, "pods": {"a": {}}}', "\xff"])
def test_an_unreadable_pods_json_is_kept(client: Client, program: str, content: str) -> None:
    client.state.mkdir()
    path = client.state / "pods.json"
    path.write_bytes(content.encode("latin-1"))
    result = client.run("pods.active", "x", program=program)
    assert result.returncode == 1
    (kept,) = client.state.glob("pods.json.unreadable-*")
    assert kept.read_bytes() == content.encode("latin-1")
    assert str(kept) in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_home_that_can_not_be_written(client: Client, program: str) -> None:
    client.extra["PI_CONFIG_DIR"] = "/proc/nowhere"
    result = client.run("pods", program=program)
    assert result.returncode == 1
    line = "podfab: can not make /proc/nowhere: No such file or directory; name a writable folder"
    assert result.stderr.startswith(line)


def test_forwarding_forbidden(known: Client, tmp_path: Path) -> None:
    with Sshd(tmp_path / "strict", "AllowTcpForwarding=no") as strict:
        engine.install(strict.home / ".pi")
        content = json.loads((known.state / "pods.json").read_text())
        content["pods"]["strict"] = {
            "ssh": strict.ssh,
            "root": str(strict.home / ".pi"),
            "engine": "stub",
        }
        (known.state / "pods.json").write_text(json.dumps(content))
        assert known.run(*START, "--pod=strict").returncode == 0
        try:
            result = known.run("prompt", "qwen", "hi", "--pod=strict")
            assert result.returncode == 1
            assert "strict forbids port forwarding (sshd's AllowTcpForwarding no)" in result.stderr
        finally:
            known.run("models.stop", "--all", "--pod=strict")


def test_a_taken_model_name_and_a_taken_port(known: Client) -> None:
    started = json.loads(known.run(*START, "--json").stdout)
    try:
        again = known.run(*START)
        assert again.returncode == 1
        assert "qwen runs already on dc1: org/thing (by " in again.stderr
        assert "); inv models.stop --name=qwen, or take another --name" in again.stderr
        words = ("models.start", "--model=org/thing", "--name=two", f"--port={started['port']}")
        assert "is in use on the pod; take another: --port=N" in known.run(*words).stderr
    finally:
        known.run("models.stop", "--all")


def test_the_pod_vanishes_while_a_model_starts(known: Client, server: Sshd) -> None:
    (known.state / "settings.yaml").write_text("reconnect_for: 1\n")
    starting = known.popen(*START, "--vllm-args=--never-ready")
    while not (found := json.loads(known.run("models", "--json").stdout)) or not found[0]["phase"]:
        assert starting.poll() is None
    server.vanish()
    _, said = starting.communicate(timeout=60)
    server.start()
    assert (starting.returncode, "Traceback" in said) == (1, False), said
    assert "podfab: can not reach dc1" in said.strip().splitlines()[-1]
    assert json.loads(known.run("models", "--json").stdout)[0]["status"] == "loading"
    assert known.run("models.stop", "--all").returncode == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_where_a_name_is_expected_is_help(known: Client, program: str) -> None:
    result = known.run("models.logs", "--help", program=program)
    assert (result.returncode, "inv models.logs qwen" in result.stderr) == (0, True)


def test_output_whose_reader_has_left(known: Client) -> None:
    command = "set -o pipefail; inv pods --json | true"
    result = subprocess.run(
        ["bash", "-c", command],
        env={**known.environment, "PATH": f"{engine.sys.prefix}/bin:{known.environment['PATH']}"},
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert "Traceback" not in result.stderr and "Exception" not in result.stderr
