"""The broker writes within the scope, through no link of any kind, and within the budget."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from contextlib import contextmanager

import pytest

from autopack.errors import Refused, Unreachable
from autopack.io.broker import open_for_write, remove
from autopack.phases.scope import Budget, Scope
from autopack.phases.spending import Spending
from tests.support import guards
from tests.support.phase_paths import ATTACKS, GOOD, SCOPE

WITHIN = Scope("p", ("docs/", "src/app/"), ("docs/fixed/",), (".git/", "src/app/key.pem"))


@pytest.fixture
def root(make_workspace):
    return make_workspace({"docs/page.md": "old\n", "src/app/a.py": "a\n", "out/secret": "s\n"})


def write(root, path, data=b"new\n", **more):
    with open_for_write(root, path, WITHIN, **more) as file:
        file.write(data)


def listed(root):
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*"))


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(root):
    (root / "docs/page.md").chmod(0o750)
    with open_for_write(root, "docs/page.md", WITHIN) as file:
        file.write(b"one\n")
        assert (root / "docs/page.md").read_text() == "old\n"
        file.write(b"two\n")
    assert (root / "docs/page.md").read_text() == "one\ntwo\n"
    assert (root / "docs/page.md").stat().st_mode & 0o7777 == 0o750


def test_a_set_id_bit_is_not_passed_on(root):
    (root / "docs/page.md").chmod(0o4755)
    write(root, "docs/page.md")
    assert (root / "docs/page.md").stat().st_mode & 0o7777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(root):
    os.chown(root / "docs/page.md", 12345, 54321)
    write(root, "docs/page.md")
    found = (root / "docs/page.md").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 54321, 0o644)


def test_a_writer_that_is_kept_writes_to_nothing_else(root, tmp_path):
    """Its descriptor's number is the next file's."""
    with open_for_write(root, "docs/page.md", WITHIN) as kept:
        kept.write(b"new\n")
    other = [os.open(tmp_path / f"other{n}", os.O_CREAT | os.O_RDWR) for n in range(8)]
    try:
        with pytest.raises(Unreachable):
            kept.write(b"late\n")
    finally:
        list(map(os.close, other))
    assert {(tmp_path / f"other{n}").read_bytes() for n in range(8)} == {b""}
    assert (root / "docs/page.md").read_text() == "new\n"


def test_folders_are_made(root):
    write(root, "docs/a/b/c.md")
    assert (root / "docs/a/b/c.md").read_bytes() == b"new\n"


def test_a_block_that_raises_leaves_everything_as_it_was(root):
    before = listed(root)

    def fails():
        with open_for_write(root, "docs/page.md", WITHIN) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert listed(root) == before
    assert (root / "docs/page.md").read_text() == "old\n"


@pytest.mark.parametrize(
    "error", [FileNotFoundError, NotADirectoryError, PermissionError, BlockingIOError, OSError]
)
def test_what_the_block_raises_is_the_callers(error, root):
    """Its own missing file is no missing folder of the phase."""

    def fails():
        with open_for_write(root, "docs/page.md", WITHIN):
            raise error(5, "of the caller", "elsewhere")

    with pytest.raises(error, match="of the caller") as raised:
        fails()
    assert raised.type is error
    assert listed(root) == ["docs", "docs/page.md", "out", "out/secret", "src", "src/app",
                            "src/app/a.py"]  # fmt: skip


def test_what_the_fence_raises_is_the_callers(root):
    @contextmanager
    def broken():
        raise PermissionError(13, "of the fence")
        yield

    for do in (write, lambda root, path, **more: remove(root, path, WITHIN, **more)):
        with pytest.raises(PermissionError, match="of the fence"):
            do(root, "docs/page.md", fence=broken)


def test_a_disk_that_takes_no_more_is_unreachable_and_the_file_as_it_was(root):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(Unreachable, match=r"docs/page\.md.*holds what it held before"):
            write(root, "docs/page.md", b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (root / "docs/page.md").read_text() == "old\n"
    assert [path.name for path in (root / "docs").iterdir()] == ["page.md"]


def test_a_file_that_has_its_name_counts_even_if_the_disk_does_not_say_so(root, monkeypatch):
    real = os.fsync

    def sick(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sick)
    spent = spending()
    write(root, "docs/page.md", b"1\n2\n", spending=spent)
    assert (root / "docs/page.md").read_text() == "1\n2\n"
    assert sum(spent.lines.values()) == 3


@pytest.mark.parametrize("path", [text for text in ATTACKS if isinstance(text, str)])
def test_no_attack_by_name_writes_anything(path, root):
    scope = Scope("p", SCOPE, protected=(".git/", "config/phase_policy.yaml", ".github/"))
    before = listed(root)
    with pytest.raises(Refused, match="PS2"), open_for_write(root, path, scope):
        pass
    assert listed(root) == before


@pytest.mark.parametrize("path", GOOD)
def test_good_names_are_written(path, root):
    scope = Scope("p", SCOPE)
    with open_for_write(root, path, scope) as file:
        file.write(b"x")
    assert (root / path).read_bytes() == b"x"


def _socket(path):
    here = os.getcwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


PLACES = {
    "a symlink": (lambda r: (r / "docs/x").symlink_to("page.md"), "docs/x", "PS211"),
    "a dangling symlink": (lambda r: (r / "docs/x").symlink_to("/tmp/none"), "docs/x", "PS211"),
    "a folder that is a symlink": (
        lambda r: (r / "docs/d").symlink_to("../out"), "docs/d/secret", "PS211"),
    "a symlink further up": (
        lambda r: (r / "docs/d").symlink_to("../out"), "docs/d/e/f/new.md", "PS211"),
    "a hard link": (lambda r: os.link(r / "out/secret", r / "docs/x"), "docs/x", "PS212"),
    "a pipe": (lambda r: os.mkfifo(r / "docs/x"), "docs/x", "PS213"),
    "a socket": (lambda r: _socket(r / "docs/x"), "docs/x", "PS213"),
    "a folder": (lambda r: (r / "docs/x").mkdir(), "docs/x", "PS213"),
    "a file as a folder": (lambda r: None, "docs/page.md/x", "PS213"),
    "read-only context": (lambda r: None, "docs/fixed/x.md", "PS215"),
    "what is protected": (lambda r: None, "src/app/key.pem", "PS216"),
    "outside": (lambda r: None, "out/new", "PS214"),
}  # fmt: skip


@pytest.mark.parametrize("what", PLACES)
@pytest.mark.parametrize("do", [write, lambda root, path: remove(root, path, WITHIN)])
def test_no_attack_by_place_writes_anything(do, what, root):
    prepare, path, code = PLACES[what]
    prepare(root)
    before = listed(root)
    with pytest.raises(Refused, match=code):
        do(root, path)
    assert listed(root) == before
    assert (root / "out/secret").read_text() == "s\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_is_not_written(root):
    try:
        os.mknod(root / "docs/null", 0o600 | 0o020000, os.makedev(1, 3))
    except OSError:
        pytest.skip("devices cannot be made here")
    with pytest.raises(Refused, match="PS213"):
        write(root, "docs/null")


def test_what_comes_in_the_way_meanwhile_is_not_overwritten(root):
    for come in (
        lambda: (root / "docs/new.md").write_text("theirs"),
        lambda: (root / "docs/new.md").symlink_to("../out/secret"),
    ):
        with pytest.raises(Refused, match="meanwhile"), open_for_write(root, "docs/new.md", WITHIN):
            come()
        (root / "docs/new.md").unlink()
    with pytest.raises(Refused, match="meanwhile"), open_for_write(root, "docs/page.md", WITHIN):
        (root / "docs/page.md").write_text("theirs")
    assert (root / "docs/page.md").read_text() == "theirs"
    with pytest.raises(Refused, match="meanwhile"), open_for_write(root, "docs/page.md", WITHIN):
        (root / "docs").rename(root / "out/docs")
    assert (root / "out/docs/page.md").read_text() == "theirs"
    assert [p.name for p in (root / "out/docs").iterdir()] == ["page.md"]


def spending(**more):
    return Spending(Budget(1, 1, more.pop("files", 2), more.pop("lines", 10)), **more)


def test_files_lines_and_bytes_are_counted_before_they_are_written(root):
    spent = spending(max_bytes=100)
    write(root, "docs/a.md", b"1\n2\n3\n", spending=spent)
    write(root, "docs/page.md", b"old\nmore\n", spending=spent)
    assert (len(spent.first), sum(spent.lines.values()), spent.written) == (2, 4, 15)
    with pytest.raises(Refused, match="PS720"):
        write(root, "docs/c.md", spending=spent)
    with pytest.raises(Refused, match="PS721"):
        write(root, "docs/a.md", b"x\n" * 10, spending=spent)
    with pytest.raises(Refused, match="bytes"):
        write(root, "docs/a.md", b"x" * 99, spending=spent)
    assert (root / "docs/a.md").read_bytes() == b"1\n2\n3\n"
    assert not (root / "docs/c.md").exists()


def test_a_file_written_twice_counts_once_from_what_it_was(root):
    spent = spending(files=1, lines=4)
    for _ in range(5):
        write(root, "docs/page.md", b"a\n", spending=spent)
        write(root, "docs/page.md", b"old\nb\n", spending=spent)
    assert sum(spent.lines.values()) == 1
    remove(root, "docs/page.md", WITHIN, spent)
    assert sum(spent.lines.values()) == 1


def test_the_fence_is_asked_before_a_file_takes_its_name(root):
    @contextmanager
    def lost():
        raise Refused("the lock is lost")
        yield

    with pytest.raises(Refused, match="lost"):
        write(root, "docs/page.md", fence=lost)
    assert (root / "docs/page.md").read_text() == "old\n"


SWAPPER = """
import ctypes, os, sys
root, names = sys.argv[1], sys.argv[2:]
os.chdir(root)
call = ctypes.CDLL(None, use_errno=True).renameat2
for n, name in enumerate(names):
    os.symlink(os.path.abspath("out"), f"link{n}")
