"""The whole story of the page, on a copied real tree: each command as it is written there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from autopack.io import audit
from tests.support.session import REPOSITORY
from tests.support.storage_tree import TOPS, people, real_tree

PAGE = REPOSITORY / "docs/storage.md"
KEYS = {"REPORT": "report_path", "APPROVAL": "approval_path", "RUN": "run"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return real_tree(tmp_path / "tree")


def commands() -> Iterator[list[str]]:
    """Yield the words of each command in the page's story, without its comment."""
    [story] = re.findall(r"```console\n(.*?)```", PAGE.read_text(), flags=re.S)
    for line in story.splitlines():
        yield shlex.split(line.partition("  #")[0])


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
