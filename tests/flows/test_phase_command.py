"""A phase's command runs where it can write its scope alone, in its time; then it is judged."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

from autopack.io import landlock
from tests.support.phase_commands import codes, ended, lay_out_passing, passing, run_under, runner
from tests.support.phase_runs import write_spec
from tests.support.redirects import git

needs_landlock = pytest.mark.skipif(
    landlock.version() < landlock.FIRST_WHOLE, reason="the kernel has no Landlock"
)


@pytest.fixture
def root(tmp_path):
    return lay_out_passing(tmp_path / "ws")


@pytest.fixture
def run(run_flow, root):
    return runner(run_flow, root)


def test_a_phase_that_keeps_to_its_scope_is_clean(run, root):
    done = run("open('src/app/main.py', 'a').write('y = 2\\n'); open('src/app/n.py', 'w')")
    assert done.returncode == 0, done.stdout + done.stderr
    report = done.report
    assert report["command"]["exit_code"] == 0
    assert report["validation"]["exit_code"] == 0
    assert report["phase"]["changed"] == ["src/app/main.py", "src/app/n.py"]
    assert report["counts"]["lines"] == 1
    assert not list((root / ".autonomous_runs/phases").glob("*.json")), "the phase is closed"


ESCAPES = {
    "a file outside": "open('untracked.txt', 'w')",
    "a new file outside": "open('new.txt', 'w')",
    "read-only context": "open('docs/INDEX.md', 'a')",
    "a hook": "open('.git/hooks/pre-commit', 'w')",
    "git's configuration": "open('.git/config', 'a')",
    "a commit": "import subprocess; subprocess.run(['git','commit','--allow-empty','-qm','x'],"
    "check=True)",
    "a removal": "import os; os.remove('src/other/lib.py')",
    "a truncation": "import os; os.truncate('src/other/lib.py', 0)",
    "a rename out of the scope": "import os; os.rename('src/app/main.py', 'main.py')",
    "a rename into the scope": "import os; os.rename('src/other/lib.py', 'src/app/lib.py')",
    "a symlink in the scope": "import os; os.symlink('/etc', 'src/app/l')",
    "a hard link into the scope": "import os; os.link('src/other/lib.py', 'src/app/l.py')",
    "a pipe in the scope": "import os; os.mkfifo('src/app/p')",
    "the audit chain": "open('.autonomous_runs/audit.jsonl', 'a')",
    "its own snapshot": "import glob; open(glob.glob('.autonomous_runs/phases/*.json')[0], 'w')",
    "a child of a child": "import subprocess, sys; subprocess.run([sys.executable, '-c',"
    "\"open('new.txt', 'w')\"], check=True)",
    "the run itself": "import os; os.kill(os.getppid(), 9)",
}


@needs_landlock
@pytest.mark.parametrize("escape", ESCAPES)
def test_the_sandbox_lets_nothing_out(escape, run, root, tmp_path):
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and ".aut" not in str(p)}
    done = run(ESCAPES[escape])
    assert done.returncode == 1, done.stdout + done.stderr
    assert codes(done) == ["PS723"], "the command failed, and did nothing"
    assert {p: p.read_bytes() for p in before} == before
    assert done.report["sandbox"]["kind"] == "landlock"


@needs_landlock
def test_a_folder_beside_the_workspace_is_closed_unless_it_is_named(run, tmp_path):
    beside = tmp_path / "beside"
    beside.mkdir()
    write = f"open({str(beside / 'x')!r}, 'w').write('x')"
    assert codes(run(write)) == ["PS723"]
    done = run(write, "--writable", str(beside))
    assert done.returncode == 0, done.stdout
    assert (beside / "x").read_text() == "x"


def test_a_folder_of_the_workspace_cannot_be_made_writable(run, root):
    done = run("pass", "--writable", str(root / "docs"))
    assert done.returncode == 2
    assert "scope.paths" in done.report["message"]


def test_temporary_files_and_devices_are_the_commands_own(run):
    code = (
        "import tempfile; f = tempfile.NamedTemporaryFile(); f.write(b'x');"
        "open('/dev/null', 'w').write('x'); print('said')"
    )
    done = run(code, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "said" in done.stderr, "stdout is the report's"


@needs_landlock
def test_what_the_scope_names_and_is_not_there_can_be_made(run, root):
    paths = ["src/app/", "NOTES.md", "src/fresh/", "pages/**/*.md"]
    write_spec(root, passing(("scope.paths", paths)))
    done = run("open('NOTES.md', 'w').write('n\\n'); open('src/fresh/a.py', 'w').write('a\\n')")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.report["phase"]["changed"] == ["NOTES.md", "src/fresh/a.py"]
    assert not (root / "pages").exists(), "what stayed empty is gone"
    assert "which names match pages/**/*.md" in done.report["sandbox"]["checked_afterwards"]


@needs_landlock
def test_an_empty_file_that_nobody_wrote_is_not_there_for_the_validation(run, root):
    write_spec(root, passing(("scope.paths", ["src/app/", "tests/test_app.py", "NOTES.md"])))
    look = "import os; raise SystemExit(os.path.exists('NOTES.md'))"
    (root / "tests/test_app.py").write_text(look)
    done = run("pass")
    assert done.returncode == 0, done.stdout + done.stderr


@needs_landlock
def test_an_empty_file_that_the_command_wrote_stays(run, root):
    write_spec(root, passing(("scope.paths", ["src/app/", "tests/test_app.py", "NOTES.md"])))
    done = run("open('NOTES.md', 'w')")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.report["phase"]["changed"] == ["NOTES.md"]
    assert (root / "NOTES.md").exists()


@needs_landlock
def test_what_the_command_may_remove_is_not_missed_by_the_validation(run, root):
    paths = ["src/app/", "src/app/old.py", "src/app/deep/", "tests/test_app.py"]
    write_spec(root, passing(("scope.paths", paths)))
    (root / "src/app/deep").mkdir()
    done = run("import os; os.remove('src/app/old.py'); os.rmdir('src/app/deep')")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.report["validation"]["exit_code"] == 0


@needs_landlock
def test_a_glob_is_looser_in_the_sandbox_and_checked_afterwards(run, root):
    write_spec(root, passing(("scope.paths", ["src/app/**/*.py"])))
    done = run("open('src/app/x.txt', 'w').write('x')")
    assert codes(done) == ["PS702"]


@needs_landlock
def test_a_glob_at_the_root_opens_neither_git_nor_read_only_context(run, root):
    write_spec(root, passing(("scope.paths", ["s*c/app/main.py"])))
    assert codes(run("open('src/app/main.py', 'a').write('y\\n')")) == []
    for path in ("docs/INDEX.md", ".git/config", "README.md", "config/x.yaml"):
        done = run(f"open({path!r}, 'a')")
        assert codes(done) == ["PS723"], path + done.stdout


@needs_landlock
def test_modes_are_not_kept_by_the_sandbox_but_found(run):
    done = run("import os; os.chmod('src/other/lib.py', 0o777)")
    assert codes(done) == ["PS704"]
    assert "modes and owners" in done.report["sandbox"]["checked_afterwards"]


def test_the_wall_budget_ends_the_command_and_all_it_started(run, root):
    write_spec(root, passing(("budget.seconds", 2), ("validation.timeout_seconds", 2)))
    code = (
        "import subprocess, sys, time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
        "start_new_session=True); open('src/app/pid', 'w').write(str(p.pid)); time.sleep(600)"
    )
    done = run(code)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "PS722" in codes(done)
    assert done.report["command"]["exit_code"] is None
    assert done.report["validation"]["exit_code"] == 0, "what was done in time is validated"
    pid = int((root / "src/app/pid").read_text())
    assert ended(pid)


STUBBORN = (
    "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open('src/app/pids', 'a').write(f'{os.getpid()} '); time.sleep(600)"
)


def test_the_deadline_is_kept_against_what_ignores_every_kind_word(run, root):
    code = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]],"
        "start_new_session=True, close_fds=True, stdin=-3, stdout=-3, stderr=-3);"
        "exec(sys.argv[1])"
    )
    done = run([sys.executable, "-c", code, STUBBORN], "--max-seconds", "12")
    assert done.returncode == 3, done.stdout + done.stderr
    pids = (root / "src/app/pids").read_text().split()
    assert len(pids) == 2
    assert all(ended(int(pid)) for pid in pids)
    assert list((root / ".autonomous_runs/phases").glob("*.json")), "the phase is open"


def test_what_outlives_the_command_is_ended(run, root):
    """It left the session and closed what it inherited; its environment still names the phase."""
    code = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c',"
        "'import time; time.sleep(600)'], start_new_session=True, close_fds=True,"
        "stdin=-3, stdout=-3, stderr=-3); open('src/app/pid', 'w').write(str(p.pid))"
    )
    done = run(code)
    assert codes(done) == ["PS725"]
    pid = int((root / "src/app/pid").read_text())
    assert ended(pid)


def test_a_failing_validation_is_a_finding_and_closes_the_phase(run, root):
    done = run("open('tests/test_app.py', 'w').write('raise SystemExit(3)')")
    assert codes(done) == ["PS724"]
    assert done.returncode == 1
    assert not list((root / ".autonomous_runs/phases").glob("*.json"))


def test_a_validation_that_does_not_end_is_ended(run, root):
    write_spec(root, passing(("validation.timeout_seconds", 1)))
    done = run("open('tests/test_app.py', 'w').write('import time; time.sleep(600)')")
    assert codes(done) == ["PS724"]
    assert done.report["validation"]["exit_code"] is None


def test_a_command_that_is_not_there_is_unreachable(run):
    done = run(["no-such-command-anywhere"])
    assert done.returncode == 4
    assert "no-such-command-anywhere" in done.report["message"]


def test_a_run_without_execute_says_what_would_be_enforced(run, root):
    before = sorted(root.rglob("*"))
    done = run("open('src/app/n.py', 'w')", execute=False)
    assert done.returncode == 0, done.stdout
    assert sorted(root.rglob("*")) == before
    told = done.report["sandbox"]
    assert told["kind"] == "none" or told["may_write"] == ["src/app/", "tests/test_app.py"]


def test_the_report_says_in_words_what_is_enforced_and_what_is_checked_afterwards(run):
    done = run("pass", form=None)
    assert re.search(r"^ *sandbox: \w+$", done.stdout, re.M), done.stdout
    assert re.search(r"^ *checked afterwards: .", done.stdout, re.M)


def test_a_run_without_a_command_is_a_usage_error(run_flow, root):
    done = run_flow("phase_check", "run", root.parent / "plan.json", "--workspace", root)
    assert done.returncode == 2


def test_without_a_sandbox_the_run_warns_and_finds_violations_afterwards(root):
    done = run_under("none", root, code="open('docs/INDEX.md', 'a').write('y')")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert sorted(f["code"] for f in report["findings"]) == ["PS709", "PS731"]
    assert report["sandbox"]["kind"] == "none"
    assert any("quarantine" in name for name in report["writes"]["files"])


def test_a_sandbox_can_be_required(root):
    done = run_under("none", root, "--require-sandbox", code="pass")
    assert done.returncode == 4
    assert not (root / ".autonomous_runs/phases").exists()


def test_an_interrupted_run_ends_its_command(root):
    from tests.support.session import REPOSITORY, clean_environment

    code = "import os, time; open('src/app/pid', 'w').write(str(os.getpid())); time.sleep(600)"
    child = subprocess.Popen(
        [sys.executable, "-m", "flows.phase_check", "run", str(root.parent / "plan.json"),
         "--workspace", str(root), "--engine", "direct", "--execute", "--", sys.executable,
         "-c", code], cwd=REPOSITORY, env=clean_environment(), stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    pid = root / "src/app/pid"
    while not (pid.exists() and pid.read_text()):
        assert child.poll() is None
    child.send_signal(signal.SIGTERM)
    assert child.wait() == 143
    assert ended(int(pid.read_text()))


def test_git_cannot_be_led_astray_by_what_the_phase_wrote(root, run):
    """A file system monitor of git's is a program; the comparison starts none."""
    done = run("pass")
    assert done.returncode == 0, done.stdout
    trap = root.parent / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {root.parent}/sprung\n")
    trap.chmod(0o755)
    git(root, "config", "core.fsmonitor", str(trap))
    assert run("pass").returncode == 0
    assert not (root.parent / "sprung").exists()
