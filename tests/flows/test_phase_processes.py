"""What a phase's command starts ends with it, wherever it hides; it inherits nothing of the run."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.support.phase_commands import codes, ended, lay_out_passing, passing, runner
from tests.support.phase_runs import write_spec
from tests.support.session import REPOSITORY, clean_environment


@pytest.fixture
def root(tmp_path):
    return lay_out_passing(tmp_path / "ws")


@pytest.fixture
def run(run_flow, root):
    return runner(run_flow, root)


HIDES = """
import os, signal, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.closerange(0, 256)
os.execve(sys.executable, [sys.executable, "-c", sys.argv[1]], {})
"""
"""A daemon by the book: another session, no parent, no descriptors, an empty environment."""
WAITS = "import os, time; open('src/app/pids', 'a').write(f'{os.getpid()} '); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + WAITS


def hiding(code, then):
    """Return a command that starts a daemon, waits until it lives, and does something then."""
    start = (
        "import os, subprocess, sys, time\n"
        "subprocess.run([sys.executable, '-c', *sys.argv[1:]])\n"
        "while not os.path.exists('src/app/pids') or not os.path.getsize('src/app/pids'):\n"
        f" time.sleep(.01)\n{then}"
    )
    return [sys.executable, "-c", start, HIDES, code]


def pids(root):
    return [int(pid) for pid in (root / "src/app/pids").read_text().split()]


@pytest.mark.parametrize("code", [WAITS, STUBBORN])
def test_a_daemon_that_left_everything_behind_is_ended(code, run, root):
    done = run(hiding(code, "pass"), "--max-seconds", "60")
    (pid,) = pids(root)
    assert ended(pid)
    assert codes(done) == ["PS725"], done.stdout + done.stderr
    assert f"pid {pid} outlived" in done.report["findings"][0]["message"]


def test_a_daemon_is_ended_when_the_time_is_over(run, root):
    write_spec(root, passing(("budget.seconds", 2), ("validation.timeout_seconds", 2)))
    done = run(hiding(STUBBORN, "time.sleep(600)"))
    assert codes(done) == ["PS722"], done.stdout + done.stderr
    assert all(map(ended, pids(root)))


def test_what_starts_itself_anew_all_the_time_is_ended(run, root):
    """Each lives for a moment only, so that whoever reads a list of pids is late."""
    hops = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "open('src/app/pids', 'w').write(' ')\n"
        "end = time.monotonic() + 60\nwhile time.monotonic() < end:\n"
        " if os.fork(): time.sleep(.0005); os._exit(0)\n"
        " fd = os.open('src/app/beat', os.O_CREAT | os.O_WRONLY); os.utime(fd); os.close(fd)\n"
    )
    run(hiding(hops, "pass"), "--max-seconds", "60")
    last = (root / "src/app/beat").stat().st_mtime_ns
    time.sleep(0.3)
    assert (root / "src/app/beat").stat().st_mtime_ns == last


def test_a_killed_run_takes_its_command_with_it(root):
    child = subprocess.Popen(
        [sys.executable, "-m", "flows.phase_check", "run", str(root.parent / "plan.json"),
         "--workspace", str(root), "--engine", "direct", "--execute", "--",
         *hiding(WAITS, f"exec({WAITS!r})")], cwd=REPOSITORY, env=clean_environment(),
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while not (root / "src/app/pids").exists() or len(pids(root)) < 2:
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    until = time.monotonic() + 20
    while not all(map(ended, pids(root))):
        assert time.monotonic() < until, pids(root)
        time.sleep(0.02)


def test_a_command_inherits_its_three_descriptors_alone(run, root):
    """With the lock's it could let the lock go, or empty the file, whatever the sandbox says."""
    code = (
        "import os; here = os.listdir('/proc/self/fd');"
        "told = {n: os.readlink(f'/proc/self/fd/{n}') for n in here if int(n) < 3 or"
        " os.path.lexists(f'/proc/self/fd/{n}')}; open('src/app/fds', 'w').write(repr(told))"
    )
    done = run(code)
    assert done.returncode == 0, done.stdout + done.stderr
    told = (root / "src/app/fds").read_text()
    assert {n for n in eval(told) if int(n) > 2} == set(), told


@pytest.mark.parametrize("code", ["raise SystemExit(7)", "import os; os.kill(os.getpid(), 11)"])
def test_a_run_ends_as_its_command_did(code, run):
    done = run(code)
    assert codes(done) == ["PS723"]
    assert done.report["command"]["exit_code"] == (7 if "Exit" in code else -signal.SIGSEGV)


def test_what_the_command_leaves_to_its_parent_is_no_daemon(run, root):
    """A child that ended before the command is nobody's leftover."""
    assert codes(run("import os\nfor _ in range(50):\n if not os.fork(): os._exit(0)")) == []


def test_a_command_whose_reader_left_ends_as_it_would_anywhere(run, root):
    code = (
        "set -o pipefail; yes | head -1 >src/app/y; echo $? >src/app/n;"
        "grep SigIgn /proc/self/status >src/app/s"
    )
    assert run(["bash", "-c", code]).returncode == 0
    assert int((root / "src/app/n").read_text()) == 128 + signal.SIGPIPE
    ignored = int((root / "src/app/s").read_text().split()[1], 16)
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1), hex(ignored)


def test_a_phase_cannot_keep_its_end_away_by_what_it_leaves_in_tmpdir(run, root):
    code = (
        "import os; at = os.open(os.environ['TMPDIR'], 0)\n"
        "for _ in range(1100):\n os.mkdir('d', dir_fd=at); at = os.open('d', 0, dir_fd=at)\n"
        " if at > 3: os.dup2(at, 3); os.close(at); at = 3\n"
        "open('src/app/n.py', 'w')"
    )
    done = run(code)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.report["phase"]["changed"] == ["src/app/n.py"]
