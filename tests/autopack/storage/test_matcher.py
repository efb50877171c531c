"""Globs: held against pathspec over random paths, and every refusal."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from autopack.storage.matcher import Globs, glob_fault
from autopack.storage.names import spell

# --- the oracle -------------------------------------------------------------------------------


def oracle(glob: str, *, fold: bool = False) -> re.Pattern[str]:
    """Return pathspec's expression; as git has it, a set never matches a slash."""
    expression, _ = GitIgnoreSpecPattern.pattern_to_regex(glob)
    assert expression is not None
    strict = expression.replace("[^]", "[^\\]").replace("[^", "[^/")
    return re.compile(strict, re.S | (re.I if fold else 0))


LETTERS = "abAB.-ñé"
names = st.text(LETTERS, min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=5).map("/".join)
pieces = st.one_of(
    st.text(LETTERS, min_size=1, max_size=2),
    st.sampled_from(
        ["*", "?", "[ab]", "[!ab]", "[^a]", "[a-c]", "[]a]", "[!]]", "[a-]", "\\*", "\\b"]
    ),
)
segments = st.one_of(st.just("**"), st.lists(pieces, min_size=1, max_size=3).map("".join))
globs = st.builds(
    lambda start, middle, end: start + "/".join(middle) + end,
    st.sampled_from(["", "/"]),
    st.lists(segments, min_size=1, max_size=5),
    st.sampled_from(["", "/"]),
).filter(lambda glob: glob_fault(glob) is None)


def series(matcher: Globs, *found: str) -> list[bool]:
    return matcher.series(pl.Series(list(found), dtype=pl.String)).to_list()


@given(globs, st.lists(paths, min_size=1, max_size=8), st.booleans())
@example("**", ["a"], False)
@example("**/", ["a", "a/b"], False)
@example("*/", ["a", "a/b"], False)
@example("a/**/**/b", ["a/b", "a/x/y/b"], False)
@example("a/**", ["a", "a/b"], False)
@example("**/a", ["a", "x/a/y"], False)
@example("/a", ["a", "x/a"], False)
@example("a/", ["a", "a/b"], True)
@example("A", ["a", "x/a/y"], True)
@example("ñ?", ["Ñé"], True)
def test_a_glob_matches_what_pathspec_matches(glob: str, found: list[str], fold: bool) -> None:
    judge = oracle(glob, fold=fold)
    exact, covering = Globs((glob,), fold=fold), Globs((glob,), fold=fold, covering=True)
    assert series(exact, *found) == [judge.search(path) is not None for path in found]
    as_folder = [judge.search(f"{path}/") is not None for path in found]
    assert series(covering, *found) == as_folder


@given(st.lists(globs, max_size=5), st.lists(paths, min_size=1, max_size=5), st.booleans())
def test_one_path_and_many_paths_are_matched_alike(
    several: list[str], found: list[str], fold: bool
) -> None:
    matcher = Globs(tuple(several), fold=fold, covering=True)
    assert series(matcher, *found) == [matcher.match(path) for path in found]


@given(globs, st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=3))
def test_an_escape_of_a_spelled_path_is_one_character(glob: str, raw: list[bytes]) -> None:
    found = b"/".join(name.translate(None, b"/\0") or b"a" for name in raw)
    assume(b"." not in found.split(b"/"))
    judge = oracle(glob).search(found.decode("utf-8", "surrogateescape")) is not None
    assert series(Globs((glob,)), spell(found)) == [judge]


def test_no_wildcard_takes_half_of_an_escape() -> None:
    assert series(Globs(("*ff",)), "\\xff", "\\\\xff") == [False, True]
    assert series(Globs(("?",)), "\\xff", "\\\\", "a\\xff") == [True, True, False]
    assert series(Globs(("[!a]",)), "\\xff", "\\\\") == [True, True]


def test_a_glob_of_a_folders_content_covers_the_folder() -> None:
    found = "x", "x/a", "y/x", "xy"
    assert series(Globs(("x/**",), covering=True), *found) == [True, True, False, False]
    assert series(Globs(("**/x/**",), covering=True), *found) == [True, True, True, False]
    assert series(Globs(("x/**",)), *found) == [False, True, False, False]


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        (".git/config", "a/.GIT/CONFIG"),
        ("**/*.py", "x/FOO.PY"),
        ("straße", "STRAßE"),
        ("café", "CAFE\u0301"),
        ("Σίσυφος", "σίσυφοσ"),
        ("k", "\u212a"),
    ],
)
def test_folding_ignores_case_and_how_accents_are_composed(glob: str, path: str) -> None:
    matcher = Globs((glob if "/" not in glob or glob[0] == "*" else f"**/{glob}",), fold=True)
    assert series(matcher, path) == [True]
    assert matcher.match(path)
    assert series(Globs((glob,)), path) == [False]


def test_a_drive_is_kept_and_matches_nothing() -> None:
    for glob in ("C:/Users/*/Temp/**", "c:\\Users\\*"):
        assert glob_fault(glob) is None
        assert series(Globs((glob,), fold=True), "C:/Users/a/Temp/b", "c:Usersx") == [False, False]


def test_a_newline_in_a_name_is_a_character_like_any_other() -> None:
    assert series(Globs(("*.log", "x/**/y")), "a\n.log", "x/\n/y", "a.log\n") == [True, True, False]
    assert not Globs(("*.log",)).match("a.log\n")


def test_a_thousand_globs_are_one_matcher() -> None:
    matcher = Globs(tuple(f"**/é{n}*x/**" for n in range(1000)), fold=True, covering=True)
    assert series(matcher, "a/É999yX", "a/é999y") == [True, False]


def test_no_glob_matches_nothing() -> None:
    assert series(Globs(()), "a", "") == [False, False]
    assert not Globs(()).match("a")


@pytest.mark.parametrize(
    ("glob", "words"),
    [
        ("!keep", "negation"),
        ("#note", "comment"),
        ("", "empty"),
        ("/", "empty"),
        ("  ", "empty"),
        ("a ", "ends with a space"),
        ("a//b", "no name"),
        ("../a", "no name"),
        ("a/./b", "no name"),
        ("***", "neither"),
        ("a/***/b", "neither"),
        ("[ab", "without what belongs to it"),
        ("[a/b]", "without what belongs to it"),
        ("a\\", "without what belongs to it"),
        ("[z-a]", "names no character"),
        ("[[:alpha:]]", "read differently"),
        ("[\\a]", "read differently"),
        ("*a*a*a*a*", "more than 4 times"),
        ("**/a/**/a/**/a/**/a/**", "more than 4 times"),
        ("x" * 501, "longer than"),
    ],
)
def test_a_glob_with_no_one_reading_is_refused(glob: str, words: str) -> None:
    assert words in (glob_fault(glob) or "")


@pytest.mark.parametrize("glob", ["\\!keep", "\\#note", "a\\ ", "[]]", "[!]]", "a b", "{a,b}"])
def test_what_has_one_reading_is_taken(glob: str) -> None:
    assert glob_fault(glob) is None


def test_sign_characters_stand_for_themselves() -> None:
    assert (
        series(Globs(("\\!a", "\\#b", "c\\ ", "{d}", "e+(f)")), "!a", "#b", "c ", "{d}", "e+(f)")
        == [True] * 5
    )
