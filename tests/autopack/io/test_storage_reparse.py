"""Junctions and other reparse points in real trees: never entered by a scan, never put away.

What Windows tells beside the mode is laid over what `os.stat` tells here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autopack.storage.candidates import candidates
from autopack.storage.classify import Kind
from autopack.storage.policy import Policy
from tests.support.real_trees import age
from tests.support.storage import Story
from tests.support.storage_trees import full

REPARSE_POINT = 0x400
TAGS = {
    0xA0000003: Kind.JUNCTION,
    0xA000000C: Kind.LINK,
    0xA000001D: Kind.OTHER_REPARSE,
    0x12345678: Kind.OTHER_REPARSE,
}
POLICY = Policy.model_validate(
    {
        "refuse_share": 100,
        "categories": {"it": {"match": ["cache/**"], "older_than_days": 0, "action": "quarantine"}},
    }
)


class AsOnWindows:
    """What `os.stat` told, with attributes and a tag; attributes of None cannot be read."""

    def __init__(self, found: os.stat_result, tag: int | None) -> None:
        self._found = found
        self.st_reparse_tag = tag

    @property
    def st_file_attributes(self) -> int:
        if self.st_reparse_tag is None:
            raise OSError(5, "Access is denied")
        return REPARSE_POINT | 0x10

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int | None], None]:
    """Return `turn(path, tag)`: from now on it is a reparse point."""
    real, turned = os.stat, dict[int, int | None]()

    def told(path: Any, *args: Any, **options: Any) -> Any:
        found = real(path, *args, **options)
        if found.st_ino not in turned:
            return found
        return AsOnWindows(found, turned[found.st_ino])

    def begin(path: Path, tag: int | None) -> None:
        turned[real(path).st_ino] = tag
        monkeypatch.setattr(os, "stat", told)

    return begin


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with something old in it, and in that a folder that leads elsewhere."""
    root = tmp_path / "root"
    for name in ("cache/door/victim", "cache/plain/file", "stays"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    age(root)
    return root


def items(root: Path) -> tuple[dict[str, Kind], list[str]]:
    """Return the kinds of a scan by path, and what could go."""
    snapshot = full(root, backend="stat")
    kinds = {path: Kind(k) for path, k in zip(*snapshot.frame.select("path", "kind"), strict=True)}
    return kinds, [one.path for one in candidates(snapshot, POLICY, time.time_ns()).items]


def test_without_a_reparse_point_the_folder_goes_as_a_whole(tree: Path) -> None:
    kinds, going = items(tree)
    assert kinds["cache/door"] is Kind.FOLDER
    assert "cache/door/victim" in kinds
    assert going == ["cache"]


@pytest.mark.parametrize(("tag", "kind"), TAGS.items())
def test_a_scan_never_goes_through_a_reparse_point(tree: Path, turn, tag: int, kind: Kind) -> None:
    turn(tree / "cache/door", tag)
    kinds, _ = items(tree)
    assert kinds["cache/door"] is kind
    assert "cache/door/victim" not in kinds
    assert "cache/plain/file" in kinds


@pytest.mark.parametrize("tag", [tag for tag, kind in TAGS.items() if kind is not Kind.LINK])
def test_a_junction_in_what_could_go_keeps_it(tree: Path, turn, tag: int) -> None:
    turn(tree / "cache/door", tag)
    assert items(tree)[1] == ["cache/plain"]


@pytest.mark.parametrize("tag", [*TAGS, None])
def test_what_could_go_is_never_a_reparse_point_itself(tree: Path, turn, tag: int | None) -> None:
    turn(tree / "cache", tag)
    kinds, going = items(tree)
    assert going == []
    assert not [path for path in kinds if path.startswith("cache/")]


def test_a_folder_whose_attributes_cannot_be_read_is_a_link_and_not_entered(
    tree: Path, turn
) -> None:
    turn(tree / "cache/door", None)
    kinds, _ = items(tree)
    assert kinds["cache/door"] is Kind.LINK
    assert "cache/door/victim" not in kinds


@pytest.mark.parametrize("tag", [*TAGS, None])
@pytest.mark.parametrize("turned", ["cache", "cache/door"])
def test_what_became_a_reparse_point_since_its_report_stays(
    tree: Path, tmp_path: Path, turn, turned: str, tag: int | None
) -> None:
    (tmp_path / "home").mkdir()
    story = Story(tmp_path / "home", tree)
    story.plan("cache", "stays")
    turn(tree / turned, tag)
    statuses = story.statuses()
    assert statuses["cache"] in ("STALE", "DENIED")
    assert statuses["stays"] == "moved"
    assert (tree / "cache/door/victim").read_text() == "cache/door/victim"
