"""Give links the target they mean: new bytes for exactly their spans, proven afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from autopack.links.model import Page
from autopack.links.stubs import read_stub
from autopack.links.verdict import Candidate, Layer, Verdict

Leads = Callable[[Page], Sequence[Verdict]]
"""Judges a page; only links that do not work have a verdict."""


@dataclass(frozen=True, slots=True)
class Mend:
    """One new destination: the bytes `start:end` of a page become `new`."""

    start: int
    end: int
    new: bytes
    verdict: Verdict
    meant: Candidate


@dataclass(frozen=True)
class Mended:
    """A page with its mends made, which were proven, and what was left out."""

    data: bytes
    mends: tuple[Mend, ...]
    unproven: tuple[Verdict, ...] = ()


def mends_of(verdicts: Iterable[Verdict], trusted: Layer = "certain") -> list[Mend]:
    """Return the mends of the layers that are trusted, by place; a shared definition has one."""
    found: dict[tuple[int, int], Mend] = {}
    for verdict in verdicts:
        meant, link = verdict.meant(trusted), verdict.link
        if meant is not None and link is not None and link.span is not None:
            new = meant.target.replace("&", "&amp;").encode("utf-8", "surrogateescape")
            found.setdefault(link.span, Mend(*link.span, new, verdict, meant))
    return [found[span] for span in sorted(found)]


def mend(
    page: Page,
    data: bytes,
    verdicts: Sequence[Verdict],
    judge: Leads,
    trusted: Layer = "certain",
) -> Mended:
    """Return the page with every mend of a trusted layer that proves right when it is read again.

    Proven means: the page has the same links as before, those that were mended lead where they
    were meant to, and all others have the target they had. A redirect stub is left as it is: it
    would no longer be known by its digest.
    """
    wanted = mends_of(verdicts, trusted) if read_stub(page.path, data) is None else []
    good = _proven(page, data, wanted, judge)
    spans = {(m.start, m.end) for m in good}
    left = [m.verdict for m in wanted if (m.start, m.end) not in spans]
    return Mended(spliced(data, good), tuple(good), tuple(left))


def _proven(page: Page, data: bytes, mends: list[Mend], judge: Leads) -> list[Mend]:
    """Return the mends that hold together; where they do not, each half is tried by itself."""
    if not mends or proves(page, data, mends, judge):
        return mends
    if len(mends) == 1:
        return []
    half = len(mends) // 2
    halves = [_proven(page, data, part, judge) for part in (mends[:half], mends[half:])]
    both = halves[0] + halves[1]
    return both if proves(page, data, both, judge) else max(halves, key=len)


def proves(page: Page, data: bytes, mends: Sequence[Mend], judge: Leads) -> bool:
    """Return whether these mends change the targets they name, and nothing else."""
    from autopack.links.extract import read_page

    after = read_page(page.path, spliced(data, mends))
    if len(after.links) != len(page.links) or after.anchors != page.anchors:
        return False
    by_span = {(m.start, m.end): m.meant for m in mends}
    arrives = ("missing_anchor", "redirected")
    broken = {v.link for v in judge(after) if v.category not in arrives}
    for old, new in zip(page.links, after.links, strict=True):
        meant = by_span.get(old.span) if old.span else None
        if meant is None:
            if (old.kind, old.target) != (new.kind, new.target):
                return False
        elif new in broken or new.target != meant.target:
            return False
    return True


def spliced(data: bytes, mends: Iterable[Mend]) -> bytes:
    """Return the page's bytes with every mend made; mends do not overlap."""
    out, at = [], 0
    for one in sorted(mends, key=lambda one: one.start):
        out += [data[at : one.start], one.new]
        at = one.end
    return b"".join([*out, data[at:]])


def unmendable(verdict: Verdict) -> Verdict:
    """Return a verdict whose candidates are not certain: where its target stands is not known."""
    weaker = tuple(replace(c, layer="fuzzy") for c in verdict.candidates)
    return replace(verdict, candidates=weaker)
