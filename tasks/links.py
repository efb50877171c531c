"""Steps of the link check: walk, read, judge, plan, write; what may be tried again and how long."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from autopack.errors import UsageError
from autopack.links.baseline import after_renames, known_to
from autopack.links.history import is_lost, with_history
from autopack.links.ignore import NAVIGATION, Rule, apply
from autopack.links.mend import Leads, mend, unmendable
from autopack.links.model import Page
from autopack.links.verdict import Verdict
from autopack.report import Finding
from tasks import policy
from tasks.engine import task
from tasks.links_session import Checking


@task(**policy.READ)
def walk(checking: Checking) -> None:
    """Take the names of every file of the workspace, once."""
    from autopack.io.tree import read_tree

    checking.tree = read_tree(checking.root, checking.deadline, others=False)


MANY = 500
"""Links to the web from which on nobody makes a verdict of each before somebody asks for it."""


def open_library(checking: Checking) -> None:
    """Read pages through the cache from now on, with progress where somebody can see it."""
    from tasks.links_library import Library
    from tasks.publish import Progress

    checking.library = Library(checking, Progress("doc-links-reading", "reading pages"))


@task(**policy.READ)
def read(checking: Checking) -> None:
    """Read the pages to check, and those whose fragments they name; a library reads them itself."""
    from autopack.io.tree import look_up
    from autopack.links.resolve import fragment_files, hidden_paths

    checking.data = {}
    if checking.library:
        checking.library.read(checking.wish.pages(checking.tree))
        return
    checking.sources = _read(checking, checking.wish.pages(checking.tree))
    sources = checking.sources.values()
    hidden = {path for page in sources for path in hidden_paths(page)}
    checking.tree = checking.tree.with_files(look_up(checking.root, hidden))
    named = {file for page in sources for file in fragment_files(checking.tree, page)}
    checking.pages = {**checking.sources, **_read(checking, named - checking.sources.keys())}
    checking.stubs = _stubs(checking)
    behind = set(checking.stubs.values()) - {"", *checking.pages}
    checking.pages = {**checking.pages, **_read(checking, behind)}


def _stubs(checking: Checking) -> dict[str, str]:
    """Return the redirect stubs that links lead to, each with the living page behind it.

    A deep scan has read them as pages; a navigation check looks at what its pages link.
    """
    from autopack.io.files import read_page as bytes_of
    from autopack.links.resolve import linked_pages
    from autopack.links.stubs import living, read_stub

    leads = {name: page.redirect for name, page in checking.pages.items() if page.redirect}
    pages = checking.sources.values() if checking.wish.mode == "nav" else ()
    linked = {file for page in pages for file in linked_pages(checking.tree, page)}
    for name in linked - checking.pages.keys():
        stub = read_stub(name, bytes_of(checking.root, name) or b"")
        leads |= {name: stub.target} if stub else {}
    return living(leads, checking.tree)


def _read(checking: Checking, names: Iterable[str]) -> dict[str, Page]:
    from autopack.io.files import read_page as bytes_of
    from autopack.links.extract import read_page

    pages = {}
    for name in sorted(names):
        checking.deadline.check(f"reading {name}")
        data = bytes_of(checking.root, name)
        if data is not None:  # it went away since the walk
            checking.data[name] = data
            pages[name] = read_page(name, data)
    return pages


@task(**policy.READ)
def confirm(checking: Checking) -> None:
    """Read again with the parser what the scanner read and has something to tell."""
    assert checking.library
    checking.library.confirm()


@task(**policy.IDEMPOTENT_WRITE)
def keep(checking: Checking) -> None:
    """Keep what was read for the next scan; a cache that cannot be written costs only time."""
    assert checking.library
    checking.library.keep()


@task(**policy.READ)
def judge(checking: Checking) -> None:
    """Judge every link, and in a deep scan every path in code; then apply the ignore rules.

    What is lost is looked for in git's history, if that is wanted.
    """
    if checking.library:
        found = checking.library.verdicts()
    else:
        found = [v for page in checking.sources.values() for v in _about(checking, page)]
    if checking.wish.asks_git and any(map(is_lost, found)):
        found = _remembered(checking, found)
    rules, told = _rules(checking)
    if checking.history is not None and checking.history.skipped:
        words = f"{checking.history.skipped} commits lack objects; their renames are not known"
        told.append(Finding("history_incomplete", "info", "", None, words, "git fetch --refetch"))
    checking.verdicts = [*_missing_pages(checking), *found]
    checking.web = checking.library.web() if checking.library else 0
    if rules or checking.known or checking.web < MANY:
        checking.verdicts, checking.web = checking.everything(), 0
    applied = apply(rules, checking.verdicts, checking.today)
    checking.verdicts = applied.verdicts
    checking.ignored = applied.ignored
    checking.about_rules = [*applied.findings, *told]


def _about(checking: Checking, page: Page) -> list[Verdict]:
    from autopack.links.code_paths import paths_in_code

    checking.deadline.check(f"judging {page.path}")
    found = [
        unmendable(verdict) if verdict.link and verdict.link.span is None else verdict
        for verdict in checking.judge.verdicts(page)
    ]
    if checking.wish.mode == "deep":
        found += paths_in_code(checking.tree, page)
    return sorted(found, key=lambda verdict: verdict.line or 0)


def _remembered(checking: Checking, verdicts: list[Verdict]) -> list[Verdict]:
    from autopack.io.renames import read_history, taken_away

    if checking.history is None and checking.library:
        checking.history = checking.library.history()
    if checking.history is None:
        checking.history = read_history(checking.root, checking.deadline)
    history, tree = checking.history, checking.tree
    certain = any(is_lost(verdict) and verdict.certain for verdict in verdicts)
    away = taken_away(checking.root, checking.deadline) if certain else frozenset()
    if not (history.moved or history.deleted or away):
        return verdicts
    return [with_history(v, history, tree, away) if is_lost(v) else v for v in verdicts]


def _missing_pages(checking: Checking) -> list[Verdict]:
    return [
        Verdict(name, None, name, "missing_file", "this navigation page does not exist")
        for name in NAVIGATION
        if name in checking.missing_pages
    ]


def _rules(checking: Checking) -> tuple[list[Rule], list[Finding]]:
    from autopack.links import ignore_files

    rules: list[Rule] = []
    told: list[Finding] = []
    if not {ignore_files.OWN, ignore_files.LEGACY} & checking.tree.files:
        return rules, told
    from autopack.io.files import read_page as bytes_of

    if ignore_files.OWN in checking.tree.files:
        rules += ignore_files.read_rules(bytes_of(checking.root, ignore_files.OWN) or b"")
    if checking.wish.mode == "deep" and ignore_files.LEGACY in checking.tree.files:
        data = bytes_of(checking.root, ignore_files.LEGACY) or b""
        imported, left = ignore_files.import_legacy(data)
        rules += imported
        told = [_told(len(imported), left)]
    return rules, told


def _told(imported: int, left: list[str]) -> Finding:
    from autopack.links.ignore_files import LEGACY, OWN

    words = f"{imported} rules imported with anchored globs"
    words += f"; left out, they match too much: {', '.join(map(repr, left))}" if left else ""
    return Finding("ignore_imported", "info", LEGACY, None, words, f"write them into {OWN}")


@task(**policy.READ)
def recall(checking: Checking, baseline: str | None, base: str | None) -> None:
    """Learn what was broken before: from an earlier report, or by judging an earlier commit.

    Raises:
        UsageError: There is no such report or commit.
    """
    if baseline is not None:
        checking.known = known_to(baseline, _baseline(baseline))
    elif base is not None:
        from autopack.io.renames import renamed_since

        before = _verdicts_at(checking, base)
        renamed = renamed_since(checking.root, base, checking.deadline)
        checking.known = frozenset(after_renames(before, renamed))


def _baseline(name: str) -> bytes:
    from autopack.io.files import read_page as bytes_of

    data = bytes_of(Path.cwd(), name)
    if data is None:
        raise UsageError(
            f"--baseline: {name} does not exist",
            next_step=f"python -m flows.doc_links --deep --json > {shlex.quote(name)}",
        )
    return data


def _verdicts_at(checking: Checking, ref: str) -> list[Verdict]:
    """Judge every page as a commit has it, against the tree that it has."""
    from autopack.io.snapshot import files_at, tree_at
    from autopack.links.extract import read_page
    from autopack.links.resolve import fragment_files

    root, deadline = checking.root, checking.deadline
    tree = tree_at(root, ref, deadline)

    def pages_of(names: Iterable[str]) -> dict[str, Page]:
        files = files_at(root, ref, sorted(names), deadline)
        return {name: read_page(name, data) for name, data in files.items()}

    sources = pages_of(checking.wish.pages(tree))
    named = {file for page in sources.values() for file in fragment_files(tree, page)}
    before = Checking(str(root), checking.wish, deadline)
    before.tree = tree
    before.sources, before.pages = sources, sources | pages_of(named - sources.keys())
    found = [verdict for page in sources.values() for verdict in _about(before, page)]
    return [*_missing_pages(before), *found]


@task(**policy.READ)
def plan(checking: Checking) -> None:
    """Plan the mends of every page, each proven by reading the page again."""
    trusted = checking.wish.fix
    if trusted is None:
        return
    checking.mended = {}
    meant: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in checking.verdicts:
        if verdict.meant(trusted):
            meant[verdict.page].append(verdict)
    for name, verdicts in sorted(meant.items()):
        checking.deadline.check(f"planning {name}")
        page, data = checking.sources[name], checking.bytes_of(name)
        checking.mended[name] = mend(page, data, verdicts, _judging(checking), trusted)


def _judging(checking: Checking) -> Leads:
    judge = checking.judge
    return lambda page: list(judge.verdicts(page))


@task(**policy.IDEMPOTENT_WRITE)
def write(checking: Checking, written: list[str]) -> None:
    """Replace every page that changes, each whole and only if it still holds what was read.

    All of them are looked at before the first is written.
    """
    from autopack.io.replace import sweep

    changes = {
        name: (checking.data[name], done.data)
        for name, done in checking.mended.items()
        if done.mends
    }
    for folder in {(checking.root / name).parent for name in changes}:
        sweep(folder)
    checking.replace(changes, written)
