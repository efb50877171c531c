"""`locks status`, `break` and `run` as operators use them, on real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autopack.io.locks import inspect
from tests.support import session
from tests.support.process import Finished, stop

HOLDER = """
import sys, time
from pathlib import Path
from autopack.deadline import Deadline
from autopack.io.locks import MultiLock, Owner
root, mode, *names = sys.argv[1:]
wants = dict.fromkeys(names, mode)
with MultiLock(root, wants, Owner("victim", note="of a test"), Deadline.after(600)) as locks:
    print("held", flush=True)
    for line in sys.stdin:
        locks.commit(lambda: (Path(root) / "written").write_text(line))
        locks.progress(1)
        print("written", flush=True)
"""


@pytest.fixture
def root(make_workspace) -> Path:
    return make_workspace()


@pytest.fixture
def locks(run_flow, root: Path) -> Callable[..., Finished]:
    """Return `locks("status", "docs")`: the report of one command on this workspace."""

    def run(command: str, *args: str, **more: Any) -> Finished:
        words = ("--engine", "direct", "--json", "--workspace", str(root))
        at = args.index("--") if "--" in args else len(args)
        return run_flow("locks", command, *args[:at], *words, *args[at:], **more)

    return run


@pytest.fixture
def holder(root: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return `holder("docs")`: a process that holds locks, and commits a line it is sent."""
    made: list[subprocess.Popen[str]] = []

    def hold(*names: str, mode: str = "exclusive") -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(root), mode, *names], text=True,
            cwd=session.REPOSITORY, env=session.clean_environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        made.append(child)
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        return child

    yield hold
    for child in made:
        if child.poll() is None:
            child.kill()
        child.communicate()


