"""What either sandbox keeps a command from, also one that root runs; bubblewrap as Landlock."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import pytest

from autopack.io import confine, landlock
from tests.support.phase_commands import lay_out_passing, passing, run_under
from tests.support.phase_runs import write_spec

BOTH = [
    pytest.param("landlock", marks=pytest.mark.skipif(
        landlock.version() < landlock.FIRST_WHOLE, reason="the kernel has no Landlock")),
    pytest.param("bubblewrap", marks=pytest.mark.skipif(
        not confine.bubblewrap_works(), reason="bubblewrap does not work here")),
]  # fmt: skip
sandboxes = pytest.mark.parametrize("sandbox", BOTH)
bubblewrap = pytest.mark.parametrize("sandbox", BOTH[1:])


@pytest.fixture
def root(tmp_path):
    return lay_out_passing(tmp_path / "ws")


def report_of(done):
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def told(done):
    return sorted((f["path"], f["code"]) for f in report_of(done)["findings"])


@sandboxes
def test_a_phase_that_keeps_to_its_scope_is_clean(sandbox, root):
    done = run_under(sandbox, root, code="open('src/app/n.py', 'w').write('n\\n')")
    assert told(done) == [], done.stderr
    assert report_of(done)["sandbox"]["kind"] == sandbox
    assert report_of(done)["phase"]["changed"] == ["src/app/n.py"]


OUTSIDE = {
    "a file outside": "open('untracked.txt', 'w')",
    "a new file outside": "open('new.txt', 'w')",
    "a hook": "open('.git/hooks/pre-commit', 'w')",
    "a removal": "import os; os.remove('src/other/lib.py')",
    "a rename out of the scope": "import os; os.rename('src/app/main.py', 'main.py')",
    "a hard link into the scope": "import os; os.link('src/other/lib.py', 'src/app/l.py')",
    "its own snapshot": "import glob; open(glob.glob('.autonomous_runs/phases/*.json')[0], 'w')",
    "what is mounted": "import ctypes\nif ctypes.CDLL(None, use_errno=True).mount(b'none', b'/',"
    " None, 4096 | 32, None): raise SystemExit(9)\nopen('new.txt', 'w')",
    "a device of its own": "import os, stat, tempfile; path = tempfile.gettempdir() + '/disk';"
    "os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 11)); open(path, 'w')",
    "the kernel's settings": "path = '/proc/sys/kernel/core_pattern';"
    "was = open(path).read(); open(path, 'w').write(was)",
    "another's root folder": "import os; open(f'/proc/{os.getppid()}/root{os.getcwd()}/new', 'w')",
}


@sandboxes
@pytest.mark.parametrize("what", OUTSIDE)
def test_nothing_outside_the_scope_is_written(sandbox, what, root):
    done = run_under(sandbox, root, code=OUTSIDE[what])
    assert told(done) == [("", "PS723")], done.stdout + done.stderr


@sandboxes
@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no shared memory")
def test_a_workspace_in_shared_memory_is_closed_as_any_other(sandbox):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        root = lay_out_passing(Path(folder) / "ws")
        done = run_under(sandbox, root, code="open('src/app/n.py', 'w'); open('new.txt', 'w')")
        assert told(done) == [("", "PS723")], done.stdout + done.stderr
        assert report_of(done)["phase"]["changed"] == ["src/app/n.py"]
        assert not (root / "new.txt").exists()


@sandboxes
def test_the_run_outlives_its_command(sandbox, root):
    if sandbox == "landlock" and landlock.version() < 6:
        pytest.skip("before Linux 6.12 Landlock lets signals through")
    code = (
        "import os\nfor pid in {os.getppid()} - {0}:\n try: os.kill(pid, 9)\n"
        " except OSError: pass\nopen('src/app/n.py', 'w')"
    )
    done = run_under(sandbox, root, code=code)
    assert told(done) == [], done.stderr
    assert report_of(done)["phase"]["changed"] == ["src/app/n.py"]


@sandboxes
def test_a_daemon_is_ended_under_either(sandbox, root):
    code = (
        "import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import os, time\\n"
        'while True:\\n open("src/app/beat", "a").write("x"); time.sleep(.01)\'], env={},'
        "start_new_session=True, stdin=-3, stdout=-3, stderr=-3)\n"
        "while not os.path.exists('src/app/beat'): pass"
    )
    done = run_under(sandbox, root, code=code)
    assert told(done) == ([("", "PS725")] if sandbox == "landlock" else []), done.stderr
    size = (root / "src/app/beat").stat().st_size
    time.sleep(0.2)
    assert (root / "src/app/beat").stat().st_size == size


@bubblewrap
@pytest.mark.skipif(not os.path.exists("/dev/kmsg"), reason="there is no such device")
def test_bubblewrap_shows_none_of_the_systems_devices(sandbox, root):
    there = "import os; raise SystemExit(os.path.exists('/dev/kmsg'))"
    done = run_under(sandbox, root, code=there)
    assert told(done) == [], done.stderr


@sandboxes
def test_terminals_and_shared_memory_are_there(sandbox, root):
    code = (
        "import os, pty, tempfile; pty.openpty(); open('/dev/null', 'w').write('x');"
        "tempfile.TemporaryFile().write(b'x'); tempfile.TemporaryFile(dir='/dev/shm').write(b'x')"
    )
    done = run_under(sandbox, root, code=code)
    assert told(done) == [], done.stderr


@sandboxes
def test_a_command_that_is_not_there_is_unreachable(sandbox, root):
    done = run_under(sandbox, root, code=["no-such-command-anywhere"])
    assert done.returncode == 4, done.stdout + done.stderr
    assert "no-such-command-anywhere" in report_of(done)["message"]


@bubblewrap
def test_a_link_that_the_command_made_opens_nothing_to_the_validation(sandbox, root):
    """Both parts of the scope are there when the phase begins; one is swapped for a link."""
    paths = ["src/app/", "src/app/x/y/", "tests/test_app.py"]
    write_spec(root, passing(("scope.paths", paths)))
    (root / "src/app/x/y").mkdir(parents=True)
    (root / "outside/y").mkdir(parents=True)
    (root / "tests/test_app.py").write_text("open('outside/y/new', 'w')")
    code = (
        "import os; os.rename('src/app/x', 'src/app/z'); os.symlink('../../outside', 'src/app/x')"
    )
    done = run_under(sandbox, root, code=code)
    assert ("", "PS724") in told(done), done.stdout
    assert ("src/app/x", "PS705") in told(done)
    assert not (root / "outside/y/new").exists()
