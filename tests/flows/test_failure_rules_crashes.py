"""kill -9 at every line of an append: the old file or the new one, and no approval works twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autopack.io import audit
from autopack.io.rule_files import parse_rules
from autopack.rules.schema import RULES_FILE
from tests.support import rule_papers as papers
from tests.support import session


class Worker:
    """Appends that die where they are told to."""

    def __init__(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.append_worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=session.clean_environment(), cwd=session.REPOSITORY,
        )  # fmt: skip

    def append(self, root: Path, kill_at: int = 0) -> tuple[int, int]:
        """Return how an append ended, and how many lines it has that change files."""
        assert self.child.stdin
        assert self.child.stdout
        self.child.stdin.write(f"{root} {kill_at}\n")
        self.child.stdin.flush()
        code, seen = self.child.stdout.readline().split()
        return int(code), int(seen)


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.child.communicate()


def content(root: Path) -> bytes | None:
    path = root / RULES_FILE
    return path.read_bytes() if path.exists() else None


def used(root: Path, approval: str) -> int:
    """Return how often an approval was used up."""
    events = (r["event"] for r in audit.records(root) if r.get("approval") == approval)
    return list(events).count("rules-append")


def grown(root: Path, worker: Worker) -> bytes | None:
    """Return the file of a workspace that has one rule, or has none."""
    papers.approved(root, "table", "odd", "closed")
    assert worker.append(root)[0] == 0
    return content(root)


@pytest.mark.soak
@pytest.mark.parametrize("first", ["no file", "a file"])
def test_kill_9_at_any_line_leaves_the_old_or_the_new_file_and_uses_an_approval_once(
    make_workspace, worker, soak_rounds, first
) -> None:
    root = make_workspace()
    old = grown(root, worker) if first == "a file" else None
    trial = make_workspace()
    if old is not None:
        (trial / RULES_FILE).write_bytes(old)
    papers.approved(trial)
    code, lines = worker.append(trial)
    assert code == 0
    rounds = soak_rounds(35, max(220, lines))
    killed, kept, done = 0, 0, 0
    for number in range(1, rounds + 1):
        (root / audit.AUDIT_FILE).unlink(
            missing_ok=True
        )  # its length is part of the count of lines
        _, paper = papers.approved(root, hours=1 + number / 60)
        at = 1 + (number - 1) * lines // rounds
        code, _ = worker.append(root, at)
        assert code in (0, -signal.SIGKILL)
        killed += code != 0
        now = content(root)
        if now == old:
            kept += 1
        else:
            done += 1
            assert now is not None
            assert {r.approval_id for r in parse_rules(now).rules} >= {paper.id}
        was_used = used(root, paper.id)
        assert was_used == (1 if now != old else was_used) <= 1
        restore(root, old)
        code, _ = worker.append(root)
        assert code == (6 if was_used else 0), "an approval that was used works no second time"
        assert used(root, paper.id) == 1
        restore(root, old)
        bad = audit.verify(root / audit.AUDIT_FILE)
        assert bad is None or bad.kind == "torn"
    assert killed > rounds * 0.8, "the kills came too late to mean anything"
    assert kept > 5
    assert done > 1
    left = [path.name for path in (root / "docs").iterdir() if path.name.endswith(".tmp")]
    assert left == [], "the next run sweeps what a killed one left"


def restore(root: Path, old: bytes | None) -> None:
    """Put the file back as it was, as somebody would who wants to use an approval again."""
    path = root / RULES_FILE
    if old is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(old)
