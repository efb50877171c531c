"""Known breakage: what names a verdict when lines move, and what an earlier report knew."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from autopack.errors import UsageError
from autopack.links.target import join, take_apart
from autopack.links.verdict import Verdict


def fingerprints(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Yield a name for each verdict of its page, target, category and form; no line is in it.

    Equal ones are numbered in order, so that a second copy of a broken link is new.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for verdict in verdicts:
        fragment = verdict.target.partition("#")[2]
        means = f"{verdict.resolved}#{fragment}" if verdict.resolved else verdict.target
        form = verdict.link.kind if verdict.link else "code"
        key = (verdict.page, means, verdict.category, form)
        seen[key] += 1
        named = "\0".join((*key, str(seen[key])))
        yield sha256(named.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def after_renames(verdicts: Sequence[Verdict], renamed: Mapping[str, str]) -> Iterator[str]:
    """Yield the names of verdicts that still stand when files have new paths.

    A link of a page that moved means what its words mean at the new place; or it was rewritten, and
    means what it meant.
    """
    yield from fingerprints(verdicts)
    if renamed:
        yield from fingerprints([_moved(v, renamed, again=False) for v in verdicts])
        yield from fingerprints([_moved(v, renamed, again=True) for v in verdicts])


def _moved(verdict: Verdict, renamed: Mapping[str, str], *, again: bool) -> Verdict:
    page = renamed.get(verdict.page, verdict.page)
    resolved = renamed.get(verdict.resolved, verdict.resolved)
    if again and page != verdict.page and verdict.link and verdict.category != "missing_anchor":
        place, out = join(page, take_apart(verdict.link.target).path)
        resolved = place if verdict.sub or not out else ""
    return replace(verdict, page=page, resolved=resolved)


def known_to(name: str, data: bytes) -> frozenset[str]:
    """Return the fingerprints of a report that `--json` printed.

    Raises:
        UsageError: It is no report of this check.
    """
    try:
        report = json.loads(data)
        return frozenset(str(link["fingerprint"]) for link in report["links"])
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"--baseline: {name} is no report of doc_links",
            next_step=f"python -m flows.doc_links --deep --json > {shlex.quote(name)}",
        ) from None
