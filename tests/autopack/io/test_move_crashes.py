"""kill -9 at random lines of moving and of recovering: nothing lost, doubled or overwritten."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autopack.io import no_replace
from autopack.io.move_journal import JOURNALS, read_journal, unfinished
from tests.support.move_crashes import Course, judge, judge_at_once, lines_of
from tests.support.moves import files, in_child, make, plan, recover, tree


@pytest.fixture(params=["one call", "two steps", "two filesystems", "two filesystems, two steps"])
def course(request: pytest.FixtureRequest, tmp_path: Path) -> Course:
    if "filesystems" in request.param:
        root = request.getfixturevalue("two_filesystems")()
    else:
        root = tmp_path / "workspace"
        (root / "archive").mkdir(parents=True)
    return Course(root, fallback="two steps" in request.param)


@pytest.mark.soak
def test_kill_9_at_any_line_loses_doubles_and_overwrites_nothing(course, soak_rounds) -> None:
    rng, seen = random.Random(11), Counter[str]()
    course.lay()
    whole = lines_of(course.moving())
    assert whole > 500
    rounds, killed = soak_rounds(30, 300), 0
    for n in range(rounds):
        before = course.lay()
        at = rng.randint(1, whole)
        killed += lines_of(course.moving(), at) == 0
        judge_at_once(before, course.root)
        if n % 3 == 0:  # and again, in the middle of the recovery
            lines_of(course.recovering, rng.randint(1, 700))
            judge_at_once(before, course.root)
        for done in recover(course.root):
            assert done.verdict in ("happened", "not_happened", "completed", "rolled_back"), done
            seen[done.verdict] += 1
        judge(before, course.root, course.pairs())
        explained(course.root, before)
        again(course, before)
    assert killed > 0.9 * rounds
    assert seen["not_happened"] > 3, seen
    assert seen["happened"] + seen["completed"] > 3, seen


def explained(root: Path, before: dict[str, bytes]) -> None:
    """Check that the journal accounts for where everything is, and that nothing stays open."""
    assert unfinished(root) == []
    if not (root / JOURNALS / "r1.jsonl").exists():
        assert files(root) == before
        return
    for entry in read_journal(root, "r1").entries.values():
        move, there = entry.intent.move, entry.state == "moved"
        assert entry.state in ("moved", "not_moved")
        assert (root / move.destination).exists() is there, entry
        assert (root / move.source).exists() is not there, entry


def again(course: Course, before: dict[str, bytes]) -> None:
    """Check that a second recovery finds nothing, and a second run moves the rest."""
    assert recover(course.root) == []
    left = [pair for pair in course.pairs() if (course.root / pair[0]).exists()]
    ends = Counter(outcome.status for outcome in make(course.root, plan(course.root, *left)))
    assert ends["moved"] == len(left) - 1
    assert ends["dest_exists"] == 1
    judge(before, course.root, course.pairs())


@pytest.mark.soak
def test_kill_9_at_each_line_of_one_crossing_leaves_it_whole(course, soak_rounds) -> None:
    """A file and a folder; in CI every so many lines, at night every single one."""
    pairs = [("b.log", "archive/b.log"), ("logs/run", "archive/run")]
    course.lay()
    whole = lines_of(lambda: course.run(pairs))
    for at in range(1, whole, soak_rounds(29, 1)):
        before = course.lay()
        lines_of(lambda: course.run(pairs), at)
        recover(course.root)
        judge(before, course.root, pairs)
        explained(course.root, before)
        assert not (course.root / "archive/run").exists() or not (course.root / "logs/run").exists()


@pytest.mark.soak
def test_kill_9_while_a_changed_file_gets_its_place_back(two_filesystems, soak_rounds) -> None:
    """Two filesystems, two steps for each name; it is written to before it loses its name."""
    root = two_filesystems()
    here, there = root / "a.md", root / "archive/a.md"

    def work() -> None:
        entered: list[int] = []

        @contextmanager
        def fence() -> Iterator[None]:
            entered.append(1)
            if len(entered) == 3:
                here.write_bytes(b"edited")
            yield

        no_replace._renameat2 = lambda: None
        make(root, plan(root, ("a.md", "archive/a.md")), fence=fence)

    back = 0
    for at in range(1, 10_000, soak_rounds(7, 1)):
        there.unlink(missing_ok=True)
        here.write_bytes(b"alpha")
        shutil.rmtree(root / JOURNALS, ignore_errors=True)
        if lines_of(work, at):
            break
        recover(root)
        ((name, data),) = files(root).items()
        assert (name, data) in (("a.md", b"alpha"), ("a.md", b"edited"), ("archive/a.md", b"alpha"))
        assert os.stat(root / name).st_nlink == 1
        back += data == b"edited"
    assert back > 5


def test_an_undisturbed_run_leaves_nothing_to_recover(course) -> None:
    before = course.lay()
    planned = plan(course.root, *course.pairs())
    assert in_child(course.moving()) == 0
    assert recover(course.root) == []
    judge(before, course.root, course.pairs())
    assert [move.status for move in make(course.root, planned)].count("moved") == 5


@pytest.mark.soak
def test_two_movers_of_the_same_things_move_each_once(course, soak_rounds) -> None:
    for _ in range(soak_rounds(5, 50)):
        before = course.lay()
        planned = plan(course.root, *course.pairs())
        ends: list[list[str]] = []

        def run(name: str, planned=planned, ends=ends) -> None:
            ends.append([outcome.status for outcome in make(course.root, planned, name)])

        threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ends) == 2
        assert set(ends[0] + ends[1]) <= {"moved", "gone", "changed", "identical", "dest_exists"}
        assert recover(course.root) == []
        judge(before, course.root, course.pairs())
    assert "archive/runs/run" in tree(course.root)
