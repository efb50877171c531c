"""The two permanent files of a lock, and what the guard file holds.

`<file>.lock` is locked for as long as the lock is held. `<file>.guard` is locked for milliseconds,
around every change of the generation and every commit. It holds the generation, twice, each copy
in a disk sector of its own with a checksum, so that a write cut short leaves the one before; then
come the slots of the records. Slot 0 is the exclusive holder's, the others go to shared holders
and waiters.
"""

from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autopack.errors import Refused
from autopack.io.lock_kernel import read_at, write_at
from autopack.io.lock_processes import look
from autopack.locks.names import LockName
from autopack.locks.record import SIZE, Process, Record, decode
from autopack.locks.verdict import alive
from autopack.state_files import LOCKS

FOLDER = LOCKS
SLOTS = 64
EMPTY = bytes(SIZE)

_CELL = struct.Struct("<8sQI")
_MAGIC = b"APGEN\0\0\1"
_SECTOR = 512
_FIRST_SLOT = 2 * _SECTOR


@dataclass(frozen=True, slots=True)
class LockFiles:
    """Where a lock's two files are."""

    name: LockName
    folder: str
    main: str
    guard: str

    @classmethod
    def of(cls, root: Path | str, name: LockName) -> LockFiles:
        """Return where the workspace keeps this lock."""
        folder = os.path.join(root, FOLDER)
        stem = os.path.join(folder, name.file)
        return cls(name, folder, f"{stem}.lock", f"{stem}.guard")


def read_generation(guard: io.FileIO) -> int:
    """Return the generation the lock is at, 0 before the first.

    Raises:
        Refused: The file was overwritten by something else.
    """
    data = read_at(guard.fileno(), _SECTOR + _CELL.size, 0)
    found = [_parse(data[at : at + _CELL.size]) for at in (0, _SECTOR)]
    newest = max((generation for generation in found if generation is not None), default=None)
    return _salvage(guard, data) if newest is None else newest


def _parse(cell: bytes) -> int | None:
    if len(cell) != _CELL.size:
        return None
    magic, generation, crc = _CELL.unpack(cell)
    return int(generation) if magic == _MAGIC and crc == zlib.crc32(cell[:16]) else None


def _salvage(guard: io.FileIO, data: bytes) -> int:
    """Return the highest generation in the records of a file that lost its cells to a power cut."""
    if any(data):
        raise Refused(
            f"lock generation in {guard.name} is damaged: it is not this program's",
            next_step=f"see that nothing runs, then remove {guard.name}",
        )
    return max((record.generation for _, record in read_records(guard)), default=0)


def write_generation(guard: io.FileIO, generation: int, *, durable: bool) -> None:
    """Write the generation; the caller holds the guard. `durable` waits for the disk.

    Raises:
        OSError: It is not written, and the generation is still the one before.
    """
    head = _MAGIC + struct.pack("<Q", generation)
    write_whole(guard, head + struct.pack("<I", zlib.crc32(head)), generation % 2 * _SECTOR)
    if durable:
        os.fsync(guard.fileno())


def write_whole(file: io.FileIO, data: bytes, offset: int) -> None:
    """Write all of it in place.

    Raises:
        OSError: The disk took none, or only a part.
    """
    if write_at(file.fileno(), data, offset) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_slot(guard: io.FileIO, slot: int, data: bytes) -> None:
    """Write a record's bytes, or `EMPTY`, in place.

    Raises:
        OSError: The disk did not take it.
    """
    write_whole(guard, data, _FIRST_SLOT + slot * SIZE)


def read_slot(guard: io.FileIO, slot: int) -> bytes:
    """Return a slot's bytes; fewer where the file ends."""
    return read_at(guard.fileno(), SIZE, _FIRST_SLOT + slot * SIZE)


def _slots(guard: io.FileIO) -> Iterator[tuple[int, bytes]]:
    data = read_at(guard.fileno(), SLOTS * SIZE, _FIRST_SLOT)
    for slot in range(SLOTS):
        yield slot, data[slot * SIZE : (slot + 1) * SIZE]


def read_records(guard: io.FileIO) -> list[tuple[int, Record]]:
    """Return every record that can be read, and its slot."""
    decoded = ((slot, decode(data)) for slot, data in _slots(guard))
    return [(slot, record) for slot, record in decoded if record is not None]


def free_slot(guard: io.FileIO, me: Process) -> int | None:
    """Return a slot that is empty or whose process is dead; None when all are taken."""
    return next((slot for slot, data in _slots(guard) if slot and _is_free(data, me)), None)


def _is_free(data: bytes, me: Process) -> bool:
    if not any(data[:4]):
        return True
    record = decode(data)
    if record is None or record.process.boot_id != me.boot_id:
        return True
    return alive(record.process, me, look(record.process.pid)) == "no"
