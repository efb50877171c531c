"""One move, done: checked at the moment of the act, never over anything, never half."""

from __future__ import annotations

import contextlib
import errno
import os
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING

from autopack.io import beneath
from autopack.io.copying import Place, copy, discard_copy, remove_held
from autopack.io.fingerprint import NotPlain, fingerprint
from autopack.io.move_journal import JournalWriter
from autopack.io.no_replace import give_name, rename_no_replace
from autopack.tidy.journal import Intent
from autopack.tidy.moves import Identity, Move, Outcome, Status, ended, status_of

if TYPE_CHECKING:
    from autopack.io.locks import Fence


class Declined(Exception):
    """The move is not made; everything is as it was before it."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status: Status = status
        self.detail = detail


class Mover:
    """Moves things below an open root; `fence()` is held around every change of a name."""

    def __init__(self, root: int, journal: JournalWriter, fence: Fence) -> None:
        self.root = root
        self.journal = journal
        self.fence = fence

    def act(self, intent: Intent) -> tuple[Outcome, Identity | None]:
        """Make a move; return how it ended, and who the thing is in its new place."""
        move = intent.move
        try:
            detail, placed = self._act(intent)
        except Declined as declined:
            return self._not_made(intent, ended(move, declined.status, declined.detail))
        except OSError as error:
            return self._not_made(intent, failed(move, error))
        return ended(move, "moved", detail), placed

    def _not_made(self, intent: Intent, outcome: Outcome) -> tuple[Outcome, None]:
        if intent.missing:
            with self.fence():
                beneath.drop_empty(self.root, intent.missing)
        return (vanished(self.root, intent.move) if outcome.status == "gone" else outcome), None

    def _act(self, intent: Intent) -> tuple[str, Identity]:
        move = intent.move
        above, name = beneath.split(move.source)
        with beneath.opened(self.root, above) as folder:
            old = (folder, name)
            self._unchanged(old, move)
            with ExitStack() as stack:
                new = self._destination(stack, intent)
                refuse_taken(new, move)
                return self._move(intent, old, new)

    def _destination(self, stack: ExitStack, intent: Intent) -> Place:
        """Open the folder of the destination, made where it is missing, until the stack ends."""
        into, name = beneath.split(intent.move.destination)
        try:
            with self.fence() if intent.missing else nullcontext():
                make = bool(intent.missing)
                return stack.enter_context(beneath.opened(self.root, into, make=make)), name
        except FileNotFoundError as error:
            raise Declined("changed", f"{into}: {error.strerror}") from None

    def _unchanged(self, old: Place, move: Move) -> None:
        if fingerprint(*old) != move.identity:
            raise Declined("changed", f"{move.source} has changed since it was planned")

    def _move(self, intent: Intent, old: Place, new: Place) -> tuple[str, Identity]:
        try:
            self._rename(intent, old, new)
        except FileExistsError:
            refuse_taken(new, intent.move)
            raise
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return self._copy(intent, old, new)
        return "", intent.move.identity

    # --- on one filesystem --------------------------------------------------------------------

    def _rename(self, intent: Intent, old: Place, new: Place) -> None:
        with self.fence():
            self._swap(intent, old, new)
            if self._arrived(intent.move, new):
                return
            try:
                self._swap(intent, new, old)
            except OSError as error:
                raise Declined("needs_manual", f"{_left(intent.move)}: {error.strerror}") from None
        raise Declined("changed", f"{intent.move.source} changed while it was moved; it is back")

    def _swap(self, intent: Intent, old: Place, new: Place) -> None:
        rename_no_replace(
            old, new, intent.aside_name, lambda: self.journal.step(intent, "fallback")
        )

    def _arrived(self, move: Move, new: Place) -> bool:
        """Return whether what was planned lies where it was planned, by its path."""
        found = beneath.look(*new)
        same = found is not None and (found.st_dev, found.st_ino) == _inode(move.identity)
        if same and found is not None and move.identity.kind == "file":
            told = (move.identity.size, move.identity.mtime_ns)
            same = (found.st_size, found.st_mtime_ns) == told
        return same and self._leads_to(move.destination, new[0])

    def _leads_to(self, path: str, folder: int) -> bool:
        """Return whether a path still goes through this open folder."""
        try:
            with beneath.opened(self.root, beneath.split(path)[0]) as now:
                return os.path.samestat(os.fstat(now), os.fstat(folder))
        except OSError:
            return False

    # --- between two filesystems --------------------------------------------------------------

    def _copy(self, intent: Intent, old: Place, new: Place) -> tuple[str, Identity]:
        move, unfinished = intent.move, (new[0], intent.copy_name)
        self.journal.step(intent, "copying")
        try:
            lost = copy(old, unfinished)
            made = fingerprint(*unfinished)
            if not made.same_content(move.identity):
                raise Declined("changed", f"{move.source} changed while it was copied")
            self._unchanged(old, move)
            self.journal.step(intent, "copied", ino=made.ino)
            with self.fence():
                if not self._leads_to(move.destination, new[0]):
                    raise Declined("changed", f"the folder of {move.destination} was replaced")
                give_name(unfinished, new, lambda: self.journal.step(intent, "fallback"))
        except FileExistsError:
            refuse_taken(new, move)
            raise
        finally:
            discard_copy(unfinished)
        os.fsync(new[0])
        self.leave(intent, old, new)
        return f"copied; not kept: {', '.join(sorted(set(lost)))}" if lost else "copied", made

    def leave(self, intent: Intent, old: Place, new: Place, *, begun: bool = False) -> None:
        """Remove the source of a finished copy, or the copy when the source is not the same.

        `begun` says that it was found to be the same before, so that a part of it may be gone.

        Raises:
            Declined: The source has changed.
            OSError: The source cannot be removed. In both cases the copy is gone again, or, where
                it may be all that is left of something, `Declined` says that it stays.
        """
        aside = (old[0], intent.aside_name)
        try:
            if beneath.look(*aside) is None:
                with self.fence():
                    os.rename(old[1], aside[1], src_dir_fd=old[0], dst_dir_fd=aside[0])
            if not begun and fingerprint(*aside).same_content(intent.move.identity):
                self.journal.step(intent, "leaving")
                begun = True
            went = begun and remove_held(aside, new, self.fence)
        except FileNotFoundError:  # it went away by itself: the copy is the one that is left
            return
        except OSError:
            self._take_back(intent, old, new)
            raise
        if not went:
            self._take_back(intent, old, new)
            raise Declined("changed", f"{intent.move.source} changed while it was moved")
        os.fsync(old[0])

    def _take_back(self, intent: Intent, old: Place, new: Place) -> None:
        """Give the source its name back and remove the copy of it."""
        aside = (old[0], intent.aside_name)
        with self.fence():
            if beneath.look(*aside) is not None:
                give_name(aside, old, lambda: self.journal.step(intent, "fallback"))
        found = beneath.look(*old)
        written_to = found is not None and found.st_ino == intent.move.identity.ino
        stale = written_to and intent.move.identity.kind == "file"  # a folder may be half gone
        if stale and fingerprint(*new).same_content(intent.move.identity):
            with self.fence():
                discard_copy(new)
        elif not remove_held(new, old, self.fence):
            raise Declined("needs_manual", _both(intent.move))


def refuse_taken(new: Place, move: Move) -> None:
    """Raise `Declined` where something is at the destination, and say whether it is the same."""
    found = beneath.look(*new)
    if found is None:
        return
    try:
        there = fingerprint(*new)
    except OSError as error:
        raise Declined(
            "dest_exists", f"{move.destination} exists: {error.strerror or error}"
        ) from None
    if there.kind == "file" and there.same_content(move.identity):
        raise Declined("identical", f"{move.destination} holds the same bytes")
    raise Declined("dest_exists", f"{move.destination} exists and differs")


def vanished(root: int, move: Move) -> Outcome:
    """Return what it means that a source is not there: somebody moved it, or it is gone."""
    if exists(root, move.source):
        return ended(move, "changed", f"something went away while {move.source} was moved")
    folder, name = beneath.split(move.destination)
    with contextlib.suppress(OSError), beneath.opened(root, folder) as held:
        if fingerprint(held, name).same_content(move.identity):
            return ended(move, "moved", f"{move.destination} had it already")
    return ended(move, "gone", f"{move.source} is not there")


def exists(root: int, path: str) -> bool:
    """Return whether anything is at a path that leads through no link; unreadable counts."""
    folder, name = beneath.split(path)
    try:
        with beneath.opened(root, folder) as held:
            return beneath.look(held, name) is not None
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def failed(move: Move, error: OSError) -> Outcome:
    """Return the outcome of a move that the system refused."""
    status = status_of(error.errno, getattr(error, "winerror", None))
    if isinstance(error, NotPlain):
        status = "needs_manual"
    elif isinstance(error, NotADirectoryError):
        return ended(move, "needs_manual", "a folder on the way is a link or a file")
    return ended(move, status, error.strerror or str(error))


def _inode(identity: Identity) -> tuple[int, int]:
    return identity.dev, identity.ino


def _left(move: Move) -> str:
    return f"{move.source} changed while it was moved and its place is taken: {move.destination}"


def _both(move: Move) -> str:
    return f"{move.source} changed while it was copied; {move.destination} holds the older state"
