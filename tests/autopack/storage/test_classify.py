"""What an entry is, as far as a decision makes it: what is entered, what is not."""

from __future__ import annotations

import os
import stat
import subprocess
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.storage.classify import Kind, classify, kind_of_mode, mode_told

REPARSE = 0x400


def seen(mode: int, attributes: int | None = None, tag: int | None = None) -> SimpleNamespace:
    """Return what `lstat` gives; attributes and tag are there on Windows alone."""
    windows = {"st_file_attributes": attributes, "st_reparse_tag": tag}
    return SimpleNamespace(
        st_mode=mode, **{name: value for name, value in windows.items() if value is not None}
    )


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (stat.S_IFREG | 0o644, Kind.FILE),
        (stat.S_IFDIR | 0o755, Kind.FOLDER),
        (stat.S_IFLNK | 0o777, Kind.LINK),
        (stat.S_IFIFO, Kind.SPECIAL),
        (stat.S_IFSOCK, Kind.SPECIAL),
        (stat.S_IFCHR, Kind.SPECIAL),
        (stat.S_IFBLK, Kind.SPECIAL),
        (0, Kind.UNKNOWN),
        (0o160000, Kind.UNKNOWN),
    ],
)
def test_the_mode_decides_where_nothing_else_is_known(mode: int, kind: Kind) -> None:
    assert classify(seen(mode)) is kind


@pytest.mark.parametrize("mode", [stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK])
@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        (0xA0000003, Kind.JUNCTION),
        (0xA000000C, Kind.LINK),
        (0xA000001D, Kind.OTHER_REPARSE),  # WSL
        (0x9000001A, Kind.OTHER_REPARSE),  # a cloud placeholder
        (0x80000013, Kind.OTHER_REPARSE),  # deduplicated
        (0x12345678, Kind.OTHER_REPARSE),  # nobody's
        (0, Kind.OTHER_REPARSE),
    ],
)
def test_a_reparse_point_is_never_a_folder_or_a_file(mode: int, tag: int, kind: Kind) -> None:
    assert classify(seen(mode, REPARSE | 0x10, tag)) is kind


def test_attributes_without_a_reparse_point_leave_the_mode() -> None:
    assert classify(seen(stat.S_IFDIR, 0x10, 0xA0000003)) is Kind.FOLDER


class Failing:
    """Attributes of which one cannot be read."""

    st_mode = stat.S_IFDIR

    @property
    def st_file_attributes(self) -> int:
        raise OSError(5, "Access is denied")


@pytest.mark.parametrize(
    "unreadable",
    [
        None,
        object(),
        Failing(),
        SimpleNamespace(st_mode=None),
        SimpleNamespace(st_mode="dir"),
        SimpleNamespace(st_mode=stat.S_IFDIR, st_file_attributes=None),
        SimpleNamespace(st_mode=stat.S_IFDIR, st_file_attributes=REPARSE),
        SimpleNamespace(st_mode=stat.S_IFDIR, st_file_attributes=REPARSE, st_reparse_tag=None),
    ],
)
def test_what_cannot_be_read_is_a_link(unreadable: object) -> None:
    assert classify(unreadable) is Kind.LINK


def test_real_entries_are_what_they_are(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    for name, target in {"dangling": "nowhere", "loop": "loop", "folder": "."}.items():
        (tmp_path / name).symlink_to(target)
    kinds = {name: classify(os.lstat(tmp_path / name)) for name in os.listdir(tmp_path)}
    links = dict.fromkeys(("dangling", "loop", "folder"), Kind.LINK)
    pipe = {"pipe": Kind.SPECIAL} if hasattr(os, "mkfifo") else {}
    assert kinds == {"file": Kind.FILE, **pipe, **links}
    assert classify(os.lstat(tmp_path)) is Kind.FOLDER


@given(st.integers(0, 0o177777), st.sampled_from([None, 0xA0000003, 0xA000000C, 0x9000001A]))
def test_a_mode_that_is_kept_tells_what_was_decided(mode: int, tag: int | None) -> None:
    found = seen(mode) if tag is None else seen(mode, REPARSE, tag)
    kept = mode_told(found)
    assert kind_of_mode(kept) is classify(found)
    assert stat.S_IMODE(kept) == stat.S_IMODE(mode)
    assert tag is not None or kept == mode


@pytest.mark.skipif(os.name != "nt", reason="junctions are made on Windows alone")
def test_a_real_junction_is_one(tmp_path) -> None:
    (tmp_path / "victim").mkdir()
    command = ["cmd", "/c", "mklink", "/J", str(tmp_path / "door"), str(tmp_path / "victim")]
    subprocess.run(command, check=True, capture_output=True)
    assert classify(os.lstat(tmp_path / "door")) is Kind.JUNCTION
