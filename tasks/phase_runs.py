"""Steps of a phase at run time: read its spec, take or find its snapshot, compare, keep, close."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import TYPE_CHECKING

from autopack.errors import Refused
from tasks import policy
from tasks.engine import task
from tasks.phase_runs_session import PhaseRun, phase_of

if TYPE_CHECKING:
    from autopack.phases.scope import Scope
    from autopack.phases.violations import Violation


@task(**policy.READ)
def read(run: PhaseRun, begun: bool = False) -> None:
    """Read policy and spec, and find the phase in it.

    Of a phase that has `begun` the workspace was asked about then: what it took away or put in the
    way since is for the comparison to tell.

    Raises:
        Refused: The spec has errors, or which of its phases is meant is not said.
    """
    from autopack.io.phase_files import name_within, read_policy, read_spec

    rules = read_policy(run.root, run.policy_file)
    data = read_spec(run.spec)
    run.shown = name_within(run.root, run.spec)
    run.spec_sha256 = sha256(data).hexdigest()
    run.policy_sha256 = sha256(rules.model_dump_json().encode()).hexdigest()
    run.scratch = tuple(rules.scratch)
    run.scope = run.choose(_scopes(run, data, rules, begun))


def _scopes(run: PhaseRun, data: bytes, rules: object, begun: bool) -> list[Scope]:
    from autopack.io.phase_tree import world
    from autopack.phases.document import Malformed
    from autopack.phases.document import read as document_of
    from autopack.phases.examine import examine
    from autopack.phases.policy import Policy
    from autopack.phases.rules import NO_DOUBT

    assert isinstance(rules, Policy)
    advice = f"python -m flows.phase_check validate {run.spec}"
    try:
        document = document_of(run.shown, data)
    except Malformed as fault:
        raise Refused(f"{run.spec}: {fault.message}", next_step=advice) from None
    done = examine(document, rules, NO_DOUBT if begun else world(run.root, run.deadline))
    errors = [finding for finding in done.findings if finding.severity == "error"]
    if errors:
        first = f"{errors[0].line}:{errors[0].column}: {errors[0].code} {errors[0].message}"
        raise Refused(f"{run.spec} has {len(errors)} errors, the first {first}", next_step=advice)
    return list(done.scopes)


@task(**policy.READ)
def check_free(run: PhaseRun, again: bool) -> None:
    """Find out whether a phase is open here already; `again` lets this one take its place.

    Raises:
        Refused: One is.
    """
    from autopack.io.phase_store import open_runs

    there = open_runs(run.root)
    others = [name for name in there if phase_of(name) != run.scope.phase]
    if others or (there and not again):
        name = (others or there)[0]
        theirs = phase_of(name) != run.scope.phase
        raise Refused(
            f"phase {phase_of(name)} is open here since {name[:16]}; one at a time can be watched",
            next_step="end it, or work in a checkout of its own"
            if theirs
            else f"{run.command('end', '--execute')}, or begin from what is there now with --again",
        )


@task(**policy.READ)
def look(run: PhaseRun) -> None:
    """Take the snapshot, in memory: every name, its digest, git's state, what may be written."""
    from autopack.io.git import head_commit
    from autopack.io.phase_contents import contents_of
    from autopack.io.phase_walk import take_census
    from autopack.phases.snapshot import Snapshot

    began = time.time()
    census = take_census(run.root, run.deadline)
    mine = ((path, item) for path, item in census.items.items() if run.scope.judge(path) is None)
    run.contents = contents_of(run.root, mine, run.deadline)
    run.snapshot = Snapshot(
        run.run_name(), run.shown, run.spec_sha256, run.policy_sha256, run.scope, run.scratch,
        began, head_commit(run.root) or "", sha256(run.contents).hexdigest(), census,
    )  # fmt: skip


@task(timeout_seconds=600.0)  # a run is one file of its own name: a second try would be another
def begin(run: PhaseRun) -> str:
    """Keep the snapshot, which opens the phase; return its digest."""
    from autopack.io.phase_store import FOLDER, LEFT, OPEN, open_runs, plain_bytes, put_away, save

    for left in open_runs(run.root):
        by_hand = f"rm {FOLDER}/{left}{OPEN}"
        data = plain_bytes(run.root, f"{FOLDER}/{left}{OPEN}", by_hand)
        run.written.append(put_away(run.root, left, data, LEFT, run.fence))
        _anew(run, f"snapshot {left} was put aside")
    digest, names = save(run.root, run.snapshot, run.contents, run.fence)
    run.written += names
    return digest


