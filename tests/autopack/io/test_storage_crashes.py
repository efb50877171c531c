"""kill -9 at every step of putting away, undoing and purging: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autopack.io.storage_journal import JournalWriter
from autopack.state_files import STORAGE
from tests.support.move_crashes import lines_of
from tests.support.moves import files, in_child
from tests.support.storage import Story

MODULES = (
    "storage_quarantine.py", "storage_journal.py", "storage_places.py", "storage_resume.py",
    "storage_undo.py", "storage_purge.py", "storage_listing.py", "storage_runs.py",
    "storage_seen.py", "no_replace.py", "beneath.py",
)  # fmt: skip
NAMES = ("a/log", "a/old", "b", "c/d/e")
MOMENTS = ("before", "half", "unsynced", "after")


def begin(tmp_path: Path) -> tuple[Story, dict[str, bytes]]:
    """Lay a tree out anew, approve what may go of it, and return its files."""
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    story = Story(folder / "home", folder / "tree")
    for made in (story.home, story.root):
        made.mkdir(parents=True)
    story.write(
        a__log="one",
        a__old__b="two",
        a__old__in__c="three",
        b=b"\0" * 5000,
        c__d__e="",
        kept="kept",
    )
    story.plan(*NAMES)
    return story, files(story.root)


def killed_at(work: Callable[[], Any], number: int, moment: str) -> bool:
    """Run `work` in a child that is killed at its n-th journal record; False if there is none."""

    def doomed() -> None:
        wrote, left = JournalWriter.write, number

        def write(self: JournalWriter, event: str, **record: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0 and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if left == 0 and moment in ("half", "unsynced"):
                cut_short(moment)
            wrote(self, event, **record)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        JournalWriter.write = write  # type: ignore[method-assign]
        work()

    code = in_child(doomed)
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def cut_short(moment: str) -> None:
    """Let the next write to a file reach it in part or whole, and then kill."""
    wrote = os.write

    def write(descriptor: int, data: bytes) -> int:
        wrote(descriptor, data[: len(data) // 2] if moment == "half" else data)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    os.write = write


def whole(before: dict[str, bytes], story: Story) -> None:
    """Fail unless each file is in its place or in the quarantine, once, with its bytes."""
    now = files(story.root)
    assert sorted(now.values()) == sorted(before.values())
    kept = {name: data for name, data in now.items() if not name.startswith(".autopack-")}
    assert kept.items() <= before.items()


def test_a_run_that_was_killed_at_any_record_goes_on(tmp_path: Path) -> None:
    killed = 0
    for moment in MOMENTS:
        for number in range(1, 30):
            story, before = begin(tmp_path)
            if not killed_at(story.execute, number, moment):
                break
            killed += 1
            whole(before, story)
            assert story.statuses() == dict.fromkeys(NAMES, "moved")
            whole(before, story)
            assert story.statuses() == dict.fromkeys(NAMES, "moved"), "and nothing is done twice"
            assert {o.status for o in story.undo().values()} == {"undone"}
            assert files(story.root) == before
    assert killed == 4 * 10  # the head, two for each of four items, and the end


def test_an_undo_that_was_killed_at_any_record_goes_on(tmp_path: Path) -> None:
    killed = 0
    for moment in MOMENTS:
        for number in range(1, 30):
            story, before = begin(tmp_path)
            story.execute()
            if not killed_at(story.undo, number, moment):
                break
            killed += 1
            whole(before, story)
            assert {o.status for o in story.undo().values()} <= {"undone"}
            assert files(story.root) == before
            assert story.journal().open == []
    assert killed >= 4 * 8


def test_a_purge_that_was_killed_at_any_record_goes_on(tmp_path: Path) -> None:
    killed = 0
    for moment in MOMENTS:
        for number in range(1, 30):
            story, before = begin(tmp_path)
            story.execute()
            if not killed_at(story.purge, number, moment):
                break
            killed += 1
            assert {o.status for o in story.purge().values()} <= {"purged"}
            assert story.quarantined() == []
            assert files(story.root) == {"kept": before["kept"]}
    assert killed == 4 * 8


@pytest.mark.soak
@pytest.mark.parametrize("what", ["execute", "undo", "purge"])
def test_a_run_that_was_killed_at_any_line_goes_on(tmp_path: Path, soak_rounds, what: str) -> None:
    rng = random.Random(7)

    def laid() -> tuple[Story, dict[str, bytes]]:
        story, before = begin(tmp_path)
        if what != "execute":
            story.execute()
        return story, before

    total = lines_of(getattr(laid()[0], what), modules=MODULES)
    assert total > 300
    rounds, killed = soak_rounds(12, 400), 0
    for n in range(1, rounds + 1):
        story, before = laid()
        killed += lines_of(getattr(story, what), rng.randint(1, total), MODULES) == 0
        if n % 3 == 0:  # and once more, while it goes on
            lines_of(getattr(story, what), rng.randint(1, total // 2), MODULES)
        if what == "purge":
            assert {o.status for o in story.purge().values()} <= {"purged"}
            assert files(story.root) == {"kept": before["kept"]}
            continue
        whole(before, story)
        if what == "execute":
            assert story.statuses() == dict.fromkeys(NAMES, "moved")
            whole(before, story)
        story.undo()
        assert files(story.root) == before
    assert killed > 0.9 * rounds


# --- what somebody did meanwhile --------------------------------------------------------------


def open_move(tmp_path: Path) -> tuple[Story, Path]:
    """Return a run that was killed between the move of `a/log` and the record of it."""
    story, _ = begin(tmp_path)
    assert killed_at(story.execute, 3, "before")
    assert [entry.state for entry in story.journal().open] == ["moving"]
    return story, story.root / ".autopack-quarantine" / story.run / "1"


def test_a_wrong_thing_in_the_quarantine_goes_back(tmp_path: Path) -> None:
    story, moved = open_move(tmp_path)
    moved.unlink()
    moved.write_text("something else")
    assert story.statuses()["a/log"] == "STALE"
    assert (story.root / "a/log").read_text() == "something else"


def test_both_ends_are_a_conflict(tmp_path: Path) -> None:
    story, moved = open_move(tmp_path)
    os.link(moved, story.root / "a/log")
    assert story.statuses()["a/log"] == "CONFLICT"
    (story.root / "a/log").unlink()
    assert story.statuses()["a/log"] == "moved"


def test_neither_end_is_a_conflict(tmp_path: Path) -> None:
    story, moved = open_move(tmp_path)
    moved.unlink()
    assert story.statuses()["a/log"] == "CONFLICT"


def test_a_wrong_thing_that_cannot_go_back_is_never_purged(tmp_path: Path) -> None:
    story, moved = open_move(tmp_path)
    moved.unlink()
    moved.write_text("something else")
    (story.root / "a/log").write_text("came meanwhile")
    assert story.statuses()["a/log"] == "CONFLICT"
    assert "a/log" not in story.purge()
    assert moved.read_text() == "something else"
    (story.root / "a/log").unlink()
    assert story.statuses()["a/log"] == "STALE"
    assert (story.root / "a/log").read_text() == "something else"


# --- the journal ------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["edited", "removed", "reordered", "inserted"])
def test_a_journal_that_was_changed_is_not_followed(tmp_path: Path, harm: str) -> None:
    from autopack.errors import Refused

    story, _ = begin(tmp_path)
    story.execute()
    path = story.home / STORAGE / story.run / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    if harm == "edited":
        lines[2] = lines[2].replace(b'"size":3', b'"size":4')
    elif harm == "removed":
        del lines[2]
    elif harm == "reordered":
        lines[2], lines[3] = lines[3], lines[2]
    else:
        lines.insert(3, lines[2])
    assert path.read_bytes() != b"".join(lines)
    path.write_bytes(b"".join(lines))
    with pytest.raises(Refused, match="does not follow"):
        story.undo()
