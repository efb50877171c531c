"""What a report offers, as a table."""

from __future__ import annotations

from datetime import UTC, datetime

from autopack.storage.cleanup import report_of
from autopack.storage.offer import offered
from autopack.storage.schema import Item, PolicyUsed, item_id
from tests.support.trees import snapshot_of


def item(path: str, reclaimable: int, root: int = 0) -> Item:
    return Item(
        id=item_id(root, path), root=root, path=path, kind="file", dev="1", ino="2", mode=0o100644,
        nlink=1, size=7, allocated=4096, reclaimable=reclaimable, files=1, mtime_ns="1",
        ctime_ns="1", category="logs", rule="*.log", age_days=40,
    )  # fmt: skip


def paper(items, roots=1):
    used = PolicyUsed(path="config/storage.yaml", sha256=f"sha256:{'0' * 64}")
    seen = [snapshot_of({"a": 1}, root=f"/r{n}/", mode="full") for n in range(roots)]
    return report_of(seen, items, used, datetime(2026, 1, 1, tzinfo=UTC))


def test_what_frees_most_comes_first_with_its_id() -> None:
    table = offered(paper([item("a", 5), item("b\n", 9)]))
    assert [(row[0], row[1], row[-1]) for row in table.rows] == [
        (r"b\n", 9, item_id(0, "b\n")), ("a", 5, item_id(0, "a")),
    ]  # fmt: skip


def test_items_of_several_roots_have_whole_paths() -> None:
    table = offered(paper([item("a", 5, 0), item("a", 5, 1)], roots=2))
    assert [row[0] for row in table.rows] == ["/r0/a", "/r1/a"]


def test_more_items_than_are_listed_are_counted() -> None:
    table = offered(paper([item(f"f{n}", n) for n in range(250)]))
    assert (len(table.rows), table.among) == (200, 250)
