"""Move files of a workspace so that nothing is lost, doubled or overwritten.

    from pathlib import Path
    from autopack.deadline import Deadline
    from autopack.io.moves import apply, identify, recover, undo
    from autopack.tidy.moves import Move

    with holding("queue", "archive", "docs") as locks:
        recover(root, check=locks.check, fence=fence)
        move = Move("notes.md", "archive/notes.md", identify(root, "notes.md"), ...)
        for outcome in apply(root, run, [move], deadline=deadline, check=locks.check, fence=fence):
            ...

Every intent is on disk before its move, every move takes only a free name, and a source is only
removed when another place holds it. `recover` settles what a killed run left open; the journal of
the run, in `.autonomous_runs/tidy/journal/`, then explains each. The unit is a file, or a whole
folder: that is renamed as one, and between two filesystems copied and shown only when it is whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.deadline import Deadline
from autopack.io import beneath
from autopack.io.fingerprint import NotPlain, fingerprint
from autopack.io.move_act import Declined, failed, refuse_taken, vanished
from autopack.io.move_batch import Batch
from autopack.io.move_journal import JournalWriter, appending, read_journal
from autopack.io.move_recovery import Recovered, recover
from autopack.tidy.journal import Entry
from autopack.tidy.moves import Identity, Move, Outcome, batches, ended

if TYPE_CHECKING:
    from autopack.io.locks import Fence

__all__ = [
    "BATCH", "Recovered", "apply", "identify", "preview", "preview_undo", "recover", "undo",
]  # fmt: skip

BATCH = 32
"""Moves whose intents one wait for the disk covers."""


def identify(root: Path, path: str) -> Identity:
    """Return who a file or folder is, for a plan.

    Raises:
        OSError: It is not there, cannot be read, is reached through a link, or is not plain.
    """
    folder, name = beneath.split(path)
    with beneath.opened_root(root) as top, beneath.opened(top, folder) as held:
        return fingerprint(held, name)


def preview(root: Path, moves: Iterable[Move]) -> Iterator[Outcome]:
    """Yield what `apply` would do now, without writing anything; `moved` stands for would move."""
    with beneath.opened_root(root) as top:
        for move in moves:
            yield _foreseen(top, move) or ended(move, "moved", "would be moved")


def apply(  # noqa: PLR0913 - what it stops for, by keyword
    root: Path,
    run: str,
    moves: Iterable[Move],
    *,
    deadline: Deadline,
    check: Callable[[], None],
    fence: Fence,
) -> Iterator[Outcome]:
    """Move things and yield how each ended, in order; what is yielded is on disk.

    A run may call it several times. Nothing is written where nothing can be moved.

    Args:
        root: The workspace.
        run: Names the journal, by which `undo` finds the moves.
        moves: What was planned.
        deadline: When it has passed, the rest is `deferred`.
        check: Is called before each move, and raises when the locks are lost.
        fence: Gives the block in which a name may change.

    Raises:
        Busy: The run's journal is in use.
        Unreachable: The journal cannot be written.
    """
    with beneath.opened_root(root) as top, ExitStack() as stack:
        making = _Making(root, run, top, stack, deadline, check, fence)
        for batch in batches(moves, BATCH):
            yield from making.batch([(move, _foreseen(top, move, deadline)) for move in batch])


@dataclass
class _Making:
    """Batches of moves in one run, whose journal is opened by the first move and then kept open."""

    root: Path
    run: str
    top: int
    stack: ExitStack
    deadline: Deadline
    check: Callable[[], None]
    fence: Fence
    journal: JournalWriter | None = None

    def batch(self, planned: list[tuple[Move, Outcome | None]]) -> Iterator[Outcome]:
        """Make those moves that have no outcome yet; yield how each ended, in order."""
        work = Batch(self.top, self.fence, planned)
        if work.todo:
            self.journal = self.journal or self.stack.enter_context(appending(self.root, self.run))
            try:
                work.run(self.journal, self.deadline, self.check)
            except BaseException:  # what was done until then is told all the same
                self.stack.pop_all().close()
                yield from work.outcomes
                raise
        yield from work.outcomes

    def back(self, run: str, entries: list[Entry]) -> Iterator[Outcome]:
        """Move back what these entries of a run have moved."""
        planned: list[tuple[Move, Outcome | None]] = []
        for entry in entries:
            if self.deadline.remaining() <= 0:
                outcome = ended(_returning(run, entry), "deferred", "the time ran out")
            else:
                outcome = _back(self.top, run, entry)
            free = outcome.status == "moved" and not outcome.detail
            move = outcome.move
            planned.append((move, _foreseen(self.top, move, self.deadline) if free else outcome))
        return self.batch(planned)

    def drop_empty(self, folders: tuple[str, ...]) -> None:
        """Remove those of these folders that are empty."""
        if folders:
            with self.fence():
                beneath.drop_empty(self.top, folders)


def _groups(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Yield entries in groups that can be undone together: none touches a path of another."""
    rest = iter(entries)
    for batch in batches((entry.intent.move for entry in entries), BATCH):
        yield [next(rest) for _ in batch]


