"""Every writer takes its locks: by its flow, by what it calls, and by what is left behind."""

from __future__ import annotations

import ast
import inspect as python
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from autopack.io.locks import inspect
from tasks.engine import options_of, plain
from tests.autopack.sot.counted import true_files
from tests.support import rule_papers, storage_flow
from tests.support.redirects import with_moved_page
from tests.support.rule_papers import with_a_rule
from tests.support.session import REPOSITORY, clean_environment

RULE = rule_papers.changes("table", "odd", "closed")[0].rule.id
PHASE = (
    str(REPOSITORY / "tests/support/phase_plan.json"),
    "--policy", str(REPOSITORY / "tests/support/policy_of_phases.yaml"),
)  # fmt: skip
WRITERS = {
    ("sot_sync", ""): (["--full", "--execute", "--qdrant-host", "embedded"], {"index"}),
    ("sot_counts", ""): (["--execute"], {"docs"}),
    ("doc_links", ""): (["--fix", "certain", "--execute"], {"docs"}),
    ("doc_redirects", ""): (["--execute"], {"docs"}),
    ("tidy", ""): (["--quick", "--execute"], {"tidy", "queue", "archive", "docs"}),
    ("failure_rules", "mine"): (["--execute"], {"index"}),
    ("failure_rules", "append"): (["--execute"], {"docs"}),
    ("failure_rules", "overturn"): (
        [RULE, "--event", "e1", "--by", "Ada Lovelace", "--execute"],
        {"docs"},
    ),
    ("phase_check", "begin"): ([*PHASE, "--execute"], {"runs"}),
    ("phase_check", "end"): ([*PHASE, "--execute"], {"runs"}),
    ("phase_check", "run"): ([*PHASE, "--execute", "--", "true"], {"runs"}),
    ("storage_apply", "execute"): ([storage_flow.REPORT, "{approval}", "--execute"], {"storage"}),
    ("storage_apply", "undo"): (["{run}", "--execute"], {"storage"}),
    ("storage_apply", "purge"): (["{run}", "{approval}", "--execute"], {"storage"}),
}
"""Flows that can write, how to make them, and the locks they hold alone."""
SLOW = {"storage_apply": "10"}
"""How long a flow is given that reads its papers before it can know its locks, in seconds."""
BEFORE = {("phase_check", "end"): ("begin", *PHASE, "--execute")}
"""What must have been done before a flow has something to write."""
MAKERS = {("phase_check", "begin")}
"""Writers that have no dry run: what they write is the product that they are asked for."""
UNLOCKED = {
    ("locks", "break"): "it takes locks away, so it can wait for none",
    ("status", ""): "it looks while others work, and appends under the flock of its own history",
}

MUTATORS = {
    "autopack/io/replace.py": "under the fence of whoever replaces a page",
    "autopack/io/vectors_embedded.py": "under the engine's own kernel lock, and `index` above it",
    "autopack/io/folders.py": "under the fence of whoever makes or removes a folder",
    "autopack/io/locks.py": "the lock folder itself",
    "autopack/io/lock_break.py": "the lock file itself",
    "autopack/io/link_cache.py": "a cache outside the workspace, put in place as a whole",
    "autopack/io/check_cache.py": "a cache outside the workspace, put in place as a whole",
    "autopack/io/check_files.py": "a copy in a private temporary folder",
    "autopack/io/rule_files.py": "papers and the identity of a checkout, each whole or not at all",
    "autopack/io/audit.py": "under the flock of the audit file",
    "autopack/io/beneath.py": "folders of a move, under the fence of the mover",
    "autopack/io/broker.py": "a file of a phase, only while it is as it was read",
    "autopack/io/confine.py": "empty files that a scope names, under the lock of runs",
    "autopack/io/private.py": "a private temporary folder",
    "autopack/io/phase_diff.py": "a private temporary folder",
    "autopack/io/copying.py": "names only its maker knows, and removals under the mover's fence",
    "autopack/io/no_replace.py": "under the fence of whoever moves, and never over anything",
    "autopack/io/storage_journal.py": "under the fence, and under the flock of the journal",
    "autopack/io/storage_listing.py": "under the flock of the run's journal",
    "autopack/io/storage_places.py": "under the fence of whoever moves",
    "autopack/io/storage_purge.py": "under the fence of whoever purges",
    "autopack/io/storage_quarantine.py": "under the fence of whoever moves, never over anything",
    "autopack/io/storage_undo.py": "under the fence of whoever undoes",
    "autopack/io/move_act.py": "under the fence of whoever moves",
    "autopack/io/move_recovery.py": "under the fence of whoever recovers",
    "autopack/io/move_journal.py": "under the flock of the journal",
    "autopack/io/move_queue.py": "under the fence, and only while the file is as it was read",
    "autopack/io/health_history.py": "under the flock of the history",
    "deployments/reference.py": "a page of this repository, by hand, as a formatter does",
    "tasks/run.py": "a traceback, in a file of its own name",
    "tasks/temporary.py": "the folder of the Prefect server",
    "deployments/server.py": "the same folder; the record in it under its own flock",
}
"""Modules that change files, and what keeps two of them apart."""
CHANGES = {
    "replace", "rename", "unlink", "remove", "rmtree", "mkdir", "makedirs", "rmdir", "write_text",
    "write_bytes", "symlink_to", "hardlink_to", "touch", "move", "copy2", "copytree", "copyfile",
    "link", "symlink",
}  # fmt: skip


