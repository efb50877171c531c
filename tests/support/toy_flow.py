"""A small flow that can end in every way; `TOY` in the environment says how."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Annotated, Literal

from autopack.deadline import Deadline
from autopack.errors import Busy, DeadlineExceeded, Refused, Unreachable
from autopack.report import Finding, Report
from flows.cli import Between, CommandLineOnly, Flags, main
from tasks import policy
from tasks.engine import draft, flow, task

TRIES: list[str] = []


@task(**policy.READ)
def read(root: str) -> int:
    """Count the documents."""
    return len(list(Path(root, "docs").glob("*.md")))


@task(name="flaky", retries=3, retry_delay_seconds=[0.01, 0.01, 0.01], retry_if=policy.transient)
def flaky(kind: str) -> int:
    """Fail twice, then answer; a permanent error stays."""
    TRIES.append(kind)
    if kind == "refused":
        raise Refused("a gate said no", next_step="ask")
    if len(TRIES) < 3:
        raise Unreachable("the peer is away")
    return len(TRIES)


@task(timeout_seconds=0.3)
def slow(seconds: float) -> None:
    """Take longer than allowed."""
    time.sleep(seconds)


@task(name="leak")
def leak(url: str | None) -> None:
    """Fail with the whole URL in the error's text."""
    raise RuntimeError(f"could not connect to {url}")


@flow(name="toy")
def toy_flow(  # noqa: PLR0912, PLR0915, PLR0917
    workspace: str = ".",
    mode: Annotated[Literal["docs-only", "db-only", "full"], Flags()] = "docs-only",
    execute: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 120.0,
    database_url: str | None = None,
    qdrant_host: str | None = None,
    names: list[str] | None = None,
    rebuild_file: Annotated[str | None, CommandLineOnly()] = None,
) -> Report:
    """Show every way a run can end.

    It reads the documents and does what TOY says.

    Args:
        workspace: The checkout whose docs/ is read.
        mode: Which targets are brought in line.
        execute: Write. Without it nothing is written.
        max_seconds: One deadline for the whole run, 1 to 86400; 100% of it
            counts.
        database_url: The database.
        qdrant_host: The vectors.
        names: Names, any number.
        rebuild_file: A file to print.

    Examples:
        python -m tests.support.toy_flow --full --execute
    """
    report = draft(Report("toy", execute=execute))
    deadline = Deadline.after(max_seconds)
    toy = os.environ.get("TOY", "")
    with report.step("read"):
        report.counts["files"] = read(workspace)
    report.counts["database_url"] = database_url
    report.counts["mode"] = mode
    if names:
        report.counts["names"] = names
    if toy == "print":
        print("loose words", database_url)
    elif toy == "findings":
        report.findings.append(Finding("broken", "error", "docs/a.md", 3, "no such file", "mend"))
    elif toy == "busy":
        raise Busy("'docs' is held by pid 7", next_step="wait")
    elif toy == "unreachable":
        raise Unreachable(f"no answer from {database_url}", next_step="start it")
    elif toy == "bug":
        raise KeyError(database_url or "a bug")
    elif toy == "leak":
        leak(database_url)
    elif toy == "flaky":
        report.counts["tries"] = flaky("")
    elif toy == "sleep":
        Path(workspace, "asleep").touch()
        time.sleep(60)
    elif toy == "deaf":  # swallows the alarm: only the backstop ends it
        while True:
            try:
                time.sleep(60)
            except DeadlineExceeded:
                continue
    elif toy == "stubborn":  # its clean-up after Ctrl-C takes for ever
        Path(workspace, "asleep").touch()
        try:
            time.sleep(60)
        finally:
            Path(workspace, "heard").touch()
            time.sleep(60)
    elif toy == "c":  # blocked in C: no signal handler runs
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 200_000_000)
    elif toy == "deadline":
        time.sleep(max_seconds)
        deadline.check("counting")
    elif toy == "bytes":
        report.extra_stdout = b"raw \xff\n"
    elif toy == "nonsense":
        report.exit_code = 42
    elif toy == "exit":
        raise SystemExit(0)
    return report.settle()


if __name__ == "__main__":
    main(toy_flow)
