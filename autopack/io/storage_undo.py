"""Put back what a run has put away: each thing to its place, if that is free, and never over."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from autopack.deadline import Deadline
from autopack.io import beneath
from autopack.io.storage_places import Place, native
from autopack.io.storage_quarantine import Eyes, Hands, put_back
from autopack.io.storage_seen import as_json, seen_at
from autopack.storage.gate import Outcome, told
from autopack.storage.journal import Entry
from autopack.storage.names import spell
from autopack.storage.schema import Item

_MODE = 0o755
"""Of a folder that is made again because it went away meanwhile."""


def undo(
    hands: Hands, items: Mapping[str, Item], deadline: Deadline, check: Callable[[], None]
) -> Iterator[Outcome]:
    """Put back everything that is in the quarantine, the last first; yield how each ended.

    A place that is taken keeps what it has: the item stays in the quarantine as a `CONFLICT`, and
    another call tries it again. Folders that are gone are made again.

    Raises:
        DeadlineExceeded: What is left waits for another call.
        Refused: The root or its quarantine is not what it must be.
        Unreachable: The journal cannot be written.
    """
    journal = hands.journal.journal
    held = journal.held
    for entry in journal.entries.values():
        if entry.state == "purging":
            told = f"a part of it was purged; what is left is in {entry.place}"
            yield Outcome(entry.no, items[entry.item], "GONE", told)
    for entry in reversed(held):
        deadline.check("putting things back")
        check()
        yield _back(hands, entry, items[entry.item])
    for number in sorted({entry.root for entry in held}):
        hands.places.drop_if_empty(number, hands.fence)


def foresee(eyes: Eyes, entry: Entry, item: Item) -> Outcome:
    """Return what would become of an item now, without writing."""
    try:
        with eyes.places.quarantine(entry.root) as folder:
            changed = _changed((folder, str(entry.no)), entry, item)
        with suppress(FileNotFoundError), eyes.places[entry.root].parent(entry.path) as old:
            _check_free(old, entry)
    except OSError as error:
        return _stays(entry, item, error)
    return Outcome(entry.no, item, "undone", changed)


def _check_free(old: Place, entry: Entry) -> None:
    if beneath.look(*old) is not None:
        raise FileExistsError(errno.EEXIST, f"{entry.path} is taken by another one")


def _back(hands: Hands, entry: Entry, item: Item) -> Outcome:
    begun = False
    try:
        with hands.places.quarantine(entry.root) as folder:
            new = (folder, str(entry.no))
            changed = _changed(new, entry, item)
            _make_parents(hands, entry)
            with hands.places[entry.root].parent(entry.path) as old:
                _check_free(old, entry)
                hands.journal.write("undoing", no=entry.no)
                begun = True
                hands.patiently(lambda: put_back(old, new))
                end_undo(hands, entry, old, new)
    except OSError as error:
        if begun:
            hands.journal.write("stays", no=entry.no)
        return _stays(entry, item, error)
    return Outcome(entry.no, item, "undone", changed)


def _stays(entry: Entry, item: Item, error: OSError) -> Outcome:
    if error.errno == errno.ENOENT:
        return Outcome(entry.no, item, "GONE", f"{entry.place} is not there any more")
    conflict = error.errno in (errno.EEXIST, errno.ENOTDIR, errno.ELOOP, errno.ENOTEMPTY)
    return Outcome(entry.no, item, "CONFLICT" if conflict else "DENIED", told(error))


def _changed(new: Place, entry: Entry, item: Item) -> str:
    """Return what to say where a thing was changed in the quarantine; it is put back as it is.

    Raises:
        FileNotFoundError: The thing itself is not there.
    """
    found = os.stat(new[1], dir_fd=new[0], follow_symlinks=False)
    if (str(found.st_dev), str(found.st_ino)) != (entry.dev, entry.ino):
        raise FileNotFoundError(errno.ENOENT, "another one is there")
    try:
        seen = seen_at(new, item.kind)
    except OSError as error:
        return f"it is back; whether it was changed cannot be read: {told(error)}"
    return "" if as_json(seen) == entry.seen else "it is back; it was changed in the quarantine"


def _make_parents(hands: Hands, entry: Entry) -> None:
    """Make again the folders on the way that are gone; each is written down before."""
    top = hands.places[entry.root].top
    folder, _ = beneath.split(native(entry.path))
    for missing in beneath.missing_folders(top, folder):
        above, name = beneath.split(missing)
        shown = spell(os.fsencode(missing))
        hands.journal.write("folder", root=entry.root, path=shown, mode=_MODE)
        with beneath.opened(top, above) as parent, hands.fence():
            with suppress(FileExistsError):
                os.mkdir(name, _MODE, dir_fd=parent)
            os.fsync(parent)


def end_undo(hands: Hands, entry: Entry, old: Place, new: Place | None) -> None:
    """Write down that an item is back, once its second name, if it has one, is gone."""
    back = os.stat(old[1], dir_fd=old[0], follow_symlinks=False)
    for name in (new[1], f"{new[1]}.spare") if new else ():
        assert new
        left = beneath.look(new[0], name)
        if left and stat.S_ISREG(left.st_mode) and os.path.samestat(left, back):
            with hands.fence():
                os.unlink(name, dir_fd=new[0])
    os.fsync(old[0])
    hands.journal.write("undone", no=entry.no)
