"""What the system refuses stays with its number, and the rest goes; nothing is replaced."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from autopack.io import beneath, storage_look, storage_quarantine
from autopack.io.no_replace import in_one_call
from autopack.io.storage_places import Held
from autopack.storage.candidates import candidates
from autopack.storage.policy import Policy
from autopack.storage.protection import Protection
from autopack.storage.snapshot import NotSeen
from tests.support.mounts import bound
from tests.support.storage import Story, policy_with
from tests.support.storage_trees import full

REFUSALS = ("EACCES", "EPERM", "EROFS", "EBUSY", "ESTALE")


@pytest.fixture
def story(tmp_path: Path) -> Story:
    made = Story(tmp_path / "home", tmp_path / "tree")
    for folder in (made.home, made.root):
        folder.mkdir()
    made.write(a__log="one", a__old__b="two", d="four")
    return made


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("when", ["look", "move"])
def test_what_the_system_refuses_stays_and_the_rest_goes(
    story: Story, monkeypatch: pytest.MonkeyPatch, name: str, when: str
) -> None:
    number = getattr(errno, name)
    story.plan("a/log", "d", "a/old")
    real_stat = os.stat

    def rename(old, new) -> bool:
        if when == "move" and old[1] == "d":
            raise OSError(number, "Zugriff verweigert", old[1])
        return in_one_call(old, new)

    def look(path, *args, **options):
        if when == "look" and path == "d":
            raise OSError(number, "Zugriff verweigert", path)
        return real_stat(path, *args, **options)

    monkeypatch.setattr(storage_quarantine, "in_one_call", rename)
    monkeypatch.setattr(os, "stat", look)
    ended = story.execute()
    monkeypatch.undo()
    assert {path: one.status for path, one in ended.items()} == {
        "a/log": "moved", "d": "DENIED", "a/old": "moved",
    }  # fmt: skip
    assert ended["d"].detail.startswith(f"{name}: ")
    assert (story.root / "d").read_text() == "four"
    assert story.journal().open == []


def test_a_mount_that_nobody_told_of_is_refused_by_the_system(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown/file").write_text("shown")
    monkeypatch.setattr(Held, "mounts", lambda _self: [])
    with bound(tmp_path / "shown", story.root / "a/old"):
        story.plan("a/old", "d")
        ended = story.execute()
    assert (ended["a/old"].status, ended["a/old"].detail[:5]) == ("DENIED", "EBUSY")
    assert ended["d"].status == "moved"


@pytest.mark.parametrize("mount", ["a/old", "a/old/deep"])
def test_a_mount_that_the_system_lists_keeps_what_is_around_it(
    story: Story, monkeypatch: pytest.MonkeyPatch, mount: str
) -> None:
    """As a bind mount, it has the device of its surroundings: only the list tells."""
    story.write(a__old__deep__hidden="hidden")
    monkeypatch.setattr(storage_look, "mounts_below", lambda _root: frozenset({mount.encode()}))
    found = full(story.root)
    assert found.not_seen == (NotSeen(mount, "mount"),)
    assert not [path for path in found.frame["path"] if path.startswith(f"{mount}/")]
    monkeypatch.setattr(Held, "mounts", lambda _self: [mount])
    story.plan("a/old", "d")
    ended = story.execute()
    assert (ended["a/old"].status, ended["d"].status) == ("DENIED", "moved")
    assert f"mounted on {mount}" in ended["a/old"].detail


# --- in use ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [32, 33])
@pytest.mark.parametrize("busy", [2, 3])
def test_who_shares_a_file_is_waited_for_as_often_as_the_policy_says(
    story: Story, monkeypatch: pytest.MonkeyPatch, number: int, busy: int
) -> None:
    """Two retries are three tries: a file that is let go before the third goes, else it stays."""
    tries, waited = [], []

    def rename(old, new) -> bool:
        if old[1] == "d":
            tries.append(new)
            if len(tries) <= busy:
                error = OSError(errno.EACCES, "Il est utilisé par un autre processus")
                error.winerror = number  # type: ignore[attr-defined]
                raise error
        return in_one_call(old, new)

    monkeypatch.setattr(storage_quarantine, "in_one_call", rename)
    # Its name for the module, not the module: other threads of this process sleep too.
    monkeypatch.setattr(storage_quarantine, "time", SimpleNamespace(sleep=waited.append))
    story.policy = policy_with(retries=2)
    story.plan("d", "a/log")
    ended = story.execute()
    assert ended["a/log"].status == "moved"
    assert (len(tries), len(waited)) == (3, 2)
    if busy == 2:
        assert ended["d"].status == "moved"
    else:
        assert ended["d"].status == "DENIED"
        assert ended["d"].detail.startswith(f"winerror {number}: ")


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_refused_for_good_is_not_tried_again(
    story: Story, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tries = []

    def rename(_old, new) -> bool:
        tries.append(new)
        raise OSError(getattr(errno, name), "being used by another process")

    monkeypatch.setattr(storage_quarantine, "in_one_call", rename)
    story.policy = policy_with(retries=5)
    story.plan("d")
    assert story.statuses() == {"d": "DENIED"}
    assert len(tries) == 1


# --- what is taken, and what links lead to --------------------------------------------------------


@pytest.mark.parametrize("one_call", [True, False])
def test_a_name_that_is_taken_at_the_last_moment_is_not_replaced(
    story: Story, monkeypatch: pytest.MonkeyPatch, one_call: bool
) -> None:
    """Somebody is in the item's place in the quarantine between the look there and the move."""
    story.plan("d", "a/log")
    real = beneath.look
    looks = []

    def look(descriptor: int, name: str):
        found = real(descriptor, name)
        if name == "1":
            looks.append(found)
            if len(looks) == 1:
                place = os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=descriptor)
                os.write(place, b"somebody's")
                os.close(place)
        return found

    monkeypatch.setattr(beneath, "look", look)
    if not one_call:
        monkeypatch.setattr(storage_quarantine, "in_one_call", lambda _old, _new: False)
    assert story.statuses() == {"d": "CONFLICT", "a/log": "moved"}
    assert looks[0] is None
    place = story.root / ".autopack-quarantine" / story.run / "1"
    assert place.read_text() == "somebody's"
    assert (story.root / "d").read_text() == "four"


def test_a_link_to_something_protected_goes_without_it(story: Story) -> None:
    rules = {"match": ["cache/**", "*.lnk"], "older_than_days": 0, "action": "quarantine"}
    policy = Policy.model_validate(
        {
            "refuse_share": 100,
            "execution": "enabled",
            "protected": {"code": ["src/**"]},
            "categories": {"logs": rules},
        }
    )
    story.write(src__main="code", cache__x="x")
    (story.root / "cache/to").symlink_to("../src")
    (story.root / "one.lnk").symlink_to("src/main")
    found = candidates(full(story.root), policy, time.time_ns() + 1)
    assert "one.lnk" not in {one.path for one in found.items}
    story.policy = policy
    story.protected = lambda _n, path: Protection(policy).reason(path)
    story.plan("cache")
    assert story.statuses() == {"cache": "moved"}
    assert {one.status for one in story.purge().values()} == {"purged"}
    assert (story.root / "src/main").read_text() == "code"
