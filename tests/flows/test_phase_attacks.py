"""Ways to hide from a phase's end, or to keep it from ending, that somebody has tried."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.support.phase_runs import lay_out
from tests.support.redirects import git
from tests.support.session import REPOSITORY, clean_environment
from tests.support.storage_trees import bury


@pytest.fixture
def root(tmp_path):
    return lay_out(tmp_path / "ws")


@pytest.fixture
def phase(run_flow, root):
    """Return `phase("begin", ...)`: run a subcommand on the spec beside the workspace."""

    def run(what, *words, **options):
        where = ("--workspace", root, "--engine", "direct", "--json")
        return run_flow("phase_check", what, root.parent / "plan.json", *words, *where, **options)

    return run


@pytest.fixture
def begun(phase):
    done = phase("begin")
    assert done.returncode == 0, done.stderr
    return done.report


def told(report):
    return {(f["path"], f["code"]) for f in report["findings"]}


def test_a_crowd_of_warnings_hides_no_violation(phase, root, begun):
    """A tool's cache of some hundred files is the usual case; its names sort before others."""
    (root / ".mypy_cache").mkdir()
    for number in range(300):
        (root / f".mypy_cache/{number}").write_text("x")
    (root / "src/other/lib.py").write_text("sly\n")
    done = phase("end")
    assert done.returncode == 1, done.stdout
    assert ("src/other/lib.py", "PS701") in told(done.report)


def test_read_only_context_that_is_gone_is_a_violation(phase, root, begun):
    (root / "README.md").unlink()
    done = phase("end", "--execute")
    assert done.returncode == 1, done.stdout
    assert ("README.md", "PS709") in told(done.report)


def test_a_scope_that_became_a_link_is_a_violation(phase, root, begun):
    shutil.move(root / "src/app", root.parent / "elsewhere")
    (root / "src/app").symlink_to(root.parent / "elsewhere")
    done = phase("end", "--execute")
    assert done.returncode == 1, done.stdout
    assert ("src/app", "PS705") in told(done.report)


def test_a_branch_that_became_a_link_is_a_violation(phase, root, begun):
    ref = root / ".git/refs/heads/side"
    (root / "src/app/ref").write_bytes(ref.read_bytes())
    ref.unlink()
    ref.symlink_to("../../../src/app/ref")
    done = phase("end")
    assert (".git/refs/heads/side", "PS712") in told(done.report), done.stdout


@pytest.mark.parametrize("name", [".git/refs/heads/pipe", ".git/packed-refs", ".git/HEAD"])
def test_a_pipe_among_gits_branches_keeps_nobody_waiting(phase, root, begun, name):
    (root / name).unlink(missing_ok=True)
    os.mkfifo(root / name)
    done = phase("end", "--max-seconds", "30")
    assert done.returncode == 1, done.stdout


@pytest.mark.parametrize("name", ["*.json", "*/before.zip"])
@pytest.mark.parametrize("with_", ["pipe", "link"])
def test_a_snapshot_that_is_no_file_is_refused(phase, root, begun, name, with_):
    path = next((root / ".autonomous_runs/phases").glob(name))
    path.rename(root.parent / "kept")
    os.mkfifo(path) if with_ == "pipe" else path.symlink_to(root.parent / "kept")
    done = phase("end", "--max-seconds", "30")
    assert done.returncode == 6, done.stdout


def test_a_crash_between_the_two_names_of_a_closed_phase_heals(phase, root, begun):
    path = next((root / ".autonomous_runs/phases").glob("*.json"))
    path.with_suffix(".done").write_bytes(path.read_bytes())
    done = phase("end", "--execute")
    assert done.returncode == 0, done.stdout
    assert not path.exists()


def test_a_crash_between_the_two_names_of_a_phase_begun_anew_heals(phase, root, begun):
    path = next((root / ".autonomous_runs/phases").glob("*.json"))
    path.with_suffix(".left").write_bytes(path.read_bytes())
    assert phase("begin", "--again").returncode == 0
    assert not path.exists()


