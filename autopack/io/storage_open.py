"""Open a folder below an open root: no link on the way is followed, no mount is crossed.

Linux does it in one call, `openat2(2)` with RESOLVE_NO_SYMLINKS and RESOLVE_NO_XDEV, which sees
bind mounts too. Elsewhere, and where a sandbox forbids the call, names are opened one by one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPENAT2 = 437
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x01, 0x02, 0x04, 0x08
_LONGEST = 4000
"""Bytes of a path that one call takes; PATH_MAX is 4096 with the end."""
_NEAR = 64
_UNKNOWN = {errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG}


class Opener:
    """Opens folders below one root."""

    def __init__(self, root: int, *, in_one_call: bool = True) -> None:
        self.root = root
        self.near: dict[bytes, int] = {}
        self.call = _openat2() if in_one_call else None
        flags = _NO_XDEV | _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH
        self.how = (ctypes.c_uint64 * 3)(_FOLDER, 0, flags)
        self.address = ctypes.addressof(self.how)
        if self.call is not None:
            self._try()

    def _try(self) -> None:
        try:
            os.close(self._at(self.root, b"."))
        except OSError as error:
            if error.errno in _UNKNOWN:
                self.call = None

    def open(self, path: bytes) -> int:
        """Return a folder's descriptor; the caller closes it.

        Raises:
            OSError: It is not there, may not be entered, or is behind a link (ELOOP, ENOTDIR) or a
                mount (EXDEV, as far as the system tells).
        """
        if self.call is None:
            return self._name_by_name(path)
        if len(path) <= _LONGEST:
            return self._at(self.root, path or b".")
        return self._piece_by_piece(path)

    def _piece_by_piece(self, path: bytes) -> int:
        descriptor = os.dup(self.root)
        for piece in _pieces(path):
            try:
                inner = self._at(descriptor, piece)
            finally:
                os.close(descriptor)
            descriptor = inner
        return descriptor

    def _name_by_name(self, path: bytes) -> int:
        """Open from the nearest folder that is still open, since walks go from near to near."""
        if not path:
            return self._at(self.root, b".")
        folder, _, name = path.rpartition(b"/")
        waiting = []
        while folder and folder not in self.near:
            waiting.append(folder)
            folder = folder.rpartition(b"/")[0]
        descriptor = self.near[folder] if folder else self.root
        for inner in reversed(waiting):
            descriptor = self._at(descriptor, inner.rpartition(b"/")[2])
            self.near[inner] = descriptor
            if len(self.near) > _NEAR:
                os.close(self.near.pop(next(iter(self.near))))
        return self._at(descriptor, name)

    def close(self) -> None:
        """Close the folders that are kept open."""
        while self.near:
            os.close(self.near.popitem()[1])

    def _at(self, folder: int, path: bytes) -> int:
        if self.call is None:
            return os.open(path, _FOLDER, dir_fd=folder)
        found = self.call(_OPENAT2, folder, path, self.address, 24)
        if found < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fsdecode(path))
        return found


def _pieces(path: bytes) -> list[bytes]:
    """Return a path in pieces that one call takes each."""
    pieces: list[bytes] = []
    for name in path.split(b"/"):
        if pieces and len(pieces[-1]) + 1 + len(name) <= _LONGEST:
            pieces[-1] += b"/" + name
        else:
            pieces.append(name)
    return pieces


def _openat2() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    call = ctypes.CDLL(None, use_errno=True).syscall
    long = ctypes.c_long
    call.argtypes = (long, long, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    call.restype = long
    return call
