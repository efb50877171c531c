"""Phases of a quick tidy: look and decide; moving is in `tidy_moves`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from autopack.errors import AutopackError
from autopack.report import Finding
from autopack.state_files import REPORTS, RUNS, is_redirect, owner
from autopack.tidy.duplicates import Duplicate, compare
from autopack.tidy.routing import Decision, Item, led_to, route_docs, route_root, stays_for
from autopack.tidy.runs import RunFolder, project_of, surplus
from tasks import policy
from tasks.counts_session import Counting
from tasks.engine import task
from tasks.tidy_session import Tidying

if TYPE_CHECKING:
    from tasks.counts_pages import Pages

README = "README.md"
MOST_RUNS = 200
"""How many run folders one run moves at most."""


@task(**policy.READ)
def look_at_root(tidying: Tidying) -> list[Decision]:
    """Decide about every entry of the root."""
    from autopack.io.listing import list_folder

    items = list_folder(tidying.root, tidying.place.folder)
    links = led_to([*items, *list_folder(tidying.root, tidying.place.path("docs"))])
    made = (route_root(item, tidying.config, tidying.place) for item in items)
    return [stays_for(decision, links) for decision in made]


@task(**policy.READ)
def look_at_docs(tidying: Tidying) -> list[Decision]:
    """Decide about every page of docs/; a redirect stub stays."""
    from autopack.io.listing import list_folder

    items = list_folder(tidying.root, tidying.place.path("docs"))
    reduce = tidying.wish.reduce
    links = led_to([*items, *list_folder(tidying.root, tidying.place.folder)])
    made = (route_docs(item, tidying.config, tidying.place, reduce=reduce) for item in items)
    return [_stubs_stay(tidying, stays_for(decision, links)) for decision in made]


def _stubs_stay(tidying: Tidying, decision: Decision) -> Decision:
    from autopack.io.files import read_head

    if decision.kind == "keep" or not decision.item.name.lower().endswith(".md"):
        return decision
    stub = is_redirect(read_head(tidying.root, decision.item.path))
    return replace(decision, kind="keep") if stub else decision


@task(**policy.READ)
def look_at_duplicates(tidying: Tidying, decisions: list[Decision]) -> list[Duplicate]:
    """Compare the ledgers that stand at the root with those of docs/."""
    from autopack.io.files import read_page

    canonical = {name.casefold(): name for name in tidying.place.ledgers}
    found = []
    for decision in decisions:
        if decision.kind == "ledger":
            path = decision.item.path
            ledger = tidying.place.path(f"docs/{canonical[decision.item.name.casefold()]}")
            data = read_page(tidying.root, path)
            if data is not None:
                found.append(compare(path, data, ledger, read_page(tidying.root, ledger)))
    return found


def superseding(tidying: Tidying, duplicates: list[Duplicate]) -> list[Decision]:
    """Return what becomes of the ledgers' twins: an identical one is superseded."""
    folder = tidying.place.path(f"{tidying.config.superseded}/root_ledgers")
    return [
        Decision(
            Item(twin.path, "file"), "route", f"{folder}/{twin.path.rpartition('/')[2]}",
            "ledger-duplicate", f"{twin.ledger} holds the same bytes",
        )
        for twin in duplicates
        if twin.kind == "identical"
    ]  # fmt: skip


@task(**policy.READ)
def plan_diffs(tidying: Tidying) -> list[tuple[str, bytes | None, bytes]]:
    """Return the reports of how divergent ledgers differ: path, the bytes it has, and the new."""
    from autopack.io.files import read_page

    found = []
    for twin in tidying.seen.duplicates:
        if twin.kind == "divergent":
            path = f"{REPORTS}/tidy-{twin.path.replace('/', '-')}.diff"
            text = "".join(f"{line}\n" for line in twin.diff)
            found.append((path, read_page(tidying.root, path), text.encode()))
    return found


@task(**policy.READ)
def look_at_runs(tidying: Tidying) -> tuple[list[RunFolder], list[Decision]]:
    """Return the run folders beyond those that stay, and what becomes of loose files beside them.

    Names and times of one level are read, and whether a mark is there; nothing inside a run.
    """
    from autopack.io.listing import list_folder

    only = tidying.wish.project
    items = [] if only else list_folder(tidying.root, RUNS)
    found = [run for item in items if (run := _run(tidying, item)) is not None]
    for project in [only] if only else _projects(tidying, items):
        inside = list_folder(tidying.root, f"{RUNS}/{project}/runs")
        folders = (item for item in inside if item.kind == "folder")
        found += [RunFolder(item.path, project, item.mtime_ns) for item in folders]
    loose = [decision for item in items if (decision := _loose(tidying, item)) is not None]
    return surplus(found, tidying.config.runs.keep), loose


def _projects(tidying: Tidying, items: list[Item]) -> list[str]:
    return [i.name for i in items if i.kind == "folder" and _is_project(tidying, i)]


def _is_project(tidying: Tidying, item: Item) -> bool:
    from autopack.io.listing import exists

    return exists(tidying.root, f"{item.path}/docs")


