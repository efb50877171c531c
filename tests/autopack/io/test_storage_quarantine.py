"""Things go into the quarantine only as they were reported, and stay out of it otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autopack.storage.approval import Limits
from autopack.storage.policy import Caps
from tests.support.mounts import bound, small_disk
from tests.support.storage import Story, policy_with


@pytest.fixture
def story(tmp_path: Path) -> Story:
    made = Story(tmp_path / "home", tmp_path / "tree")
    for folder in (made.home, made.root):
        folder.mkdir()
    made.write(a__log="one", a__old__b="two", a__old__c="three", d="four")
    return made


def test_what_was_approved_is_moved_and_comes_back(story: Story) -> None:
    story.plan("a/log", "a/old", "d")
    assert story.statuses() == {"a/log": "moved", "a/old": "moved", "d": "moved"}
    assert story.quarantined() == ["1", "2", "2/b", "2/c", "3"]
    assert sorted(os.listdir(story.root)) == [".autopack-quarantine", "a"]
    assert {o.status for o in story.undo().values()} == {"undone"}
    assert (story.root / "a/old/c").read_text() == "three"
    assert not (story.root / ".autopack-quarantine").exists()


# --- who it is ------------------------------------------------------------------------------------


def test_a_file_that_was_replaced_after_the_approval_stays(story: Story) -> None:
    story.plan("d")
    (story.root / "d").write_bytes(b"x" * 17_000)
    assert story.statuses() == {"d": "STALE"}
    assert (story.root / "d").stat().st_size == 17_000


def test_another_inode_of_the_same_size_and_time_stays(story: Story) -> None:
    story.plan("d")
    before = (story.root / "d").stat()
    (story.root / "new").write_bytes(b"four")
    os.utime(story.root / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(story.root / "new", story.root / "d")
    assert "another file" in story.execute()["d"].detail


def test_an_edit_that_puts_the_time_back_is_seen_by_its_ctime(story: Story) -> None:
    story.write(big=bytes(3 << 20))
    story.plan("big")
    path = story.root / "big"
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"edited")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "changed after the scan" in story.execute()["big"].detail


@pytest.mark.parametrize("name", ["a/old/b", "a/old/new"])
def test_a_folder_in_which_something_changed_stays(story: Story, name: str) -> None:
    story.plan("a/old")
    (story.root / name).write_text("twx")
    assert story.statuses() == {"a/old": "STALE"}
    assert (story.root / name).read_text() == "twx"


def test_what_is_gone_is_told(story: Story) -> None:
    story.plan("d", "a/log")
    (story.root / "d").unlink()
    assert story.statuses() == {"d": "GONE", "a/log": "moved"}


def test_two_names_of_one_file_both_go(story: Story) -> None:
    os.link(story.root / "d", story.root / "e")
    story.plan("d", "e")
    assert story.statuses() == {"d": "moved", "e": "moved"}
    assert {o.status for o in story.undo().values()} == {"undone"}
    assert (story.root / "d").samefile(story.root / "e")


# --- links, pipes, mounts -------------------------------------------------------------------------


def test_a_parent_that_became_a_link_is_not_followed(story: Story, tmp_path: Path) -> None:
    story.plan("a/log")
    victim = tmp_path / "victim"
    os.rename(story.root / "a", victim)
    (story.root / "a").symlink_to(victim)
    assert story.statuses() == {"a/log": "STALE"}
    assert (victim / "log").read_text() == "one"


@pytest.mark.parametrize("dangling", [False, True])
def test_an_item_that_became_a_link_stays(story: Story, tmp_path: Path, dangling: bool) -> None:
    story.plan("a/old")
    victim = tmp_path / "victim"
    os.rename(story.root / "a/old", victim)
    (story.root / "a/old").symlink_to(tmp_path / "nowhere" if dangling else victim)
    assert story.statuses() == {"a/old": "STALE"}
    assert sorted(os.listdir(victim)) == ["b", "c"]


def test_links_in_a_folder_go_with_it_and_what_they_point_at_stays(
    story: Story, tmp_path: Path
) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/kept").write_text("kept")
    (story.root / "a/old/out").symlink_to(tmp_path / "victim")
    (story.root / "a/old/loop").symlink_to(story.root / "a")
    (story.root / "a/old/dangling").symlink_to("nowhere")
    story.plan("a/old")
    story.protected = lambda _n, path: "protected" if path.startswith("a/old/out/") else None
    assert story.statuses() == {"a/old": "moved"}
    assert (tmp_path / "victim/kept").read_text() == "kept"


def test_a_pipe_is_never_opened(story: Story) -> None:
    story.plan("d", "a/old")
    os.unlink(story.root / "d")
    os.mkfifo(story.root / "d")
    os.mkfifo(story.root / "a/pipe")
    assert story.statuses() == {"d": "STALE", "a/old": "moved"}


def test_a_pipe_that_came_into_a_folder_keeps_it(story: Story) -> None:
    story.plan("a/old")
    before = (story.root / "a/old").stat()
    os.mkfifo(story.root / "a/old/pipe")
    os.utime(story.root / "a/old", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert story.statuses() == {"a/old": "STALE"}


@pytest.mark.parametrize("where", ["a/old/deep", "a/old"])
def test_a_mount_at_or_in_an_item_keeps_it(story: Story, tmp_path: Path, where: str) -> None:
    (story.root / "a/old/deep").mkdir()
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown/file").write_text("shown")
    with bound(tmp_path / "shown", story.root / where):
        story.plan("a/old")
        assert story.statuses() == {"a/old": "DENIED"}
        assert "mounted" in story.execute()["a/old"].detail
    assert (tmp_path / "shown/file").read_text() == "shown"


def test_another_filesystem_in_an_item_keeps_it(story: Story) -> None:
    (story.root / "a/old/deep").mkdir()
    story.plan("a/old")
    with small_disk(story.root / "a/old/deep", "64k"):
        assert story.statuses()["a/old"] in ("DENIED", "EXDEV")


# --- protection and caps --------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["a/old/b", "a/old"])
def test_what_is_protected_now_stays_with_the_folder_around_it(story: Story, path: str) -> None:
    story.plan("a/old", "d")
    story.protected = lambda _n, asked: "a ledger" if asked == path else None
    assert story.statuses() == {"a/old": "PROTECTED", "d": "moved"}
    assert f"{path}: a ledger" in story.execute()["a/old"].detail


def test_protected_content_that_came_after_the_scan_is_seen(story: Story) -> None:
    story.plan("a/old")
    story.write(a__old__data__db="rows")
    story.protected = lambda _n, path: "a database" if path.endswith("data/db") else None
    assert story.statuses() == {"a/old": "PROTECTED"}


def test_one_item_that_crosses_a_cap_stays_and_is_not_read(story: Story) -> None:
    with (story.root / "sparse").open("wb") as file:
        file.truncate(200 * 10**9)
    story.policy = policy_with(Caps(max_bytes=50 * 10**9, max_items=1000))
    story.plan("sparse", "d")
    assert story.statuses() == {"sparse": "CAPPED", "d": "moved"}


def test_a_huge_file_within_its_caps_is_moved_without_being_read(story: Story) -> None:
    with (story.root / "sparse").open("wb") as file:
        file.truncate(200 * 10**9)
    story.policy = policy_with(Caps(max_bytes=10**12))
    story.plan("sparse")
    assert story.statuses() == {"sparse": "moved"}


def test_caps_hold_with_the_item_at_hand_and_over_a_resume(story: Story) -> None:
    story.write(**{f"n{n}": "x" * 10 for n in range(5)})
    story.policy = policy_with(Caps(max_items=3))
    story.plan(*(f"n{n}" for n in range(5)))
    statuses = story.statuses()
    assert list(statuses.values()) == ["moved"] * 3 + ["CAPPED"] * 2
    assert story.statuses() == statuses


@pytest.mark.parametrize("limits", [Limits(max_items=1), Limits(max_bytes=4096)])
def test_the_approval_caps_too(story: Story, limits: Limits) -> None:
    story.plan("d", "a/log", limits=limits)
    assert sorted(story.statuses().values()) == ["CAPPED", "moved"]


def test_a_category_that_the_policy_does_not_have_caps_at_nothing(story: Story) -> None:
    story.policy = policy_with(name="other")
    story.plan("d")
    assert story.statuses() == {"d": "CAPPED"}
