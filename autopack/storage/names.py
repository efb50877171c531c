"""Names as text: any file name has one spelling in UTF-8, from which its bytes come back."""

from __future__ import annotations

import re

_SWALLOWED = re.compile(r"[\x00-\x1f\x7f-\x9f]|\A | \Z|(?<= ) ")
_NAMED = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}
_ESCAPED = re.compile(r"\\(?:x([0-9a-f]{2})|\\)")


def spell(name: bytes) -> str:
    """Return a path as text; a backslash is doubled, a byte that is no UTF-8 is `\\xNN`."""
    text = name.replace(b"\\", b"\\\\").decode("utf-8", "surrogateescape")
    return "".join(
        f"\\x{ord(one) - 0xDC00:02x}" if 0xDC80 <= ord(one) <= 0xDCFF else one for one in text
    )


def unspell(text: str) -> bytes:
    """Return the bytes of a path that `spell` wrote."""
    return _ESCAPED.sub(
        lambda found: chr(0xDC00 + int(found[1], 16)) if found[1] else "\\", text
    ).encode("utf-8", "surrogateescape")


def shown(spelled: str) -> str:
    """Return a spelled path on one line: what a line would swallow is an escape of its own."""
    if spelled.isprintable() and "  " not in spelled and spelled == spelled.strip():
        return spelled
    return _SWALLOWED.sub(lambda found: _NAMED.get(found[0]) or f"\\x{ord(found[0]):02x}", spelled)
