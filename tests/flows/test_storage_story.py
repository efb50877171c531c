"""The whole story of the page, on a copied real tree: each command as it is written there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autopack.io import audit
from tests.support import corpus
from tests.support.link_checks import everything
from tests.support.session import REPOSITORY

PAGE = REPOSITORY / "docs/storage.md"
POLICY = {
    "execution": "enabled",
    "grace_days": 0,
    "refuse_share": 95,
    "categories": {
        "caches": {
            "match": ["**/node_modules/**", "**/build/**"],
            "older_than_days": 90,
            "action": "quarantine",
        },
        "diagnostics": {
            "match": ["archive/diagnostics/**"],
            "older_than_days": 90,
            "action": "quarantine",
        },
    },
}
TOPS = ("build/", "node_modules/", "archive/diagnostics/")
KEYS = {"REPORT": "report_path", "APPROVAL": "approval_path", "RUN": "run"}
OLD_S = 400 * 86400
STATE = (".autonomous_runs", ".autopack-quarantine", "autopack.db")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of a real workspace in which some things are old: the corpus, or our docs."""
    root = tmp_path / "tree"
    if corpus.present():
        corpus.lay_out(root)
        for name in ("storage_policy.yaml", "protection_and_retention_policy.yaml"):
            (root / "config" / name).unlink(missing_ok=True)
    else:
        shutil.copytree(REPOSITORY / "docs", root / "docs")
    for name in ("build/x/big.bin", "node_modules/a/index.js", "archive/diagnostics/old.log"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 4000)
    (root / "config").mkdir(exist_ok=True)
    (root / "config/storage.yaml").write_text(json.dumps(POLICY))
    for top in ("build", "node_modules", "archive/diagnostics"):
        age(root / top)
    return root


def age(top: Path) -> None:
    """Make a folder and everything in it old."""
    then = time.time() - OLD_S
    for path in (*top.rglob("*"), top):
        os.utime(path, (then, then), follow_symlinks=False)


def commands() -> Iterator[list[str]]:
    """Yield the words of each command in the page's story, without its comment."""
    [story] = re.findall(r"```console\n(.*?)```", PAGE.read_text(), flags=re.S)
    for line in story.splitlines():
        yield shlex.split(line.partition("  #")[0])


def people(root: Path) -> dict[str, bytes]:
    """Return the files of the tree that are no state of ours."""
    return {name: data for name, data in everything(root).items() if not name.startswith(STATE)}


def test_the_story_of_the_page_runs_as_it_is_written(tree: Path, run_flow) -> None:
    known: dict[str, str] = {}
    before = people(tree)
    states = []
    for words in commands():
        module, rest = words[2].removeprefix("flows."), words[3:]
        typed = [known.get(word, word) for word in rest if word != "--json"]
        done = run_flow(module, *typed, "--workspace", tree, "--engine", "direct", "--json")
        assert done.returncode == 0, (words, done.stderr)
        for name, key in KEYS.items():
            known[name] = str(done.report.get(key) or known.get(name, ""))
        states.append(people(tree))
    scan, approve, look, execute, undo, _, _, again, allow, purge, verify = states
    assert scan == approve == look == undo == before
    gone = set(before) - set(execute)
    assert {"build/x/big.bin", "node_modules/a/index.js", "archive/diagnostics/old.log"} <= gone
    assert all(name.startswith(TOPS) for name in gone)
    assert execute == again == allow == purge == verify
    assert done.report["counts"]["journals"] == 2
    assert audit.verify(tree / audit.AUDIT_FILE) is None
    assert not list((tree / ".autopack-quarantine").rglob("*.*"))
