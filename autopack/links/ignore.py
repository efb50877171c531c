"""Rules that take verdicts out of a report: which kind, where, why, and until when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from autopack.globs import anchored
from autopack.links.verdict import Category, Verdict
from autopack.report import Finding

NAVIGATION = ("README.md", "docs/INDEX.md", "docs/BUILD_HISTORY.md")
"""The pages that readers start from: a file that they miss cannot be ignored."""
KINDS = frozenset({
    "missing_file", "wrong_base", "line_suffix", "case_mismatch", "missing_anchor", "code_ref",
    "unknown_ref", "site_absolute", "runtime_endpoint", "historical_ref", "external_url",
    "redirected",
})  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """One rule: verdicts of a kind (a category or what is under it) whose target a glob matches.

    The glob is anchored at both ends: it matches the whole path from the root, or the target as
    written where there is none; `*` stays within a folder, `**` does not. With `#` in it the
    fragment counts as well. `pages` limits the rule to pages. `becomes` is the category that a
    verdict gets instead of being dropped. `line` is where the rule stands in `file`.
    """

    kind: str
    glob: str
    reason: str
    expires: date | None = None
    pages: str = "**"
    becomes: Category | None = None
    file: str = ""
    line: int | None = None

    @cached_property
    def _target(self) -> re.Pattern[str]:
        return anchored(self.glob)

    @cached_property
    def _pages(self) -> re.Pattern[str]:
        return anchored(self.pages)

    def matches(self, verdict: Verdict) -> bool:
        """Return whether a verdict is of this rule's kind and place."""
        if self.kind not in (verdict.category, verdict.sub):
            return False
        subject = verdict.resolved or verdict.target
        if "#" in self.glob and "#" not in subject:
            subject += "#" + verdict.target.partition("#")[2]
        return bool(self._target.fullmatch(subject) and self._pages.fullmatch(verdict.page))


@dataclass(frozen=True)
class Applied:
    """What is left of the verdicts, and what there is to say about the rules."""

    verdicts: tuple[Verdict, ...]
    ignored: int
    findings: tuple[Finding, ...]


def apply(rules: Sequence[Rule], verdicts: Iterable[Verdict], today: date) -> Applied:
    """Return the verdicts that no rule takes out; expired rules take nothing out."""
    live = [rule for rule in rules if rule.expires is None or today <= rule.expires]
    used: set[int] = set()
    refused: set[int] = set()
    kept, ignored = [], 0
    for verdict in verdicts:
        rule = next((rule for rule in live if rule.matches(verdict)), None)
        if rule is None:
            kept.append(verdict)
            continue
        used.add(id(rule))
        if verdict.category == "missing_file" and verdict.page in NAVIGATION:
            refused.add(id(rule))
            kept.append(verdict)
        elif rule.becomes:
            words = f"'{verdict.target}': {rule.reason}"
            kept.append(replace(verdict, category=rule.becomes, message=words))
        else:
            ignored += 1
    said = [_about(rule, rule in live, id(rule) in used, id(rule) in refused) for rule in rules]
    return Applied(tuple(kept), ignored, tuple(finding for finding in said if finding))


def _about(rule: Rule, live: bool, used: bool, refused: bool) -> Finding | None:
    what = f"the rule for {rule.kind} {rule.glob!r}"
    if not live:
        return _finding("ignore_expired", rule, f"{what} expired on {rule.expires}")
    if refused and rule.becomes is None:
        pages = ", ".join(NAVIGATION)
        return _finding("ignore_refused", rule, f"{what} cannot hide missing files of {pages}")
    if not used and rule.expires is not None:  # an imported rule has no date
        return _finding("ignore_unused", rule, f"{what} matches nothing in what was read")
    return None


def _finding(code: str, rule: Rule, words: str) -> Finding:
    return Finding(code, "warning", rule.file, rule.line, words, "remove the rule, or renew it")