def of(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(lock for lock in report["locks"] if lock["name"] == name)


def pause(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGSTOP)
    until = time.monotonic() + 10
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < until
        time.sleep(0.01)


def test_looking_creates_nothing(locks, root: Path) -> None:
    done = locks("status", "--all")
    assert done.returncode == 0
    assert {lock["verdict"] for lock in done.report["locks"]} == {"FREE"}
    assert sorted(path.name for path in root.rglob("*")) == ["docs"]


def test_status_answers_who_where_since_when_and_how_to_break_it(locks, holder) -> None:
    child = holder("docs", "run:2026-01-31-a")
    done = locks("status")
    seen = of(done.report, "docs")
    assert (seen["verdict"], seen["kernel"], seen["alive"]) == ("HELD", "exclusive", "yes")
    (who,) = seen["holders"]
    assert (who["flow"], who["pid"], who["note"]) == ("victim", child.pid, "of a test")
    assert who["host"] == os.uname().nodename
    assert who["generation"] == seen["generation"] == 1
    assert 0 <= seen["heartbeat_age_s"] < 600
    command = "python -m flows.locks break docs --generation 1 --execute --workspace "
    assert seen["break"].startswith(command)
    assert of(done.report, "run:2026-01-31-a")["verdict"] == "HELD"
    assert of(done.report, "queue")["break"] == ""
    assert done.report["counts"]["held"] == 2


def test_status_reads_as_lines(run_flow, holder, root) -> None:
    holder("docs", mode="shared")
    holder("docs", mode="shared")
    done = run_flow("locks", "status", "docs", "--engine", "direct", "--workspace", root)
    first, second = done.stdout.splitlines()[:2]
    assert first.startswith("docs  HELD shared  flow victim  host ")
    assert second.count("victim (pid ") == 2


def test_a_paused_holder_is_a_warning_and_strict_makes_it_a_finding(locks, holder) -> None:
    pause(holder("docs"))
    done = locks("status")
    assert (done.returncode, of(done.report, "docs")["verdict"]) == (0, "PAUSED")
    (finding,) = done.report["findings"]
    assert (finding["code"], finding["severity"]) == ("lock_paused", "warning")
    assert "docs --generation 1 --execute" in finding["fix"]
    assert locks("status", "--strict").returncode == 1


def test_a_dead_holder_left_the_lock_free(locks, holder) -> None:
    child = holder("docs")
    child.kill()
    child.wait()
    seen = of(locks("status").report, "docs")
    assert (seen["verdict"], seen["alive"]) == ("FREE", "no")
    assert "ended without release" in seen["why"]


def test_a_broken_holder_is_refused_at_its_next_commit(locks, holder, root) -> None:
    child = holder("docs")
    pause(child)
    shown = locks("break", "docs", "--generation", "1")
    assert shown.returncode == 0
    assert shown.report["outcomes"][0]["word"] == "looked"
    assert inspect(root, ["docs"])[0].generation == 1, "a dry run breaks nothing"
    done = locks("break", "docs", "--generation", "1", "--execute")
    assert done.returncode == 0, done.stderr
    assert done.report["outcomes"][0]["word"] == "broken"
    holder("docs")
    child.send_signal(signal.SIGCONT)
    out, err = child.communicate("late write\n")
    assert child.returncode == 1
    assert "written" not in out
    assert "Fenced" in err
    assert not (root / "written").exists()
    lines = (root / ".autonomous_runs/audit.jsonl").read_text().splitlines()
    record = next(r for r in map(json.loads, lines) if r.get("lock"))
    assert (record["lock"], record["outcome"], record["generation"]) == ("docs", "broken", 1)
    assert record["holder"]["pid"] == child.pid


def test_a_holder_that_is_at_work_or_of_another_generation_keeps_its_lock(locks, holder) -> None:
    child = holder("docs")
    done = locks("break", "docs", "--generation", "7", "--execute")
    assert done.returncode == 6
    assert "at generation 1, not 7" in done.stderr
    assert child.stdin
    child.stdin.write("still mine\n")
    child.stdin.flush()
    assert child.stdout
    assert child.stdout.readline() == "written\n"


def test_kill_ends_the_holder_and_frees_the_lock(locks, holder) -> None:
    child = holder("docs")
    pause(child)
    done = locks("break", "docs", "--generation", "1", "--kill", "--execute")
    assert done.report["outcomes"][0]["word"] == "killed"
    assert child.wait(10) == -signal.SIGKILL
    assert of(locks("status").report, "docs")["kernel"] == "free"


def test_stale_breaks_nothing_that_lives(locks, holder) -> None:
    pause(holder("archive"))
    alive = holder("queue")
    dead = holder("docs")
    dead.kill()
    dead.wait()
    done = locks("break", "--stale", "--all", "--execute")
    assert done.returncode == 0, done.stderr
    assert done.report["outcomes"] == [], "the kernel has freed the lock of the dead already"
    assert alive.poll() is None
    assert of(locks("status").report, "queue")["verdict"] == "HELD"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["break"], "which lock"),
        (["break", "docs"], "which generation"),
        (["break", "--all"], "which lock"),
        (["break", "docs", "--all"], "contradicts"),
        (["break", "docs", "--stale", "--generation", "3"], "proven dead"),
        (["break", "dosc", "--generation", "1"], "did you mean docs"),
        (["status", "run:../x"], "is not a lock name"),
        (["run", "--name", "docs"], "no command to run"),
        (["run", "--name", "everything", "--", "true"], "is not a lock name"),
        (["run", "--", "true"], "missing: --name"),
    ],
)
def test_wrong_words_exit_2_in_one_line(locks, words, says) -> None:
    done = locks(*words)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_command_runs_under_the_lock_and_knows_its_generation(locks, root) -> None:
    script = "echo $AUTOPACK_LOCKS > seen; exit 0"
    done = locks("run", "--name", "db", "run:a", "--", "sh", "-c", script, cwd=root)
    assert done.returncode == 0, done.stderr
    assert (root / "seen").read_text() == "tidy=0,db=1,run:a=1\n"
    assert {seen.kernel for seen in inspect(root)} == {"free"}
    failed = locks("run", "--name", "db", "--", "sh", "-c", "exit 3")
    assert failed.returncode == 1
    assert failed.report["command"]["exit_code"] == 3
    assert locks("run", "--name", "db", "--", "no-such-command").returncode == 4


def test_two_commands_take_turns_and_a_third_gives_up(locks, holder, root) -> None:
    holder("db")
    done = locks("run", "--name", "db", "--max-seconds", "1.5", "--", "touch", str(root / "ran"))
    assert done.returncode == 5
    assert "waiting: db  HELD  flow victim" in done.stderr
    assert "python -m flows.locks break db --generation 1" in done.stderr
    assert not (root / "ran").exists()


