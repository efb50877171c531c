"""What a derived index lacks, has too much of, or holds in an older version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest

from autopack.report import Finding
from autopack.sot.entries import Key, keyed
from autopack.sot.ledgers import Ledger
from autopack.sot.segment import segment
from autopack.sot.segments import Kind, Segments

SHOWN = 5
"""How many entries of a group a finding names."""


@dataclass(frozen=True)
class Gap:
    """How one index differs from one ledger, entries named as people name them."""

    path: str
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


def compare_rebuilt(ledger: Ledger, now: Segments, stored: bytes) -> Gap:
    """Compare a ledger with its bytes as they were rebuilt from an index, which differ."""
    wanted, held = _digests(now), _digests(segment(ledger, stored))
    stale = [key for key in wanted if key in held and held[key] != wanted[key]]
    missing = [key for key in wanted if key not in held]
    extra = [key for key in held if key not in wanted]
    if not (stale or missing or extra):
        return Gap(ledger.path, stale=("the text between the entries",))
    named = [tuple(map(shown, keys)) for keys in (missing, extra, stale)]
    return Gap(ledger.path, *named)


def _digests(segments: Segments) -> dict[Key, bytes]:
    return {key: sha256(segments.content(i)).digest() for i, key in keyed(segments)}


def shown(key: Key) -> str:
    """Return how a person knows an entry: its id, and which of its segments."""
    which = f" {key.ordinal}" if key.ordinal > 1 else ""
    return f"{key.ident} ({Kind(key.kind).name.lower().replace('_', ' ')}{which})"


def mislabelled(segments: Segments, labels: Sequence[tuple[int, str]]) -> int:
    """Return how many rows of an index carry another kind or id than the segment they hold."""
    wanted = zip(segments.kinds, segments.idents, strict=True)
    return sum(a != b for a, b in zip_longest(wanted, labels))


def whole(path: str, problem: str) -> Gap:
    """Return the gap of a ledger that one side lacks as a whole: `missing` or `extra`."""
    text = ("the whole ledger",)
    return Gap(path, missing=text) if problem == "missing" else Gap(path, extra=text)


def gap_findings(index: str, gaps: Iterable[Gap], fix: str) -> Iterator[Finding]:
    """Yield a finding per ledger and group; `index` is `database` or `vectors`."""
    for gap in gaps:
        for what in ("missing", "extra", "stale"):
            names: tuple[str, ...] = getattr(gap, what)
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                words = f"{len(names)} {what}: {', '.join(names[:SHOWN])}{more}"
                yield Finding(f"{index}_{what}", "error", gap.path, None, words, fix)
