"""Runs that end as writing runs do, for the tests of the audit."""

from __future__ import annotations

from pathlib import Path

from autopack.report import Report
from autopack.settings import database_target
from tasks.audit import keep_head_in
from tasks.run import Run, perform
from tests.support.process import Finished


def ending(root: Path, *, anchored: bool, code: int = 0) -> Report:
    """End a writing run as a storage run ends: with its record, and with its head kept."""

    def fn(workspace: str, execute: bool, max_seconds: float) -> Report:
        if anchored:
            keep_head_in(database_target(None, root))
        return Report("toy", execute=execute, exit_code=code)

    values = {"workspace": str(root), "execute": True, "max_seconds": 300.0}
    return perform(fn, Run("toy", values))


def codes(done: Finished) -> set[tuple[str, str]]:
    return {(finding["severity"], finding["code"]) for finding in done.report["findings"]}