def start(root: Path, *command: str, flags: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    words = ["-m", "flows.locks", "run", "--name", "db", "--engine", "direct", *flags]
    child = subprocess.Popen(
        [sys.executable, *words, "--workspace", str(root), "--", *command],
        cwd=session.REPOSITORY, env=session.clean_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    return child


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


RUNS = 'echo $$ > "$0.tmp"; mv "$0.tmp" "$0"; exec sleep 300'


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_command_and_frees_the_lock(root, how, code) -> None:
    child = start(root, "sh", "-c", RUNS, str(root / "pid"))
    wait_for(root / "pid")
    child.send_signal(how)
    child.communicate(timeout=60)
    assert child.returncode == code
    assert inspect(root, ["db"])[0].kernel == "free"
    with pytest.raises(ProcessLookupError):
        os.kill(int((root / "pid").read_text()), 0)


def test_the_lock_outlives_a_killed_wrapper_until_the_command_has_ended(root) -> None:
    child = start(root, "sh", "-c", RUNS, str(root / "pid"))
    wait_for(root / "pid")
    child.kill()
    child.wait()
    (seen,) = inspect(root, ["db"])
    assert (seen.kernel, seen.verdict.alive) == ("exclusive", "no")
    os.kill(int((root / "pid").read_text()), signal.SIGKILL)
    until = time.monotonic() + 10
    while inspect(root, ["db"])[0].kernel != "free":
        assert time.monotonic() < until
        time.sleep(0.02)
    child.communicate()


def test_a_command_that_takes_too_long_is_ended(root) -> None:
    child = start(root, "sleep", "300", flags=("--max-seconds", "2"))
    _, err = child.communicate(timeout=60)
    assert child.returncode == 3
    assert "the command was ended" in err
    assert inspect(root, ["db"])[0].kernel == "free"


STUBBORN = """
import signal, sys, time
from pathlib import Path
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
Path(sys.argv[1]).write_text("up")
time.sleep(300)
"""


def test_what_the_command_started_is_ended_with_it(root) -> None:
    script = f"{sys.executable} -c '{STUBBORN}' {root / 'up'}; true"
    child = start(root, "sh", "-c", script, flags=("--max-seconds", "6"))
    wait_for(root / "up")
    child.communicate(timeout=60)
    assert child.returncode == 3
    assert inspect(root, ["db"])[0].kernel == "free", "nobody is left under the lock"


def test_what_the_command_leaves_behind_keeps_the_lock(root, locks) -> None:
    script = f"sleep 300 >/dev/null 2>&1 & echo $! > {root / 'pid'}"
    done = locks("run", "--name", "db", "--", "sh", "-c", script)
    left = int((root / "pid").read_text())
    try:
        assert done.returncode == 0
        (finding,) = done.report["findings"]
        assert (finding["code"], finding["severity"]) == ("left_behind", "warning")
        seen = of(locks("status").report, "db")
        assert seen["kernel"] == "exclusive"
        assert f"pid {left}" in seen["why"] or seen["holders"] == []
        held = locks("break", "--stale", "--all", "--execute")
        assert [o["word"] for o in held.report["outcomes"] if o["name"] == "db"] == []
        assert locks("run", "--name", "db", "--max-seconds", "1", "--", "true").returncode == 5
    finally:
        os.kill(left, signal.SIGKILL)


def test_a_command_whose_lock_is_broken_is_ended(root, locks) -> None:
    child = start(root, "sh", "-c", RUNS, str(root / "pid"))
    wait_for(root / "pid")
    done = locks("break", "db", "--generation", "1", "--execute")
    assert done.report["outcomes"][0]["word"] == "broken"
    _, err = child.communicate(timeout=60)
    assert child.returncode == 6
    assert "lock 'db' of generation 1 is lost" in err
    with pytest.raises(ProcessLookupError):
        os.kill(int((root / "pid").read_text()), 0)


def test_no_secret_of_a_command_line_is_shown(root, locks) -> None:
    script = "true postgresql://u:SEKRET1@h/d --password SEKRET2"
    done = locks("run", "--name", "db", "--", "sh", "-c", script)
    assert done.returncode == 0
    assert "SEKRET" not in done.stdout + done.stderr


def test_kill_spares_a_holder_that_makes_progress(root, locks, holder) -> None:
    child = holder("docs")
    assert child.stdin
    until = time.monotonic() + 3
    breaking = subprocess.Popen(
        [sys.executable, "-m", "flows.locks", "break", "docs", "--generation", "1", "--kill",
         "--execute", "--engine", "direct", "--workspace", str(root)],
        cwd=session.REPOSITORY, env=session.clean_environment(), stderr=subprocess.PIPE, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    while breaking.poll() is None and time.monotonic() < until + 60:
        child.stdin.write("progress\n")
        child.stdin.flush()
        time.sleep(0.05)
    assert breaking.returncode == 6
    assert "made progress while it was watched" in breaking.communicate()[1]
    assert child.poll() is None


def test_watching_ends_with_ctrl_c_and_a_report(root, holder) -> None:
    holder("docs")
    words = ["-m", "flows.locks", "status", "docs", "--watch", "--json", "--engine", "direct"]
    child = subprocess.Popen(
        [sys.executable, *words, "--workspace", str(root)], cwd=session.REPOSITORY,
        env=session.clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert child.stderr
        for _ in range(6):
            child.stderr.readline()
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        assert of(json.loads(out), "docs")["verdict"] == "HELD"
    finally:
        stop(child)
