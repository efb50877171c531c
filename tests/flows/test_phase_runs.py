"""A phase begins, somebody writes, the phase ends: whatever was not its own is found."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest

from autopack.io.audit import AUDIT_FILE, append, verify
from tests.support.phase_runs import CLEAN, FILES, VIOLATIONS, lay_out, write_spec
from tests.support.phase_specs import GOOD, spoiled
from tests.support.redirects import git


@pytest.fixture
def root(tmp_path):
    return lay_out(tmp_path / "ws")


@pytest.fixture
def phase(run_flow, root):
    """Return `phase("begin", ...)`: run a subcommand on the spec beside the workspace."""

    def run(what, *words, spec="plan.json", form="--json"):
        where = ("--workspace", root, "--engine", "direct", *([form] if form else []))
        return run_flow("phase_check", what, root.parent / spec, *words, *where)

    return run


@pytest.fixture
def begun(phase):
    done = phase("begin")
    assert done.returncode == 0, done.stderr
    return done.report


def told(report):
    return {(f["path"], f["code"]) for f in report["findings"]}


def everything(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and ".autonomous_runs" not in path.parts
    }


@pytest.mark.parametrize("kind", VIOLATIONS)
def test_every_kind_of_violation_is_found_and_kept(kind, phase, root, begun):
    do, expected = VIOLATIONS[kind]
    do(root)
    left = everything(root)
    done = phase("end", "--execute")
    assert done.returncode == 1, done.stderr
    assert expected.items() <= told(done.report)
    assert {f["severity"] for f in done.report["findings"]} == {"error"}
    kept = [name for name in done.report["writes"]["files"] if name.endswith("violations.json")]
    listed = json.loads((root / kept[0]).read_text())
    rows = {row["path"] for row in (*listed["violations"], *listed["git"])}
    assert len(rows) >= len(expected) - ("" in expected)
    assert everything(root) == left, "nothing is undone"
    assert phase("end").returncode == 1, "the phase is open until it is clean"
    assert verify(root / AUDIT_FILE) is None


@pytest.mark.parametrize("kind", CLEAN)
def test_what_a_phase_may_do_is_clean(kind, phase, root, begun):
    CLEAN[kind](root)
    done = phase("end", "--strict", "--execute")
    assert done.returncode == 0, done.stdout
    assert told(done.report) == set()
    refused = phase("end")
    assert refused.returncode == 6
    assert "has not begun here" in refused.report["message"]
    assert phase("begin").returncode == 0, "and another one can begin"


@pytest.mark.parametrize("flags", [(), ("--execute",)])
def test_begin_writes_its_snapshot_and_nothing_else(phase, root, flags):
    before = everything(root)
    done = phase("begin", *flags)
    assert done.returncode == 0
    assert done.report["writes"]["files"]
    assert all(name.startswith(".autonomous_runs/") for name in done.report["writes"]["files"])
    assert everything(root) == before
    assert phase("end").returncode == 0


def test_without_a_snapshot_nothing_ends(phase):
    done = phase("end")
    assert done.returncode == 6
    assert "begin" in done.report["message"]


def test_a_dry_end_keeps_nothing(phase, root, begun):
    (root / "new.txt").write_text("n")
    before = sorted(root.rglob("*"))
    done = phase("end")
    assert done.returncode == 1
    assert done.report["writes"]["files"] == []
    assert sorted(root.rglob("*")) == before


def test_the_patch_takes_violations_back(phase, root, begun):
    before = everything(root)
    (root / "src/other/lib.py").write_text("lib = 9\nmore = 1\n")
    (root / "src/other/lib.py").chmod(0o755)
    (root / "docs/INDEX.md").unlink()
    (root / "new.txt").write_text("n\n")
    (root / "blob").write_bytes(bytes(range(256)))
    (root / "src/app/l").symlink_to("/etc")
    done = phase("end", "--execute")
    step = next(s for s in done.report["next_steps"] if "apply -R" in s["command"])
    subprocess.run(step["command"].split(), cwd=root, check=True)
    assert everything(root) == before
    assert phase("end", "--execute").returncode == 0


def test_copies_are_kept_and_git_obeys_none_of_them(phase, root, begun):
    (root / "new.txt").write_text("n\n")
    (root / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    files = phase("end", "--execute").report["writes"]["files"]
    kept = {name.partition("/files/")[2]: name for name in files if "/files/" in name}
    assert set(kept) == {"new.txt", "dot-git/hooks/pre-commit"}
    assert (root / kept["new.txt"]).read_text() == "n\n"


def test_a_cache_is_a_warning(phase, root, begun):
    (root / "src/other/__pycache__").mkdir()
    (root / "src/other/__pycache__/lib.pyc").write_bytes(b"x")
    done = phase("end")
    assert done.returncode == 0
    assert {f["code"] for f in done.report["findings"]} == {"PS730"}
    assert phase("end", "--strict").returncode == 1
    (root / "src/other/__pycache__/l.pyc").symlink_to("/etc")
    assert phase("end").returncode == 1


def test_files_and_lines_are_counted_as_git_does(phase, root, begun):
    (root / "src/app/main.py").write_text("x = 1\ny = 2\nz = 3\n")
    (root / "src/app/old.py").unlink()
    counts = phase("end").report["counts"]
    assert (counts["files"], counts["lines"]) == (2, 3)


def test_many_violations_are_told_without_end(phase, root, begun):
    (root / "heap").mkdir()
    for number in range(300):
        (root / f"heap/{number}").write_text("x")
    done = phase("end")
    assert len(done.report["findings"]) == 200
    assert done.report["counts"]["violations"] == 301
    assert "101 more" in done.report["message"]


def spoil_snapshot(root):
    path = next((root / ".autonomous_runs/phases").glob("*.json"))
    path.write_bytes(path.read_bytes().replace(b"src/other/lib.py", b"src/other/lib.pY"))


def forge_snapshot(root):
    """Write a snapshot of now with a digest of its own that fits."""
    from hashlib import sha256

    path = next((root / ".autonomous_runs/phases").glob("*.json"))
    head, _, body = path.read_bytes().partition(b'"snapshot":')
    body = body[:-2].replace(b"src/app/", b"src/")
    start = head[: head.index(b'"sha256":"') + 10]
    digest = sha256(body).hexdigest().encode()
    path.write_bytes(start + digest + b'","snapshot":' + body + b"}\n")


def spoil_contents(root):
    path = next((root / ".autonomous_runs/phases").glob("*/before.zip"))
    path.write_bytes(path.read_bytes()[:-3])


def spoil_chain(root):
    append(root, {"flow": "another"}, max_wait_s=5)  # only what has a line behind it is chained
    path = root / AUDIT_FILE
    path.write_bytes(path.read_bytes().replace(b"phase-check-begin", b"phase-check-begun"))


def another_snapshot(root):
    path = next((root / ".autonomous_runs/phases").glob("*.json"))
    path.with_name("20990101T000000Z-app-change-abcdef.json").write_bytes(path.read_bytes())


def other_policy(root):
    (root / "config/phase_policy.yaml").write_text("scratch: []\n")


REFUSED = {
    "a snapshot that was edited": (spoil_snapshot, "cannot be trusted"),
    "a snapshot that was forged": (forge_snapshot, "the audit chain knows another one"),
    "earlier contents that were cut": (spoil_contents, "cannot be trusted"),
    "an audit chain that was edited": (spoil_chain, "cannot be trusted"),
    "a second snapshot": (another_snapshot, "two snapshots"),
    "another policy": (other_policy, "the policy has changed"),
    "another spec": (
        lambda root: write_spec(root, spoiled(("budget.files", 9))), "the spec"),
    "no snapshot": (
        lambda root: next((root / ".autonomous_runs/phases").glob("*.json")).unlink(),
        "has not begun here"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_compared_is_refused(what, phase, root, begun):
    do, words = REFUSED[what]
    do(root)
    done = phase("end", "--execute")
    assert done.returncode == 6, done.stdout
    assert words in done.report["message"]
    assert "flows.phase_check begin" in done.report["message"]


def test_a_digest_kept_elsewhere_pins_the_snapshot(phase, root, begun):
    digest = begun["phase"]["snapshot_sha256"]
    assert phase("end", "--digest", digest).returncode == 0
    assert phase("end", "--digest", "0" * 64).returncode == 6


def test_one_phase_at_a_time(phase, root, begun):
    again = phase("begin")
    assert again.returncode == 6
    assert "--again" in again.report["message"]
    (root.parent / "other.json").write_text(json.dumps(spoiled(("phase_id", "other"))))
    other = phase("begin", spec="other.json")
    assert other.returncode == 6
    assert "checkout of its own" in other.report["message"]
    assert phase("begin", "--again").returncode == 0
    assert phase("end", "--execute").returncode == 0


def test_which_phase_is_meant_must_be_said(phase, root):
    plan = {"phases": [GOOD, spoiled(("phase_id", "second"))]}
    write_spec(root, plan)
    done = phase("begin")
    assert done.returncode == 6
    assert "--phase app-change" in done.report["message"]
    assert phase("begin", "--phase", "third").returncode == 2
    assert phase("begin", "--phase", "second").returncode == 0
    assert phase("end", "--phase", "second").returncode == 0


def test_a_spec_with_errors_begins_nothing(phase, root):
    write_spec(root, spoiled(("scope.paths", ["docs/../.git/config"])))
    done = phase("begin")
    assert done.returncode == 6
    assert "PS209" in done.report["message"]
    assert "validate" in done.report["message"]


def test_an_edit_in_the_same_tick_as_the_snapshot_is_seen(root):
    """A file's times may not move when it is written again at once; its size neither."""
    from autopack.deadline import Deadline
    from autopack.io.phase_walk import take_census
    from autopack.phases.census import changes

    path = root / "src/other/lib.py"
    for number in range(50):
        path.write_text(f"lib = {number % 10}\n")
        then = take_census(root, Deadline.after(60))
        path.write_text(f"lib = {(number + 1) % 10}\n")
        now = take_census(root, Deadline.after(60), then)
        assert [c.path for c in changes(then, now)] == ["src/other/lib.py"]


