"""Known breakage: what names a verdict when lines move, and what an earlier report knew."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256

from autopack.errors import UsageError
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
            next_step=f"python -m flows.doc_links --deep --json > {name}",
        ) from None
