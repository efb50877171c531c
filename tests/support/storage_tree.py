"""A copy of a real workspace in which some things are old, and may be put away."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from tests.support import corpus
from tests.support.link_checks import everything
from tests.support.session import REPOSITORY

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
OLD_S = 400 * 86400
STATE = (".autonomous_runs", ".autopack-quarantine", "autopack.db")
TOPS = ("build/", "node_modules/", "archive/diagnostics/")
"""Where the old things are."""


def real_tree(root: Path) -> Path:
    """Return a copy of a real workspace in which some things are old: the corpus, or our docs."""
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


def people(root: Path) -> dict[str, bytes]:
    """Return the files of the tree that are no state of ours."""
    return {name: data for name, data in everything(root).items() if not name.startswith(STATE)}
