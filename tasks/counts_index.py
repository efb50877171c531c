"""Compare the derived indexes with the ledgers: by rebuilding files, by reading digests back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from autopack.errors import Refused
from autopack.report import Finding
from autopack.settings import database_target, qdrant_target, redact
from autopack.sot.derived import Gap, compare_rebuilt, gap_findings, mislabelled, shown, whole
from tasks import policy
from tasks.counts_session import Counting
from tasks.engine import task
from tasks.sot_report import named_again

if TYPE_CHECKING:
    from autopack.io.feed import Difference
    from autopack.io.sql import Index
    from autopack.io.vectors import VectorIndex

SYNC = "python -m flows.sot_sync --{mode} --execute"


class Targets:
    """The indexes to compare, as they were chosen; a plain class, because Prefect walks others."""

    def __init__(
        self, counting: Counting, database_url: str | None, qdrant_host: str | None
    ) -> None:
        self.database = database_target(database_url, counting.root)
        self.qdrant = qdrant_target(qdrant_host, counting.root)
        for target in (self.database, self.qdrant):
            if target is not None:
                redact.learn_target(target)

    def shown(self) -> dict[str, str | None]:
        """Return the targets as they may be printed."""
        qdrant = self.qdrant.named if self.qdrant else None
        return {"database": self.database.named, "qdrant": qdrant}


@task(**policy.READ)
def compare_database(counting: Counting, targets: Targets) -> list[Finding]:
    """Rebuild every ledger from the database and name what differs."""
    from autopack.io.sql import Index

    index = Index(targets.database, counting.deadline)
    sync = SYNC.format(mode="db-only") + named_again("--database-url", targets.database)
    if index.database.missing():
        text = f"there is no database at {targets.database.shown}"
        return [Finding("database_missing", "error", "docs", None, text, sync)]
    with closing(index.database):
        damaged: list[Finding] = []
        gaps = list(_database_gaps(counting, index, damaged))
    return [*gap_findings("database", gaps, sync), *damaged]


def _database_gaps(counting: Counting, index: Index, damaged: list[Finding]) -> Iterator[Gap]:
    """Yield what a sync mends; what it would not notice is damage, which goes to the list."""
    from autopack.io.database import REBUILD

    stored = index.state().files
    here = {file.ledger.path: file for file in counting.pages.ledgers}
    for path, file in here.items():
        counting.deadline.check(f"comparing {path}")
        if path not in stored:
            yield whole(path, "missing")
            continue
        try:
            rebuilt = b"".join(index.file_bytes(path))
        except Refused as error:
            damaged.append(Finding("database_damaged", "error", path, None, error.message, REBUILD))
            continue
        if rebuilt != file.data:
            yield compare_rebuilt(file.ledger, file.segments, rebuilt)
        elif wrong := mislabelled(file.segments, index.labels(path)):
            text = f"{wrong} rows carry another id or kind than their text"
            damaged.append(Finding("database_damaged", "error", path, None, text, REBUILD))
    yield from (whole(path, "extra") for path in stored.keys() - here.keys())


@task(**policy.READ)
def compare_vectors(counting: Counting, targets: Targets) -> list[Finding]:
    """Read every id and digest back from the vectors and name what differs."""
    from autopack.io.feed import difference
    from autopack.io.vectors import open_vectors

    assert targets.qdrant
    flag = named_again("--qdrant-host", targets.qdrant)
    with closing(open_vectors(targets.qdrant, counting.deadline, create=False)) as vectors:
        found = difference(vectors, counting.pages.ledgers)
        gaps = [*_vector_gaps(found), *_gone(found, vectors)]
    return list(gap_findings("vectors", gaps, SYNC.format(mode="qdrant-only") + flag))


def _vector_gaps(found: Difference) -> Iterator[Gap]:
    by_path: dict[str, tuple[list[str], list[str]]] = {}
    for point, place in found.stale.items():
        missing, stale = by_path.setdefault(place.file.ledger.path, ([], []))
        (missing if point in found.absent else stale).append(shown(place.key))
    for path, (missing, stale) in by_path.items():
        yield Gap(path, missing=tuple(missing), stale=tuple(stale))


def _gone(found: Difference, vectors: VectorIndex) -> Iterator[Gap]:
    if found.gone:
        names = vectors.entry_ids()
        yield Gap("docs", extra=tuple(sorted(names.get(p) or p for p in found.gone)))
