"""The queue on disk: durable around every batch, never dropped, never overwritten unread."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import Refused
from autopack.io.move_queue import OLD_FILE, QUEUE_FILE, QueueFile, due_items, read_queue, retry
from autopack.io.moves import identify
from autopack.tidy.moves import Move, ended
from autopack.tidy.queue import CAPS, Caps, absorb
from tests.support.move_crashes import lines_of
from tests.support.moves import TERMS, files, recover, terms, tree

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_bytes(name.encode())
    return folder


def fill(root: Path, names: str = "abc", caps: Caps = CAPS) -> QueueFile:
    """Queue the moves of some files as locked, and save."""
    file = read_queue(root, NOW, caps)
    moves = [Move(n, f"archive/{n}", identify(root, n), "rule", "why", "phase") for n in names]
    outcomes = [ended(move, "locked", "in use") for move in moves]
    file.take(absorb(file.queue, outcomes, NOW, caps))
    file.save(TERMS["fence"])
    return file


def tried(root: Path, most: int = 200, **more) -> list[tuple[str, str]]:
    file = read_queue(root, LATER)
    made = retry(file, "r1", lambda: LATER, most=most, **terms(**more))
    return [(outcome.move.source, outcome.status) for outcome in made]


def states(root: Path) -> dict[str, str]:
    return {item.source: item.state for item in read_queue(root, LATER).queue.items.values()}


def test_a_move_that_waited_is_made_and_the_queue_says_so(root) -> None:
    fill(root)
    (root / "b").unlink()
    (root / "archive").mkdir()
    (root / "archive/c").write_bytes(b"PRECIOUS")
    (root / "a").write_bytes(b"grown since")
    assert dict(tried(root)) == {"a": "moved", "b": "gone", "c": "dest_exists"}
    assert states(root) == {"a": "done", "b": "gone", "c": "needs_manual"}
    assert files(root) == {"archive/a": b"grown since", "archive/c": b"PRECIOUS", "c": b"c"}
    assert tried(root) == [], "none is pending"
    (root / "c").unlink()
    assert tried(root) == []
    assert states(root)["c"] == "gone", "a person has settled it"


def test_reading_writes_nothing(root) -> None:
    assert read_queue(root, NOW).queue.items == {}
    assert tried(root) == []
    assert not (root / ".autonomous_runs").exists()


def test_saving_the_same_again_writes_nothing(root) -> None:
    fill(root)
    before = (root / QUEUE_FILE).stat()
    read_queue(root, NOW).save(TERMS["fence"])
    assert (root / QUEUE_FILE).stat() == before


@pytest.mark.parametrize("cut", [0, 1, 40, 300])
def test_a_corrupt_file_is_kept_beside_and_told(root, cut) -> None:
    fill(root)
    path = root / QUEUE_FILE
    bad = path.read_bytes()[:cut]
    path.write_bytes(bad)
    file = read_queue(root, NOW)
    assert [finding.code for finding in file.findings] == ["queue_corrupt"]
    assert path.read_bytes() == bad, "reading changes nothing"
    for kept in ("queue.json.corrupt", "queue.json.corrupt.2"):
        fill(root, "a")
        assert (path.parent / kept).read_bytes() == bad
        assert states(root) == {"a": "pending"}
        path.write_bytes(bad)


def test_two_writers_do_not_lose_each_others_items(root) -> None:
    first, second = read_queue(root, NOW), read_queue(root, NOW)
    fill(root, "a")
    for file in (first, second):
        move = Move("b", "archive/b", identify(root, "b"), "rule", "why", "phase")
        file.take(absorb(file.queue, [ended(move, "locked")], NOW))
        with pytest.raises(Refused, match="changed since it was read"):
            file.save(TERMS["fence"])
    assert states(root) == {"a": "pending"}


def test_what_finds_no_place_is_a_finding(root) -> None:
    file = fill(root, "abc", Caps(items=2))
    assert [(found.code, found.path) for found in file.findings] == [("queue_full", "c")]
    file = fill(root, "a", Caps(file_bytes=10))
    assert [found.code for found in file.findings] == ["queue_large"]
    assert len(states(root)) == 2, "nothing is left out for it"


def test_what_waited_a_month_is_a_finding(root) -> None:
    fill(root, "a")
    file = read_queue(root, NOW + timedelta(days=31))
    assert [(found.code, found.path) for found in file.findings] == [("queue_late", "a")]


def test_the_old_queue_is_imported_once_and_kept(root) -> None:
    fill(root, "a")
    old = {
        "schema_version": 1,
        "items": [
            {"src": name, "dest": f"archive/{name}", "status": "pending", "reason": "locked"}
            for name in "ab"
        ],
    }
    (root / OLD_FILE).write_text(json.dumps(old))
    assert states(root) == {"a": "pending", "b": "pending"}
    before = tree(root)
    assert dict(tried(root)) == {"a": "moved", "b": "moved"}
    assert not (root / OLD_FILE).exists()
    assert json.loads((root / f"{OLD_FILE}.imported").read_text()) == old
    assert states(root) == {"a": "done", "b": "done"}
    assert before["a"] == b"a"


def test_an_old_queue_that_cannot_be_read_is_kept_and_told(root) -> None:
    (root / OLD_FILE).parent.mkdir()
    (root / OLD_FILE).write_bytes(b"{")
    file = read_queue(root, NOW)
    assert [found.code for found in file.findings] == ["old_queue_corrupt"]
    file.save(TERMS["fence"])
    assert (root / f"{OLD_FILE}.corrupt").read_bytes() == b"{"


def test_only_so_many_are_tried_and_none_when_the_time_is_over(root) -> None:
    fill(root)
    assert tried(root, deadline=Deadline.after(0)) == []
    assert len(tried(root, most=2)) == 2
    assert sorted(states(root).values()) == ["done", "done", "pending"]


def test_what_needed_a_person_is_tried_once_the_way_is_free(root) -> None:
    file = fill(root, "")
    taken = Move("a", "archive/a", identify(root, "a"), "rule", "why", "phase")
    file.take(absorb(file.queue, [ended(taken, "dest_exists")], NOW))
    file.save(TERMS["fence"])
    (root / "archive").mkdir()
    (root / "archive/a").write_bytes(b"other")
    before = (root / QUEUE_FILE).read_bytes()
    assert tried(root) == []
    assert (root / QUEUE_FILE).read_bytes() == before
    (root / "archive/a").unlink()
    assert [i.source for i in due_items(read_queue(root, LATER), LATER, 9)] == ["a"]
    assert tried(root) == [("a", "moved")]
    assert states(root) == {"a": "done"}


def test_what_the_system_cannot_do_stays_with_the_person(root) -> None:
    file = fill(root, "")
    move = Move("a", "archive/a", identify(root, "a"), "rule", "why", "phase")
    file.take(absorb(file.queue, [ended(move, "needs_manual")], NOW))
    file.save(TERMS["fence"])
    assert tried(root) == []


@pytest.mark.soak
def test_kill_9_at_any_line_of_a_retry_loses_no_file_and_no_item(root, soak_rounds) -> None:
    rng = random.Random(5)

    def lay() -> None:
        for name in files(root):
            (root / name).unlink()
        (root / QUEUE_FILE).unlink(missing_ok=True)
        for name in "abc":
            (root / name).write_bytes(name.encode())
        fill(root)

    def days_later() -> datetime:
        return NOW + timedelta(days=3)

    lay()
    whole = lines_of(lambda: tried(root))
    for _ in range(soak_rounds(15, 200)):
        lay()
        lines_of(lambda: tried(root), rng.randint(1, whole))
        recover(root)
        assert sorted(files(root).values()) == [b"a", b"b", b"c"]
        assert not any(".autopack-move" in name for name in files(root))
        assert states(root).keys() == set("abc")
        file = read_queue(root, days_later())
        assert file.findings == []
        ends = [end.status for end in retry(file, "r2", days_later, most=9, **terms())]
        assert set(ends) <= {"moved"}
        assert states(root) == dict.fromkeys("abc", "done")
        assert files(root) == {f"archive/{name}": name.encode() for name in "abc"}
