"""Globs are gitignore's, anchored; whether two of them can meet is exact."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.phases.globs import common_name, glob_fault, literal_prefix, meeting
from autopack.phases.scope import Scope, compiled

REFUSED = {
    "!docs/": "PS301", "docs/[ab].md": "PS301", "docs/{a,b}": "PS301", "docs/a**": "PS301",
    "a*b*c*d*e": "PS301",
    "**x": "PS301", "docs/**/": "PS301", "**": "PS302", "*": "PS302", "*/": "PS302",
    "**/*": "PS302", "": "PS201", "/": "PS201", "/docs/": "PS202", "docs//": "PS201",
    "docs/../*": "PS201", "docs\\*": "PS203", "./docs/": "PS201", "~/*": "PS206", ".git/": "PS209",
    "**/.git/config": "PS209", "docs/*.": "PS207", "docs/nul.*": "PS208", "ab*:x": "PS206",
}  # fmt: skip


@pytest.mark.parametrize("glob", REFUSED)
def test_a_glob_with_two_readings_is_refused(glob):
    assert glob_fault(glob) == REFUSED[glob]


@pytest.mark.parametrize("glob", ["docs/", "docs", "docs/**", "docs/*.md", "docs/**/x?.md", "**/x"])
def test_a_glob_with_one_reading_is_accepted(glob):
    assert glob_fault(glob) is None


COVERS = {
    "docs/": (["docs/a", "docs/a/b"], ["docs", "docsx/a", "src/docs/a"]),
    "docs": (["docs", "docs/a/b"], ["src/docs", "docsx"]),
    "README.md": (["README.md"], ["src/README.md", "README.mdx"]),
    "docs/*.md": (["docs/a.md", "docs/.md"], ["docs/a/b.md", "a.md"]),
    "docs/**/*.md": (["docs/a.md", "docs/a/b/c.md"], ["a.md", "docs/a.txt"]),
    "**/x.md": (["x.md", "a/b/x.md"], ["ax.md"]),
    "docs/**": (["docs/a", "docs/a/b"], ["docs"]),
    "a?/b": (["ab/b", "ab/b/c"], ["a/b", "abc/b"]),
}


@pytest.mark.parametrize("glob", COVERS)
def test_a_glob_covers_what_gitignore_says_from_the_root(glob):
    inside, outside = COVERS[glob]
    scope = Scope("p", (glob,))
    assert [scope.judge(path) for path in inside] == [None] * len(inside)
    assert {scope.judge(path) for path in outside} == {"PS214"}


MEETING = [
    ("docs/", "docs/a.md", True), ("docs/", "docs", True), ("docs/", "src/", False),
    ("docs/*.md", "docs/a*", True), ("docs/*.md", "docs/*.txt", False),
    ("docs/*.md", "docs/a", False),
    ("a/*.md", "a/b.txt", False), ("**/*.md", ".github/workflows/", True), ("a?c", "abd", False),
    ("DOCS/", "docs/a", True), ("a/**/z", "a/z", True), ("a/**/z", "a/b/c/z/y", True),
    ("a/**/z", "b/**", False), ("docs/x", "docs/x/y", True), ("*a", "a*", True), ("?", "ab", False),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "meet"), MEETING)
def test_two_globs_meet_where_a_path_could_be_in_both(one, other, meet):
    assert (meeting(one, other) is not None) is meet
    assert (meeting(other, one) is not None) is meet


def test_a_file_below_a_file_counts():
    """`docs/*.md` covers a folder called `x.md` too, and so what is in it."""
    assert meeting("docs/*.md", "docs/x.md/y") == "docs/x.md/y"


NAMES = st.sampled_from(["a", "b", "*", "?", "a*", "*b", "?a", "**", "ab", "a?"])
GLOBS = (
    st.tuples(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.sampled_from(["", "/"]))
    .map("".join)
    .filter(lambda glob: glob_fault(glob) is None)
)
UNIVERSE = [
    "/".join(names)
    for depth in range(1, 5)
    for names in product(["a", "b", "ab", "ba"], repeat=depth)
]


@settings(max_examples=150)
@given(GLOBS, GLOBS)
def test_meeting_agrees_with_every_path_there_could_be(one, other):
    first, second = compiled([one]), compiled([other])
    both = [path for path in UNIVERSE if first.match_file(path) and second.match_file(path)]
    found = meeting(one, other)
    if both:
        assert found is not None, f"{both[0]} is in both"
    if found is not None:
        assert first.match_file(found)
        assert second.match_file(found)


WORDS = st.text("ab*?", min_size=1, max_size=5).filter(lambda word: "**" not in word)


@given(WORDS, WORDS)
def test_a_common_name_is_matched_by_both(one, other):
    found = common_name(one, other)
    texts = ["".join(letters) for n in range(1, 6) for letters in product("ab", repeat=n)]
    first, second = compiled([one]), compiled([other])
    if found is None:
        assert not any(first.match_file(t) and second.match_file(t) for t in texts)
    else:
        assert first.match_file(found)
        assert second.match_file(found)


def test_the_part_before_the_first_star_is_the_prefix():
    assert literal_prefix("docs/a/*.md") == "docs/a"
    assert literal_prefix("docs/") == "docs"
    assert literal_prefix("**/x") == ""
