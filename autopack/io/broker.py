"""Write a file of a phase: only within its scope, and never through a link of any kind.

    with open_for_write(root, "docs/page.md", scope, spending) as file:
        file.write(b"...")

The path is judged, then walked folder by folder from the workspace's root, each opened inside the
one before without following links, so that nobody who swaps a folder for a link meanwhile can lead
the write elsewhere. This is the module that executors of phases are meant to use.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.errors import Refused, Unreachable
from autopack.io.beneath import look, opened, opened_root, split
from autopack.io.fingerprint import CHUNK
from autopack.phases.codes import CODES, Code
from autopack.phases.scope import Scope
from autopack.phases.spending import Spending

if TYPE_CHECKING:
    from autopack.io.locks import Fence

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class Writer:
    """Takes bytes until the block ends; then the file holds them, or what it held before."""

    path: str
    spending: Spending | None
    _descriptor: int

    def write(self, data: bytes) -> int:
        """Write bytes; raises Refused if the phase may not write so many."""
        if self.spending:
            self.spending.take_bytes(self.path, len(data))
        left = memoryview(data)
        with _told(self.path):
            while left:
                left = left[os.write(self._descriptor, left) :]
        return len(data)

    def end(self) -> None:
        """Take no more: the number of the closed file may be another file's soon."""
        self._descriptor = -1


@contextmanager
def open_for_write(
    root: Path,
    path: str,
    scope: Scope,
    spending: Spending | None = None,
    *,
    fence: Fence = nullcontext,
) -> Iterator[Writer]:
    """Give what takes a file's new bytes; when the block ends they replace the file as a whole.

    Folders that are missing are made. If the block raises, the file is as it was, and what it
    raised is the caller's. `spending` is asked before the file takes its name, `fence` is held
    while it does.

    Raises:
        Refused: The path is not in the scope; a link, a second name, a folder, a pipe or a device
            is in the way; something came in the way meanwhile; or the budget is spent.
        Unreachable: The disk is full, or the folder may not be written.
    """
    with _place(root, path, scope) as (folder, name, top):
        with _told(path):
            old, before = _before(folder, name, path)
            made = f".autopack-{secrets.token_hex(8)}.tmp"
            descriptor = os.open(made, _NEW, 0o600, dir_fd=folder)
        writer = Writer(path, spending, descriptor)
        try:
            yield writer
            with _told(path):
                new = _read(made, folder) if spending else b""
                _keep_rights(descriptor, before)
                os.fsync(descriptor)
            lines = spending.check(path, old, new) if spending else 0
            with fence(), _told(path):
                _unmoved(top, folder, name, path, before)
                os.replace(made, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            writer.end()
            os.close(descriptor)
            with contextlib.suppress(OSError):  # it has taken its name, or nobody can take it away
                os.unlink(made, dir_fd=folder)
        if spending:
            spending.count(path, old, lines)
        _sync(folder)


def remove(
    root: Path,
    path: str,
    scope: Scope,
    spending: Spending | None = None,
    *,
    fence: Fence = nullcontext,
) -> None:
    """Remove a file of a phase; raises what `open_for_write` raises, and if there is none."""
    with _place(root, path, scope, make=False) as (folder, name, top):
        with _told(path):
            old, before = _before(folder, name, path)
        if before is None:
            raise Refused(f"{path} is not there", next_step="name a file that is")
        lines = spending.check(path, old, b"") if spending else 0
        with fence(), _told(path):
            _unmoved(top, folder, name, path, before)
            os.unlink(name, dir_fd=folder)
        if spending:
            spending.count(path, old, lines)
        _sync(folder)


def _keep_rights(descriptor: int, before: os.stat_result | None) -> None:
    """Give a file the owner, where allowed, and the mode of the one it replaces, but no set-id."""
    if before:
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode) & 0o777 if before else 0o644)


def _sync(folder: int) -> None:
    with contextlib.suppress(OSError):  # it is done; only the name may not be on disk yet
        os.fsync(folder)


@contextmanager
def _place(
    root: Path, path: str, scope: Scope, *, make: bool = True
) -> Iterator[tuple[int, str, int]]:
    """Give the open folder of a path, the name in it, and the open workspace."""
    if code := scope.judge(path):
        raise _refused(path, code)
    parent, name = split(path)
    with ExitStack() as held:
        with _told(path):
            top = held.enter_context(opened_root(root))
            try:
                folder = held.enter_context(opened(top, parent, make=make))
            except NotADirectoryError:
                raise _refused(path, _why(top, parent)) from None
        yield folder, name, top


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Say in the project's own errors what the system answered; only around its own calls.

    Raises:
        Refused: The folder is not there.
        Unreachable: The disk is full, or something may not be done.
    """
    try:
        yield
    except FileNotFoundError:
        raise Refused(
            f"{path}: its folder is not there, or was taken away", next_step="run again"
        ) from None
    except OSError as error:
        raise Unreachable(
            f"{path}: {error.strerror}; it holds what it held before",
            next_step="free disk space or fix the permissions, then run again",
            permanent=True,
        ) from error


def _why(top: int, parent: str) -> Code:
    """Return whether a link or a file is among the folders of a path."""
    names = parent.split("/")
    for n in range(len(names)):
        with contextlib.suppress(OSError), opened(top, "/".join(names[:n])) as folder:
            found = look(folder, names[n])
            if found and stat.S_ISLNK(found.st_mode):
                return "PS211"
    return "PS213"


def _before(folder: int, name: str, path: str) -> tuple[bytes, os.stat_result | None]:
    """Return what a file holds and is; nothing for none. What is no plain file is refused."""
    found = look(folder, name)
    if found is None:
        return b"", None
    if stat.S_ISLNK(found.st_mode):
        raise _refused(path, "PS211")
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "PS213")
    if found.st_nlink > 1:
        raise _refused(path, "PS212")
    return _read(name, folder), found


def _read(name: str, folder: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        return b"".join(iter(lambda: os.read(descriptor, CHUNK), b""))
    finally:
        os.close(descriptor)


def _unmoved(top: int, folder: int, name: str, path: str, before: os.stat_result | None) -> None:
    """Make sure that folder and file are still those that were opened, where they were.

    Raises:
        Refused: They are not.
    """
    parent, _ = split(path)
    try:
        with opened(top, parent) as again:
            here = os.path.samestat(os.fstat(again), os.fstat(folder))
    except OSError:
        here = False
    now = look(folder, name)
    same = (now is None) == (before is None) and (
        now is None or before is None or _seen(now) == _seen(before)
    )
    if not here or not same:
        raise Refused(
            f"{path} or a folder of it was changed meanwhile; nothing was written to it",
            next_step="run again when nobody else works there",
        )


def _seen(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_mode, found.st_nlink, found.st_size,
            found.st_mtime_ns)  # fmt: skip


def _refused(path: str, code: Code) -> Refused:
    return Refused(
        f"{path!r} may not be written: {code} {CODES[code]}",
        next_step="write only what the spec's scope.paths names",
    )
