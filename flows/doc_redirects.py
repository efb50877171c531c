"""Leave a small page where a linked page was, so that readers of old links still arrive."""

from __future__ import annotations

from typing import Annotated

from autopack.deadline import Deadline
from autopack.report import Finding, Report
from flows.cli import main
from tasks import links, redirects
from tasks.engine import Between, draft, flow
from tasks.redirects_report import describe, next_step
from tasks.redirects_session import Redirecting, Wish


@flow(name="doc-redirects")
def doc_redirects(
    workspace: str = ".",
    min_references: Annotated[int, Between(1, 1000)] = 3,
    promise: list[str] | None = None,
    prune: bool = False,
    execute: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 120.0,
) -> Report:
    """Write redirect stubs for pages that moved, where git knows the new place.

    A page that few links mean gets none: the finding names the command that mends the links. A
    stub that people have changed is left alone. Without --execute nothing is written.

    Args:
        workspace: The checkout whose pages are read, archive/ as well.
        min_references: How many links to a page that moved make a stub worth it, 1 to 1000.
        promise: Old paths that were given to people outside: a stub for each, linked or not.
            config/doc_redirects.yaml keeps them with a reason, and new places that git cannot know.
        prune: Remove stubs that nothing links and nobody was promised.
        execute: Write the plan: stubs that are missing, and links of fragments that are new.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.doc_redirects
        python -m flows.doc_redirects --execute
        python -m flows.doc_redirects --promise docs/INSTALL.md --execute
        python -m flows.doc_redirects --min-references 1 --json
    """
    report = draft(Report("doc-redirects", execute=execute))
    wish = Wish(min_references, tuple(promise or ()), prune)
    redirecting = Redirecting(workspace, wish, Deadline.after(max_seconds))
    wish.promised()
    with redirecting.holding(execute):
        with report.step("ask-git"):
            redirects.remember(redirecting)
        found = _look(report, redirecting)
        changes = list(redirecting.changes)
        describe(report, redirecting, changes)
        if execute and changes:
            with report.step("write-stubs"):
                redirects.write(redirecting, report.writes.files)
            found = _look(report, redirecting)
            describe(report, redirecting, changes)
    report.findings = [*redirecting.told, *found]
    next_step(report, redirecting)
    return report.settle()


def _look(report: Report, redirecting: Redirecting) -> list[Finding]:
    """Walk, read, decide and plan; return what there is to say."""
    with report.step("walk"):
        links.walk(redirecting)
    with report.step("read-pages"):
        links.read(redirecting)
    with report.step("decide"):
        redirects.decide(redirecting)
    with report.step("plan"):
        return redirects.plan(redirecting)


if __name__ == "__main__":
    main(doc_redirects)
