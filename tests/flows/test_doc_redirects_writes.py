"""How stubs are written: whole or not at all, over nothing, and only on what was read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import Refused
from autopack.io import audit
from autopack.links.stubs import read_stub
from tasks import links, redirects
from tasks.redirects_session import Redirecting, Wish
from tests.support import redirects as moves
from tests.support.link_checks import NAV, everything
from tests.support.session import REPOSITORY, clean_environment


@pytest.fixture
def moved(make_workspace) -> Path:
    return moves.with_moved_page(make_workspace({name: f"# {name}\n" for name in NAV}))


def ready(root: Path) -> Redirecting:
    """Return a session that has planned everything and holds its lock."""
    session = Redirecting(str(root), Wish(3, (), False), Deadline.after(60))
    for step in (redirects.remember, links.walk, links.read, redirects.decide, redirects.plan):
        step(session)
    assert session.changes
    return session


@pytest.mark.parametrize("name", ["docs/a.md", "docs/guides/NEW.md", "config/doc_redirects.yaml"])
def test_a_source_that_changed_since_it_was_read_is_refused(moved: Path, name: str) -> None:
    session = ready(moved)
    with session.holding(True):
        moves.write(moved, {name: "# other\n"})
        with pytest.raises(Refused, match=f"{name} has changed since it was read"):
            redirects.write(session, [])
    assert not (moved / "docs/OLD.md").exists()


def test_a_source_that_changed_while_it_was_read_is_refused(moved: Path) -> None:
    session = Redirecting(str(moved), Wish(3, (), False), Deadline.after(60))
    for step in (redirects.remember, links.walk, links.read, redirects.decide):
        step(session)
    moves.write(moved, {"docs/a.md": "# other\n"})
    with pytest.raises(Refused, match=r"docs/a\.md has changed"):
        redirects.plan(session)


def test_a_file_that_took_the_place_meanwhile_stays(
    moved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even in the last moment: a new file never takes the place of another."""
    session = ready(moved)
    real = os.link

    def late(made: str, path: Path) -> None:
        path.write_text("mine")
        real(made, path)

    monkeypatch.setattr(os, "link", late)
    with session.holding(True), pytest.raises(Refused, match="has changed since it was read"):
        redirects.write(session, [])
    assert (moved / "docs/OLD.md").read_text() == "mine"
    assert sorted(os.listdir(moved / "docs")) == sorted(
        ["BUILD_HISTORY.md", "INDEX.md", "OLD.md", "a.md", "guides"]
    )


def test_a_step_that_is_tried_again_goes_on_where_it_was(moved: Path) -> None:
    session, written = ready(moved), []
    with session.holding(True):
        redirects.write(session, written)
        redirects.write(session, written)
    assert written == ["docs/OLD.md"]


def test_what_is_written_is_audited(moved: Path, run_flow) -> None:
    moves.redirects(run_flow)(moved, "--execute")
    chain = moved / ".autonomous_runs/audit.jsonl"
    assert audit.verify(chain) is None
    assert b'"docs/OLD.md"' in chain.read_bytes()


KILLED = """
import os, signal, sys
from importlib import import_module
name, when, nth, *words = sys.argv[1:]
real, calls = getattr(os, name), 0
def dies(*args, **more):
    global calls
    if not any("/docs/" in str(arg) for arg in args):
        return real(*args, **more)
    calls += 1
    if calls == int(nth) and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = real(*args, **more)
    if calls == int(nth):
        os.kill(os.getpid(), signal.SIGKILL)
    return done
import autopack.io.replace, flows.cli
setattr(os, name, dies)
sys.argv[1:] = words
flows.cli.main(import_module("flows.doc_redirects").doc_redirects)
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("name", "nth"), [("link", 1), ("link", 2), ("link", 3), ("mkdir", 1)])
def test_kill_9_leaves_whole_stubs_or_none_and_the_next_run_ends_the_work(
    moved: Path, run_flow, name: str, nth: int, when: str
) -> None:
    for n in (1, 2):
        moves.write(moved, {f"docs/p{n}.md": f"# P\n\n{moves.LONG}\n{n}\n" * n})
        moves.write(moved, {f"docs/l{n}.md": f"[a](p{n}.md) " * 3})
    moves.commit(moved)
    for n in (1, 2):
        moves.move(moved, f"docs/p{n}.md", f"docs/moved/to{n}.md")
    (moved / "docs/guides/NEW.md").rename(moved / "NEW.md")
    moves.write(moved, {"docs/l3.md": "[a](guides/NEW.md) " * 3})
    moves.commit(moved)
    (moved / "docs/guides").rmdir()  # the stub of docs/guides/NEW.md makes it again
    before = everything(moved)
    words = ("--execute", "--engine", "direct", "--workspace", str(moved))
    child = subprocess.run(
        [sys.executable, "-c", KILLED, name, when, str(nth), *words],
        cwd=REPOSITORY, env=clean_environment(), capture_output=True, check=False,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr
    for path, data in everything(moved).items():
        if path not in before and path.endswith(".md"):
            stub = read_stub(path, data)
            assert stub is not None
            assert stub.own
    again = moves.redirects(run_flow)(moved, "--execute")
    assert again.returncode == 0, again.stderr
    after = everything(moved)
    assert set(after) - set(before) == {
        "docs/OLD.md", "docs/guides/NEW.md", "docs/p1.md", "docs/p2.md",
    }  # fmt: skip
    assert {name: after[name] for name in before} == before
    assert moves.planned(moves.redirects(run_flow)(moved, "--execute")) == []


def test_a_run_on_a_server_writes_what_a_direct_one_does(
    make_workspace, run_flow, prefect_server
) -> None:
    env = {"PREFECT_API_URL": prefect_server.url, "PREFECT_HOME": str(prefect_server.home)}
    made = []
    for engine in ("direct", "server"):
        root = moves.with_moved_page(make_workspace({name: f"# {name}\n" for name in NAV}))
        done = run_flow(
            "doc_redirects", "--execute", "--json", "--engine", engine, "--workspace", root, env=env
        )
        assert done.returncode == 0, done.stderr
        made.append((done.report["counts"], done.report["writes"], done.report["engine"]))
        assert (root / "docs/OLD.md").exists()
    direct, server = made
    assert server == (*direct[:2], "server")
