"""One spelling of a JSON value, so that its digest names it: RFC 8785 without floats.

Keys are in the order of their UTF-16 code units, nothing is escaped that need not be. Floats have
no place in what is signed here: two programs may spell one number differently before it comes here.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any


def canonical(value: Any) -> bytes:
    """Return the bytes of a JSON value.

    Raises:
        TypeError: There is a float.
        ValueError: There is a lone surrogate, an integer beyond 2**53 - 1, or something that JSON
            has no word for.
    """
    import rfc8785

    if _has_float(value):
        raise TypeError("a float has no place in what is signed")
    return rfc8785.dumps(value)


def _has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_float(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_float(item) for item in value)
    return isinstance(value, float)


def digest(value: Any) -> str:
    """Return what names a value: `sha256:` and 64 hex digits of its canonical bytes."""
    return digest_of_bytes(canonical(value))


def digest_of_bytes(data: bytes | None) -> str:
    """Return what names a file's bytes; a file that is not there has a name too."""
    return "absent" if data is None else f"sha256:{sha256(data).hexdigest()}"