swaps, parent = 0, os.getppid()
while os.getppid() == parent:
    for n, name in enumerate(names):
        for _ in range(2):  # exchanged at once (RENAME_EXCHANGE): there and back
            swaps += call(-100, f"link{n}".encode(), -100, name.encode(), 2) == 0
    if swaps % 48 == 0:
        os.pwrite(1, b"%12d" % swaps, 0)
"""


@pytest.mark.soak
def test_no_write_lands_outside_while_folders_become_links_and_back(root, tmp_path, soak_rounds):
    """Another process swaps the folders of the path with links to `out`, thousands of times."""
    swaps_wanted = soak_rounds(2000, 200_000)
    outside = {p.name: p.read_bytes() for p in (root / "out").iterdir()}
    count = tmp_path / "swaps"
    with count.open("wb") as told:
        busy = subprocess.Popen(
            [sys.executable, "-c", SWAPPER, str(root), "docs", "src/app"], stdout=told
        )
    written = refused = 0
    try:
        while busy.poll() is None and not (
            int(count.read_bytes() or b"0") >= swaps_wanted and written and refused
        ):
            for path in ("docs/secret", "src/app/secret", "src/app/more/x"):
                try:
                    with guards.watching(False):  # it asks where a path leads, amid the swaps
                        write(root, path, b"W" * 16)
                    written += 1
                except Refused:
                    refused += 1
                assert {p.name: p.read_bytes() for p in (root / "out").iterdir()} == outside
    finally:
        busy.send_signal(signal.SIGKILL)
        busy.wait()
    assert int(count.read_bytes()) >= swaps_wanted
    assert min(written, refused) > 0, "it writes between swaps, and is refused during them"
