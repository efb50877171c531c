"""Find ledger entries by meaning, offline."""

from __future__ import annotations

from typing import Annotated

from autopack.deadline import Deadline
from autopack.report import Report
from autopack.settings import workspace_root
from flows.cli import main
from tasks import search
from tasks.engine import Between, Positional, draft, flow


@flow(name="sot-search")
def sot_search(
    query: Annotated[str, Positional()],
    workspace: str = ".",
    limit: Annotated[int, Between(1, 100)] = 10,
    ledger: str | None = None,
    qdrant_host: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 30.0,
) -> Report:
    """Find ledger entries by meaning, in the vector index that the sync keeps.

    Prints score, id, file:line and title, best first. Nothing is written.

    Args:
        query: What to look for, in your own words; put it in quotes.
        workspace: The checkout whose docs/ the entries stand in.
        limit: How many entries to show, 1 to 100.
        ledger: Only entries of this ledger, for instance BUILD_HISTORY.
        qdrant_host: embedded, a host, host:port or URL. Without it QDRANT_HOST, else the embedded
            index of the workspace. The key is QDRANT_API_KEY.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.sot_search "which lock protects the ledgers"
        python -m flows.sot_search "retry after a dead database" --ledger DEBUG_LOG --limit 3
    """
    report = draft(Report("sot-search"))
    deadline = Deadline.after(max_seconds)
    root = workspace_root(workspace)
    search.check(query, ledger)
    target = search.choose(qdrant_host, root)
    report.targets = {"qdrant": target.named}
    with report.step("search"):
        hits = search.ask(target, query, limit, ledger, deadline)
    with report.step("locate"):
        results = search.locate(root, hits)
    report.findings += search.lost(results, target)
    report.counts["results"] = len(results)
    report.extra["results"] = [found.as_json() for found in results]
    report.body = search.ranked(results)
    return report.settle()


if __name__ == "__main__":
    main(sot_search)
