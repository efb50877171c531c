"""Rename a name to another one that is free, or not at all.

Linux does it in one call (renameat2, RENAME_NOREPLACE). Elsewhere, and on filesystems that do not
know the flag, a file gets its second name by `link`, which never replaces, and loses the first one
then; a folder is renamed onto an empty one that was made for it, which never replaces a full one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable
from functools import cache

_RENAME_NOREPLACE = 1
_UNKNOWN = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


def rename_no_replace(
    old: tuple[int, str], new: tuple[int, str], spare: str, fallback: Callable[[], None]
) -> None:
    """Rename `old` to `new`, each a name in an open folder.

    Args:
        old: What is renamed; a link is renamed itself.
        new: The name that must be free.
        spare: A name nobody else uses, in the folder of `old`.
        fallback: Is called before the first of the two steps where one call does not do.

    Raises:
        FileExistsError: The name is taken.
        OSError: It cannot be renamed; EXDEV between two filesystems.
    """
    if not in_one_call(old, new):
        fallback()
        if stat.S_ISDIR(os.stat(old[1], dir_fd=old[0], follow_symlinks=False).st_mode):
            _onto_an_empty_folder(old, new)
        else:
            _link(old, new)
            drop_first_name(old, new, spare)


def give_name(private: tuple[int, str], new: tuple[int, str], fallback: Callable[[], None]) -> None:
    """Rename something from a name that only its maker knows to one that must be free.

    Where one call does not do, `fallback` is called before the first of two steps; a crash between
    them leaves both names, or an empty folder under the new one.

    Raises:
        FileExistsError: The name is taken.
        OSError: It cannot be renamed.
    """
    if in_one_call(private, new):
        return
    fallback()
    if stat.S_ISDIR(os.stat(private[1], dir_fd=private[0], follow_symlinks=False).st_mode):
        _onto_an_empty_folder(private, new)
    else:
        _link(private, new)
        os.unlink(private[1], dir_fd=private[0])


def _link(old: tuple[int, str], new: tuple[int, str]) -> None:
    try:
        os.link(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0], follow_symlinks=False)
    except PermissionError:  # no second names here, or not for another user's file: copy it
        raise OSError(errno.EXDEV, "it cannot have a second name", old[1]) from None


def in_one_call(old: tuple[int, str], new: tuple[int, str]) -> bool:
    """Rename in one step, or return False because kernel or filesystem cannot; see above."""
    call = _renameat2()
    if call is None:
        return False
    sys.audit("os.rename", old[1], new[1], old[0], new[0])
    names = os.fsencode(old[1]), os.fsencode(new[1])
    if call(old[0], names[0], new[0], names[1], _RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return False
    kind = type(OSError(number, ""))
    raise kind(number, os.strerror(number), old[1], None, new[1])


@cache
def _renameat2() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    found = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if found is not None:
        number, text = ctypes.c_int, ctypes.c_char_p
        found.argtypes = (number, text, number, text, ctypes.c_uint)
    return found


def _onto_an_empty_folder(old: tuple[int, str], new: tuple[int, str]) -> None:
    os.mkdir(new[1], dir_fd=new[0])
    try:
        os.rename(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0])
    except OSError:
        with contextlib.suppress(OSError):
            os.rmdir(new[1], dir_fd=new[0])
        raise


def drop_first_name(old: tuple[int, str], new: tuple[int, str], spare: str) -> None:
    """Take away the first of a file's two names; something else under that name stays.

    Raises:
        FileExistsError: Something else came there meanwhile, and then one thing more, so that it
            could not get its name back; it is at `spare`.
    """
    os.rename(old[1], spare, src_dir_fd=old[0], dst_dir_fd=old[0])
    finish_drop(old, new, spare)


def finish_drop(old: tuple[int, str], new: tuple[int, str], spare: str) -> None:
    """Remove the spare name if it is the file's, or give back what it took."""
    taken = os.stat(spare, dir_fd=old[0], follow_symlinks=False)
    placed = os.stat(new[1], dir_fd=new[0], follow_symlinks=False)
    if os.path.samestat(taken, placed):
        os.unlink(spare, dir_fd=old[0])
        return
    give_name((old[0], spare), old, lambda: None)
