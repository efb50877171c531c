"""Shelves: what is put on one comes back, through bytes and from several; damage is an error."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.links.code_paths import paths_in_code
from autopack.links.extract import read_page
from autopack.links.mend import unmendable
from autopack.links.model import CodeSpan, Link, Page
from autopack.links.resolve import Judge, fragment_files, hidden_paths
from autopack.links.shelf import Reading, Stat, shelf_from
from autopack.links.shelving import gathered, shelf_of
from autopack.links.survey import Anchors, Pages, Survey, merged
from autopack.links.tree import Tree, tree_of
from tests.support.golden import read_golden
from tests.support.markdown_pages import pages

GOLDEN = read_golden(Path(__file__).parent / "extraction.golden")
TREE = tree_of(["docs/x.md", "docs/page.md", "src/a.py", "README.md", "other/y.md", "z.md"])


def readings(*texts: str) -> list[Reading]:
    return [
        Reading(read_page(f"docs/{n}.md", text.encode()), bytes([n % 256]) * 16, Stat(n, 2, 3, 4))
        for n, text in enumerate(texts)
    ]


def paths_only(page: Page) -> Page:
    """Return a page without the code spans that nobody asks for."""
    code = tuple(span for span in page.code if "/" in span.text and not span.text.startswith("/"))
    return dataclasses.replace(page, code=code)


def test_every_golden_page_comes_back():
    given = readings(*(golden.given for golden in GOLDEN))
    shelf = shelf_from(shelf_of(given).to_bytes())
    assert len(shelf) == len(given)
    for row, reading in enumerate(given):
        page = shelf.page(row)
        assert (page.path, page.links, page.anchors) == (
            reading.page.path, reading.page.links, reading.page.anchors
        )  # fmt: skip
        assert (shelf.stat(row), shelf.digest(row)) == (reading.stat, reading.digest)


def test_every_field_of_a_page_is_kept():
    """A new field needs a column, or pages from the cache would lack it."""
    link = Link("html", "raw|", "tar\0get\ud800", 7, (3, 9), '"')
    page = Page("docs/ä\udcff.md", (link,), frozenset({"", "a\nb"}), (CodeSpan("src/a.py", 5),))
    assert shelf_from(shelf_of([Reading(page, b"d" * 16)]).to_bytes()).page(0) == page
    told = {f.name for kind in (Page, Link, CodeSpan) for f in dataclasses.fields(kind)}
    assert told == {
        "path", "links", "anchors", "code", "kind", "raw", "target", "line", "span", "enclosed",
        "text", "redirect",
    }  # fmt: skip


@given(st.lists(pages(), max_size=4), st.randoms(use_true_random=False))
def test_rows_of_several_shelves_make_one(texts, random):
    whole = readings(*texts)
    shelves = [shelf_of([reading]) for reading in whole] + [shelf_of(whole)]
    picked = [(shelves[n], 0) if random.random() < 0.5 else (shelves[-1], n)
              for n in range(len(whole))]  # fmt: skip
    joined = shelf_from(gathered(picked).to_bytes())
    assert [joined.page(n) for n in range(len(joined))] == [
        shelves[-1].page(n) for n in range(len(whole))
    ]
    assert [joined.stat(n) for n in range(len(joined))] == [r.stat for r in whole]


def test_a_cut_or_foreign_shelf_is_refused():
    data = shelf_of(readings("# a\n[b](c.md)\n")).to_bytes()
    for bad in (b"", b"\0\0", data[:-1], data + b"x", data[:9], b"\0\0\0\x02{}", data[4:]):
        with pytest.raises(ValueError):
            shelf_from(bad)


@given(st.lists(pages(), min_size=1, max_size=3))
def test_a_shelf_is_judged_as_its_pages_are(texts):
    linked = [text + "\n[w](http://e.org) [h](#no) [m](x.md#no) `src/b.py` [n](gone.md) [s](0.md)\n"
              for text in texts]  # fmt: skip
    given = readings(*linked)
    tree = Tree(TREE.files | {r.page.path for r in given}, TREE.folders)
    shelf = shelf_of(given)
    stubs = {"docs/0.md": "docs/x.md"}
    survey = Survey(shelf, tree, stubs)
    judge = Judge(tree, {r.page.path: r.page for r in given}, stubs)
    for row, reading in enumerate(given):
        page = reading.page
        wanted = [
            unmendable(verdict) if verdict.link and verdict.link.span is None else verdict
            for verdict in judge.verdicts(page)
        ]
        wanted += paths_in_code(tree, page)
        found = merged(survey.told(row, True), survey.outside(row))
        assert [told.verdict for told in found] == sorted(wanted, key=lambda v: v.line or 0)
        assert set(shelf.hidden(row)) == hidden_paths(page)
        assert survey.fragment_files([row]) == fragment_files(tree, page)


def test_pages_are_given_by_name():
    given = readings("# a\n", "[b](c.md)\n")
    shelf = shelf_of(given)
    assert dict(Pages(shelf, ["docs/1.md", "docs/no.md"])) == {"docs/1.md": given[1].page}
    assert Anchors(shelf)["docs/0.md"].anchors == {"a"}
    assert "docs/no.md" not in Anchors(shelf)
    with pytest.raises(KeyError):
        Pages(shelf, ["docs/1.md"])["docs/0.md"]
