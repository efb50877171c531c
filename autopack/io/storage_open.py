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
_UNKNOWN = {errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG}


class Opener:
    """Opens folders below one root."""

    def __init__(self, root: int, *, in_one_call: bool = True) -> None:
        self.root = root
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
        if self.call is not None and len(path) <= _LONGEST:
            return self._at(self.root, path or b".")
        return self._step_by_step(path)

    def _step_by_step(self, path: bytes) -> int:
        descriptor = os.dup(self.root)
        try:
            for part in _parts(path, _LONGEST if self.call is not None else 0):
                inner = self._at(descriptor, part)
                os.close(descriptor)
                descriptor = inner
        except BaseException:
            os.close(descriptor)
            raise
        if not path:  # a copy would share its position with the root
            os.close(descriptor)
            return os.open(b".", _FOLDER, dir_fd=self.root)
        return descriptor

    def _at(self, folder: int, path: bytes) -> int:
        if self.call is None:
            return os.open(path, _FOLDER, dir_fd=folder)
        found = self.call(_OPENAT2, folder, path, self.address, 24)
        if found < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fsdecode(path))
        return found


def _parts(path: bytes, longest: int) -> list[bytes]:
    """Return a path in pieces of at most so many bytes, or of one name each."""
    parts: list[bytes] = []
    for name in path.split(b"/") if path else ():
        if parts and len(parts[-1]) + 1 + len(name) <= longest:
            parts[-1] += b"/" + name
        else:
            parts.append(name)
    return parts


def _openat2() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    call = ctypes.CDLL(None, use_errno=True).syscall
    long = ctypes.c_long
    call.argtypes = (long, long, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    call.restype = long
    return call
