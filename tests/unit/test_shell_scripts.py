from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fabfile.commands import facts as facts_script
from fabfile.commands import jobs, shell, upkeep
from fabfile.commands.jobs import Job
from fabfile.commands.lookup import lookup
from fabfile.commands.serve import fetch, serve
from fabfile.commands.setup_script import setup_script
from fabfile.plan.asked import Wish
from fabfile.plan.download import Download
from fabfile.plan.engine import choose
from fabfile.plan.environment import lines
from fabfile.plan.facts import parse_facts
from fabfile.plan.launch import LaunchPlan, plan_launch
from fabfile.plan.mount import Mount
from fabfile.plan.phases import MARKERS
from fabfile.plan.setup import SetupPlan, plan_setup

from .given import SHIPPED, facts, ready_facts, recorded

REPOSITORY = Path(__file__).parents[2]
SHELLS = pytest.mark.parametrize("shell_name", ["bash", "dash"])
HOSTILE = (
    "a b", "'", '"', "'\"'\"'", "$(touch pwned)", "`touch pwned`", "a\nb", "\n", "-n", "--", "~/x",
    "größe 模型", "\\", "\\n", "*", "a;b&c|d", "${HOME}", "!!", "#x", "\t", "a\r\n", "%s%n", "",
)  # fmt: skip

# What a shell can hold: everything but NUL (and half characters, which are no text).
_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
_hostile = st.one_of(
    st.sampled_from(HOSTILE), _text, st.lists(st.sampled_from(HOSTILE)).map("".join)
)