def undo(  # noqa: PLR0913 - what it stops for, by keyword
    root: Path,
    run: str,
    undo_run: str,
    *,
    deadline: Deadline,
    check: Callable[[], None],
    fence: Fence,
) -> Iterator[Outcome]:
    """Move back what a run has moved, the last first, each with the guarantees of `apply`.

    A thing that has changed since, or whose place is taken, stays where it is, and its outcome says
    so; another call tries these again. The undoing is a run of its own, with its own journal.

    Raises:
        UsageError: The run has moved nothing here.
        Busy: One of the two journals is in use.
    """
    read_journal(root, run)
    with beneath.opened_root(root) as top, appending(root, run) as journal:
        moved = list(reversed(journal.journal.moved))
        with ExitStack() as stack:
            making = _Making(root, undo_run, top, stack, deadline, check, fence)
            for group in _groups(moved):
                for entry, outcome in zip(group, making.back(run, group), strict=True):
                    if outcome.status == "moved":
                        journal.end("undone", entry.intent, "undone", f"by run {undo_run}")
                        making.drop_empty(entry.intent.missing)
                    yield outcome
        journal.close()


def preview_undo(root: Path, run: str) -> Iterator[Outcome]:
    """Yield what `undo` would do now, without writing anything.

    Raises:
        UsageError: The run has moved nothing here.
    """
    with beneath.opened_root(root) as top:
        for entry in reversed(read_journal(root, run).moved):
            outcome = _back(top, run, entry)
            foreseen = _foreseen(top, outcome.move) if outcome.status == "moved" else None
            yield foreseen or outcome


def _back(top: int, run: str, entry: Entry) -> Outcome:
    """Return the move that undoes an entry, as `moved`, or why there is none."""
    move = _returning(run, entry)
    result = move.identity
    folder, name = beneath.split(move.source)
    try:
        with beneath.opened(top, folder) as held:
            now = fingerprint(held, name)
    except OSError as error:
        outcome = failed(move, error)
        return vanished(top, move) if outcome.status == "gone" else outcome
    if not now.same_content(result) or now.mtime_ns != result.mtime_ns:
        told = f"{move.source} has changed since it was moved"
        return Outcome(move, "changed", told, "move it by hand, if it is to go back as it is now")
    return Outcome(replace(move, identity=now), "moved")


def _returning(run: str, entry: Entry) -> Move:
    """Return the move back of what an entry has moved."""
    there, result = entry.intent.move, entry.result or entry.intent.move.identity
    return Move(
        there.destination, there.source, result, "undo", f"run {run} had moved it", "undo"
    )  # fmt: skip


def _foreseen(top: int, move: Move, deadline: Deadline | None = None) -> Outcome | None:
    """Return why a move would not be made, as far as a look can tell; None where it would."""
    if deadline and deadline.remaining() <= 0:
        return ended(move, "deferred", "the time ran out")
    try:
        return _looked_at(top, move)
    except Declined as declined:
        return ended(move, declined.status, declined.detail)
    except OSError as error:
        outcome = failed(move, error)
        return vanished(top, move) if outcome.status == "gone" else outcome


def _looked_at(top: int, move: Move) -> Outcome | None:
    folder, name = beneath.split(move.source)
    with beneath.opened(top, folder) as held:
        found = os.stat(name, dir_fd=held, follow_symlinks=False)
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise NotPlain(name, found.st_mode)
    folder, name = beneath.split(move.destination)
    with suppress(FileNotFoundError), beneath.opened(top, folder) as held:
        refuse_taken((held, name), move)
    planned = (move.identity.dev, move.identity.ino)
    if (found.st_dev, found.st_ino) != planned:
        return ended(move, "changed", f"{move.source} is another file than was planned")
    return None
