"""The real sync with a witness: when its writing step began and ended, on the machine's clock."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import flows.sot_sync as real
from autopack.report import Report
from tasks.engine import flow, plain

_write = real._write


def note(what: str) -> None:
    """Add a line to the witness's log, whole or not at all."""
    line = json.dumps({"what": what, "at": time.monotonic(), "pid": os.getpid()}) + "\n"
    fd = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, line.encode())
    finally:
        os.close(fd)


@flow(name="witness")
def witness(workspace: str = ".", pause_seconds: float = 0.0) -> Report:
    """Sync the database, watched.

    Args:
        workspace: The checkout whose docs/ is read.
        pause_seconds: How long the writing step is made longer.
    """

    def watched(report: Report, sync: Any) -> None:
        note("begin")
        try:
            time.sleep(pause_seconds)
            _write(report, sync)
        finally:
            note("end")

    setattr(real, "_write", watched)  # noqa: B010
    return plain(real.sot_sync)(
        workspace=workspace, mode="db-only", execute=True, max_seconds=600.0,
        database_url=None, qdrant_host=None, accept_shrink=False, rebuild_file=None,
    )  # fmt: skip


def overlaps(log: Path, killed: Collection[int] = ()) -> list[str]:
    """Return the writing steps that began while another process was in its own; the dead are not.

    The log is in the order in which the lines were written.
    """
    inside: set[int] = set()
    found = []
    for line in log.read_text().splitlines():
        told = json.loads(line)
        if told["what"] == "begin":
            found += [f"{told['pid']} at {told['at']:.3f} inside {pid}" for pid in inside]
            inside |= {told["pid"]} - set(killed)
        else:
            inside.discard(told["pid"])
    return found
