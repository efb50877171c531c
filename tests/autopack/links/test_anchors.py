"""Fragments by GitHub's rule."""

from __future__ import annotations

import pytest

from autopack.links.anchors import fragments, is_lines, leads_into, slug
from autopack.links.extract import read_page


@pytest.mark.parametrize(
    ("heading", "fragment"),
    [
        ("C++ & C#", "c--c"),
        ("a--b  c", "a--b--c"),
        ("हिन्दी शीर्षक", "हिन्दी-शीर्षक"),
        ("⚠️ Warning", "\ufe0f-warning"),
        ("✅ Done", "-done"),
        ("1️⃣ One", "1️⃣-one"),
        ("x² ½ Ⅷ ①", "x--ⅷ-"),
        ("İ", "i̇"),
        ("ΑΣ ΟΔΟΣ", "ας-οδος"),
        ("foo_bar", "foo_bar"),
        (":smile: short", "smile-short"),
        ("  trimmed\t", "trimmed"),
        ("tab\tand\u00a0nbsp", "tabandnbsp"),
        ("Ⓐ 🅱", "ⓐ-🅱"),
        ("!", ""),
    ],
)
def test_slug(heading, fragment):
    assert slug(heading) == fragment


@pytest.mark.parametrize(
    ("markdown", "fragment"),
    [
        ("# The `code` and [link](x.md)", "the-code-and-link"),
        ("# ![alt](x.png) Pic", "pic"),
        ("# A <b>tag</b> &amp; <!-- c --> esc\\*aped", "a-tag---escaped"),
        ("Setext\n===", "setext"),
        ("Over\nlines\n---", "overlines"),
        ("# Closed ##", "closed"),
        ("> ## Quoted", "quoted"),
        ("- ### In a list", "in-a-list"),
        ("# **Bold** _em_ ~~gone~~", "bold-em-gone"),
        ("# ![alt](x.png) Pic", "-pic"),
        ("# End <!-- c -->", "end"),
        ("# End <!-- c -->", "end-"),
        ("# The <title> and <b>", "the-title-and-"),
        ("# Noted [^n]\n\nFirst[^m]\n\n[^m]: m\n[^n]: n", "noted-1"),
        ("<h1 align=center>\n\nIn *Markdown*\n\n</h1>", "in-markdown"),
        ("<h2>\n  Indented\n</h2>", "indented"),
        ("<h2>\n  Indented\n</h2>", "--indented"),
        ("text <h3>Inside</h3> text", "inside"),
        ("| Under |\n---", "-under-"),
        ("<p name=place>", "place"),
    ],
)
def test_a_heading_leads_there_by_its_text(markdown, fragment):
    assert fragment in read_page("page.md", markdown.encode()).anchors


def test_equal_headings_get_numbers_under_both_rules():
    assert list(fragments(["", "", "!"]))[::2] == ["", "-1", "-2"]
    made = list(fragments(["Foo", "Foo", "Foo-1"]))
    assert made[::2] == ["foo", "foo-1", "foo-1"], "html-pipeline counts"
    assert made[1::2] == ["foo", "foo-1", "foo-1-1"], "github-slugger steps over"


@pytest.mark.parametrize(
    ("heading", "fragment"),
    [
        ("Ⅷ ² ¼ ٣ 三", "ⅷ---٣-三"),
        ("ǅ ẞ ﬁ ŉ", "ǆ-ß-ﬁ-ŉ"),
        ("k₁ · x′ – y — z…", "k--x--y--z"),
        ("“q” ‘r’ «s» ¿t?", "q-r-s-t"),
        ("a\u200db\u200cc\u200bd\ufeffe", "abcde"),
        ("e\u0301 é ཀྵ กำ", "e\u0301-é-ཀྵ-กำ"),
        ("👩‍💻 👍🏽 🇩🇪 ©", "---"),
        ("ⓐ ⒜ 🄐 🅐 🅰 🆎", "ⓐ---🅐-🅰-"),
        ("‿ ⁀ ＿ _", "‿-⁀-＿-_"),
        ("$x$ + `y` = 1/2", "x--y--12"),
        ("Ａ Ｂ ０", "ａ-ｂ-０"),
        ("Α\u0301Σ ΣΑΣ.", "α\u0301ς-σας"),
    ],
)
def test_slugs_of_many_scripts_are_those_of_github_slugger(heading, fragment):
    assert slug(heading) == fragment


def test_code_is_no_heading():
    page = read_page("page.md", b"```\n# no\n```\n\n    # no\n\n<!--\n# no\n-->\n")
    assert page.anchors == frozenset()


@pytest.mark.parametrize(
    ("fragment", "leads"),
    [
        ("", True), ("top", True), ("one", True), ("user-content-one", True), ("here", True),
        ("user-content-fn-1", True), ("L10", False), ("L10-L20", False), (":~:text=x", True),
        ("two", False), ("One", False), ("#one", False),
    ],
)  # fmt: skip
def test_what_leads_into_a_page(fragment, leads):
    page = read_page("page.md", b"# One\n\n<a id=here></a> text[^1]\n\n[^1]: note\n")
    assert leads_into(page, fragment) is leads


@pytest.mark.parametrize("fragment", ["L1", "L10-L20", "L10-20", "L1C2-L3C4"])
def test_lines_of_source(fragment):
    assert is_lines(fragment)
    assert not is_lines(f"x{fragment}")
