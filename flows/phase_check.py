"""Phase specs: is it said what a phase may write and spend, and did it keep to that?"""

from __future__ import annotations

from typing import Annotated, Literal

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.report import Report
from flows.cli import main
from tasks import engine, phase_command, phase_runs, phases
from tasks.engine import Between, CommandLineOnly, Positional, Remainder, flow
from tasks.phase_runs_report import describe_begin, describe_end
from tasks.phase_runs_session import PhaseRun
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


@flow(name="phase-check-begin")
def phase_check_begin(
    spec: Annotated[str, Positional()],
    phase: str | None = None,
    workspace: str = ".",
    policy: str | None = None,
    again: bool = False,
    execute: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 600.0,
) -> Report:
    """Begin a phase: keep what there is, so that `end` finds everything that the phase changed.

    Every name in the workspace counts, also what git does not track or ignores, and git's own
    state. One phase at a time is open in a workspace. A phase that may write everything can begin
    itself anew: keep the digest that is told here where it cannot write, for `end --digest`.

    Args:
        spec: The phase spec, or the plan that has it.
        phase: The phase's name, where the plan has several.
        workspace: The checkout that the phase works in.
        policy: A policy file in place of config/phase_policy.yaml.
        again: Begin anew from what is there now; the open snapshot of this phase is put aside, and
            what was changed since it was taken is not compared.
        execute: Changes nothing here: the snapshot is what this command is for, so it is kept in
            .autonomous_runs/phases/ either way.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.phase_check begin plan.json --phase docs-refresh
    """
    report = engine.draft(Report("phase-check-begin", execute=execute))
    run = PhaseRun(workspace, spec, phase, policy, Deadline.after(max_seconds))
    with run.holding(True):
        with report.step("read"):
            phase_runs.read(run)
            phase_runs.check_free(run, again)
        with report.step("look"):
            phase_runs.look(run)
        with report.step("begin"):
            digest = phase_runs.begin(run)
    describe_begin(report, run, digest)
    report.findings += run.findings
    return report.settle()


@flow(name="phase-check-end")
def phase_check_end(
    spec: Annotated[str, Positional()],
    phase: str | None = None,
    workspace: str = ".",
    policy: str | None = None,
    digest: str | None = None,
    strict: bool = False,
    execute: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 600.0,
) -> Report:
    """End a phase: compare everything with its snapshot, and refuse what was not its own.

    A violation is a finding. The phase is open until none is left.

    Args:
        spec: The phase spec, or the plan that has it, as it was when the phase began.
        phase: The phase's name, where the plan has several.
        workspace: The checkout that the phase worked in.
        policy: A policy file in place of config/phase_policy.yaml.
        digest: The snapshot's digest as `begin` told it, kept where the phase cannot write; a phase
            that was begun anew meanwhile is refused. Without it that is a warning.
        strict: Warnings make the exit code 1 too.
        execute: Close a clean phase; of violations, keep a patch, copies and a list in quarantine.
            What the phase did stays as it is.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.phase_check end plan.json --phase docs-refresh
        python -m flows.phase_check end plan.json --phase docs-refresh --execute
    """
    report = engine.draft(Report("phase-check-end", execute=execute))
    run = PhaseRun(workspace, spec, phase, policy, Deadline.after(max_seconds))
    with run.holding(execute):
        with report.step("read"):
            phase_runs.read(run, begun=True)
            phase_runs.find(run, digest)
        _end(report, run)
    return report.settle(strict)


def _end(report: Report, run: PhaseRun) -> None:
    """Compare, and with --execute keep violations or close the phase."""
    with report.step("compare"):
        phase_runs.compare(run)
    if report.execute and run.kept_to_scope:
        with report.step("close"):
            phase_runs.close(run)
    elif report.execute:
        with report.step("quarantine"):
            phase_runs.quarantine(run)
    describe_end(report, run)


@flow(name="phase-check-run")
def phase_check_run(
    spec: Annotated[str, Positional()],
    phase: str | None = None,
    workspace: str = ".",
    policy: str | None = None,
    again: bool = False,
    require_sandbox: bool = False,
    writable: list[str] | None = None,
    strict: bool = False,
    execute: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 86400.0,
    command: Annotated[tuple[str, ...], Remainder(), CommandLineOnly()] = (),
) -> Report:
    """Run a phase's command where it can write only its scope, then validate, then end the phase.

    The command and all that it starts may write what the scope names, a private TMPDIR and devices
    such as /dev/null, as far as Landlock or bubblewrap can tell these apart; the comparison at the
    end tells the rest. Reading and the network are left alone. The command is ended when the
    budget's seconds are over.

    Args:
        spec: The phase spec, or the plan that has it.
        phase: The phase's name, where the plan has several.
        workspace: The checkout that the phase works in; the command starts there.
        policy: A policy file in place of config/phase_policy.yaml.
        again: Begin anew from what is there now; the open snapshot of this phase is put aside, and
            what was changed since it was taken is not compared.
        require_sandbox: Refuse to run where neither Landlock nor bubblewrap is there.
        writable: Folders outside the workspace that the command may write to as well.
        strict: Warnings make the exit code 1 too.
        execute: Run it. Without it the run says what would be enforced.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.
        command: The command and its arguments, after --.

    Examples:
        python -m flows.phase_check run plan.json --phase docs-refresh --execute -- ./agent --go
    """
    report = engine.draft(Report("phase-check-run", execute=execute))
    if not command:
        raise UsageError(
            "there is no command to run",
            next_step="python -m flows.phase_check run plan.json --execute -- COMMAND ...",
        )
    run = PhaseRun(workspace, spec, phase, policy, Deadline.after(max_seconds))
    with run.holding(execute):
        with report.step("read"):
            phase_runs.read(run)
            phase_runs.check_free(run, again)
            sandbox = phase_command.sandbox_for(run, require_sandbox)
        with report.step("look"):
            phase_runs.look(run)
        if not execute:
            phase_command.foretell(run, report, sandbox, writable or [])
            return report.settle(strict)
        with report.step("begin"):
            digest = phase_runs.begin(run)
        describe_begin(report, run, digest)
        report.next_steps.clear()
        with phase_command.confined(run, report, sandbox, writable or []) as made:
            with report.step("command"):
                code = phase_command.work(run, made, command)
            with report.step("validate"):
                proof = phase_command.validate(run, made)
        phase_command.describe(report, run, command, code, proof)
        _end(report, run)
    return report.settle(strict)


if __name__ == "__main__":
    main(
        phase_check_validate, phase_check_schema, phase_check_begin, phase_check_end,
        phase_check_run,
    )  # fmt: skip
