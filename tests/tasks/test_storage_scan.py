"""The steps of a scan: each keeps to the deadline, and roots do not lie in one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded, UsageError
from autopack.report import Report
from tasks import storage_scan as steps
from tasks.storage_session import Scanning, apart


@pytest.fixture
def scanning(make_workspace) -> Scanning:
    """Return a scan that has done everything but its writing."""
    root = make_workspace({"a/f": b"x" * 9000})
    made = Scanning(str(root), (), "exact", None, Deadline.after(600))
    steps.read_policy(made)
    steps.scan(made)
    steps.judge(made)
    steps.name_items(made)
    steps.draw(made)
    return made


WRITES = {
    "keep": lambda scanning: steps.keep(scanning, []),
    "write_report": lambda scanning: steps.write_report(scanning, []),
    "write_page": lambda scanning: steps.write_page(scanning, Report("storage-scan")),
}
READS = {"scan": steps.scan, "judge": steps.judge, "draw": steps.draw}


@pytest.mark.parametrize("step", [*READS, *WRITES])
def test_no_step_begins_past_the_deadline(scanning, step) -> None:
    scanning.place_page()
    scanning.deadline = Deadline.after(0)
    with pytest.raises(DeadlineExceeded):
        (READS | WRITES)[step](scanning)
    assert not (scanning.root / ".autonomous_runs").exists()


@pytest.mark.parametrize("step", WRITES)
def test_a_second_try_of_a_step_writes_the_same(scanning, step) -> None:
    def files():
        return {path: path.read_bytes() for path in scanning.root.rglob("*") if path.is_file()}

    scanning.place_page()
    WRITES[step](scanning)
    once = files()
    WRITES[step](scanning)
    assert files() == once


@pytest.mark.parametrize(
    ("roots", "fine"),
    [(("a", "b"), True), (("a", "ab"), True), (("a", "a/b"), False), (("a/b", "a"), False),
     (("a", "link"), False)],
)  # fmt: skip
def test_no_root_lies_in_another_one(tmp_path: Path, roots, fine) -> None:
    for name in ("a/b", "ab", "b"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    (tmp_path / "link").symlink_to(tmp_path / "a/b")
    given = [tmp_path / name for name in roots]
    if fine:
        assert apart(given) == given
    else:
        with pytest.raises(UsageError):
            apart(given)


def test_a_root_without_a_name_is_refused(make_workspace) -> None:
    with pytest.raises(UsageError, match="names no folder"):
        Scanning(str(make_workspace({"a/f": "x"})), ("",), "exact", None, Deadline.after(600))
