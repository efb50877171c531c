"""Ed25519 keys and signatures (RFC 8032): key files that only their owner can read, as PEM.

A signature says who: whoever holds the private key. What it covers must name its own kind, so that
a signature under one paper is none under another.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from autopack.errors import Refused, Unreachable, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LONGEST = 16_384
"""Bytes that are read of a key file; one of Ed25519 has about 120."""


def make_key(path: Path) -> str:
    """Make a key, write its private half (PKCS 8, mode 0600) to a new file, return the public one.

    Raises:
        Refused: Something has that name already; it is never replaced.
        Unreachable: The folder cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_new(path, data)
    return _public_hex(key)


def public_of(path: Path) -> str:
    """Return the public half of a private key file as 64 hex digits; raises what `sign` raises."""
    return _public_hex(_load(path))


def sign(path: Path, data: bytes) -> str:
    """Return the signature over some bytes, as 128 hex digits, made with a private key file.

    Raises:
        Refused: Others can read the file or it is not ours, or it is a link or no plain file.
        UsageError: It is not there, or holds no unencrypted Ed25519 key.
        Unreachable: It cannot be read.
    """
    return _load(path).sign(data).hex()


def verify(public_hex: str, data: bytes, signature_hex: str) -> bool:
    """Return whether a signature over these bytes was made with the key; nonsense is no signature.

    Hex digits are lower case, so that a signature has one spelling.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public, signature = _bytes_of(public_hex, 32), _bytes_of(signature_hex, 64)
    if public is None or signature is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _bytes_of(digits: str, length: int) -> bytes | None:
    try:
        made = bytes.fromhex(digits)
    except ValueError:
        return None
    return made if len(made) == length and made.hex() == digits else None


def _public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def _write_new(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)  # whatever the umask took away
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise Refused(
            f"{path} is there already; a key is never replaced",
            next_step="name a file that does not exist yet",
        ) from None
    except OSError as error:
        raise Unreachable(
            f"{path}: {error.strerror or error}; no key was made",
            next_step="name a file in a folder that is there and can be written",
            permanent=True,
        ) from None


def _load(path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    data = _read_private(path)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # no PEM, encrypted, an unknown kind
        raise _no_key(path) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    return key


def _no_key(path: Path) -> UsageError:
    return UsageError(
        f"{path} holds no unencrypted Ed25519 private key in PEM",
        next_step="make one: python -m flows.audit key NEW_FILE",
    )


def _read_private(path: Path) -> bytes:
    """Return a file that only we can read; what was looked at is what is read."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
        try:
            _check_private(path, os.fstat(descriptor))
            return os.read(descriptor, _LONGEST)
        finally:
            os.close(descriptor)
    except OSError as error:
        _explain(path, error)


def _check_private(path: Path, seen: os.stat_result) -> None:
    if not stat.S_ISREG(seen.st_mode):
        raise Refused(f"the key {path} is no plain file", next_step="name the key file itself")
    if seen.st_uid != os.geteuid():
        raise Refused(
            f"the key {path} belongs to user {seen.st_uid}, not to this process",
            next_step="use a key of your own",
        )
    if seen.st_mode & 0o077:
        raise Refused(
            f"the key {path} can be read by others (mode {stat.S_IMODE(seen.st_mode):04o})",
            next_step=f"chmod 600 {path}; if somebody may have read it, make a new key",
        )


def _explain(path: Path, error: OSError) -> NoReturn:
    if path.is_symlink():
        raise Refused(
            f"the key {path} is a link", next_step=f"name the file itself: {os.path.realpath(path)}"
        ) from None
    if isinstance(error, FileNotFoundError):
        raise UsageError(
            f"there is no key {path}",
            next_step=f"make one: python -m flows.audit key {path}",
        ) from None
    raise Unreachable(
        f"the key {path}: {error.strerror}", next_step=f"chmod 600 {path}", permanent=True
    ) from None
