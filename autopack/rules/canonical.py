"""One spelling of a JSON value, so that its digest names it: RFC 8785 without floats.

Keys are in the order of their UTF-16 code units, nothing is escaped that need not be. Floats have
no place in what is signed here, so their one hard rule is not needed; one is refused.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any


def canonical(value: Any) -> bytes:
    """Return the bytes of a JSON value.

    Raises:
        TypeError: There is a float, or something that JSON has no word for.
        UnicodeEncodeError: There is a lone surrogate.
    """
    text = json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8")


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=_utf16)}
    if isinstance(value, (list, tuple)):
        return [_ordered(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def digest(value: Any) -> str:
    """Return what names a value: `sha256:` and 64 hex digits of its canonical bytes."""
    return f"sha256:{sha256(canonical(value)).hexdigest()}"


def digest_of_bytes(data: bytes | None) -> str:
    """Return what names a file's bytes; a file that is not there has a name too."""
    return "absent" if data is None else f"sha256:{sha256(data).hexdigest()}"
