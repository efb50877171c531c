"""The journal of a run: a line for every step of every item, each naming the line before it.

A line is JSON; `prev` is the SHA-256 of the line before without its newline, zeros for
the first. What kill -9 cut short stays on a line of its own; the next line chains on from its bytes
and says so with `after_torn_tail`. Numbers that may pass 2**53 are text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from autopack.canonical import digest

SCHEMA = "autopack.storage.journal/1"
FIRST = "0" * 64
State = Literal["moving", "moved", "skipped", "undoing", "undone", "purging", "purged"]
OPEN = frozenset({"moving", "undoing", "purging"})
HELD = frozenset({"moved", "undoing", "undone", "purging", "purged"})
"""The states of an item that was put away at some time, so that it counts against the caps."""
AGAIN = "AGAIN"
"""The status of an item whose move was cut off before it happened: the next execute begins it."""


@dataclass(frozen=True)
class Entry:
    """One item in a run: where it was, where it is now, and how far it has come.

    `seen` is who it is in the quarantine, as `identity` wrote it: only there once it is moved.
    """

    no: int
    item: str
    root: int
    path: str
    place: str
    dev: str
    ino: str
    state: State = "moving"
    status: str = ""
    detail: str = ""
    seen: dict[str, Any] = field(default_factory=dict)
    at: str = ""
    listing: str = ""


@dataclass(frozen=True)
class Purge:
    """A purge that was begun: what its approval is about, and whether all of it was done."""

    manifest: str
    complete: bool = False


@dataclass(frozen=True)
class Journal:
    """What a journal says; `bad` is why it cannot be believed, with the line."""

    run: str = ""
    report: str = ""
    approval: str = ""
    entries: dict[int, Entry] = field(default_factory=dict)
    complete: bool = False
    heads: tuple[str, ...] = ()
    torn: bytes = b""
    bad: str = ""
    purges: dict[str, Purge] = field(default_factory=dict)

    @property
    def seq(self) -> int:
        """The number of the last line that is whole; lines count from 1."""
        return len(self.heads)

    @property
    def head(self) -> str:
        """The digest of the last line that is whole."""
        return self.heads[-1] if self.heads else FIRST

    @property
    def open(self) -> list[Entry]:
        """The items whose act has begun, and whose end is not written down."""
        return [entry for entry in self.entries.values() if entry.state in OPEN]

    @property
    def held(self) -> list[Entry]:
        """The items in the quarantine, in the order in which they came."""
        return [entry for entry in self.entries.values() if entry.state == "moved"]

    @property
    def left(self) -> list[Entry]:
        """The items in the quarantine, with those of which a purge has removed a part."""
        return [entry for entry in self.entries.values() if entry.state in ("moved", "purging")]

    @property
    def last_move(self) -> datetime | None:
        """When the last item came into the quarantine; None where none did."""
        times = [datetime.fromisoformat(e.at) for e in self.entries.values() if e.at]
        return max(times, default=None)

    @property
    def manifest(self) -> str:
        """The digest of what is in the quarantine: what the approval of a purge is about."""
        held = [
            [entry.no, entry.item, entry.root, entry.path, entry.place, entry.seen]
            for entry in self.left
        ]
        return digest({"run": self.run, "report": self.report, "items": held})


def line(seq: int, prev: bytes | None, torn: bool, record: dict[str, Any]) -> bytes:
    """Return a line with its newline; `prev` is the line before, or what is left of it."""
    before = FIRST if prev is None else sha256(prev).hexdigest()
    mark = {"after_torn_tail": True} if torn else {}
    told = {**record, **mark, "seq": seq, "prev": before}
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def replay(data: bytes) -> Journal:
    """Return what the bytes of a journal say; a torn tail is left out, a wrong chain is `bad`."""
    *lines, tail = data.split(b"\n")
    replaying = _Replaying()
    prev, torn = FIRST, False
    for number, raw in enumerate(lines, start=1):
        record = _parsed(raw)
        if record is None and not torn and _may_be_torn(lines[number:]):
            torn = True
        elif record is None or not replaying.take(record, raw, prev, torn):
            replaying.bad = f"line {number} does not follow from the line before it"
            break
        else:
            torn = False
        prev = sha256(raw).hexdigest()
    last = _parsed(tail)
    if last is not None and not replaying.bad and replaying.take(last, tail, prev, torn):
        return replaying.journal(b"")  # whole but for its newline
    return replaying.journal(tail or (lines[-1] if torn else b""))


def _may_be_torn(after: list[bytes]) -> bool:
    """Return whether a line that is none is the last one, or the next one knows of it."""
    follower = _parsed(after[0]) if after else None
    return not after or bool(follower and follower.get("after_torn_tail") is True)


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(raw)
    except ValueError:
        return None
    good = isinstance(record, dict) and isinstance(record.get("event"), str)
    return record if good and isinstance(record.get("seq"), int) else None


class _Replaying:
    """A journal that is being read."""

    def __init__(self) -> None:
        self.named: dict[str, str] = {}
        self.entries: dict[int, Entry] = {}
        self.heads: list[str] = []
        self.purges: dict[str, Purge] = {}
        self.complete = False
        self.bad = ""

    def take(self, record: dict[str, Any], raw: bytes, prev: str, torn: bool) -> bool:
        """Take a record if it is the next one; return whether it was."""
        try:
            if not self._is_next(record, prev, torn):
                return False
            self._add(record)
        except (KeyError, TypeError, ValueError):  # its words are not those of its event
            return False
        self.heads.append(sha256(raw).hexdigest())
        return True

    def _is_next(self, record: dict[str, Any], prev: str, torn: bool) -> bool:
        event = record["event"]
        return (
            record.get("prev") == prev
            and record["seq"] == len(self.heads) + 1
            and torn == (record.get("after_torn_tail") is True)
            and (event == "run") == (not self.heads)
            and (event not in _CHANGES or "path" in record or record["no"] in self.entries)
        )

    def _add(self, record: dict[str, Any]) -> None:
        event = record["event"]
        if event == "run":
            self.named = {name: str(record[name]) for name in ("run", "report", "approval")}
        elif event == "complete":
            self.complete = True
        elif event == "purge":
            self.purges[record["approval"]] = Purge(record["manifest"])
        elif event == "purge-complete":
            begun = self.purges[record["approval"]]
            self.purges[record["approval"]] = replace(begun, complete=True)
        elif event in _CHANGES:
            self._change(_CHANGES[event], record)

    def _change(self, state: State, record: dict[str, Any]) -> None:
        if "path" in record:
            before = Entry(**{key: record[key] for key in _OF_ITEM})
        else:
            before = self.entries[record["no"]]
        told = {key: record[key] for key in _TOLD if key in record}
        self.entries[before.no] = replace(before, state=state, **told)

    def journal(self, torn: bytes) -> Journal:
        """Return what was read."""
        return Journal(
            **self.named, entries=self.entries, complete=self.complete,
            heads=tuple(self.heads), torn=torn, bad=self.bad, purges=self.purges,
        )  # fmt: skip


_OF_ITEM = ("no", "item", "root", "path", "place", "dev", "ino")
_TOLD = ("status", "detail", "seen", "at", "listing")
_CHANGES: dict[str, State] = {
    "moving": "moving",
    "moved": "moved",
    "skipped": "skipped",
    "undoing": "undoing",
    "undone": "undone",
    "stays": "moved",
    "purging": "purging",
    "purged": "purged",
}
"""What an event makes of an item; one with a path begins it anew, `stays` ends an undo or a purge
that could not be."""