def run(
    shell_name: str, script: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a script as a pod gets it: from stdin, not from a file."""
    return subprocess.run(
        [shell_name, "-s"],
        input=script.encode(),
        capture_output=True,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", "LC_ALL": "C", **environment},
    )


@SHELLS
@hypothesis_settings(max_examples=30)
@given(values=st.lists(_hostile, min_size=1, max_size=30))
@example(values=list(HOSTILE))
def test_values_come_through_an_assignment_unchanged(shell_name: str, values: list[str]) -> None:
    names = [f"value_{i}" for i in range(len(values))]
    prints = "".join(f'printf "%s\\0" "${name}"\n' for name in names)
    told = run(shell_name, shell.assignments(dict(zip(names, values, strict=True))) + prints)
    assert told.stderr == b""
    assert told.stdout.decode().split("\0")[:-1] == values


@pytest.mark.parametrize("name", ["", "a b", "a=b", "1a", "a-b", "a;b", "ä", "a\n"])
def test_a_name_that_is_no_variables_is_a_mistake_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match="no variable's name"):
        shell.assignments({name: "x"})


def test_a_nul_is_refused_for_no_shell_can_hold_one() -> None:
    with pytest.raises(ValueError, match="holds a NUL"):
        shell.assignments({"a": "b\0c"})


@SHELLS
@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("~", "/home/me"),
        ("~/.pi", "/home/me/.pi"),
        ("~/my pods/$(id)", "/home/me/my pods/$(id)"),
        ("/workspace/pi", "/workspace/pi"),
        ("/with'quote", "/with'quote"),
        ("~other/pi", "~other/pi"),
    ],
)
def test_the_root_may_begin_in_the_ssh_users_home(shell_name: str, path: str, root: str) -> None:
    told = run(shell_name, shell.in_home(path) + 'printf %s "$root"', HOME="/home/me")
    assert told.stdout.decode() == root


@SHELLS
@hypothesis_settings(max_examples=30)
@given(values=st.lists(_hostile, min_size=1, max_size=20))
@example(values=list(HOSTILE))
def test_the_json_of_the_shell_can_be_read_and_nothing_breaks_out_of_its_text(
    shell_name: str, values: list[str]
) -> None:
    given_values = {f"value_{i}": value for i, value in enumerate(values)}
    script = shell.script("json.sh", **given_values)
    items = ' "," '.join(f'"$(str "${name}")"' for name in given_values)
    told = run(shell_name, f"{script}printf '%s' '[' {items} ']'\n")
    found = json.loads(told.stdout, strict=False)
    # Lines stay apart, at their ends one may be added; what a terminal acts on is left out.
    printable = [
        "".join(c for c in value if c == "\n" or not (ord(c) < 32 or ord(c) == 127))
        for value in values
    ]
    assert ["".join(c for c in text if ord(c) != 127).rstrip("\n") for text in found] == [
        text.rstrip("\n") for text in printable
    ]


def a_setup(gpus: str = "8x-h100", **client: str) -> SetupPlan:
    pod = facts(gpus)
    return plan_setup(pod, choose("auto", pod, SHIPPED.engines), client)


def a_launch(model: str = "Qwen/Qwen3-8B", name: str = "qwen", **wish: Any) -> LaunchPlan:
    pod = ready_facts("release", "0.33.0", "8x-h100")
    return plan_launch(Wish(model, name, **wish), pod, SHIPPED, "release")


def a_job(**changes: Any) -> Job:
    return serve("~/.pi", a_launch(**changes), {"VLLM_API_KEY": "sk-1"}, WHO, forced=False)


WHO = {"owner": "me@laptop", "started": "2026-11-22T10:00:00Z", "client": "0123"}
_roots = {"home": "~/.pi", "odd": "/a b/it's $(id)"}
SCRIPTS: dict[str, tuple[str, str]] = {
    f"{name}-{kind}": (language, script)
    for kind, root in _roots.items()
    for name, language, script in (
        ("start", "sh", jobs.start(root, a_job(), "me@laptop, 'now'", 64)),
        ("follow", "sh", jobs.follow(root, "qwen")),
        ("follow-some", "sh", jobs.follow(root, "qwen", "3", 17, "ready", 50)),
        ("stop", "sh", jobs.stop(root, "qwen", "me@laptop, 'now'", 12)),
        ("status", "sh", jobs.status(root)),
        ("status-marked", "sh", jobs.status(root, MARKERS)),
        ("access", "sh", jobs.access(root, "qwen")),
        ("runs", "sh", jobs.runs(root, "qwen")),
        ("facts", "sh", facts_script.gather(root)),
        ("facts-with-models", "sh", facts_script.gather(root, "/big disk/models", "/mnt/a b")),
        ("examine", "sh", upkeep.examine(root, "/big disk/models", "/mnt/a b")),
        ("lookup", "sh", lookup(root, "release-0.33.0", "me/it's $(id)", {"HF_TOKEN": "hf_'x"})),
        ("usage", "sh", upkeep.usage(root, "/big disk/models", ["release-0.33.0", "a'b"])),
        ("remove", "sh", upkeep.remove(["/a b/it's", "/$(id)"])),
        ("purge", "sh", upkeep.purge(root)),
        ("run", "sh", upkeep.run("echo 'it is'; exit 3")),
        ("supervise", "sh", shell.text("supervise.sh")),
        ("serve", "bash",
         serve(root, a_launch(), {"VLLM_API_KEY": "sk-1"}, WHO, forced=False).script),
        ("download", "bash",
         fetch(root, "_download-it", Download("me/it's $(id)"), "release-0.33.0", {}, WHO).script),
        ("setup", "bash", setup_script(a_setup(), root, a_setup().todo)),
        ("setup-on-cpu", "bash", setup_script(a_setup(""), root, a_setup("").todo)),
        ("setup-of-nothing", "bash", setup_script(a_setup(), root, [])),
    )
}  # fmt: skip
scripts = pytest.mark.parametrize(("language", "script"), SCRIPTS.values(), ids=list(SCRIPTS))


@scripts
def test_every_script_can_be_parsed_by_its_shells(language: str, script: str) -> None:
    for shell_name in ("bash", "dash") if language == "sh" else ("bash",):
        told = subprocess.run(
            [shell_name, "-n", "/dev/stdin"], input=script, capture_output=True, text=True
        )
        assert (told.returncode, told.stderr) == (0, "")


def test_shellcheck_has_nothing_to_say_about_any_script(tmp_path: Path) -> None:
    for language in ("sh", "bash"):
        files = []
        for name, (of, script) in SCRIPTS.items():
            if of == language and name.endswith("-odd"):
                files.append(tmp_path / f"{name}.sh")
                files[-1].write_text(script)
        told = subprocess.run(
            [Path(sys.executable).parent / "shellcheck", "--rcfile", REPOSITORY / ".shellcheckrc",
             "--shell", language, *files],
            capture_output=True, text=True,
        )  # fmt: skip
        assert told.stdout + told.stderr == ""


def test_the_command_line_of_a_model_is_this_one() -> None:
    assert a_job().script.splitlines()[-1] == (
        "exec vllm serve Qwen/Qwen3-8B --served-model-name qwen Qwen/Qwen3-8B "
        "--host 127.0.0.1 --port 8001 --disable-access-log-for-endpoints /health,/metrics "
        "--enable-auto-tool-choice --tool-call-parser hermes "
        "--reasoning-parser qwen3"
    )


def test_the_command_line_of_a_model_on_two_gpus_with_wishes_is_this_one() -> None:
    script = a_job(
        model="Qwen/Qwen3-Coder-30B-A3B-Instruct",
        name="coder",
        gpus=[2, 3],
        memory=0.8,
        context="32768",
        port=9000,
        public=True,
        vllm_args="""--default-chat-template-kwargs '{"a": "it\\u0027s"}' -ep""",
    ).script
    assert script.splitlines()[-1] == (
        "exec vllm serve Qwen/Qwen3-Coder-30B-A3B-Instruct "
        "--served-model-name coder Qwen/Qwen3-Coder-30B-A3B-Instruct "
        "--host 0.0.0.0 --port 9000 --disable-access-log-for-endpoints /health,/metrics "
        "--tensor-parallel-size 2 --enable-auto-tool-choice "
        "--tool-call-parser qwen3_coder --gpu-memory-utilization 0.8 --max-model-len 32768 "
        """--default-chat-template-kwargs '{"a": "it\\u0027s"}' --enable-expert-parallel"""
    )


def test_the_command_line_of_a_download_leaves_out_what_the_catalog_says() -> None:
    known = SHIPPED.models["openai/gpt-oss-20b"].model_copy(update={"exclude": ["original/*"]})
    catalog = SHIPPED.model_copy(update={"models": {"openai/gpt-oss-20b": known}})
    pod = ready_facts("release", "0.33.0", "1x-h100")
    plan = plan_launch(Wish("openai/gpt-oss-20b", "oss"), pod, catalog, "release")
    script = serve("~/.pi", plan, {}, WHO, forced=False).script
    assert "  hf download openai/gpt-oss-20b --exclude 'original/*' --quiet\n" in script


def test_the_environment_of_a_model_stands_in_its_file() -> None:
    job = serve("~/.pi", a_launch(gpus=[2, 3]), {"VLLM_API_KEY": "sk 1"}, WHO, forced=False)
    assert job.files["env"].splitlines() == [
        "CUDA_DEVICE_ORDER=PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES=2,3",
        "VLLM_API_KEY='sk 1'",
    ]


class FakePod:
    """A root on this machine with an engine whose programs write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "it's a root"
        self.run = self.root / "jobs/m/runs/1"
        self.told = folder / "told"
        self.run.mkdir(parents=True, exist_ok=True)
        programs = self.root / "engines/release-0.33.0/bin"
        programs.mkdir(parents=True, exist_ok=True)
        for name in ("vllm", "hf", "python"):
            body = f'printf "%s\\0" "$@" >{shlex.quote(str(self.told))}.{name}\n'
            if name == "vllm":
                body += f"env -0 >{shlex.quote(str(self.told))}.env\n"
            (programs / name).write_text(f"#!/bin/sh\n{body}")
            (programs / name).chmod(0o755)

    def serve(self, plan: LaunchPlan, secrets: dict[str, str]) -> None:
        job = serve(str(self.root), plan, secrets, WHO, forced=False)
        for name, content in {**job.files, "run.sh": job.script}.items():
            (self.run / name).write_text(content)
        done = subprocess.run(["bash", self.run / "run.sh"], capture_output=True, cwd="/")
        assert done.returncode == 0, done.stderr.decode()

    def words(self, program: str) -> list[str]:
        path = self.told.with_name(f"told.{program}")
        return path.read_bytes().decode().split("\0")[:-1] if path.exists() else []


@hypothesis_settings(max_examples=15)
@given(values=st.lists(_hostile, max_size=8), secret=_text.filter(lambda text: "\n" not in text))
@example(values=list(HOSTILE), secret="it's $(id)")
def test_vllm_gets_its_words_and_variables_unchanged(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], secret: str
) -> None:
    pod = FakePod(tmp_path_factory.mktemp("pod"))
    args = [word for value in values for word in ("--x", value)]
    odd = "me/it's `mine`"
    plan = replace(a_launch(), model=odd, download=Download(odd), args=args)
    pod.serve(plan, {"VLLM_API_KEY": secret})
    assert pod.words("vllm") == ["serve", "me/it's `mine`", *args]
    assert pod.words("hf") == ["download", "me/it's `mine`", "--quiet"]
    assert f"VLLM_API_KEY={secret}" in pod.words("env")
    assert "CUDA_VISIBLE_DEVICES=0" in pod.words("env")


