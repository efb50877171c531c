"""Things come back to their places, if these are free, and over nothing."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.support.storage import Story


@pytest.fixture
def story(tmp_path: Path) -> Story:
    made = Story(tmp_path / "home", tmp_path / "tree")
    for folder in (made.home, made.root):
        folder.mkdir()
    made.write(a__log="one", a__old__b="two", a__old__c="three", d="four")
    return made


def test_undo_never_takes_a_place_that_is_taken(story: Story) -> None:
    story.plan("d", "a/log")
    story.execute()
    story.write(d="newer")
    assert {path: o.status for path, o in story.undo().items()} == {
        "d": "CONFLICT", "a/log": "undone",
    }  # fmt: skip
    assert (story.root / "d").read_text() == "newer"
    assert story.quarantined() == ["1"]
    (story.root / "d").unlink()
    assert {path: o.status for path, o in story.undo().items()} == {"d": "undone"}
    assert (story.root / "d").read_text() == "four"


def test_undo_makes_folders_again_that_are_gone(story: Story) -> None:
    story.plan("a/old/b")
    story.execute()
    shutil.rmtree(story.root / "a")
    assert {o.status for o in story.undo().values()} == {"undone"}
    assert (story.root / "a/old/b").read_text() == "two"
    assert stat.S_IMODE((story.root / "a").stat().st_mode) & 0o022 == 0


def test_undo_does_not_follow_a_link_that_came_meanwhile(story: Story, tmp_path: Path) -> None:
    story.plan("a/log")
    story.execute()
    shutil.rmtree(story.root / "a")
    (tmp_path / "victim").mkdir()
    (story.root / "a").symlink_to(tmp_path / "victim")
    assert {o.status for o in story.undo().values()} == {"CONFLICT"}
    assert os.listdir(tmp_path / "victim") == []


def test_undo_puts_back_what_was_changed_in_the_quarantine_and_says_so(story: Story) -> None:
    story.plan("d")
    story.execute()
    (story.root / ".autopack-quarantine" / story.run / "1").write_text("changed")
    assert "changed in the quarantine" in story.undo()["d"].detail
    assert (story.root / "d").read_text() == "changed"
