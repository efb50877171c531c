"""What the system refuses stays where it is and is told; names and places that are odd."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from autopack.errors import Refused
from autopack.io.storage_places import native
from autopack.storage.names import spell
from tests.support.mounts import NOBODY, bound, immutable, without_rights
from tests.support.storage import Story, policy_with
from tests.support.storage_trees import bury


@pytest.fixture
def story(tmp_path: Path) -> Story:
    made = Story(tmp_path / "home", tmp_path / "tree")
    for folder in (made.home, made.root):
        folder.mkdir()
    made.write(a__log="one", a__old__b="two", a__old__c="three", d="four")
    return made


# --- what the system refuses ----------------------------------------------------------------------


def test_a_file_that_may_not_be_read_is_told_and_the_rest_goes_on(story: Story) -> None:
    story.plan("a/log", "d")
    (story.root / "a").chmod(0o500)
    with without_rights():
        assert story.statuses() == {"a/log": "DENIED", "d": "moved"}
        assert "EACCES" in story.execute()["a/log"].detail
    (story.root / "a").chmod(0o700)


def test_an_immutable_file_stays(story: Story) -> None:
    with immutable(story.root / "d"):
        story.plan("d", "a/log")
        assert story.statuses() == {"d": "DENIED", "a/log": "moved"}
        assert "EPERM" in story.execute()["d"].detail


def test_a_read_only_filesystem_keeps_everything(story: Story) -> None:
    with bound(story.root, story.root, read_only=True):
        story.plan("d")
        outcome = story.execute()["d"]
    assert (outcome.status, outcome.detail[:5]) == ("DENIED", "EROFS")


def test_a_read_only_file_is_moved_and_stays_read_only(story: Story) -> None:
    (story.root / "d").chmod(0o444)
    story.plan("d")
    assert story.statuses() == {"d": "moved"}
    moved = story.root / ".autopack-quarantine" / story.run / "1"
    assert stat.S_IMODE(moved.stat().st_mode) == 0o444


def test_who_has_a_file_open_is_waited_for_and_then_left_alone(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autopack.io import storage_quarantine

    tries = []

    def in_use(old, new) -> None:
        tries.append(new)
        error = OSError(errno.EACCES, "It is used by another process")
        error.winerror = 32  # type: ignore[attr-defined]
        raise error

    monkeypatch.setattr(storage_quarantine, "_rename", in_use)
    monkeypatch.setattr(storage_quarantine, "_PAUSE_S", 0)
    story.policy = policy_with(retries=2)
    story.plan("d")
    outcome = story.execute()["d"]
    assert (outcome.status, len(tries)) == ("DENIED", 3)
    assert outcome.detail.startswith("winerror 32")


# --- names and places -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [b"caf\xe9", b"new\nline", b"back\\slash", "ünï".encode(), b"'; rm -rf", b"-x"]
)
def test_any_name_goes_and_comes_back(story: Story, name: bytes) -> None:
    path = os.fsencode(story.root) + b"/" + name
    with open(path, "wb") as file:
        file.write(name)
    story.plan(spell(name))
    assert set(story.statuses().values()) == {"moved"}
    assert not os.path.lexists(path)
    story.undo()
    with open(path, "rb") as file:
        assert file.read() == name


def test_a_path_of_more_than_4096_bytes_goes_and_comes_back(story: Story) -> None:
    names = [f"{n:03}" + "x" * 90 for n in range(60)]
    bury(story.root, names, "leaf")
    story.plan("/".join([*names, "leaf"]))
    assert set(story.statuses().values()) == {"moved"}
    assert {o.status for o in story.undo().values()} == {"undone"}
    story.plan(names[0])
    assert story.statuses() == {names[0]: "moved"}


@pytest.mark.parametrize("path", ["../outside", "a/../../outside", "/etc", "a//log", "./d", ""])
def test_a_path_that_does_not_go_down_is_refused(path: str) -> None:
    with pytest.raises(Refused, match="no path below its root"):
        native(path)


def test_a_taken_number_in_the_quarantine_keeps_the_item(story: Story) -> None:
    story.plan("d", "a/log")
    taken = story.root / ".autopack-quarantine" / story.run
    taken.mkdir(parents=True, mode=0o700)
    taken.parent.chmod(0o700)
    (taken / "1").write_text("somebody's")
    assert story.statuses() == {"d": "CONFLICT", "a/log": "moved"}
    assert (taken / "1").read_text() == "somebody's"
    assert (story.root / "d").read_text() == "four"


@pytest.mark.parametrize("how", ["link", "open", "file"])
def test_a_quarantine_that_is_not_private_is_refused(
    story: Story, tmp_path: Path, how: str
) -> None:
    story.plan("d")
    quarantine = story.root / ".autopack-quarantine"
    if how == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        quarantine.symlink_to(tmp_path / "elsewhere")
    elif how == "open":
        quarantine.mkdir()
        quarantine.chmod(0o755)
    else:
        quarantine.write_text("")
    with pytest.raises(Refused, match="not private"):
        story.execute()
    assert (story.root / "d").read_text() == "four"


def test_a_quarantine_of_another_user_is_refused(story: Story) -> None:
    if os.geteuid():
        pytest.skip("only root can make a folder of another user")
    story.plan("d")
    quarantine = story.root / ".autopack-quarantine"
    quarantine.mkdir(mode=0o700)
    os.chown(quarantine, NOBODY, NOBODY)
    with pytest.raises(Refused, match="belongs to user"):
        story.execute()


def test_another_root_of_the_same_name_is_refused(story: Story) -> None:
    story.plan("d")
    os.rename(story.root, story.root.with_name("old"))
    story.root.mkdir()
    story.write(d="four")
    with pytest.raises(Refused, match="another folder than the one that was scanned"):
        story.execute()
