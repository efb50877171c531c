"""Phase specs: is it said what a phase may write, must leave alone, runs and spends?"""

from __future__ import annotations

from typing import Annotated, Literal

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.report import Report
from flows.cli import main
from tasks import engine, phases
from tasks.engine import Between, CommandLineOnly, Positional, flow
from tasks.phases_report import describe, describe_paths, put_draft, put_text, say
from tasks.phases_session import Validating


@flow(name="phase-check-validate")
def phase_check_validate(
    files: Annotated[list[str] | None, Positional()] = None,
    workspace: str = ".",
    policy: str | None = None,
    draft: bool = False,
    paths_stdin: Annotated[bool, CommandLineOnly()] = False,
    scope: Annotated[list[str] | None, CommandLineOnly()] = None,
    strict: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Refuse phase specs that do not say safely what they may do: every error at once, located.

    A spec needs paths it may write, read-only context, a validation command and budgets. Nothing
    is written.

    Args:
        files: Specs or plans, JSON or YAML.
        workspace: The checkout that the specs are about.
        policy: A policy file in place of config/phase_policy.yaml: protected paths, commands,
            ceilings.
        draft: Print the spec with placeholders for what is missing, to fill in by hand; without a
            file, begin one.
        paths_stdin: Judge one path a line from stdin: 'ok' or the code, a line each, in order.
        scope: With --paths-stdin, the globs that may be written, anchored at the root.
        strict: Warnings make the exit code 1 too.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.phase_check validate plan.json
        python -m flows.phase_check validate plan.json --draft > draft.json
        git diff --name-only | python -m flows.phase_check validate --paths-stdin --scope docs/
    """
    report = engine.draft(Report("phase-check-validate"))
    _agree(files, draft, paths_stdin, scope)
    validating = Validating(workspace, files or (), Deadline.after(max_seconds))
    with report.step("read"):
        phases.read(validating, policy)
    if paths_stdin:
        with report.step("judge-paths"):
            phases.judge_paths(validating, scope or [], say)
        describe_paths(report, validating)
    elif draft:
        with report.step("draft"):
            phases.draft(validating)
        put_draft(report, validating)
    else:
        with report.step("examine"):
            phases.examine(validating)
        describe(report, validating)
    return report.settle(strict)


def _agree(
    files: list[str] | None, draft: bool, paths_stdin: bool, scope: list[str] | None
) -> None:
    """Refuse what contradicts itself.

    Raises:
        UsageError: It does.
    """
    form = "python -m flows.phase_check validate"
    if paths_stdin != bool(scope):
        missing = "--scope" if paths_stdin else "--paths-stdin"
        raise UsageError(f"{missing} is missing", next_step=f"{form} --paths-stdin --scope docs/")
    if paths_stdin and (files or draft):
        raise UsageError("--paths-stdin judges paths, not specs", next_step="leave the file out")
    if draft and len(files or ()) > 1:
        raise UsageError(
            "--draft completes one file", next_step=f"{form} {(files or [''])[0]} --draft"
        )
    if not (files or draft or paths_stdin):
        raise UsageError("no file is named", next_step=f"{form} plan.json")


@flow(name="phase-check-schema")
def phase_check_schema(
    of: Literal["spec", "policy"] = "spec",
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Print the JSON Schema of phase specs, or of the policy, for editors.

    Args:
        of: Whose schema.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.phase_check schema > phase_spec.schema.json
    """
    report = engine.draft(Report("phase-check-schema"))
    with report.step("schema"):
        Deadline.after(max_seconds).check("making the schema")
        schema, text = phases.schema(of)
    put_text(report, "json_schema", schema, text)
    return report.settle()


if __name__ == "__main__":
    main(phase_check_validate, phase_check_schema)
