"""Steps of the phase check: read policy and specs, examine, draft, judge paths from a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Literal

from autopack.errors import UsageError
from tasks import policy
from tasks.engine import task
from tasks.phases_session import Validating
from tasks.rules_lint import notes_on, rules_at_lint

if TYPE_CHECKING:
    from autopack.phases.scope import Scope


@task(**policy.READ)
def read(validating: Validating, policy_file: str | None) -> None:
    """Read the policy, then every spec."""
    from autopack.io.phase_files import read_policy, read_spec

    validating.policy = read_policy(validating.root, policy_file)
    validating.data = {name: read_spec(name) for name in validating.files}


@task(**policy.READ)
def examine(validating: Validating) -> None:
    """Hold every spec against the model, the policy and the workspace."""
    from autopack.io.phase_files import name_within
    from autopack.io.phase_tree import world
    from autopack.phases.document import Malformed
    from autopack.phases.document import read as document_of
    from autopack.phases.examine import examine as examined
    from autopack.phases.examine import malformed

    assert validating.policy is not None
    there = world(validating.root, validating.deadline)
    learned = rules_at_lint(validating.root)
    for name, data in validating.data.items():
        validating.deadline.check(f"examining {name}")
        shown = name_within(validating.root, name)
        try:
            document = document_of(shown, data)
        except Malformed as fault:
            validating.findings.append(malformed(shown, fault))
            continue
        notes = notes_on(document, learned)
        done = examined(document, validating.policy, there, notes)
        validating.findings += done.findings
        validating.scopes += done.scopes
        validating.phases += done.phases


@task(**policy.READ)
def draft(validating: Validating) -> None:
    """Complete a spec with placeholders; without a spec, begin one.

    Raises:
        UsageError: The file is no document, so there is nothing to complete.
    """
    from autopack.phases.document import Malformed
    from autopack.phases.document import read as document_of
    from autopack.phases.draft import completed

    value = None
    for name, data in validating.data.items():
        try:
            value = document_of(name, data).value
        except Malformed as fault:
            place = f"{name}:{fault.place.line}:{fault.place.column}"
            raise UsageError(
                f"{place}: {fault.code} {fault.message}", next_step="correct the file first"
            ) from None
    validating.draft = completed(value)


@task(timeout_seconds=86400.0)  # a pipe cannot be read twice
def judge_paths(validating: Validating, scope: list[str], say: Callable[[str], None]) -> None:
    """Judge one path a line from stdin, and say `ok` or the code before the next line is read."""
    from autopack.io.phase_files import lines_of
    from autopack.io.phase_tree import place_fault

    within = _scope(validating, scope)
    for path in lines_of(_stdin()):
        validating.deadline.check("judging paths")
        verdict = within.judge(path) or place_fault(validating.root, path) or "ok"
        validating.judged.append((path, verdict))
        say(verdict)


def _stdin() -> IO[bytes]:
    if sys.stdin is None:
        raise UsageError("--paths-stdin has no stdin", next_step="pipe one path a line into it")
    return sys.stdin.buffer


def _scope(validating: Validating, globs: list[str]) -> Scope:
    """Return the scope that the command line names.

    Raises:
        UsageError: A glob has no single reading.
    """
    from autopack.phases.codes import CODES
    from autopack.phases.globs import glob_fault
    from autopack.phases.scope import Scope as Named

    assert validating.policy is not None
    for glob in globs:
        code = glob_fault(glob)
        if code and code != "PS302":  # protected paths stay out of it all the same
            raise UsageError(
                f"--scope {glob!r}: {code} {CODES[code]}",
                next_step="name files, folders as docs/, or globs from the root",
            )
    return Named("", tuple(globs), protected=validating.policy.guarded)


@task(**policy.READ)
def schema(of: Literal["spec", "policy"]) -> tuple[Any, str]:
    """Return a JSON Schema and its text."""
    import json

    from autopack.phases.schema import schema_text

    text = schema_text(of)
    return json.loads(text), text
