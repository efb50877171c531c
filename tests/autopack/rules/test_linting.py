"""What is wrong with a rule file, at its line and column; what rules say about specs and files."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from autopack.papers import Stamp
from autopack.phases.document import read
from autopack.report import Finding, PlacedFinding
from autopack.rules.effect import Incident
from autopack.rules.hits import Hit
from autopack.rules.linting import CODES, code_table, lint_file, lint_paths, lint_spec
from autopack.rules.retire import History, promotions, retirements
from autopack.rules.schema import RULES_FILE, Rule, RuleFile, file_text
from tests.support import rule_papers as papers
from tests.support.session import REPOSITORY

REVIEWED = {
    "reviewed": {"by": papers.REVIEWER, "at": papers.NOW.isoformat()},
    "proposal_id": "sha256:" + "1" * 64,
    "approval_id": "sha256:" + "2" * 64,
}
Edit = Callable[[dict[str, Any]], object]


def good() -> dict[str, Any]:
    """Return the value of a file that nothing is wrong with."""
    rules = [{**change.rule.plain(), **REVIEWED} for change in papers.changes()]
    return {"schema": "autopack.rules/1", "rules": rules}


def linted(value: Any, days: float = 0, overturned: tuple[str, ...] = ()) -> list[Finding]:
    document = read(RULES_FILE, json.dumps(value, indent=2).encode())
    now = papers.NOW + timedelta(days=days)
    return lint_file(document.value, document.place, now, overturned)


def first(**changed: Any) -> dict[str, Any]:
    value = good()
    value["rules"][0].update(changed)
    return value


def test_a_good_file_is_clean() -> None:
    assert linted(good()) == []


CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "RU001": ("RU001", {"rules": []}, ""),
    "an unknown key": ("RU002", first(confidence=1), "confidence"),
    "a null scope": ("RU003", first(scope=None), "scope"),
    "a scope of everything": ("RU003", first(scope=["**"]), "scope"),
    "a positive that does not match": (
        "RU004", first(positives=good()["rules"][0]["negatives"]), "positives",
    ),
    "nobody reviewed it": ("RU007", first(reviewed=None), ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_a_fault_is_told_where_it_is(kind: str) -> None:
    code, value, key = CASES[kind]
    if kind == "nobody reviewed it":
        del value["rules"][0]["reviewed"]
    found = linted(value)
    assert {finding.code for finding in found} == {code}
    place = found[0]
    assert isinstance(place, PlacedFinding)
    assert place.line is not None
    text = json.dumps(value, indent=2).splitlines()[place.line - 1]
    assert place.column is not None
    assert key in text
    assert place.severity == "error"


def test_dates_and_overturned_hits_are_told() -> None:
    assert {f.code for f in linted(good(), days=181)} == {"RU006"}
    assert {(f.code, f.severity) for f in linted(good(), days=170)} == {("RU008", "warning")}
    ident = good()["rules"][0]["id"]
    assert [(f.code, f.severity) for f in linted(good(), overturned=(ident,))] == [
        ("RU009", "warning")
    ]


def test_every_code_has_a_meaning() -> None:
    assert list(CODES) == [f"RU{n:03}" for n in range(1, len(CODES) + 1)]


# --- what rules say about specs and files -----------------------------------------------------


def rules(stage: str = "lint") -> list[Rule]:
    made = [Rule.model_validate({**rule, "stage": stage}) for rule in good()["rules"]]
    return [rule for rule in made if rule.scope[0] == "migrations/"][:1]


@pytest.mark.parametrize(
    ("spec", "locs"),
    [
        ({"scope": {"paths": ["docs/", "migrations/"]}}, [("scope", "paths", 1)]),
        ({"phases": [{"scope": {"paths": ["src/"]}}]}, [("phases", 0, "scope", "paths", 0)]),
        ([{"scope": {"paths": ["docs/"]}}, {"scope": {"paths": ["src/models.py", "migrations/"]}}],
         [(1, "scope", "paths", 0)]),
        ({"scope": {"paths": "src/"}}, []),
        ("nonsense", []),
        ({"phases": [None, {"scope": None}]}, []),
    ],
)  # fmt: skip
def test_a_spec_is_told_once_for_each_phase_where_it_may_write(spec, locs) -> None:
    assert [hit.loc for hit in lint_spec(rules(), spec)] == locs


def test_changed_files_are_told_by_their_scope() -> None:
    told = lint_paths(rules(), ["docs/a.md", "migrations/1.sql", "migrations/2.sql"])
    assert [(f.code, f.severity, f.path) for f in told] == [
        ("learned_rule", "warning", "migrations/1.sql")
    ]
    assert lint_paths(rules(), ["docs/a.md"]) == []


# --- retiring ---------------------------------------------------------------------------------


def reviewed(days_ago: float = 100, **more: Any) -> Rule:
    """Return a rule that was reviewed some days ago and chosen in the week before."""
    at = papers.NOW - timedelta(days=days_ago)
    rule = papers.changes(now=at)[0].rule
    return rule.model_copy(update={"reviewed": Stamp(by=papers.REVIEWER, at=at), **more})


def history(*incident_days: float, hits: tuple[Hit, ...] = ()) -> History:
    """Return a run for each of the last 200 days, with the failure in some of them."""
    runs = {f"run-{n}": papers.NOW - timedelta(days=n, hours=1) for n in range(200)}
    incidents = [Incident(f"run-{int(n)}", papers.example("table")) for n in incident_days]
    return History(runs, incidents, hits)


def hit(rule: Rule, verdict: str, number: int = 0) -> Hit:
    return Hit.model_validate(
        {
            "at": papers.NOW, "rule": rule.id, "revision": rule.revision, "stage": rule.stage,
            "event": f"e{number}", "verdict": verdict, "by": papers.REVIEWER,
        }
    )  # fmt: skip


def ended(rule: Rule, seen: History) -> list[tuple[str, str, str]]:
    made = retirements([rule], seen, papers.NOW, "x")
    return [(change.kind, change.rule.stage, change.rule.state) for change in made]


def test_a_rule_in_its_prime_stays() -> None:
    assert ended(reviewed(), history(*range(0, 200, 15))) == []


def test_a_rule_past_its_date_ends() -> None:
    rule = reviewed(expires_at=papers.NOW - timedelta(days=1))
    assert ended(rule, history(*range(0, 200, 15))) == [("retire", "lint", "retired")]


def test_a_rule_that_was_wrong_is_lowered_and_then_ended() -> None:
    rule = reviewed()
    seen = history(5, hits=(hit(rule, "overturned"), hit(rule, "applied", 1)))
    assert ended(rule, seen) == [("demote", "guidance", "active")]
    lowered = rule.model_copy(update={"stage": "guidance"})
    assert ended(lowered, seen) == [("retire", "guidance", "retired")]


def test_one_bad_run_is_no_reason_to_end_a_rule() -> None:
    assert ended(reviewed(), history(*[5] * 12)) == []


def test_a_rule_since_which_it_came_oftener_ends() -> None:
    assert ended(reviewed(), history(150, *range(0, 60, 3))) == [("retire", "lint", "retired")]
    (change,) = retirements([reviewed()], history(150, *range(0, 60, 3)), papers.NOW, "x")
    assert change.why == "20 times in 100 runs since, 1 times in 93 before"


def test_a_rule_without_a_match_for_many_runs_is_stale() -> None:
    assert ended(reviewed(), history(150)) == [("retire", "lint", "retired")]
    assert ended(reviewed(days_ago=30), history(150)) == []
    assert ended(reviewed(), history(150, 20)) == []


def test_a_retired_rule_stays_so() -> None:
    assert ended(reviewed(state="retired"), history()) == []


def test_a_rule_that_was_often_right_is_raised_within_its_ceiling() -> None:
    rule = reviewed()
    five = tuple(hit(rule, "confirmed", n) for n in range(5))
    lint = promotions([rule], papers.CATALOGUE, five, papers.NOW, "x")
    assert lint == [], "its ceiling is lint"
    low = rule.model_copy(update={"stage": "guidance"})
    (change,) = promotions([low], papers.CATALOGUE, five, papers.NOW, "x")
    assert (change.kind, change.rule.stage, change.rule.revision) == ("promote", "lint", 2)
    assert (change.rule.evidence.hits, change.replaces) == (5, 1)
    assert promotions([low], papers.CATALOGUE, five[:4], papers.NOW, "x") == []
    wrong = (*five, hit(rule, "overturned", 9))
    assert promotions([low], papers.CATALOGUE, wrong, papers.NOW, "x") == []


def test_what_is_written_is_read_as_it_was(tmp_path) -> None:
    file = RuleFile.model_validate(good())
    assert json.loads(file_text(file)) == {
        "schema": "autopack.rules/1",
        "rules": sorted(good()["rules"], key=lambda rule: rule["id"]),
    }


def test_the_page_has_the_table_of_codes() -> None:
    assert code_table() in (REPOSITORY / "docs/failure_rules.md").read_text()
