"""Setup as a job on a real sshd, with a stand-in for uv; tests/engine has the real one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Client
from tests.ssh.test_pod import gone
from tests.support.sshd import Sshd

Serve = Callable[..., Sshd]

# It makes a venv whose Python knows its vLLM's version, and installs while a file is there.
UV = """\
#!/bin/sh
home=$(cd "$(dirname "$0")/../.." && pwd)
case "$*" in
  *--help) echo --excludes ;;
  venv*)
    for venv; do :; done
    rm -rf "$venv" && mkdir -p "$venv/bin"
    printf '#!/bin/sh\\necho 1.0\\n' >"$venv/bin/python"
    chmod +x "$venv/bin/python" ;;
  *)
    echo "$@"
    echo begun
    while [ -e "$home/hold" ]; do sleep 0.05; done
    if [ -e "$home/refuse" ]; then echo "the index says no" >&2; exit 1; fi ;;
esac
"""


class Bare:
    """A bare pod with a uv of ours, and the client that sets it up."""

    def __init__(self, server: Sshd, client: Client) -> None:
        self.server, self.client = server, client
        self.root = server.home / ".pi"
        self.job = self.root / "jobs" / "_setup" / "current"
        (self.root / "bin").mkdir(parents=True, exist_ok=True)
        (self.root / "bin" / "uv").write_text(UV)
        (self.root / "bin" / "uv").chmod(0o755)
        self.knows(client)
        self.words = ["setup", f"--ssh={server.ssh}", "--name=bare", "--engine=slow"]

    def knows(self, client: Client, engines: str = 'slow: {package: slow, version: "1.0"') -> None:
        client.state.mkdir(parents=True, exist_ok=True)
        text = f'engines: {{{engines}, python: ">=3.8"}}}}\n'
        (client.state / "models.yaml").write_text(text)

    @property
    def hold(self) -> Path:
        return self.server.home / "hold"

    def begin(self, client: Client | None = None) -> subprocess.Popen[str]:
        """Begin a setup and wait until it installs."""
        self.hold.touch()
        process = (client or self.client).popen(*self.words)
        log = self.job / "log"
        while not (log.exists() and "begun" in log.read_text()):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        return process


@pytest.fixture
def bare(serve: Serve, client: Client) -> Iterator[Bare]:
    found = Bare(serve(), client)
    yield found
    found.hold.unlink(missing_ok=True)


def other_client(tmp_path: Path, bare: Bare) -> Client:
    """Another person's machine, as far as this side tells: another user's name."""
    home = tmp_path / "other"
    home.mkdir()
    other = Client(home, {"LOGNAME": "somebody"})
    bare.knows(other)
    return other


def test_it_is_carried_out_and_a_second_one_changes_nothing(bare: Bare) -> None:
    first = bare.client.run(*bare.words)
    assert first.returncode == 0, first.stderr
    assert "engine       todo      install slow 1.0" in first.stderr, "the plan is shown first"
    assert "engine       changed " in first.stderr
    before = snapshot(bare.root)
    second = bare.client.run(*bare.words)
    assert second.returncode == 0 and "changed" not in second.stderr
    assert snapshot(bare.root) == before


def snapshot(folder: Path) -> dict[str, int]:
    paths = [folder, *folder.rglob("*")]
    return {str(path): path.lstat().st_mtime_ns for path in paths if path.name[:4] != "lock"}


def test_ctrl_c_cancels_it_and_leaves_nothing(bare: Bare) -> None:
    setting_up = bare.begin()
    leader = int((bare.job / "pid").read_text().split()[0])
    setting_up.send_signal(signal.SIGINT)
    _, said = setting_up.communicate(timeout=60)
    assert (setting_up.returncode, "Traceback" in said) == (130, False), said
    assert "the setup was cancelled; run it again" in said
    assert gone(leader, patience=1)
    assert not (bare.client.state / "pods.json").exists()
    bare.hold.unlink()
    assert bare.client.run(*bare.words).returncode == 0


def test_two_ctrl_c_cancel_it_too(bare: Bare) -> None:
    setting_up = bare.begin()
    leader = int((bare.job / "pid").read_text().split()[0])
    setting_up.send_signal(signal.SIGINT)
    time.sleep(0.05)
    setting_up.send_signal(signal.SIGINT)
    _, said = setting_up.communicate(timeout=60)
    assert (setting_up.returncode, "Traceback" in said) == (130, False), said
    assert gone(leader, patience=1), "it goes on without a word"


def test_a_follower_is_told_that_it_was_cancelled_and_does_it_itself(
    bare: Bare, tmp_path: Path
) -> None:
    first = bare.begin()
    second = other_client(tmp_path, bare).popen(*bare.words)
    assert second.stderr
    while "runs already" not in second.stderr.readline():
        assert second.poll() is None
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130
    bare.hold.unlink()
    _, said = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert "the setup of bare was cancelled" in said


def test_what_was_finished_before_it_ended_is_not_done_again(bare: Bare) -> None:
    setting_up = bare.begin()
    setting_up.send_signal(signal.SIGINT)
    setting_up.communicate(timeout=60)
    venv = bare.root / "engines" / "slow-1.0"
    assert not (venv / "podfab-engine").exists(), "a half-made engine does not count"
    (venv / "podfab-installed").touch()  # as if it had been ended one step later
    result = bare.client.run(*bare.words)
    assert result.returncode == 0
    assert "slow 1.0 is installed" in result.stderr


def test_a_second_client_sees_who_runs_it_and_follows_to_the_end(
    bare: Bare, tmp_path: Path
) -> None:
    first = bare.begin()
    other = other_client(tmp_path, bare)
    second = other.popen(*bare.words)
    line = ""
    while "runs already" not in line:
        assert second.stderr
        line = second.stderr.readline()
        assert line, "it ended"
    me = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    assert f"a setup of bare runs already, by {me}@{os.uname().nodename} since 20" in line
    assert "(engine slow-1.0)" in line
    bare.hold.unlink()
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert len(list((bare.job.parent / "runs").iterdir())) == 1
    for client in (bare.client, other):
        assert json.loads(client.run("pods", "--json").stdout)[0]["vllm_version"] == "1.0"


def test_ctrl_c_of_a_follower_leaves_anothers_setup_alone(bare: Bare, tmp_path: Path) -> None:
    first = bare.begin()
    second = other_client(tmp_path, bare).popen(*bare.words)
    while True:
        assert second.stderr
        line = second.stderr.readline()
        assert line, "it ended"
        if line.startswith("engine") and "begun" not in line:
            time.sleep(0.2)
        if "runs already" in line:
            break
    second.send_signal(signal.SIGINT)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 130
    assert "goes on, it is not this client's" in said and "was cancelled" not in said
    bare.hold.unlink()
    assert first.wait(60) == 0


def test_who_wanted_another_engine_gets_it_after_the_first(bare: Bare, tmp_path: Path) -> None:
    first = bare.begin()
    other = other_client(tmp_path, bare)
    bare.knows(other, 'fast: {package: fast, version: "2.0"')
    second = other.popen("setup", f"--ssh={bare.server.ssh}", "--name=bare", "--engine=fast")
    assert second.stderr
    while "runs already" not in second.stderr.readline():
        assert second.poll() is None
    bare.hold.unlink()
    assert first.wait(60) == 0
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert sorted(path.name for path in (bare.root / "engines").iterdir()) == [
        "fast", "fast-2.0", "slow", "slow-1.0",
    ]  # fmt: skip


def test_a_lost_connection_does_not_end_it(bare: Bare) -> None:
    setting_up = bare.begin()
    bare.server.cut()
    time.sleep(0.5)
    bare.hold.unlink()
    _, said = setting_up.communicate(timeout=60)
    assert setting_up.returncode == 0, said
    assert "the connection to bare broke" in said and "bare is ready" in said


def test_a_failed_one_shows_its_last_lines_and_where_the_rest_is(bare: Bare) -> None:
    (bare.server.home / "refuse").touch()
    result = bare.client.run(*bare.words)
    assert result.returncode == 1
    assert "podfab: the setup of bare failed at engine; its whole log: " in result.stderr
    assert "the index says no" in result.stderr
    assert "slow 1.0 could not be installed from https://pypi.org/simple" in result.stderr
    assert "if an index is out of reach, name another in PIP_INDEX_URL" in result.stderr
    assert not (bare.client.state / "pods.json").exists()


def test_an_installed_engine_is_switched_to_at_once(bare: Bare) -> None:
    """The switch is the rollback too: nothing is fetched, the link is another."""
    assert bare.client.run(*bare.words).returncode == 0
    bare.knows(bare.client, 'slow: {package: slow, version: "2.0"')
    assert bare.client.run(*bare.words).returncode == 0
    link = bare.root / "engines" / "slow"
    assert os.readlink(link) == "slow-2.0"
    bare.hold.touch()  # an install would wait here
    back = bare.client.run("setup", "--name=bare", "--engine=slow-1.0", timeout=30)
    assert back.returncode == 0, back.stderr
    assert os.readlink(link) == "slow-1.0"


def test_the_script_that_is_printed_runs_by_hand(bare: Bare, tmp_path: Path) -> None:
    planned = json.loads(bare.client.run(*bare.words, "--plan", "--json").stdout)
    assert planned["engine"] == "slow" and not bare.job.exists(), "a plan writes nothing"
    bare.client.extra["HF_TOKEN"] = "hf_planted_secret"
    script = bare.client.run(*bare.words, "--script").stdout
    assert "hf_planted_secret" not in script and not bare.job.exists()
    (tmp_path / "by-hand.sh").write_text(script)
    done = subprocess.run(
        ["bash", tmp_path / "by-hand.sh"], capture_output=True, text=True,
        env={**os.environ, "HOME": str(bare.server.home)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    steps = {step["step"]: step["state"] for step in planned["steps"]}
    assert [line.split()[2] for line in done.stdout.splitlines() if " started " in line] == [
        step for step, state in steps.items() if state == "todo"
    ]
    assert (bare.root / "env").read_text() == f"HF_HOME={bare.root}/models\n"
    after = json.loads(bare.client.run(*bare.words, "--plan", "--json").stdout)
    assert {s["step"] for s in after["steps"] if s["state"] == "todo"} == {"environment"}


def test_what_was_asked_for_once_holds(bare: Bare, tmp_path: Path) -> None:
    models = tmp_path / "weights"
    assert bare.client.run(*bare.words, f"--models-path={models}").returncode == 0
    result = bare.client.run("setup", "--name=bare", "--plan", "--json")
    plan = json.loads(result.stdout)
    assert plan["engine"] == "slow" and "asked for before" in plan["reason"]
    assert {step["state"] for step in plan["steps"]} <= {"ok", "skip"}
    assert any(str(models) in step["reason"] for step in plan["steps"])


def test_a_pod_that_others_set_up_keeps_its_models_path(bare: Bare, tmp_path: Path) -> None:
    models = tmp_path / "weights"
    assert bare.client.run(*bare.words, f"--models-path={models}").returncode == 0
    other = other_client(tmp_path, bare)
    assert other.run(*bare.words).returncode == 0
    assert json.loads(other.run("pods", "--json").stdout)[0]["models_path"] == str(models)


needs_mount = pytest.mark.skipif(os.getuid() != 0, reason="mounting takes root")


@pytest.fixture
def unmounted(tmp_path: Path) -> Iterator[Path]:
    target = tmp_path / "mnt" / "my models"
    yield target
    if os.path.ismount(target):
        subprocess.run(["umount", "-l", str(target)], check=True)


@needs_mount
def test_a_mount_is_made_and_holds_the_weights(bare: Bare, unmounted: Path) -> None:
    command = f"sudo mount -t tmpfs -o size=16m tmpfs '{unmounted}'"
    first = bare.client.run(*bare.words, f"--mount={command}")
    assert first.returncode == 0, first.stderr
    assert os.path.ismount(unmounted)
    (pod,) = json.loads((bare.client.state / "pods.json").read_text())["pods"].values()
    assert (pod["mount"], pod["models_path"]) == (command, str(unmounted))
    assert f"HF_HOME='{unmounted}'" in (bare.root / "env").read_text()
    second = bare.client.run("setup", "--name=bare")
    assert second.returncode == 0 and "changed" not in second.stderr
    subprocess.run(["umount", str(unmounted)], check=True)  # as a reboot would
    examined = bare.client.run("pods.doctor")
    assert "mount: inv setup --name=bare\n" in examined.stderr
    third = bare.client.run("setup", "--name=bare")
    assert third.returncode == 0 and os.path.ismount(unmounted), third.stderr
    assert bare.client.run("setup", "--name=bare", "--mount=none").returncode == 0
    (pod,) = json.loads((bare.client.state / "pods.json").read_text())["pods"].values()
    assert (pod["mount"], pod["models_path"]) == (None, f"{bare.root}/models")


@needs_mount
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("mount -t tmpfs -o size=wrong tmpfs {}", "the mount failed: mount -t tmpfs"),
        ("mount --version {}", "is no mount point"),
    ],
)
def test_a_mount_that_fails_stops_it(bare: Bare, unmounted: Path, command: str, words: str) -> None:
    given = command.format(f"'{unmounted}'")
    result = bare.client.run(*bare.words, f"--mount={given}")
    assert result.returncode == 1
    assert "failed at mount" in result.stderr and words in result.stderr
    assert not (bare.client.state / "pods.json").exists()


def test_the_users_own_cache_is_left_alone(bare: Bare) -> None:
    cache = bare.server.home / ".cache" / "huggingface"
    cache.mkdir(parents=True)
    (cache / "weights").write_text("precious")
    (bare.server.home / ".bashrc").write_text("# mine\n")
    before = snapshot(bare.server.home / ".cache")
    assert bare.client.run(*bare.words).returncode == 0
    assert snapshot(bare.server.home / ".cache") == before
    assert (bare.server.home / ".bashrc").read_text() == "# mine\n"
