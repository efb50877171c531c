"""Names that another system reads as something else, and paths longer than it takes: real files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from autopack.errors import Refused
from autopack.io.storage_cleanup import make_report
from autopack.io.storage_places import native
from autopack.io.storage_policy import Read
from autopack.storage.candidates import candidates
from autopack.storage.gate import plain_path
from autopack.storage.names import spell
from autopack.storage.policy import Policy
from autopack.storage.protection import AMBIGUOUS, Protection
from tests.support.real_trees import CREATED, LATER
from tests.support.storage import Story
from tests.support.storage_trees import HOUR_NS, bury, full

SPELLINGS = {
    "device namespace": b"\\\\?\\C:\\x",
    "device namespace, other slash": b"\\\\.\\x",
    "server and share": b"\\\\server\\share",
    "short name": b"PROGRA~1",
    "short name with an ending": b"LONGNA~2.TXT",
    "both slashes": b"a\\b/c",
    "up, by the other slash": b"a\\..\\b",
    "drive": b"C:x",
    "dot at the end": b"name.",
    "dots at the end of a folder": b"name../x",
    "space at the end": b"name ",
    "stream": b"file.txt:stream",
    "stream of a folder": b"a:$DATA/b",
    "console": b"CON",
    "nothing": b"nul",
    "port": b"COM1",
    "port with an ending": b"com1.txt",
    "port with endings": b"LPT9.tar.gz",
    "device as a folder": b"AUX/x",
    "case of what is protected": b"SRC/main.c",
    "case of an ending": b"foo.PY",
}
UP_OR_OUT = ("//?/C:/x", "//server/share/x", "/etc/x", "..", "a/../b", "a/..", "./a", "a//b", "a/")


def rules(case: str) -> Policy:
    category = {"match": ["[!q]*", "nul"], "older_than_days": 0, "action": "quarantine"}
    return Policy.model_validate(
        {
            "execution": "enabled", "case": case, "refuse_share": 100, "min_keep": 1,
            "protected": {"code": ["src/**", "**/*.py"]}, "categories": {"logs": category},
        }
    )  # fmt: skip


@pytest.fixture
def story(tmp_path: Path) -> Story:
    made = Story(tmp_path / "home", tmp_path / "tree")
    for folder in (made.home, made.root):
        folder.mkdir()
    made.write(plain="plain")
    return made


def written(root: Path, name: bytes) -> bytes:
    """Write a file of this name below a root, and return its path."""
    path = os.fsencode(root) + b"/" + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(name)
    return path


@pytest.mark.parametrize("name", SPELLINGS.values(), ids=SPELLINGS)
def test_a_name_that_windows_reads_as_another_is_neither_offered_nor_moved(
    story: Story, name: bytes
) -> None:
    path, policy = written(story.root, name), rules("insensitive")
    protection = Protection(policy)
    found = candidates(full(story.root), policy, time.time_ns() + HOUR_NS, protection)
    assert [one.path for one in found.items if one.path != "a"] == ["plain"]
    story.policy = policy
    story.protected = lambda _n, asked: protection.reason(asked)
    story.plan(spell(name), "plain")
    assert story.statuses() == {spell(name): "PROTECTED", "plain": "moved"}
    with open(path, "rb") as file:
        assert file.read() == name


@pytest.mark.parametrize("path", UP_OR_OUT)
def test_a_path_that_leads_up_or_out_is_refused_under_every_policy(path: str) -> None:
    assert not plain_path(path)
    with pytest.raises(Refused, match="no path below its root"):
        native(path)
    for case in ("sensitive", "insensitive"):
        assert Protection(rules(case)).reason(path) == AMBIGUOUS


@pytest.mark.parametrize(("levels", "longer_than"), [(3, 260), (60, 4096)])
def test_a_long_path_is_scanned_reported_moved_and_put_back(
    story: Story, levels: int, longer_than: int
) -> None:
    names = [f"{n:03}" + "x" * 90 for n in range(levels)]
    bury(story.root, names, "a.log", "kept.py")
    path = "/".join([*names, "a.log"])
    assert len(path) > longer_than
    policy = rules("sensitive")
    time.sleep(0.02)  # what is as young as the scan is not offered
    snapshot = full(story.root)
    found = candidates(snapshot, policy, time.time_ns())
    assert [one.path for one in found.items] == [path, "plain"]
    made = make_report([(snapshot, found)], Read(policy, "config/storage.yaml"), CREATED, LATER)
    assert [item.path for item in made.report.items if item.path != "plain"] == [path]
    story.policy = policy
    story.plan("plain", items=[one for one in made.report.items if one.path == path])
    assert story.statuses() == {path: "moved", "plain": "moved"}
    assert {one.status for one in story.undo().values()} == {"undone"}
    assert path in set(full(story.root).frame["path"])
