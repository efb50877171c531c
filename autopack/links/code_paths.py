"""Paths that a page names in code spans: nobody can click them, so they are hints at most."""

from __future__ import annotations

import re
from collections.abc import Iterator

from autopack.links.candidates import alike
from autopack.links.model import CodeSpan, Page
from autopack.links.target import join, take_apart, without_lines
from autopack.links.tree import SKIPPED, Tree
from autopack.links.verdict import Category, Verdict

_NAME = r"[A-Za-z0-9_.@+~-]+"
_PATH = re.compile(
    rf"\.{{0,2}}/?(?:{_NAME}/)+(?:{_NAME}\.[A-Za-z][A-Za-z0-9]{{0,7}})?(?::\d+(?:-\d+)?)?"
)
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.(com|org|io|net|dev|ai)(/|\Z)|localhost\b")


def paths_in_code(tree: Tree, page: Page) -> Iterator[Verdict]:
    """Yield a verdict for every path in a code span that is not there.

    `code_ref` where something of its name is elsewhere, `unknown_ref` where nothing is. A path
    counts as there from the page's folder and from the root: people write both. What a program
    writes while it runs is not looked for.
    """
    for code in page.code:
        target = take_apart(code.text.strip())
        if target.where == "path" and looks_like_a_path(code.text.strip()):
            path = without_lines(target.path)
            places = (join(page.path, path), join("", path))
            gone = not any(place in tree for place, out in places if not out)
            if gone and SKIPPED.isdisjoint(path.split("/")):
                yield _missing(tree, page.path, code, places[1][0])


def looks_like_a_path(text: str) -> bool:
    """Return whether a code span names a file or folder: with `/`, and an ending or a last `/`."""
    return (
        _PATH.fullmatch(text) is not None
        and not text.startswith("/")
        and "..." not in text
        and not _HOST.match(text)
    )


def _missing(tree: Tree, page: str, code: CodeSpan, path: str) -> Verdict:
    like = tuple(alike(tree, path)) if not code.text.endswith("/") else ()
    category: Category = "code_ref" if like else "unknown_ref"
    words = "is elsewhere" if like else "is not in the repository"
    return Verdict(page, code.line, code.text, category, f"`{code.text}` {words}", "", like, path)