def test_the_list_says_of_each_file_what_is_kept(phase, root, begun):
    """More than are copied, and a folder that became a file over what lay in it."""
    shutil.rmtree(root / "src/other")
    (root / "src/other").write_text("a file now\n")
    (root / "heap").mkdir()
    for number in range(2010):
        (root / f"heap/{number}").write_text("x")
    files = phase("end", "--execute").report["writes"]["files"]
    listed = json.loads((root / files[-1]).read_text())["violations"]
    patch = (root / next(n for n in files if n.endswith(".patch"))).read_text()
    for row in listed:
        if row["earlier_content"] == "in the patch":
            assert f"--- a/{row['path']}\n" in patch, row
        assert (row["earlier_content"] == "there was none") == (row["before"] is None), row
    assert {row["earlier_content"] for row in listed} == {"not kept", "there was none"}
    assert sum(row["copied"] for row in listed) == sum("/files/" in name for name in files)


def test_a_very_long_path_is_quarantined_too(phase, root, begun):
    bury(root, ["d" * 200] * 40, "f")
    (root / "new.txt").write_text("n")
    done = phase("end", "--execute")
    assert done.returncode == 1, done.stdout + done.stderr
    files = done.report["writes"]["files"]
    assert any(name.endswith("violations.json") for name in files)
    assert any(name.endswith("/new.txt") for name in files)


def test_line_ends_are_lines_whatever_git_is_told(phase, root, begun, tmp_path):
    (tmp_path / "gitconfig").write_text("[core]\n\tautocrlf = input\n")
    (root / "src/app/main.py").write_bytes(b"x = 1\r\n")
    (root / ".gitattributes").write_text("* text\n")
    done = phase("end", env={"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")})
    assert done.report["counts"]["lines"] == 2, done.stdout


def test_an_owner_that_changed_is_a_violation(phase, root, begun):
    try:
        os.chown(root / "src/other/lib.py", 12345, 12345)
    except PermissionError:
        pytest.skip("only root gives files away")
    done = phase("end")
    assert ("src/other/lib.py", "PS704") in told(done.report)


def test_advice_names_the_workspace(phase, root):
    for step in phase("begin").report["next_steps"]:
        assert f"--workspace {root}" in step["command"]
    (root / "new.txt").write_text("n")
    for step in phase("end", "--execute").report["next_steps"]:
        assert str(root) in step["command"]


def test_what_git_tracks_is_no_cache(phase, root):
    (root / "src/other/__pycache__").mkdir()
    (root / "src/other/__pycache__/kept.py").write_text("1\n")
    git(root, "add", "-f", "src/other/__pycache__/kept.py")
    assert phase("begin").returncode == 0
    (root / "src/other/__pycache__/kept.py").write_text("2\n")
    done = phase("end")
    assert ("src/other/__pycache__/kept.py", "PS701") in told(done.report)


def test_hooks_are_watched_where_gits_folder_is_a_link(phase, root):
    (root / ".git").rename(root.parent / "gitdir")
    (root / ".git").symlink_to(root.parent / "gitdir")
    assert phase("begin").returncode == 0
    (root.parent / "gitdir/hooks/pre-push").write_text("#!/bin/sh\n")
    done = phase("end")
    assert (".git/hooks/pre-push", "PS711") in told(done.report), done.stdout


def test_more_bytes_than_memory_can_be_uncounted_but_not_unseen(root, monkeypatch):
    from autopack.deadline import Deadline
    from autopack.io import phase_contents
    from autopack.io.phase_walk import take_census
    from autopack.phases.census import changes

    then = take_census(root, Deadline.after(600))
    for number in range(4):
        with (root / f"src/app/{number}").open("wb") as file:
            file.truncate(1 << 20)
    found = list(changes(then, take_census(root, Deadline.after(600), then)))
    monkeypatch.setattr(phase_contents, "CARRIED", (2 << 20) + 10)
    earlier = phase_contents.Earlier(
        root, phase_contents.contents_of(root, (), Deadline.after(600)), "", Deadline.after(600)
    )
    shown = [after is not None for _, _, after in phase_contents.sides(root, found, earlier)]
    assert shown == [True, True, False, False]


