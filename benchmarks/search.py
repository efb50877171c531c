"""How well and how fast the search finds entries of the real workspace.

`python -m benchmarks.search [--corpus DIR]`: recall over paraphrased questions against counting
the question's words in every entry. `tune` questions were seen while the encoding was tuned,
`held` ones were not; `far` ones ask for entries drawn at random and avoid their words on purpose,
so they show what sparse vectors cannot do.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from autopack.deadline import Deadline
from autopack.io.feed import difference, feed, places
from autopack.io.files import LedgerFile, read_ledgers
from autopack.io.vectors import VectorIndex, open_vectors
from autopack.settings import Target
from autopack.sot.entries import entry_id
from autopack.sot.query import query_text
from autopack.sot.results import best_per_entry
from benchmarks.measure import Row, interleaved, show

REPOSITORY = Path(__file__).resolve().parents[1]
CORPUS = REPOSITORY.parent / "shared/corpus/autopack-162"
QUESTIONS = Path(__file__).with_name("search_queries.jsonl")
Ask = Callable[[str], list[str]]


@dataclass(frozen=True)
class Question:
    """A question, the ids that answer it, and its group: tune, held or far."""

    query: str
    relevant: frozenset[str]
    split: str


def questions() -> list[Question]:
    """Read the questions."""
    lines = [json.loads(line) for line in QUESTIONS.read_text().splitlines()]
    return [Question(q["query"], frozenset(q["relevant"]), q["split"]) for q in lines]


def filled(corpus: Path, folder: Path) -> tuple[VectorIndex, list[LedgerFile], float]:
    """Return an embedded index of the workspace, its ledgers, and points written per second."""
    ledgers = read_ledgers(corpus)
    vectors = open_vectors(
        Target(str(folder), "embedded", "benchmark"), Deadline.after(600), create=True
    )
    began = time.perf_counter()
    fed = feed(vectors, ledgers, difference(vectors, ledgers), lambda: None)
    return vectors, ledgers, fed.upserted / (time.perf_counter() - began)


def asking(vectors: VectorIndex, limit: int = 5) -> Ask:
    """Return the search as the flow does it: question to ids, best first."""

    def ask(query: str) -> list[str]:
        hits = vectors.search(query_text(query), limit * 4)
        found = best_per_entry(hits, limit)
        return [str(hit.payload["entry_id"]) for hit in found]

    return ask


def counting(ledgers: list[LedgerFile], limit: int = 5) -> Ask:
    """Return the baseline: entries by how often the question's words occur in them."""
    texts = {
        entry_id(place.file.ledger, place.key.ident): Counter(
            re.findall(r"\w+", place.file.segments.content(place.segment).decode().lower())
        )
        for _, place in places(ledgers)
    }

    def ask(query: str) -> list[str]:
        words = re.findall(r"\w+", query.lower())
        scores = {name: sum(text[word] for word in words) for name, text in texts.items()}
        return sorted(scores, key=lambda name: -scores[name])[:limit]

    return ask


def recall(asked: list[Question], ask: Ask, at: int) -> float:
    """Return the share of questions with a relevant entry among the first `at`."""
    return mean(bool(q.relevant & set(ask(q.query)[:at])) for q in asked)


def reciprocal_rank(asked: list[Question], ask: Ask) -> float:
    """Return the mean of 1 / rank of the first relevant entry, 0 where there is none."""

    def of(q: Question) -> float:
        return next((1 / n for n, found in enumerate(ask(q.query), 1) if found in q.relevant), 0.0)

    return mean(of(q) for q in asked)


def _each(
    groups: dict[str, list[Question]], of: Callable[[list[Question]], float], how: str = ".2f"
) -> str:
    return ", ".join(f"{name} {of(group):{how}}" for name, group in groups.items())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    corpus = parser.parse_args().corpus
    if not corpus.is_dir():
        sys.exit(f"skipped: no {corpus}")
    asked = questions()
    groups = {name: [q for q in asked if q.split == name] for name in ("tune", "held", "far")}
    with tempfile.TemporaryDirectory() as folder:
        vectors, ledgers, rate = filled(corpus, Path(folder))
        ask, count = asking(vectors), counting(ledgers)
        slow, fast = interleaved(
            5, lambda: [count(q.query) for q in asked], lambda: [ask(q.query) for q in asked]
        )
        notes: dict[str, object] = {
            "questions": f"{len(asked)} ({_each(groups, len, '')})",
            "recall@5": f"{recall(asked, ask, 5):.2f} "
            f"({_each(groups, lambda group: recall(group, ask, 5))}), "
            f"counting words {recall(asked, count, 5):.2f}",
            "recall@1": f"{recall(asked, ask, 1):.2f} "
            f"({_each(groups, lambda group: recall(group, ask, 1))}), "
            f"counting words {recall(asked, count, 1):.2f}",
            "mean reciprocal rank": f"{reciprocal_rank(asked, ask):.2f}",
            "milliseconds a query": f"{fast / len(asked) * 1000:.2f}",
            "points written a second": f"{rate:.0f}",
        }
        vectors.close()
    show([Row(f"{len(asked)} questions", fast, "counting words in every entry", slow)], notes)


if __name__ == "__main__":
    main()
