"""Scans of real trees: every entry once, nothing behind a link or a mount, three modes in step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded, UsageError
from autopack.io import storage_look, storage_scan
from autopack.io.storage_scan import scan
from autopack.storage.classify import Kind
from autopack.storage.snapshot import NotSeen, totals
from tests.support.session import REPOSITORY
from tests.support.storage_trees import Gardener, chain, full, judged, links, nasty, rows

HOUR_NS = 3600 * 10**9
NOBODY = 65534


def again(root: Path, mode: str, last, **options):
    """Return a scan after another one."""
    return scan(root, mode, {}, last, Deadline.after(600), **options)


def kinds(snapshot) -> dict[str, Kind]:
    """Return the kinds of entries by path."""
    return {path: Kind(k) for path, k in zip(*snapshot.frame.select("path", "kind"), strict=True)}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    return nasty(tmp_path_factory.mktemp("nasty") / "tree")


@pytest.fixture
def two_processes(monkeypatch) -> None:
    """Make small trees worth two processes."""
    monkeypatch.setattr(storage_look, "_FEW", 5)
    monkeypatch.setattr(storage_look, "processors", lambda: 2)


# --- every entry, exactly ---------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_a_scan_sees_what_a_plain_walk_sees(tree, backend) -> None:
    found = full(tree, backend=backend)
    assert rows(found) == judged(tree)
    assert found.not_seen == ()
    assert found.frame["path"].is_sorted()


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_two_processes_give_the_identical_snapshot(tree, backend, two_processes) -> None:
    assert full(tree, backend=backend).sha256 == full(tree, backend="stat").sha256
    assert rows(full(tree, backend=backend)) == judged(tree)


def test_without_openat2_names_are_opened_one_by_one(tree, monkeypatch) -> None:
    from autopack.io import storage_open

    monkeypatch.setattr(storage_open, "_openat2", lambda: None)
    assert rows(full(tree)) == judged(tree)


def test_without_statx_the_scan_says_what_it_used(tree, monkeypatch) -> None:
    from autopack.io import storage_attributes

    def refuse():
        raise OSError(1, "Operation not permitted")

    with_statx = full(tree)
    monkeypatch.setattr(storage_attributes, "_statx", refuse)
    found = full(tree)
    assert (found.backend, with_statx.backend) == ("stat", "statx")
    assert found.remarks == ("no statx (Operation not permitted): attributes are read one by one",)
    assert found.frame.equals(with_statx.frame)


def test_every_row_knows_the_row_of_its_folder(tree) -> None:
    frame = full(tree).frame
    paths = frame["path"].to_list()
    for path, parent in zip(paths, frame["parent"], strict=True):
        assert paths[parent] == path.rpartition("/")[0]


def test_totals_are_those_of_du(tree) -> None:
    done = subprocess.run(["du", "-sx", "-B1", tree], capture_output=True, check=True)
    sums = totals(full(tree).frame)
    assert sums.allocated == int(done.stdout.split()[0])
    assert sums.apparent > 1 << 30, "a sparse file is as long as it says"


def test_links_are_entries_and_never_entered(tree) -> None:
    found = kinds(full(tree))
    below = {path for path in found if path.startswith("links/")}
    assert len(below) == 8
    assert {found[path] for path in below} == {Kind.LINK}


def test_pipes_and_sockets_are_entries_that_nobody_opens(tree) -> None:
    found = kinds(full(tree))
    assert (found["pipe"], found["socket"]) == (Kind.SPECIAL, Kind.SPECIAL)


def test_depth_costs_neither_recursion_nor_descriptors(tmp_path) -> None:
    (tmp_path / "tree").mkdir()
    chain(tmp_path / "tree", 700, "n" * 9)
    before = len(os.listdir("/proc/self/fd"))
    assert full(tmp_path / "tree").frame.height == 1401
    assert full(tmp_path / "tree", backend="stat").frame.height == 1401
    assert len(os.listdir("/proc/self/fd")) == before
    subprocess.run(["rm", "-rf", tmp_path / "tree"], check=True)  # deeper than `shutil` likes


def test_a_folder_of_many_names_is_read_in_parts(tmp_path, monkeypatch) -> None:
    from autopack.io import storage_attributes, storage_walk

    monkeypatch.setattr(storage_attributes, "CAPACITY", 7)
    monkeypatch.setattr(storage_walk, "CAPACITY", 7)
    for n in range(40):
        (tmp_path / f"file{n}").write_bytes(b"x" * n)
        (tmp_path / f"folder{n}").mkdir()
    assert rows(full(tmp_path)) == judged(tmp_path)


def test_the_root_may_be_named_through_a_link(tmp_path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    assert full(tmp_path / "link").frame.equals(full(tmp_path / "real").frame)


@pytest.mark.parametrize("name", ["file", "nothing"])
def test_a_root_that_is_no_folder_is_refused(tmp_path, name) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="--root"):
        full(tmp_path / name)


# --- what is not seen -------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_a_folder_that_may_not_be_read_is_told_and_the_scan_goes_on(
    tmp_path, monkeypatch, backend
) -> None:
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    root = tmp_path / "tree"
    for name, mode in {"open": 0o755, "closed": 0o700, "blind": 0o711, "names": 0o744}.items():
        (root / name).mkdir(parents=True)
        (root / name / "file").write_bytes(b"x")
        (root / name).chmod(mode)
    root.chmod(0o755)
    monkeypatch.chdir(root)  # the folders above are root's alone
    try:
        os.seteuid(NOBODY)
        found = full(Path(), backend=backend)
    finally:
        os.seteuid(0)
    assert found.not_seen == (
        NotSeen("blind", "denied"), NotSeen("closed", "denied"), NotSeen("names/file", "denied"),
    )  # fmt: skip
    assert found.partial
    assert set(found.frame["path"]) == {"", "blind", "closed", "names", "open", "open/file"}


@pytest.mark.parametrize("backend", ["statx", "stat"])
@pytest.mark.parametrize("mode", ["full", "exact", "fast"])
def test_mounts_are_not_crossed_whatever_device_they_show(tmp_path, backend, mode) -> None:
    """A bind mount has the device of its surroundings."""
    root, mount = tmp_path / "tree", tmp_path / "tree/mounts/bound here"
    for folder in (mount, tmp_path / "elsewhere/inside", root / "mounts/file-mount"):
        folder.mkdir(parents=True)
    (mount / "hidden").write_bytes(b"x")
    last = full(root, backend=backend, now_ns=time.time_ns() + HOUR_NS)
    command = ["mount", "--bind", tmp_path / "elsewhere", mount]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no bind mount is possible here: {done.stderr.strip()}")
    try:
        assert os.stat(mount).st_dev == os.stat(root).st_dev
        found = again(root, mode, last, backend=backend)
    finally:
        subprocess.run(["umount", mount], check=True)
    assert found.not_seen == (NotSeen("mounts/bound here", "mount"),)
    assert not found.partial
    assert "mounts/bound here/inside" not in set(found.frame["path"])
    assert found.frame.filter("foreign")["path"].to_list() == ["mounts/bound here"]
    after = again(root, mode, found, backend=backend)
    assert "mounts/bound here/hidden" in set(after.frame["path"]), "the mount is gone again"
    assert after.not_seen == ()


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_another_filesystem_is_not_entered(two_filesystems, backend) -> None:
    root = two_filesystems()
    (root / "archive/file").write_bytes(b"x")
    found = full(root, backend=backend)
    assert found.not_seen == (NotSeen("archive", "mount"),)
    assert set(found.frame["path"]) == {"", "archive"}


def test_allowed_links_are_followed_once_and_marked(tmp_path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("outside/deep", "tree/own"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "outside/deep/file").write_bytes(b"12345")
    (tmp_path / "outside/back").symlink_to(tmp_path / "tree")
    (tmp_path / "outside/again").symlink_to(tmp_path / "outside")
    (tmp_path / "outside/file").symlink_to("deep/file")
    links(root)
    for name, target in {"out": "../outside", "own-link": "own", "gone": "nowhere"}.items():
        (root / name).symlink_to(target)
    (root / "links/out").unlink()
    denied = full(root)
    found = denied
    for mode in ("full", "exact", "exact"):
        found = scan(root, mode, {"symlink": "allow"}, found, Deadline.after(600))
        beyond = set(found.frame.filter("foreign")["path"])
        names = {"deep", "deep/file", "back", "again", "file"}
        assert beyond == {f"out/{name}" for name in names}
        assert set(found.frame["path"]) - beyond == set(denied.frame["path"])
        unseen = {one.path: one.why for one in found.not_seen}
        loops = ("own-link", "out/back", "out/again", "links/itself", "links/up")
        assert {unseen[path] for path in loops} == {"loop"}
        assert not found.partial
    assert full(root).frame.equals(scan(root, "exact", {}, found, Deadline.after(600)).frame)


def test_an_allowed_mount_is_seen_and_marked(two_filesystems) -> None:
    root = two_filesystems()
    (root / "archive/folder").mkdir()
    (root / "archive/folder/file").write_bytes(b"x")
    found = scan(root, "full", {"mount": "allow"}, None, Deadline.after(600))
    assert found.not_seen == ()
    assert found.frame.filter("foreign")["path"].to_list() == [
        "archive", "archive/folder", "archive/folder/file",
    ]  # fmt: skip


# --- the tree changes meanwhile ---------------------------------------------------------------


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_what_vanishes_between_its_name_and_its_attributes_is_left_out(
    tmp_path, monkeypatch, backend
) -> None:
    for n in range(5):
        (tmp_path / f"file{n}").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    listdir = os.listdir

    def vanishing(folder):
        names = listdir(folder)
        (tmp_path / "file3").unlink(missing_ok=True)
        return names

    monkeypatch.setattr(os, "listdir", vanishing)
    found = full(tmp_path, backend=backend)
    assert found.frame["path"].to_list() == ["", "file0", "file1", "file2", "file4", "folder"]
    assert found.not_seen == ()


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_a_folder_that_becomes_a_link_is_not_entered(tmp_path, monkeypatch, backend) -> None:
    from autopack.io.storage_open import Opener

    (tmp_path / "victim/inside").mkdir(parents=True)
    (tmp_path / "tree/folder").mkdir(parents=True)
    opened = Opener.open

    def swapping(self, path):
        if path == b"folder" and not (tmp_path / "away").exists():
            (tmp_path / "tree/folder").rename(tmp_path / "away")
            (tmp_path / "tree/folder").symlink_to(tmp_path / "victim")
        return opened(self, path)

    monkeypatch.setattr(Opener, "open", swapping)
    found = full(tmp_path / "tree", backend=backend)
    assert set(found.frame["path"]) == {"", "folder"}
    assert found.not_seen == (NotSeen("folder", "replaced"),)


def test_another_folder_under_the_name_is_not_taken_for_it(tmp_path, monkeypatch) -> None:
    from autopack.io.storage_open import Opener

    (tmp_path / "other/inside").mkdir(parents=True)
    (tmp_path / "tree/folder").mkdir(parents=True)
    opened = Opener.open

    def swapping(self, path):
        if path == b"folder" and not (tmp_path / "away").exists():
            (tmp_path / "tree/folder").rename(tmp_path / "away")
            (tmp_path / "other").rename(tmp_path / "tree/folder")
        return opened(self, path)

    monkeypatch.setattr(Opener, "open", swapping)
    found = full(tmp_path / "tree")
    assert set(found.frame["path"]) == {"", "folder"}
    assert found.not_seen == (NotSeen("folder", "replaced"),)


# --- exact and fast ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("clock", ["honest", "settled"])
def test_exact_is_full_and_fast_sees_the_structure(tmp_path, seed, clock) -> None:
    """With a settled clock nothing is too young to be believed, so that little is listed again."""
    ahead = HOUR_NS if clock == "settled" else 0
    root = tmp_path / "tree"
    root.mkdir()
    garden = Gardener(root, seed)
    garden.plant(60)
    last = exact = full(root, now_ns=time.time_ns() + ahead)
    for _ in range(4):
        time.sleep(0.02)  # a step of the kernel's clock: two states of a folder differ in time
        garden.change(6)
        anew = full(root)
        now_ns = time.time_ns() + ahead
        exact = again(root, "exact", exact, now_ns=now_ns)
        fast = again(root, "fast", last, now_ns=now_ns)
        assert exact.sha256 == anew.sha256
        assert rows(anew) == judged(root)
        assert set(fast.frame["path"]) == set(anew.frame["path"])
        for column in ("kind", "ino", "parent"):
            assert fast.frame[column].equals(anew.frame[column])
        assert fast.label.startswith("structural; sizes as of ")
        assert fast.sizes_ns == last.sizes_ns
        last = fast


def test_little_is_listed_again(tmp_path, monkeypatch) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    garden = Gardener(root, 3)
    garden.plant(100)
    last = full(root, now_ns=time.time_ns() + HOUR_NS)
    time.sleep(0.02)
    (root / "one more").write_bytes(b"x")
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(folder) or listdir(folder))
    again(root, "exact", last)
    assert len(listed) == 1


def test_a_folder_that_changed_as_it_was_scanned_is_listed_again(tmp_path) -> None:
    """Within a step of the clock a change leaves the time as it was."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "file").write_bytes(b"x")
    last = full(root)
    (root / "young").write_bytes(b"x")
    seen = root.stat()
    frame = last.frame.with_columns(mtime_ns=seen.st_mtime_ns, ctime_ns=seen.st_ctime_ns)
    found = again(root, "exact", replace(last, frame=frame))
    assert "young" in set(found.frame["path"])


