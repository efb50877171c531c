"""Put one thing into the quarantine: only what the report saw, never through a link, never over.

Everything is looked at again at the moment of the act: caps with this item, protection of it and
of all that is in it, and who it is. After the move it is looked at once more, because a name can
change hands between a look and a rename; what is wrong goes back.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.io import beneath
from autopack.io.fingerprint import NotPlain
from autopack.io.no_replace import in_one_call, rename_no_replace
from autopack.io.storage_identity import Changed
from autopack.io.storage_journal import JournalWriter, now
from autopack.io.storage_places import Place, Places, native
from autopack.io.storage_seen import as_json, differs, seen_at
from autopack.storage.gate import Caps, Outcome, Status, passing, status_of, told
from autopack.storage.identity import Seen
from autopack.storage.journal import Entry
from autopack.storage.schema import Item

if TYPE_CHECKING:
    from autopack.io.locks import Fence

_PAUSE_S = 0.2
"""How long to wait for somebody who has a file open, in seconds."""

Protected = Callable[[int, str], str | None]
"""Tells why a spelled path of a root, by its number, is protected; None where it is not."""


class Declined(Exception):
    """The act on an item is not done; everything is as it was before it."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status: Status = status
        self.detail = detail


class Astray(Exception):
    """A thing that is not the item lies in the quarantine, and could not go back by itself."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True)
class Eyes:
    """What looks at the items of a run."""

    places: Places
    protected: Protected

    def look(self, item: Item, place: Place) -> Seen | None:
        """Return who lies at a place where an item was or has gone; see `seen_at`.

        Raises:
            Declined: It, or something in it, is protected; or a filesystem begins in it.
            OSError: It cannot be read.
        """
        if why := self.protected(item.root, item.path):
            raise Declined("PROTECTED", f"{item.path}: {why}")
        within = f"{native(item.path)}/"
        for mount in self.places[item.root].mounts():
            if f"{mount}/".startswith(within):
                raise Declined("DENIED", f"EBUSY: a filesystem is mounted on {mount}")

        def told(below: str, _found: object) -> None:
            path = f"{item.path}/{below}" if below else item.path
            if why := self.protected(item.root, path):
                raise Declined("PROTECTED", f"{path}: {why}")

        try:
            return seen_at(place, item.kind, told)
        except (Changed, NotPlain) as error:
            raise Declined("STALE", f"{item.path}: {error.strerror}") from None

    def check(self, item: Item, place: Place, ctime_ns: str) -> None:
        """Make sure that an item is who the report says, and that nothing in it is protected.

        Raises:
            Declined: It is not.
            OSError: It cannot be read.
        """
        if why := differs(self.look(item, place), item, ctime_ns):
            raise Declined("STALE", why)


@dataclass(frozen=True)
class Hands(Eyes):
    """What acts on the items of a run; `fence()` is held around each change of a name.

    `run` is the folder of the run's papers; `retries` is how often something is tried again that
    somebody else has open.
    """

    run: Path
    journal: JournalWriter
    fence: Fence
    retries: int = 0

    def patiently(self, work: Callable[[], None]) -> None:
        """Do one change of a name under the fence, again while somebody has the file open."""
        for left in range(self.retries, -1, -1):
            try:
                with self.fence():
                    return work()
            except OSError as error:
                if not left or not passing(error):
                    raise
            time.sleep(_PAUSE_S)
        return None

    def entry(self, no: int, item: Item) -> Entry:
        """Return what the journal calls an item."""
        return Entry(no, item.id, item.root, item.path, self.places.place(no), item.dev, item.ino)


def foresee(eyes: Eyes, no: int, item: Item, caps: Caps) -> Outcome:
    """Return what would become of an item now, without writing; `moved` stands for would move."""
    try:
        check_caps(caps, item)
        with eyes.places[item.root].parent(item.path) as place:
            eyes.check(item, place, item.ctime_ns)
    except Declined as declined:
        return Outcome(no, item, declined.status, declined.detail)
    except OSError as error:
        return Outcome(no, item, status_of(error), told(error))
    caps.take(item)
    return Outcome(no, item, "moved")


def check_caps(caps: Caps, item: Item) -> None:
    """Make sure that an item may be taken with what was taken.

    Raises:
        Declined: It would be too much.
    """
    if why := caps.refuse(item):
        raise Declined("CAPPED", why)


class Mover:
    """Puts items of one run into the quarantine."""

    def __init__(self, hands: Hands, caps: Caps) -> None:
        self.hands = hands
        self.caps = caps
        self._renamed: dict[tuple[str, str], str] = {}

    def act(self, no: int, item: Item) -> Outcome:
        """Move an item, or write down why it stays; what is returned is on disk.

        Raises:
            Refused: The root or its quarantine is not what it must be.
            Fenced: The locks were lost.
            Unreachable: The journal cannot be written.
        """
        entry = self.hands.entry(no, item)
        try:
            check_caps(self.caps, item)
            self._move(entry, item)
        except Declined as declined:
            return self._stays(entry, item, declined.status, declined.detail)
        except Astray as astray:
            return Outcome(no, item, "CONFLICT", astray.detail)
        except OSError as error:
            return self._stays(entry, item, status_of(error), told(error))
        self.caps.take(item)
        return Outcome(no, item, "moved")

    def _stays(self, entry: Entry, item: Item, status: Status, detail: str) -> Outcome:
        self.hands.journal.begin(entry, "skipped", status=status, detail=detail)
        return Outcome(entry.no, item, status, detail)

    def _move(self, entry: Entry, item: Item) -> None:
        with (
            self.hands.places[item.root].parent(item.path) as old,
            self._quarantine(item.root) as folder,
        ):
            # The rename of another name of the same file has changed its ctime.
            ctime = self._renamed.get((item.dev, item.ino), item.ctime_ns)
            self.hands.check(item, old, ctime)
            new = (folder, str(entry.no))
            if beneath.look(*new) is not None:
                raise Declined("CONFLICT", f"{entry.place} is taken by something else")
            self.hands.journal.begin(entry)
            self.hands.patiently(lambda: _rename(old, new))
            seen = arrived_or_back(self.hands, item, old, new)
            self._renamed[item.dev, item.ino] = seen.ctime_ns
            try:
                end_move(self.hands.journal, entry.no, seen, (old[0], new[0]))
            except OSError as error:
                raise Astray(f"{told(error)}, after the move; it is in {entry.place}") from None

    def _quarantine(self, root: int) -> AbstractContextManager[int]:
        return self.hands.places.quarantine(root, self.hands.fence)


def _rename(old: Place, new: Place) -> None:
    """Rename into the quarantine, where nobody but the holder of the locks gives names."""
    if not in_one_call(old, new):
        if beneath.look(*new) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new[1])
        os.rename(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0])


def end_move(journal: JournalWriter, no: int, seen: Seen, folders: tuple[int, ...]) -> None:
    """Write down that an item is in the quarantine, once both names are on disk."""
    for descriptor in folders:
        os.fsync(descriptor)
    journal.write("moved", no=no, seen=as_json(seen), at=now())


def arrived_or_back(hands: Hands, item: Item, old: Place, new: Place) -> Seen:
    """Return who has arrived in the quarantine; what is not the item goes back where it was.

    Raises:
        Declined: It was another thing, or has changed meanwhile; it is back.
        Astray: It is that, and could not go back.
    """
    try:
        seen = hands.look(item, new)
        why = differs(seen, item, None)
        if seen and not why:
            return seen
        wrong = Declined("STALE", f"{why}, while it was moved; it is back")
    except Declined as declined:
        wrong = Declined(declined.status, f"{declined.detail}; it is back")
    except OSError as error:
        wrong = Declined(status_of(error), f"{told(error)}, after the move; it is back")
    try:
        hands.patiently(lambda: put_back(old, new))
    except OSError as error:
        place = hands.places.place(int(new[1]))
        raise Astray(
            f"{wrong.detail.removesuffix('; it is back')}; it cannot go back by itself, so it is "
            f"in {place}: {told(error)}"
        ) from None
    raise wrong


def put_back(old: Place, new: Place) -> None:
    """Rename out of the quarantine to a name that must be free, and wait for the disk.

    Raises:
        FileExistsError: The name is taken.
        OSError: It cannot be renamed.
    """
    rename_no_replace(new, old, f"{new[1]}.spare", lambda: None)
    os.fsync(old[0])
    os.fsync(new[0])