def test_a_model_in_a_folder_of_the_pod_is_not_downloaded(tmp_path: Path) -> None:
    pod = FakePod(tmp_path)
    mine = "/models/mine"
    pod.serve(replace(a_launch(), model=mine, download=Download(mine)), {})
    assert pod.words("vllm")[:2] == ["serve", "/models/mine"]
    assert pod.words("hf") == []


def test_what_the_pod_has_in_its_env_reaches_the_model_and_the_models_own_wins(
    tmp_path: Path,
) -> None:
    pod = FakePod(tmp_path)
    (pod.root / "env").write_text("HF_HOME='/the models'\nHF_TOKEN=old\n")
    pod.serve(a_launch(), {"HF_TOKEN": "new"})
    assert "HF_HOME=/the models" in pod.words("env")
    assert "HF_TOKEN=new" in pod.words("env")


def test_an_engines_own_environment_lies_between_the_pods_and_the_models(tmp_path: Path) -> None:
    pod = FakePod(tmp_path)
    (pod.root / "env").write_text("A=pod\nB=pod\nC=pod\nCUDA_HOME=/usr/local/cuda-13.0\n")
    (pod.root / "engines/release-0.33.0/podfab-env").write_text("B=engine\nC=engine\n")
    pod.serve(a_launch(), {"C": "model"})
    told = pod.words("env")
    assert {"A=pod", "B=engine", "C=model"} <= set(told)
    (path,) = [word for word in told if word.startswith("PATH=")]
    assert path.endswith(":/usr/local/cuda-13.0/bin")


