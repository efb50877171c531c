"""The audit chain on disk: one JSON line per writing run, each naming the digest of the last.

`autopack.audit.chain` has the form of a line. The same holds for every file that is chained so.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autopack.audit import chain
from autopack.audit.chain import FIRST, RESERVED, BadRecord, Head
from autopack.errors import Busy, Unreachable
from autopack.io.again import flock
from autopack.io.replace import sync_folder
from autopack.state_files import AUDIT

__all__ = [
    "AUDIT_FILE",
    "Appended",
    "BadRecord",
    "append",
    "append_to",
    "read",
    "records",
    "verify",
]

AUDIT_FILE = AUDIT
_RETRY_S = 0.01
READ_WAIT_S = 5.0
"""How long a reader waits for a writer that holds the file."""
_BLOCK = 65536


@dataclass(frozen=True)
class Appended:
    """Where a record landed: its number, and the digest that pins the chain up to it."""

    seq: int
    sha256: str

    @property
    def head(self) -> Head:
        """The same as the head of a chain."""
        return Head(self.seq, self.sha256)


def append(root: Path, record: dict[str, Any], *, max_wait_s: float = 5.0) -> Appended:
    """Append one record to the workspace's chain; raises what `append_to` raises."""
    return append_to(root / AUDIT_FILE, record, max_wait_s=max_wait_s)


def append_to(path: Path, record: dict[str, Any], *, max_wait_s: float = 5.0) -> Appended:
    """Append one record to a chain, in one write, and wait until it is on disk.

    Raises:
        ValueError: The record has a member that the chain itself writes.
        Busy: Another process holds the file's lock for longer than `max_wait_s`.
        Unreachable: The file can't be written, or is a link or no plain file.
    """
    if taken := RESERVED & record.keys():
        raise ValueError(f"an audit record cannot say {', '.join(sorted(taken))} itself")
    try:
        fresh = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path, max_wait_s) as descriptor:
            appended = _append(descriptor, record)
        if fresh:
            sync_folder(path.parent)
    except OSError as error:
        raise _unreachable(path, error) from error
    return appended


def _unreachable(path: Path, error: OSError) -> Unreachable:
    if error.errno == errno.ELOOP:
        return Unreachable(
            f"audit chain {path} is a link",
            next_step=f"put the file itself at {path}, and find out who made the link",
            permanent=True,
        )
    return Unreachable(
        f"audit chain {path}: {error.strerror or error}",
        next_step="free disk space or fix the permissions, then run again",
    )


@contextmanager
def _locked(path: Path, max_wait_s: float) -> Iterator[int]:
    """Open the file and hold its flock; a file replaced meanwhile is opened again."""
    until = time.monotonic() + max_wait_s
    while True:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        descriptor = _opened(path, flags)
        try:
            _wait_for_flock(descriptor, path, until, fcntl.LOCK_EX)
            if _is_still(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _opened(path: Path, flags: int) -> int:
    """Open a plain file; anything else is neither waited for nor followed."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file")
    return descriptor


def _wait_for_flock(descriptor: int, path: Path, until: float, mode: int) -> None:
    try:
        flock(descriptor, mode, until, _RETRY_S)
    except BlockingIOError:
        raise Busy(
            f"audit chain {path} is locked by another process", next_step="run again"
        ) from None


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _append(descriptor: int, record: dict[str, Any]) -> Appended:
    last, complete = _last_line(descriptor)
    before = chain.parse(last) if last is not None else None
    torn = last is not None and (before is None or not complete)
    seq = (before["seq"] if before else _last_seq(descriptor)) + 1
    line = {"seq": seq, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **record}
    if torn:
        line["after_torn_tail"] = True
    line["prev"] = FIRST if last is None else chain.digest(last)
    data = chain.encode(line)
    block = (b"" if complete else b"\n") + data + b"\n"
    if os.write(descriptor, block) != len(block):
        raise OSError(errno.ENOSPC, "the disk took only a part of the record")
    os.fsync(descriptor)
    return Appended(seq, chain.digest(data))


def _last_line(descriptor: int) -> tuple[bytes | None, bool]:
    """Return the last line without its newline, and whether the file ends with one."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return None, True
    complete = os.pread(descriptor, 1, size - 1) == b"\n"
    end = size - 1 if complete else size
    tail, at = b"", end
    while at > 0 and b"\n" not in tail:
        step = min(_BLOCK, at)
        at -= step
        tail = os.pread(descriptor, step, at) + tail
    return tail.rpartition(b"\n")[2], complete


def _last_seq(descriptor: int) -> int:
    """Return the number of the last readable record, for a file whose last line is not one."""
    seq, left = 0, b""
    for block in iter(_blocks(descriptor).__next__, b""):
        *lines, left = (left + block).split(b"\n")
        for line in lines:
            record = chain.parse(line)
            seq = record["seq"] if record else seq
    return seq


def _blocks(descriptor: int) -> Iterator[bytes]:
    at = 0
    while block := os.pread(descriptor, _BLOCK, at):
        at += len(block)
        yield block
    yield b""


def read(path: Path, *, max_wait_s: float = READ_WAIT_S) -> bytes:
    """Return a chain's bytes as they are between two records; where no file is, there are none.

    Raises:
        Busy: A writer holds the file for longer than `max_wait_s`.
        Unreachable: It cannot be read, or is a link or no plain file.
    """
    try:
        descriptor = _opened(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        _wait_for_flock(descriptor, path, time.monotonic() + max_wait_s, fcntl.LOCK_SH)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read()
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(descriptor)


def _unreadable(path: Path, error: OSError) -> Unreachable:
    if error.errno == errno.ELOOP:
        return _unreachable(path, error)
    return Unreachable(
        f"audit chain {path}: {error.strerror}", next_step="make it a readable file", permanent=True
    )


def first_line(root: Path) -> bytes:
    """Return the first line of a workspace's chain, by which it is told from other chains.

    Raises:
        Unreachable: It cannot be read.
    """
    path = root / AUDIT_FILE
    try:
        with os.fdopen(_opened(path, os.O_RDONLY), "rb") as file:
            return file.readline().removesuffix(b"\n")
    except OSError as error:
        raise _unreadable(path, error) from None


def records(root: Path, about: str = "") -> Iterator[dict[str, Any]]:
    """Yield the readable records of a workspace's chain whose line holds a text, oldest first.

    Raises what `read` raises.
    """
    wanted = about.encode()
    lines = chain.split(read(root / AUDIT_FILE))[0]
    yield from filter(None, (chain.parse(line) for line in lines if wanted in line))


def verify(path: Path) -> BadRecord | None:
    """Return the first tampered line, else the first torn one, else None; raises as `read` does.

    A chain cannot show that its newest records were removed as a whole: heads that are kept
    elsewhere do, see `autopack.audit.anchors`.
    """
    return chain.read(read(path)).bad
