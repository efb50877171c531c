"""Real phase specs: all refused for exactly what they lack, all accepted when upgraded by hand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.phase_specs import policy

pytestmark = pytest.mark.corpus

DISJOINT: dict[str, dict[str, Any]] = {
    "docs-dashboard-refresh": {"paths": ["README.md", "docs/dashboard/"]},
    "fileorg-p2-country-canada": {"read_only_context": ["fileorganizer/docs/research/"]},
    "fileorg-p2-country-uk": {"read_only_context": ["fileorganizer/docs/research/"]},
    "fileorg-p2-docker": {
        "read_only_context": ["fileorganizer/backend/app/", "fileorganizer/frontend/"]
    },
    "hardening-deploy-verify": {"read_only_context": ["backend/app/", "frontend/src/"]},
    "fileorg-p2-frontend-build": {
        "read_only_context": ["fileorganizer/frontend/package-lock.json"]
    },
    "F1.p1-unstructured-plan-to-structured-plan-normalization": {
        "read_only_context": ["README.md", "templates/hardening_phases.json"]
    },
    "build129-phase1-output-size-predictor": {
        "paths": [
            "src/autopack/token_estimator.py",
            "src/autopack/anthropic_clients.py",
            "src/autopack/manifest_generator.py",
            "tests/test_token_estimator.py",
            "docs/BUILD-129_PHASE1_OUTPUT_SIZE_PREDICTOR.md",
        ],
    },
}
"""What a person writes where a phase would write what it only reads, or names no paths."""
COMMANDS = {
    "frontend": ["npm", "run", "build"],
    "docs": ["python", "-m", "flows.doc_links", "--check-anchors"],
}
"""By category; everything else is proven by the tests."""


def name_of(phase: dict[str, Any]) -> str:
    return phase.get("phase_id") or phase["id"]


def upgraded(phase: dict[str, Any]) -> dict[str, Any]:
    """Return a phase with what it lacks, chosen by hand."""
    made = copy.deepcopy(phase)
    made["scope"] |= DISJOINT.get(name_of(phase), {})
    argv = COMMANDS.get(phase["task_category"], ["pytest", "-q"])
    if "test_cmd" in made["scope"]:
        argv = made["scope"]["test_cmd"].split()
    made["validation"] = {"argv": argv, "timeout_seconds": 900}
    seconds = {"low": 1800, "medium": 3600, "high": 7200}[phase["complexity"]]
    made["budget"] = {"tokens": 150_000, "seconds": seconds, "files": 25, "lines": 1500}
    return made


@pytest.fixture
def phases(corpus_source: Path) -> list[dict[str, Any]]:
    text = (corpus_source / "phase-specs/phases.json").read_text()
    return json.loads(text)["phases"]


@pytest.fixture
def root(make_workspace, phases) -> Path:
    """Return a workspace in which everything that the specs want to read is there."""
    wanted = []
    for phase in (*phases, *map(upgraded, phases)):
        for item in phase["scope"]["read_only_context"]:
            wanted.append(item["path"] if isinstance(item, dict) else item)
        wanted += [w for w in phase.get("validation", {}).get("argv", ()) if w.startswith("tests/")]
    return make_workspace({f"{p}keep" if p.endswith("/") else p: "x\n" for p in sorted(wanted)})


@pytest.fixture
def check(run_flow, root):
    def run(*files: Path):
        where = ("--workspace", root, "--engine", "direct", "--json")
        return run_flow("phase_check", "validate", *files, *where)

    return run


def test_every_real_spec_is_refused_for_exactly_what_it_lacks(check, corpus_source, phases):
    source = corpus_source / "phase-specs/phases.json"
    done = check(source)
    assert done.returncode == 1
    assert done.report["counts"] | {"codes": 0} == {
        "files": 1, "phases": 31, "accepted": 0, "codes": 0
    }  # fmt: skip
    expected = []
    for phase in phases:
        lacking = [key for key in ("validation", "budget") if key not in phase]
        lacking += [key for key in ("paths", "read_only_context") if key not in phase["scope"]]
        expected += [(name_of(phase), key) for key in lacking]
    missing = [f for f in done.report["findings"] if f["code"] == "PS101"]
    told = [(f["phase"], f["message"].split("'")[1]) for f in missing]
    assert sorted(told) == sorted(expected)
    assert len(expected) == 63
    lines = source.read_text().splitlines()
    for finding in missing:
        there = lines[finding["line"] - 1][finding["column"] - 1 :]
        within = finding["message"] == "missing key 'paths'"
        assert there.startswith('"scope"' if within else "{")
        if not within:
            assert f'"{finding["phase"]}"' in "\n".join(lines[finding["line"] :][:2])


def test_every_upgraded_spec_is_accepted_alone_and_together(check, phases, tmp_path):
    files = []
    for number, phase in enumerate(phases):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(upgraded(phase), indent=2))
    alone = check(*files)
    assert alone.report["findings"] == []
    assert (alone.returncode, alone.report["counts"]["accepted"]) == (0, 31)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"phases": [upgraded(phase) for phase in phases]}, indent=2))
    together = check(plan)
    assert (together.returncode, together.report["counts"]["accepted"]) == (0, 31)
    assert {f["code"] for f in together.report["findings"]} == {"PS105"}


def test_upgraded_specs_stay_within_the_ceilings_by_far(phases):
    total = sum(upgraded(phase)["budget"]["tokens"] for phase in phases)
    assert total * 5 < policy().ceilings.run.tokens


def test_every_real_file_name_is_a_good_path(corpus):
    from autopack.phases.paths import fault

    names = [p.relative_to(corpus).as_posix() for p in corpus.rglob("*") if p.is_file()]
    refused = {name: fault(name) for name in names if fault(name)}
    assert {name for name in refused if refused[name] != "PS209"} == set()