def test_what_did_not_change_is_not_read_again(root, monkeypatch):
    from autopack.deadline import Deadline
    from autopack.io import phase_walk

    old = time.time() - 60
    monkeypatch.setattr(phase_walk.time, "time_ns", lambda: time.monotonic_ns() + (1 << 62))
    then = phase_walk.take_census(root, Deadline.after(60))
    read = []
    opened = phase_walk.open_plain
    monkeypatch.setattr(
        phase_walk, "open_plain", lambda folder, name: read.append(name) or opened(folder, name)
    )
    os.utime(root / "README.md", (old, old))
    phase_walk.take_census(root, Deadline.after(60), then)
    assert read == ["README.md"]


def test_a_linked_worktree_tells_its_own_changes_alone(run_flow, root, tmp_path):
    tree = tmp_path / "linked"
    git(root, "worktree", "add", "-q", "-b", "work", str(tree))
    write_spec(root, GOOD)
    spec = root.parent / "plan.json"
    where = ("--workspace", tree, "--engine", "direct", "--json")
    assert run_flow("phase_check", "begin", spec, "--execute", *where).returncode == 0
    git(root, "commit", "-qm", "others work too", "--allow-empty")
    done = run_flow("phase_check", "end", spec, *where)
    assert told(done.report) == set(), done.stdout
    git(tree, "commit", "-qm", "sly", "--allow-empty")
    (root / ".git/hooks/post-checkout").write_text("x")
    git(tree, "config", "a.b", "c")
    done = run_flow("phase_check", "end", spec, *where)
    expected = {(".git/refs/heads/work", "PS712"), (".git/common/config", "PS711"),
                (".git/common/hooks/post-checkout", "PS711")}  # fmt: skip
    assert expected <= told(done.report)


def test_a_workspace_without_git_is_watched_too(run_flow, make_workspace):
    root = make_workspace(FILES)
    write_spec(root, GOOD)
    where = (root.parent / "plan.json", "--workspace", root, "--engine", "direct", "--json")
    assert run_flow("phase_check", "begin", *where, "--execute").returncode == 0
    (root / "src/other/lib.py").write_text("y\n")
    git(root, "init", "-q")
    done = run_flow("phase_check", "end", *where)
    assert {("src/other/lib.py", "PS701"), (".git", "PS714")} <= told(done.report)


def test_what_happens_under_the_hands_of_the_comparison_breaks_nothing(phase, root, begun):
    """Folders go and come, and become links, while everything is looked at."""
    busy = subprocess.Popen(
        ["sh", "-c", "while :; do mv src/other src/o; ln -s /etc src/other; rm src/other;"
         " mv src/o src/other; done"], cwd=root,
    )  # fmt: skip
    try:
        for _ in range(3):
            done = phase("end")
            assert done.returncode in (0, 1), done.stderr
            assert "/etc" not in {f["path"] for f in done.report["findings"]}
    finally:
        busy.kill()
        busy.wait()
