"""Ignore rules: complete, anchored, dated, and never over a navigation page's missing files."""

from __future__ import annotations

from datetime import date

import pytest

from autopack.errors import UsageError
from autopack.globs import anchored
from autopack.links.ignore import Rule, apply
from autopack.links.ignore_files import import_legacy, read_rules
from autopack.links.verdict import Verdict

TODAY = date(2026, 11, 24)
LATER = date(2027, 1, 31)


def verdict(page="docs/a.md", resolved="docs/old/x.md", category="missing_file", target="", sub=""):
    return Verdict(page, 3, target or resolved, category, "said", sub, (), resolved)


def rule(kind="missing_file", glob="docs/old/**", expires=LATER, **more):
    return Rule(kind, glob, "because", expires, file="config/doc_links_ignore.yaml", **more)


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("docs/old/**", "docs/old/a/b.md", True),
        ("docs/old/**", "more/docs/old/a.md", False),
        ("docs/*.md", "docs/a.md", True),
        ("docs/*.md", "docs/a/b.md", False),
        ("**/x.md", "x.md", True),
        ("**/x.md", "a/b/x.md", True),
        ("**/x.md", "a/yx.md", False),
        ("a?c", "abc", True),
        ("a.c", "abc", False),
    ],
)
def test_globs_are_anchored(glob, path, matches):
    assert (anchored(glob).fullmatch(path) is not None) is matches


@pytest.mark.parametrize(
    ("made", "ignored"),
    [
        (rule(), 1),
        (rule(kind="wrong_base"), 0),
        (rule(kind="missing_anchor"), 0),
        (rule(glob="old/**"), 0),
        (rule(pages="docs/b.md"), 0),
        (rule(pages="docs/*.md"), 1),
        (rule(expires=TODAY), 1),
        (rule(expires=date(2026, 11, 23)), 0),
    ],
)
def test_kind_glob_pages_and_day_must_all_fit(made, ignored):
    assert apply([made], [verdict()], TODAY).ignored == ignored


def test_a_kind_is_a_category_or_what_is_under_it():
    assert apply([rule(kind="wrong_base")], [verdict(sub="wrong_base")], TODAY).ignored == 1
    found = verdict(category="missing_anchor", target="old/x.md#gone")
    assert apply([rule("missing_anchor", "docs/old/x.md#go*")], [found], TODAY).ignored == 1
    assert apply([rule("missing_anchor", "docs/old/x.md#other")], [found], TODAY).ignored == 0


def test_rules_that_do_nothing_are_reported():
    rules = [rule(glob="docs/never/**"), rule(expires=date(2026, 1, 1)), rule()]
    said = apply(rules, [verdict(page="README.md")], TODAY)
    assert [f.code for f in said.findings] == ["ignore_unused", "ignore_expired", "ignore_refused"]
    assert said.ignored == 0
    assert {f.path for f in said.findings} == {"config/doc_links_ignore.yaml"}


@pytest.mark.parametrize("page", ["README.md", "docs/INDEX.md", "docs/BUILD_HISTORY.md"])
def test_navigation_pages_cannot_ignore_missing_files(page):
    assert apply([rule()], [verdict(page=page)], TODAY).ignored == 0
    anchor = verdict(page=page, category="missing_anchor")
    assert apply([rule("missing_anchor")], [anchor], TODAY).ignored == 1


QUOTED = '"**"'
GOOD = "{kind: missing_file, glob: docs/old/**, reason: gone, expires: 2027-01-31}"


def test_our_own_file():
    (read,) = read_rules(f"ignore:\n- {GOOD}".encode())
    assert (read.reason, read.line) == ("gone", 2)
    assert read.expires == LATER
    assert read_rules(b"") == []
    assert read_rules(f"ignore: []\nignore:\n- {GOOD}".encode())[0].line == 3, "the last one counts"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ignore: [{glob: x, reason: y, expires: 2027-01-31}]", "rule 1 has no kind"),
        (f"ignore: [{GOOD}, {{kind: missing_file, glob: x, reason: y}}]", "rule 2 has no expires"),
        ("ignore: [{kind: missing_file, glob: x, expires: 2027-01-31}]", "no reason"),
        (f"ignore: [{GOOD.replace('missing_file', 'all')}]", "'all' is not one of"),
        (f"ignore: [{GOOD.replace('docs/old/**', QUOTED)}]", "would match everything"),
        (f"ignore: [{GOOD.replace('2027-01-31', 'soon')}]", "'soon' is no date"),
        (f"ignore: [{GOOD.replace('reason', 'because')}]", "has no reason"),
        (f"ignore: [{GOOD[:-1]}, extra: 1}}]", "unknown key 'extra'"),
        ("ignore: [{kind: [missing_file], glob: x, reason: y, expires: 2027-01-31}]", "is not one"),
        ("ignorre: []", "unknown key 'ignorre'"),
        (f"ignore:\n- {GOOD}\n\n- 5", r"yaml:4: rule 2 is no mapping"),
        (f"x: &a [1]\nignore: [{GOOD}]", "unknown key 'x'"),
        (f"ignore: [{GOOD.replace('2027-01-31', '2027-13-45')}]", "no YAML"),
        ("ignore: " + "[" * 5000, "no YAML"),
        ("ignore: {a: 1}", "no list"),
        ("ignore: [x]", "no mapping"),
        ("[]\n: x", "no YAML"),
        ("- a", "no mapping"),
    ],
)
def test_an_incomplete_rule_is_refused_by_name(text, says):
    with pytest.raises(UsageError, match=says):
        read_rules(text.encode())


LEGACY = b"""
version: 1
runtime_endpoints:
  - {pattern: "api/", reason: "route"}
  - {pattern: "localhost:", reason: "host"}
  - {pattern: "tidy.log", reason: "log"}
historical_refs:
  - {pattern: "archive/old/", reason: "old"}
  - {pattern: ":", reason: "line"}
  - {pattern: "autopack.", reason: "module"}
external_deps:
  - {pattern: "https://", reason: "web"}
pattern_ignores:
  - {pattern: "*.tmp", reason: "temporary"}
allow_missing_anchors: true
"""


def test_substrings_are_imported_as_anchored_globs_or_not_at_all():
    rules, left = import_legacy(LEGACY)
    assert [(r.glob, r.becomes) for r in rules] == [
        ("api/**", "runtime_endpoint"),
        ("**/tidy.log", "runtime_endpoint"),
        ("archive/old/**", "historical_ref"),
        ("**/*.tmp", None),
    ]
    assert left == [":", "autopack."]
    said = apply(
        rules, [verdict(resolved="archive/old/x.md"), verdict(resolved="src/api/x")], TODAY
    )
    assert [v.category for v in said.verdicts] == ["historical_ref", "missing_file"]
    assert said.findings == ()
