"""Guards: inside a test, writing outside the temporary folders or leaving the machine fails.

They watch this process through audit events. A violation raises where it happens, and is
remembered, so that a test which swallows the exception fails all the same.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_SYSTEM = ("/dev", "/proc")


class GuardViolation(RuntimeError):
    """A test did what no test may do."""


class _Here(threading.local):
    checking = False
    dir_fd: int | None = None


_here = _Here()
_roots: set[str] = set(_SYSTEM)
_seen: list[str] = []
_watching = False


def allow(*folders: str | os.PathLike[str]) -> None:
    """Let tests write below these folders."""
    _roots.update(os.path.realpath(folder) for folder in folders)


@contextmanager
def watching(on: bool = True) -> Iterator[None]:
    """Switch the guards on in the body; `watching(False)` pauses them."""
    global _watching  # noqa: PLW0603 - an audit hook belongs to the whole process
    before, _watching = _watching, on
    try:
        yield
    finally:
        _watching = before


@contextmanager
def collected() -> Iterator[list[str]]:
    """Take the violations of the body out of the record; for tests of the guards."""
    start, taken = len(_seen), []
    try:
        yield taken
    finally:
        taken += _seen[start:]
        del _seen[start:]


@contextmanager
def reporting() -> Iterator[None]:
    """Raise at the end of the body what was violated in it and swallowed there."""
    try:
        with collected() as taken:
            yield
    except Exception as error:
        if taken:
            error.add_note("; ".join(dict.fromkeys(taken)))
        raise
    if taken:
        raise GuardViolation("; ".join(dict.fromkeys(taken)))


# --- files ------------------------------------------------------------------------------------


def _folder_of(dir_fd: int | None) -> str | None:
    """Return the folder that a relative name starts from; None where nobody can tell."""
    if dir_fd is None or dir_fd < 0:
        return os.getcwd()
    try:
        return os.readlink(f"/proc/self/fd/{dir_fd}")
    except OSError:
        return None


def _outside(path: Any, dir_fd: int | None = None, *, follow: bool = True) -> str | None:
    """Return the real path if a test may not change it."""
    if path is None or isinstance(path, int):
        return None
    folder = _folder_of(dir_fd)
    if folder is None:
        return None
    name = os.path.join(folder, os.fsdecode(path))
    head, tail = os.path.split(name.rstrip("/"))
    real = os.path.realpath(name) if follow else os.path.join(os.path.realpath(head), tail)
    inside = any(real == root or real.startswith(root + os.sep) for root in _roots)
    return None if inside or "__pycache__" in real.split(os.sep) else real


def _wrote(what: str, real: str | None) -> str | None:
    if real is None:
        return None
    return f"a test may write only below its temporary folders, and {what} hit {real}; use tmp_path"


def _opened(path: Any, _mode: Any, flags: int) -> str | None:
    return _wrote("open", _outside(path, _here.dir_fd)) if flags & _WRITES else None


def _changed(what: str, *, follow: bool, dir_fd: int = -1) -> Callable[..., str | None]:
    """Return the check of an event whose first argument is the path that changes."""

    def check(path: Any, *rest: Any) -> str | None:
        fd = rest[dir_fd] if rest and isinstance(rest[dir_fd], int) else None
        return _wrote(what, _outside(path, fd, follow=follow))

    return check


def _renamed(old: Any, new: Any, old_fd: int, new_fd: int) -> str | None:
    return _wrote("rename", _outside(old, old_fd, follow=False)) or _wrote(
        "rename", _outside(new, new_fd, follow=False)
    )


def _linked(_old: Any, new: Any, *fds: int) -> str | None:
    return _wrote("link", _outside(new, fds[-1], follow=False))


def _opened_database(name: Any) -> str | None:
    """Check a SQLite database: the library opens the file itself, without an event."""
    path = os.fsdecode(name)
    if path.startswith("file:"):
        path, _, query = path.removeprefix("file:").partition("?")
        options = parse_qs(query)
        if options.get("mode", [""])[0] in ("ro", "memory") or "immutable" in options:
            return None
        path = "/" + path.lstrip("/") if path.startswith("/") else path
    return None if path in ("", ":memory:") else _wrote("sqlite3.connect", _outside(path))


# --- network ----------------------------------------------------------------------------------


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _stays_here(host: Any) -> bool:
    """Return whether the name or address is this machine's own."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    address = _literal(name)
    if address is not None:
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback
    return name in ("", "localhost", socket.gethostname()) or name.endswith(".localhost")


def _left(what: str, host: Any) -> str:
    return f"a test may talk only to this machine, and {what} named {host}; use a loopback server"


def _connected(what: str) -> Callable[..., str | None]:
    def check(sock: Any, address: Any) -> str | None:
        inet = sock.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple)
        return _left(what, address[0]) if inet and not _stays_here(address[0] or "::") else None

    return check


def _resolved(host: Any, *_rest: Any) -> str | None:
    """Check a look-up; an address needs none, so `connect` decides about it."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    return None if _literal(text) or _stays_here(text) else _left("a look-up", text)


_CHECKS: dict[str, Callable[..., str | None]] = {
    "open": _opened,
    "os.mkdir": _changed("mkdir", follow=False),
    "os.rmdir": _changed("rmdir", follow=False),
    "os.remove": _changed("remove", follow=False),
    "os.chmod": _changed("chmod", follow=True),
    "os.chown": _changed("chown", follow=True),
    "os.utime": _changed("utime", follow=True),
    "os.truncate": lambda path, _length: _wrote("truncate", _outside(path)),
    "os.rename": _renamed,
    "os.link": _linked,
    "os.symlink": _linked,
    "sqlite3.connect": _opened_database,
    "socket.connect": _connected("connect"),
    "socket.sendto": _connected("sendto"),
    "socket.bind": _connected("bind"),
    "socket.getaddrinfo": _resolved,
    "socket.gethostbyname": _resolved,
}


def _refuse(problem: str | None) -> None:
    if problem:
        _seen.append(problem)
        raise GuardViolation(problem)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watching or event not in _CHECKS or _here.checking:
        return
    _here.checking = True
    try:
        problem = _CHECKS[event](*args)
    finally:
        _here.checking = False
    _refuse(problem)


@functools.cache
def install() -> None:
    """Start the guards, once per process; they stay silent until `watching()`."""
    sys.addaudithook(_hook)
    _tell_the_hook_about_dir_fd()
    _guard_postgres()


def _tell_the_hook_about_dir_fd() -> None:
    """Wrap `os.open`: its audit event leaves out the folder that a relative name starts from."""
    opened = os.open

    @functools.wraps(opened)
    def open_at(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        _here.dir_fd = dir_fd
        try:
            return opened(path, flags, mode, dir_fd=dir_fd)
        finally:
            _here.dir_fd = None

    os.open = open_at
    os.supports_dir_fd.add(open_at)


def _guard_postgres() -> None:
    """Wrap psycopg's connect: libpq opens its sockets itself, without an event."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    connect = psycopg.Connection.connect.__func__

    def guarded(cls: Any, conninfo: str = "", **options: Any) -> Any:
        known = {k: v for k, v in options.items() if k in ("host", "hostaddr")}
        target = conninfo_to_dict(conninfo, **known)
        for host in f"{target.get('host') or ''},{target.get('hostaddr') or ''}".split(","):
            if _watching and not host.startswith(("/", "@")) and not _stays_here(host):
                _refuse(_left("psycopg.connect", host))
        return connect(cls, conninfo, **options)

    psycopg.Connection.connect = classmethod(guarded)
    psycopg.connect = psycopg.Connection.connect
