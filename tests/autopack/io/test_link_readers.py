"""Reading many pages: processes of their own read what one would, and none outlives the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded, Unreachable
from autopack.io import link_readers
from autopack.io.link_cache import stats
from autopack.io.link_readers import read_pages
from autopack.links.model import Page
from tests.support.session import REPOSITORY, clean_environment

HARD = "[a](x.md) <b>\n\n"
FILES = {f"docs/{n}.md": f"# {n}\n\n[t](t{n}.md)\n\n{HARD if n % 2 else ''}{'words ' * 4000}\n"
         for n in range(60)}  # fmt: skip


def read(root: Path, names, *, exact: bool = False, seconds: float = 600) -> dict[str, Page]:
    sizes: list[int] = []
    found = {}
    wanted = stats(root, names)
    deadline = Deadline.after(seconds)
    for shelf in read_pages(root, wanted, deadline, exact=exact, progress=sizes.append):
        found |= {name: shelf.page(row) for name, row in shelf.rows.items()}
    assert sum(sizes) == sum(wanted[name].size for name in found)
    return found


def children() -> set[psutil.Process]:
    return {c for c in psutil.Process().children() if c.status() != psutil.STATUS_ZOMBIE}


@pytest.fixture(autouse=True)
def no_reader_is_left():
    before = children()
    yield
    assert children() <= before


def test_readers_read_what_one_process_reads(make_workspace, monkeypatch):
    root = make_workspace(FILES)
    beside = read(root, FILES, exact=True)
    monkeypatch.setattr(link_readers, "_WORTH", 10**9)
    assert beside == read(root, FILES, exact=True)
    assert beside.keys() == FILES.keys()


@pytest.mark.parametrize("exact", [False, True])
def test_one_large_page_leaves_a_reader_without_work_that_nobody_waits_for(make_workspace, exact):
    files = {"a.md": f"# A\n\n[x](y.md)\n\n{'words ' * 200_000}\n"}
    root = make_workspace(files)
    assert read(root, files, exact=exact, seconds=120).keys() == files.keys()


def test_a_page_is_the_parsers_unless_it_is_plain_and_leads_nowhere_else(make_workspace):
    files = {"a.md": "[x](y.md)", "b.md": "[x](http://e.org)", "c.md": "<b>x</b>"}
    root = make_workspace(files)
    (deadline,) = (Deadline.after(60),)
    exact = {}
    for shelf in read_pages(root, stats(root, files), deadline, exact=False, progress=id):
        exact |= {name: shelf.exact(row) for name, row in shelf.rows.items()}
    assert exact == {"a.md": False, "b.md": True, "c.md": True}


def test_a_page_that_went_away_is_left_out(make_workspace):
    root = make_workspace(FILES)
    wanted = stats(root, FILES)
    (root / "docs/7.md").unlink()
    found = set()
    for shelf in read_pages(root, wanted, Deadline.after(600), exact=False, progress=id):
        found |= shelf.rows.keys()
    assert found == FILES.keys() - {"docs/7.md"}


def test_a_page_that_cannot_be_read_is_named(make_workspace):
    root = make_workspace(FILES)
    wanted = stats(root, FILES)
    (root / "docs/7.md").unlink()
    (root / "docs/7.md").mkdir()
    with pytest.raises(Unreachable, match=r"docs/7\.md"):
        list(read_pages(root, wanted, Deadline.after(600), exact=False, progress=id))


def test_without_more_processes_the_pages_are_read_here(make_workspace, monkeypatch):
    root = make_workspace(FILES)

    def none(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", none)
    assert read(root, FILES).keys() == FILES.keys()


def test_what_a_reader_that_dies_had_is_read_here(make_workspace, monkeypatch):
    root = make_workspace(FILES)
    monkeypatch.setattr(link_readers, "_CODE", "import os; os._exit(1)")
    assert read(root, FILES).keys() == FILES.keys()


def test_the_deadline_ends_the_readers(make_workspace, monkeypatch):
    root = make_workspace(FILES)
    monkeypatch.setattr(link_readers, "_CODE", "import time; time.sleep(600)")
    with pytest.raises(DeadlineExceeded):
        read(root, FILES, seconds=0.5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_reader_outlives_a_run_that_is_ended(make_workspace, number, tmp_path):
    """The run is ended while its readers are busy with pages that take long."""
    root = make_workspace({f"docs/{n}.md": "[a](" * 30_000 for n in range(40)})
    command = [sys.executable, "-m", "flows.doc_links", "--deep", "--engine", "direct",
               "--workspace", str(root), "--max-seconds", "600"]  # fmt: skip
    run = subprocess.Popen(
        command, cwd=REPOSITORY, env=clean_environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        readers = _appear(run.pid)
        os.kill(run.pid, number)
        assert run.wait(60) == (-9 if number == signal.SIGKILL else 128 + number)
        _, alive = psutil.wait_procs(readers, timeout=30)
        assert alive == []
    finally:
        if run.poll() is None:
            run.kill()


def _appear(pid: int) -> list[psutil.Process]:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        found = psutil.Process(pid).children()
        if len(found) == link_readers.READERS and all(c.cpu_times().user > 0.3 for c in found):
            return found
        time.sleep(0.02)
    pytest.fail("no readers")