def unprivileged():
    """Return words before a command that take root's right to read everything."""
    if os.geteuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root reads everything, and there is no setpriv")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def test_a_folder_that_nobody_can_enter_is_a_violation(phase, root, begun):
    """Else a phase could hide any number of files in a folder of its own."""
    hidden = root / "src/app/hidden"
    hidden.mkdir()
    for number in range(20):
        (hidden / str(number)).write_text("x")
    hidden.chmod(0)
    command = [*unprivileged(), sys.executable, "-m", "flows.phase_check", "end"]
    done = subprocess.run(
        [*command, str(root.parent / "plan.json"), "--workspace", str(root), "--engine", "direct",
         "--json"], capture_output=True, check=False, cwd=REPOSITORY, env=clean_environment(),
    )  # fmt: skip
    hidden.chmod(0o755)
    assert done.returncode == 1, done.stdout + done.stderr
    assert ("src/app/hidden", "PS716") in told(json.loads(done.stdout))


@pytest.mark.parametrize("name", [".locks", "_index", "reports"])
def test_a_link_in_place_of_the_projects_state_is_a_violation(phase, root, begun, name):
    """Whatever runs next would write where it leads."""
    state = root / ".autonomous_runs" / name
    state.mkdir(exist_ok=True)
    state.rename(root.parent / "moved")
    state.symlink_to(root.parent / "moved")
    done = phase("end")
    assert done.returncode == 1, done.stdout
    assert (f".autonomous_runs/{name}", "PS705") in told(done.report)


def test_a_name_that_begins_like_anothers_is_watched(phase, root, begun):
    (root / ".git/worktrees-too").mkdir()
    assert (".git/worktrees-too", "PS711") in told(phase("end").report)


def _repository_among_objects(root):
    git(root, "init", "-q", str(root / "src/app/objects/vendor"))


def _repository_called_objects(root):
    git(root, "init", "-q", str(root / "src/app/objects"))


def _link_among_objects(root):
    (root / "src/app/objects").mkdir()
    (root / "src/app/objects/.git").write_text("gitdir: /elsewhere\n")


@pytest.mark.parametrize(
    ("do", "path"),
    [
        (_repository_among_objects, "src/app/objects/vendor/.git"),
        (_repository_called_objects, "src/app/objects/.git"),
        (_link_among_objects, "src/app/objects/.git"),
    ],
)
def test_a_repository_in_a_folder_called_objects_is_a_violation(phase, root, begun, do, path):
    do(root)
    done = phase("end")
    assert done.returncode == 1, done.stdout
    assert (path, "PS714") in told(done.report)


def test_the_hook_of_a_submodule_called_objects_is_watched(phase, root):
    for name in (".git/modules/objects", "src/app/objects/.git"):
        (root / name / "hooks").mkdir(parents=True)
        (root / name / "objects/pack").mkdir(parents=True)
        (root / name / "HEAD").write_text("ref: refs/heads/main\n")
    assert phase("begin").returncode == 0
    for name in (".git/modules/objects", "src/app/objects/.git"):
        (root / name / "hooks/post-checkout").write_text("#!/bin/sh\n")
        (root / name / "objects/pack/pack-1.pack").write_text("what git says itself")
    found = told(phase("end").report)
    assert found == {(".git/modules/objects/hooks/post-checkout", "PS711"),
                     ("src/app/objects/.git/hooks/post-checkout", "PS711")}  # fmt: skip


def test_where_git_looks_for_more_objects_is_watched(phase, root, begun):
    (root / ".git/objects/info/alternates").write_text("/elsewhere\n")
    assert told(phase("end").report) == {(".git/objects/info/alternates", "PS711")}


