"""The record of who holds or wants a lock: 512 bytes, written in place, for people only.

Exclusion never depends on it. Times come in pairs: wall seconds, which people read, and seconds
of the machine's monotonic clock, which no change of the date can move.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Literal

from autopack.locks.names import Mode

SIZE = 512
SCHEMA = 1
Role = Literal["holder", "waiter"]

_MAGIC = b"APLK"
_MODES: tuple[Mode, ...] = ("exclusive", "shared")
_ROLES: tuple[Role, ...] = ("holder", "waiter")
_TOP = struct.Struct("<4sIHH")
_FIXED = struct.Struct("<BBQIQQdddQddIQQdd")
_TEXTS = {
    "owner": 64,
    "flow_run_id": 36,
    "host": 64,
    "boot_id": 36,
    "command": 72,
    "phase": 40,
    "note": 64,
}
"""The text fields in the order of the file, and the bytes that each may take."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on two clocks, in seconds: `wall` since 1970, `mono` from the boot on."""

    wall: float
    mono: float


@dataclass(frozen=True, slots=True)
class Process:
    """A process, named so that no other process on any machine has the same name.

    `start` counts clock ticks from boot to the process's start; `namespace` numbers the world in
    which `pid` is counted (two containers of one machine have one each).
    """

    host: str
    boot_id: str
    namespace: int
    pid: int
    start: int


@dataclass(frozen=True, slots=True)
class Record:
    """Who holds a lock, or waits for it, and what it last showed of itself.

    `beats` counts heartbeats, which a thread sends every `interval` seconds; `done` of `total` is
    moved by the work itself, so a hung worker with a living thread shows.
    """

    mode: Mode
    role: Role
    generation: int
    process: Process
    since: Moment
    beat: Moment
    moved: Moment
    owner: str = ""
    flow_run_id: str = ""
    command: str = ""
    phase: str = ""
    note: str = ""
    interval: float = 5.0
    beats: int = 0
    moves: int = 0
    done: int = 0
    total: int = 0

    def beaten(self, now: Moment) -> Record:
        """Return the record after one more heartbeat."""
        return replace(self, beat=now, beats=self.beats + 1)

    def progressed(self, now: Moment, done: int, total: int, phase: str) -> Record:
        """Return the record after the work has moved."""
        return replace(
            self,
            moved=now,
            moves=self.moves + 1,
            done=_count(done),
            total=_count(total),
            phase=phase or self.phase,
        )


def _count(number: float) -> int:
    return min(max(0, int(number)), 2**63 - 1)


def encode(record: Record) -> bytes:
    """Return the record as exactly `SIZE` bytes; a text that is too long is cut."""
    process = record.process
    fixed = _FIXED.pack(
        _MODES.index(record.mode), _ROLES.index(record.role), record.generation,
        process.pid, process.start, process.namespace,
        record.since.wall, record.since.mono, record.interval,
        record.beats, record.beat.wall, record.beat.mono,
        record.moves & 0xFFFFFFFF, record.done, record.total, record.moved.wall, record.moved.mono,
    )  # fmt: skip
    texts = (
        record.owner, record.flow_run_id, process.host, process.boot_id,
        record.command, record.phase, record.note,
    )  # fmt: skip
    body = fixed + b"".join(map(_text, texts, _TEXTS.values()))
    rest = struct.pack("<HH", SCHEMA, len(body)) + body.ljust(SIZE - _TOP.size, b"\0")
    return struct.pack("<4sI", _MAGIC, zlib.crc32(rest)) + rest


def _text(text: str, most: int) -> bytes:
    """Return the length and the text, cut between two characters."""
    data = text.encode("utf-8", "replace")
    if len(data) > most:
        data = data[:most].decode("utf-8", "ignore").encode()
    return bytes((len(data),)) + data


def decode(data: bytes) -> Record | None:
    """Return the record; None when a byte is missing or is not what was written."""
    if len(data) != SIZE or not data.startswith(_MAGIC):
        return None
    _, crc, schema, length = _TOP.unpack_from(data)
    if crc != zlib.crc32(data[8:]) or schema != SCHEMA:
        return None
    body = data[_TOP.size : _TOP.size + length]
    texts = _texts(body[_FIXED.size :])
    (mode, role, generation, pid, start, namespace, since, since_mono, interval, beats, beat,
     beat_mono, moves, done, total, moved, moved_mono) = _FIXED.unpack_from(body)  # fmt: skip
    return Record(
        mode=_MODES[mode],
        role=_ROLES[role],
        generation=generation,
        process=Process(texts.pop("host"), texts.pop("boot_id"), namespace, pid, start),
        since=Moment(since, since_mono),
        beat=Moment(beat, beat_mono),
        moved=Moment(moved, moved_mono),
        interval=interval,
        beats=beats,
        moves=moves,
        done=done,
        total=total,
        **texts,
    )


def _texts(data: bytes) -> dict[str, str]:
    texts, at = {}, 0
    for name in _TEXTS:
        length = data[at]
        texts[name] = data[at + 1 : at + 1 + length].decode("utf-8", "replace")
        at += 1 + length
    return texts
