"""Mounts, attributes and users of a test, where the machine lets it have them; else it skips."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65_534


def _may(*command: str | Path) -> None:
    try:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip(f"there is no {command[0]}")
    if done.returncode:
        pytest.skip(f"{command[0]} is not allowed here: {done.stderr.strip()}")


@contextmanager
def bound(source: Path, target: Path, *, read_only: bool = False) -> Iterator[None]:
    """Show a folder at another place."""
    _may("mount", "--bind", source, target)
    try:
        if read_only:
            _may("mount", "-o", "remount,bind,ro", target)
        yield
    finally:
        subprocess.run(["umount", str(target)], check=True)


@contextmanager
def small_disk(target: Path, size: str) -> Iterator[None]:
    """Have a filesystem of this size at a folder."""
    _may("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", target)
    try:
        yield
    finally:
        subprocess.run(["umount", str(target)], check=True)


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Forbid every change of a file."""
    _may("chattr", "+i", path)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


_DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER = 1, 2, 3
_VERSION_3 = 0x20080522


@contextmanager
def without_rights() -> Iterator[None]:
    """Be bound by permissions, as root too: capset(2) takes away what overrides them."""
    if os.geteuid():
        yield  # they bind this one anyway
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    before = (ctypes.c_uint32 * 6)()
    if libc.capget(header, before):
        pytest.skip("capget is not allowed here")
    now = (ctypes.c_uint32 * 6)(*before)
    now[0] &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH | 1 << _FOWNER)
    if libc.capset(header, now):
        pytest.skip("capset is not allowed here")
    try:
        yield
    finally:
        assert libc.capset(header, before) == 0
