"""Judge every claim of a page against the true counts; what is wrong, missing or said twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from autopack.report import Finding, Severity
from autopack.sot.blocks import MARKS, Block, Place, find_block
from autopack.sot.claims import (
    Claim,
    meta_claims,
    navigation_claims,
    readme_claims,
    summary_claims,
    summary_lines,
)
from autopack.sot.counts import Counts
from autopack.sot.ledgers import COUNTED, Ledger

MEND = "python -m flows.sot_counts --execute"
Problem = Literal["drift", "unnamed", "missing", "duplicated", "unclosed"]
Truth = Mapping[str, Counts | None]
"""The counts of every ledger that exists, by its prefix; None where they cannot be trusted."""


@dataclass(frozen=True)
class Drift:
    """One claim that is not true as it stands, or not there.

    `mendable` says that it stands in an owned block, which the generator rewrites.
    """

    place: Place | Literal["navigation"]
    problem: Problem
    path: str
    line: int | None
    message: str
    ledger: Ledger | None = None
    count: str | None = None
    claimed: int | str | None = None
    true: int | str | None = None
    mendable: bool = False
    absent: bool = False

    def finding(self) -> Finding:
        """Return the finding; META alone, and a block that was never there, are warnings."""
        mild = self.place == "meta" or self.absent or (self.place, self.problem) == _LOOSE
        severity: Severity = "warning" if mild else "error"
        code = f"{self.place}_{self.problem}"
        fix = MEND if self.mendable else _BY_HAND.get(self.problem, "")
        return Finding(code, severity, self.path, self.line, self.message, fix)

    def as_json(self) -> dict[str, object]:
        """Return the claim and the truth, for programs."""
        return {
            "place": self.place, "problem": self.problem, "path": self.path, "line": self.line,
            "ledger": self.ledger.stem if self.ledger else None, "count": self.count,
            "claimed": self.claimed, "true": self.true,
        }  # fmt: skip


_LOOSE = ("navigation", "unnamed")
_BY_HAND: dict[Problem, str] = {
    "drift": "correct the line by hand: it stands outside a generated block",
    "unnamed": "say which count it is, for instance `168 build entries (149 unique builds)`",
    "duplicated": "remove one of the two by hand",
    "unclosed": "write the closing marker on a line of its own",
    "missing": "",
}


def check_ledger(ledger: Ledger, data: bytes, preamble: int, truth: Truth) -> list[Drift]:
    """Return what is wrong before the first h2 of a ledger, which ends at `preamble`."""
    page = _Page(ledger.path, data, truth)
    meta = page.owned("meta", preamble)
    if meta:
        wanted = [(ledger, "index_entries")]
        page.judge(meta_claims(data, meta), wanted, meta)
    summary = page.owned("summary", preamble)
    lines = summary_lines(data, 0, preamble)
    inside = [line for line in lines if summary and summary.start <= line.start() < summary.end]
    if summary:
        first = inside[0].end() if inside else summary.end
        own = summary_claims(data, ledger, summary.start, first)
        page.judge(own, [(ledger, name) for name in required(truth.get(ledger.prefix))], summary)
    for line in lines:
        if line not in (inside or lines)[:1]:
            page.twice("summary", line.start(), "**Summary** line", ledger, line in inside)
        if line not in inside[:1]:
            page.judge(summary_claims(data, ledger, line.start(), line.end()), [], None)
    return sorted(page.found, key=lambda drift: drift.line or 0)


def check_page(path: str, data: bytes, truth: Truth, *, navigation: bool) -> list[Drift]:
    """Return what is wrong in a page's README summary, and in a navigation page's prose."""
    page = _Page(path, data, truth)
    block = page.owned("readme", None, quiet=navigation or not truth)
    if block:
        wanted = [
            (ledger, name)
            for ledger in COUNTED
            if truth.get(ledger.prefix)
            for name in (*required(truth[ledger.prefix]), *_LATEST.get(ledger.prefix, ()))
        ]
        page.judge(readme_claims(data, block), wanted, block)
    if navigation:
        page.judge(navigation_claims(data, block), [], None)
    return sorted(page.found, key=lambda drift: drift.line or 0)


_LATEST = {"BUILD": ("latest",)}


def required(counts: Counts | None) -> tuple[str, ...]:
    """Return the counts a summary states: dotted ids only where there are any."""
    if counts is None:
        return ()
    dotted = counts.unique_ids != counts.unique_base
    return ("index_entries", "unique_base", *(("unique_ids",) if dotted else ()))


def _true(counts: Counts, name: str) -> int | str:
    """Return a count; the latest id of a ledger without entries is `none`, as its page says."""
    count: int | str | None = getattr(counts, name)
    return count if count is not None and count != "" else "none"


class _Page:
    """One page under judgement."""

    def __init__(self, path: str, data: bytes, truth: Truth) -> None:
        self.path, self.data, self.truth = path, data, truth
        self.found: list[Drift] = []
        self._counted = (0, 1)

    def line(self, offset: int) -> int:
        """Return an offset's line; counting goes on where it stopped, for thousands of claims."""
        at, line = self._counted if self._counted[0] <= offset else (0, 1)
        self._counted = (offset, line + self.data.count(b"\n", at, offset))
        return self._counted[1]

    def owned(self, place: Place, limit: int | None, quiet: bool = False) -> Block | None:
        """Return the block of a place, or note why there is none to own."""
        found = find_block(place, self.data, limit)
        if found.problem and not (quiet and found.problem == "missing"):
            words = {
                "missing": f"no {_NAMES[place]}; write the lines {MARKS[place]}, and "
                "--execute fills it",
                "duplicated": f"a second {_NAMES[place]}: which one is meant?",
                "unclosed": f"the {_NAMES[place]} is never closed",
            }[found.problem]
            line = self.line(found.offset) if found.offset is not None else None
            missing = found.problem == "missing"
            self.found.append(Drift(place, found.problem, self.path, line, words, absent=missing))
        return found.block

    def twice(self, place: Place, offset: int, what: str, ledger: Ledger, mendable: bool) -> None:
        words = f"a second {what} before the first h2"
        self.found.append(
            Drift(place, "duplicated", self.path, self.line(offset), words, ledger,
                  mendable=mendable)
        )  # fmt: skip

    def judge(
        self, claims: Iterable[Claim], wanted: Sequence[tuple[Ledger, str]], block: Block | None
    ) -> None:
        """Judge claims one by one, then say what a block should state and does not."""
        seen: dict[tuple[str, str], int] = {}
        vague = set()
        for claim in claims:
            counts = self.truth.get(claim.ledger.prefix)
            if counts is None:
                self._about_nothing(claim)
                continue
            if claim.count is None:
                vague.add(claim.ledger.stem)
                self._unnamed(claim, counts, block)
                continue
            # A META block has one total, whichever counts its line names.
            key = (claim.ledger.stem, "index_entries" if claim.place == "meta" else claim.count)
            again = key in seen and (claim.place != "meta" or seen[key] != claim.offset)
            seen.setdefault(key, claim.offset)
            if block and again:
                self._add(claim, "duplicated", f"states {_shown(claim.count)} twice", block)
            self._compare(claim, _true(counts, claim.count), block)
        for ledger, name in wanted:
            counts = self.truth.get(ledger.prefix)
            stated = (ledger.stem, name) in seen or ledger.stem in vague
            if block and counts and not stated:
                self._absent(block, ledger, name, _true(counts, name))

    def _compare(self, claim: Claim, true: int | str, block: Block | None) -> None:
        if claim.value != true:
            words = f"claims {claim.words!r}; true is {true} ({claim.count} of {claim.ledger.stem})"
            self._add(claim, "drift", words, block, true)

    def _unnamed(self, claim: Claim, counts: Counts, block: Block | None) -> None:
        names = required(counts)
        which = ", ".join(f"{getattr(counts, name)} {_shown(name)} ({name})" for name in names)
        stem = claim.ledger.stem
        words = f"{claim.words!r} does not say which count it is; {stem} has {which}"
        self._add(claim, "unnamed", words, block, which)
        possible = {getattr(counts, name) for name in names}
        if claim.place != "navigation" and claim.value not in possible:
            self._add(claim, "drift", f"claims {claim.words!r}; true is {which}", block, which)

    def _about_nothing(self, claim: Claim) -> None:
        if claim.ledger.prefix in self.truth:
            return  # its ledger cannot be counted, which is a finding of its own
        words = f"claims {claim.words!r}; {claim.ledger.path} does not exist"
        self._add(claim, "drift", words, None)

    def _absent(self, block: Block, ledger: Ledger, name: str, true: int | str) -> None:
        words = f"does not state {_shown(name)} of {ledger.stem}, {true} ({name})"
        self.found.append(
            Drift(block.place, "missing", self.path, self.line(block.opened), words, ledger, name,
                  None, true, mendable=self._may_mend(block))
        )  # fmt: skip

    def _may_mend(self, block: Block) -> bool:
        """A README block states every ledger, so all of them must be countable."""
        return block.place != "readme" or None not in self.truth.values()

    def _add(
        self, claim: Claim, problem: Problem, words: str, block: Block | None,
        true: int | str | None = None,
    ) -> None:  # fmt: skip
        line = self.line(claim.offset)
        self.found.append(
            Drift(claim.place, problem, self.path, line, words, claim.ledger, claim.count,
                  claim.value, true, mendable=block is not None and self._may_mend(block))
        )  # fmt: skip


_NAMES: dict[Place, str] = {
    "meta": "META block", "summary": "in-file summary", "readme": "SOT_SUMMARY block",
}  # fmt: skip
_SHOWN = {
    "index_entries": "entries", "unique_base": "unique", "unique_ids": "unique dotted ids",
    "latest": "the latest id",
}  # fmt: skip


def _shown(name: str) -> str:
    return _SHOWN.get(name, name)
