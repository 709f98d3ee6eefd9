from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fabfile.errors import PodfabError
from fabfile.records import pods
from fabfile.records.home import state_dir
from fabfile.records.pods import Gpu, Pod, Pods, Served

from .given import in_processes, recorded

FULL = Pod(
    ssh="ssh -p 40022 root@1.2.3.4",
    root="/workspace/pi",
    engine="release",
    vllm_version="0.33.0",
    models_path="/workspace/models",
    mount="mount -t nfs host:/x /workspace",
    gpus=[Gpu(0, "NVIDIA H100 80GB HBM3", 81559), Gpu(1, "NVIDIA GB10", None)],
    models={
        "qwen": Served("Qwen/Qwen3-8B", 8001, [0], 4711, "2026-11-22T10:00:00Z"),
        "größer": Served("org/other"),
    },
)


def keep(**known: Pod) -> None:
    with pods.edit() as all_pods:
        all_pods.pods.update(known)


def test_without_a_file_there_are_no_pods(state: Path) -> None:
    assert pods.load() == Pods()
    assert list(state.iterdir()) == []


def test_what_is_written_is_read_again() -> None:
    with pods.edit() as known:
        known.pods = {"dc1": FULL, "dc2": Pod(ssh="dc2")}
        known.active = "dc2"
    assert pods.load() == Pods({"dc1": FULL, "dc2": Pod(ssh="dc2")}, "dc2")


def test_the_file_has_the_form_that_scripts_rely_on(state: Path) -> None:
    keep(dc1=FULL)
    content = json.loads((state / "pods.json").read_text())
    assert content["version"] == 1
    assert content["active"] is None
    pod = content["pods"]["dc1"]
    assert {
        name: pod[name] for name in ("ssh", "root", "engine", "vllm_version", "models_path")
    } == {
        "ssh": "ssh -p 40022 root@1.2.3.4",
        "root": "/workspace/pi",
        "engine": "release",
        "vllm_version": "0.33.0",
        "models_path": "/workspace/models",
    }
    assert pod["mount"] == "mount -t nfs host:/x /workspace"
    assert pod["gpus"][0] == {"id": 0, "name": "NVIDIA H100 80GB HBM3", "memory_mib": 81559}
    assert pod["models"]["qwen"] == {
        "model": "Qwen/Qwen3-8B",
        "port": 8001,
        "gpus": [0],
        "pid": 4711,
        "started": "2026-11-22T10:00:00Z",
    }


def test_all_but_the_ssh_string_may_be_absent_or_null(state: Path) -> None:
    names = ("root", "engine", "vllm_version", "models_path", "mount", "gpus", "models")
    bare = {"ssh": "dc1"}
    nulls = {"ssh": "dc2", **dict.fromkeys(names)}
    (state / "pods.json").write_text(json.dumps({"version": 1, "pods": {"a": bare, "b": nulls}}))
    assert pods.load().pods == {"a": Pod(ssh="dc1"), "b": Pod(ssh="dc2")}


def test_only_the_owner_can_read_the_file(state: Path) -> None:
    keep(dc1=FULL)
    (state / "pods.json").chmod(0o644)
    keep(dc2=FULL)
    assert stat.S_IMODE((state / "pods.json").stat().st_mode) == 0o600


def test_the_directory_is_made_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PI_CONFIG_DIR", str(tmp_path / "new"))
    keep(dc1=FULL)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_without_pi_config_dir_the_directory_is_in_the_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PI_CONFIG_DIR")
    assert state_dir() == Path(os.environ["HOME"]) / ".pi"


