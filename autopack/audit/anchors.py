"""Heads of a chain that are kept elsewhere: what they prove, and what their silence leaves open.

The links alone show an edit in the middle. That the newest records are gone, or that everything was
written anew, only a head shows that whoever did it could not reach.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from autopack.audit.chain import BadRecord, Chain, Head
from autopack.errors import UsageError
from autopack.report import Finding

_HEAD = re.compile(r"([1-9]\d{0,14}):([0-9a-f]{64})")
ASK = "find out who changed it; an older copy may hold the records: python -m flows.audit heads"


@dataclass(frozen=True)
class Anchor:
    """A head as somebody else kept it: who that is, since when, and how the chain was meant then.

    A `fork` may rightly have gone another way since: it is the head of a copy of the workspace.
    """

    head: Head
    source: str
    at: str = ""
    fork: bool = False


def head_of(text: str) -> Head:
    """Return the head that `SEQ:SHA256` names.

    Raises:
        UsageError: It names none.
    """
    match = _HEAD.fullmatch(text.strip().lower())
    if not match:
        raise UsageError(
            f"--head {text[:80]!r} is no SEQ:SHA256",
            next_step="copy the head from a report's audit line, for instance 12:3f0c… in full",
        )
    return Head(int(match[1]), match[2])


def judge(path: str, chain: Chain) -> list[Finding]:
    """Return what the chain's own lines show."""
    found = []
    if chain.tampered:
        found.append(Finding("chain_tampered", "error", path, *_what(chain.tampered), ASK))
    if chain.torn:
        found.append(Finding("chain_torn", "warning", path, *_what(chain.torn)))
    return found


def _what(bad: BadRecord) -> tuple[int, str]:
    return bad.line, f"record {bad.seq}: {bad.why}"


def compare(path: str, chain: Chain, anchors: Sequence[Anchor]) -> list[Finding]:
    """Return what heads from elsewhere show of a chain: that it was cut, or written anew."""
    ours = [anchor for anchor in anchors if not anchor.fork]
    end = chain.head.seq if chain.head else 0
    return [
        *_lost(path, [anchor for anchor in ours if anchor.head.seq > end], end),
        *_other(path, chain, [anchor for anchor in ours if anchor.head.seq <= end]),
        *_forked(path, [anchor for anchor in anchors if anchor.fork and not holds(chain, anchor)]),
    ]


def holds(chain: Chain, anchor: Anchor) -> bool:
    """Return whether the chain still has the record that an anchor names."""
    return chain.heads.get(anchor.head.seq) == anchor.head.sha256


def _lost(path: str, lost: Sequence[Anchor], end: int) -> list[Finding]:
    def say(first: Anchor) -> str:
        return (
            f"the chain was cut: it ends with record {end}, {_told(first)} has record "
            f"{first.head.seq}"
        )

    return _first("chain_cut", path, lost, say)


def _other(path: str, chain: Chain, anchors: Sequence[Anchor]) -> list[Finding]:
    other = [anchor for anchor in anchors if not holds(chain, anchor)]
    low = min((anchor.head.seq for anchor in other), default=0)
    good = max((a.head.seq for a in anchors if holds(chain, a) and a.head.seq < low), default=0)

    def say(first: Anchor) -> str:
        since = f"; record {good} still is" if good else ""
        return f"record {first.head.seq} is not the one that {_told(first)} has{since}"

    return _first("chain_rewritten", path, other, say)


def _first(
    code: str, path: str, anchors: Sequence[Anchor], say: Callable[[Anchor], str]
) -> list[Finding]:
    """Return one finding for all of these anchors, about the one with the lowest number."""
    if not anchors:
        return []
    more = len(anchors) - 1
    rest = f" ({more} more head{'s' if more > 1 else ''} say{'' if more > 1 else 's'} so)"
    first = min(anchors, key=lambda anchor: anchor.head)
    return [Finding(code, "error", path, None, f"{say(first)}{rest if more else ''}", ASK)]


def _told(anchor: Anchor) -> str:
    return f"{anchor.source}{f', {anchor.at},' if anchor.at else ''}"


def _forked(path: str, forks: Sequence[Anchor]) -> list[Finding]:
    if not forks:
        return []
    first = min(forks, key=lambda anchor: anchor.head)
    line = (
        f"{first.source} has record {first.head.seq} of another checkout whose chain began as this "
        "one did: that is a copy, or this chain was cut or written anew"
    )
    return [Finding("chain_forked", "warning", path, None, line)]


def proven(chain: Chain, anchors: Iterable[Anchor]) -> int:
    """Return the number of the newest record that a head from elsewhere still holds, or 0."""
    return max((anchor.head.seq for anchor in anchors if holds(chain, anchor)), default=0)


def open_tail(path: str, chain: Chain, anchors: Sequence[Anchor]) -> list[Finding]:
    """Say which of the newest records nobody could vouch for; a head that differs says more."""
    end, upto = chain.head.seq if chain.head else 0, proven(chain, anchors)
    if upto >= end or any(not (anchor.fork or holds(chain, anchor)) for anchor in anchors):
        return []
    if upto == 0:
        line = "the tail cannot be proven: no head from elsewhere could be compared"
        return [Finding("tail_open", "warning", path, None, line, _KEEP)]
    line = f"the records after {upto} are newer than every head that was compared"
    return [Finding("tail_newer", "info", path, None, line)]


_KEEP = "pass --head SEQ:SHA256 from an earlier report, or set AUTOPACK_AUDIT_KEY for the next runs"
