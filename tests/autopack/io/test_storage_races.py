"""Names that change hands while things are put away: never the wrong thing, never lost."""

from __future__ import annotations

import errno
import os
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from autopack.io import storage_quarantine
from autopack.io.no_replace import in_one_call
from autopack.storage import gate
from autopack.storage.gate import Outcome, Status
from tests.support.storage import Story


@contextmanager
def busily(work: Callable[[], None]) -> Iterator[None]:
    """Do something again and again beside the body."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.is_set():
            work()

    other = threading.Thread(target=loop)
    other.start()
    try:
        yield
    finally:
        ended.set()
        other.join()


def swap(first: Path, second: Path) -> None:
    """Exchange two names by three renames, as an attacker without a privilege can."""
    aside = first.with_name("aside")
    os.rename(first, aside)
    os.rename(second, first)
    os.rename(aside, second)


def laid(tmp_path: Path, n: int) -> Story:
    story = Story(tmp_path / f"{n}/home", tmp_path / f"{n}/tree")
    for folder in (story.home, story.root, tmp_path / f"{n}/victim"):
        folder.mkdir(parents=True)
    (tmp_path / f"{n}/victim/x").write_text("victim")
    return story


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system refused for another reason than a name that went, and in which call."""
    told: list[str] = []

    def status_of(error: OSError) -> Status:
        status = gate.status_of(error)
        if status not in ("STALE", "GONE"):
            told.append("".join(traceback.format_exception(error)))
        return status

    monkeypatch.setattr(storage_quarantine, "status_of", status_of)
    return told


@pytest.mark.soak
def test_a_folder_that_becomes_a_link_and_back_costs_the_victim_nothing(
    tmp_path: Path, soak_rounds, refusals: list[str]
) -> None:
    seen, tries, per = list[Outcome](), soak_rounds(300, 10_000), 50
    for n in range(tries // per):
        story = laid(tmp_path, n)
        story.write(**{f"cache__x{k}": "real" for k in range(per)})
        victim = tmp_path / f"{n}/victim"
        for k in range(per):
            (victim / f"x{k}").write_text("victim")
        (story.root / "link").symlink_to(victim)
        story.plan(*(f"cache/x{k}" for k in range(per)))
        with busily(lambda story=story: swap(story.root / "cache", story.root / "link")):  # type: ignore[misc]
            seen += story.execute().values()
        assert {path.read_text() for path in victim.iterdir()} == {"victim"}
        assert len(list(victim.iterdir())) == per + 1
        taken = story.root / ".autopack-quarantine" / story.run
        moved = [path.read_text() for path in taken.iterdir()] if taken.exists() else []
        assert set(moved) <= {"real"}
        folder = next(
            p
            for p in story.root.iterdir()
            if p.is_dir() and not p.is_symlink() and p.name[0] != "."
        )
        assert len(moved) + len(list(folder.iterdir())) == per
    statuses = Counter(outcome.status for outcome in seen)
    assert statuses["moved"], statuses
    others = [o.detail for o in seen if o.status not in ("moved", "STALE", "GONE")]
    assert all(detail.partition(":")[0] in errno.errorcode.values() for detail in others), others
    for call in refusals:
        warnings.warn(f"the kernel's word for a name that changes hands:\n{call}", stacklevel=1)


@pytest.mark.soak
def test_a_leaf_that_becomes_another_file_never_stays_in_the_quarantine(
    tmp_path: Path, soak_rounds
) -> None:
    seen = Counter[str]()
    for n in range(soak_rounds(60, 2000)):
        story = laid(tmp_path, n)
        story.write(a="the item", b="the victim")
        story.plan("a")

        def exchange(root: Path = story.root) -> None:
            names = os.listdir(root)
            if "a" in names and "b" in names:
                with suppress(FileNotFoundError):
                    swap(root / "a", root / "b")

        with busily(exchange):
            [outcome] = story.execute().values()
        seen[outcome.status] += 1
        taken = story.root / ".autopack-quarantine" / story.run / "1"
        files = [p.read_text() for p in story.root.iterdir() if p.is_file()]
        if outcome.status == "moved":
            assert taken.read_text() == "the item"
            assert files == ["the victim"]
        elif outcome.status != "CONFLICT":
            assert sorted(files) == ["the item", "the victim"], outcome
    assert seen["moved"] < sum(seen.values())


@pytest.mark.parametrize("when", ["look", "rename"])
def test_a_swap_at_the_worst_moment_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    from autopack.io import storage_quarantine

    story = laid(tmp_path, 0)
    story.write(a="the item", b="the victim")
    story.plan("a")
    done = []

    def late(old, new) -> bool:
        if not done:
            done.append(new)
            swap(story.root / "a", story.root / "b")
        return in_one_call(old, new)

    monkeypatch.setattr(storage_quarantine, "in_one_call", late)
    [outcome] = story.execute().values()
    assert (outcome.status, "it is back" in outcome.detail) == ("STALE", True)
    assert (story.root / "a").read_text() == "the victim"
    assert (story.root / "b").read_text() == "the item"
    assert story.quarantined() == []


def test_content_that_changes_while_its_folder_moves_brings_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autopack.io import storage_quarantine

    story = laid(tmp_path, 0)
    story.write(old__a="one", old__b="two")
    story.plan("old")
    held = open(story.root / "old/a", "r+")  # noqa: SIM115 - it is open across the move

    def late(old, new) -> bool:
        moved = in_one_call(old, new)
        held.write("own")
        held.flush()
        return moved

    monkeypatch.setattr(storage_quarantine, "in_one_call", late)
    with held:
        assert story.statuses() == {"old": "STALE"}
    assert (story.root / "old/a").read_text() == "own"


def test_what_cannot_go_back_is_a_conflict_and_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autopack.io import storage_quarantine

    story = laid(tmp_path, 0)
    story.write(a="the item", b="the victim")
    story.plan("a")

    def late(old, new) -> bool:
        swap(story.root / "a", story.root / "b")
        moved = in_one_call(old, new)
        (story.root / "a").write_text("came meanwhile")
        return moved

    monkeypatch.setattr(storage_quarantine, "in_one_call", late)
    assert story.statuses() == {"a": "CONFLICT"}
    assert [entry.state for entry in story.journal().open] == ["moving"]
    monkeypatch.undo()
    (story.root / "a").unlink()
    assert story.statuses() == {"a": "STALE"}
    assert (story.root / "a").read_text() == "the victim"


def test_a_disk_that_fails_after_the_rename_leaves_the_item_to_be_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = laid(tmp_path, 0)
    story.write(one="one", two="two")
    story.plan("one", "two")
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if (
            os.path.samestat(os.fstat(descriptor), os.stat(story.root))
            and not (story.root / "one").exists()
        ):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        told = story.execute()
    assert told["one"].status == "CONFLICT"
    assert set(story.statuses().values()) == {"moved"}
    assert {o.status for o in story.undo().values()} == {"undone"}


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    from autopack.errors import Unreachable
    from tests.support.mounts import small_disk

    story = laid(tmp_path, 0)
    story.write(**{f"n{k}": f"{k}" for k in range(20)})
    with small_disk(story.home, "64k"):
        story.plan(*(f"n{k}" for k in range(20)))
        with story.hands():
            pass
        filler = story.home / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * 4096)
        with pytest.raises(Unreachable, match="No space"):
            story.execute()
        there = [p.read_text() for p in story.root.rglob("*") if p.is_file()]
        assert sorted(there, key=int) == [f"{k}" for k in range(20)]
        filler.unlink()
        assert set(story.statuses().values()) == {"moved"}
