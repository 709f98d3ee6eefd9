from __future__ import annotations

from pathlib import Path

import pytest

from fabfile.errors import PodfabError
from fabfile.remote import sshconfig
from fabfile.remote.address import parse
from fabfile.remote.sshconfig import config_for, destination


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of ~/.ssh, and one file in the place of the system's own."""
    folder = tmp_path / "ssh"
    folder.mkdir()
    monkeypatch.setattr(sshconfig, "USER_CONFIG", str(folder / "config"))
    monkeypatch.setattr(sshconfig, "SYSTEM_CONFIG", str(tmp_path / "ssh_config"))
    return folder


def test_without_any_file_the_address_itself_is_the_destination(
    ssh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "me")
    assert destination(parse("1.2.3.4")) == ("me", "1.2.3.4", 22)
    assert destination(parse("root@1.2.3.4:40022")) == ("root", "1.2.3.4", 40022)


def test_an_alias_gives_user_host_and_port(ssh: Path) -> None:
    (ssh / "config").write_text("Host dc1\n  HostName 10.0.0.7\n  User ubuntu\n  Port 40022\n")
    assert destination(parse("dc1")) == ("ubuntu", "10.0.0.7", 40022)


def test_what_the_address_says_wins_over_the_alias(ssh: Path) -> None:
    (ssh / "config").write_text("Host dc1\n  HostName 10.0.0.7\n  User ubuntu\n  Port 40022\n")
    assert destination(parse("root@dc1:22")) == ("root", "10.0.0.7", 22)


@pytest.mark.parametrize(
    "theirs",
    [
        "Host dc1\n  ConnectTimeout 30\n  IdentityFile /theirs\n",
        "ConnectTimeout 30\nIdentityFile /theirs\n",
        "Host *\n  ConnectTimeout 30\n",
        "Match host dc1\n  ConnectTimeout 30\n",
    ],
)
def test_the_options_of_the_address_win_over_the_files(ssh: Path, theirs: str) -> None:
    (ssh / "config").write_text(theirs)
    found = config_for(parse("ssh -o ConnectTimeout=5 dc1")).lookup("dc1")
    assert found["connecttimeout"] == "5"


def test_the_options_of_the_address_leave_the_rest_of_the_file_alone(ssh: Path) -> None:
    (ssh / "config").write_text("User everybody\nHost dc1\n  Port 40022\n")
    address = parse("ssh -o HostName=10.0.0.7 dc1")
    assert destination(address) == ("everybody", "10.0.0.7", 40022)


def test_the_users_file_wins_over_the_systems(ssh: Path) -> None:
    (ssh / "config").write_text("Host dc1\n  Port 1111\n")
    Path(sshconfig.SYSTEM_CONFIG).write_text("Port 2222\nUser everybody\n")
    assert destination(parse("dc1")) == ("everybody", "dc1", 1111)
    assert destination(parse("other")) == ("everybody", "other", 2222)


@pytest.mark.parametrize(
    "line",
    ["Include pods/*", "include pods/a pods/b", "Include=pods/*", "Include {ssh}/pods/*"],
)
def test_include_lines_are_followed(ssh: Path, line: str) -> None:
    (ssh / "pods").mkdir()
    (ssh / "pods" / "a").write_text("Host dc1\n  Port 1111\n")
    (ssh / "pods" / "b").write_text("Host dc2\n  Port 2222\n")
    (ssh / "config").write_text(line.format(ssh=ssh) + "\n")
    assert destination(parse("dc1"))[2] == 1111
    assert destination(parse("dc2"))[2] == 2222


def test_an_included_file_may_include_another(ssh: Path) -> None:
    (ssh / "config").write_text("Include a\n")
    (ssh / "a").write_text("Include b\n")
    (ssh / "b").write_text("Host dc1\n  Port 1111\n")
    assert destination(parse("dc1"))[2] == 1111


def test_a_file_that_includes_itself_ends(ssh: Path) -> None:
    (ssh / "config").write_text("Include config\nHost dc1\n  Port 1111\n")
    assert destination(parse("dc1"))[2] == 1111


def test_what_follows_an_include_line_is_not_part_of_the_included_hosts(ssh: Path) -> None:
    (ssh / "config").write_text("Include pods\nUser everybody\nHost dc1\n  Port 1111\n")
    (ssh / "pods").write_text("Host dc2\n  Port 2222\n")
    assert destination(parse("dc1")) == ("everybody", "dc1", 1111)


def test_a_file_that_makes_no_sense_is_named_in_one_line(ssh: Path) -> None:
    (ssh / "config").write_text("Host dc1\n  \x00what\n")
    with pytest.raises(PodfabError, match="config") as refused:
        destination(parse("dc1"))
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["ssh -o Port=many dc1", "dc2"])
def test_a_port_that_is_none_is_named_in_one_line(ssh: Path, text: str) -> None:
    (ssh / "config").write_text("Host dc2\n  Port many\n")
    with pytest.raises(PodfabError, match="many"):
        destination(parse(text))
