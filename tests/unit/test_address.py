from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabfile.errors import UsageError
from fabfile.remote.address import Address, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (
            "ssh -p 40022 root@1.2.3.4 -i ~/.ssh/key",
            Address("1.2.3.4", user="root", port=40022, key="~/.ssh/key"),
        ),
        ("ssh -p40022 root@1.2.3.4", Address("1.2.3.4", user="root", port=40022)),
        ("ssh root@1.2.3.4 -p 40022 -i '/keys/my key'", Address(
            "1.2.3.4", user="root", port=40022, key="/keys/my key"
        )),
        ("ssh abc-64410d@ssh.runpod.io -i ~/.ssh/id_ed25519", Address(
            "ssh.runpod.io", user="abc-64410d", key="~/.ssh/id_ed25519"
        )),
        ("root@1.2.3.4:40022", Address("1.2.3.4", user="root", port=40022)),
        ("ssh://root@1.2.3.4:40022", Address("1.2.3.4", user="root", port=40022)),
        ("ssh root@1.2.3.4:40022 -p 22", Address("1.2.3.4", user="root", port=22)),
        ("ubuntu@gpu.example.com", Address("gpu.example.com", user="ubuntu")),
        ("ssh -l ubuntu gpu.example.com", Address("gpu.example.com", user="ubuntu")),
        ("[::1]:22", Address("::1", port=22)),
        ("root@[2001:db8::7]:40022", Address("2001:db8::7", user="root", port=40022)),
        ("root@2001:db8::7", Address("2001:db8::7", user="root")),
        ("fe80::1%eth0", Address("fe80::1%eth0")),
        ("my-alias", Address("my-alias")),
        ("ssh my_alias", Address("my_alias")),
        ("local", Address("local")),
        ("ssh -J me@jump:2222 root@inner", Address(
            "inner", user="root", options={"ProxyJump": "me@jump:2222"}
        )),
        ("ssh -o ConnectTimeout=5 host", Address("host", options={"ConnectTimeout": "5"})),
        ("ssh -oConnectTimeout=5 host", Address("host", options={"ConnectTimeout": "5"})),
        ("ssh -o 'ConnectTimeout 5' host", Address("host", options={"ConnectTimeout": "5"})),
        ("ssh -o ProxyCommand='ssh -W %h:%p a=b' host", Address(
            "host", options={"ProxyCommand": "ssh -W %h:%p a=b"}
        )),
    ],
)  # fmt: skip
def test_an_ssh_string_is_taken_apart(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("ssh -p 12345 root@ssh5.vast.ai -L 8080:localhost:8080", ("-L",)),
        ("ssh -L8080:localhost:8080 root@h", ("-L",)),
        ("ssh -t root@h", ("-t",)),
        ("ssh -tt root@h", ("-t",)),
        ("ssh -A root@h", ("-A",)),
        ("ssh -tAL 1:localhost:1 -D 1080 root@h", ("-A", "-D", "-L", "-t")),
        ("ssh -l root -p 22 -i key -J jump -o A=b h", ()),
    ],
)
def test_what_means_nothing_here_is_ignored_and_listed(text: str, ignored: tuple[str, ...]) -> None:
    assert parse(text).ignored == ignored


def test_a_host_called_local_with_a_port_is_another_machine() -> None:
    assert parse("local").is_local
    assert not parse("local:22").is_local
    assert not parse("root@local").is_local


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no host"),
        ("ssh", "names no host"),
        ("ssh -p 22", "names no host"),
        ("ssh root@h nvidia-smi", "'nvidia-smi'"),
        ("ssh root@h -p", "-p lacks its value"),
        ("ssh root@h -p x", "'x' is no port"),
        ("ssh root@h -p 0", "'0' is no port"),
        ("root@h:65536", "'65536' is no port"),
        ("root@h:", "'' is no port"),
        ("root@h:４２", "is no port"),
        ("ssh -Z root@h", "-Z"),
        ("ssh -F my_config root@h", "~/.ssh/config"),
        ("ssh -o NoValue root@h", "'NoValue'"),
        ("root@-oProxyCommand=id", "does not name a host"),
        ("root@$(id)", "does not name a host"),
        ("root@h;id", "does not name a host"),
        ("root@", "does not name a host"),
        ("ssh 'root@h", "No closing quotation"),
        ("ssh root@h\n-p 22", "one line"),
    ],
)
def test_what_can_not_be_understood_is_refused_with_one_clear_line(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert refused.value.code == 2


_printable = st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp"))
_word = st.text(_printable, min_size=1, max_size=20)
_host = st.one_of(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    st.ip_addresses().map(str),
)
_options = st.dictionaries(
    st.text(string.ascii_letters, min_size=1, max_size=12),
    _word.filter(lambda value: value == value.strip()),
    max_size=3,
)
_addresses = st.builds(
    Address,
    host=_host.filter(lambda host: host != "local"),
    user=st.none() | st.from_regex(r"[a-z_][A-Za-z0-9_.@+-]{0,12}", fullmatch=True),
    port=st.none() | st.integers(1, 65535),
    key=st.none() | _word,
    options=_options,
)


@given(_addresses)
def test_an_address_written_down_and_read_again_is_the_same(address: Address) -> None:
    assert parse(str(address)) == address
