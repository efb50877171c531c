"""Faults that clean-up tools have had, each on a real tree: none of them may come back."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from autopack.canonical import canonical, digest
from autopack.errors import AutopackError
from autopack.io.storage_identity import identity_of
from autopack.io.storage_reports import parse_report
from autopack.storage.candidates import Candidates, candidates
from autopack.storage.policy import Policy
from autopack.storage.protection import Protection
from autopack.storage.verdicts import State
from tests.support.real_trees import age, look, made
from tests.support.trees import NOW_NS, snapshot_of


def rules(*match: str, **more: Any) -> Policy:
    category = {
        "match": list(match), "older_than_days": 0, "action": "quarantine",
        "caps": {"max_bytes": 1 << 50, "max_items": 1 << 30}, **more.pop("category", {}),
    }  # fmt: skip
    return Policy.model_validate({"refuse_share": 100, "categories": {"it": category}, **more})


def found(root: Path, policy: Policy) -> Candidates:
    return candidates(look(root), policy, time.time_ns())


def write(root: Path, *names: str, data: bytes = b"x") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_protected_content_inside_a_folder_that_could_go_stays(tmp_path: Path) -> None:
    kept = "build/src/main.py", "build/data.db", "build/.git/HEAD"
    write(tmp_path, *kept, "build/out/a.o", "stays")
    age(tmp_path)
    report = made(tmp_path, rules("build/**", protected={"code": ["**/*.py"]})).report
    assert [item.path for item in report.items] == ["build/out"]


def test_protected_roots_are_protected_themselves(tmp_path: Path) -> None:
    roots = ["src", "config", "tests", "venv", "archive/superseded", ".git"]
    policy = rules("**/x/**", protected={"roots": [f"{root}/**" for root in roots]})
    assert all(Protection(policy).reason(root) for root in roots)
    write(tmp_path, *(f"{root}/x/1" for root in roots), "stays")
    assert found(tmp_path, policy).items == ()


def test_the_digest_of_a_folder_depends_on_its_files_contents(tmp_path: Path) -> None:
    write(tmp_path, "d/a", data=b"one")
    before = (tmp_path / "d" / "a").stat()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    first = identity_of(descriptor, "d").tree
    write(tmp_path, "d/a", data=b"two")
    os.utime(tmp_path / "d" / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert identity_of(descriptor, "d").tree != first
    os.close(descriptor)


def test_sizes_are_those_on_the_disk_to_any_depth_and_once(tmp_path: Path) -> None:
    write(tmp_path, "deep/1/2/3/4/big", data=b"x" * 1_000_000)
    write(tmp_path, "sparse/f", "linked/0", "link/x", "stays")
    os.truncate(tmp_path / "sparse" / "f", 10**12)
    write(tmp_path, "linked/0", data=b"x" * 100_000)
    for n in range(1, 5):
        os.link(tmp_path / "linked" / "0", tmp_path / "linked" / str(n))
    os.symlink("../deep/1/2/3/4/big", tmp_path / "link" / "l")
    seen = found(tmp_path, rules("deep/**", "sparse/**", "linked/**", "link/**"))
    by_path = {one.path: one for one in seen.items}
    assert by_path["deep"].size >= 1_000_000
    assert 1_000_000 <= by_path["deep"].allocated < 1_200_000
    assert by_path["sparse"].allocated < 100_000
    assert by_path["linked"].size == 100_000
    assert by_path["link"].size < 1000


def test_no_list_is_cut_in_silence() -> None:
    old = {"size": 1, "mtime_ns": 1}
    entries = {f"{n % 100}/{n}.log": old for n in range(12_000)} | {"stays": 1}
    snapshot = snapshot_of(entries)
    assert len(candidates(snapshot, rules("*.log"), NOW_NS).items) == 12_000
    capped = rules("*.log", category={"caps": {"max_items": 5000}})
    seen = candidates(snapshot, capped, NOW_NS)
    totals = seen.totals[0]
    assert (len(seen.items), totals.items) == (5000, 5000)
    assert totals.of(State.CAPPED).entries == 7000
    assert totals.of().entries == 12_000


def test_variants_of_protected_names_are_protected() -> None:
    policy = rules("x", case="insensitive", protected={"code": ["src/**", "**/*.py"]})
    protection = Protection(policy)
    for path in ("SRC/main.c", ".GIT/config", "foo.PY", "foo.db-wal", "x/.git ", "x/.git./a"):
        assert protection.reason(path), path


def test_a_folder_of_a_category_is_one_item(tmp_path: Path) -> None:
    for name in ("node_modules", "dist", "__pycache__"):
        write(tmp_path, *(f"p/{name}/{n}/{m}" for n in range(9) for m in range(9)))
    write(tmp_path, "stays")
    seen = found(tmp_path, rules("**/node_modules/**", "**/dist/**", "**/__pycache__/**"))
    assert [one.path for one in seen.items] == ["p/__pycache__", "p/dist", "p/node_modules"]
    assert [one.files for one in seen.items] == [81, 81, 81]


def test_one_report_has_one_spelling_and_no_number_but_whole_ones(tmp_path: Path) -> None:
    write(tmp_path, "a.log", "stays")
    age(tmp_path)
    report = made(tmp_path, rules("*.log")).report
    for value in (1.0, float("nan"), float("inf")):
        with pytest.raises(TypeError):
            digest({"a": value})
    text = canonical(report.plain()).decode()
    for other in (
        text.replace('"files":1', '"files":1.0'),
        text.replace('"files":1', '"files":NaN'),
    ):
        assert other != text
        with pytest.raises(AutopackError):
            parse_report("r.json", other.encode() + b"\n")
    shuffled = json.dumps(dict(reversed(report.plain().items()))).encode() + b"\n"
    with pytest.raises(AutopackError):
        parse_report("r.json", shuffled)
