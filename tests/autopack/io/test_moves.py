"""Moves of real files: never over anything, never another file, never out of the workspace."""

from __future__ import annotations

import os
import socket
import stat
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import Busy, UsageError
from autopack.io import moves, no_replace
from autopack.io.move_journal import JOURNALS, appending, read_journal
from autopack.locks.errors import Fenced
from autopack.tidy.moves import superseded
from tests.support.moves import files, make, move, plan, recover, statuses, terms, tree, two_pages

AT_FDCWD, RENAME_EXCHANGE = -100, 2


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return two_pages(tmp_path / "workspace")


def test_a_file_keeps_its_inode_mode_times_and_links(root) -> None:
    os.chmod(root / "a.md", 0o640)
    os.utime(root / "a.md", ns=(1, 1_234_567_891))
    os.link(root / "a.md", root / "other.md")
    before = os.stat(root / "a.md")
    assert statuses(move(root, ("a.md", "archive/deep/a.md"))) == ["moved"]
    after = os.stat(root / "archive/deep/a.md")
    assert (after.st_ino, after.st_mode, after.st_mtime_ns, after.st_nlink) == (
        before.st_ino, 0o100640, 1_234_567_891, 2,
    )  # fmt: skip
    assert files(root) == {"archive/deep/a.md": b"alpha", "b.md": b"beta", "other.md": b"alpha"}


@pytest.mark.parametrize("steps", [1, 2])
def test_a_taken_place_is_never_overwritten(root, steps, monkeypatch) -> None:
    if steps == 2:
        monkeypatch.setattr(no_replace, "_renameat2", lambda: None)
    (root / "archive").mkdir()
    (root / "archive/a.md").write_bytes(b"PRECIOUS")
    (root / "archive/b.md").write_bytes(b"beta")
    before = tree(root)
    ends = move(root, ("a.md", "archive/a.md"), ("b.md", "archive/b.md"))
    assert statuses(ends) == ["dest_exists", "identical"]
    assert all(end.next_step for end in ends)
    assert tree(root) == before
    assert not (root / ".autonomous_runs").exists(), "nothing moved, so nothing is written"


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("folder", [False, True])
def test_a_place_taken_at_the_last_moment_is_not_overwritten(
    root, steps, folder, monkeypatch
) -> None:
    """The place is free when it is looked at, and taken when the name is to change."""
    if steps == 2:
        monkeypatch.setattr(no_replace, "_renameat2", lambda: None)
    name = "a.md"
    if folder:
        name = "run"
        (root / "run").mkdir()
        (root / "run/1").write_bytes(b"one")
    planned = plan(root, (name, f"archive/{name}"))

    @contextmanager
    def fence():
        taken = root / f"archive/{name}"
        if taken.parent.exists() and not taken.exists():
            taken.mkdir() if folder else taken.write_bytes(b"PRECIOUS")
            if folder:
                (taken / "theirs").write_bytes(b"PRECIOUS")
        yield

    assert statuses(make(root, planned, fence=fence)) == ["dest_exists"]
    inside = f"archive/{name}/theirs" if folder else f"archive/{name}"
    assert files(root)[inside] == b"PRECIOUS"
    assert files(root)["run/1" if folder else "a.md"] in (b"one", b"alpha")


def test_the_superseded_place_of_a_duplicate_is_free(root) -> None:
    (root / "docs").mkdir()
    (root / "docs/a.md").write_bytes(b"alpha")
    (first,) = plan(root, ("a.md", "docs/a.md"))
    assert statuses(make(root, [first])) == ["identical"]
    ends = make(root, [superseded(first, "archive/superseded")])
    assert statuses(ends) == ["moved"]
    assert files(root)["archive/superseded/a.md"] == files(root)["docs/a.md"] == b"alpha"


def test_a_file_that_changed_since_the_plan_stays(root) -> None:
    planned = plan(root, ("a.md", "archive/a.md"), ("b.md", "archive/x/b.md"))
    with open(root / "a.md", "ab") as log:
        log.write(b" and more")
    (root / "b.md").unlink()
    (root / "b.md").write_bytes(b"beta")
    assert statuses(make(root, planned)) == ["changed", "changed"]
    assert files(root) == {"a.md": b"alpha and more", "b.md": b"beta"}
    assert "archive" not in tree(root), "the folders made for it are gone again"


def test_a_file_that_changes_while_it_is_moved_is_put_back(root) -> None:
    """It grows, or is replaced by an editor, after the last look before the rename."""
    planned = plan(root, ("a.md", "archive/a.md"), ("b.md", "archive/b.md"))

    @contextmanager
    def fence():
        if (root / "archive").exists():
            with open(root / "a.md", "ab") as log:
                log.write(b"+")
            os.rename(root / "b.md", root / "b.old")
            (root / "b.md").write_bytes(b"the editor's")
        yield

    assert statuses(make(root, planned[:1] + planned[1:], fence=fence))[0] == "changed"
    found = files(root)
    assert found["a.md"].startswith(b"alpha+")
    assert not any(name.startswith("archive/") for name in found)