def _run(tidying: Tidying, item: Item) -> RunFolder | None:
    from autopack.io.listing import exists

    if item.kind != "folder" or item.name.startswith((".", "_")) or owner(item.path):
        return None
    marks = tidying.config.runs.marks
    if not any(exists(tidying.root, f"{item.path}/{mark}") for mark in marks):
        return None
    if _is_project(tidying, item):
        return None
    return RunFolder(item.path, project_of(item.name, tidying.config.runs), item.mtime_ns)


def _loose(tidying: Tidying, item: Item) -> Decision | None:
    policy_ = tidying.config.runs
    if item.kind != "file" or owner(item.path) or not policy_.loose.fullmatch(item.name):
        return None
    to = f"{policy_.loose_to}/{item.name}"
    return Decision(item, "route", to, "loose-run-files", "a run left it beside its folder")


@task(**policy.READ)
def read_counts(tidying: Tidying) -> Counting:
    """Read the ledgers and the pages that count them, and plan true blocks."""
    from tasks import counts

    counting = Counting(str(tidying.base), tidying.deadline)
    counts.read(counting)
    counts.plan(counting, None)
    return counting


def readme_change(counting: Counting) -> tuple[bytes, bytes] | None:
    """Return the README as it is and as its summary should make it; None where it is true."""
    old, new = counting.changes().get(README, (None, b""))
    return (old, new) if old is not None else None


@task(**policy.IDEMPOTENT_WRITE)
def write_readme(tidying: Tidying, counting: Counting, written: list[str]) -> None:
    """Replace the README, only while it still holds what was read."""
    change = readme_change(counting)
    if change is not None and tidying.held is not None:
        counting.lend(tidying.held)
        done: list[str] = []
        counting.replace({README: change}, done)
        written.extend(tidying.place.path(name) for name in done)


@task(**policy.READ)
def verify(tidying: Tidying, pages: Pages) -> list[Finding]:
    """Return what is missing or cannot be read of the structure and the ledgers."""
    return [*_missing(tidying), *_unread(tidying, pages)]


def _missing(tidying: Tidying) -> list[Finding]:
    fix = tidying.wish.command("--repair", "--execute")
    return [
        Finding("structure_missing", "warning", path, None, f"{what} does not exist", fix)
        for path, what in missing_structure(tidying)
    ]


def missing_structure(tidying: Tidying) -> list[tuple[str, str]]:
    """Return what `--repair` would create: paths, and what they are.

    A ledger that lies at the root is not missing: an empty one would be in its way.
    """
    from autopack.io.listing import exists, list_folder

    here = {item.name.casefold() for item in list_folder(tidying.root, tidying.place.folder)}
    wanted = [(folder, "a required folder") for folder in tidying.config.folders]
    ledgers = (name for name in tidying.config.ledgers if name.casefold() not in here)
    wanted += [(f"docs/{name}", "a required ledger") for name in ledgers]
    paths = ((tidying.place.path(path), what) for path, what in wanted)
    return [(path, what) for path, what in paths if not exists(tidying.root, path)]


def _unread(tidying: Tidying, pages: Pages) -> list[Finding]:
    import json

    found = [replace(f, path=tidying.place.path(f.path)) for f in pages.blocked]
    for file in pages.ledgers:
        if file.ledger.suffix == ".json":
            try:
                json.loads(file.data)
            except ValueError as error:
                path = tidying.place.path(file.ledger.path)
                line = getattr(error, "lineno", None)
                words = f"it is no JSON: {' '.join(str(error).split())}"
                found.append(Finding("ledger_unreadable", "error", path, line, words))
    return found


@task(**policy.IDEMPOTENT_WRITE)
def repair(tidying: Tidying, written: list[str]) -> None:
    """Create what is missing of the structure; what is there is never written to."""
    from autopack.io.folders import make_folder
    from autopack.io.replace import replace_file

    assert tidying.held
    fence = tidying.held.guarded
    for path, what in missing_structure(tidying):
        tidying.deadline.check(f"creating {path}")
        if what == "a required folder":
            make_folder(tidying.root, path, lambda: fence("archive"))
        else:
            data = empty_ledger(path.rpartition("/")[2], tidying.now)
            replace_file(tidying.root, path, None, data, lambda: fence("docs"))
        written.append(path)


def empty_ledger(name: str, now: datetime) -> bytes:
    """Return a ledger without entries, whose blocks say so."""
    from autopack.io.files import ledger_file
    from autopack.sot.compose import skeleton
    from autopack.sot.ledgers import BY_STEM
    from tasks.counts_pages import Pages

    stem, _, ending = name.partition(".")
    ledger = BY_STEM.get(stem)
    if ledger is not None and ledger.prefix:
        bare = Pages((ledger_file(ledger, skeleton(ledger)),), {})
        return bare.mended(now).ledgers[0].data
    if stem == "LEARNED_RULES":
        from autopack.rules.schema import EMPTY, file_text

        return file_text(EMPTY).encode()
    if ending == "json":
        return b"{}\n"
    return f"# {stem.replace('_', ' ').capitalize()}\n".encode()


def as_finding(error: AutopackError, path: str) -> Finding:
    """Return what stopped one item of many, as a finding."""
    return Finding("item_failed", "warning", path, None, error.message, error.next_step)


def make_reports_folder(tidying: Tidying) -> None:
    """Make the folder of reports; a dry run has none."""
    from autopack.io.folders import make_folder

    held = tidying.held
    assert held
    make_folder(tidying.root, REPORTS, lambda: held.guarded("archive"))