def test_no_two_copies_in_quarantine_take_one_name(phase, root, begun):
    names = (".git/hooks/pre-push", "dot-git/hooks/pre-push", "dot-git_/hooks/pre-push",
             ".GIT/hooks/pre-push", "src/dot-git")  # fmt: skip
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    done = phase("end", "--execute")
    assert done.returncode == 1, done.stdout + done.stderr
    copies = {(root / n).read_text() for n in done.report["writes"]["files"] if "/files/" in n}
    assert copies == {*names} - {".GIT/hooks/pre-push"}, "what is in a new repository goes with it"


def test_a_very_deep_path_is_quarantined_too(phase, root, begun):
    bury(root, ["d"] * 1000, "f")
    try:
        (root / "new.txt").write_text("n")
        done = phase("end", "--execute")
    finally:
        subprocess.run(["rm", "-rf", root / "d"], check=True)  # Python's own removal is not so deep
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(name.endswith("/new.txt") for name in done.report["writes"]["files"])


def test_configuration_that_keeps_git_waiting_is_told_and_keeps_nothing(root, monkeypatch):
    """It includes a pipe that nobody writes."""
    from autopack.deadline import Deadline
    from autopack.errors import Unreachable
    from autopack.io import phase_contents, phase_walk
    from autopack.io.phase_contents import Earlier, contents_of
    from autopack.phases.census import changes

    monkeypatch.setattr(phase_walk, "ANSWERS_WITHIN_S", 1)
    within = Deadline.after(600)
    then = phase_walk.take_census(root, within)
    os.mkfifo(root.parent / "pipe")
    with (root / ".git/config").open("a") as file:
        file.write(f"[include]\n\tpath = {root.parent}/pipe\n")
    now = phase_walk.take_census(root, within, then)
    assert [change.path for change in changes(then, now)] == [".git/config"]
    assert now.index == {"": "unreadable"}
    with pytest.raises(Unreachable, match="no answer"):
        phase_walk.take_census(root, within)
    monkeypatch.setattr(phase_contents, "ANSWERS_WITHIN_S", 1)
    asked = []
    ask = phase_contents.ask_git
    monkeypatch.setattr(phase_contents, "ask_git", lambda *w, **m: asked.append(w) or ask(*w, **m))
    earlier = Earlier(root, contents_of(root, (), within), "0" * 40, within)
    items = {path: item for path, item in then.items.items() if path.startswith("src/other/")}
    assert {earlier.content(path, item) for path, item in items.items()} == {None}
    assert (len(items), len(asked)) == (2, 1), "it is asked once"


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[]", b'{"census": {"items": []}}', b'"x"'])
def test_a_snapshot_of_another_form_is_refused(body, phase, root, begun):
    """Its own digest fits; what it holds was never written by a run."""
    from hashlib import sha256

    path = next((root / ".autonomous_runs/phases").glob("*.json"))
    if b"items" in body:
        value = json.loads(path.read_bytes())["snapshot"]
        value["census"]["items"] = []
        body = json.dumps(value).encode()
    head = path.read_bytes().partition(b'"sha256":"')
    path.write_bytes(
        head[0] + head[1] + sha256(body).hexdigest().encode() + b'","snapshot":' + body + b"}\n"
    )
    done = phase("end")
    assert done.returncode == 6, done.stdout
    assert "cannot be trusted" in done.report["message"]


def test_a_phase_ends_in_a_hook_as_anywhere(phase, root, begun, tmp_path):
    """Git tells its hooks which repository and which index are meant: here, others."""
    git(root, "init", "-q", str(tmp_path / "other"))
    (root / "docs/INDEX.md").write_text("# Index\nmore\n")
    hook = {
        "GIT_DIR": str(tmp_path / "other/.git"),
        "GIT_INDEX_FILE": str(tmp_path / "other/.git/next-index-1.lock"),
        "GIT_WORK_TREE": str(tmp_path / "other"),
        "GIT_DIFF_OPTS": "-u0",
    }
    done = phase("end", "--execute", env=hook)
    assert told(done.report) == {("docs/INDEX.md", "PS709")}, done.stdout + done.stderr
    patch = next(n for n in done.report["writes"]["files"] if n.endswith(".patch"))
    assert " # Index\n+more\n" in (root / patch).read_text()
