"""prompt and chat as a user types them, against a scripted server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Client
from tests.support import scripted
from tests.support.scripted import Scripted, calls, refuses, says

Told = Any


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with a file to find."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "port.txt").write_text("The port is 8731.\n")
    return folder


@contextmanager
def serving(client: Client, *script: scripted.Turn) -> Iterator[Scripted]:
    client.extra["OPENAI_API_KEY"] = "sk-scripted"
    with Scripted(*script) as server:
        yield server


def ask(client: Client, server: Scripted, *words: str, **keywords: Any) -> Told:
    return client.run("prompt", "m", *words, f"--base-url={server.url}", **keywords)


def roles(server: Scripted, request: int = -1) -> list[str]:
    return [message["role"] for message in server.asked[request]["messages"]]


READ = calls(("read", '{"path": "port.txt", "offset": null, "limit": null}'))


def test_only_the_answer_goes_to_stdout(client: Client, here: Path) -> None:
    with serving(client, READ, says("It is ", "8731.")) as server:
        said = ask(client, server, "which port?", f"--dir={here}")
    assert (said.returncode, said.stdout, said.stderr) == (0, "It is 8731.\n", "")
    system, user, _, result = server.asked[1]["messages"]
    assert "port.txt" in system["content"] and str(here) in system["content"]
    assert user["content"] == "which port?"
    assert "The port is 8731." in result["content"]
    names = [tool["function"]["name"] for tool in server.asked[0]["tools"]]
    assert names == ["ls", "read", "glob", "rg"]


def test_every_event_is_a_json_line(client: Client, here: Path) -> None:
    with serving(client, READ, says("ok")) as server:
        said = ask(client, server, "which port?", f"--dir={here}", "--json")
    events = [json.loads(line) for line in said.stdout.splitlines()]
    assert [event["type"] for event in events] == [
        "usage", "tool_call", "tool_result", "content", "usage", "done"
    ]  # fmt: skip
    assert events[1]["arguments"]["path"] == "port.txt" and events[2]["ok"] is True


def test_what_lies_outside_is_not_read(client: Client, here: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("planted-secret")
    outside = calls(("read", json.dumps({"path": "../secret.txt", "offset": None, "limit": None})))
    with serving(client, outside, says("no"), outside, says("yes")) as server:
        ask(client, server, "what?", f"--dir={here}")
        ask(client, server, "what?", f"--dir={here}", f"--add-dir={tmp_path}")
    assert "planted-secret" not in json.dumps(server.asked[1])
    assert "planted-secret" in json.dumps(server.asked[3])


def test_without_tools_nothing_of_the_directory_is_told(client: Client, here: Path) -> None:
    with serving(client, says("ok")) as server:
        ask(client, server, "hi", "--no-tools", f"--dir={here}")
    assert roles(server) == ["user"] and "tools" not in server.asked[0]


def test_a_system_prompt_comes_from_a_flag_or_a_file(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "system.txt"
    path.write_text("You are a pirate.")
    with serving(client, says("ok"), says("ok"), says("ok")) as server:
        ask(client, server, "hi", "--no-tools", "--system=Be brief.")
        ask(client, server, "hi", "--no-tools", f"--system-file={path}")
        ask(client, server, "hi", "--system=Be brief.")
    systems = [asked["messages"][0]["content"] for asked in server.asked]
    assert systems[:2] == ["Be brief.", "You are a pirate."]
    assert systems[2].endswith("\n\nBe brief.")


def test_a_question_from_stdin_with_files(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("some\n```\ncode\n```\n")
    (tmp_path / "b.txt").write_text("two\n")
    files = [f"--file={tmp_path / 'a.md'}", f"--file={tmp_path / 'b.txt'}"]
    with serving(client, says("ok")) as server:
        said = ask(client, server, "-", "--no-tools", *files, stdin="what is this?\n")
    assert said.returncode == 0, said.stderr
    text = server.asked[0]["messages"][0]["content"]
    assert text.endswith("what is this?\n")
    assert f"{tmp_path / 'a.md'}:\n````\nsome\n```\ncode\n```\n````" in text
    assert f"{tmp_path / 'b.txt'}:\n```\ntwo\n```" in text


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["  "], 2, "the question is empty"),
        (["hi", "--max-steps=many"], 2, "--max-steps=many is no number"),
        (["hi", "--dir=/no/such"], 2, "/no/such is no directory that can be read"),
        (["hi", "--file=/no/such"], 1, "--file=/no/such can not be read: No such file"),
        (["hi", "--system=a", "--system-file=b"], 2, "are two system prompts; give one"),
        (["hi", "--system-file=/no/such"], 1, "--system-file=/no/such can not be read: No such"),
    ],
)
def test_wrong_words_are_one_line_and_ask_nobody(
    client: Client, words: list[str], code: int, line: str
) -> None:
    with serving(client) as server:
        said = ask(client, server, *words)
    assert (said.returncode, said.stdout, server.asked) == (code, "", [])
    assert said.stderr.startswith("podfab: ") and line in said.stderr
    assert said.stderr.count("\n") == 1


def test_a_binary_file_is_no_attachment(client: Client, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"\xff\xfe\0")
    (tmp_path / "big.txt").write_text("x" * 1_000_001)
    with serving(client) as server:
        binary = ask(client, server, "hi", f"--file={tmp_path / 'x.bin'}")
        big = ask(client, server, "hi", f"--file={tmp_path / 'big.txt'}")
    assert "is no text; only text can be attached" in binary.stderr
    assert "is larger than 1 MB; attach a part of it" in big.stderr


def test_an_error_is_an_event_too(client: Client) -> None:
    with serving(client, refuses(401, "Unauthorized")) as server:
        said = ask(client, server, "hi", "--json")
    assert said.returncode == 1 and "refuses the key" in said.stderr
    assert json.loads(said.stdout) == {
        "type": "error",
        "message": "the server refuses the key; it was started with another one (PI_API_KEY)",
        "retry": False,
    }


def chat(client: Client, server: Scripted, typed: str, *words: str) -> Told:
    return client.run("prompt.chat", "m", f"--base-url={server.url}", *words, stdin=typed)


def test_a_conversation_goes_on_and_is_kept_for_its_owner(client: Client, here: Path) -> None:
    where = f"--dir={here}"
    with serving(client, says("Hello."), says("Again."), says("Still here.")) as server:
        said = chat(client, server, "hi\n\nand now?\n/exit\nnot asked\n", where)
        assert (said.returncode, said.stdout) == (0, "Hello.\nAgain.\n"), said.stderr
        assert roles(server) == ["system", "user", "assistant", "user"]
        kept = list((client.state / "chats").glob("*/*.json"))
        assert len(kept) == 1 and kept[0].stat().st_mode & 0o777 == 0o600
        said = chat(client, server, "still there?\n", where, "--continue")
        assert "going on after 4 messages" in said.stderr
    assert [m["content"] for m in server.asked[2]["messages"][1:]] == [
        "hi", "Hello.", "and now?", "Again.", "still there?"
    ]  # fmt: skip


def test_another_directory_has_another_conversation(
    client: Client, here: Path, tmp_path: Path
) -> None:
    with serving(client, says("Hello.")) as server:
        chat(client, server, "hi\n", f"--dir={here}")
        said = chat(client, server, "hi\n", f"--dir={tmp_path}", "--continue")
    assert said.returncode == 1
    assert f"there is no conversation in {tmp_path} yet; leave --continue out" in said.stderr


def test_the_commands_of_a_conversation(client: Client, here: Path) -> None:
    script = [says("One."), says("Two."), says("Three.")]
    typed = (
        "/retry\n/help\n/tools\n/system You are brief.\nfirst\n/retry\n"
        f"/save {here}/out.md\n/clear\nlast\n/what\n"
    )
    with serving(client, *script) as server:
        said = chat(client, server, typed, f"--dir={here}")
    assert said.stdout == "One.\nTwo.\nThree.\n"
    for line in ("nothing was asked yet", "/retry", "rg", "a new conversation", "/help lists them"):
        assert line in said.stderr
    assert server.asked[0]["messages"][0]["content"].endswith("\n\nYou are brief.")
    assert [m["content"] for m in server.asked[1]["messages"][1:]] == ["first"]
    assert (here / "out.md").read_text() == "## first\n\nTwo.\n"
    assert [m["content"] for m in server.asked[2]["messages"][1:]] == ["last"]


def test_an_error_does_not_end_a_conversation(client: Client) -> None:
    with serving(client, refuses(400, "no"), says("ok")) as server:
        said = chat(client, server, "one\ntwo\n", "--no-tools")
    assert (said.returncode, said.stdout) == (0, "ok\n")
    assert "podfab: the server answered 400: no" in said.stderr
