"""The roots of a report and their quarantines, opened once and held for a run.

Everything is reached from the descriptor of a root, name by name, and never through a link. The
quarantine lies in the root, so that what goes there stays on its filesystem.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.errors import Refused
from autopack.io import beneath
from autopack.io.storage_mounts import mounts_below
from autopack.state_files import QUARANTINE
from autopack.storage.approval import SCAN
from autopack.storage.gate import plain_path
from autopack.storage.names import unspell
from autopack.storage.schema import CleanupReport, Root

if TYPE_CHECKING:
    from autopack.io.locks import Fence

Place = tuple[int, str]
"""A name in an open folder."""


def native(path: str) -> str:
    """Return a spelled path as the functions of `os` take it.

    Raises:
        Refused: It does not go down by names alone.
    """
    if not plain_path(path):
        raise Refused(f"{path[:200]!r} is no path below its root", SCAN)
    return os.fsdecode(unspell(path))


@dataclass(frozen=True)
class Held:
    """A root that is open, and the folder of the run in its quarantine once that is there."""

    top: int
    dev: int
    path: str

    @contextmanager
    def parent(self, path: str) -> Iterator[Place]:
        """Open the folder of a spelled path; give it and the name in it."""
        folder, name = beneath.split(native(path))
        with beneath.opened(self.top, folder) as descriptor:
            yield descriptor, name

    def mounts(self) -> list[str]:
        """Return where other filesystems begin below the root, bind mounts included."""
        return [os.fsdecode(point) for point in mounts_below(self.top)]


class Places:
    """The roots of one report, by number; opened when they are first needed."""

    def __init__(self, report: CleanupReport, run: str, stack: ExitStack) -> None:
        self.run = run
        self._roots = report.roots
        self._stack = stack
        self._open: dict[int, Held] = {}

    def __getitem__(self, number: int) -> Held:
        """Return a root that is open.

        Raises:
            Refused: It is not the folder that was scanned.
        """
        if number not in self._open:
            self._open[number] = self._stack.enter_context(_opened(self._roots[number]))
        return self._open[number]

    def numbers(self) -> range:
        """Return the numbers of the roots."""
        return range(len(self._roots))

    def place(self, no: int) -> str:
        """Return where item number `no` goes, from its root."""
        return f"{QUARANTINE}/{self.run}/{no}"

    @contextmanager
    def quarantine(self, number: int, fence: Fence | None = None) -> Iterator[int]:
        """Open the run's folder in the quarantine of a root; with a fence it is made if need be.

        Raises:
            Refused: It is not a private folder of ours on the filesystem of the root.
            FileNotFoundError: It is not there.
        """
        held = self[number]
        with ExitStack() as stack:
            descriptor = held.top
            for part in (QUARANTINE, self.run):
                if fence:
                    _make(descriptor, part, fence)
                descriptor = _enter(descriptor, part, held)
                stack.callback(os.close, descriptor)
            yield descriptor

    def drop_if_empty(self, number: int, fence: Fence) -> None:
        """Remove the run's folder in the quarantine of a root, and the quarantine, if empty."""
        with fence():
            beneath.drop_empty(self[number].top, (QUARANTINE, f"{QUARANTINE}/{self.run}"))


@contextmanager
def _opened(root: Root) -> Iterator[Held]:
    with ExitStack() as stack:
        try:
            top = stack.enter_context(beneath.opened_root(Path(os.fsdecode(unspell(root.path)))))
        except OSError as error:
            raise Refused(
                f"the root {root.path} cannot be entered: {error.strerror}", SCAN
            ) from None
        found = os.fstat(top)
        if (str(found.st_dev), str(found.st_ino)) != (root.dev, root.ino):
            raise Refused(f"{root.path} is another folder than the one that was scanned", SCAN)
        yield Held(top, found.st_dev, root.path)


def _make(descriptor: int, name: str, fence: Fence) -> None:
    if beneath.look(descriptor, name) is None:
        with fence(), contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=descriptor)
        os.fsync(descriptor)


def _enter(descriptor: int, name: str, held: Held) -> int:
    shown = f"{held.path}/{QUARANTINE}"
    try:
        inner = beneath.enter(descriptor, name)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise _unfit(shown, "is a link or a file") from None
    found = os.fstat(inner)
    reasons = {
        f"belongs to user {found.st_uid}": found.st_uid != os.geteuid(),
        f"has mode {stat.S_IMODE(found.st_mode):04o}": found.st_mode & 0o077,
        "is on another filesystem": found.st_dev != held.dev,
    }
    if bad := [why for why, wrong in reasons.items() if wrong]:
        os.close(inner)
        raise _unfit(shown, bad[0])
    return inner


def _unfit(shown: str, why: str) -> Refused:
    return Refused(
        f"the quarantine {shown} {why}, so it is not private",
        next_step=f"look at it, and make it a folder of yours with mode 0700: chmod 700 {shown}",
    )
