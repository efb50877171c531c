"""The loop as its users run it: propose, review, append, serve, measure, retire."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest

from autopack.io import rule_files
from autopack.rules.schema import RULES_FILE
from tests.support import rule_papers as papers
from tests.support.process import Finished, run_bounded
from tests.support.session import REPOSITORY, clean_environment

DEMO = REPOSITORY / "docs/examples/failure_rules_demo.py"
BY = ("--by", "Ada Lovelace")


@pytest.fixture
def rules(run_flow):
    """Return `rules(root, *words)`: run a command of failure_rules without an engine."""

    def run(root: Path, *words: str, form: str = "--json") -> Finished:
        where = ("--workspace", str(root), "--engine", "direct", *([form] if form else []))
        return run_flow("failure_rules", *words, *where)

    return run


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """Return the demo's workspace: its past runs alone."""
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    from datetime import timedelta

    root = tmp_path / "demo"
    (root / "docs").mkdir(parents=True)
    for number in range(50):
        at = papers.NOW - timedelta(days=50 - number)
        module.run(root, number, at, module.failures_of(number, 3))
    return root


def test_the_demo_ends_with_fewer_recurrences_and_their_interval(tmp_path) -> None:
    root = tmp_path / "demo"
    command = [sys.executable, str(DEMO), str(root), "--json"]
    done = run_bounded(command, cwd=tmp_path, env=clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    (effect,) = json.loads(done.stdout.splitlines()[-1])["effects"]
    assert effect["verdict"] == "reduced"
    assert effect["before"] == {"incidents": 14, "runs": 42}
    assert effect["after"] == {"incidents": 2, "runs": 60}
    low, high = effect["interval"]
    assert effect["ratio"] == pytest.approx(0.1)
    assert low < effect["ratio"] < high < 1


def test_a_proposal_is_the_only_thing_written_and_says_what_is_next(demo, rules) -> None:
    before = {path for path in demo.rglob("*") if path.is_file()}
    done = rules(demo, "propose")
    assert done.returncode == 0, done.stderr
    report = done.report
    written = {path for path in demo.rglob("*") if path.is_file()} - before
    assert sorted(path.relative_to(demo).as_posix() for path in written) == sorted(
        report["writes"]["files"]
    )
    assert report["counts"]["proposed"] == 2
    assert "review" in report["next_steps"][0]["command"]
    assert (
        rule_files.read_proposal(str(demo / report["proposal"]["path"])).id
        == (report["proposal"]["id"])
    )


def test_a_window_without_failures_says_that_there_are_older_ones(demo, rules) -> None:
    report = rules(demo, "propose", "--since-days", "0.01").report
    assert report["counts"]["proposed"] == 0
    (step,) = report["next_steps"]
    assert step["command"].startswith("python -m flows.failure_rules propose")


def test_an_order_of_papers_by_name_works_from_anywhere(demo, rules, tmp_path) -> None:
    paper, answer = str(tmp_path / "p.json"), str(tmp_path / "a.json")
    assert rules(demo, "propose", "--out", paper).returncode == 0
    done = rules(demo, "review", paper, "--reject", "all", *BY, "--out", answer)
    assert (done.returncode, done.report["counts"]["rejected"]) == (0, 2)
    done = rules(demo, "append", paper, answer, "--execute")
    assert (done.returncode, done.report["writes"]["files"]) == (0, [])
    assert not (demo / RULES_FILE).exists()


def test_what_was_appended_is_not_proposed_again_and_retires_by_the_same_way(demo, rules) -> None:
    for words in (["propose"], ["review", "--approve", "all", *BY], ["append", "--execute"]):
        assert rules(demo, *words).returncode == 0
    assert rules(demo, "propose").report["counts"]["proposed"] == 0
    assert rules(demo, "lint").report["findings"] == []
    rule = rule_files.read_rules(demo).file.rules[0]
    words = ("overturn", rule.id, "--event", "e1 of jane@corp.example", *BY)
    assert rules(demo, *words).report["writes"]["files"] == []
    assert rules(demo, *words, "--execute").returncode == 0
    assert "jane" not in (demo / ".autonomous_runs/_rules/hits.jsonl").read_text()
    assert [f["code"] for f in rules(demo, "lint").report["findings"]] == ["RU009"]
    done = rules(demo, "retire")
    assert done.report["counts"]["proposed"] == 1
    for words in (["review", "--approve", "all", *BY], ["append", "--execute"]):
        done = rules(demo, *words)
        assert done.returncode == 0, done.stderr
    changed = next(r for r in rule_files.read_rules(demo).file.rules if r.id == rule.id)
    assert (changed.revision, changed.stage) == (2, "guidance")
    assert rules(demo, "lint").report["findings"] == []


def test_a_rule_that_warns_is_heard_by_the_phase_check(demo, rules, run_flow) -> None:
    spec = {
        "phase_id": "p",
        "scope": {"paths": ["migrations/"], "read_only_context": ["docs/"]},
        "validation": {"argv": ["pytest", "-q", "migrations/"], "timeout_seconds": 60},
        "budget": {"tokens": 1, "seconds": 1, "files": 1, "lines": 1},
    }
    plan = demo / "plan.json"
    plan.write_text(json.dumps(spec, indent=2))

    def told() -> list[tuple[str, str, int]]:
        words = ("validate", plan, "--workspace", demo, "--engine", "direct", "--json")
        found = run_flow("phase_check", *words).report["findings"]
        return [(f["code"], f["severity"], f["line"]) for f in found if f["code"] == "PS601"]

    assert told() == []
    for words in (["propose"], ["review", "--approve", "all", *BY], ["append", "--execute"]):
        assert rules(demo, *words).returncode == 0
    assert told() == [("PS601", "warning", 5)]
    (demo / RULES_FILE).write_text('{"rules": []}')
    assert told() == [], "a file of another format serves nothing"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["propose", "--scope", "src/"], "--scope belongs to --from-rules"),
        (["propose", "--from-rules", "gone.json"], "gone.json does not exist"),
        (["review"], "proposal.json does not exist"),
        (["append"], "proposal.json does not exist"),
        (["overturn", "rule:v1:x", "--event", "e", *BY], "is no rule of this workspace"),
    ],
)
def test_a_mistake_is_told_in_one_line(make_workspace, rules, words, said) -> None:
    done = rules(make_workspace(), *words, form="")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
    assert "Next: " in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--approve", "all"], "--by is missing"),
        (["--approve", "all", "--by", "TODO"], "names no person"),
        (["--approve", "all", "--reject", "all", *BY], "approved and rejected"),
        (["--approve", "nothing", *BY], "means no rule"),
        (["--approve", "all", *BY, "--expires", "9d"], "is no time between"),
        ([], "nothing is decided"),
        (["--by", "Ada"], "nothing is decided"),
    ],
)
def test_a_review_without_a_decision_or_a_name_writes_nothing(demo, rules, words, said) -> None:
    assert rules(demo, "propose").returncode == 0
    done = rules(demo, "review", *words, form="")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (demo / ".autonomous_runs/reports/approval.json").exists()
    assert not (demo / ".autonomous_runs/audit.jsonl").exists()


