"""What guards an embedded shard: one process at a time, room on its disk, and quiet panics."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import Busy, Unreachable
from autopack.io.again import flock

LOCK_WAIT_S = 30.0
ROOM_TO_READ = 16 << 20
ROOM_TO_WRITE = 64 << 20
"""Free bytes below which nothing is opened or written, see `need_room`."""
_RETRY_S = 0.02
_stderr = threading.Lock()


def acquire(folder: Path, deadline: Deadline) -> int:
    """Take the kernel lock that admits one process; its file is never removed.

    Raises:
        Busy: Another process held it for `LOCK_WAIT_S`, or until the deadline.
    """
    lock = os.open(folder / "engine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait(lock, deadline.cap(LOCK_WAIT_S, "waiting for the vectors"))
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _wait(lock: int, seconds: float) -> None:
    try:
        flock(lock, fcntl.LOCK_EX, time.monotonic() + seconds, _RETRY_S)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        raise Busy(
            f"the embedded Qdrant is in use by process {holder or 'unknown'}",
            next_step="wait for it to end, then run again",
        ) from None


def need_room(folder: Path, needed: int) -> None:
    """Refuse to go on when the disk is nearly full.

    The engine writes into mapped, sparse files: without room the kernel ends the whole process
    with SIGBUS, in place of an error.

    Raises:
        Unreachable: Fewer than `needed` bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Unreachable(
            f"embedded Qdrant: {free >> 20} MB free for {folder}, {-(-needed >> 20)} needed",
            next_step="free some disk space, then run again",
            permanent=True,
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep a panic of the engine, which prints a trace before it raises, off stderr.

    What else was printed meanwhile follows when the body ends well.
    """
    with _stderr, tempfile.TemporaryFile() as sink:
        try:
            saved = os.dup(2)
        except OSError:  # there is no stderr
            yield
            return
        try:
            os.dup2(sink.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        sink.seek(0)
        if said := sink.read():
            os.write(2, said)