def test_no_secret_stands_in_a_script_a_record_or_a_plan() -> None:
    secrets = {
        "HF_TOKEN": "hf_SECRET",
        "VLLM_API_KEY": "sk-SECRET",
        "PIP_INDEX_URL": "https://user:SECRET@index",
    }
    launch = a_launch()
    job = serve("~/.pi", launch, secrets, WHO, forced=False)
    setup = a_setup(**secrets)
    shown = (
        job.script,
        repr(job),
        json.dumps(job.details),
        json.dumps(launch.document("dc1")),
        setup_script(setup, "~/.pi", setup.todo),
        " ".join(step.reason for step in setup.steps),
    )
    assert not [text for text in shown if "SECRET" in text]
    assert all(value in job.files["env"] for value in secrets.values())


def test_the_recorded_facts_have_the_form_that_the_script_prints(tmp_path: Path) -> None:
    told = run("dash", facts_script.gather(str(tmp_path / "root")), HOME=str(tmp_path))
    printed = json.loads(told.stdout, strict=False)
    assert list(printed) == list(json.loads(recorded("facts.json")))
    found = parse_facts(told.stdout.decode())
    assert found.root == str(tmp_path / "root")
    assert found.models_path == f"{tmp_path}/root/models"
    assert not found.models_path_exists


