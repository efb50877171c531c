"""Settle what a killed run left open: what lies where tells how far it came.

The inode says whether a thing has moved. It is finished where it has, begun anew by the next
`execute` where it has not; where both ends or none hold it, a person has to look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from autopack.errors import Refused
from autopack.io import beneath
from autopack.io.storage_places import Place
from autopack.io.storage_quarantine import Astray, Declined, Hands, arrived_or_back, end_move
from autopack.io.storage_seen import differs, seen_at
from autopack.io.storage_undo import end_undo
from autopack.storage.gate import Outcome, told
from autopack.storage.journal import AGAIN, Entry
from autopack.storage.schema import Item


def settle(hands: Hands, items: Mapping[str, Item], check: Callable[[], None]) -> list[Outcome]:
    """Settle every open item of a run; return those that could not be, as `CONFLICT`.

    Raises:
        Refused: The run names an item that its report does not have.
        Unreachable: The journal cannot be written.
    """
    left = []
    for entry in hands.journal.journal.open:
        check()
        if entry.state == "purging":  # goes on with the purge itself, under its approval
            continue
        item = items.get(entry.item)
        if item is None:
            raise Refused(
                f"run {hands.places.run} names {entry.item}, which its report does not have",
                next_step="put back the run's report.json from a backup",
            )
        why = _Settling(hands, entry, item).settle()
        if why:
            left.append(Outcome(entry.no, item, "CONFLICT", why))
    return left


@dataclass(frozen=True)
class _Ends:
    """The two places of an item: None where the folder of one is not there."""

    old: Place | None
    new: Place | None

    def holds(self, place: Place | None, entry: Entry) -> bool:
        """Return whether the item itself is there."""
        found = beneath.look(*place) if place else None
        return found is not None and (str(found.st_dev), str(found.st_ino)) == (
            entry.dev, entry.ino,
        )  # fmt: skip

    def anything(self, place: Place | None) -> bool:
        """Return whether something is there."""
        return place is not None and beneath.look(*place) is not None


class _Settling:
    """One open item."""

    def __init__(self, hands: Hands, entry: Entry, item: Item) -> None:
        self.hands = hands
        self.entry = entry
        self.item = item

    def settle(self) -> str | None:
        """Decide and write it down; return why that could not be."""
        with ExitStack() as stack:
            try:
                ends = self._ends(stack)
                if self.entry.state == "moving":
                    return self._moving(ends)
                return self._undoing(ends)
            except Astray as astray:
                return astray.detail
            except OSError as error:
                return f"{self.entry.path}: {told(error)}"

    def _ends(self, stack: ExitStack) -> _Ends:
        held = self.hands.places[self.entry.root]
        old = new = None
        try:
            old = stack.enter_context(held.parent(self.entry.path))
        except (FileNotFoundError, NotADirectoryError):
            old = None
        try:
            folder = stack.enter_context(self.hands.places.quarantine(self.entry.root))
            new = (folder, str(self.entry.no))
        except FileNotFoundError:
            new = None
        return _Ends(old, new)

    def _moving(self, ends: _Ends) -> str | None:
        old, new = ends.old, ends.new
        if not ends.anything(new):
            return self._not_moved(ends)
        assert new
        if ends.holds(old, self.entry):
            return f"both {self.entry.path} and {self.entry.place} are the item"
        if old is None:
            return self._moved_from_nowhere(new)
        try:
            seen = arrived_or_back(self.hands, self.item, old, new)
        except Declined as declined:
            self._skip(declined.status, declined.detail)
            return None
        end_move(self.hands.journal, self.entry.no, seen, (old[0], new[0]))
        return None

    def _not_moved(self, ends: _Ends) -> str | None:
        if ends.holds(ends.old, self.entry):
            self._skip(AGAIN, "the run was ended before it was moved")
        elif ends.anything(ends.old):
            self._skip("STALE", f"{self.entry.path} is another one than was scanned")
        else:
            self._skip("CONFLICT", f"neither {self.entry.path} nor {self.entry.place} is there")
        return None

    def _moved_from_nowhere(self, new: Place) -> str | None:
        """Decide about a thing whose old folder is gone, so that it cannot go back."""
        seen = seen_at(new, self.item.kind)
        why = differs(seen, self.item, None)
        if why or seen is None:
            return f"{why}; it is in {self.entry.place}, and its folder is gone"
        end_move(self.hands.journal, self.entry.no, seen, (new[0],))
        return None

    def _skip(self, status: str, detail: str) -> None:
        self.hands.journal.write("skipped", no=self.entry.no, status=status, detail=detail)

    def _undoing(self, ends: _Ends) -> str | None:
        back, here = ends.holds(ends.old, self.entry), ends.holds(ends.new, self.entry)
        if back:
            assert ends.old
            end_undo(self.hands, self.entry, ends.old, ends.new)
        elif here:
            self.hands.journal.write("stays", no=self.entry.no)
        else:
            return f"neither {self.entry.path} nor {self.entry.place} holds it"
        return None
