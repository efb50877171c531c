"""Policies of two older formats as one of today's; where they disagree, the safer one holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autopack.report import Finding
from autopack.storage.policy import Caps, Category, Policy
from autopack.storage.policy_old import FIX, NEVER, Draft, Old, Part, read_old, unique


@dataclass(frozen=True)
class Imported:
    """A policy made of older ones, and what has to be said about it."""

    policy: Policy
    findings: tuple[Finding, ...]


def imported(olds: Sequence[Old]) -> Imported:
    """Return the policy that older ones come to; nothing may be executed under it.

    Raises:
        ValueError: A part of them is no policy at all; the message begins with file and line.
    """
    parts = [read_old(old) for old in olds]
    findings = [one for part in parts for one in part.findings]
    protected = _protected(parts)
    pinned = unique(glob for part in parts for glob in part.pinned)
    categories = dict(_categories(parts, findings))
    said = [d.retries for part in parts for d in part.categories.values() if d.retries is not None]
    retries = min([*said, 10]) if said else Policy().retries
    policy = Policy(protected=protected, pinned=pinned, categories=categories, retries=retries)
    return Imported(policy, tuple(findings))


def _protected(parts: Sequence[Part]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in parts:
        for name, globs in part.protected.items():
            found[_name(name)] = unique([*found.get(_name(name), []), *globs])
    return found


def _name(name: str) -> str:
    """Return a name as today's policies write them."""
    plain = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    return f"c_{plain}"[:64] if not plain[:1].isalpha() else plain[:64]


@dataclass(frozen=True)
class _Said:
    """What the files say of one category, and who said it."""

    name: str
    drafts: list[tuple[Part, Draft]]

    def tell(self, findings: list[Finding], words: str) -> None:
        part, _ = self.drafts[-1]
        line = part.old.line(("categories", self.name))
        words = f"{self.name}: {words}"
        findings.append(Finding("policy_safer", "warning", part.old.name, line, words, FIX))

    @property
    def shared(self) -> list[str]:
        """The globs that every file names."""
        first = self.drafts[0][1].match
        return [glob for glob in first if all(glob in draft.match for _, draft in self.drafts)]

    @property
    def rest(self) -> list[str]:
        """The globs that some files do not name."""
        every = unique(glob for _, draft in self.drafts for glob in draft.match)
        return [glob for glob in every if glob not in self.shared]


def _categories(parts: Sequence[Part], findings: list[Finding]) -> Iterator[tuple[str, Category]]:
    """Yield the categories; those that match everything come last, as the first match counts."""
    names = unique(name for part in parts for name in part.categories)
    said = [
        _Said(name, [(p, p.categories[name]) for p in parts if name in p.categories])
        for name in names
    ]
    last = [one for one in said if _everything(one)]
    for one in [one for one in said if one not in last]:
        yield from _category_of(one, parts, findings)
    yield from _only_retained(parts, said)
    for one in last:
        yield from _category_of(one, parts, findings)


def _everything(said: _Said) -> bool:
    return any(not glob.strip("*/") for _, draft in said.drafts for glob in draft.match)


def _category_of(
    said: _Said, parts: Sequence[Part], findings: list[Finding]
) -> Iterator[tuple[str, Category]]:
    goes = all(draft.delete for _, draft in said.drafts) and not _everything(said)
    if not goes and any(draft.delete for _, draft in said.drafts):
        said.tell(findings, "not every file lets it be deleted, so it is only reported")
    name = _name(said.name)
    shared, rest = unique(map(_unit, said.shared)), unique(map(_unit, said.rest))
    if shared:
        days = _days(said, parts, findings) if goes else None
        yield name, Category(
            match=shared, older_than_days=days, caps=_caps(said, findings),
            action="quarantine" if days is not None else "report",
        )  # fmt: skip
    if rest:
        if goes:
            said.tell(findings, f"only one file names {', '.join(rest)}: only reported")
        yield f"{name[:55]}_reported", Category(match=rest)


def _unit(glob: str) -> str:
    """Return a glob by which each thing in a named folder is an item; `**/x/**` stays: x is one."""
    whole = glob.startswith("**/") or not glob.endswith("/**") or not glob.strip("*/")
    return glob if whole else glob.removesuffix("**") + "*"


def _days(said: _Said, parts: Sequence[Part], findings: list[Finding]) -> int | None:
    """Return the highest age that any file asks for; None for never, and where none is said."""
    ages = [draft.days for _, draft in said.drafts if draft.days is not None]
    globs = {glob for _, draft in said.drafts for glob in draft.match}
    for part in parts:
        ages += [days for glob, days in part.ages.items() if glob in globs]
        ages += [
            days for key, days in part.by_name.items()
            if said.name == key or said.name.startswith(f"{key}_")
        ]  # fmt: skip
    if not ages or NEVER in ages:
        said.tell(findings, "no file gives it an age, or one says never: only reported")
        return None
    if min(ages) != max(ages):
        said.tell(findings, f"ages of {min(ages)} and {max(ages)} days: {max(ages)} holds")
    return max(ages)


def _caps(said: _Said, findings: list[Finding]) -> Caps:
    given: dict[str, int] = {}
    for key in ("max_bytes", "max_items"):
        told = [n for _, draft in said.drafts if (n := getattr(draft, key)) is not None]
        if told:
            given[key] = min(told)
        if told and min(told) != max(told):
            said.tell(findings, f"{key} of {min(told):,} and {max(told):,}: {min(told):,} holds")
    return Caps(**given)


def _only_retained(parts: Sequence[Part], said: Sequence[_Said]) -> Iterator[tuple[str, Category]]:
    """Yield what has an age but is of no category: it is counted, and nothing of it proposed."""
    named = {glob for one in said for _, draft in one.drafts for glob in draft.match}
    globs = unique(glob for part in parts for glob in part.ages if glob not in named)
    if globs:
        yield "aged_reported", Category(match=unique(map(_unit, globs)))
