"""A page that is read: there, not there, or a thing that is no page and is not waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autopack.errors import Unreachable
from autopack.io.files import read_given, read_page


def test_a_page_is_its_bytes_also_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff\n")
    (tmp_path / "b.md").symlink_to("a.md")
    assert read_page(tmp_path, "b.md") == b"\xff\n"
    assert read_page(tmp_path, "c.md") is None


@pytest.mark.parametrize("there", [os.mkfifo, os.mkdir])
def test_what_is_no_page_is_told_at_once_and_leaves_nothing_open(there, tmp_path: Path) -> None:
    there(tmp_path / "README.md")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Unreachable, match=r"README\.md: (it is no plain file|Is a directory)"):
        read_page(tmp_path, "README.md")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_person_may_name_a_pipe() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"words")
    os.close(writing)
    assert read_given(f"/dev/fd/{reading}") == b"words"
    os.close(reading)
