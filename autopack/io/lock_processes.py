"""What the system says of processes and of who holds a lock file."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import signal
import sys
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from autopack.locks.record import Moment, Process
from autopack.locks.verdict import Life
from autopack.settings import mask_command


def now() -> Moment:
    """Return this moment on both clocks."""
    return Moment(time.time(), time.monotonic())


def me() -> Process:
    """Return this process."""
    return _process(os.getpid())


@cache
def _process(pid: int) -> Process:
    boot = _text("/proc/sys/kernel/random/boot_id")
    return Process(platform.node(), boot, _namespace(), pid, look(pid).start or 0)


def _namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def command() -> str:
    """Return the command line of this process, without secrets."""
    return mask_command([os.path.basename(sys.argv[0] or "python"), *sys.argv[1:]])


def openers(paths: Iterable[str]) -> list[int]:
    """Return the other processes that have one of these files open, where `/proc` tells."""
    wanted = set()
    for path in paths:
        with contextlib.suppress(OSError):
            found = os.stat(path)
            wanted.add((found.st_dev, found.st_ino))
    pids = [int(entry) for entry in _listed("/proc") if entry.isdigit()]
    return [pid for pid in sorted(pids) if pid != os.getpid() and wanted & _opened(pid)]


def bearers(mark: bytes) -> list[int]:
    """Return the living processes whose environment has a `NAME=value`, where `/proc` tells."""
    found = []
    for entry in _listed("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError):  # it ended, or is somebody else's
                if mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
    return found


def _opened(pid: int) -> set[tuple[int, int]]:
    found = set()
    for descriptor in _listed(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):  # it was closed meanwhile
            of = os.stat(f"/proc/{pid}/fd/{descriptor}")
            found.add((of.st_dev, of.st_ino))
    return found


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def look(pid: int) -> Life:
    """Return what the system says of a pid; never a signal that could touch it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return Life(_exists(pid))
    except OSError:
        return Life(True)
    # The name in brackets may hold blanks and brackets of its own.
    fields = stat.rpartition(b")")[2].split()
    return Life(True, int(fields[19]), fields[0].decode())


def _exists(pid: int) -> bool | None:
    """Ask the kernel where `/proc` is missing or hides other people's processes."""
    if sys.platform == "win32":  # signal 0 is a console event there, not a question
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return None
    return True


def kill(process: Process) -> bool:
    """Send SIGKILL to exactly this process; False when it is not there any more.

    The handle is opened before the start time is compared, so the pid cannot change hands.

    Raises:
        OSError: It may not be killed, or the system has no such handles.
    """
    if not hasattr(os, "pidfd_open"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if look(process.pid).start != process.start or not process.start:
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


class FileId(NamedTuple):
    """A file as the kernel's lock table names it: device numbers and inode."""

    major: int
    minor: int
    inode: int


class Flock(NamedTuple):
    """One entry of the kernel's lock table."""

    shared: bool
    pid: int


def file_id(stat: os.stat_result) -> FileId:
    """Return the name of a file in the kernel's lock table."""
    return FileId(os.major(stat.st_dev), os.minor(stat.st_dev), stat.st_ino)


def flocks() -> dict[FileId, list[Flock]]:
    """Return who holds which file, as the kernel lists it; reading it disturbs nobody.

    It leaves out holders in other pid namespaces, so a file that is missing may still be held.
    """
    held: dict[FileId, list[Flock]] = {}
    for line in _text("/proc/locks").splitlines():
        fields = line.split()
        if len(fields) == 8 and fields[1] == "FLOCK":
            major, minor, inode = fields[5].split(":")
            key = FileId(int(major, 16), int(minor, 16), int(inode))
            held.setdefault(key, []).append(Flock(fields[3] == "READ", int(fields[4])))
    return held


def mountinfo() -> str:
    """Return the mount table; empty where there is none."""
    return _text("/proc/self/mountinfo")
