"""Network filesystems, told from the mount table."""

from __future__ import annotations

import pytest

from autopack.locks.filesystems import filesystem_of, is_network

TABLE = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:50 / /mnt rw,relatime shared:7 - ext4 /dev/vdb rw
41 40 0:51 / /mnt/a rw,relatime - nfs4 server:/a rw,vers=4.2
42 27 0:52 / /mnt/with\040blank rw - fuse.sshfs me@host: rw
43 27 0:53 / /again rw - nfs4 server:/b rw
44 43 0:54 / /again rw - tmpfs tmpfs rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/home/me", "ext4"),
        ("/mnt", "ext4"),
        ("/mnt/a", "nfs4"),
        ("/mnt/a/b/c", "nfs4"),
        ("/mnt/ab", "ext4"),
        ("/mnt/with blank/x", "fuse.sshfs"),
        ("/again/x", "tmpfs"),
    ],
)
def test_the_nearest_and_latest_mount_counts(path: str, kind: str) -> None:
    assert filesystem_of(path, TABLE) == kind


def test_no_table_says_nothing() -> None:
    assert filesystem_of("/x", "") == ""
    assert not is_network("")


@pytest.mark.parametrize(
    "kind",
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "fuse.sshfs",
        "9p",
        "lustre",
        "ceph",
        "fuse.ceph-fuse",
        "afs",
        "virtiofs",
    ],
)
def test_network_filesystems_are_known(kind: str) -> None:
    assert is_network(kind)


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuseblk", "fuse.ntfs-3g"]
)
def test_local_filesystems_are_safe(kind: str) -> None:
    assert not is_network(kind)
