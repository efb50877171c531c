"""Reports of real trees: made, written, read back, and refused once they were changed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autopack.canonical import canonical
from autopack.deadline import Deadline
from autopack.errors import AutopackError, DeadlineExceeded, Refused, Unreachable, UsageError
from autopack.io.storage_cleanup import make_report
from autopack.io.storage_identity import identity_of
from autopack.io.storage_policy import Read
from autopack.io.storage_reports import parse_report, read_report, write_report
from autopack.storage.candidates import candidates
from autopack.storage.policy import Policy
from autopack.storage.schema import CleanupReport
from tests.support.real_trees import CREATED, age, look, made


def rules(*match: str, **more: Any) -> Policy:
    category = {"match": list(match), "older_than_days": 30, "action": "quarantine"}
    return Policy.model_validate({"refuse_share": 100, "categories": {"it": category}, **more})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a tree with something old in it."""
    top = tmp_path / "root"
    (top / "cache" / "deep").mkdir(parents=True)
    (top / "cache" / "deep" / "a").write_bytes(b"a" * 5000)
    (top / "cache" / "b").write_bytes(b"b")
    (top / "old.log").write_bytes(b"log")
    (top / "keep").write_bytes(b"k" * 9000)
    age(top)
    return top


POLICY = rules("cache/**", "*.log")


def test_every_item_is_named_by_what_it_is(root: Path) -> None:
    report = made(root, POLICY).report
    assert report.id == report.true_id()
    assert [item.id for item in report.items] == sorted(item.id for item in report.items)
    by_path = {item.path: item for item in report.items}
    assert by_path.keys() == {"cache", "old.log"}
    assert by_path["cache"].tree
    assert by_path["cache"].files == 2
    assert by_path["cache"].age_days == 100
    assert by_path["old.log"].content
    descriptor = os.open(root, os.O_RDONLY)
    for path, item in by_path.items():
        now = identity_of(descriptor, path)
        assert (item.tree, item.content, item.ino) == (now.tree, now.content, now.ino)
    os.close(descriptor)


def test_the_report_does_not_depend_on_anything_but_the_tree(root: Path) -> None:
    assert made(root, POLICY).report == made(root, POLICY).report


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "cache" / "b").write_bytes(b"c"),
        lambda root: (root / "cache" / "deep" / "new").touch(),
        lambda root: (root / "cache" / "b").unlink(),
        lambda root: (root / "cache" / "deep").rename(root / "moved"),
        lambda root: (root / "cache" / "deep" / "a").chmod(0o600),
        lambda root: os.link(root / "cache" / "b", root / "again"),
        lambda root: (root / "cache").rename(root / "gone"),
    ],
)
def test_what_is_not_as_it_was_scanned_is_left_out(
    root: Path, change: Callable[[Path], object]
) -> None:
    seen = made(root, POLICY, lambda: change(root))
    assert [item.path for item in seen.report.items] == ["old.log"]
    (_, left), = seen.left_out  # fmt: skip
    assert (left.path, left.why) == ("cache", "changed while scanned")
    assert left.finding("root").severity == "warning"


def test_a_folder_that_became_a_link_is_left_out(root: Path, tmp_path: Path) -> None:
    def swap() -> None:
        (root / "cache").rename(tmp_path / "cache")
        os.symlink(tmp_path / "cache", root / "cache")

    seen = made(root, POLICY, swap)
    assert [item.path for item in seen.report.items] == ["old.log"]


def test_a_root_that_was_replaced_is_refused(root: Path, tmp_path: Path) -> None:
    def swap() -> None:
        root.rename(tmp_path / "old")
        (tmp_path / "old" / "cache").parent.joinpath("x").touch()
        root.mkdir()

    with pytest.raises(Refused, match="another folder"):
        made(root, POLICY, swap)


def test_a_fast_scan_makes_no_report(root: Path) -> None:
    with pytest.raises(Refused, match="fast scan"):
        made(root, POLICY, mode="fast")


def test_what_the_policy_refuses_makes_no_report(root: Path) -> None:
    with pytest.raises(Refused, match="refuse_share"):
        made(root, rules("cache/**", "*.log", refuse_share=5))
    with pytest.raises(Refused, match="min_keep"):
        made(root, rules("cache/**", "*.log", min_keep=2))


