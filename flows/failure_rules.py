"""Failures become rules that were reviewed, and whose effect is measured."""

from __future__ import annotations

from typing import Annotated

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.report import Report
from autopack.rules.privacy import scrub
from flows.cli import main
from tasks import (
    failures,
    rules_append,
    rules_effect,
    rules_hits,
    rules_lint,
    rules_mined,
    rules_propose,
    rules_review,
    rules_told,
)
from tasks.engine import Between, Positional, draft, flow
from tasks.failures_report import describe
from tasks.failures_session import Mining
from tasks.rules_ruling import Ruling


@flow(name="failure-rules-mine")
def failure_rules_mine(
    workspace: str = ".",
    since_days: Annotated[float | None, Between(0, 36500)] = None,
    execute: bool = False,
    strict: bool = False,
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 300.0,
) -> Report:
    """Collect the failures of all runs, without secrets, and group them by what went wrong.

    Error reports, tracebacks in logs and the database's view rules_failure_events are read. A
    failure that was tried again and again in one phase is one incident. Without --execute nothing
    is written.

    Args:
        workspace: The checkout whose .autonomous_runs/ is read.
        since_days: Only failures and runs of the last days, 0 to 36500, counted in UTC; failures
            without a time are never left out. Without it all of them.
        execute: Keep the events and the table of families, so that they outlive their artefacts.
        strict: Warnings and infos make the exit code 1 as well.
        database_url: postgresql://user:password@host/name or sqlite:///file.db. Without it
            DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules mine
        python -m flows.failure_rules mine --since-days 30 --json
        python -m flows.failure_rules mine --execute
    """
    report = draft(Report("failure-rules-mine", execute=execute))
    mining = Mining(workspace, since_days, database_url, Deadline.after(max_seconds))
    report.targets = {"database": mining.target.named}
    with mining.holding(execute):
        with report.step("recall"):
            failures.recall(mining)
        with report.step("collect"):
            failures.collect(mining)
        with report.step("collect-telemetry"):
            failures.collect_telemetry(mining)
        with report.step("group"):
            failures.group(mining)
        if execute:
            with report.step("store"):
                failures.store(mining, report.writes.files)
    describe(report, mining)
    return report.settle(strict)


@flow(name="failure-rules-sign")
def failure_rules_sign(
    lines: Annotated[list[str] | None, Positional()] = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 3600.0,
) -> Report:
    """Name the family of each log line: one id a line, in the order of the lines.

    Lines of one kind get one id, whatever numbers, paths, addresses or names they hold. All lines
    of the input are judged together.

    Args:
        lines: Lines of a log. Without any they are read from stdin.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules sign < app.log
    """
    report = draft(Report("failure-rules-sign"))
    deadline = Deadline.after(max_seconds)
    with report.step("sign"):
        ids = failures.sign_lines(lines)
        deadline.check("signing lines")
    report.counts = {"lines": len(ids), "families": len(set(ids))}
    report.extra["ids"] = ids
    report.extra_stdout = "".join(f"{one}\n" for one in ids).encode()
    return report.settle()


