"""Who lies at a place now, against what a report says of an item; and all that is in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from autopack.io import beneath
from autopack.io.fingerprint import names_in
from autopack.io.storage_identity import identity_of
from autopack.io.storage_places import Place
from autopack.storage.classify import Kind, classify
from autopack.storage.identity import Seen
from autopack.storage.names import spell
from autopack.storage.schema import Item

_KNOWN_BY = ("kind", "dev", "ino", "size", "mtime_ns", "ctime_ns", "content", "tree")
"""By what a thing is known again; how much of the disk it takes may change by itself."""
Told = Callable[[str, os.stat_result], None]
"""Is given each entry in a folder: its spelled path from there, and what it is."""


def seen_at(place: Place, kind: str, told: Told | None = None) -> Seen | None:
    """Return who lies at a place, or None where it is no file or folder of the `kind`.

    Nothing but folders and small regular files is opened.

    Raises:
        OSError: It is not there, cannot be read, or changes meanwhile.
    """
    found = classify(os.stat(place[1], dir_fd=place[0], follow_symlinks=False))
    right = found is (Kind.FOLDER if kind == "folder" else Kind.FILE)
    return identity_of(*place, told=told) if right else None


def as_json(seen: Seen | None) -> dict[str, Any]:
    """Return who somebody is as a journal has it; what is not there is left out."""
    return {key: value for key in _KNOWN_BY if (value := getattr(seen, key, None)) is not None}


def differs(now: Seen | None, item: Item, ctime_ns: str | None) -> str | None:
    """Return in what a thing is not the item of the report, else None.

    A rename changes the ctime, so that after one it is not looked at: `ctime_ns` is None.
    """
    if now is None or now.kind != item.kind:
        return f"{item.path} is no {item.kind} any more"
    if (now.dev, now.ino) != (item.dev, item.ino):
        return f"{item.path} is another {item.kind} than was scanned"
    if now.size != item.size:
        return f"{item.path} has {now.size} bytes, and had {item.size}"
    if now.mtime_ns != item.mtime_ns or (ctime_ns and now.ctime_ns != ctime_ns):
        return f"{item.path} was changed after the scan"
    if (now.content, now.tree) != (item.content, item.tree):
        return f"{item.path} holds something else than when it was scanned"
    return None


def stats_below(place: Place) -> Iterator[tuple[str, os.stat_result]]:
    """Yield what is in a folder by spelled path, all the way down, folders before what they hold.

    Anything but a folder is never opened, nor is a folder of another filesystem.

    Raises:
        OSError: Something in it cannot be read.
    """
    top = os.stat(place[1], dir_fd=place[0], follow_symlinks=False)
    if classify(top) is not Kind.FOLDER:
        return
    with ExitStack() as stack:  # closes what is open when the caller stops
        folders = [_Folder(place, "", stack)]
        while folders:
            folder = folders[-1]
            name = folder.next_name()
            if name is None:
                folders.pop().close()
                continue
            found = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
            path = f"{folder.path}{spell(os.fsencode(name))}"
            yield path, found
            if classify(found) is Kind.FOLDER and found.st_dev == top.st_dev:
                folders.append(_Folder((folder.descriptor, name), f"{path}/", stack))


class _Folder:
    """A folder on the way down, and which of its names are still to come."""

    def __init__(self, place: Place, path: str, stack: ExitStack) -> None:
        self.path = path
        self.descriptor = beneath.enter(*place)
        stack.callback(self.close)
        self._names = iter([entry.name for entry in names_in(self.descriptor)])

    def next_name(self) -> str | None:
        return next(self._names, None)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