def test_the_page_of_an_effect_draws_its_trend(demo, rules) -> None:
    for words in (["propose"], ["review", "--approve", "all", *BY], ["append", "--execute"]):
        assert rules(demo, *words).returncode == 0
    page = rules(demo, "effect", "--format", "html", form="").stdout
    assert page.count("<polyline") == 2
    assert "too few" in page


def test_an_own_catalogue_is_laid_over_and_told_where_it_is_wrong(demo, rules) -> None:
    own = demo / "config/mitigations.yaml"
    own.parent.mkdir()
    own.write_text("version: 1\ndisabled: [missing-table]\nmitigations: []\n")
    assert rules(demo, "propose").report["counts"]["proposed"] == 1
    own.write_text("version: 1\nmitigations:\n  - key: x\n")
    done = rules(demo, "propose", form="")
    assert done.returncode == 2
    assert "config/mitigations.yaml:3:10" in done.stderr


@pytest.mark.corpus
def test_the_loop_runs_on_the_real_workspace(corpus_copy, corpus_source, rules) -> None:
    root = corpus_copy
    for folder in (corpus_source / "failures/reports").iterdir():
        shutil.copytree(folder, root / ".autonomous_runs" / folder.name)
    done = rules(root, "propose")
    assert done.returncode == 6, "its rule file is of the old format"
    old = root / "archive/LEARNED_RULES.old.json"
    old.parent.mkdir(exist_ok=True)
    (root / RULES_FILE).rename(old)
    steps = (["review", "--approve", "all", *BY], ["append", "--execute"])
    for words in (["propose"], *steps, ["propose", "--from-rules", str(old)], *steps):
        done = rules(root, *words)
        assert done.returncode == 0, done.stderr
    rules_now = rule_files.read_rules(root).file.rules
    assert {rule.action.class_ for rule in rules_now} == {
        "migrate_schema_first", "reconnect_before_use", "validate_input", "review_by_hand",
    }  # fmt: skip
    assert rules(root, "lint").report["findings"] == []
    verdicts = {effect["verdict"] for effect in rules(root, "effect").report["effects"]}
    assert verdicts == {"too few"}
    assert rules(root, "propose").report["counts"]["proposed"] == 0