def test_every_file_is_looked_at_within_twenty_fast_scans(tmp_path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    for n in range(40):
        (root / f"file{n}").write_bytes(b"x")
    last = full(root, now_ns=time.time_ns() + HOUR_NS)
    time.sleep(0.02)
    for n in range(40):
        with (root / f"file{n}").open("ab") as file:
            file.write(b"more")
    stale = []
    for _ in range(20):
        last = again(root, "fast", last, now_ns=time.time_ns() + HOUR_NS)
        stale.append(int((last.frame["size"] == 1).sum()))
    assert stale[0] > 20, "a fast scan leaves most files alone"
    assert stale[-1] == 0
    assert stale == sorted(stale, reverse=True)


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_without_a_snapshot_of_this_root_everything_is_scanned_and_said(tmp_path, mode) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(b"")
    other = full(tmp_path / "one")
    for last, why in ((None, "no earlier snapshot"), (other, "of another folder")):
        found = again(tmp_path / "two", mode, last)
        assert found.exact
        assert why in found.remarks[0]
        assert found.frame.equals(full(tmp_path / "two").frame)


def test_what_another_user_saw_is_not_believed(tmp_path) -> None:
    last = replace(full(tmp_path), seen_by="1:1")
    found = again(tmp_path, "exact", last)
    assert "another user's" in found.remarks[0]


def test_so_many_changes_that_all_is_scanned_anew(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(storage_scan, "_MANY", 0)
    root = nasty(tmp_path / "tree")
    last = full(root)
    found = again(root, "fast", last)
    assert found.exact
    assert found.frame.equals(last.frame)


def test_an_exact_scan_in_two_processes_is_the_same(tree, two_processes) -> None:
    last = full(tree, now_ns=time.time_ns() + HOUR_NS)
    found = again(tree, "exact", last)
    assert found.sha256 == last.sha256
    assert found.remarks == ()


# --- deadline, and processes that break off ---------------------------------------------------


def test_a_passed_deadline_ends_the_scan(tree) -> None:
    with pytest.raises(DeadlineExceeded):
        scan(tree, "full", {}, None, Deadline.after(0))


@pytest.mark.parametrize("end", ["exit", "stop answering"])
def test_what_a_broken_process_was_asked_for_is_done_here(tree, two_processes, monkeypatch, end):
    """One that stops in the middle of an answer is no different from one that was killed."""
    from autopack.io import storage_workers

    torn = {
        "exit": "import os; os._exit(9)",
        "stop answering": "import os; os.read(0, 9); os.write(1, bytes(4)); os._exit(0)",
    }
    monkeypatch.setattr(storage_workers, "_CODE", torn[end])
    last = full(tree, now_ns=time.time_ns() + HOUR_NS)
    assert rows(last) == judged(tree)
    assert again(tree, "exact", last).sha256 == last.sha256


def children() -> set[str]:
    """Return this process's children."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


class Passing(Deadline):
    """A deadline that passes once it was asked some times."""

    def check(self, doing: str = "") -> None:
        object.__setattr__(self, "max_seconds", self.max_seconds - 1)
        if self.max_seconds < 0:
            raise DeadlineExceeded(f"ran out while {doing}")


def test_a_deadline_that_passes_on_the_way_leaves_no_process(tree, two_processes) -> None:
    before = children()
    ended = 0
    for asked in range(8):
        try:
            scan(tree, "full", {}, None, Passing(asked, 0.0, lambda: -60.0))
        except DeadlineExceeded:
            ended += 1
        assert children() == before
    assert ended > 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_scan_ends_its_processes_end(tmp_path, how) -> None:
    """Nothing tells them but that nobody speaks to them any more."""
    code = (
        "import sys, time; from pathlib import Path;"
        "from autopack.io.storage_workers import Crew; import os;"
        "root = os.open(sys.argv[1], os.O_RDONLY);"
        "crew = Crew(root, 'stat', os.fstat(root).st_dev, frozenset());"
        "print(*(w.process.pid for w in crew.workers), flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.send_signal(how)
    for pid in workers:
        assert gone(pid)


def gone(pid: int) -> bool:
    """Wait until a process has ended."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False
