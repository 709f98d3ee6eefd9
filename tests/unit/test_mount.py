from __future__ import annotations

import pytest

from fabfile.errors import UsageError
from fabfile.plan.mount import parse_mount


@pytest.mark.parametrize(
    ("text", "target", "as_root", "helper"),
    [
        ("sudo mount -t nfs -o nconnect=16 host:/share /mnt/models", "/mnt/models", True, "nfs"),
        ("mount -t nfs4 host:/share /mnt/models/", "/mnt/models", True, "nfs"),
        ("mount -o ro --types=nfs h:/s /mnt", "/mnt", True, None),
        ("mount -t cifs //nas/models '/mnt/my models' -o credentials=/root/nas", "/mnt/my models",
         True, "cifs"),
        ("mount --bind /big/models /mnt/models", "/mnt/models", True, None),
        ("mount -v /dev/sdb1 /data", "/data", True, None),
        ("mount /mnt/models", "/mnt/models", True, None),
        ("sudo -n mount -t tmpfs tmpfs /m", "/m", True, None),
        ("mount.nfs host:/share /mnt/models -o ro", "/mnt/models", True, "nfs"),
        ("sshfs me@box:/models /home/me/models -o IdentityFile=/home/me/key", "/home/me/models",
         False, "sshfs"),
        ("sudo sshfs me@box:/models /mnt/m", "/mnt/m", True, "sshfs"),
        ("rclone mount remote:models /mnt/m --daemon --cache-dir /tmp/c", "/mnt/m", False, None),
        ("s3fs bucket /mnt/m -o passwd_file=/root/keys", "/mnt/m", False, None),
    ],
)  # fmt: skip
def test_the_folder_is_read_from_the_command(
    text: str, target: str, as_root: bool, helper: str | None
) -> None:
    mount = parse_mount(text)
    assert (mount.target, mount.as_root) == (target, as_root)
    names = {"nfs": "mount.nfs", "cifs": "mount.cifs", "sshfs": "sshfs", None: None}
    assert mount.helper == names[helper]
    assert mount.words[0] != "sudo" and mount.text == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sudo", "names no folder"),
        ("mount", "names no folder"),
        ("mount host:/share", "names no folder"),
        ("mount host:/share models", "names no folder"),
        ("mount 'host:/share /mnt", "can not be read"),
        ("mkdir -p /mnt/m && mount h:/s /mnt/m", "without shell operators"),
        ("mount h:/s /mnt/m; rm -rf /x", "without shell operators"),
        ("mount h:/s /mnt/m | tee /log", "without shell operators"),
        ("mount h:/s /mnt/m\nrm /x", "one line"),
        ("mount -t cifs //nas/m /mnt/m -o username=me,password=secret1", "holds a password"),
        ("mount -t cifs //nas/m /mnt/m -o pass=secret1", "holds a password"),
    ],
)
def test_what_is_no_mount_command_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        parse_mount(text)
    assert "secret1" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_what_a_shell_would_act_on_stays_a_word() -> None:
    mount = parse_mount("mount -o '$(touch /x)' h:/s '/mnt/`id`'")
    assert mount.words == ("mount", "-o", "$(touch /x)", "h:/s", "/mnt/`id`")
    assert mount.target == "/mnt/`id`"