def flows() -> Iterator[tuple[str, str, object]]:
    """Yield every flow of flows/: its module, its subcommand, the function."""
    for path in sorted((REPOSITORY / "flows").glob("*.py")):
        module = import_module(f"flows.{path.stem}")
        for name, found in vars(module).items():
            inner = plain(found) if callable(found) else None
            if inner and inner.__module__ == module.__name__ and options_of(inner).prefect:
                yield path.stem, name.removeprefix(path.stem).strip("_"), inner


def test_every_flow_that_can_write_is_known_to_take_locks() -> None:
    writers = {
        (module, command)
        for module, command, fn in flows()
        if "execute" in python.signature(fn).parameters
    }
    assert writers == WRITERS.keys() | UNLOCKED.keys()


def words(writer: tuple[str, str], root: Path, *flags: object) -> list[object]:
    """Return a writer's command line: other flags come before its own."""
    own = [storage_flow.named(root, word) for word in WRITERS[writer][0]]
    return [*([writer[1]] if writer[1] else []), *flags, *own]


@pytest.fixture
def ready(make_workspace, run_flow):
    """Return `ready(writer, files)`: a workspace in which it has work, and nobody left a lock."""

    def make(writer, files):
        root = with_a_rule(with_moved_page(make_workspace(files)))
        if before := BEFORE.get(writer):
            done = run_flow(writer[0], *before, "--workspace", root, "--engine", "direct")
            assert done.returncode == 0, done.stderr
            shutil.rmtree(root / ".autonomous_runs/.locks")
        if writer[0] == "storage_apply":
            storage_flow.prepare(root, run_flow, writer[1])
        return root

    return make


@pytest.mark.parametrize("writer", WRITERS, ids=" ".join)
def test_a_writer_holds_its_locks_and_a_dry_run_none(writer, run_flow, ready) -> None:
    root, alone = ready(writer, true_files()), WRITERS[writer][1]
    wet = words(writer, root, "--workspace", root, "--engine", "direct", "--json")
    if writer not in MAKERS:
        dry = [word for word in wet if word != "--execute"]
        assert run_flow(writer[0], *dry).returncode == 0
        assert not (root / ".autonomous_runs/.locks").exists()
    done = run_flow(writer[0], *wet)
    assert done.returncode == 0, done.stderr
    assert done.report["coordination"] == "local"
    taken = {seen.name for seen in inspect(root) if seen.generation}
    assert taken == alone
    umbrella = done.report["held"]["generations"]["tidy"]
    assert (umbrella > 0) == ("tidy" in alone), "the umbrella, shared by all but tidy itself"
    assert {seen.kernel for seen in inspect(root)} == {"free"}


