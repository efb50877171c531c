"""Steps of mining failures: read what is stored, collect, group, store; sign lines of a log."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from autopack.errors import Unreachable
from autopack.report import Finding
from autopack.rules.model import Event
from tasks import policy
from tasks.engine import task
from tasks.failures_session import Mining


@task(**policy.READ)
def recall(mining: Mining) -> None:
    """Read the events that earlier minings stored."""
    from autopack.io.files import read_page
    from autopack.rules.stored import ALIASES, STORE, read_lines

    mining.stored = {name: read_page(mining.root, name) for name in (STORE, ALIASES)}
    mining.known, mining.findings = read_lines(mining.stored[STORE] or b"")


@task(**policy.READ)
def collect(mining: Mining) -> None:
    """Read every error report and log of the runs; what cannot be read is a finding."""
    from autopack.io.failure_files import find_artefacts, run_folders

    artefacts = find_artefacts(mining.root, mining.deadline)
    found: list[Event] = []
    findings: list[Finding] = []
    named: dict[str, set[str]] = defaultdict(set)
    for name, run in artefacts:
        mining.deadline.check(f"reading {name}")
        for one in _read(mining, name, run):
            if isinstance(one, Finding):
                findings.append(one)
            else:
                found.append(one)
                named[name.split("/")[1]].add(one.run)
    mining.found, mining.files = found, len(artefacts)
    mining.findings += findings
    folders = run_folders(mining.root)
    # A folder whose reports all name other runs is a project's: it has runs, and is none.
    mining.runs = {run: at for run, at in folders.items() if run in named.get(run, {run})}


def _read(mining: Mining, name: str, run: str) -> list[Event | Finding]:
    from autopack.io.failure_files import read_part
    from autopack.rules.reading import limit, read_artefact

    try:
        data, cut = read_part(mining.root, name, limit(name))
    except Unreachable as error:
        return [Finding("artefact_unreadable", "error", name, 1, error.message, error.next_step)]
    return list(read_artefact(data, name, run, cut))


@task(**policy.READ)
def collect_telemetry(mining: Mining) -> None:
    """Read the failures that a database tells of, where it has the view for them."""
    if mining.no_database():
        return
    from autopack.io.database import Database
    from autopack.io.failure_view import MOST, VIEW, read_view
    from autopack.rules.artefacts import event_of

    database = Database(mining.target, mining.deadline)
    try:
        rows, more = read_view(database)
    finally:
        database.close()
    source = f"database:{VIEW}"
    for n, row in enumerate(rows, start=1):
        event = event_of(row, source, "", n)
        if event is None:
            why = f"row {n} names no type, message or traceback"
            mining.findings.append(Finding("artefact_empty", "error", source, n, why, _VIEW_FIX))
        else:
            mining.found.append(event)
    if more:
        why = f"more than {MOST} rows: the rest was not read"
        mining.findings.append(Finding("artefact_huge", "error", source, MOST, why, _VIEW_FIX))
    mining.rows = len(rows)


_VIEW_FIX = "correct the view; docs/failure_rules.md says what its columns are"


@task(**policy.READ)
def group(mining: Mining) -> None:
    """Make groups of all events of the window, the stored ones too."""
    from autopack.rules.grouping import group as grouped
    from autopack.rules.grouping import unique, with_families

    # What stands in an artefact again goes before what was stored of it.
    mining.events = with_families(unique([*mining.found, *mining.known]))
    windowed = [event for event in mining.events if mining.in_window(event.at)]
    runs: dict[str, datetime | None] = {
        run: at for run, at in mining.runs.items() if mining.in_window(at)
    }
    mining.groups = grouped(windowed, runs)


@task(**policy.IDEMPOTENT_WRITE)
def store(mining: Mining, written: list[str]) -> None:
    """Keep the events and the table of families; a second run finds nothing to write."""
    from autopack.io.replace import replace_file
    from autopack.rules.stored import ALIASES, STORE, alias_table, event_lines

    named = {event.signature: event.family for event in mining.events}
    wanted = {STORE: event_lines(mining.events), ALIASES: alias_table(named)}
    for path, new in wanted.items():
        old = mining.stored.get(path)
        if new != old and (mining.events or old) and path not in written:
            replace_file(mining.root, path, old, new, mining.fence)
            written.append(path)


@task(timeout_seconds=86400.0)  # a pipe cannot be read twice
def sign_lines(lines: Sequence[str] | None) -> list[str]:
    """Return the family of each line, of stdin without any."""
    from autopack.rules.lines import family_ids

    if not lines:
        data = sys.stdin.buffer.read().decode("utf-8", "backslashreplace")
        lines = data.removesuffix("\n").split("\n") if data else []
    return family_ids(lines)
