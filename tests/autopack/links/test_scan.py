"""The scanner: what it is sure of is what the parser reads, and hard pages are the parser's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autopack.links.extract import read_page
from autopack.links.model import Page
from autopack.links.scan import scan
from tests.support.golden import read_golden
from tests.support.markdown_pages import pages

GOLDEN = read_golden(Path(__file__).with_name("extraction.golden"))

PLAIN = """---
title: x
---

# Title of `code` and words

A [link](x.md) and ![image](i.png "title") in [one `x/y.py` line](a/b(1).md#part), an open [ ] box.

- item with [link](../y.md)

> quoted [q](q.md)

| a | b |
|---|---|
| [in](t.md) | `src/a.py` |

```python
[no](no.md)  # not a heading
```

## Title of `code` and words
"""


def facts(page: Page) -> object:
    links = [(link.kind, link.raw, link.target, link.line) for link in page.links]
    return links, page.anchors, page.code


def agree(text: str) -> bool:
    """Return whether the scanner is sure; then it must say what the parser says."""
    data = text.encode("utf-8", "surrogatepass")
    scanned = scan("page.md", data)
    if scanned is not None:
        assert facts(scanned) == facts(read_page("page.md", data))
    return scanned is not None


def test_a_plain_page_is_read_without_the_parser():
    assert agree(PLAIN)
    assert agree(PLAIN.replace("\n", "\r\n"))
    page = scan("page.md", PLAIN.encode())
    assert [link.target for link in page.links] == [
        "x.md", "i.png", "a/b(1).md#part", "../y.md", "q.md", "t.md"
    ]  # fmt: skip
    assert {"title-of-code-and-words", "title-of-code-and-words-1"} <= page.anchors


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.title)
def test_the_scanner_is_right_or_declines_every_tricky_construct(golden):
    agree(golden.given)


@settings(max_examples=600)
@given(pages())
def test_the_scanner_is_right_or_declines_random_pages(text):
    agree(text)


PIECES = [
    "[a](x.md)", "![i](p.png)", "[b](y.md 't')", "`src/x.py`", "`c [d](no.md)`", "`` ` ``", "[ ]",
    "word", "*em [e](e.md)*", "[n [x]](n.md)", "(p)", "[r]", "]", "[", "a|b", "`", "**", "_u_",
    "a_b", "#", "x &", "<", "1 < 2", "http://e.org", "[web](http://e.org/a)", "-", "=", "  ",
]  # fmt: skip
STARTS = [
    "", "", "# ", "## ", "> ", "- ", "1. ", "  ", "   ", "    ", "- - ", "> - ", "| ", "```\n",
    "~~~\n", "```", "---\n", "- [ ] ", "#", "* * *\n", "-     ", "| a | b |\n|---|---|\n| ",
]  # fmt: skip
ENDS = [
    "\n",
    "\n",
    "\n\n",
    " |\n",
    " | x | y |\n",
    "\n---\n",
    "\n```\n",
    " #\n",
    "  \n",
    "\n|---|---|\n",
    "\n-|-\n",
    " |\n|-|\n",
    "\n|-\n",
    "\n\n---\n",
    "\n===\n",
    "\n:-\n",
]


@st.composite
def plain_pages(draw: st.DrawFn) -> str:
    """Draw a page of which the scanner is often sure."""
    line = st.tuples(
        st.sampled_from(STARTS),
        st.lists(st.sampled_from(PIECES), max_size=3).map(" ".join),
        st.sampled_from(ENDS),
    )
    return "".join(map("".join, draw(st.lists(line, max_size=8))))


@settings(max_examples=3000)
@given(plain_pages())
@example("- a\n\n      [c](x.md)\n")
@example("| a |\n|---|\n| b | [x](no.md) |\n")
@example("```\n[a](b.md)\n")
@example("- x\n  ```\n```\n[y](y.md)\n  ```\n[z](z.md)")
@example("[x\ny](z.md)\n")
@example("a\n---\n[b](c.md)")
@example("`a\n`b` c`")
@example("#\t[a](b.md)")
@example("```[a](x.md) |\n---\n\n")
@example("# a | `b/c`\n-|-\n")
@example("```\nx\r\r\ny\n```\n[a](b.md)\n")
@example("[a](b.md)\n\n[a]: c.md")
def test_the_scanner_is_right_or_declines_plain_pages(text):
    agree(text)


@given(st.binary(max_size=200))
def test_the_scanner_is_right_or_declines_any_bytes(data):
    scanned = scan("page.md", data)
    assert scanned is None or facts(scanned) == facts(read_page("page.md", data))


@pytest.mark.corpus
def test_the_scanner_is_right_or_declines_every_real_page(corpus):
    real = [path.read_bytes().decode() for path in corpus.rglob("*.md")]
    sure = sum(map(agree, real))
    assert len(real) > 400
    assert sure > len(real) / 3


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "[[x]" * 20_000, " " * 50_000 + "x", "> " * 30_000 + "[", "|-|\n" * 20_000,
     "`" * 50_000 + "x", "".join("`" * n + " " for n in range(1, 400)), "# " * 20_000,
     "[a](" * 20_000, "[" * 9_000 + "]" * 9_000, "[a](b" + " " * 50_000, "-" * 50_000 + "x",
     "[a](" + "(" * 50_000, "\n" * 50_000 + "---"],
)  # fmt: skip
def test_a_hostile_page_is_scanned_in_the_end(text):
    scan("page.md", text.encode())