@flow(name="failure-rules-propose")
def failure_rules_propose(
    workspace: str = ".",
    since_days: Annotated[float | None, Between(0.01, 3650)] = None,
    from_rules: str | None = None,
    scope: list[str] | None = None,
    owner: str = "maintainers",
    out: str | None = None,
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 300.0,
) -> Report:
    """Write a proposal: a rule for every cause that came back, for a person to review.

    A rule says what it matches, what to do, in which files, until when and on what evidence, with
    failures that it must match and others that it must not. Nothing is active before it was
    reviewed and appended.

    Args:
        workspace: The checkout whose failures are looked at.
        since_days: Only failures of the last days, which may be a fraction. What came before is
            what the effect is later compared with.
        from_rules: An old rule file to import in place of looking at failures.
        scope: With --from-rules, the globs that its rules are about, where the texts do not tell.
        owner: Who answers for the rules.
        out: Where the proposal goes in place of .autonomous_runs/reports/proposal.json.
        database_url: Where telemetry is read. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules propose --since-days 14
        python -m flows.failure_rules propose --from-rules archive/LEARNED_RULES.old.json
    """
    report = draft(Report("failure-rules-propose"))
    if scope and not from_rules:
        raise UsageError("--scope belongs to --from-rules", next_step="leave it out")
    ruling = Ruling(workspace, Deadline.after(max_seconds))
    with report.step("read-rules"):
        rules_propose.read_rules(ruling)
    with report.step("collect"):
        mined = rules_mined.collect(report, ruling, since_days, database_url)
    with report.step("propose"):
        if from_rules:
            old = rules_propose.OldFile(from_rules, scope or ())
            rules_propose.import_old(ruling, mined, old, owner)
        else:
            rules_propose.think(ruling, mined, owner)
    with report.step("write-proposal"):
        path = rules_propose.write(ruling, out, report.writes.files)
    older = 0 if from_rules else len(mined.known) - len(mined.events)
    rules_told.proposed(report, ruling, path, older)
    return report.settle()


