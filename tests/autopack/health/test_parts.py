"""A capability's line: as bad as its worst finding, with the command that mends it."""

from __future__ import annotations

import pytest

from autopack.health.parts import Part, part_of, unknown, worst
from autopack.report import Finding, Report


def report(*severities, exit_code=0, message="", fix="python -m flows.x --execute") -> Report:
    made = Report("x", exit_code=exit_code, message=message)
    made.findings = [Finding("c", s, "", None, f"one {s}", fix) for s in severities]
    return made


@pytest.mark.parametrize(("severities", "state"), [
    ((), "good"), (("info",), "good"), (("warning", "info"), "look"),
    (("warning", "error"), "bad"),
])  # fmt: skip
def test_a_part_is_as_bad_as_its_worst_finding(severities, state) -> None:
    assert part_of("x", report(*severities), "words", "python -m flows.x").state == state


def test_the_worst_finding_is_told_with_its_command() -> None:
    part = part_of("x", report("warning", "error"), "2 pages", "python -m flows.x")
    assert part == Part(
        "x", "bad", "2 pages: one error (and 1 more)", "python -m flows.x --execute"
    )


def test_advice_that_is_no_command_gives_way_to_the_flow() -> None:
    part = part_of("x", report("error", fix="rename it"), "words", "python -m flows.x")
    assert part.command == "python -m flows.x"


def test_what_could_not_be_asked_is_not_good() -> None:
    assert unknown("x", report("error", exit_code=1)) is None
    part = unknown("x", report(exit_code=4, message="no database"))
    assert part == Part("x", "unknown", "no database")
    assert worst(["look", part.state]) == "unknown", "it makes the exit code 1, as bad does"
    assert worst([]) == "good"


def test_what_could_not_be_asked_names_the_command_of_its_error() -> None:
    busy = report(exit_code=5, message="'docs' is held. Next: python -m flows.locks status")
    part = unknown("x", busy)
    assert part
    assert part.command == "python -m flows.locks status"


def test_words_after_a_command_are_none_of_it() -> None:
    refused = report(exit_code=6, message="no. Next: python -m flows.x lint; then look at it")
    part = unknown("x", refused)
    assert part
    assert part.command == "python -m flows.x lint"
