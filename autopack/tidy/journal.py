"""The journal of moves, replayed: what was meant, what was begun, what is known to have ended.

One JSON object a line. `intent` is on disk before anything is touched; `fallback` (no rename
without replacing), `copying`, `copied` and `leaving` mark the steps of a move that takes several.
A `done`, `closed` or `recovered` line ends it, `undone` says that a later run has put it back.
`end` closes the file until the next append.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from autopack.errors import Refused
from autopack.tidy.moves import Identity, Move

SCHEMA = "autopack.moves/1"
State = Literal["open", "moved", "not_moved", "undone"]


@dataclass(frozen=True, slots=True)
class Intent:
    """A move about to be made; `missing` are the folders that were not there before it."""

    run: str
    seq: int
    move: Move
    missing: tuple[str, ...] = ()

    @property
    def copy_name(self) -> str:
        """The name of an unfinished copy, beside the destination."""
        return f".autopack-move-{self._token}.new"

    @property
    def aside_name(self) -> str:
        """The name a source has, in its folder, between leaving its place and its removal."""
        return f".autopack-move-{self._token}.old"

    @property
    def _token(self) -> str:
        words = f"{self.run}\0{self.seq}\0{self.move.source}"
        return blake2b(words.encode("utf-8", "surrogateescape"), digest_size=10).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return its line."""
        return {
            "event": "intent", "seq": self.seq, "move": self.move.as_json(),
            "missing": list(self.missing),
        }  # fmt: skip


@dataclass
class Entry:
    """What the journal says of one intent."""

    intent: Intent
    state: State = "open"
    fallback: bool = False
    copying: bool = False
    copied_ino: int | None = None
    leaving: bool = False
    result: Identity | None = None
    explained: str = ""


@dataclass
class Journal:
    """A whole file; `unreadable` counts lines that a crash cut short."""

    run: str
    entries: dict[int, Entry] = field(default_factory=dict)
    ended: bool = False
    unreadable: int = 0

    @property
    def open(self) -> list[Entry]:
        """The intents of which nobody knows how they ended, in order."""
        return [entry for entry in self.entries.values() if entry.state == "open"]

    @property
    def moved(self) -> list[Entry]:
        """What can be undone, in order."""
        return [entry for entry in self.entries.values() if entry.state == "moved"]

    @property
    def next_seq(self) -> int:
        """The number of the next intent."""
        return max(self.entries, default=0) + 1


def replay(run: str, data: bytes) -> Journal:
    """Return what the lines of a journal say; lines cut short are counted and left out.

    Raises:
        Refused: A later version of this program wrote it.
    """
    journal = Journal(run)
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            _take(journal, json.loads(line))
        except (ValueError, KeyError, TypeError):
            journal.unreadable += 1
    return journal


def _take(journal: Journal, line: dict[str, Any]) -> None:
    event = line["event"]
    journal.ended = event == "end"
    if event == "run" and line["schema"] != SCHEMA:
        raise Refused(
            f"the journal of run {journal.run} is of {line['schema']!r}, which is not known",
            next_step="use the version of this program that wrote it",
        )
    if event in ("run", "end"):
        return
    if event == "intent":
        move, missing = Move.of_json(line["move"]), tuple(line["missing"])
        intent = Intent(journal.run, int(line["seq"]), move, missing)
        journal.entries[intent.seq] = Entry(intent)
        return
    entry = journal.entries[line["seq"]]
    _STEPS[event](entry, line)


def _fallback(entry: Entry, _line: dict[str, Any]) -> None:
    entry.fallback = True


def _copying(entry: Entry, _line: dict[str, Any]) -> None:
    entry.copying = True


def _copied(entry: Entry, line: dict[str, Any]) -> None:
    entry.copied_ino = line["ino"]


def _leaving(entry: Entry, _line: dict[str, Any]) -> None:
    entry.leaving = True


def _ended(entry: Entry, line: dict[str, Any]) -> None:
    entry.state = line["state"]
    entry.explained = line.get("detail", "")
    entry.result = Identity(**line["result"]) if line.get("result") else None


_STEPS = {
    "fallback": _fallback, "copying": _copying, "copied": _copied, "leaving": _leaving,
    "done": _ended, "closed": _ended, "recovered": _ended, "undone": _ended,
}  # fmt: skip
