"""A purge removes exactly what was put away, and nothing that a link leads to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autopack.io.storage_purge import free_bytes
from tests.support.mounts import small_disk, without_rights
from tests.support.storage import Story


@pytest.fixture
def story(tmp_path: Path) -> Story:
    made = Story(tmp_path / "home", tmp_path / "tree")
    for folder in (made.home, made.root):
        folder.mkdir()
    made.write(a__log="one", a__old__b="two", a__old__in__c="three", d="four")
    return made


def place(story: Story, no: int) -> Path:
    return story.root / ".autopack-quarantine" / story.run / str(no)


def test_what_is_purged_is_gone_and_the_rest_can_still_be_undone(story: Story) -> None:
    story.plan("a/old", "d")
    story.execute()
    assert {o.status for o in story.purge("a/old").values()} == {"purged"}
    assert story.quarantined() == ["2"]
    assert {path: o.status for path, o in story.undo().items()} == {"d": "undone"}
    assert not (story.root / ".autopack-quarantine").exists()
    assert story.purge() == {}


def test_no_link_is_followed(story: Story, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/kept").write_text("kept")
    (story.root / "a/old/out").symlink_to(tmp_path / "victim")
    story.plan("a/old")
    story.execute()
    assert {o.status for o in story.purge().values()} == {"purged"}
    assert (tmp_path / "victim/kept").read_text() == "kept"


@pytest.mark.parametrize("change", ["edited", "added", "replaced", "linked"])
def test_what_was_changed_in_the_quarantine_stays(
    story: Story, change: str, tmp_path: Path
) -> None:
    story.plan("a/old", "d")
    story.execute()
    inside = place(story, 1)
    if change == "edited":
        (inside / "b").write_text("owt")
    elif change == "added":
        (inside / "new").write_text("new")
    elif change == "replaced":
        os.rename(inside, tmp_path / "taken")
        inside.mkdir()
        (inside / "b").write_text("two")
    else:
        os.rename(inside, tmp_path / "taken")
        inside.symlink_to(tmp_path / "taken")
    before = sorted(os.listdir(inside))
    assert {path: o.status for path, o in story.purge().items()} == {
        "a/old": "STALE",
        "d": "purged",
    }
    assert sorted(os.listdir(inside)) == before


def test_what_is_protected_by_now_stays(story: Story) -> None:
    story.plan("a/old")
    story.execute()
    story.protected = lambda _n, path: "a ledger" if path == "a/old/in/c" else None
    assert {o.status for o in story.purge().values()} == {"PROTECTED"}


def test_a_purge_that_is_refused_midway_goes_on_by_its_list(story: Story) -> None:
    story.plan("a/old")
    (story.root / "a/old/in").chmod(0o500)
    story.plan("a/old")
    with without_rights():
        story.execute()
        first = story.purge()["a/old"]
        assert (first.status, "EACCES" in first.detail) == ("DENIED", True)
        assert (place(story, 1) / "in/c").read_text() == "three"
    assert story.undo()["a/old"].status == "GONE", "half of it is no item to put back"
    (place(story, 1) / "in").chmod(0o700)
    assert story.purge()["a/old"].status == "purged"


def test_a_list_that_was_changed_ends_the_purge(story: Story) -> None:
    story.plan("a/old")
    (story.root / "a/old/in").chmod(0o500)
    story.plan("a/old")
    with without_rights():
        story.execute()
        story.purge()
    [listing] = (story.home / ".autonomous_runs/storage" / story.run).glob("purge-*.jsonl")
    listing.write_bytes(listing.read_bytes() + b"\n")
    assert story.purge()["a/old"].status == "CONFLICT"
    assert (place(story, 1) / "in/c").exists()


def test_only_a_purge_frees_bytes_and_a_second_name_frees_none(
    tmp_path: Path, story: Story
) -> None:
    with small_disk(story.root, "8m"):
        story.write(one=os.urandom(1 << 20), two=os.urandom(1 << 20))
        os.link(story.root / "two", story.root / "kept")

        def free() -> int:
            with story.hands() as hands:
                return free_bytes(hands.places, [0])

        story.plan("one", "two")
        before = free()
        story.execute()
        assert before - free() < 64 * 1024, "moving frees nothing; folders may cost something"
        moved = free()
        story.purge("two")
        assert free() - moved == 0
        story.purge("one")
        assert free() - moved >= 1 << 20
