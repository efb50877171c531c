"""What forbids publishing: the previous generation stays until a person says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autopack.report import Finding

SHRINK_FROM = 20
"""A ledger with at least this many entries is guarded against shrinking."""
SHRINK_SHARE = 0.20

ACCEPT = "restore the ledger; or add --accept-shrink, if that is intended"


@dataclass(frozen=True)
class Size:
    """How much a ledger holds: its bytes are blank or not, and its entries."""

    blank: bool
    entries: int


def losses(
    stored: Mapping[str, int], now: Mapping[str, Size], what: str = "entries"
) -> Iterator[Finding]:
    """Yield a finding for each ledger that is empty, vanished or shrank by over 20 %.

    Args:
        stored: Entries by path in the published generation.
        now: Sizes by path on disk.
        what: What is counted.
    """
    for path, size in now.items():
        if size.blank:
            yield _loss("empty_ledger", path, "the ledger is empty")
        elif path in stored and _shrank(stored[path], size.entries):
            message = f"{what} shrank from {stored[path]} to {size.entries}, by over 20 %"
            yield _loss("ledger_shrank", path, message)
    for path in stored.keys() - now.keys():
        message = f"the index holds {stored[path]} {what} of this ledger, but the file is gone"
        yield _loss("ledger_vanished", path, message)


def _shrank(before: int, after: int) -> bool:
    return before >= SHRINK_FROM and after < before * (1 - SHRINK_SHARE)


def _loss(code: str, path: str, message: str) -> Finding:
    return Finding(code, "error", path, None, message, ACCEPT)
