"""Pipes, sockets and devices are never opened so that anybody waits; what vanishes is left out."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from autopack.io.fingerprint import NotPlain
from autopack.io.storage_identity import Changed, identity_of
from autopack.io.storage_open import Opener
from autopack.storage.classify import Kind
from autopack.storage.snapshot import NotSeen
from tests.support.storage import Story
from tests.support.storage_trees import full

KINDS = ("pipe", "socket", "character device", "block device")


@pytest.fixture(autouse=True)
def _nobody_waits() -> Iterator[None]:
    """End a test that waits for a pipe's other end."""

    def waited(*_: object) -> None:
        raise AssertionError("it waited")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def special(path: Path, kind: str) -> None:
    """Make something at a path that is neither file nor folder."""
    if kind == "pipe":
        os.mkfifo(path)
        return
    if kind == "socket":
        here = os.getcwd()
        os.chdir(path.parent)  # the name of a socket must be short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
        os.chdir(here)
        return
    block = kind == "block device"
    try:
        os.mknod(path, stat.S_IFBLK if block else stat.S_IFCHR, os.makedev(7 if block else 1, 3))
    except PermissionError:
        pytest.skip("no device can be made here")


@pytest.fixture
def story(tmp_path: Path) -> Story:
    made = Story(tmp_path / "home", tmp_path / "tree")
    for folder in (made.home, made.root):
        folder.mkdir()
    made.write(a="one", b__c="two", d="three")
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_special_file_is_an_entry_that_stays(story: Story, kind: str) -> None:
    special(story.root / "b/special", kind)
    frame = full(story.root).frame
    assert dict(zip(frame["path"], frame["kind"], strict=True))["b/special"] == int(Kind.SPECIAL)
    (story.root / "b/special").unlink()
    story.plan("a", "b", "d")
    (story.root / "a").unlink()
    special(story.root / "a", kind)
    special(story.root / "b/special", kind)
    assert story.statuses() == {"a": "STALE", "b": "STALE", "d": "moved"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_becomes_special_before_it_is_opened_is_not_waited_for(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "a").write_text("one")
    top = os.open(tmp_path, os.O_RDONLY)

    def swap(_path: str, _found: os.stat_result) -> None:
        (tmp_path / "a").unlink()
        special(tmp_path / "a", kind)

    with pytest.raises((NotPlain, Changed)):
        identity_of(top, "a", told=swap)
    os.close(top)


@pytest.mark.parametrize("backend", ["statx", "stat"])
@pytest.mark.parametrize("became", ["pipe", "gone"])
def test_a_folder_that_is_none_any_more_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, became: str
) -> None:
    root = tmp_path / "tree"
    for name in ("folder/inside", "other/inside"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("x")
    opened = Opener.open

    def late(self: Opener, path: bytes) -> int:
        if path == b"folder" and (root / "folder").is_dir():
            (root / "folder").rename(tmp_path / "away")
            if became == "pipe":
                special(root / "folder", "pipe")
        return opened(self, path)

    monkeypatch.setattr(Opener, "open", late)
    found = full(root, backend=backend)
    assert set(found.frame["path"]) == {"", "folder", "other", "other/inside"}
    replaced = (NotSeen("folder", "replaced"),)
    assert found.not_seen == (replaced if became == "pipe" else ())
