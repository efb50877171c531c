"""A journal tells what happened as far as it goes, and whether it was touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.storage.journal import FIRST, Journal, line, replay

MOVING = {
    "event": "moving", "no": 1, "item": "item:0", "root": 0, "path": "a", "place": "q/1",
    "dev": "1", "ino": "2",
}  # fmt: skip
SEEN = {"kind": "file", "ino": "2"}
STORY = (
    {"event": "run", "schema": "s", "run": "r1", "report": "R", "approval": "A"},
    MOVING,
    {"event": "moved", "no": 1, "seen": SEEN, "at": "2026-03-01T12:00:00+00:00"},
    {**MOVING, "event": "skipped", "no": 2, "status": "STALE", "detail": "changed"},
    {"event": "complete"},
    {"event": "undoing", "no": 1},
    {"event": "undone", "no": 1},
)


def written(*records: dict, data: bytes = b"") -> bytes:
    """Append records to a journal as its writer does."""
    for record in records:
        before = replay(data)
        cut = bool(data) and not data.endswith(b"\n")
        last = before.torn or data.rstrip(b"\n").rpartition(b"\n")[2] or None
        data += b"\n" * cut + line(before.seq + 1, last, bool(before.torn), record)
    return data


def states(journal: Journal) -> dict[int, str]:
    return {no: entry.state for no, entry in journal.entries.items()}


def test_a_story_is_told() -> None:
    journal = replay(written(*STORY))
    assert (journal.run, journal.report, journal.approval) == ("r1", "R", "A")
    assert (journal.seq, journal.complete, journal.bad) == (7, True, "")
    assert states(journal) == {1: "undone", 2: "skipped"}
    assert replay(b"") == Journal()
    assert replay(b"").head == FIRST


def test_what_is_in_the_quarantine_is_named_by_a_digest() -> None:
    moved = replay(written(*STORY[:3]))
    assert [entry.no for entry in moved.held] == [1]
    assert moved.manifest != replay(written(*STORY)).manifest
    other = replay(written(*STORY[:2], {**STORY[2], "seen": {**SEEN, "ino": "3"}}))
    assert moved.manifest != other.manifest


@given(st.integers(0, len(written(*STORY))))
def test_a_journal_that_was_cut_anywhere_is_a_beginning_and_goes_on(cut: int) -> None:
    whole = written(*STORY)
    data = whole[:cut]
    journal = replay(data)
    assert journal.bad == ""
    assert journal.heads == replay(whole).heads[: journal.seq]
    if journal.seq:
        more = replay(written({"event": "complete"}, data=data))
        assert (more.bad, more.complete, more.seq) == ("", True, journal.seq + 1)


@given(st.data())
def test_a_line_that_was_removed_edited_or_moved_is_found(data: st.DataObject) -> None:
    lines = written(*STORY).splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 2))
    harm = data.draw(st.sampled_from(["remove", "edit", "swap", "double"]))
    if harm == "remove":
        del lines[at]
    elif harm == "edit":
        place = data.draw(st.integers(0, len(lines[at]) - 2))
        old = lines[at][place]
        new = data.draw(st.integers(32, 126).filter(lambda byte: byte != old))
        lines[at] = lines[at][:place] + bytes([new]) + lines[at][place + 1 :]
    elif harm == "swap":
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    else:
        lines.insert(at, lines[at])
    assert replay(b"".join(lines)).bad.startswith("line ")


@pytest.mark.parametrize("record", [{"event": "moved", "no": 9}, {"event": "run"}])
def test_a_record_that_follows_from_nothing_is_bad(record: dict) -> None:
    assert replay(written(*STORY, record)).bad
