"""A person's file is replaced whole, only if it still holds what was read, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from autopack.errors import Refused, Unreachable
from autopack.io import replace
from autopack.io.replace import check_replaceable, remove_file, replace_file, sweep
from autopack.locks.errors import Fenced
from tests.support import session


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "docs" / "A.md"
    path.parent.mkdir()
    path.write_bytes(b"old")
    path.chmod(0o640)
    return path


def put(page: Path, old: bytes | None, new: bytes) -> None:
    replace_file(page.parents[1], f"docs/{page.name}", old, new, nullcontext)


def test_a_file_is_replaced_and_keeps_its_mode(page: Path) -> None:
    put(page, b"old", b"new")
    assert page.read_bytes() == b"new"
    assert page.stat().st_mode & 0o777 == 0o640
    assert os.listdir(page.parent) == ["A.md"]


def test_a_file_that_changed_since_it_was_read_is_left_alone(page: Path) -> None:
    page.write_bytes(b"edited meanwhile")
    with pytest.raises(Refused, match="has changed since it was read"):
        put(page, b"old", b"new")
    assert page.read_bytes() == b"edited meanwhile"
    with pytest.raises(Refused):
        put(page, None, b"new")
    page.unlink()
    with pytest.raises(Refused):
        put(page, b"old", b"new")
    put(page, None, b"made")
    assert page.read_bytes() == b"made"


def test_a_link_inside_the_workspace_is_followed_and_one_out_of_it_refused(page: Path) -> None:
    inside, outside = page.with_name("L.md"), page.with_name("O.md")
    inside.symlink_to("A.md")
    put(inside, b"old", b"new")
    assert inside.is_symlink()
    assert page.read_bytes() == b"new"
    stranger = page.parents[2] / "stranger.md"
    stranger.write_bytes(b"old")
    outside.symlink_to(stranger)
    with pytest.raises(Refused, match="out of the workspace"):
        put(outside, b"old", b"new")
    assert stranger.read_bytes() == b"old"


def test_a_full_disk_leaves_the_old_file(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(replace.os, "fsync", full)
    with pytest.raises(Unreachable, match="No space left on device; it holds what it held before"):
        put(page, b"old", b"new")
    assert page.read_bytes() == b"old"
    assert os.listdir(page.parent) == ["A.md"]


def test_a_lost_lock_refuses_the_write_and_leaves_nothing_behind(page: Path) -> None:
    @contextmanager
    def lost() -> Iterator[None]:
        raise Fenced("lock 'docs' is lost")
        yield

    with pytest.raises(Fenced):
        replace_file(page.parents[1], "docs/A.md", b"old", b"new", lost)
    assert page.read_bytes() == b"old"
    assert os.listdir(page.parent) == ["A.md"]


KILLED = """
import os, signal, sys
from pathlib import Path
from contextlib import nullcontext
from autopack.io import replace
at, page = sys.argv[1], Path(sys.argv[2])
real = getattr(os, at)
def dies(*args):
    if at == "replace": os.kill(os.getpid(), signal.SIGKILL)
    real(*args)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, at, dies)
replace.replace_file(page.parents[1], "docs/A.md", b"old", b"new", nullcontext)
"""


@pytest.mark.parametrize(("at", "left"), [("fsync", b"old"), ("replace", b"old")])
def test_kill_9_leaves_one_of_the_two_whole_and_the_next_writer_tidies_up(
    page: Path, at: str, left: bytes
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, at, str(page)],
        cwd=session.REPOSITORY, env=session.clean_environment(), check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    assert page.read_bytes() == left
    assert len(os.listdir(page.parent)) == 2
    sweep(page.parent)
    put(page, left, b"next")
    assert os.listdir(page.parent) == ["A.md"]
    assert page.read_bytes() == b"next"


def test_a_new_file_gets_its_folders_and_never_takes_a_place(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = page.parents[1]
    check_replaceable(root, "docs/new/er/B.md", None)
    replace_file(root, "docs/new/er/B.md", None, b"made", nullcontext)
    made = root / "docs/new/er/B.md"
    assert made.read_bytes() == b"made"
    assert os.listdir(made.parent) == ["B.md"]
    assert made.stat().st_nlink == 1

    # A file that comes a moment after the look is not seen by it.
    monkeypatch.setattr(replace, "_still", lambda *_seen: None)
    with pytest.raises(Refused, match="has changed since it was read"):
        put(page, None, b"new")
    assert page.read_bytes() == b"old"


def test_a_file_is_removed_while_it_holds_what_was_read(page: Path) -> None:
    root = page.parents[1]
    with pytest.raises(Refused, match="has changed since it was read"):
        remove_file(root, "docs/A.md", b"other", nullcontext)
    assert page.read_bytes() == b"old"

    @contextmanager
    def lost() -> Iterator[None]:
        raise Fenced("lock 'docs' is lost")
        yield

    with pytest.raises(Fenced):
        remove_file(root, "docs/A.md", b"old", lost)
    remove_file(root, "docs/A.md", b"old", nullcontext)
    assert not page.exists()
    with pytest.raises(Refused):
        remove_file(root, "docs/A.md", b"old", nullcontext)
