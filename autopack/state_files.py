"""The one registry of state files: what programs keep in a workspace, and no sweep may touch.

Paths are relative to the workspace, with `/`. Whoever writes such a file takes its place from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from autopack.globs import any_of

RUNS = ".autonomous_runs"
LOCKS = f"{RUNS}/.locks"
AUDIT = f"{RUNS}/audit.jsonl"
INDEXES = f"{RUNS}/_index"
REPORTS = f"{RUNS}/reports"
TIDY = f"{RUNS}/tidy"
RULES = f"{RUNS}/_rules"
PHASES = f"{RUNS}/phases"
LEARNED_RULES = "docs/LEARNED_RULES.json"
FAILURES = f"{INDEXES}/failures.jsonl"
FAMILIES = f"{INDEXES}/failure_families.json"
TIDY_CURSOR = f"{TIDY}/cursor.json"
TIDY_QUEUE = f"{TIDY}/queue.json"
TIDY_JOURNALS = f"{TIDY}/journal"
OLD_TIDY_QUEUE = f"{RUNS}/tidy_pending_moves.json"
DATABASE = "autopack.db"
QUARANTINE = ".autopack-quarantine"
TEMPORARY = ".autopack-*.tmp"
MOVING = ".autopack-move-*"
LINK_RULES = "config/doc_links_ignore.yaml"
TIDY_RULES = "config/tidy.yaml"


@dataclass(frozen=True)
class StateFile:
    """Files or folders that match a glob, with everything in them, and whose they are.

    What is `rebuilt` from other files may be put away by the storage flows; no other sweep has it.
    """

    glob: str
    what: str
    rebuilt: bool = False


# fmt: off
REGISTRY: tuple[StateFile, ...] = (
    StateFile("**/.git", "git"),
    StateFile(".hg", "Mercurial"),
    StateFile(".svn", "Subversion"),
    StateFile(".venv", "a Python environment"),
    StateFile("venv", "a Python environment"),
    StateFile("**/node_modules", "packages", rebuilt=True),
    StateFile("config", "the settings of the workspace and of its flows"),
    StateFile("prefect.yaml", "the deployments"),
    StateFile(".prefectignore", "the deployments"),
    StateFile("preflight.toml", "the checks before a push"),
    StateFile(f"**/{QUARANTINE}", "the quarantine of the storage flows"),
    StateFile(f"**/{TEMPORARY}", "a file on its way to its name"),
    StateFile(f"**/{MOVING}", "a file or folder on its way to its place"),
    StateFile("**/*.db", "a database"),
    StateFile("**/*.db-*", "a database's journal"),
    StateFile("**/*.sqlite", "a database"),
    StateFile("**/*.sqlite-*", "a database's journal"),
    StateFile("**/*.sqlite3", "a database"),
    StateFile("**/*.sqlite3-*", "a database's journal"),
    StateFile(LOCKS, "the locks"),
    StateFile(AUDIT, "the audit chain"),
    StateFile(INDEXES, "the embedded vectors, snapshots and caches"),
    StateFile(REPORTS, "reports"),
    StateFile(RULES, "the identity of the checkout, and the hits of rules"),
    StateFile(PHASES, "the snapshots of phases, and what was put in quarantine"),
    StateFile(TIDY, "the queue, the journals and the cursor of tidy"),
    StateFile(f"{OLD_TIDY_QUEUE}*", "the queue of an older tidy, and what was kept of it"),
    StateFile(f"{RUNS}/tidy_semantic_cache.json", "the cache of an older tidy"),
    StateFile(f"{RUNS}/sot_index_dirty_*.json", "the mark that an index is behind"),
    StateFile(f"{RUNS}/.workspace_leases", "leases"),
    StateFile(f"{RUNS}/_shared", "what runs share"),
    StateFile(f"{RUNS}/active", "runs at work"),
    StateFile(f"{RUNS}/current_run.json", "the run at work"),
    StateFile(f"{RUNS}/autopack", "the executor's own workspace"),
    StateFile(f"{RUNS}/baselines", "the baselines of tests"),
    StateFile(f"{RUNS}/batch_drain_sessions", "sessions that can be resumed"),
    StateFile(f"{RUNS}/checkpoints", "checkpoints"),
    StateFile(f"{RUNS}/tidy_checkpoints", "checkpoints"),
)
# fmt: on


def owner(path: str) -> str | None:
    """Return whose a path is if it is a state file, lies in one, or is a folder around one."""
    for state, itself, within in _compiled():
        if itself.fullmatch(path) or within.match(path) or state.glob.startswith(f"{path}/"):
            return state.what
    return None


@cache
def _compiled() -> tuple[tuple[StateFile, re.Pattern[str], re.Pattern[str]], ...]:
    return tuple((s, any_of([s.glob]), any_of([f"{s.glob}/**"])) for s in REGISTRY)


_REDIRECT = re.compile(rb"\A(?:\xef\xbb\xbf)?---\r?\n(?:(?!---).*\n)*?redirect_to:", re.M)


def is_redirect(data: bytes) -> bool:
    """Return whether a page is a stub that leads on to where a page was moved."""
    return _REDIRECT.match(data) is not None