@SHELLS
def test_a_pods_own_state_is_found_again_in_its_facts(tmp_path: Path, shell_name: str) -> None:
    root = tmp_path / "it's a root"
    environment = {"HF_HOME": "/the models", "HF_TOKEN": "hf_größe"}
    venv = root / "engines/release-0.33.0"
    venv.mkdir(parents=True)
    (root / "engines/half-installed").mkdir()
    (root / "engines/release").symlink_to("release-0.33.0")
    (venv / "podfab-engine").write_text("0.33.0\n")
    (root / "env").write_text("".join(f"{line}\n" for line in lines(environment)))
    (tmp_path / "models").mkdir()
    told = run(shell_name, facts_script.gather(str(root), "~/models"), HOME=str(tmp_path))
    assert b"hf_" not in told.stdout
    found = parse_facts(told.stdout.decode())
    assert found.engines == {"release-0.33.0": "0.33.0"}
    assert found.links == {"release": "release-0.33.0"}
    assert (found.models_path, found.models_path_exists) == (f"{tmp_path}/models", True)
    plan = plan_setup(found, choose("cpu", found, SHIPPED.engines), {"HF_TOKEN": "hf_größe"})
    assert [step.state for step in plan.steps if step.step == "environment"] == ["todo"]
    same = parse_facts(json.dumps({**json.loads(told.stdout), "models_path": "/the models"}))
    plan = plan_setup(same, choose("cpu", same, SHIPPED.engines), {"HF_TOKEN": "hf_größe"})
    assert [step.state for step in plan.steps if step.step == "environment"] == ["ok"]


