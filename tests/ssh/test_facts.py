"""One script, one round trip: what a pod is like."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from fabfile.plan.environment import digest
from fabfile.remote.facts import gather
from fabfile.remote.pod import Pod
from tests.support.sshd import Sshd

Serve = Callable[..., Sshd]
Reach = Callable[..., Pod]

TWO_H100 = """\
0, GPU-6fcb0a4c-1111-2222-3333-444444444444, NVIDIA H100 80GB HBM3, 81559 MiB, 81000 MiB, 580.65.06, 9.0, Disabled
1, GPU-6fcb0a4c-1111-2222-3333-555555555555, NVIDIA H100 80GB HBM3, 81559 MiB, 12000 MiB, 580.65.06, 9.0, Disabled
"""  # noqa: E501


def test_a_bare_host_is_described(pod: Pod, tmp_path: Path) -> None:
    facts = gather(pod)
    assert facts.root == pod.root
    assert facts.arch == os.uname().machine
    assert facts.glibc and facts.glibc >= (2, 17)
    assert {"bash", "setsid", "flock", "sha256sum"} <= set(facts.tools)
    assert facts.root_free_mib and facts.root_free_mib > 0
    assert facts.memory_mib and facts.memory_mib > 100
    assert (facts.gpus, facts.driver, facts.gpu_problem) == ([], None, None)
    assert (facts.engines, facts.jobs, facts.environment) == ({}, [], frozenset())
    assert facts.models_path == f"{pod.root}/models"
    assert not Path(pod.root).exists(), "looking must leave no trace"


def test_listening_ports_are_seen(sshd: Sshd, pod: Pod) -> None:
    assert sshd.port in gather(pod).ports


def test_what_is_installed_is_seen(pod: Pod, tmp_path: Path) -> None:
    root = Path(pod.root)
    (root / "engines" / "cpu-1.0").mkdir(parents=True)
    (root / "engines" / "cpu-1.0" / "podfab-engine").write_text("1.0.0\n")
    (root / "engines" / "half-2.0").mkdir()
    (root / "engines" / "cpu").symlink_to("cpu-1.0")
    (root / "env").write_text("HF_TOKEN='a secret'\nHF_HOME=/x\n")
    facts = gather(pod, str(tmp_path))
    assert (facts.engines, facts.links) == ({"cpu-1.0": "1.0.0"}, {"cpu": "cpu-1.0"})
    assert digest("HF_HOME=/x") in facts.environment
    assert facts.models_path_exists


def test_gpus_come_from_nvidia_smi(serve: Serve, reach: Reach, tmp_path: Path) -> None:
    pod = reach(serve(path=stub(tmp_path, "nvidia-smi", TWO_H100)).ssh)
    facts = gather(pod)
    assert [gpu.id for gpu in facts.gpus] == [0, 1]
    assert (facts.gpus[1].free_mib, facts.gpus[1].capability) == (12000, 9.0)
    assert facts.driver == "580.65.06"


def test_a_broken_driver_is_reported(serve: Serve, reach: Reach, tmp_path: Path) -> None:
    broken = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
    facts = gather(reach(serve(path=stub(tmp_path, "nvidia-smi", broken)).ssh))
    assert facts.gpus == []
    assert facts.gpu_problem and "couldn't communicate" in facts.gpu_problem


def test_dash_and_noise_do_not_disturb(serve: Serve, reach: Reach) -> None:
    server = serve('ForceCommand=echo "Welcome {"; exec /bin/dash -c "$SSH_ORIGINAL_COMMAND"')
    assert gather(reach(server.ssh)).home == str(server.home)


def test_odd_folder_names_survive(sshd: Sshd, reach: Reach, tmp_path: Path) -> None:
    pod = reach(sshd.ssh)
    pod.root = str(tmp_path / "an \"odd\" \\root\\ with 'quotes', äöü")
    assert gather(pod).root == pod.root


def stub(folder: Path, name: str, says: str) -> str:
    """Put a command on a path of its own that prints a recorded text."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "says").write_text(says)
    (programs / name).write_text(f"#!/bin/sh\ncat {programs}/says\n")
    (programs / name).chmod(0o755)
    return str(programs)
