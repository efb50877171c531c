"""Proposals: a rule for each cause that came back, evidence from real failures, nothing twice."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from autopack.errors import UsageError
from autopack.io import rule_files
from autopack.papers import person, span
from autopack.rules.approval import chosen
from autopack.rules.candidates import candidates_of, incidents_of, workspace_path
from autopack.rules.gate import conflicts, examples_against, reasons_against
from autopack.rules.importing import Source, imported, masked, old_rules
from autopack.rules.matching import matches
from autopack.rules.model import Event, Frame
from autopack.rules.proposal import propose
from autopack.rules.schema import EMPTY, Match, Rule, RuleFile
from tests.support import rule_papers as papers


def test_a_cause_gets_one_rule_whose_examples_decide_as_they_should() -> None:
    made = papers.changes()
    assert [change.why for change in made] == [
        "A table is asked for that the database does not have",
        "A column is asked for that the table does not have",
        "The database closed a connection that was in use",
        "A value does not fit the model it is read or answered with",
    ]
    assert [line for change in made for line in examples_against(change.rule)] == []
    assert reasons_against(EMPTY, made, papers.NOW) == []


def test_what_fits_no_entry_or_came_once_is_listed() -> None:
    found = [papers.candidate("odd"), papers.candidate("table", 1), papers.candidate("closed")]
    made, left = propose(found, papers.CATALOGUE, EMPTY, papers.basis())
    assert [change.rule.action.class_ for change in made] == ["reconnect_before_use"]
    assert {(one.signature, one.why) for one in left} == {
        ("sig:v1:odd", "no entry of the catalogue fits"),
        ("sig:v1:table", "seen fewer than 2 times"),
    }
    alone, left = propose([papers.candidate("closed")], papers.CATALOGUE, EMPTY, papers.basis())
    assert (alone, left[0].why) == ([], "fewer than 2 other failures to tell it from")


def test_a_rule_that_is_there_is_not_proposed_again_even_if_it_is_retired() -> None:
    first = papers.changes()
    rules = [change.rule for change in first]
    there = RuleFile(
        schema_="autopack.rules/1",
        rules=[rules[0], rules[1].model_copy(update={"state": "retired"})],
    )
    ids = {change.rule.id for change in papers.changes(existing=there)}
    assert ids == {rule.id for rule in rules[2:]}


def test_the_scope_is_where_the_failures_were_and_where_the_catalogue_mends_them() -> None:
    here = papers.candidate("table", paths=("src/app/db/x.py", "setup.py"))
    found = [here, papers.candidate("odd"), papers.candidate("closed")]
    made, _ = propose(found, papers.CATALOGUE, EMPTY, papers.basis())
    scopes = {change.rule.action.class_: change.rule.scope for change in made}
    mended = ["migrations/", "alembic/", "src/**/models*", "src/**/db*"]
    assert scopes["migrate_schema_first"] == ["setup.py", "src/app/db/x.py", *mended]
    assert scopes["reconnect_before_use"] == ["src/**/db*", "src/**/database*"]


def test_proposals_do_not_depend_on_the_order_of_what_was_found() -> None:
    found = [papers.candidate(kind) for kind in papers.KINDS]
    wanted = None
    for seed in range(20):
        random.Random(seed).shuffle(found)
        made, _ = propose(found, papers.CATALOGUE, EMPTY, papers.basis())
        ids = sorted((change.rule.id, tuple(change.rule.scope)) for change in made)
        wanted = wanted or ids
        assert ids == wanted


def mutants(match: Match) -> list[Match]:
    """Return predicates that are slightly wrong: a part lost, turned round, widened or narrowed."""
    made: list[Match] = [Match(not_=match)]
    for name, pattern in match.fields().items():
        made.append(
            Match.model_validate({**match.plain(), name: pattern[: len(pattern) // 3] + "*"})
        )
        made.append(Match.model_validate({**match.plain(), name: "x" + pattern.strip("*")}))
        made.append(Match.model_validate({name: "*o*"}))
        made.append(Match.model_validate({**match.plain(), "component": "other"}))
    for part in match.any or ():
        made += [Match(all=[match, Match(not_=part)]), Match(any=[match, Match(template="*e*")])]
    return made


def test_wrong_predicates_are_caught_by_the_examples() -> None:
    """Of the mutants that decide any known failure otherwise, nearly all meet an example."""
    known = [papers.example(kind, n) for kind, n in product(papers.KINDS, range(3))]
    caught = total = 0
    for change in papers.changes():
        rule = change.rule
        for wrong in mutants(rule.match):
            if all(matches(wrong, one) == matches(rule.match, one) for one in known):
                continue  # as good as the rule
            total += 1
            caught += any(examples_against(rule.model_copy(update={"match": wrong})))
    assert total >= 20
    assert caught / total >= 0.96


def test_a_rule_with_an_answer_that_is_wrong_there_is_refused() -> None:
    table = papers.changes()[0]
    file = RuleFile(schema_="autopack.rules/1", rules=[table.rule])
    broad = Match.model_validate({"type": "*" + "Error"})
    from autopack.rules.schema import rule_id

    wide = table.rule.model_copy(update={"match": broad, "id": rule_id(broad, table.rule.action)})
    told = reasons_against(file, [table.model_copy(update={"rule": wide})], papers.NOW)
    assert any("a negative of" in line for line in told)


def test_two_enforced_rules_that_disagree_are_refused() -> None:
    def enforced(rule: Rule, action: str) -> Rule:
        changed = rule.action.model_copy(update={"class_": action})
        return rule.model_copy(update={"stage": "enforce", "action": changed})

    rule = papers.changes()[0].rule
    other = rule.model_copy(update={"id": "rule:v1:ffffffffffffffff"})
    pair = [enforced(rule, "fail_fast"), enforced(other, "shrink_context")]
    assert len(list(conflicts(pair))) == 1
    assert list(conflicts([pair[0], enforced(other, "fail_fast")])) == []


# --- events -----------------------------------------------------------------------------------


def event(
    kind: str, number: int, run: str = "r", phase: str | None = None, **more: object
) -> Event:
    one = papers.example(kind, number)
    given = {
        "event_id": one.event, "source": "x", "run": run, "phase": phase,
        "at": papers.NOW + timedelta(minutes=number), "type": one.type, "message": "secret words",
        "component": "api", "operation": "GET /", "frames": (), "chain": (one.type,),
        "signature": one.signature, "template": one.template, "origin": "", "family": one.family,
    }  # fmt: skip
    return Event(**{**given, **more})  # type: ignore[arg-type]


def test_events_become_candidates_by_family_without_their_messages() -> None:
    events = [event("table", 1), event("table", 2), event("odd", 3, run="s")]
    found = candidates_of(events, ())
    assert [(c.signature, c.incidents, c.runs) for c in found] == [
        ("sig:v1:odd", 1, ("s",)),
        ("sig:v1:table", 1, ("r",)),
    ]
    assert "secret" not in json.dumps([e.plain() for c in found for e in c.examples])


def test_a_retry_storm_is_one_incident() -> None:
    events = [event("table", n, phase="p") for n in range(50)] + [event("table", 99, phase="q")]
    assert len(incidents_of(events)) == 2


def test_an_origin_is_found_where_one_file_alone_can_be_meant() -> None:
    events = [replace(event("table", 1), origin="app/main:start")]
    assert candidates_of(events, {"src/app/main.py", "src/main.py"})[0].paths == (
        "src/app/main.py",
    )
    assert candidates_of(events, {"src/app/main.py", "lib/app/main.py"})[0].paths == ()


def test_more_files_than_a_few_are_told_by_their_folders() -> None:
    many = tuple(f"src/app/part/x{n}.py" for n in range(9))
    found = [papers.candidate("table", paths=many), papers.candidate("odd")]
    made, _ = propose(found, papers.CATALOGUE, EMPTY, papers.basis())
    assert made[0].rule.scope[0] == "src/app/"


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("C:\\dev\\App\\src\\app\\main.py", "src/app/main.py"),
        ("/srv/x/src/app/main.py", "src/app/main.py"),
        ("src/app/main.py", "src/app/main.py"),
        ("/usr/lib/python3/site-packages/src/app/main.py", None),
        ("/elsewhere/setup.py", None),
        ("setup.py", "setup.py"),
        ("<string>", None),
    ],
)
def test_a_frame_is_found_in_the_workspace_wherever_its_checkout_was(file, path) -> None:
    assert workspace_path(Frame(file, "f"), {"src/app/main.py", "setup.py"}) == path


# --- reviewing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", "x", "TODO", "your name", "Reviewer", "n/a", "ci", "dependabot", "root", "AI",
             "autopack", "some\nbot", "<name>", "123", "John Doe", "a" * 101],
)  # fmt: skip
def test_a_placeholder_is_no_reviewer(name: str) -> None:
    with pytest.raises(UsageError):
        person(name)


@pytest.mark.parametrize("name", ["Ada", "Ada Lovelace", "Jean-Luc O'Neil", "Åsa Öberg", "李小龍"])
def test_a_person_is(name: str) -> None:
    assert person(f"  {name} ") == name


def test_the_life_of_an_approval_has_bounds() -> None:
    assert span("90m") == timedelta(minutes=90)
    for odd in ("", "0h", "8d", "1w", "-1h", "24", "1e3h"):
        with pytest.raises(UsageError):
            span(odd)


def test_rules_are_named_by_their_beginning_and_never_by_guess(make_workspace) -> None:
    made = papers.proposal(make_workspace())
    first = made.changes[0].rule.id
    assert chosen(made, [first[:14]]) == {first}
    assert len(chosen(made, ["all"])) == len(made.changes)
    for odd in ("rule:v1:", "rule:v1:zz", "", "sha256:00"):
        with pytest.raises(UsageError):
            chosen(made, [odd])


# --- old rule files ---------------------------------------------------------------------------


def old(text: str, *hints: str, category: str = "feature", name: str = "a") -> dict[str, object]:
    return {
        "rule_id": name, "task_category": category, "scope_pattern": None, "constraint": text,
        "source_hint_ids": list(hints), "first_seen": "2025-12-01T00:00:00+00:00",
        "last_seen": "2025-12-02T00:00:00+00:00", "status": "active",
    }  # fmt: skip


def test_texts_that_say_the_same_are_one() -> None:
    one = "Phase 'It's a name' was rejected. Details: Failed with X_3 on attempt 1, see src/a/b.py"
    two = "Phase 'Other' was rejected. Details: Failed with X_4 on attempt 27, see src/c.py, d/e.py"
    assert masked(one) == masked(two) == "*Failed with X_* on attempt *, see *"


def test_an_import_needs_a_scope_and_says_where_it_has_none() -> None:
    rules = [
        old("Phase 'a': Details: Missing 2 files including: src/app/x.py", "r1:a", "r2:b"),
        old("Phase 'b': Details: no git diff markers found", "r1:c", "r3:d", category="test"),
    ]
    olds = old_rules({"rules": rules})

    def scopes(*folders: str, scope: tuple[str, ...] = ()) -> list[list[str]]:
        source = Source("old.json", frozenset(folders), scope)
        made, _ = imported(olds, source, papers.CATALOGUE, EMPTY, papers.basis())
        return sorted(change.rule.scope for change in made)

    assert scopes("src", "tests") == [["src/app/"], ["tests/"]]
    assert scopes("src") == [["src/app/"]]
    assert scopes() == []
    assert scopes(scope=("lib/",)) == [["lib/"], ["lib/"]]


@pytest.mark.parametrize("value", [[], {}, {"rules": []}, {"rules": [{}]}, {"rules": "x"}, None])
def test_what_is_no_old_rule_file_is_a_question_of_usage(value: object) -> None:
    with pytest.raises(UsageError):
        old_rules(value)


@pytest.mark.corpus
def test_84_old_rules_without_a_scope_become_few_with_one(corpus_source) -> None:
    value, name = rule_files.read_old_rules(str(corpus_source / "failures/LEARNED_RULES.84.json"))
    source = Source(name, frozenset({"src", "tests", "docs", "scripts", "config"}))
    olds = old_rules(value)
    made, left = imported(olds, source, papers.CATALOGUE, EMPTY, papers.basis())
    assert len(olds) == 84
    assert 5 <= len(made) <= 16
    assert all(change.rule.scope for change in made)
    assert reasons_against(EMPTY, made, papers.NOW) == []
    assert len(made) + len(left) <= 16
