"""Paths in code spans: hints, and only for what really looks like a path."""

from __future__ import annotations

import pytest

from autopack.links.code_paths import looks_like_a_path, paths_in_code
from autopack.links.extract import read_page
from autopack.links.tree import tree_of


@pytest.mark.parametrize(
    "text", ["src/app/main.py", "./a/b.md", "../x/y.txt", "docs/", "a/b.py:12", "a/b.py:1-9"]
)
def test_a_path(text):
    assert looks_like_a_path(text)


@pytest.mark.parametrize(
    "text",
    ["/api/runs", "a b/c.md", "and/or", "main.py", "src/*.py", "https://e.org/x.md", "e.org/x.md",
     "<path>/x.md", "application/json", "src/.../x.py", "--flag", "a/b()", "localhost/x.md"],
)  # fmt: skip
def test_no_path(text):
    assert not looks_like_a_path(text)


def test_only_what_is_nowhere_is_told_and_elsewhere_is_named():
    tree = tree_of(["docs/a.md", "docs/b/c.md", "src/app/main.py", "src/x.py"])
    page = read_page(
        "docs/a.md",
        b"`src/x.py` `b/c.md` `src/x.py:3` `old/main.py`\n"
        b"`gone/never.py` `.autonomous_runs/x/y.md`",
    )
    found = [(v.line, v.category, v.target) for v in paths_in_code(tree, page)]
    assert found == [(1, "code_ref", "old/main.py"), (2, "unknown_ref", "gone/never.py")]
