"""A check that runs in CI alone, or on laptops alone, is found."""

from __future__ import annotations

import pytest

from autopack.preflight.checks import Check
from autopack.preflight.parity import check_parity, expand

CHECKS = [Check("ruff", ("python", "-m", "ruff", "check")), Check("syntax", builtin="syntax")]
MAKEFILE = """PY := python

check: tool ## Check
\t$(PY) -m flows.preflight --tier ci

test:
\t$(PY) -m pytest

types-too: just-types
\techo

just-types:
\tmypy .
"""
SCRIPT = "#!/bin/bash\nset -e\napt-get install -y make git\nmake check\n"
GATE = "python -m flows.preflight --tier ci"


def workflow(*runs: str, on: str = "[push, pull_request]") -> str:
    steps = "".join(f"      - run: {run}\n" for run in ("pip install -r dev.txt", *runs))
    return f"on: {on}\njobs:\n  check:\n    steps:\n      - uses: actions/checkout@v5\n{steps}"


def told(*runs: str, on: str = "[push, pull_request]", makefile: str = MAKEFILE) -> list[str]:
    scripts = {"Makefile": makefile, ".ci/run": SCRIPT}
    found = check_parity({"ci.yml": workflow(*runs, on=on)}, scripts.get, CHECKS)
    return [f"{f.code} {f.path}" for f in found]


@pytest.mark.parametrize(
    "run",
    [
        GATE,
        "make check",
        "bash .ci/run",
        "./.ci/run",
        "env A=1 python -P -m flows.preflight --tier=ci",
        f"{GATE} || exit 1",
        f"uv run {GATE}",
        f"|\n          set -o pipefail\n          {GATE} | tee log",
    ],
)
def test_the_gate_is_found_through_scripts_and_make(run) -> None:
    assert told(run) == []


@pytest.mark.parametrize(
    "run",
    ["python -m pytest -q", "pytest", "uv run pytest", "poetry run mypy .",
     "coverage run -m pytest", "uvx black --check . && mypy",
     "python scripts/check_links.py", "make test", "python -m flows.doc_links",
     "bash -c pytest", "sh -euc 'cd x && pytest -q'", "timeout -k 5 300 pytest", "sudo mypy .",
     "if pytest; then echo; fi", "make types-too"],
)  # fmt: skip
def test_what_runs_in_ci_alone_is_found(run) -> None:
    assert told(GATE, run)[0].startswith("ci_only ")


def test_what_the_manifest_has_too_may_run_again() -> None:
    assert (
        told(
            GATE,
            "ruff check",
            "bash -c 'ruff check && echo'",
            "echo pytest",
            "git diff --exit-code",
        )
        == []
    )


@pytest.mark.parametrize(
    "run",
    ["python -m flows.preflight", "python -m flows.preflight --tier full", f"{GATE} --only ruff",
     f"{GATE} --changed", f"{GATE} --list", "echo nothing", f"echo {GATE}", f"{GATE} || true",
     "make check || echo red", f"{GATE} | tee log", f"{GATE}\n        continue-on-error: true",
     f"{GATE}\n        if: false"],
)  # fmt: skip
def test_a_workflow_that_leaves_checks_out_is_found(run) -> None:
    assert told(run) == ["local_only ci.yml"]


@pytest.mark.parametrize("on", ["[workflow_dispatch]", "{push: {tags: ['v*']}}", "schedule"])
def test_a_workflow_that_guards_no_branch_need_not(on) -> None:
    assert told("echo release", on=on) == []


def test_a_check_beside_the_gate_in_make_is_found() -> None:
    beside = MAKEFILE.replace("--tier ci\n", "--tier ci\n\t$(PY) -m mypy\n")
    assert told("make check", makefile=beside) == ["ci_only Makefile"]


@pytest.mark.parametrize(
    "text",
    ["a: [", "\ton: x", "- a\n", "words", "on: push\njobs: [a]\n", "on: push\njobs: {a: }\n",
     "on: 3\njobs: {a: {steps: {b: c}}}\n", "on: push\njobs: {a: {steps: [b, {run: ''}]}}\n",
     "on: [push, {a: b}]\n"],
)  # fmt: skip
def test_a_workflow_of_another_shape_is_a_finding_and_no_crash(text) -> None:
    found = check_parity({"ci.yml": text}, {}.get, CHECKS)
    assert {f.code for f in found} <= {"unreadable", "local_only"}
    assert "on: push" not in text or found


def test_targets_that_need_each_other_end() -> None:
    scripts = {"Makefile": "a: b\n\techo 1\nb: a\n\techo 2\n"}
    assert len(list(expand("make a", "x", 1, scripts.get))) == 2


def test_make_that_calls_itself_ends() -> None:
    scripts = {"Makefile": "a:\n\tmake a\n"}
    assert len(list(expand("make a", "x", 1, scripts.get))) == 1
