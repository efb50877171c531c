"""Steps of linting: the rule file itself, and what its rules say about specs and files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from autopack.errors import Refused
from autopack.report import Finding, PlacedFinding
from autopack.state_files import LEARNED_RULES
from tasks import policy
from tasks.engine import task
from tasks.rules_ruling import Ruling

if TYPE_CHECKING:
    from pathlib import Path

    from autopack.phases.document import Document
    from autopack.phases.examine import LintNote
    from autopack.rules.schema import Rule


@task(**policy.READ)
def check(ruling: Ruling) -> tuple[int, list[Finding]]:
    """Return how many rules the file has, and everything that is wrong with it and with the log."""
    from autopack.io.rule_files import read_log, rules_bytes
    from autopack.phases.document import Malformed, read
    from autopack.rules.hits import HITS_FILE, overturned
    from autopack.rules.linting import Loc, lint_file
    from autopack.rules.schema import RULES_FILE

    hits, bad = read_log(ruling.root)
    told: list[Finding] = [
        Finding("RU010", "warning", HITS_FILE, line, "this line is no hit") for line in bad
    ]
    data = rules_bytes(ruling.root)
    if data is None:
        return 0, told
    try:
        document = read(RULES_FILE, data)
    except Malformed as fault:
        place = fault.place
        finding = PlacedFinding(
            "RU001", "error", RULES_FILE, place.line, fault.message, column=place.column
        )
        return 0, [finding, *told]

    def place_of(loc: Loc) -> tuple[int, int]:
        return document.place(loc)

    value = document.value
    rules = value.get("rules") if isinstance(value, dict) else None
    found = lint_file(value, place_of, ruling.now, overturned(hits))
    return len(rules) if isinstance(rules, list) else 0, [*found, *told]


def rules_at_lint(root: Path) -> list[Rule]:
    """Return the rules of a workspace that warn.

    A file that is missing or of another format serves none; the command `lint` tells about it.
    """
    if not os.path.lexists(root / LEARNED_RULES):
        return []
    from autopack.io.rule_files import load

    try:
        return load(root).warning(datetime.now(UTC))
    except Refused:
        return []


def notes_on(document: Document, rules: Sequence[Rule]) -> list[LintNote]:
    """Return what rules say about a phase spec."""
    if not rules:
        return []
    from autopack.phases.examine import LintNote
    from autopack.rules.linting import lint_spec

    hits = lint_spec(rules, document.value)
    return [LintNote(hit.loc, hit.rule, hit.message) for hit in hits]


@task(**policy.READ)
def about(root: Path, paths: Sequence[str]) -> list[Finding]:
    """Return what the rules of a workspace say about some changed files, for preflight."""
    from autopack.rules.linting import lint_paths

    rules = rules_at_lint(root)
    return lint_paths(rules, paths) if rules else []
