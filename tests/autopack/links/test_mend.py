"""Certain mends: exactly the spans, proven by a second reading, or left alone."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given, settings

from autopack.links.extract import read_page
from autopack.links.mend import mend, mends_of
from autopack.links.resolve import Judge
from autopack.links.tree import tree_of
from tests.support.markdown_pages import pages

TREE = tree_of(
    ["docs/page.md", "docs/INDEX.md", "src/app/main.py", "docs/a b(1).md", "docs/i&j.md"]
)


def mended(data: bytes, judge=None, page: str = "docs/page.md"):
    read = read_page(page, data)
    lead = Judge(TREE, {page: read})
    verdicts = list(lead.verdicts(read))
    return mend(read, data, verdicts, judge or (lambda page: list(lead.verdicts(page))))


def test_every_form_of_link_keeps_all_its_other_bytes():
    before = (
        b"[a](docs/INDEX.md 'docs/INDEX.md') docs/INDEX.md `docs/INDEX.md`\r\n"
        b"[b](<docs/INDEX.md>) ![c](docs/INDEX.md) <a href='docs/INDEX.md'>docs/INDEX.md</a>\r\n"
        b'[d][r] [r]\r\n\r\n[r]:   docs/INDEX.md   "t"\r\n\r\n'
        b"| [t](docs/INDEX.md) | x \\| y |\r\n|---|---|\r\n\xff no newline"
    )
    after = (
        b"[a](INDEX.md 'docs/INDEX.md') docs/INDEX.md `docs/INDEX.md`\r\n"
        b"[b](<INDEX.md>) ![c](INDEX.md) <a href='INDEX.md'>docs/INDEX.md</a>\r\n"
        b'[d][r] [r]\r\n\r\n[r]:   INDEX.md   "t"\r\n\r\n'
        b"| [t](INDEX.md) | x \\| y |\r\n|---|---|\r\n\xff no newline"
    )
    done = mended(before)
    assert done.data == after
    assert len(done.mends) == 6, "two links share a definition"
    assert mended(after).mends == ()


def test_what_markdown_or_html_could_read_otherwise_is_encoded():
    done = mended(
        b"[a](<docs/a b(1).md>) [b](docs/a%20b\\(1\\).md) "
        b'<a href="docs/i&amp;j.md?x=1&amp;y=2">c</a> [d](docs/INDEX.md?x=1&y=2)'
    )
    new = [one.new for one in done.mends]
    assert new == [
        b"a%20b%281%29.md",
        b"a%20b%281%29.md",
        b"i%26j.md?x=1&amp;y=2",
        b"INDEX.md?x=1&amp;y=2",
    ]
    assert done.unproven == ()


def test_line_suffix_base_and_query():
    done = mended(b"[a](src/app/main.py:3-9) [b](../src/app/main.py:3) [c](docs/INDEX.md?x#y)")
    new = [one.new for one in done.mends]
    assert new == [b"../src/app/main.py#L3-L9", b"../src/app/main.py#L3", b"INDEX.md?x#y"]


def test_links_that_cannot_be_mended_for_certain_stay():
    data = b"[a](gone.md) [b](https://e.org/docs/INDEX.md) [c](INDEX.md#gone) [d](docs/INDEX.md)"
    done = mended(data)
    assert done.data == data.replace(b"(docs/INDEX.md)", b"(INDEX.md)")


def test_a_mend_that_does_not_prove_right_is_left_out():
    data = b"[a](docs/INDEX.md) [b](src/app/main.py)"
    read = read_page("docs/page.md", data)
    lead = Judge(TREE, {read.path: read})

    def wary(page):
        """Judge as usual, and call every link to source code broken."""
        wrong = [v for v in lead.verdicts(read) if "main.py" in v.target]
        found = [link for link in page.links if "main.py" in link.target]
        return [*lead.verdicts(page), *(type(wrong[0])(page.path, 1, "", "missing_file", "", link=x)
                                        for x in found)]  # fmt: skip

    done = mended(data, wary)
    assert done.data == b"[a](INDEX.md) [b](src/app/main.py)"
    assert [verdict.target for verdict in done.unproven] == ["src/app/main.py"]


def test_mends_come_in_order_and_never_overlap():
    data = b"[![i](docs/INDEX.md)](docs/INDEX.md) [r] [r]\n\n[r]: docs/INDEX.md"
    read = read_page("docs/page.md", data)
    found = mends_of(Judge(TREE, {read.path: read}).verdicts(read))
    spans = [(one.start, one.end) for one in found]
    assert spans == sorted(spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert len(spans) == 3


NAMES = re.compile(r"(?<=[(<' ])(x|e|n|op|ref|lazy|h|t)\.md")
WRONG = tree_of([f"docs/{name}.md" for name in ["x", "e", "n", "op", "ref", "lazy", "h", "t"]])


@settings(max_examples=200)
@given(pages())
def test_whatever_the_page_all_certain_mends_prove_right_and_no_other_byte_moves(text):
    data = NAMES.sub(r"docs/\1.md", text).encode()
    read = read_page("docs/page.md", data)
    lead = Judge(WRONG, {read.path: read})
    done = mend(read, data, list(lead.verdicts(read)), lambda page: list(lead.verdicts(page)))
    assert done.unproven == ()
    after = read_page(read.path, done.data)
    assert [v for v in lead.verdicts(after) if v.certain] == []
    spans = sorted({(one.start, one.end) for one in done.mends})
    kept, at = [], 0
    for start, end in spans:
        kept.append(data[at:start])
        at = end
    rest = done.data
    for piece in [*kept, data[at:]]:
        assert piece in rest
        rest = rest[rest.index(piece) + len(piece) :]
