"""What is wrong with a spec is said at once, each thing with its code, place and phase."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.phases.codes import CODES, severity
from autopack.phases.draft import completed
from autopack.phases.examine import LintNote
from autopack.phases.policy import Policy
from autopack.phases.rules import world_of
from autopack.phases.scope import Budget, Command
from tests.support.phase_specs import FILES, GONE, GOOD, codes, examined, policy, spoiled


def test_a_good_spec_is_accepted_in_every_shape():
    by_id = {"id": "other", **{k: v for k, v in GOOD.items() if k != "phase_id"}}
    for value in (GOOD, by_id, [GOOD, by_id], {"run_id": "r", "phases": [by_id, GOOD]}):
        done = examined(value)
        assert done.findings == ()
        assert len(done.scopes) == done.phases


def test_an_accepted_phase_gives_its_scope():
    (scope,) = examined(GOOD).scopes
    assert scope.phase == "app-change"
    assert scope.budget == Budget(tokens=50000, seconds=1800, files=8, lines=400)
    assert scope.command == Command(("pytest", "-q", "tests/test_app.py"), 600)
    assert scope.judge("src/app/new/file.py") is None
    assert scope.judge("tests/test_other.py") == "PS214"
    assert scope.judge("docs/INDEX.md") == "PS215"
    assert scope.judge("Readme.MD") == "PS215", "one file where case does not count"
    assert scope.judge("config/phase_policy.yaml") == "PS216"
    assert scope.judge("src/app/../../.git/config") == "PS209"


def test_a_refused_spec_gives_no_scope():
    assert examined([GOOD, spoiled(("budget", GONE))]).scopes == ()


WRONG = {
    "no name": ([("phase_id", GONE)], "PS101"),
    "no scope": ([("scope", GONE)], "PS101"),
    "no paths": ([("scope.paths", GONE)], "PS101"),
    "no context": ([("scope.read_only_context", GONE)], "PS101"),
    "no validation": ([("validation", GONE)], "PS101"),
    "no argv": ([("validation.argv", GONE)], "PS101"),
    "no timeout": ([("validation.timeout_seconds", GONE)], "PS101"),
    "no budget": ([("budget", GONE)], "PS101"),
    "no tokens": ([("budget.tokens", GONE)], "PS101"),
    "no seconds": ([("budget.seconds", GONE)], "PS101"),
    "no files": ([("budget.files", GONE)], "PS101"),
    "no lines": ([("budget.lines", GONE)], "PS101"),
    "unknown": ([("bugdet", 1)], "PS102"),
    "unknown deep": ([("scope.pahts", [])], "PS102"),
    "text for a list": ([("scope.paths", "src/")], "PS103"),
    "null": ([("scope", None)], "PS103"),
    "number for a path": ([("scope.paths", [3])], "PS103"),
    "complexity": ([("complexity", "huge")], "PS103"),
    "a name with a slash": ([("phase_id", "a/../b")], "PS103"),
    "both names": ([("id", "x")], "PS104"),
    "empty paths": ([("scope.paths", [])], "PS107"),
    "empty context": ([("scope.read_only_context", [])], "PS107"),
    "empty argv": ([("validation.argv", [])], "PS107"),
    "absolute": ([("scope.paths", ["/etc/passwd"])], "PS202"),
    "git": ([("scope.paths", ["docs/../.git/config"])], "PS209"),
    "dots": ([("scope.paths", ["src/../src/app/"])], "PS201"),
    "context outside": ([("scope.read_only_context", ["../README.md"])], "PS201"),
    "negation": ([("scope.paths", ["src/app/", "!src/app/x.py"])], "PS301"),
    "everything": ([("scope.paths", ["**"])], "PS302"),
    "policy": ([("scope.paths", ["config/"])], "PS303"),
    "policy by a star": ([("scope.paths", ["c*/*.yaml"])], "PS303"),
    "workflows to come": ([("scope.paths", [".github/*/*.yml", "src/"])], "PS303"),
    "own protected": ([("scope.protected_paths", ["src/app/main.py"])], "PS303"),
    "context": ([("scope.paths", ["src/app/", "README.md"])], "PS304"),
    "context in a folder": ([("scope.paths", ["docs/new/page.md"])], "PS304"),
    "context by case": ([("scope.paths", ["readme.md"])], "PS304"),
    "no such context": ([("scope.read_only_context", ["docs/gone.md"])], "PS305"),
    "no such glob": ([("scope.read_only_context", ["docs/*.rst"])], "PS305"),
    "tool": ([("validation.argv", ["rm", "-rf", "x"])], "PS401"),
    "script": ([("validation.argv", ["./run_tests"])], "PS401"),
    "environment": ([("validation.argv", ["PYTHONPATH=src", "pytest"])], "PS403"),
    "one string": ([("validation.argv", ["pytest -q tests/"])], "PS403"),
    "or true": ([("validation.argv", ["pytest", "||", "true"])], "PS403"),
    "timeout": ([("validation.timeout_seconds", 1801)], "PS404"),
    "no such test": ([("validation.argv", ["pytest", "tests/test_gone.py"])], "PS405"),
    "test outside": ([("validation.argv", ["pytest", "../tests/"])], "PS405"),
    "zero": ([("budget.files", 0)], "PS501"),
    "negative": ([("budget.lines", -1)], "PS501"),
    "true": ([("budget.tokens", True)], "PS501"),
    "half": ([("budget.tokens", 1.5)], "PS501"),
    "whole float": ([("budget.tokens", 1.0)], "PS501"),
    "number as text": ([("budget.tokens", "5")], "PS501"),
    "ceiling": ([("budget.tokens", 2_000_001)], "PS502"),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_wrong_thing_is_one_finding(name):
    changes, code = WRONG[name]
    assert set(codes(spoiled(*changes))) == {code}


NO_OPS = [
    ["true"], [":"], ["echo", "ok"], ["printf", "x"], ["exit", "0"], ["/bin/true"], ["sleep", "1"],
    ["python", "-c", "pass"], ["sh", "-c", ""], ["bash", "-lc", "pytest"], ["cmd", "/c", "exit"],
    ["pytest", "--collect-only"], ["pytest", "--co", "-q"], ["pytest", "--help"], ["pytest", "-h"],
    ["pytest", "--version"], ["pytest", "-V"], ["pytest", "-qh"], ["pytest", "-xqVs"],
    ["pytest", "--setup-plan"], ["pytest", "--fixtures"], ["pytest", "--markers"],
    ["pytest", "-o", "addopts=--co"], ["pytest", "-oaddopts=--co"], ["pytest", "-c", "x.ini"],
    ["pytest", "--override-ini=addopts=--co"], ["pytest", "-p", "plugin"], ["pytest", "@args"],
    ["python", "-m", "pytest", "--collect-only"], ["python", "--version"], ["ruff", "--help"],
    ["ruff", "check", "--exit-zero"], ["ruff", "check", "-e"], ["ruff", "check", "--fix"],
    ["make", "test", "-n"], ["make", "test", "--dry-run"], ["make", "test", "-kn"],
    ["make", "test", "SHELL=true"], ["make", "test", "-i"], ["npm", "test", "--if-present"],
    ["npm", "run", "test", "--dry-run"], ["cargo", "test", "--no-run"],
    ["go", "test", "-list", "."],
    ["tox", "--notest"], ["nox", "--list"], ["nox", "-l"], ["mypy", "-V"],
    ["python", "-m", "flows.doc_links", "--help"],
]  # fmt: skip


@pytest.mark.parametrize("argv", NO_OPS, ids=" ".join)
def test_a_command_that_checks_nothing_is_refused(argv):
    assert codes(spoiled(("validation.argv", argv))) == ["PS402"]


COMMANDS = [
    ["pytest"], ["pytest", "-q", "tests/"], ["pytest", "-x", "-k", "a and not b"],
    ["pytest", "-kh", "-rA", "-n4", "-vv", "--maxfail=1"], ["pytest", "tests/test_app.py::test_x"],
    ["pytest", "src/app/test_to_come.py"], ["python", "-m", "pytest", "-W", "error"],
    ["ruff", "check", "src/app/"], ["mypy", "src/app/main.py"], ["make", "test"], ["npm", "test"],
    ["make", "check", "-j4"], ["go", "test", "./..."], ["cargo", "test"], ["tox", "-e", "py311"],
    ["python", "-m", "flows.doc_links", "--check-anchors"], ["python3", "-m", "unittest", "-v"],
]  # fmt: skip


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_a_command_that_checks_something_is_accepted(argv):
    assert codes(spoiled(("validation.argv", argv))) == []


def test_what_runs_is_argv_and_another_test_cmd_is_a_warning():
    said = examined(spoiled(("scope.test_cmd", "pytest -q tests/")))
    assert [(f.code, f.severity) for f in said.findings] == [("PS406", "warning")]
    assert len(said.scopes) == 1
    assert codes(spoiled(("scope.test_cmd", "pytest -q tests/test_app.py"))) == []


def test_all_errors_are_said_at_once_in_the_order_of_lines():
    bad = spoiled(
        ("scope.paths", ["../x", "src/app/", "README.md"]),
        ("validation.argv", ["echo"]),
        ("budget.files", 0),
        ("budget.lines", GONE),
        ("extra", 1),
    )
    found = examined({"phases": [GOOD, bad]}).findings
    assert [f.code for f in found] == [
        "PS105", "PS201", "PS304", "PS402", "PS101", "PS501", "PS102"
    ]  # fmt: skip
    assert [f.line for f in found] == sorted(f.line for f in found)
    assert {f.phase for f in found} == {"app-change"}
    assert {f.path for f in found} == {"plan.json"}


def test_a_finding_stands_where_the_value_is_and_a_missing_key_at_its_parent():
    (found,) = examined(spoiled(("scope.paths", ["src/app/", "/x"]))).findings
    assert (found.line, found.column) == (6, 7)
    (found,) = examined(spoiled(("budget.files", GONE))).findings
    assert (found.line, found.column) == (24, 3), "the key 'budget'"
    (found,) = examined(spoiled(("budget", GONE))).findings
    assert (found.line, found.column) == (1, 1), "the phase itself"


def test_an_unknown_key_names_the_nearest():
    (found,) = examined(spoiled(("bugdet", 1))).findings
    assert found.message == "unknown key 'bugdet'"
    assert found.fix == "did you mean 'budget'?"
    (found,) = examined(spoiled(("scope.zzz", 1))).findings
    assert found.fix.startswith("known here: acceptance_criteria, ")


def test_tracked_files_that_overlap_are_named():
    world = world_of([*FILES, "src/app/a.md", "src/app/b.md"])
    bad = spoiled(("scope.read_only_context", ["README.md", "src/app/*.md"]))
    (found,) = examined(bad, world).findings
    assert found.message.endswith("read-only 'src/app/*.md': src/app/a.md and 1 more files")


@pytest.mark.parametrize("link", ["src", "src/app", "src/app/inner/link.md"])
def test_what_lies_behind_a_link_may_not_be_allowed(link):
    world = world_of([*FILES, "src/app/inner/link.md"], [link])
    assert "PS306" in codes(GOOD, world)


@pytest.mark.parametrize("value", [3, "x", None, True, []])
def test_what_is_no_plan_is_refused(value):
    assert codes(value) == ["PS008"]


@pytest.mark.parametrize(
    "value", [{}, {"phases": []}, {"phases": {}}, {"phases": [3]}, [[]], {"phases": None}]
)
def test_a_plan_without_phases_is_refused(value):
    assert set(codes(value)) <= {"PS101", "PS103", "PS107"}
    assert codes(value)


# --- plans ------------------------------------------------------------------------------------


def plan(**more):
    phases = [spoiled(("phase_id", f"p{n}")) for n in range(3)]
    return {"phases": phases, **more}


@pytest.mark.parametrize(
    "more",
    [
        {"budget": {"tokens": 149_999}},
        {"budget": {"files": 23}},
        {"token_cap": 149_999},
        {"max_duration_minutes": 89},
        {"max_phases": 2},
    ],
    ids=str,
)
def test_phases_spend_together_no_more_than_the_run_states(more):
    assert codes(plan(**more)) == ["PS503"]


def test_a_run_that_states_enough_is_accepted():
    budget = {"tokens": 150_000, "seconds": 5400, "files": 24, "lines": 1200}
    more = {"token_cap": 150_000, "max_duration_minutes": 90, "max_phases": 3}
    assert codes(plan(budget=budget, **more)) == []


def test_a_run_stays_within_the_projects_ceiling():
    run = policy().ceilings.run.model_copy(update={"tokens": 149_999, "phases": 2})
    ceilings = policy().ceilings.model_copy(update={"run": run})
    tight = policy().model_copy(update={"ceilings": ceilings})
    assert isinstance(tight, Policy)
    assert codes(plan(), rules=tight) == ["PS504", "PS504"]


def test_two_phases_with_one_name_are_a_warning():
    found = examined([GOOD, GOOD]).findings
    assert [(f.code, f.severity, f.line) for f in found] == [("PS105", "warning", 32)]


# --- drafts -----------------------------------------------------------------------------------


def test_a_draft_says_everything_and_is_refused_until_it_is_filled_in():
    for value in (None, {}, {"phases": [{"id": "a"}, GOOD]}, [{"scope": {"paths": []}}]):
        said = set(codes(completed(value)))
        assert said == {"PS106"}
    assert completed(GOOD) == GOOD


def test_a_draft_keeps_what_is_there():
    given = {"id": "a", "scope": {"paths": ["src/app/"]}, "budget": {"files": 3}}
    made = completed(given)
    assert made["id"] == "a"
    assert made["scope"]["paths"] == ["src/app/"]
    assert made["budget"]["files"] == 3
    assert "phase_id" not in made


def test_a_placeholder_is_one_finding():
    (found,) = examined(spoiled(("budget.files", "<FILL IN: files>"))).findings
    assert (found.code, found.message) == ("PS106", "budget.files is still a placeholder")


# --- learned rules ----------------------------------------------------------------------------


def test_what_learned_rules_say_is_a_warning_at_its_place():
    note = LintNote(("scope", "paths", 0), "R-12", "phases on this folder failed 4 times")
    done = examined(GOOD, lint=[note])
    (found,) = done.findings
    assert (found.code, found.severity, found.line) == ("PS601", "warning", 5)
    assert found.message == "rule R-12: phases on this folder failed 4 times"
    assert len(done.scopes) == 1


def test_codes_are_three_digits_and_warnings_are_few():
    assert all(len(code) == 5 and code[2:].isdigit() for code in CODES)
    warnings = {"PS105", "PS406", "PS601", "PS725", "PS730", "PS731", "PS732"}
    assert {c for c in CODES if severity(c) == "warning"} == warnings


# --- hostile documents ------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers(-9, 10**6) | st.floats(-9, 9) | st.text()
KEYS = st.sampled_from([
    "phases", "id", "phase_id", "scope", "paths", "path", "read_only_context", "validation",
    "argv", "budget", "tokens", "ci", "token_cap", "", "0", "<FILL IN: x>",
])  # fmt: skip
VALUES = st.recursive(
    SCALARS | st.sampled_from(["<FILL IN: x>", "src/app/", "docs/**/*.md", "README.md", "pytest"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def places(value, loc=()):
    """Return the place of every part of a value."""
    parts = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    return [loc, *(place for key, part in parts for place in places(part, (*loc, key)))]


@st.composite
def mutants(draw):
    """Return a good plan in which a few parts are something else."""
    made = copy.deepcopy({"phases": [GOOD, GOOD], "budget": {"tokens": 5}, "token_cap": 9})
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(made)[1:]))
        here = made
        for key in way:
            here = here[key]
        if isinstance(here, dict) and draw(st.booleans()):
            here[draw(KEYS)] = draw(VALUES)
        else:
            here[last] = draw(VALUES)
    return made


@settings(max_examples=300)
@given(mutants() | VALUES)
def test_no_document_is_too_strange_to_be_examined(value):
    done = examined(value)
    lines = json.dumps(value, indent=2).splitlines()
    for finding in done.findings:
        assert finding.code in CODES
        assert 1 <= finding.line <= len(lines)
        assert 1 <= finding.column <= len(lines[finding.line - 1])
    assert bool(done.scopes) is all(f.severity != "error" for f in done.findings)
    completed(value)
