"""Steps of the search: choose the index, ask it, find the lines."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import Unreachable, UsageError
from autopack.report import Finding
from autopack.settings import Target, qdrant_target, redact
from autopack.sot.ledgers import BY_STEM
from autopack.sot.query import query_text
from autopack.sot.results import Hit, Result, best_per_entry, result
from tasks import policy
from tasks.engine import task

FETCHED = 4
"""Points asked for per result that is shown: an entry may have a row, a section and stray rows."""
SHOWN_ID = 24
"""Characters of the id's column; a longer id moves its own line only."""


def choose(qdrant_host: str | None, root: Path) -> Target:
    """Return the index to ask: the flag, `QDRANT_HOST`, else the embedded one that is there.

    Raises:
        Unreachable: None is named and there is no embedded one.
    """
    target = qdrant_target(qdrant_host, root)
    if target is None:
        embedded = qdrant_target("embedded", root)
        assert embedded
        if not Path(embedded.url).is_dir():
            raise Unreachable("there is no vector index to search", next_step=building(embedded))
        target = Target(embedded.url, embedded.shown, "found in the workspace")
    redact.learn_target(target)
    return target


def building(target: Target) -> str:
    """Return the command that fills the index, or brings it up to date."""
    return f"python -m flows.sot_sync --full --execute --qdrant-host {target.shown}"


def check(query: str, ledger: str | None) -> None:
    """Raise `UsageError` for a question that cannot be asked."""
    if not query.strip():
        raise UsageError(
            "the query is empty", next_step='python -m flows.sot_search "words to look for"'
        )
    if ledger is not None and ledger not in BY_STEM:
        raise UsageError(
            f"--ledger: no ledger is called {ledger!r}", next_step=f"one of {', '.join(BY_STEM)}"
        )


# Someone is waiting, so one more try is enough.
@task(timeout_seconds=30.0, retries=1, retry_delay_seconds=[0.3], retry_if=policy.transient)
def ask(target: Target, query: str, limit: int, ledger: str | None, deadline: Deadline) -> Hits:
    """Return the best hits, one per entry.

    Raises:
        Unreachable: The index is empty, or does not answer.
    """
    from autopack.io.vectors import open_vectors

    with closing(open_vectors(target, deadline, create=False)) as vectors:
        found = vectors.search(query_text(query), limit * FETCHED, ledger)
        if not found and not vectors.count():
            text = f"the index {target.shown} is empty"
            raise Unreachable(text, next_step=building(target), permanent=True)
    return Hits(best_per_entry(found, limit))


class Hits:
    """The hits of one query; a plain class, because Prefect walks into lists."""

    def __init__(self, found: list[Hit]) -> None:
        self.found = found


@task(**policy.READ)
def locate(root: Path, hits: Hits) -> list[Result]:
    """Return the results with the lines where their entries stand now."""
    files: dict[str, bytes | None] = {}
    for hit in hits.found:
        path = str(hit.payload["path"])
        if path not in files:
            file = root / path
            files[path] = file.read_bytes() if file.is_file() else None
    return [result(hit, files[str(hit.payload["path"])]) for hit in hits.found]


def lost(results: list[Result], target: Target) -> list[Finding]:
    """Return a finding when entries that were found no longer stand in their files."""
    gone = [found for found in results if found.line is None]
    if not gone:
        return []
    text = f"{len(gone)} of {len(results)} results no longer stand there: the index is behind"
    return [Finding("index_behind", "info", gone[0].path, None, text, building(target))]


def ranked(results: list[Result]) -> str:
    """Return the results as a ranked list, a line each."""
    if not results:
        return "No entry shares a word with this query."
    wide = min(SHOWN_ID, max(len(found.id) for found in results))
    place = max(len(found.place) for found in results)
    return "\n".join(
        f"{found.score:7.2f}  {found.id:<{wide}}  {found.place:<{place}}  {found.title}"
        for found in results
    )
