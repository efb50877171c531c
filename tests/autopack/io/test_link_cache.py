"""The cache of readings: never a wrong page, whatever happened to the file or to the cache."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.io import link_cache
from autopack.io.link_cache import Cached, cache_file, load, stats, store
from autopack.links.extract import read_page
from autopack.links.history import History
from autopack.links.shelf import Reading, Shelf
from autopack.links.shelving import shelf_of
from autopack.settings import cache_folder

LONG_AGO = 1_000_000_000


@pytest.fixture
def root(make_workspace, monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("AUTOPACK_CACHE_DIR", str(tmp_path / "cache"))
    root = make_workspace({"a.md": "[x](y.md)\n"})
    os.utime(root / "a.md", (LONG_AGO, LONG_AGO))
    return root


def shelf(root: Path) -> Shelf:
    page = read_page("a.md", (root / "a.md").read_bytes())
    return shelf_of([Reading(page, b"d" * 16, stats(root, ["a.md"])["a.md"])])


def later() -> int:
    """Return a moment at which what is on disk now has been there for long."""
    return time.time_ns() + 10_000_000_000


def test_what_was_stored_is_loaded(root):
    history = History({"old.md": ("new.md", "c1")}, {"gone.md": "c2"}, 0)
    store(root, Cached(later(), shelf(root), history, "key"))
    cached = load(root)
    assert (cached.history, cached.history_key) == (history, "key")
    assert cached.shelf.page(0) == shelf(root).page(0)
    assert cached.trusts(0, stats(root, ["a.md"])["a.md"])


def test_a_file_that_may_have_changed_without_a_trace_is_not_trusted(root):
    store(root, Cached(time.time_ns(), shelf(root)))
    assert not load(root).trusts(0, stats(root, ["a.md"])["a.md"]), "ctime is of just now"


@pytest.mark.parametrize("change", ["content", "touch", "replace"])
def test_a_file_that_looks_different_is_not_trusted(root, change):
    store(root, Cached(later(), shelf(root)))
    path = root / "a.md"
    if change == "content":
        path.write_text("[x](z.md)\n")
        os.utime(path, (LONG_AGO, LONG_AGO))
    elif change == "touch":
        path.touch()
    else:
        other = root / "b"
        other.write_bytes(path.read_bytes())
        os.utime(other, (LONG_AGO, LONG_AGO))
        other.replace(path)
    assert not load(root).trusts(0, stats(root, ["a.md"])["a.md"])


@given(part=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_damaged_cache_is_no_cache(tmp_path_factory, part, change):
    root = tmp_path_factory.mktemp("damaged")
    (root / "a.md").write_text("[x](y.md)\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOPACK_CACHE_DIR", str(root / "cache"))
        path = store(root, Cached(later(), shelf(root)))
        whole = path.read_bytes()
        at = int(part * len(whole))
        flipped = bytes([whole[at] ^ change])
        for bad in (whole[:at], whole[:at] + flipped + whole[at + 1 :], whole + b"x"):
            path.write_bytes(bad)
            assert load(root) is None
        path.write_bytes(whole)
        assert load(root) is not None


def test_a_cache_of_another_parser_or_workspace_is_no_cache(root, monkeypatch):
    path = store(root, Cached(later(), shelf(root)))
    monkeypatch.setattr(link_cache, "version_key", lambda: "another")
    assert load(root) is None
    monkeypatch.undo()
    os.environ["AUTOPACK_CACHE_DIR"] = str(path.parent)
    other = root / "other"
    other.mkdir()
    cache_file(other).write_bytes(path.read_bytes())
    assert load(other) is None


def test_storing_leaves_one_whole_file_and_sweeps_what_was_left(root):
    path = store(root, Cached(1, shelf(root)))
    left = path.with_name(f"{path.stem}-old.tmp")
    fresh = path.with_name(f"{path.stem}-new.tmp")
    left.write_text("x")
    fresh.write_text("of a run at work")
    os.utime(left, (LONG_AGO, LONG_AGO))
    store(root, Cached(2, shelf(root)))
    assert sorted(path.parent.iterdir()) == sorted([path, fresh])
    assert load(root).began == 2


def test_a_cache_that_cannot_be_written_leaves_the_one_before(root, monkeypatch):
    path = store(root, Cached(1, shelf(root)))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        store(root, Cached(2, shelf(root)))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert load(root).began == 1


def test_the_folder_is_the_users_and_can_be_named():
    home = os.path.expanduser("~")
    assert cache_folder({"AUTOPACK_CACHE_DIR": "~/c"}) == Path(home, "c")
    assert cache_folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/autopack")
    assert cache_folder({"XDG_CACHE_HOME": "relative"}) == Path(home, ".cache/autopack")
    assert cache_folder({}) == Path(home, ".cache/autopack")
