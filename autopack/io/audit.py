"""The audit chain: one JSON line per writing run, each naming the digest of the line before it.

`prev` is the SHA-256 of the previous line's bytes without its newline, zeros for the first line.
A line that kill -9 or a full disk cut short stays as it is, on a line of its own; the next record
chains on from its bytes and says so with `after_torn_tail`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from autopack.errors import Busy, Unreachable
from autopack.io.replace import sync_folder
from autopack.state_files import AUDIT

AUDIT_FILE = AUDIT
FIRST = "0" * 64
_BLOCK = 65536


@dataclass(frozen=True)
class Appended:
    """Where a record landed: its number, and the digest that pins the chain up to it."""

    seq: int
    sha256: str


@dataclass(frozen=True)
class BadRecord:
    """The first line that does not fit the chain: its line number, from 1, and why.

    `torn` is a write that was cut short; `tampered` is anything else.
    """

    line: int
    kind: Literal["torn", "tampered"]
    why: str


def append(root: Path, record: dict[str, Any], *, max_wait_s: float = 5.0) -> Appended:
    """Append one record to the workspace's chain, in one write, and wait until it is on disk.

    Raises:
        Busy: Another process holds the file's lock for longer than `max_wait_s`.
        Unreachable: The file can't be written.
    """
    path = root / AUDIT_FILE
    try:
        fresh = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path, max_wait_s) as descriptor:
            appended = _append(descriptor, record)
        if fresh:
            sync_folder(path.parent)
    except OSError as error:
        raise Unreachable(
            f"audit chain {path}: {error.strerror or error}",
            next_step="free disk space or fix the permissions, then run again",
        ) from error
    return appended


@contextmanager
def _locked(path: Path, max_wait_s: float) -> Iterator[int]:
    """Open the file and hold its flock; a file replaced meanwhile is opened again."""
    until = time.monotonic() + max_wait_s
    while True:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o644)
        try:
            _wait_for_flock(descriptor, path, until)
            if _is_still(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _wait_for_flock(descriptor: int, path: Path, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise Busy(
                    f"audit chain {path} is locked by another process", next_step="run again"
                ) from None
            time.sleep(0.01)
        else:
            return


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _append(descriptor: int, record: dict[str, Any]) -> Appended:
    last, complete = _last_line(descriptor)
    before = _parse(last) if last is not None else None
    torn = last is not None and (before is None or not complete)
    seq = (before["seq"] if before else _last_seq(descriptor)) + 1
    line = {"seq": seq, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **record}
    if torn:
        line["after_torn_tail"] = True
    line["prev"] = FIRST if last is None else hashlib.sha256(last).hexdigest()
    data = json.dumps(line, ensure_ascii=True, separators=(",", ":"), default=str).encode()
    block = (b"" if complete else b"\n") + data + b"\n"
    if os.write(descriptor, block) != len(block):
        raise OSError(None, "the disk took only a part of the record")
    os.fsync(descriptor)
    return Appended(seq, hashlib.sha256(data).hexdigest())


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
            record = _parse(line)
            seq = record["seq"] if record else seq
    return seq


def _blocks(descriptor: int) -> Iterator[bytes]:
    at = 0
    while block := os.pread(descriptor, _BLOCK, at):
        at += len(block)
        yield block
    yield b""


def records(root: Path, about: str = "") -> Iterator[dict[str, Any]]:
    """Yield the readable records of a workspace's chain whose line holds a text, oldest first.

    Raises:
        Unreachable: The file is there, and cannot be read.
    """
    path = root / AUDIT_FILE
    try:
        lines = path.read_bytes().split(b"\n") if os.path.lexists(path) else []
    except OSError as error:
        raise Unreachable(
            f"audit chain {path}: {error.strerror}", next_step="make it a readable file"
        ) from None
    wanted = about.encode()
    yield from filter(None, (_parse(line) for line in lines if wanted in line))


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    good = isinstance(record, dict) and isinstance(record.get("seq"), int)
    return record if good and isinstance(record.get("prev"), str) else None


def verify(path: Path) -> BadRecord | None:
    """Return the first tampered line, else the first torn one, else None.

    A chain cannot show that its newest records were removed as a whole; the number and digest in a
    run's report and Prefect artifact pin it.
    """
    data = path.read_bytes() if path.exists() else b""
    if not data:
        return None
    lines = data.split(b"\n")
    ended = lines[-1] == b""
    if ended:
        lines.pop()
    torn: BadRecord | None = None
    prev, seq = FIRST, 0
    for number, line in enumerate(lines, start=1):
        record = _parse(line)
        last = number == len(lines)
        if record is None:
            follower = None if last else _parse(lines[number])
            if not last and not (follower and follower.get("after_torn_tail") is True):
                return BadRecord(number, "tampered", "bad JSON")
            torn = torn or BadRecord(number, "torn", "the write of this record was cut short")
        else:
            if record["prev"] != prev:
                return BadRecord(number, "tampered", "broken link: prev is not the line before")
            if record["seq"] != seq + 1:
                why = f"record number {record['seq']} follows {seq}"
                return BadRecord(number, "tampered", why)
            seq = record["seq"]
            if last and not ended:
                torn = torn or BadRecord(number, "torn", "the line has no end")
        prev = hashlib.sha256(line).hexdigest()
    return torn
