"""What a check's end means: findings from what a tool says, one exit code for all."""

from __future__ import annotations

import pytest

from autopack.preflight.checks import Check
from autopack.preflight.outcome import (
    Outcome,
    exit_code,
    late,
    outcome_of_command,
    outcome_of_findings,
)
from autopack.report import Finding

TOOL = Check("tool", ("tool", "x"))


def ended(check: Check, code: int, *lines: str) -> Outcome:
    return outcome_of_command(
        check, code, lines, 0.1, lambda name: name if name.startswith("src/") else ""
    )


def test_a_pass_says_its_last_line() -> None:
    done = ended(TOOL, 0, "a", "\x1b[32mAll good\x1b[0m", "")
    assert (done.status, done.first, done.findings) == ("passed", "All good", ())


def test_places_of_files_that_are_there_become_findings() -> None:
    done = ended(
        TOOL, 1, "src/a.py:3:7: E1 words", "src/b.py:9: error: more", "src/b.py:9: note: hint",
        "12:30:00: a clock", "other/a.py:1: gone",
    )  # fmt: skip
    assert [(f.path, f.line, f.message) for f in done.findings] == [
        ("src/a.py", 3, "E1 words"), ("src/b.py", 9, "more"),
    ]  # fmt: skip
    assert done.first == "src/a.py:3: E1 words"


@pytest.mark.parametrize(
    ("code", "lines", "said"),
    [
        (2, ("", "no config"), "no config (exit code 2)"),
        (2, (), "exit code 2"),
        (-9, (), "was ended by signal 9"),
    ],
)
def test_a_failure_without_a_place_is_one_finding(code, lines, said) -> None:
    (found,) = ended(TOOL, code, *lines).findings
    assert found.message == said
    assert found.fix == "tool x"


def test_of_a_rule_errors_fail_warnings_are_told_and_infos_left_out() -> None:
    told = [Finding("b", "warning", "x", 1, "w"), Finding("c", "info", "x", 1, "i")]
    done = outcome_of_findings(TOOL, told, 1.0)
    assert (done.status, [f.code for f in done.findings]) == ("passed", ["tool/b"])
    bad = outcome_of_findings(TOOL, [*told, Finding("a", "error", "x", 2, "e")], 1.0)
    assert (bad.status, bad.first) == ("failed", "x:2: e")


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["passed", "skipped"], 0), (["passed", "failed"], 1), (["timeout"], 1),
        (["missing", "failed", "timeout"], 4), ([], 0),
    ],
)  # fmt: skip
def test_what_could_not_run_counts_more_than_what_failed(statuses, code) -> None:
    assert exit_code([Outcome(TOOL, status) for status in statuses]) == code


def test_a_late_check_is_a_finding() -> None:
    done = late(TOOL, 60.2)
    assert done.first == "not over after 60 s, so it was ended"


def test_control_characters_of_a_tool_reach_no_terminal() -> None:
    said = ["\x1b]0;title\x07\x00bad\x08\x9b31m\tthing"]
    done = outcome_of_command(Check("x", ("x",)), 1, said, 0.0, lambda _: "")
    assert done.output == ("]0;titlebad31m\tthing",)
    assert "\x1b" not in done.first