def program(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_an_nvidia_smi_that_fails_is_told_and_not_taken_for_no_gpu(tmp_path: Path) -> None:
    program(tmp_path / "bin/nvidia-smi", 'echo "couldn\'t communicate" >&2; exit 9')
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    told = run("dash", facts_script.gather(str(tmp_path / "root")), PATH=path)
    assert parse_facts(told.stdout.decode()).gpu_problem == "couldn't communicate"


def test_a_uv_that_is_too_old_for_the_setup_is_none(tmp_path: Path) -> None:
    program(tmp_path / "bin/uv", 'echo "Usage: uv pip install [OPTIONS]"')
    path = f"{tmp_path}/bin:/usr/bin:/bin"
    found = run("dash", facts_script.gather(str(tmp_path / "root")), PATH=path)
    assert parse_facts(found.stdout.decode()).uv == ""


_line = _hostile.map(lambda text: text.replace("\n", " "))
_folder = _line.map(lambda text: text.replace("/", "").strip(" .") or "x").filter(
    lambda text: len(text.encode()) < 200
)


@hypothesis_settings(max_examples=30)
@given(path=_line, field=_hostile, words=st.lists(_hostile, max_size=5), value=_line, root=_hostile)
@example(path="/a\tb $(id)", field="'; id #", words=list(HOSTILE), value="`id`", root="/it's")
def test_hostile_values_in_every_option_stay_data_in_the_setups_script(
    path: str, field: str, words: list[str], value: str, root: str
) -> None:
    plan = a_setup("")
    recipe = plan.engine.recipe.model_copy(
        update={
            "package": field, "version": field, "index": field, "also": words, "excludes": words,
            "torch_backend": field, "metadata_version": field, "env": {"A": value},
        }
    )  # fmt: skip
    hostile = replace(
        plan,
        engine=replace(plan.engine, recipe=recipe, name=field, folder=field),
        mount=Mount(value, tuple(words), path, True),
        models_path=path,
        decided={"HF_HOME": path},
        python=field,
        packages=words,
    )
    script = setup_script(hostile, root, [])
    script = script[: script.index("run=$(cd")]
    names = [
        "root",
        "models_path",
        "package",
        "version",
        "index",
        "python",
        "engine",
        "mount_target",
    ]
    names += ["torch_backend", "metadata_version"]
    script += "".join(f'printf "%s\\0" "${name}"\n' for name in names)
    script += "".join(
        f'for word in "${{{name}[@]}}"; do printf "%s\\0" "$word"; done\n'
        for name in ("mount_words", "packages", "also", "excludes")
    )
    script += 'eval "$environment"; printf "%s\\0" "$HF_HOME"\n'
    script += 'eval "$engine_environment"; printf "%s\\0" "$A"\n'
    told = run("bash", script)
    home = f"/nowhere{root[1:]}" if root == "~" or root.startswith("~/") else root
    expected = [home, path, *[field] * 5, path, field, field, *words * 4, path, value]
    assert told.stderr == b""
    assert told.stdout.decode().split("\0")[:-1] == expected


@hypothesis_settings(max_examples=15)
@given(root=_folder, models=_folder)
@example(root="it's $(touch pwned)", models="-n `touch pwned` größe")
def test_folders_with_hostile_names_are_made_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, root: str, models: str
) -> None:
    folder = tmp_path_factory.mktemp("pod")
    path = f"{folder}/m/{models}"
    plan = replace(a_setup(""), models_path=path, decided={"HF_HOME": path})
    script = setup_script(plan, f"{folder}/r/{root}", ["storage", "environment"])
    (folder / "run.sh").write_text(script)
    done = subprocess.run(["bash", folder / "run.sh"], capture_output=True, cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(p.name for p in folder.iterdir()) == ["m", "r", "run.sh"]
    assert [p.name for p in (folder / "m").iterdir()] == [models]
    sourced = run("bash", f'. {shlex.quote(f"{folder}/r/{root}/env")}; printf %s "$HF_HOME"')
    assert sourced.stdout.decode() == path


PIP_CONF = """\
# a comment
[global]
timeout = 60
index-url = https://mirror.example.com/simple
extra_index_url =
    https://one.example.com/simple
    https://two.example.com/simple
; find-links = /nowhere
[install]
cert = {wheels}/corporate.crt
find-links: {wheels} /not/there file:///not/there/either
trusted-host = mirror.example.com
[list]
index-url = https://wrong.example.com
"""


@pytest.mark.parametrize("place", [".config/pip/pip.conf", ".pip/pip.conf", "elsewhere"])
def test_pips_files_on_the_pod_reach_uv(tmp_path: Path, place: str) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "corporate.crt").touch()
    conf = tmp_path / place
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(PIP_CONF.format(wheels=tmp_path / "wheels"))
    found = indexes(tmp_path, **({"PIP_CONFIG_FILE": str(conf)} if place == "elsewhere" else {}))
    assert found == {
        "UV_DEFAULT_INDEX": "https://mirror.example.com/simple",
        "UV_INDEX": "https://one.example.com/simple https://two.example.com/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": str(tmp_path / "wheels"),
        "UV_INSECURE_HOST": "mirror.example.com",
        "SSL_CERT_FILE": f"{tmp_path}/wheels/corporate.crt",
        "name": "https://mirror.example.com/simple (from pip's configuration on the pod)",
    }


