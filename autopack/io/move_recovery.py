"""Settle what a killed run left open: each move is looked at, finished or taken back."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from autopack.errors import Busy
from autopack.io import beneath
from autopack.io.copying import Place, discard_copy
from autopack.io.fingerprint import fingerprint
from autopack.io.move_act import Declined, Mover
from autopack.io.move_journal import JournalWriter, appending, unfinished
from autopack.io.no_replace import drop_first_name, finish_drop
from autopack.tidy.journal import Entry
from autopack.tidy.moves import Identity, Move

if TYPE_CHECKING:
    from autopack.io.locks import Fence

Verdict = Literal["happened", "not_happened", "completed", "rolled_back", "lost", "stuck"]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of a move that a killed run left open.

    `lost` says that somebody else took the thing away, `stuck` that it could not be settled now
    and is tried again by the next run; `detail` says why.
    """

    run: str
    move: Move
    verdict: Verdict
    detail: str


def recover(root: Path, *, check: Callable[[], None], fence: Fence) -> list[Recovered]:
    """Settle every open move of every run that is not alive, and write down what was decided.

    Nothing is written where nothing is open.

    Raises:
        Unreachable: A journal cannot be written.
    """
    found: list[Recovered] = []
    for run in unfinished(root):
        try:
            with appending(root, run) as journal, beneath.opened_root(root) as top:
                found += _settle(Mover(top, journal, fence), journal, check)
        except Busy:  # it is alive
            continue
    return found


def _settle(mover: Mover, journal: JournalWriter, check: Callable[[], None]) -> list[Recovered]:
    settled = []
    for entry in journal.journal.open:
        check()
        settled.append(_Recovery(mover, entry).settle())
    if not any(done.verdict == "stuck" for done in settled):
        journal.close()
    return settled


class _Recovery:
    """One open move."""

    def __init__(self, mover: Mover, entry: Entry) -> None:
        self.mover = mover
        self.entry = entry
        self.intent = entry.intent
        self.move = entry.intent.move

    def settle(self) -> Recovered:
        """Decide, act, and write it down."""
        try:
            verdict, detail, now = self._decide()
        except Declined as declined:
            verdict, detail, now = "rolled_back", declined.detail, None
        except OSError as error:
            return self._told("stuck", f"{error.strerror or error}")
        self._tidy_up(verdict)
        state = "moved" if verdict in ("happened", "completed") else "not_moved"
        self.mover.journal.end("recovered", self.intent, state, f"{verdict}: {detail}", now)
        return self._told(verdict, detail)

    def _told(self, verdict: Verdict, detail: str) -> Recovered:
        return Recovered(self.intent.run, self.move, verdict, detail)

    def _tidy_up(self, verdict: Verdict) -> None:
        for path in (self.move.source, self.move.destination):
            beneath.sync(self.mover.root, beneath.split(path)[0])
        if verdict not in ("happened", "completed"):
            with self.mover.fence():
                beneath.drop_empty(self.mover.root, self.intent.missing)

    def _decide(self) -> tuple[Verdict, str, Identity | None]:
        with ExitStack() as stack:
            old = self._place(stack, self.move.source)
            new = self._place(stack, self.move.destination)
            if self.entry.copying:
                self._halves(old, new)
                if old and new and self._is_copy(new):
                    self.mover.leave(self.intent, old, new, begun=self.entry.leaving)
                    told = "the copy is whole, and the source is removed"
                    return "completed", told, fingerprint(*new)
            elif self.entry.fallback and old and new:
                self._second_name(old, new)
            return self._seen(old, new)

    def _halves(self, old: Place | None, new: Place | None) -> None:
        """Remove an unfinished copy, and what a name given in two steps has left."""
        with self.mover.fence():
            if new:
                unfinished = (new[0], self.intent.copy_name)
                _drop_half(unfinished, new)
                discard_copy(unfinished)
            if old:
                aside = (old[0], self.intent.aside_name)
                if _drop_half(aside, old):
                    os.unlink(aside[1], dir_fd=aside[0])

    def _is_copy(self, new: Place) -> bool:
        found = beneath.look(*new)
        return found is not None and found.st_ino == self.entry.copied_ino

    def _place(self, stack: ExitStack, path: str) -> Place | None:
        """Open the folder of a path; None where there is none, so that nothing can be in it."""
        folder, name = beneath.split(path)
        try:
            return stack.enter_context(beneath.opened(self.mover.root, folder)), name
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _second_name(self, old: Place, new: Place) -> None:
        """Finish, or take back, a rename that takes two steps."""
        aside = self.intent.aside_name
        first, second = beneath.look(*old), beneath.look(*new)
        with self.mover.fence():
            if beneath.look(old[0], aside) is not None:
                finish_drop(old, new, aside)
            elif first and second and os.path.samestat(first, second):
                drop_first_name(old, new, aside)
            elif first and second and stat.S_ISDIR(second.st_mode):
                _drop_placeholder(new)

    def _seen(self, old: Place | None, new: Place | None) -> tuple[Verdict, str, Identity | None]:
        """Tell from what lies where; the inode says whether the thing itself has moved."""
        source = fingerprint(*old) if old and beneath.look(*old) else None
        target = fingerprint(*new) if new and beneath.look(*new) else None
        planned = self.move.identity
        arrived = target is not None and target.ino == planned.ino
        if arrived and (source is None or source.ino != planned.ino):
            return "happened", f"it is at {self.move.destination}", target
        if source:
            return "not_happened", f"it is still at {self.move.source}", None
        if target and target.same_content(planned):
            return "happened", f"{self.move.destination} holds it", target
        return "lost", f"neither {self.move.source} nor {self.move.destination} holds it", None


def _drop_half(private: Place, named: Place) -> bool:
    """Take back the first half of a name given in two steps; True where both are one file."""
    mine, there = beneath.look(*private), beneath.look(*named)
    if mine is None or there is None:
        return False
    if stat.S_ISDIR(mine.st_mode) and stat.S_ISDIR(there.st_mode):
        _drop_placeholder(named)
    return os.path.samestat(mine, there)


def _drop_placeholder(place: Place) -> None:
    try:
        os.rmdir(place[1], dir_fd=place[0])
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