def test_the_deadline_ends_it(root: Path) -> None:
    snapshot = look(root)
    found = candidates(snapshot, POLICY, time.time_ns())
    with pytest.raises(DeadlineExceeded):
        make_report([(snapshot, found)], Read(POLICY, "x"), CREATED, Deadline.after(0))


def test_names_of_any_bytes_come_through(root: Path) -> None:
    name = os.fsencode(root) + b"/cache/\xff\nx\\y"
    Path(os.fsdecode(name)).write_bytes(b"1")
    Path(os.fsdecode(os.fsencode(root) + b"/\xfe\n.log")).write_bytes(b"2")
    age(root)
    report = made(root, POLICY).report
    assert {item.path for item in report.items} == {"cache", "old.log", "\\xfe\n.log"}
    assert parse_report("r", report.data()) == report


# --- on disk --------------------------------------------------------------------------------------


def test_a_report_is_written_whole_and_read_back(root: Path, tmp_path: Path) -> None:
    report = made(root, POLICY).report
    name = write_report(tmp_path, report)
    assert name == f".autonomous_runs/reports/storage/{report.id[7:19]}.json"
    assert write_report(tmp_path, report) == name
    assert (tmp_path / name).read_bytes() == canonical(report.plain()) + b"\n"
    assert read_report(str(tmp_path / name)) == report
    assert os.listdir((tmp_path / name).parent) == [f"{report.id[7:19]}.json"]


def test_something_else_in_its_place_is_not_overwritten(root: Path, tmp_path: Path) -> None:
    report = made(root, POLICY).report
    path = tmp_path / write_report(tmp_path, report)
    path.write_bytes(b"mine")
    with pytest.raises(Refused):
        write_report(tmp_path, report)
    assert path.read_bytes() == b"mine"


def _edited(report: CleanupReport, **changes: Any) -> bytes:
    plain = report.plain()
    plain["items"][0].update(changes)
    return canonical(plain) + b"\n"


def test_a_changed_report_is_refused_with_the_line(root: Path) -> None:
    report = made(root, POLICY).report
    for data in (
        _edited(report, path="src"),
        _edited(report, size=1),
        _edited(report, extra=1),
        _edited(report, ino=5),
        canonical({**report.plain(), "items": []}) + b"\n",
        canonical({**report.plain(), "id": "sha256:" + "0" * 64}) + b"\n",
        json.dumps(report.plain(), indent=1).encode(),
        report.data() + b"\n",
        report.data().replace(b'"files":', b' "files":', 1),
    ):
        with pytest.raises(Refused, match=r"^r\.json:1:.*changed after"):
            parse_report("r.json", data)
    indented = json.dumps({**report.plain(), "id": report.id[:-1] + "x"}, indent=1)
    line = next(n for n, text in enumerate(indented.split("\n"), 1) if '"id": "sha256' in text)
    with pytest.raises(Refused, match=rf"^r\.json:{line}:"):
        parse_report("r.json", indented.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"null", b"\xff", b'{"schema": "other/1"}', b'{"a": 1, "a": 2}',
        b'{"a": NaN}', b'{"a": Infinity}', b"[" * 100_000, b'{"schema": 1e999}',
        b'\xef\xbb\xbf{"schema": "autopack.storage.report/1"}',
    ],
)  # fmt: skip
def test_what_is_no_report_is_a_usage_error(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"^r\.json:1"):
        parse_report("r.json", data)


def test_a_key_that_stands_twice_is_refused_in_a_report_too(root: Path) -> None:
    data = made(root, POLICY).report.data().replace(b'{"created"', b'{"created":1,"created"', 1)
    with pytest.raises(UsageError, match="twice"):
        parse_report("r.json", data)


def test_links_pipes_folders_and_nothing_are_told_apart(root: Path, tmp_path: Path) -> None:
    name = tmp_path / write_report(tmp_path, made(root, POLICY).report)
    os.symlink(name, tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    wrong: dict[str, type[AutopackError]] = {
        "link": Refused, "pipe": Refused, "absent": UsageError, "root": Refused,
    }  # fmt: skip
    for path, kind in wrong.items():
        with pytest.raises(kind):
            read_report(str(tmp_path / path))


def test_what_cannot_be_read_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(Unreachable):
        read_report(str(tmp_path / "f" / "x"))