@pytest.mark.parametrize("writer", WRITERS, ids=" ".join)
def test_a_writer_waits_for_whoever_holds_the_umbrella(writer, run_flow, ready) -> None:
    from autopack.deadline import Deadline
    from autopack.io.locks import MultiLock, Owner

    root = ready(writer, true_files())
    with MultiLock(root, {"tidy": "exclusive"}, Owner("tidy"), Deadline.after(60)):
        seconds = SLOW.get(writer[0], "2")
        where = ("--workspace", root, "--engine", "direct", "--max-seconds", seconds)
        done = run_flow(writer[0], *words(writer, root, *where))
    assert done.returncode == 5
    assert "lock 'tidy' is busy" in done.stderr
    assert not (root / "autopack.db").exists()


WATCHED = """
import os, runpy, sys
root, flow, *words = sys.argv[1:]
state = (".autonomous_runs/.locks", ".autonomous_runs/audit.jsonl", "/engine.lock")
unlocked = []

def writes(event, args):
    if event == "open":
        mode, flags = args[1], args[2]
        made = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
        return set(mode or "") & set("wax+") if mode else flags & made
    return event in {"os.rename", "os.remove", "os.truncate", "os.link", "os.symlink", "os.rmdir"}

def hook(event, args):
    if not args or not isinstance(args[0], (str, bytes)) or not writes(event, args):
        return
    path = os.path.abspath(os.fsdecode(args[0]))
    if path.startswith(root) and not any(part in path for part in state):
        held = sys.modules.get("autopack.io.lock_heartbeat")
        if held is None or not held.live():
            unlocked.append(f"{event} {path}")

sys.addaudithook(hook)
sys.argv[1:] = words
try:
    runpy.run_module(f"flows.{flow}", run_name="__main__")
finally:
    print("UNLOCKED", unlocked, file=sys.stderr)
"""


@pytest.mark.parametrize("writer", WRITERS, ids=" ".join)
def test_no_file_is_written_while_no_lock_is_held(writer, ready) -> None:
    files = true_files()
    files["README.md"] = files["README.md"].replace(b"entries**: 3", b"entries**: 4")
    root = ready(writer, files)
    told = words(writer, root, "--workspace", str(root), "--engine", "direct")
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(root), writer[0], *told],
        cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.rstrip().endswith("UNLOCKED []"), done.stderr


def calls(path: Path) -> set[str]:
    """Return the names of the calls in a module that change files."""
    tree = ast.parse(path.read_text())
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    owners = {"os", "shutil"}
    return {
        call.attr
        for call in called
        if isinstance(call, ast.Attribute) and call.attr in CHANGES
        if call.attr not in {"replace", "remove", "copy2", "move", "link"}
        or getattr(call.value, "id", "") in owners
    }


def test_files_are_changed_where_a_lock_is_known_and_nowhere_else() -> None:
    changing = {
        path.relative_to(REPOSITORY).as_posix()
        for floor in ("autopack", "tasks", "flows", "deployments")
        for path in (REPOSITORY / floor).rglob("*.py")
        if calls(path)
    }
    assert changing == MUTATORS.keys()


def test_what_writes_pages_and_rows_cannot_be_called_without_a_fence() -> None:
    from autopack.io.database import Database
    from autopack.io.feed import feed
    from autopack.io.move_queue import QueueFile, retry
    from autopack.io.moves import apply, recover, undo
    from autopack.io.publish import Permit
    from autopack.io.replace import remove_file, replace_file
    from autopack.io.storage_quarantine import Hands
    from autopack.io.storage_rows import Rows
    from autopack.io.storage_runs import working

    for function, needed in (
        (replace_file, "fence"), (remove_file, "fence"),
        (Database.writing, "fence"), (Permit, "fence"), (feed, "check"),
        *((mover, term) for mover in (apply, recover, undo, retry) for term in ("check", "fence")),
        (QueueFile.save, "fence"), (working, "fence"), (Hands, "fence"), (Rows, "fence"),
    ):  # fmt: skip
        parameter = python.signature(function).parameters[needed]
        assert parameter.default is python.Parameter.empty