@task(**policy.READ)
def find(run: PhaseRun, digest: str | None) -> None:
    """Find the open snapshot of this phase, and make sure that it and the spec are as they were.

    Raises:
        Refused: There is none, it is another phase's, or it, the spec or the policy has changed.
    """
    from autopack.io.phase_store import contents_name, load, open_runs, plain_bytes, tampered

    again = run.command("begin", "--again")
    names = [name for name in open_runs(run.root) if phase_of(name) == run.scope.phase]
    if not names:
        raise Refused(
            f"phase {run.scope.phase} has not begun here: there is no snapshot to compare with",
            next_step=run.command("begin"),
        )
    if len(names) > 1:
        raise tampered(names[1], "two snapshots of one phase are open", again)
    kept = load(run.root, names[0], again)
    run.snapshot = kept.snapshot
    earlier = _left_before(run, names[0])
    if digest is not None and digest != kept.digest:
        since = ", and the phase was begun anew since" if digest in earlier.values() else ""
        raise tampered(names[0], f"its digest is {kept.digest}{since}", again)
    if digest is None and earlier:
        _anew(run, f"--digest would tell; before it was {', '.join(earlier)}")
    _unchanged(run, again)
    name = contents_name(kept.run)
    run.contents = plain_bytes(run.root, name, again)
    if sha256(run.contents).hexdigest() != kept.snapshot.kept:
        raise tampered(name, "it is not as it was written", again)


def _left_before(run: PhaseRun, name: str) -> dict[str, str]:
    """Return the runs in a row that this phase began before one and did not end, with digests.

    The audit chain tells, also of a snapshot that somebody took away.
    """
    from autopack.io.phase_store import begun, is_done

    found: dict[str, str] = {}
    for other, digest in begun(run.root):
        if other == name:
            break
        if phase_of(other) == run.scope.phase:
            found = {} if is_done(run.root, other) else {**found, other: digest}
    return found


def _anew(run: PhaseRun, words: str) -> None:
    from autopack.phases.violations import Violation

    run.findings.append(Violation("PS732", "", words).finding(run.scope.phase))


def _unchanged(run: PhaseRun, again: str) -> None:
    for what, then, now in (
        (f"the spec {run.shown}", run.snapshot.spec_sha256, run.spec_sha256),
        ("the policy", run.snapshot.policy_sha256, run.policy_sha256),
    ):
        if then != now:
            raise Refused(
                f"{what} has changed since the phase began: nobody knows what it may do",
                next_step=f"put it back as it was, or look at all by hand and: {again}",
            )


@task(**policy.READ)
def compare(run: PhaseRun) -> None:
    """Compare now with then, and hold every difference against scope and budget."""
    from autopack.io.phase_contents import BIGGEST, CARRIED, Earlier, sides
    from autopack.io.phase_diff import lines_changed
    from autopack.io.phase_walk import take_census
    from autopack.phases.violations import Violation, judge

    then = run.snapshot
    now = take_census(run.root, run.deadline, then.census)
    run.judged = judge(then.census, now, then.scope, then.scratch)
    earlier = Earlier(run.root, run.contents, then.commit, run.deadline)
    pairs, large = [], []
    for change, before, after in sides(run.root, run.judged.files, earlier):
        if before is None or after is None:
            large.append(change.path)
        else:
            pairs.append((before, after))
    run.files, run.lines = len(run.judged.files), lines_changed(pairs, run.deadline)
    found = [*run.judged.violations, *_spent(run)]
    words = (
        f"its lines cannot be counted: over {BIGGEST >> 20} MiB, behind {CARRIED >> 20} MiB of "
        "other changes, or its earlier content is gone"
    )
    found += [Violation("PS721", path, words) for path in large]
    run.findings += [violation.finding(then.scope.phase) for violation in found]


def _spent(run: PhaseRun) -> list[Violation]:
    from autopack.phases.violations import Violation

    budget, found = run.budget, []
    if run.files > budget.files:
        found.append(Violation("PS720", "", f"{run.files} files, of {budget.files}"))
    if run.lines > budget.lines:
        found.append(Violation("PS721", "", f"{run.lines} lines, of {budget.lines}"))
    return found


@task(timeout_seconds=3600.0)  # each try would be a quarantine of its own
def quarantine(run: PhaseRun) -> None:
    """Keep what the phase may not have done: a patch, the files and a list. Nothing is undone."""
    from autopack.io.phase_contents import Earlier
    from autopack.io.phase_quarantine import quarantine as keep

    earlier = Earlier(run.root, run.contents, run.snapshot.commit, run.deadline)
    name, judged = run.snapshot.run, run.judged
    run.written += keep(run.root, name, judged, earlier, run.fence)


@task(timeout_seconds=600.0)
def close(run: PhaseRun) -> None:
    """End a phase that kept to its scope."""
    from autopack.io.phase_store import DONE, FOLDER, OPEN, plain_bytes, put_away

    name = run.snapshot.run
    data = plain_bytes(run.root, f"{FOLDER}/{name}{OPEN}", run.command("begin", "--again"))
    run.written.append(put_away(run.root, name, data, DONE, run.fence))