@flow(name="failure-rules-review")
def failure_rules_review(
    proposal: Annotated[str | None, Positional()] = None,
    workspace: str = ".",
    approve: list[str] | None = None,
    reject: list[str] | None = None,
    by: str | None = None,
    expires: str = "24h",
    out: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Decide about the rules of a proposal, and write the approval that append needs.

    On a Prefect server without a decision the run shows the proposal and pauses, until somebody
    resumes it with the decision and their name; the deadline stands still meanwhile.

    Args:
        proposal: The proposal in place of .autonomous_runs/reports/proposal.json.
        workspace: The checkout that the proposal is about.
        approve: Rules to approve: ids, their beginnings, or all.
        reject: Rules to reject, in the same way.
        by: The name of the person who decides.
        expires: How long the approval holds: 30m, 24h or 3d, at most 7d.
        out: Where the approval goes in place of .autonomous_runs/reports/approval.json.
        max_seconds: One deadline for the run without the pause in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules review --approve all --by "Ada Lovelace"
        python -m flows.failure_rules review --approve rule:v1:6b4e --reject rule:v1:2a54 --by Ada
    """
    report = draft(Report("failure-rules-review"))
    ruling = Ruling(workspace, Deadline.after(max_seconds))
    with report.step("read-proposal"):
        rules_review.read(ruling, proposal)
    rules_told.proposal(report, ruling)
    with report.step("decide"):
        rules_review.decide(ruling, rules_review.answer(report, approve, reject, by, expires))
    with report.step("write-approval"):
        path = rules_review.write(ruling, out, report.writes.files)
    rules_told.approved(report, ruling, path)
    return report.settle()


@flow(name="failure-rules-append")
def failure_rules_append(
    proposal: Annotated[str | None, Positional()] = None,
    approval: Annotated[str | None, Positional()] = None,
    workspace: str = ".",
    execute: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Put approved rules into docs/LEARNED_RULES.json: once, whole, and only as they were reviewed.

    Every id is computed again, every example of every rule is run, and the file must be what it
    was when the proposal was made. An approval is used up by the attempt.

    Args:
        proposal: The proposal in place of .autonomous_runs/reports/proposal.json.
        approval: The approval in place of .autonomous_runs/reports/approval.json.
        workspace: The checkout whose rules they are.
        execute: Write. Without it the run says what would be written.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules append
        python -m flows.failure_rules append --execute
    """
    report = draft(Report("failure-rules-append", execute=execute))
    ruling = Ruling(workspace, Deadline.after(max_seconds))
    with report.step("read-papers"):
        rules_append.read_papers(ruling, proposal, approval)
    with ruling.holding(execute):
        with report.step("check"):
            rules_append.check(ruling)
        if execute and ruling.planned:
            with report.step("append"):
                rules_append.write(ruling, report.writes.files)
    rules_told.appended(report, ruling)
    return report.settle()


@flow(name="failure-rules-lint")
def failure_rules_lint(
    workspace: str = ".",
    strict: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Check docs/LEARNED_RULES.json: form, scopes, reviews, dates, conflicts, and every example.

    Args:
        workspace: The checkout whose rules are checked.
        strict: Warnings make the exit code 1 too.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules lint
    """
    report = draft(Report("failure-rules-lint"))
    ruling = Ruling(workspace, Deadline.after(max_seconds))
    with report.step("lint"):
        rules, findings = rules_lint.check(ruling)
    report.findings += findings
    report.counts |= {"rules": rules, "findings": len(findings)}
    return report.settle(strict)


@flow(name="failure-rules-effect")
def failure_rules_effect(
    workspace: str = ".",
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 300.0,
) -> Report:
    """Say of every rule whether its failure became rarer, by exact tests on incidents per run.

    Runs before the time in which the rule was chosen are compared with runs since its review.
    What has no rule must not have become as rare in the same time.

    Args:
        workspace: The checkout whose runs are counted.
        database_url: Where telemetry is read. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules effect
        python -m flows.failure_rules effect --format html > effect.html
    """
    report = draft(Report("failure-rules-effect"))
    ruling = Ruling(workspace, Deadline.after(max_seconds))
    with report.step("read-rules"):
        rules_propose.read_rules(ruling)
    with report.step("collect"):
        mined = rules_mined.collect(report, ruling, None, database_url)
    with report.step("measure"):
        found = rules_effect.measure(ruling, mined)
    rules_effect.describe(report, ruling, mined, found)
    return report.settle()


@flow(name="failure-rules-retire")
def failure_rules_retire(
    workspace: str = ".",
    quiet_runs: Annotated[int, Between(1, 100000)] = 50,
    out: str | None = None,
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 300.0,
) -> Report:
    """Propose the end of rules: expired, wrong, harmful, or without a match for many runs.

    The proposal goes the way of every other one: review, then append.

    Args:
        workspace: The checkout whose rules are looked at.
        quiet_runs: After how many runs without a match a rule is stale, 1 to 100000.
        out: Where the proposal goes in place of .autonomous_runs/reports/proposal.json.
        database_url: Where telemetry is read. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules retire
        python -m flows.failure_rules retire --quiet-runs 200
    """
    report = draft(Report("failure-rules-retire"))
    ruling = Ruling(workspace, Deadline.after(max_seconds))
    with report.step("read-rules"):
        rules_propose.read_rules(ruling)
    with report.step("collect"):
        mined = rules_mined.collect(report, ruling, None, database_url)
    with report.step("retire"):
        rules_propose.retire(ruling, mined, quiet_runs)
    path = None
    if ruling.changes:
        with report.step("write-proposal"):
            path = rules_propose.write(ruling, out, report.writes.files)
    rules_told.proposed(report, ruling, path)
    return report.settle()


@flow(name="failure-rules-overturn")
def failure_rules_overturn(
    rule: Annotated[str, Positional()],
    event: str,
    by: str,
    workspace: str = ".",
    execute: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Record that a rule was wrong about a failure: from then on it only advises.

    `retire` proposes to lower or end it for good.

    Args:
        rule: The rule's id.
        event: The failure that it was wrong about: an event's id, or words that tell it.
        by: The name of the person who says so.
        workspace: The checkout whose rule it is.
        execute: Record it. Without it the run says what would be recorded.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules overturn rule:v1:6b4e553a32791257 --event e1 --by Ada
    """
    report = draft(Report("failure-rules-overturn", execute=execute))
    wrong = rules_hits.Wrong(rule, scrub(event), by)
    ruling = Ruling(workspace, Deadline.after(max_seconds))
    with report.step("read-rules"):
        rules_propose.read_rules(ruling)
    with ruling.holding(execute), report.step("overturn"):
        rules_hits.overturn(ruling, wrong, execute)
    rules_hits.describe(report, wrong)
    return report.settle()


if __name__ == "__main__":
    main(
        failure_rules_mine,
        failure_rules_sign,
        failure_rules_propose,
        failure_rules_review,
        failure_rules_append,
        failure_rules_lint,
        failure_rules_effect,
        failure_rules_retire,
        failure_rules_overturn,
    )
