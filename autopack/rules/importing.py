"""Old rule files become proposals: one for each text that says the same, and none without a scope.

An old rule is `{rule_id, task_category, scope_pattern, constraint, source_hint_ids, first_seen,
last_seen, …}`. Its id came from the phase's name, so that one failure became dozens of rules; here
the text decides, without names, numbers and paths.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from autopack.errors import UsageError
from autopack.rules.catalogue import Catalogue, Mitigation
from autopack.rules.patterns import MAX_PATTERN
from autopack.rules.proposal import Basis, Candidate, Change, Unmatched, folder_of, propose
from autopack.rules.schema import Action, Example, Match, RuleFile, Window

_PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]+\.\w+")
_MASKED = re.compile(r"(?:[\w.-]+/)+[\w.-]*|'[^']*'|\"[^\"]*\"|\d+")
_WRAPPED = re.compile(r"^Phase '.*?'(?=[: ])", re.S)
_CATEGORIES = {
    "test": "tests/", "tests": "tests/", "docs": "docs/", "documentation": "docs/",
    "configuration": "config/", "frontend": "src/frontend/",
}  # fmt: skip
_CODE = ("src/", "lib/", "app/")


@dataclass(frozen=True)
class OldRule:
    """An old rule, as far as it is used."""

    id: str
    category: str
    text: str
    hints: tuple[str, ...]
    first: datetime
    last: datetime


def old_rules(value: Any) -> list[OldRule]:
    """Return the rules of an old file.

    Raises:
        UsageError: It is of another format.
    """
    rules = value.get("rules") if isinstance(value, dict) else None
    try:
        return [_old(rule) for rule in rules or _none()]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(
            "this is no old rule file", next_step="pass a file with rules that have a constraint"
        ) from None


def _none() -> Any:
    raise ValueError("no rules")


def _old(rule: Any) -> OldRule:
    text = rule["constraint"]
    hints = tuple(dict.fromkeys(str(hint) for hint in rule.get("source_hint_ids") or ()))
    return OldRule(
        str(rule["rule_id"]), str(rule.get("task_category") or ""), " ".join(text.split()),
        hints or (str(rule["rule_id"]),), _moment(rule["first_seen"]), _moment(rule["last_seen"]),
    )  # fmt: skip


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def message_of(text: str) -> str:
    """Return what an old text says happened, without the phase it happened to."""
    _, found, details = text.partition("Details: ")
    return details if found else _WRAPPED.sub("Phase", text)


def masked(text: str) -> str:
    """Return the pattern of a message: `*` for paths, quoted words and numbers."""
    pattern = _MASKED.sub("*", message_of(text))
    pattern = re.sub(r"\*(?:[\s,;→]*\*)+", "*", pattern)
    return f"*{pattern.strip()}"[:MAX_PATTERN].rstrip("*") + "*"


@dataclass(frozen=True)
class Source:
    """Where old rules come from: the file's name, the workspace's folders, and a given scope."""

    name: str
    folders: frozenset[str]
    scope: tuple[str, ...] = ()


def imported(
    olds: Sequence[OldRule], source: Source, catalogue: Catalogue, existing: RuleFile, basis: Basis
) -> tuple[list[Change], list[Unmatched]]:
    """Return what an old file becomes: changes to propose, and texts that became none.

    A text that an entry of the catalogue answers gets its answer; another one stays advice to think
    about. The scope is the given one; else the folders of the files that the texts name; else
    what their task categories are about. Only folders that the workspace has count.
    """
    groups: dict[str, list[OldRule]] = {}
    for old in olds:
        groups.setdefault(masked(old.text), []).append(old)
    candidates, scopes = [], {}
    for pattern, found in groups.items():
        candidates.append(_candidate(pattern, found, source.name))
        scopes[pattern] = list(source.scope) or derived_scope(found, source.folders)
    basis = replace(
        basis,
        window=Window(start=min(old.first for old in olds), end=max(old.last for old in olds)),
        exposure=len({hint.partition(":")[0] for old in olds for hint in old.hints}),
    )
    return _scoped(candidates, scopes, _with_advice(catalogue, candidates), existing, basis)


def _candidate(pattern: str, found: Sequence[OldRule], source: str) -> Candidate:
    examples = {
        hint: Example(event=f"{source}#{old.id}:{hint}"[:300], template=message_of(old.text))
        for old in found
        for hint in old.hints
    }
    runs = tuple(sorted({hint.partition(":")[0] for hint in examples}))
    return Candidate(pattern, "", pattern, len(examples), runs, tuple(examples.values()))


def derived_scope(found: Sequence[OldRule], folders: Collection[str]) -> list[str]:
    """Return the scope of old texts, empty where nothing tells it."""
    named = {folder_of(path) for old in found for path in _PATH.findall(old.text)}
    real = sorted(glob for glob in named if glob.split("/")[0] in folders)
    if real:
        return real
    meant = {_CATEGORIES.get(old.category, "") for old in found}
    globs = {glob for glob in meant if glob} | (set(_CODE) if "" in meant else set())
    return sorted(glob for glob in globs if glob.split("/")[0] in folders)


def _with_advice(catalogue: Catalogue, candidates: Sequence[Candidate]) -> Catalogue:
    """Return the catalogue with an entry to think about for each text that it has no answer to."""
    extra = [
        Mitigation(
            key=f"old-text-{number}", title=f"Named by an old rule: {candidate.template}"[:300],
            match=Match(template=candidate.template),
            action=Action(
                class_="review_by_hand",
                advice="It came back before, and nobody wrote down what prevents it. Look at the "
                f"phase's spec and its last answer before the next try: {candidate.template}"[:600],
            ),
            stage="guidance", ceiling="guidance", scope=["src/"],
        )
        for number, candidate in enumerate(candidates)
        if catalogue.entry_for(candidate.examples) is None
    ]  # fmt: skip
    return Catalogue(version=1, mitigations=[*catalogue.mitigations, *extra])


def _scoped(
    candidates: Sequence[Candidate],
    scopes: dict[str, list[str]],
    catalogue: Catalogue,
    existing: RuleFile,
    basis: Basis,
) -> tuple[list[Change], list[Unmatched]]:
    changes, left = propose(candidates, catalogue, existing, basis)
    kept = []
    for change in changes:
        entry = catalogue.entry_of(change.rule.match, change.rule.action)
        own = [c for c in candidates if catalogue.entry_for(c.examples) == entry]
        globs = sorted({glob for candidate in own for glob in scopes[candidate.signature]})
        if globs:
            rule = change.rule.model_copy(update={"scope": globs})
            kept.append(change.model_copy(update={"rule": rule}))
        else:
            left += [_scopeless(candidate) for candidate in own]
    return kept, left


def _scopeless(candidate: Candidate) -> Unmatched:
    return Unmatched(
        signature=candidate.signature, type="", template=candidate.template,
        incidents=candidate.incidents, why="nothing tells its scope: pass --scope GLOB",
    )  # fmt: skip
