"""Mount points read off the table of the kernel."""

from __future__ import annotations

import os

import pytest

from autopack.io.storage_mounts import below, mount_points, mounts_below

TABLE = (
    rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 253:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw
90 27 253:0 /home/x /srv/with\040blank rw - ext4 /dev/vda rw
91 27 253:0 /a /srv/new\012line\011tab rw - ext4 /dev/vda rw
92 27 253:0 /b /srv/back\134slash\134040 rw - ext4 /dev/vda rw
93 27 253:0 /c /srv/raw"""
    + b"\xff"
    + rb""" rw - ext4 /dev/vda rw
short line
"""
)


def test_the_escapes_of_mount_points_are_undone() -> None:
    assert mount_points(TABLE) == [
        b"/proc", b"/", b"/srv/with blank", b"/srv/new\nline\ttab", b"/srv/back\\slash\\040",
        b"/srv/raw\xff",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("root", "found"),
    [
        (b"/", {b"a", b"a/b", b"ab", b"srv/x"}),
        (b"/a", {b"b"}),
        (b"/a/", {b"b"}),
        (b"/a/b", set()),
        (b"/srv", {b"x"}),
    ],
)
def test_only_points_below_the_root_count(root, found) -> None:
    assert below(root, [b"/", b"/a", b"/a/b", b"/ab", b"/srv/x"]) == found


def test_mounts_of_this_machine_are_seen_from_its_root() -> None:
    folder = os.open("/", os.O_RDONLY)
    try:
        assert b"proc" in mounts_below(folder)
    finally:
        os.close(folder)


def test_a_folder_without_mounts_has_none(tmp_path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert mounts_below(folder) == frozenset()
    finally:
        os.close(folder)
