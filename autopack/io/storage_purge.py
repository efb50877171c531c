"""Remove for good what lies in the quarantine: the one act that frees space and has no way back.

What is in an item is listed, and the list is on disk, before anything of it goes. Then exactly
that is removed, name by name below open folders, each only while it is what was listed; no link is
followed and no mode is changed. A purge that was killed goes on by its list.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice

from autopack.deadline import Deadline
from autopack.io import beneath
from autopack.io.storage_listing import (
    Listed,
    drop_listing,
    list_below,
    read_listing,
    write_listing,
)
from autopack.io.storage_places import Place, Places, native
from autopack.io.storage_quarantine import Declined, Hands
from autopack.io.storage_seen import as_json
from autopack.storage.gate import Caps, Outcome, status_of, told
from autopack.storage.journal import Entry
from autopack.storage.schema import Item

_BATCH = 32
"""Removals that one fence covers."""


def purge(
    hands: Hands,
    items: Mapping[str, Item],
    caps: Caps,
    deadline: Deadline,
    check: Callable[[], None],
) -> Iterator[Outcome]:
    """Remove these items of a run for good, within caps; yield how each ended.

    What went before this purge was cut off counts.

    Raises:
        DeadlineExceeded: What is left waits for another call.
        Refused: The root or its quarantine is not what it must be.
        Fenced: The locks were lost.
        Unreachable: The journal or a list cannot be written.
    """
    wanted = [e for e in hands.journal.journal.entries.values() if e.item in items]
    for entry in wanted:
        if entry.state in ("purging", "purged"):
            caps.take(items[entry.item])
    for entry in wanted:
        if entry.state not in ("moved", "purging"):
            continue
        deadline.check("removing things from the quarantine")
        check()
        if capped := foresee(entry, items[entry.item], caps):
            yield capped
            continue
        yield _Purging(hands, entry, items[entry.item], deadline).purge()
    for number in sorted({entry.root for entry in wanted}):
        hands.places.drop_if_empty(number, hands.fence)


def foresee(entry: Entry, item: Item, caps: Caps) -> Outcome | None:
    """Return how an item of the quarantine would be capped, else None, and count it."""
    if entry.state == "moved":
        if why := caps.refuse(item):
            return Outcome(entry.no, item, "CAPPED", why)
        caps.take(item)
    return None


def free_bytes(places: Places, numbers: Sequence[int]) -> int:
    """Return the free bytes of the filesystems of some roots, each filesystem once."""
    free = {}
    for number in numbers:
        held = places[number]
        os.fsync(held.top)
        told = os.fstatvfs(held.top)
        free[held.dev] = told.f_bfree * told.f_frsize
    return sum(free.values())


class _Purging:
    """One item that is removed."""

    def __init__(self, hands: Hands, entry: Entry, item: Item, deadline: Deadline) -> None:
        self.hands = hands
        self.entry = entry
        self.item = item
        self.deadline = deadline
        self.begun = entry.state == "purging"

    def purge(self) -> Outcome:
        """Remove it, or say why it stays, or what of it."""
        try:
            with self.hands.places.quarantine(self.entry.root) as folder:
                self._purge((folder, str(self.entry.no)))
        except Declined as declined:
            return self._ended(declined)
        except OSError as error:
            return self._ended(Declined(status_of(error), told(error)))
        return Outcome(self.entry.no, self.item, "purged")

    def _ended(self, why: Declined) -> Outcome:
        told = f"{why.detail}; a part of it is gone already" if self.begun else why.detail
        return Outcome(self.entry.no, self.item, why.status, told)

    def _purge(self, place: Place) -> None:
        no = self.entry.no
        if self.begun:
            listing = read_listing(self.hands.run, no, self.entry.listing)
            if listing is None:
                raise Declined("CONFLICT", f"the list of {self.entry.place} is lost or was changed")
        else:
            self._check(place)
            listing = list(list_below(place))
            digest = write_listing(self.hands.run, no, listing)
            self._check(place)
            self.hands.journal.write("purging", no=no, listing=digest)
            self.begun = True
        self._remove(place, listing)
        os.fsync(place[0])
        self.hands.journal.write("purged", no=no)
        drop_listing(self.hands.run, no)

    def _check(self, place: Place) -> None:
        """Make sure that it is what was put there, unchanged, and still may go."""
        if as_json(self.hands.look(self.item, place)) != self.entry.seen:
            raise Declined("STALE", f"{self.entry.place} was changed in the quarantine")

    def _remove(self, place: Place, listing: Sequence[Listed]) -> None:
        """Remove what is listed, what is in a folder before the folder."""
        last_first = reversed(listing)
        with _Parents(place) as parents:
            while batch := list(islice(last_first, _BATCH)):
                self.deadline.check(f"removing {self.entry.place}")
                with self.hands.fence():
                    for listed in batch:
                        _remove_one(parents.of(listed.path), listed)


def _remove_one(place: Place | None, listed: Listed) -> None:
    found = beneath.look(*place) if place else None
    if place is None or found is None:  # it went before this purge was killed
        return
    if not listed.is_still(found):
        raise Declined("STALE", f"{listed.path or 'it'} is another one than was listed")
    if stat.S_ISDIR(found.st_mode):
        os.rmdir(place[1], dir_fd=place[0])
    else:
        os.unlink(place[1], dir_fd=place[0])


class _Parents:
    """The folders of what is removed; the last one is kept open for its neighbours."""

    def __init__(self, top: Place) -> None:
        self._top = top
        self._stack = ExitStack()
        self._folder: str | None = None
        self._descriptor: int | None = None

    def __enter__(self) -> _Parents:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, path: str) -> Place | None:
        """Return the place of a listed path; None where its folder is gone."""
        if not path:
            return self._top
        folder, name = beneath.split(native(path))
        if folder != self._folder:
            self._stack.close()
            self._folder, self._descriptor = folder, self._open(folder)
        return None if self._descriptor is None else (self._descriptor, name)

    def _open(self, folder: str) -> int | None:
        try:
            inside = f"{self._top[1]}/{folder}" if folder else self._top[1]
            return self._stack.enter_context(beneath.opened(self._top[0], inside))
        except FileNotFoundError:
            return None
