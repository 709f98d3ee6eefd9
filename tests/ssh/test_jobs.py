"""Jobs: they outlive their client, can be followed and rejoined, and end as a whole."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from fabfile.commands.jobs import Claim, Job
from fabfile.errors import ConnectionLost, RemoteFailed
from fabfile.plan.facts import JobState
from fabfile.remote import jobs
from fabfile.remote.jobs import Log, News
from fabfile.remote.pod import Pod
from tests.ssh.test_pod import gone
from tests.support.sshd import Sshd

Serve = Callable[..., Sshd]
Reach = Callable[..., Pod]


def job(script: str, name: str = "work", **files: str) -> Job:
    return Job(name, "#!/usr/bin/env bash\n" + script, {"kind": "test"}, files)


def finished(pod: Pod, name: str = "work") -> tuple[bytes, str]:
    """Follow a job to its end; return its log and exit code."""
    log, code = b"", ""
    for event in jobs.follow(pod, name):
        if isinstance(event, Log):
            log += event.data
        elif event.what == "exit":
            code = event.value
    return log, code


def state(pod: Pod, name: str = "work") -> JobState:
    return next(job for job in jobs.status(pod) if job.name == name)


def folder(pod: Pod, name: str = "work") -> Path:
    return Path(pod.root) / "jobs" / name / "current"


@pytest.fixture(autouse=True)
def nothing_left_running(request: pytest.FixtureRequest) -> Iterable[None]:
    pod = request.getfixturevalue("pod") if "pod" in request.fixturenames else None
    yield
    for each in jobs.status(pod) if pod else []:
        jobs.stop(pod, each.name)


def test_a_job_runs_to_its_end_and_leaves_log_and_exit_code(pod: Pod) -> None:
    begun = jobs.start(pod, job("echo out; echo err >&2; exit 7"))
    assert (begun.run, begun.joined) == ("1", False)
    assert finished(pod) == (b"out\nerr\n", "7")
    assert (state(pod).alive, state(pod).exit) == (False, 7)


def test_the_folder_is_for_its_owner_only(pod: Pod) -> None:
    jobs.start(pod, job("true", env="SECRET=1\n"))
    finished(pod)
    assert Path(pod.root).stat().st_mode & 0o777 == 0o700
    for path in folder(pod).iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_job_gets_no_terminal_and_no_stdin_and_a_session_of_its_own(pod: Pod) -> None:
    jobs.start(pod, job("cat; tty; [ $(ps -o sid= -p $$) = $$ ] && echo leads"))
    assert finished(pod)[0] == b"not a tty\nleads\n"


def test_a_job_outlives_the_connection(serve: Serve, reach: Reach, tmp_path: Path) -> None:
    server = serve()
    pod = reach(server.ssh)
    gate = tmp_path / "gate"
    jobs.start(pod, job(f"echo begun; while [ ! -e {gate} ]; do sleep 0.05; done; echo done"))
    server.cut()
    time.sleep(0.2)
    assert state(pod).alive
    gate.touch()
    assert finished(pod) == (b"begun\ndone\n", "0")


def test_a_follow_rejoins_where_it_was_when_the_connection_breaks(
    serve: Serve, reach: Reach, tmp_path: Path
) -> None:
    server = serve()
    pod = reach(server.ssh)
    gate = tmp_path / "gate"
    script = f"seq 1 1000; while [ ! -e {gate} ]; do sleep 0.05; done; seq 1001 2000"
    jobs.start(pod, job(script))
    lost: list[str] = []
    log = b""
    for event in jobs.follow(pod, "work", on_lost=lost.append):
        if isinstance(event, Log):
            log += event.data
            if log.endswith(b"1000\n") and not lost and not gate.exists():
                server.cut()
                gate.touch()
    assert log == b"".join(b"%d\n" % n for n in range(1, 2001))
    assert len(lost) >= 1


def test_following_can_begin_before_the_end_of_the_log(pod: Pod) -> None:
    jobs.start(pod, job("seq 1 100000"))
    finished(pod)
    events = list(jobs.follow(pod, "work", lines=2))
    assert b"".join(e.data for e in events if isinstance(e, Log)) == b"99999\n100000\n"
    assert events[-1] == News("exit", "0")


def test_a_log_of_50_mb_comes_whole(pod: Pod) -> None:
    jobs.start(pod, job("yes 'a line of some length, with an ä' | head -c 50000000"))
    size = sum(len(event.data) for event in jobs.follow(pod, "work") if isinstance(event, Log))
    assert size == 50_000_000


def test_a_log_is_cut_at_its_cap_and_the_job_goes_on(pod: Pod, tmp_path: Path) -> None:
    from dataclasses import replace

    pod.settings = replace(pod.settings, log_cap_mb=1)
    jobs.start(pod, job(f"yes | head -c 5000000; echo done >{tmp_path}/done"))
    log, code = finished(pod)
    assert (code, (tmp_path / "done").exists()) == ("0", True)
    assert log.endswith(b"[podfab] the log is cut here: it has 1 MiB\n")
    assert 1_048_576 <= len(log) < 2_200_000


def test_the_last_five_runs_are_kept(pod: Pod) -> None:
    for _ in range(7):
        jobs.start(pod, job("true"))
        finished(pod)
    runs = sorted(int(run.name) for run in folder(pod).parent.joinpath("runs").iterdir())
    assert runs == [3, 4, 5, 6, 7]
    assert state(pod).run == 7
    assert jobs.run_number(pod, "work", "-1") == "6"
    with pytest.raises(RemoteFailed, match="has no run -5"):
        jobs.run_number(pod, "work", "-5")


def test_a_job_that_runs_is_joined_not_started_twice(pod: Pod, tmp_path: Path) -> None:
    script = f"echo $$ >>{tmp_path}/started; sleep 300"
    results: list[bool] = []
    begin = threading.Barrier(4)

    def start() -> None:
        other = Pod(pod.name, pod.address, pod.root, pod.settings)
        begin.wait()
        results.append(jobs.start(other, job(script)).joined)
        other.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, True, True, True]
    assert len((tmp_path / "started").read_text().split()) == 1


def test_stopping_ends_the_whole_session_and_what_left_it(pod: Pod, tmp_path: Path) -> None:
    script = (
        f"echo $$ >{tmp_path}/a; sh -c 'trap : TERM; echo $$ >{tmp_path}/b; "
        "while :; do sleep 0.1; done' & "
        f"setsid sh -c 'echo $$ >{tmp_path}/c; exec sleep 300' & wait; sleep 300"
    )
    from dataclasses import replace

    pod.settings = replace(pod.settings, stop_grace=1)
    jobs.start(pod, job(script))
    pids = [await_pid(tmp_path / name) for name in "abc"]
    assert jobs.stop(pod, "work")
    for pid in pids:
        assert gone(pid, patience=0), pid
    assert (state(pod).alive, state(pod).stopped) == (False, True)


def test_stopping_what_is_not_there_is_said(pod: Pod) -> None:
    assert jobs.stop(pod, "work") is None


def test_what_a_killed_leader_leaves_behind_ends_with_it(pod: Pod, tmp_path: Path) -> None:
    script = f"sleep 300 & echo $! >{tmp_path}/child; setsid sleep 300 & "
    jobs.start(pod, job(script + f"echo $! >{tmp_path}/away; wait"))
    child, away = await_pid(tmp_path / "child"), await_pid(tmp_path / "away")
    leader = state(pod).pid
    assert leader
    os.kill(leader, 9)
    assert finished(pod)[1] == "137"
    assert gone(child, patience=0)
    assert not gone(away, patience=0)
    jobs.stop(pod, "work")
    assert gone(away, patience=0)


def test_what_a_killed_supervisor_could_not_end_ends_before_the_next_run(
    pod: Pod, tmp_path: Path
) -> None:
    claim = Claim(8001, [])
    script = f"#!/usr/bin/env bash\nsleep 300 & echo $! >{tmp_path}/child; wait\n"
    jobs.start(pod, Job("work", script, {"kind": "test"}, claim=claim))
    child = await_pid(tmp_path / "child")
    for name in ("supervisor", "pid"):
        os.kill(int((folder(pod) / name).read_text().split()[0]), 9)
    assert not gone(child, patience=1)
    assert not jobs.start(pod, Job("work", script, {"kind": "test"}, claim=claim)).joined
    assert gone(child, patience=1)


def test_a_session_whose_leader_is_gone_may_be_somebody_elses(pod: Pod, tmp_path: Path) -> None:
    import subprocess

    jobs.start(pod, job("true"))
    finished(pod)
    script = f"sleep 300 & echo $! >{tmp_path}/child; sleep 0.2"
    leader = subprocess.Popen(["sh", "-c", script], start_new_session=True, cwd="/")
    child = await_pid(tmp_path / "child")
    leader.wait()
    try:
        _, start, boot = (folder(pod) / "pid").read_text().split()
        (folder(pod) / "pid").write_text(f"{leader.pid} {start} {boot}\n")
        jobs.stop(pod, "work")
        assert not gone(child, patience=0)
    finally:
        os.kill(child, 9)


def test_a_pid_that_is_somebody_elses_by_now_is_not_touched(pod: Pod, tmp_path: Path) -> None:
    import subprocess

    jobs.start(pod, job("true"))
    finished(pod)
    stranger = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        _, start, boot = (folder(pod) / "pid").read_text().split()
        (folder(pod) / "pid").write_text(f"{stranger.pid} {start} {boot}\n")
        assert state(pod).alive is False
        jobs.stop(pod, "work")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_job_of_an_earlier_boot_is_over(pod: Pod) -> None:
    jobs.start(pod, job("sleep 300"))
    pid, start, boot = (folder(pod) / "pid").read_text().split()
    (folder(pod) / "pid").write_text(f"{pid} {start} another-boot\n")
    assert state(pod).alive is False
    (folder(pod) / "pid").write_text(f"{pid} {start} {boot}\n")
    assert state(pod).alive is True


def test_a_reader_that_stalls_does_not_hold_the_job_up(pod: Pod, tmp_path: Path) -> None:
    jobs.start(pod, job(f"yes | head -c 30000000; echo >{tmp_path}/done"))
    events = jobs.follow(pod, "work")
    next(event for event in events if isinstance(event, Log))
    deadline = time.monotonic() + 30
    while not (tmp_path / "done").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    events.close()  # type: ignore[attr-defined]


def await_pid(path: Path, patience: float = 20) -> int:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if path.exists() and path.read_text().strip():
            return int(path.read_text())
        time.sleep(0.02)
    raise TimeoutError(path)


def test_a_job_whose_start_was_cut_off_is_still_ours(sshd: Sshd, reach: Reach) -> None:
    pod = reach(sshd.ssh)
    job = Job("cut", "#!/usr/bin/env bash\nexec sleep 300\n", {"started": "now", "owner": "me"})
    assert not jobs.start(pod, job).joined
    told: list[str] = []
    cut, run = iter([ConnectionLost("the connection broke")]), pod.run

    def once_cut(script: str, timeout: int | None = None) -> str:
        for error in cut:  # what the pod had done, it could not say
            raise error
        return run(script, timeout)

    pod.run = once_cut  # type: ignore[method-assign]
    try:
        assert not jobs.start(pod, job, told.append).joined
        assert told == ["the connection broke"]
        assert jobs.start(pod, job).joined
    finally:
        jobs.stop(pod, "cut")
