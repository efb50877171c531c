"""What lies in one folder: names, kinds, sizes and times, and nothing below it."""

from __future__ import annotations

import os
from pathlib import Path

from autopack.errors import Unreachable
from autopack.tidy.moves import Identity
from autopack.tidy.routing import Item, Kind


def list_folder(root: Path, folder: str) -> list[Item]:
    """Return the entries of a workspace's folder by name; of one that is not there, none.

    Raises:
        Unreachable: It is there but cannot be read.
    """
    try:
        with os.scandir(root / folder) as found:
            return sorted((_item(entry, folder) for entry in found), key=lambda item: item.path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Unreachable(
            f"{folder or root}: {error.strerror}", next_step=f"make {folder or root} readable"
        ) from None


def _item(entry: os.DirEntry[str], folder: str) -> Item:
    path = f"{folder}/{entry.name}" if folder else entry.name
    if entry.is_symlink():
        return Item(path, "link", target=_target(entry))
    kind: Kind = "folder" if entry.is_dir(follow_symlinks=False) else "file"
    try:
        seen = entry.stat(follow_symlinks=False)
    except OSError:  # it went away meanwhile
        return Item(path, kind)
    return Item(path, kind, seen.st_size, seen.st_mtime_ns)


def _target(entry: os.DirEntry[str]) -> str:
    try:
        return os.readlink(entry.path)
    except OSError:  # it went away meanwhile
        return ""


def exists(root: Path, path: str) -> bool:
    """Return whether something has this name, a dangling link included; nothing is opened."""
    return os.path.lexists(root / path)


def walk(root: Path, folder: str) -> tuple[list[Item], list[str]]:
    """Return the files and the folders below a folder, by name; links are files, not entered.

    A folder that may not be read counts as empty here.
    """
    files, folders, waiting = [], [], [folder]
    while waiting:
        try:
            found = list_folder(root, waiting.pop())
        except Unreachable:
            continue
        for item in found:
            if item.kind == "folder":
                folders.append(item.path)
                waiting.append(item.path)
            else:
                files.append(item)
    return sorted(files, key=lambda item: item.path), sorted(folders)


def identity_of_folder(root: Path, path: str) -> Identity:
    """Return who a folder is without looking into it, for a plan that is only shown.

    Raises:
        OSError: It is not there.
    """
    seen = os.lstat(root / path)
    return Identity(seen.st_dev, seen.st_ino, 0, seen.st_mtime_ns, "", "folder")
