"""Moves whose intents are on disk together, made one after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from autopack.deadline import Deadline
from autopack.io import beneath
from autopack.io.move_act import Mover, failed
from autopack.io.move_journal import JournalWriter
from autopack.tidy.journal import Intent
from autopack.tidy.moves import Identity, Move, Outcome, ended

if TYPE_CHECKING:
    from autopack.io.locks import Fence


class Batch:
    """Some moves, and how they ended; those that were foreseen to fail are not tried."""

    def __init__(self, root: int, fence: Fence, planned: list[tuple[Move, Outcome | None]]) -> None:
        self._root = root
        self._fence = fence
        self._planned = planned
        self._ended: list[tuple[Intent, Outcome, Identity | None]] = []
        self.outcomes = [] if self.todo else [outcome for _, outcome in planned if outcome]

    @property
    def todo(self) -> list[Move]:
        """The moves to make."""
        return [move for move, outcome in self._planned if outcome is None]

    def run(self, journal: JournalWriter, deadline: Deadline, check: Callable[[], None]) -> None:
        """Make the moves; `outcomes` grows, also when an exception ends it.

        A move in which it happens stays open in the journal, the ones after it are closed.
        """
        waiting = [self._intent(journal, move) for move in self.todo]
        try:
            journal.intend(waiting)
        except OSError as error:
            self.outcomes += [outcome or failed(move, error) for move, outcome in self._planned]
            return
        mover = Mover(self._root, journal, self._fence)
        try:
            for _, outcome in self._planned:
                if outcome is None:
                    self._one(mover, waiting, deadline, check)
                else:
                    self.outcomes.append(outcome)
        finally:
            self._settle(journal, waiting)

    def _intent(self, journal: JournalWriter, move: Move) -> Intent:
        journal.seq += 1
        missing = beneath.missing_folders(self._root, beneath.split(move.destination)[0])
        return Intent(journal.journal.run, journal.seq - 1, move, missing)

    def _one(
        self, mover: Mover, waiting: list[Intent], deadline: Deadline, check: Callable[[], None]
    ) -> None:
        if deadline.remaining() <= 0:
            self.outcomes.append(ended(waiting[0].move, "deferred", "the time ran out"))
            self._ended.append((waiting.pop(0), self.outcomes[-1], None))
            return
        check()
        intent = waiting.pop(0)
        outcome, placed = mover.act(intent)
        self.outcomes.append(outcome)
        self._ended.append((intent, outcome, placed))

    def _settle(self, journal: JournalWriter, not_begun: list[Intent]) -> None:
        """Wait until the new names are on disk, and only then write that they are."""
        moved = [intent.move for intent, _, placed in self._ended if placed]
        ends = {path for move in moved for path in (move.source, move.destination)}
        for folder in {beneath.split(path)[0] for path in ends}:
            beneath.sync(self._root, folder)
        with contextlib.suppress(OSError):  # a full disk: the next run sees what has happened
            for intent, outcome, placed in self._ended:
                if placed:
                    journal.end("done", intent, "moved", outcome.detail, placed)
                else:
                    told = f"{outcome.status}: {outcome.detail}"
                    journal.end("closed", intent, "not_moved", told)
            for intent in not_begun:
                journal.end("closed", intent, "not_moved", "not begun")
            if len(self._ended) + len(not_begun) == len(self.todo):
                journal.close()
