"""The pages of deep scans in a row: what a scan did not look at is no surer afterwards."""

from __future__ import annotations

import time

from autopack.deadline import Deadline
from autopack.io import link_cache
from autopack.io.tree import read_tree
from tasks.links_library import Library
from tasks.links_session import Checking, Wish
from tests.support.link_checks import GOOD


def scan(root, *include: str) -> Library:
    checking = Checking(str(root), Wish("deep", include, False, None, False), Deadline.after(60))
    checking.tree = read_tree(checking.root, checking.deadline)
    library = Library(checking, lambda done, total: None)
    library.read(checking.wish.pages(checking.tree))
    library.confirm()
    library.keep()
    return library


def test_a_page_that_only_an_earlier_scan_saw_is_believed_as_far_as_that_one_was(
    make_workspace, monkeypatch, tmp_path
):
    """It may have changed without a trace in the moment when it was read."""
    monkeypatch.setenv("AUTOPACK_CACHE_DIR", str(tmp_path / "cache"))
    root = make_workspace({**GOOD, "archive/old.md": "# Old\n"})
    scan(root, "archive/**")
    stat = link_cache.stats(root, ["archive/old.md"])["archive/old.md"]
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)
    (root / "docs/new.md").write_text("# New\n")
    assert scan(root).kept
    cached = link_cache.load(root)
    row = cached.shelf.rows.get("archive/old.md")
    assert row is None or not cached.trusts(row, stat)
    assert scan(root, "archive/**").kept, "it was looked at again"
    cached = link_cache.load(root)
    assert cached.trusts(cached.shelf.rows["archive/old.md"], stat)