def test_a_vanished_source_is_gone_unless_the_place_holds_it(root) -> None:
    planned = plan(root, ("a.md", "archive/a.md"), ("b.md", "archive/b.md"))
    (root / "a.md").unlink()
    (root / "archive").mkdir()
    (root / "b.md").rename(root / "archive/b.md")
    ends = make(root, planned)
    assert statuses(ends) == ["gone", "moved"]
    assert "had it already" in ends[1].detail
    assert "archive/a.md" not in tree(root)


def test_names_of_every_kind_are_moved(root) -> None:
    odd = ["ünï code", "two\nlines", b"\xff\xfebytes".decode("utf-8", "surrogateescape"), "x" * 255,
           "-rf", "…", " ", "tab\t", '"quote"', "back\\slash"]  # fmt: skip
    for name in odd:
        (root / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    ends = move(root, *((name, f"archive/{name}/{name}") for name in odd))
    assert statuses(ends) == ["moved"] * len(odd)
    for name in odd:
        held = (root / f"archive/{name}/{name}").read_bytes()
        assert held == name.encode("utf-8", "surrogateescape")
    ends = list(moves.undo(root, "r1", "r2", **terms()))
    assert statuses(ends) == ["moved"] * len(odd)
    assert set(odd) <= set(files(root))
    assert "archive" not in tree(root)


def test_a_name_too_long_for_its_place_needs_a_person(root) -> None:
    ends = move(root, ("a.md", f"archive/{'x' * 256}"))
    assert statuses(ends) == ["needs_manual"]
    assert files(root)["a.md"] == b"alpha"


@pytest.mark.parametrize(
    "path", ["../a.md", "/etc/a.md", "x/../../a.md", "", "a.md/b", "x//y", "."]
)
def test_a_plan_that_leaves_the_workspace_cannot_be_written(root, path) -> None:
    with pytest.raises(ValueError, match=r"workspace|holds the other"):
        plan(root, ("a.md", path))


def test_pipes_sockets_devices_and_links_are_refused(root) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(root)
        listening.bind("socket")
    (root / "link").symlink_to("a.md")
    for name in ("pipe", "socket", "link"):
        with pytest.raises(OSError, match="not a file or folder"):
            moves.identify(root, name)
    (first, second) = plan(root, ("a.md", "archive/a.md"), ("b.md", "archive/b.md"))
    (root / "a.md").unlink()
    os.mkfifo(root / "a.md")
    (root / "b.md").rename(root / "c.md")
    (root / "b.md").symlink_to("c.md")
    assert statuses(make(root, [first, second])) == ["needs_manual", "needs_manual"]
    assert stat.S_ISFIFO(os.lstat(root / "a.md").st_mode)
    assert (root / "b.md").is_symlink()


def test_a_parent_that_is_a_link_is_not_followed(root, tmp_path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.md").write_bytes(b"theirs")
    planned = plan(root, ("a.md", "archive/deep/a.md"))
    (root / "archive").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        moves.identify(root, "archive/a.md")
    assert statuses(make(root, planned)) == ["needs_manual"]
    assert os.listdir(outside) == ["a.md"]
    assert files(root)["a.md"] == b"alpha"


def test_a_parent_swapped_for_a_link_during_the_act_leads_nowhere(root, tmp_path, soak_rounds):
    """Another process exchanges `archive/` and a link out of the workspace all the time."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "archive").mkdir()
    (root / "link").symlink_to(outside)
    stop = threading.Event()

    exchange = no_replace._renameat2()
    if exchange is None:
        pytest.skip("no renameat2 here")
    paths = (os.fsencode(root / "archive"), os.fsencode(root / "link"))

    def swap() -> None:
        while not stop.is_set():
            exchange(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE)

    names = [f"{n}.md" for n in range(soak_rounds(60, 1000))]
    for name in names:
        (root / name).write_bytes(name.encode())
    planned = plan(root, *((name, f"archive/{name}") for name in names))
    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        ends = make(root, planned)
    finally:
        stop.set()
        swapping.join()
    assert os.listdir(outside) == []
    recover(root)
    found = files(root)
    for name, end in zip(names, ends, strict=True):
        assert end.status in ("moved", "changed", "needs_manual", "gone"), end
        assert [key for key in (name, f"archive/{name}", f"link/{name}") if key in found] != []
        assert sum(data == name.encode() for data in found.values()) == 1


def test_a_folder_is_moved_as_one_and_only_as_it_was_planned(root) -> None:
    (root / "run/inner").mkdir(parents=True)
    (root / "run/1").write_bytes(b"one")
    (root / "run/link").symlink_to("nowhere")
    planned = plan(root, ("run", "archive/run"))
    (root / "run/inner/late").write_bytes(b"late")
    assert statuses(make(root, planned)) == ["changed"]
    assert statuses(move(root, ("run", "archive/run"))) == ["moved"]
    assert files(root)["archive/run/inner/late"] == b"late"
    assert os.readlink(root / "archive/run/link") == "nowhere"
    (root / "run").mkdir()
    assert statuses(move(root, ("run", "archive/run"))) == ["dest_exists"], "never nested inside"


def test_moves_that_depend_on_each_other_are_made_in_order(root) -> None:
    first = plan(root, ("a.md", "c.md"), ("b.md", "a.md"))
    assert statuses(make(root, first)) == ["moved", "moved"]
    assert files(root) == {"c.md": b"alpha", "a.md": b"beta"}
    assert statuses(moves.undo(root, "r1", "r2", **terms())) == ["moved", "moved"]
    assert files(root) == {"a.md": b"alpha", "b.md": b"beta"}


def test_a_preview_writes_nothing_and_says_the_same(root) -> None:
    (root / "archive").mkdir()
    (root / "archive/b.md").write_bytes(b"else")
    planned = plan(root, ("a.md", "archive/new/a.md"), ("b.md", "archive/b.md"))
    before = tree(root)
    seen = list(moves.preview(root, planned))
    assert tree(root) == before
    assert statuses(seen) == ["moved", "dest_exists"]
    assert statuses(make(root, planned)) == statuses(seen)


def test_the_rest_is_deferred_when_the_time_is_over(root) -> None:
    clock = [0.0]

    @contextmanager
    def slow():
        clock[0] += 6
        yield

    planned = plan(root, ("a.md", "c.md"), ("b.md", "d.md"))
    deadline = Deadline.after(5, lambda: clock[0])
    ends = make(root, planned, deadline=deadline, fence=slow)
    assert statuses(ends) == ["moved", "deferred"]
    assert files(root) == {"c.md": b"alpha", "b.md": b"beta"}
    assert recover(root) == []
    assert statuses(make(root, planned, deadline=deadline)) == ["deferred", "deferred"]


def test_a_lost_lock_ends_the_run_and_tells_what_was_done_before(root) -> None:
    entered = []

    @contextmanager
    def fence():
        entered.append(1)
        if len(entered) == 2:
            raise Fenced("the lock was broken")
        yield

    told = []
    planned = plan(root, ("a.md", "c.md"), ("b.md", "d.md"))
    made = moves.apply(root, "r1", planned, **terms(fence=fence))
    with pytest.raises(Fenced):
        told.extend(outcome.status for outcome in made)
    assert told == ["moved"]
    assert files(root) == {"c.md": b"alpha", "b.md": b"beta"}
    assert [done.verdict for done in recover(root)] == ["not_happened"]


def test_check_is_asked_before_each_move(root) -> None:
    def lost() -> None:
        raise Fenced("the lock was broken")

    with pytest.raises(Fenced):
        make(root, plan(root, ("a.md", "c.md")), check=lost)
    assert files(root) == {"a.md": b"alpha", "b.md": b"beta"}
    assert recover(root) == []


def test_a_live_run_is_not_recovered(root) -> None:
    with appending(root, "alive"):
        assert recover(root) == []
        with pytest.raises(Busy):
            move(root, ("a.md", "c.md"), run="alive")
    assert "a.md" in files(root)


def test_a_journal_cut_short_at_any_byte_is_read_and_continued(root) -> None:
    move(root, ("a.md", "archive/a.md"))
    path = root / JOURNALS / "r1.jsonl"
    whole = path.read_bytes()
    intent_ends = len(b"\n".join(whole.split(b"\n")[:2]))
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        recover(root)
        journal = read_journal(root, "r1")
        assert journal.ended
        assert journal.open == []
        assert len(journal.moved) == (cut >= intent_ends)
    assert files(root)["archive/a.md"] == b"alpha"


def test_a_journal_cannot_lead_out_of_the_workspace(root) -> None:
    move(root, ("a.md", "archive/a.md"))
    path = root / JOURNALS / "r1.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"source":"a.md"', b'"source":"../a.md"'))
    assert read_journal(root, "r1").moved == []
    with pytest.raises(UsageError):
        read_journal(root, "../r1")


def test_many_moves_take_one_wait_for_the_disk_a_batch(root, monkeypatch) -> None:
    waits = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (waits.append(1), real(descriptor)))
    for n in range(64):
        (root / f"{n}").write_bytes(b"%d" % n)
    (root / "archive").mkdir()
    assert len(move(root, *((f"{n}", f"archive/{n}") for n in range(64)))) == 64
    assert len(waits) < 20
