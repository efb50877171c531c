"""Random Markdown pages, made of what is hard to read."""

from __future__ import annotations

from hypothesis import strategies as st

# Backticks of one length only: cmark-gfm loses code spans behind an unmatched run of another.
PIECES = [
    "[a](x.md)", "[b](<y z.md> 't')", "![i](p.png)", "`[c](no.md)`", "[ref][r]", "[r]", "text",
    "<a href='h.md'>", "</a>", "<img src=q.png>", "<!-- [n](no.md) -->", "*em [e](e.md)*",
    "[n [x]](n.md)", "\\[no\\](esc.md)", "[p](a(1).md)", "&amp; [q](a&amp;b.md)", "[pct](a%20b.md)",
    "<https://e.org>", "~~s [t](t.md)~~", "[o\np](op.md)", "`", "[", "](", ")", "<b>",
    "![a [l](l.md)](m.png)", "[^1]", "https://e.org/[z](z.md)", "<h2>H</h2>", "<br>",
    "<a name='here'></a>", "<?p p?>",
]  # fmt: skip
PREFIXES = [
    "", "# ", "> ", "- ", "1. ", "   ", "    ", "\t", "```\n", "~~~\n", "| ", "  ", "> - ",
    "* * *\n", "[^1]: ",
    "<div>\n", "</div>\n", "===\n", "\n",
]  # fmt: skip
TAILS = ["", "\n[r]: ref.md", "\n\n[r]: <ref (2).md> 'title'\n", "\n> [r]:\n>   lazy.md"]


@st.composite
def pages(draw: st.DrawFn) -> str:
    """Draw a page; its relative links lead to files named `*.md` and `*.png`."""
    lines = draw(
        st.lists(
            st.tuples(
                st.sampled_from(PREFIXES),
                st.lists(st.sampled_from(PIECES), max_size=3),
                st.sampled_from(["\n", "\n\n", " | \n", "\n|---|---|\n"]),
            ),
            min_size=1,
            max_size=8,
        )
    )
    body = "".join(prefix + " ".join(pieces) + end for prefix, pieces, end in lines)
    return body + draw(st.sampled_from(TAILS))
