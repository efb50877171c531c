"""Ledger ids: `BUILD-170.10` is a prefix and a tuple of integers, so it is not `170.1`."""

from __future__ import annotations

import unicodedata
from uuid import NAMESPACE_URL, uuid5

ID_NUMBER = rb"-\d{1,18}(?:\.\d{1,18}){0,8}(?!\d)"
"""What follows a prefix in an id; longer numbers are no ids, no integer or key holds them."""
_NAMESPACE = uuid5(NAMESPACE_URL, "autopack:sot")


def sort_key(ident: str) -> tuple[int, ...]:
    """Return the integers of a ledger id such as `BUILD-170.10`, for ordering."""
    return tuple(map(int, ident.rpartition("-")[2].split(".")))


def base(ident: str) -> str:
    """Return the id without its dotted part: `BUILD-170.10` → `BUILD-170`."""
    return ident.partition(".")[0]


def point_id(path: str, kind: str, ident: str, ordinal: int) -> str:
    """Return the vector id of one entry: a uuid5 of its key, the same on every machine."""
    return str(uuid5(_NAMESPACE, f"{path}\n{kind}\n{ident}\n{ordinal}"))


def slug(heading: str) -> str:
    """Return a stable key for a heading without an id: lower case, words joined by `-`."""
    kept = (
        char if unicodedata.category(char)[0] in "LN" or char == "_" else " "
        for char in heading.lower()
    )
    return "-".join("".join(kept).split())[:120]
