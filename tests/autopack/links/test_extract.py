"""Extraction: every tricky construct, spans that hold, and a second reading that agrees."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis.strategies import binary

from autopack.links.extract import read_page
from autopack.links.model import Page
from tests.support.gfm_oracle import Worker
from tests.support.golden import read_golden
from tests.support.markdown_pages import pages

GOLDEN = read_golden(Path(__file__).with_name("extraction.golden"))


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.title)
def test_links_are_what_github_renders(golden):
    page = read_page("page.md", golden.given.encode())
    found = [f"{link.line} {link.kind} {link.target or '<>'}" for link in page.links]
    assert found == golden.expected


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.title)
def test_every_span_holds_the_raw_target(golden):
    data = golden.given.encode()
    for link in read_page("page.md", data).links:
        if link.kind == "autolink":
            assert link.span is None
            continue
        assert link.span is not None
        start, end = link.span
        assert data[start:end].decode().replace("\\|", "|") == link.raw
        if link.enclosed:
            assert data[start - 1 : start].decode() == link.enclosed


def test_bytes_that_are_no_text_do_not_shift_a_span():
    data = b"\xff\xfe [a](x\xff.md) \xe2\x9a\xa0 [b](y.md)"
    first, second = read_page("page.md", data).links
    assert data[slice(*first.span)] == b"x\xff.md"
    assert data[slice(*second.span)] == b"y.md"


def test_nul_is_one_character_and_one_byte():
    data = b"a\0b [a](x.md)"
    (link,) = read_page("page.md", data).links
    assert data[slice(*link.span)] == b"x.md"


def test_code_spans_and_anchors_are_kept_with_their_lines():
    page = read_page(
        "page.md",
        b"# Title `x`\n\ntext `src/a.py`\n\n<a name=here></a> <p id='there'></p>\n\n"
        b"<h2>By <b>HTML</b></h2>\n\nNote[^n].\n\n[^n]: text\n",
    )
    assert [(span.text, span.line) for span in page.code] == [("x", 1), ("src/a.py", 3)]
    assert page.anchors >= {"title-x", "here", "there", "by-html", "fn-n", "fnref-n"}


@pytest.fixture(scope="module")
def github() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.title)
def test_github_s_parser_reads_the_same(golden, github):
    _same(read_page("page.md", golden.given.encode()), golden.given, github)


@settings(max_examples=400)
@given(text=pages())
def test_links_and_fragments_are_those_of_github_s_parser(text, github):
    page = read_page("page.md", text.encode())
    _same(page, text, github)
    for link in page.links:
        if link.span is not None:
            raw = text.encode()[slice(*link.span)].decode()
            assert raw.replace("\\|", "|") == link.raw


def _same(page: Page, text: str, github: Worker) -> None:
    """The rendered page percent-encodes, so both sides are decoded; bare addresses are no links."""
    links, anchors = github.read(text.encode())
    mine = Counter(unquote(link.target) for link in page.links)
    web = [link for link in links if link.startswith(("http", "mailto:"))]
    assert {k: n for k, n in mine.items() if k not in web} == {
        k: n for k, n in links.items() if k not in web
    }
    assert _led_to(page.anchors) == _led_to(anchors)


def _led_to(anchors: Iterable[str]) -> set[str]:
    """Return the fragments with hyphens made one: the indent of a heading's lines differs.

    Footnotes' own are left out: they count each other's citations.
    """
    named = (name for name in anchors if not name.startswith(("fn-", "fnref-")))
    return {re.sub("-+", "-", name).strip("-") for name in named}


@given(binary(max_size=300))
def test_no_file_is_too_damaged_to_be_read(data):
    read_page("page.md", data)


@pytest.mark.parametrize(
    "text",
    ["<" + "a" * 50_000, "<a " + "=a" * 20_000, "<a b=\"" * 5_000, "<h1>" * 2_000, "<!--" * 9_000,
     "[" * 3_000, "[a](" * 3_000, "<div>\n" + "<a " * 9_000, "`" * 9_000 + "x", "![" * 3_000,
     "[^1]: " * 3_000, "[^1]: x\n\n    y\n\n" * 2_000, "https://x/[ " * 3_000,
     "https://x/[](" * 3_000, "https://x/[a](b) " * 3_000, "> " * 3_000, "- " * 3_000,
     "[[^1]" * 3_000 + "\n\n[^1]: x", "<h1>\n\n# x\n\n" * 2_000],
)  # fmt: skip
def test_a_hostile_page_is_read_in_the_end(text):
    assert read_page("page.md", text.encode()).path == "page.md"