@pytest.mark.parametrize(
    ("given_variables", "index", "name"),
    [
        ({}, None, "https://pypi.org/simple"),
        ({"PIP_INDEX_URL": "https://p/s"}, "https://p/s", "https://p/s (from PIP_INDEX_URL)"),
        ({"UV_INDEX_URL": "https://u/s"}, "https://u/s", "https://u/s (from UV_INDEX_URL)"),
        ({"UV_DEFAULT_INDEX": "https://d/s", "PIP_INDEX_URL": "https://p/s"}, "https://d/s",
         "https://d/s (from UV_DEFAULT_INDEX)"),
        ({"PIP_INDEX_URL": "https://me:SECRET@p/s"}, "https://me:SECRET@p/s",
         "https://p/s (from PIP_INDEX_URL)"),
    ],
)  # fmt: skip
def test_an_index_is_named_with_where_it_was_said_and_without_its_password(
    tmp_path: Path, given_variables: dict[str, str], index: str | None, name: str
) -> None:
    found = indexes(tmp_path, **given_variables)
    assert (found.get("UV_DEFAULT_INDEX"), found["name"]) == (index, name)


def test_folders_of_wheels_that_only_the_client_has_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    links = f"/on/my/laptop {tmp_path}/a https://wheels.example.com/x"
    found = indexes(tmp_path, PIP_FIND_LINKS=links, PIP_EXTRA_INDEX_URL="file:///on/my/laptop")
    assert found["UV_FIND_LINKS"] == f"{tmp_path}/a,https://wheels.example.com/x"
    assert found["PIP_FIND_LINKS"] == f"{tmp_path}/a https://wheels.example.com/x"
    assert "UV_INDEX" not in found


def indexes(home: Path, **environment: str) -> dict[str, str]:
    """Return what uv is told, and how the index is named in messages."""
    script = "set -u\n" + shell.text("setup/indexes.sh").replace("/etc/", f"{home}/etc/")
    told = run("bash", f'{script}\nprintf "name=%s\\0" "$(index_name)"; env -0\n', HOME=str(home),
               XDG_CONFIG_HOME=str(home / ".config"), **environment)  # fmt: skip
    assert told.stderr == b""
    pairs = dict(pair.split("=", 1) for pair in told.stdout.decode().split("\0")[:-1])
    shown = {k: v for k, v in pairs.items() if k[:3] in ("UV_", "SSL") and k != "UV_INDEX_URL"}
    kept = {"PIP_FIND_LINKS": pairs["PIP_FIND_LINKS"]} if "PIP_FIND_LINKS" in environment else {}
    return {**shown, **kept, "name": pairs["name"]}


def test_the_credentials_of_an_index_do_not_come_into_the_setups_log(tmp_path: Path) -> None:
    root = tmp_path / "root"
    fake = """case "$*" in *--help*) echo --excludes ;; *venv*) ;; *) exit 1 ;; esac"""
    program(root / "bin/uv", fake)
    script = setup_script(a_setup(), str(root), ["engine"])
    index = "https://user:SECRET@index.example.com/simple"
    told = run("bash", script, cwd=tmp_path, HOME=str(tmp_path), UV_DEFAULT_INDEX=index)
    assert told.returncode == 1
    assert b"@podfab step engine failed" in told.stdout
    assert b"SECRET" not in told.stdout + told.stderr


def test_a_setup_that_was_done_changes_nothing_when_it_runs_again(tmp_path: Path) -> None:
    root = tmp_path / "root"
    plan = replace(a_setup(""), models_path=f"{tmp_path}/models", decided={"HF_HOME": "/m"})
    script = setup_script(plan, str(root), ["storage", "environment"])
    (tmp_path / "environment").write_text("HF_TOKEN='new one'\n")
    (tmp_path / "run.sh").write_text(script)
    root.mkdir()
    (root / "env").write_text("HF_TOKEN=old\nUV_INDEX=kept\n")
    told = []
    for _ in range(2):
        done = subprocess.run(["bash", tmp_path / "run.sh"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        steps = [line.split()[2:4] for line in done.stdout.splitlines()]
        told.append([words for words in steps if words[1] != "started"])
    assert told == [
        [["storage", "changed"], ["environment", "changed"]],
        [["storage", "ok"], ["environment", "ok"]],
    ]
    assert (root / "env").read_text() == "HF_HOME=/m\nHF_TOKEN='new one'\nUV_INDEX=kept\n"
    assert (root / "env").stat().st_mode & 0o777 == 0o600
