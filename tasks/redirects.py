"""Steps of the redirects: what git remembers, what shall stand, the plan, and the write."""

from __future__ import annotations

from pathlib import PurePosixPath

from autopack.errors import Refused
from autopack.links.model import Page
from autopack.links.promises import Promise
from autopack.links.redirects import Ground, Redirect, references, with_anchors
from autopack.links.stubs import Stub, read_stub, render
from autopack.report import Finding
from tasks import policy
from tasks.engine import task
from tasks.redirects_session import RESERVED, Change, Redirecting


@task(**policy.READ)
def remember(session: Redirecting) -> None:
    """Ask git where pages went, once.

    Raises:
        Unreachable: There is no git, or no repository.
    """
    from autopack.io.git import require_history
    from autopack.io.renames import read_history

    whole = require_history(session.root, session.deadline)
    session.history = read_history(session.root, session.deadline)
    skipped = session.history.skipped
    if not whole or skipped:
        words = f"{skipped} commits lack objects" if skipped else "this is a shallow clone"
        fix = "git fetch --refetch" if skipped else "git fetch --unshallow"
        words += "; moves in what is missing are not known"
        session.told.append(Finding("history_incomplete", "warning", "", None, words, fix))


@task(**policy.READ)
def decide(session: Redirecting) -> None:
    """Decide which stubs shall stand."""
    assert session.history is not None
    session.evidence = {}
    session.promises = _promises(session)
    session.stood, session.bytes_of_stubs = {}, {}
    for name, page in session.sources.items():
        data = _bytes_of(session, name) if page.redirect else None
        stub = read_stub(name, data) if data is not None else None
        if data is not None and stub is not None:
            session.stood[name], session.bytes_of_stubs[name] = stub, data
    ground = Ground(
        session.tree, session.history, references(session.sources.values(), session.tree),
        session.stood, session.promises, RESERVED, session.asked.least,
    )  # fmt: skip
    session.decided = ground.decide()


def _promises(session: Redirecting) -> dict[str, Promise]:
    """Return the promises of the workspace's file and of the command line, by path."""
    from autopack.links.promises import FILE, read_promises

    data = _bytes_of(session, FILE)
    session.evidence[FILE] = data
    made = {one.path: one for one in session.asked.promised()}
    return made | {one.path: one for one in read_promises(data or b"")}


def _bytes_of(session: Redirecting, name: str) -> bytes | None:
    from autopack.io.files import read_page

    return read_page(session.root, name)


@task(**policy.READ)
def plan(session: Redirecting) -> list[Finding]:
    """Plan every stub's bytes from pages that are read again; return what there is to say.

    Raises:
        Refused: A page changed meanwhile.
    """
    decided, told = session.decided, list(session.decided.findings)
    session.changes = []
    for redirect in decided.redirects:
        session.deadline.check(f"planning {redirect.stub.path}")
        refused = _disk_says(session, redirect)
        told += [refused] if refused else _plan_one(session, redirect)
    for stub in decided.obsolete:
        told += _plan_removal(session, stub)
    return told


def _disk_says(session: Redirecting, redirect: Redirect) -> Finding | None:
    """Return why the disk forbids a stub, which the names of files do not show."""
    from autopack.io.tree import leads_out, obstacle

    stub = redirect.stub
    words = obstacle(session.root, stub.path) if redirect.now is None else ""
    if leads_out(session.root, stub.target):
        words = f"{stub.target} is a symbolic link out of the workspace, or to nothing"
    if not words:
        return None
    fix = "make it a plain file, or rewrite the links"
    return Finding("redirect_refused", "warning", stub.path, None, f"no stub: {words}", fix)


def _plan_one(session: Redirecting, redirect: Redirect) -> list[Finding]:
    target = session.tree.real(redirect.stub.target)
    stub, told = with_anchors(redirect, _again(session, target))
    pages = sorted({link.page for link in redirect.references})
    for name in pages:
        _again(session, name)
    old, new = session.bytes_of_stubs.get(stub.path), render(stub)
    if old is not None and b"\r\n" in old:
        new = new.replace(b"\n", b"\r\n")
    if old != new:
        change = Change(stub, old, new, len(redirect.references), redirect.why)
        session.changes.append(change)
    return told


def _again(session: Redirecting, name: str) -> Page | None:
    """Read a page that a stub rests on once more: it must hold the links that were seen."""
    from autopack.links.extract import read_page
    from autopack.links.tree import is_markdown

    known = session.evidence.get(name)
    data = known if known is not None else _bytes_of(session, name)
    session.evidence[name] = data
    page = read_page(name, data) if data is not None and is_markdown(name) else None
    seen = session.sources.get(name)
    if seen is not None and (page is None or _links(session, page) != _links(session, seen)):
        raise Refused(
            f"{name} has changed since it was read; nothing was written",
            next_step="run the same command again",
        )
    return page


def _links(session: Redirecting, page: Page) -> object:
    return references([page], session.tree)


def _plan_removal(session: Redirecting, stub: Stub) -> list[Finding]:
    if session.asked.prune:
        old = session.bytes_of_stubs[stub.path]
        session.changes.append(Change(stub, old, None, 0, "nothing links it"))
        return []
    words = f"nothing links this stub, which leads to {stub.target}"
    fix = session.asked.command(prune=True)
    return [Finding("redirect_obsolete", "info", stub.path, None, words, fix)]


@task(**policy.IDEMPOTENT_WRITE)
def write(session: Redirecting, written: list[str]) -> None:
    """Publish every stub of the plan, each whole, where what it rests on is as it was read."""
    from autopack.io.replace import check_unchanged, sweep

    paths = [*session.stood, *(change.stub.path for change in session.changes)]
    for folder in {PurePosixPath(path).parent for path in paths}:
        sweep(session.root / folder)
    for name, data in session.evidence.items():
        check_unchanged(session.root, name, data)
    session.replace({c.stub.path: (c.old, c.new) for c in session.changes}, written)
