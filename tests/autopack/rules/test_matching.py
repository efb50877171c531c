"""Patterns, scopes and predicates; and what the rulebook answers."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autopack.rules
from autopack.errors import Refused, UsageError
from autopack.io import rule_files
from autopack.rules.hits import Hit, overturned, read_hits, record_of
from autopack.rules.matching import Rulebook, matches
from autopack.rules.patterns import fits
from autopack.rules.schema import Action, Evidence, Match, Rule, RuleFile, rule_id
from autopack.rules.scopes import meets, scope_fault, within
from autopack.rules.serving import use
from tests.support import rule_papers as papers


@given(st.text("ab*", max_size=8), st.text("abc", max_size=10))
def test_a_pattern_is_the_regular_expression_of_its_stars(pattern: str, text: str) -> None:
    expression = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    assert fits(pattern, text) == bool(re.fullmatch(expression, text, re.S | re.I))


def test_a_pattern_takes_its_time_from_the_length_of_the_text_alone() -> None:
    assert not fits("*a" * 100 + "*b", "a" * 5000)
    assert fits("*NO such TABLE*", "x no Such table: y")


@pytest.mark.parametrize(
    ("glob", "good"),
    [
        ("src/", True), ("src/**/models*", True), ("README.md", True), ("a b/c-d.py", True),
        ("*", False), ("**", False), ("**/*", False), ("", False), ("/src/", False), ("./", False),
        ("../a", False), ("a/../b", False), ("a\\b", False), ("!a", False), ("*/", False),
        ("*.py", True), ("**/conftest.py", True), ("a//b", False), ("a\nb", False),
    ],
)  # fmt: skip
def test_a_scope_is_something_and_not_everything(glob: str, good: bool) -> None:
    assert (scope_fault(glob) is None) == good


def test_scopes_hold_files_and_meet_what_a_phase_may_write() -> None:
    scope = ["src/**/models*", "migrations/"]
    assert within(scope, "src/app/models.py")
    assert within(scope, "migrations/a/b.sql")
    assert not within(scope, "docs/src/models.py")
    assert meets(scope, "src/app/")
    assert meets(scope, "migrations/0001.sql")
    assert not meets(scope, "docs/")
    assert meets(["a/b.py"], "a/")
    assert not meets(["a/b.py"], "a/c.py")


@pytest.mark.parametrize(
    ("match", "told"),
    [
        ({"type": "OperationalError"}, True),
        ({"type": "operationalerror", "template": "*no such table*"}, True),
        ({"type": "OperationalError", "template": "*column*"}, False),
        ({"all": [{"type": "*Error"}, {"not": {"component": "web"}}]}, True),
        ({"any": [{"component": "web"}, {"operation": "GET *"}]}, True),
        ({"not": {"family": "fam:v1:table"}}, False),
        ({"signature": "sig:v1:table"}, True),
    ],
)
def test_predicates(match: dict[str, object], told: bool) -> None:
    assert matches(Match.model_validate(match), papers.example("table")) == told


def served(*kinds: str, stage: str = "lint") -> list[Rule]:
    rules = [change.rule for change in papers.changes()]
    wanted = [r for r in rules if r.evidence.events[0].split("-")[0] in (kinds or papers.KINDS)]
    return [rule.model_copy(update={"stage": stage}) for rule in wanted]


def test_a_rule_advises_on_its_failures_and_no_others() -> None:
    book = Rulebook(served())
    (told,) = book.match(papers.example("table"))
    assert (told.stage, told.action, told.in_scope) == ("lint", "migrate_schema_first", None)
    assert book.match(papers.example("odd")) == ()
    assert book.match(papers.example("table")) == (told,), "the second answer is the first"


def test_a_rule_about_other_files_is_silent() -> None:
    book = Rulebook(served("table"))
    (told,) = book.match(papers.example("table"), ["src/app/models.py", "x.py"])
    assert told.in_scope is True
    assert book.match(papers.example("table"), ["docs/x.md"]) == ()


def test_what_is_past_its_date_or_retired_is_not_served() -> None:
    rules = served("table")
    late = papers.NOW + timedelta(days=1000)
    assert Rulebook(rules).match(papers.example("table"), now=late) == ()
    gone = [rule.model_copy(update={"state": "retired"}) for rule in rules]
    assert Rulebook(gone).match(papers.example("table")) == ()


def enforced() -> Rule:
    """Return a rule of a safe class that has earned its stage."""
    (rule,) = served("closed")
    action = Action(class_="retry_with_backoff", advice="try again a few times, with pauses")
    evidence = Evidence.model_validate({**rule.evidence.plain(), "hits": 9})
    changed = {
        **rule.plain(), "action": action.plain(), "evidence": evidence.plain(),
        "id": rule_id(rule.match, action), "stage": "enforce",
    }  # fmt: skip
    return Rule.model_validate(changed)


def test_a_rule_is_enforced_within_its_scope_and_only_warns_elsewhere() -> None:
    book = Rulebook([enforced()])
    failure = papers.example("closed")
    assert [g.stage for g in book.match(failure, ["src/db.py"])] == ["enforce"]
    assert [g.stage for g in book.match(failure)] == ["lint"], "no file is known"


def hit(rule: Rule, verdict: str, event: str = "e") -> Hit:
    return Hit.model_validate(
        {
            "at": papers.NOW, "rule": rule.id, "revision": rule.revision, "stage": rule.stage,
            "event": event, "verdict": verdict, "by": papers.REVIEWER,
        }
    )  # fmt: skip


def test_an_overturned_hit_demotes_that_revision_at_once() -> None:
    rule = enforced()
    file = RuleFile(schema_="autopack.rules/1", rules=[rule])
    wrong = overturned([hit(rule, "overturned")])
    (told,) = Rulebook.of(file, wrong).match(papers.example("closed"), ["src/db.py"])
    assert told.stage == "guidance"
    newer = file.model_copy(update={"rules": [rule.model_copy(update={"revision": 2})]})
    assert Rulebook.of(newer, wrong).match(papers.example("closed"), ["src/db.py"])[0].stage == (
        "enforce"
    )


def test_the_log_of_hits_survives_a_torn_line(make_workspace) -> None:
    root, rule = make_workspace(), enforced()
    rule_files.append_hit(root, hit(rule, "applied"))
    log = root / ".autonomous_runs/_rules/hits.jsonl"
    log.write_bytes(log.read_bytes() + b'{"at": "20')
    rule_files.append_hit(root, hit(rule, "overturned"))
    hits, bad = rule_files.read_log(root)
    assert ([h.verdict for h in hits], bad) == (["applied", "overturned"], [2])
    assert (record_of(rule, hits).hits, record_of(rule, hits).overturned) == (1, 1)
    assert read_hits(b"") == ([], [])


def test_the_public_way_loads_once_and_answers(make_workspace) -> None:
    use(None)
    with pytest.raises(UsageError, match="no rules are served"):
        autopack.rules.match(papers.example("table"))
    root: Path = make_workspace()
    rules = RuleFile(schema_="autopack.rules/1", rules=served())
    from autopack.rules.schema import file_text

    (root / "docs/LEARNED_RULES.json").write_text(file_text(rules))
    rule_files.serve(root)
    try:
        assert [g.action for g in autopack.rules.match(papers.example("table"))] == [
            "migrate_schema_first"
        ]
    finally:
        use(None)
    (root / "docs/LEARNED_RULES.json").write_text('{"rules": []}')
    with pytest.raises(Refused):
        rule_files.serve(root)
