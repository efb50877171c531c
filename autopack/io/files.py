"""Read ledgers from disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from autopack.errors import Unreachable
from autopack.report import Finding
from autopack.sot.counts import Census, take_census
from autopack.sot.diagnose import blocking, diagnose
from autopack.sot.ledgers import LEDGERS, Ledger
from autopack.sot.segment import segment
from autopack.sot.segments import Segments


@dataclass(frozen=True)
class LedgerFile:
    """A ledger as it is on disk."""

    ledger: Ledger
    data: bytes
    sha256: bytes

    @cached_property
    def segments(self) -> Segments:
        """The segments; computed once, when something asks."""
        return segment(self.ledger, self.data)

    @cached_property
    def census(self) -> Census:
        """The ids; computed once, when something asks."""
        return take_census(self.ledger, self.segments)

    @cached_property
    def findings(self) -> list[Finding]:
        """The named oddities; computed once, when something asks."""
        return diagnose(self.ledger, self.segments, self.census)

    def blocking(self, first: int, last: int) -> list[Finding]:
        """Return what forbids publishing the segments `first:last`."""
        start, end = self.segments.span(first, last)
        return list(blocking(self.ledger, self.data, start, end))


def read_ledgers(root: Path) -> list[LedgerFile]:
    """Read every ledger that exists below `root`, in canonical order.

    Raises:
        Unreachable: A ledger is there but cannot be read.
    """
    found = []
    for ledger in LEDGERS:
        data = read_page(root, ledger.path)
        if data is not None:
            found.append(ledger_file(ledger, data))
    return found


def ledger_file(ledger: Ledger, data: bytes) -> LedgerFile:
    """Return a ledger that holds these bytes."""
    return LedgerFile(ledger, data, sha256(data).digest())


def read_page(root: Path, name: str) -> bytes | None:
    """Return a file's bytes, or None where there is none; a pipe or device is not waited for.

    Raises:
        Unreachable: It is there but cannot be read.
    """
    return _read(name, lambda: _plain_bytes(root / name))


def read_given(name: str) -> bytes | None:
    """Return the bytes of what a person names, a pipe too, or None where there is none.

    Raises:
        Unreachable: It is there but cannot be read.
    """
    return _read(name, Path(name).read_bytes)


def _plain_bytes(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | _WAIT_FOR_NONE)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


_WAIT_FOR_NONE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def _read(name: str, read: Callable[[], bytes]) -> bytes | None:
    try:
        return read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreachable(
            f"{name}: {error.strerror}", next_step=f"make {name} a readable file"
        ) from None


def read_head(root: Path, name: str, size: int = 4096) -> bytes:
    """Return how a file begins; of one that is not there or cannot be read, nothing."""
    try:
        with (root / name).open("rb") as file:
            return file.read(size)
    except OSError:
        return b""