def test_a_file_that_is_a_link_stays_one(state: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (state / "pods.json").symlink_to(tmp_path / "dotfiles" / "pods.json")
    keep(dc1=FULL)
    assert (state / "pods.json").is_symlink()
    assert "dc1" in (tmp_path / "dotfiles" / "pods.json").read_text()


def test_an_edit_that_fails_changes_nothing(state: Path) -> None:
    keep(dc1=FULL)
    before = (state / "pods.json").read_bytes()
    with pytest.raises(ZeroDivisionError), pods.edit() as known:
        known.pods.clear()
        raise ZeroDivisionError
    assert (state / "pods.json").read_bytes() == before


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(dc1=FULL)
    before = {path.name: path.read_bytes() for path in state.iterdir()}

    def full(*paths: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(PodfabError, match="No space left on device; nothing was changed"):
            keep(dc2=FULL)
    assert {path.name: path.read_bytes() for path in state.iterdir()} == before


def test_a_process_that_dies_while_it_writes_leaves_the_old_file_and_no_lock(state: Path) -> None:
    keep(dc1=FULL)
    before = (state / "pods.json").read_bytes()

    def die_writing(number: int) -> None:
        os.replace = lambda *paths: os._exit(9)
        keep(dc2=FULL)

    assert in_processes(1, die_writing) == [9]
    assert (state / "pods.json").read_bytes() == before
    keep(dc3=FULL)
    assert sorted(pods.load().pods) == ["dc1", "dc3"]


def test_twenty_commands_at_once_lose_no_pod(state: Path) -> None:
    codes = in_processes(20, lambda number: keep(**{f"dc{number}": FULL}))
    assert codes == [0] * 20
    assert sorted(pods.load().pods) == sorted(f"dc{number}" for number in range(20))


def test_twenty_commands_at_once_take_pis_file_over_once(state: Path) -> None:
    (state / "pods.json").write_text(recorded("pi-pods.json"))
    codes = in_processes(20, lambda number: keep(**{f"dc{number}": FULL}))
    assert codes == [0] * 20
    assert len(pods.load().pods) == 22
    assert (state / "pods.json.pi").read_text() == recorded("pi-pods.json")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "line 1"),
        (b'{"version": 1,\n "pods": {', "line 2"),
        (b"\xff\xfe\x00", "not text"),
        (b"[]", "form"),
        (b"{}", "form"),
        (b'{"version": 1}', "form"),
        (b'{"version": 1, "pods": []}', "form"),
        (b'{"version": 1, "pods": {"dc1": {}}}', "form"),
        (b'{"version": 1, "pods": {"dc1": "ssh"}}', "form"),
        (b'{"version": 1, "pods": {"dc1": {"ssh": null}}}', "form"),
        (b'{"version": 1, "pods": {"dc1": {"ssh": "x", "gpus": [{}]}}}', "form"),
        (b'{"version": 1, "pods": {"dc1": {"ssh": "x", "models": {"a": {}}}}}', "form"),
        (b'{"version": 1, "pods": {}, "active": []}', "form"),
        (b'{"pods": {"dc1": {}}}', "form"),
        (b'{"pods": {"dc1": null}}', "form"),
        (b'{"pods": {"a": {"ssh": "x", "gpus": [{"id": 0, "name": "b", "memory": "."}]}}}', "form"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("using", [pods.load, keep])
def test_an_unreadable_file_is_kept_aside_and_named(
    state: Path, content: bytes, why: str, using: Callable[[], object]
) -> None:
    (state / "pods.json").write_bytes(content)
    with pytest.raises(PodfabError, match=why) as refused:
        using()
    (aside,) = state.glob("pods.json.unreadable-*")
    assert aside.read_bytes() == content
    assert str(aside) in str(refused.value)
    assert not (state / "pods.json").exists()


def test_two_unreadable_files_are_both_kept(state: Path) -> None:
    for content in ("{", "["):
        (state / "pods.json").write_text(content)
        with pytest.raises(PodfabError):
            pods.load()
    assert sorted(path.read_text() for path in state.glob("*.unreadable-*")) == ["[", "{"]


def test_the_file_of_a_newer_podfab_is_left_where_it_is(state: Path) -> None:
    text = json.dumps({"version": 2, "fleet": {}})
    (state / "pods.json").write_text(text)
    for using in (pods.load, keep):
        with pytest.raises(PodfabError, match="newer podfab"):
            using()
    assert (state / "pods.json").read_text() == text


def test_pis_file_is_taken_over_and_kept(state: Path) -> None:
    (state / "pods.json").write_text(recorded("pi-pods.json"))
    known = pods.load()
    assert known.active == "My Pod"
    assert known.pods["My Pod"] == Pod(
        ssh="ssh root@1.2.3.4",
        engine="gpt-oss",
        models_path="/mnt/models",
        gpus=[Gpu(0, "NVIDIA H100 80GB HBM3", 81559), Gpu(1, "NVIDIA H100 80GB HBM3", 81559)],
        models={
            "Qwen_Coder": Served("Qwen/Qwen3-Coder-30B-A3B-Instruct", 8001, [1], 4711),
            "big": Served("openai/gpt-oss-120b", 8002, [0, 1], 4712),
        },
    )
    assert known.pods["bare"] == Pod(ssh="ssh -p 40022 ubuntu@5.6.7.8")
    assert (state / "pods.json.pi").read_text() == recorded("pi-pods.json")
    assert stat.S_IMODE((state / "pods.json.pi").stat().st_mode) == 0o600
    assert json.loads((state / "pods.json").read_text())["version"] == 1
    assert pods.load() == known


@pytest.mark.parametrize(
    ("memory", "mib"),
    [("81559 MiB", 81559), ("80 GB", 81920), ("unknown", None), (None, None), ("", None)],
)
def test_pis_text_of_a_gpus_memory_is_read(
    state: Path, memory: str | None, mib: int | None
) -> None:
    pod = {"ssh": "x", "gpus": [{"id": 0, "name": "T4", "memory": memory}], "models": {}}
    (state / "pods.json").write_text(json.dumps({"pods": {"dc1": pod}}))
    assert pods.load().pods["dc1"].gpus == [Gpu(0, "T4", mib)]


def test_an_active_pod_that_is_not_there_is_none(state: Path) -> None:
    (state / "pods.json").write_text('{"version": 1, "active": "gone", "pods": {}}')
    assert pods.load().active is None


def test_an_unknown_pod_is_answered_with_the_nearest_name() -> None:
    known = Pods({"training": FULL, "dc1": FULL})
    assert known.get("dc1") is FULL
    with pytest.raises(PodfabError, match="no pod is called 'trainig'; did you mean 'training'"):
        known.get("trainig")
    with pytest.raises(PodfabError, match="inv pods lists them"):
        known.get("x")
