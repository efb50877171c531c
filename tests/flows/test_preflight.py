"""`python -m flows.preflight` on small projects: what turns red, with which exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import session
from tests.support.preflight import (
    check,
    manifest,
    preflight,
    project_files,
    python,
    red,
    statuses,
    tree,
)
from tests.support.process import Finished
from tests.support.rule_papers import with_a_rule

Run = Callable[..., Finished]
OPTIONS = "--extra-index-url https://index.invalid/simple\n--find-links wheels\n"
INDEX = {
    "PIP_EXTRA_INDEX_URL": "https://index.invalid/simple",
    "UV_EXTRA_INDEX_URL": "https://x.invalid",
}


@pytest.fixture
def run(run_flow) -> Run:
    return preflight(run_flow)


@pytest.fixture
def project(make_workspace) -> Path:
    """Return a small project in which everything is right, a learned rule included."""
    return with_a_rule(make_workspace(project_files()))


def change(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def put(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text)


def add_check(root: Path, table: str) -> None:
    with (root / "preflight.toml").open("a") as file:
        file.write(table)


def unscope(root: Path) -> None:
    path = root / "docs/LEARNED_RULES.json"
    value = json.loads(path.read_text())
    value["rules"][0]["scope"] = None
    path.write_text(json.dumps(value))


NO_TOOL = check("tool", "no-such-tool-anywhere")
HANGS = python("hangs", "import time; time.sleep(600)", timeout=1)
BROKEN = {
    "syntax": (lambda root: put(root, "toy/core.py", "def f(:\n"), {"syntax", "imports"}, 1),
    "bad import": (lambda root: put(root, "toy/core.py", "import no_such\n"), {"imports"}, 1),
    "dead nav link": (
        lambda root: put(root, "docs/INDEX.md", "# Index\n\n[gone](GONE.md)\n"), {"nav-links"}, 1,
    ),
    "version drift": (
        lambda root: change(root, "toy/__init__.py", "1.2.0", "1.3.0"), {"versions"}, 1,
    ),
    "pin drift": (
        lambda root: change(root, "requirements/runtime.txt", "==2.12.3", "==1.10.2"), {"pins"}, 1,
    ),
    "missing tool": (lambda root: add_check(root, NO_TOOL), {"tool"}, 4),
    "hanging check": (lambda root: add_check(root, HANGS), {"hangs"}, 1),
    "META drift": (
        lambda root: change(root, "docs/DEBUG_LOG.md", "Total_Issues: 2", "Total_Issues: 7"),
        {"counts"}, 1,
    ),
    "unscoped rule": (unscope, {"rules"}, 1),
}  # fmt: skip
"""Nine of the ten seeded breakages, the checks that turn red, the exit code; a lock is below."""


def test_everything_passes_where_nothing_is_broken(run, project) -> None:
    done = run(project)
    assert (done.returncode, red(done)) == (0, set()), done.stderr
    assert set(statuses(done).values()) == {"passed"}
    assert done.report["manifest"] == "preflight.toml"


@pytest.mark.parametrize("seed", BROKEN)
def test_a_seeded_breakage_turns_its_check_red(seed, run, project) -> None:
    """The verdict is the same where pip and the requirements name more indexes."""
    breaks, checks, code = BROKEN[seed]
    breaks(project)
    done = run(project)
    assert (red(done), done.returncode) == (checks, code), done.report["checks"]
    pins = project / "requirements/runtime.txt"
    pins.write_text(OPTIONS + pins.read_text())
    again = run(project, env=INDEX)
    assert statuses(again) == statuses(done)
    assert again.returncode == code


def test_a_writer_without_a_lock_turns_lock_coverage_red(run, tmp_path) -> None:
    root = tmp_path / "copy"
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-coz", "--exclude-standard"],
        cwd=session.REPOSITORY, check=True, capture_output=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (session.REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes((session.REPOSITORY / name).read_bytes())
    only = ("--only", "lock-coverage", "--max-seconds", "300")
    env = {"PYTHONPATH": str(root)}
    done = run(root, *only, cwd=root, env=env, seconds=300)
    assert done.returncode == 0, done.report
    put(root, "tasks/leak.py", '"""Writes."""\n\nimport os\n\nos.replace("a", "b")\n')
    done = run(root, *only, cwd=root, env=env, seconds=300)
    assert (red(done), done.returncode) == ({"lock-coverage"}, 1)
    assert "tasks/leak.py" in done.report["checks"][0]["output"][-1] or any(
        "tasks/leak.py" in line for line in done.report["checks"][0]["output"]
    )


def test_what_is_missing_counts_more_than_what_is_found(run, project) -> None:
    add_check(project, NO_TOOL + python("red", "raise SystemExit(1)"))
    done = run(project)
    assert done.returncode == 4
    assert statuses(done) | {"tool": "missing", "red": "failed"} == statuses(done)
    assert "tool could not run: 'no-such-tool-anywhere' is not on PATH" in done.report["message"]


def test_an_optional_check_without_its_tool_is_skipped_and_a_scheduled_one_is_left_out(
    run, project
) -> None:
    add_check(project, check("maybe", "no-such-tool", cadence="optional"))
    add_check(project, check("nightly", "no-such-tool", cadence="scheduled"))
    done = run(project)
    assert done.returncode == 0
    assert statuses(done)["maybe"] == "skipped"
    assert "nightly" not in statuses(done)
    assert run(project, "--scheduled").returncode == 4


@pytest.mark.parametrize(
    ("cadence", "status", "code"), [("always", "missing", 4), ("optional", "skipped", 0)]
)
def test_a_check_that_lacks_its_network_is_never_a_pass(
    cadence, status, code, run, make_workspace
) -> None:
    away = "raise SystemExit('error: Name or service not known')"
    table = python("audit", away, network=True, cadence=cadence)
    done = run(make_workspace({"preflight.toml": manifest(table)}))
    assert (statuses(done)["audit"], done.returncode) == (status, code)
    assert done.report["checks"][0]["first"] == "no network"


def test_a_failure_that_is_no_network_stays_a_failure(run, make_workspace) -> None:
    table = python(
        "audit", "raise SystemExit('a hole was found')", network=True, cadence="optional"
    )
    done = run(make_workspace({"preflight.toml": manifest(table)}))
    assert (statuses(done)["audit"], done.returncode) == ("failed", 1)


def test_nothing_is_written_to_the_tree(run, project) -> None:
    tools = [
        check("ruff", "python", "-m", "ruff", "check", "toy"),
        check("format", "python", "-m", "ruff", "format", "--check", "toy"),
        check("types", "python", "-m", "mypy", "toy", timeout=300),
        check(
            "tests", "python", "-m", "pytest", "-p", "no:cacheprovider", "test_toy.py", tier="ci"
        ),
        check("imports-apart", builtin="imports", args=["apart"]).replace("command = []\n", ""),
    ]
    put(project, "test_toy.py", "from toy.core import NAME\n\n\ndef test_it():\n    assert NAME\n")
    add_check(project, "".join(tools))
    before = tree(project)
    done = run(project, "--tier", "ci", "--changed", seconds=300)
    assert done.returncode == 0, done.report["checks"]
    assert tree(project) == before
    (cache,) = done.report["writes"]["files"]
    assert Path(cache).is_relative_to(session.FOLDER / "cache")


def test_an_import_that_writes_to_the_tree_is_told_and_refused(run, project) -> None:
    put(project, "toy/core.py", "open(__file__ + '.log', 'w').write('x')\n")
    before = tree(project)
    done = run(project)
    assert red(done) == {"imports"}
    assert "an import must not write" in done.report["findings"][0]["message"]
    assert tree(project) == before


def test_changed_leaves_out_what_passed_on_the_same_inputs(run, project) -> None:
    def cached(done: Finished) -> set[str]:
        return {check["id"] for check in done.report["checks"] if check["cached"]}

    assert cached(run(project, "--changed")) == set()
    assert cached(run(project, "--changed")) == set(statuses(run(project)))
    put(project, "toy/core.py", '"""Other."""\n')
    assert not cached(run(project, "--changed")) & {"syntax", "imports", "versions"}
    put(project, "toy/core.py", "import no_such\n")
    for _ in range(2):  # a failure is never kept
        done = run(project, "--changed")
        assert (red(done), done.returncode) == ({"imports"}, 1)
    assert "pins" in cached(done)


def test_without_changed_no_pass_is_taken_from_before(run, project) -> None:
    run(project, "--changed")
    done = run(project)
    assert not any(check["cached"] for check in done.report["checks"])
    assert done.report["writes"]["files"] == []


def test_a_change_of_the_manifest_runs_a_check_again(run, project) -> None:
    add_check(project, python("hello", "print(1)", inputs=["toy/**"]))
    run(project, "--changed")
    change(project, "preflight.toml", "print(1)", "print(2)")
    ended = {check["id"]: check["cached"] for check in run(project, "--changed").report["checks"]}
    assert not ended["hello"]
    assert ended["syntax"]


def test_a_check_without_inputs_always_runs(run, project) -> None:
    add_check(project, python("hello", "print(1)"))
    run(project, "--changed")
    ended = {check["id"]: check["cached"] for check in run(project, "--changed").report["checks"]}
    assert not ended["hello"]


def test_a_tier_contains_the_ones_before_it(run, make_workspace) -> None:
    tables = [python(tier, "", tier=tier) for tier in ("ci", "quick", "full")]
    root = make_workspace({"preflight.toml": manifest(*tables)})
    ran = [set(statuses(run(root, "--tier", tier))) for tier in ("quick", "full", "ci")]
    assert ran == [{"quick"}, {"quick", "full"}, {"quick", "full", "ci"}]
    assert set(statuses(run(root, "--only", "ci"))) == {"ci"}


def test_list_runs_nothing(run, project) -> None:
    add_check(project, python("never", "import pathlib; pathlib.Path('ran').touch()", tier="ci"))
    done = run(project, "--list")
    assert done.returncode == 0
    assert done.report["checks"][-1]["check"] == "never"
    assert not (project / "ran").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--only", "sintax"], "there is no check 'sintax'; did you mean syntax?"),
        (["--tier", "fast"], "'fast' is not one of quick, full, ci"),
        (["--list", "--changed"], "--list runs nothing"),
    ],
)
def test_a_wrong_command_line_is_one_line(flags, said, run, project) -> None:
    done = run(project, *flags)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_manifest_with_a_fault_names_its_line(run, make_workspace) -> None:
    text = manifest(python("a", "", tier="quick")).replace("tier", "teir")
    done = run(make_workspace({"preflight.toml": text}))
    assert done.returncode == 2
    line = text.splitlines().index('teir = "quick"') + 1
    assert f"preflight.toml:{line}: unknown key 'teir'; did you mean 'tier'?" in done.stderr


def test_a_workspace_without_a_manifest_gets_checks_of_its_own(run, project) -> None:
    (project / "preflight.toml").unlink()
    done = run(project, "--tier", "full")
    assert done.returncode == 0, done.report["checks"]
    assert done.report["manifest"] == "default_preflight.toml"
    assert statuses(done) == {
        "syntax": "passed", "nav-links": "passed", "counts": "passed", "ledgers": "passed",
        "pins": "passed", "versions": "passed", "rules": "passed", "phase-specs": "skipped",
        "backlog": "skipped", "imports": "passed",
    }  # fmt: skip


@pytest.mark.corpus
def test_the_real_workspace_is_checked_without_a_manifest(run, corpus) -> None:
    done = run(corpus, seconds=300)
    assert done.returncode == 1
    assert red(done) == {"nav-links", "counts", "rules"}
    assert statuses(done)["syntax"] == "passed"


def test_what_a_tool_says_about_lines_is_a_finding_there(run, project) -> None:
    words = (
        "print('toy/core.py:3:7: error: no such thing\\nnot/there.py:1: x'); raise SystemExit(1)"
    )
    add_check(project, python("types", words))
    (found,) = run(project).report["findings"]
    assert (found["code"], found["path"], found["line"], found["column"], found["message"]) == (
        "types", "toy/core.py", 3, 7, "no such thing",
    )  # fmt: skip


def test_a_failure_shows_the_end_of_what_was_said(run_flow, make_workspace) -> None:
    noise = "print('\\n'.join(f'line {n}' for n in range(5000))); raise SystemExit(3)"
    root = make_workspace({"preflight.toml": manifest(python("noisy", noise))})
    done = run_flow("preflight", "--engine", "direct", "--workspace", root)
    assert done.returncode == 1
    assert "line 4999" in done.stdout
    assert "line 4700" not in done.stdout


def test_the_lines_of_a_stream_are_shown_at_once(run, make_workspace) -> None:
    table = python("tests", "print('one'); print('two')", stream=True)
    done = run(make_workspace({"preflight.toml": manifest(table)}))
    assert "tests | one\ntests | two\n" in done.stderr


def test_what_is_alone_runs_when_the_others_have_ended(run, make_workspace) -> None:
    stamp = "import sys, time; time.sleep({}); open({!r}, 'w').write(repr(time.monotonic_ns()))"
    root = make_workspace()
    out = {name: str(root.parent / name) for name in ("alone", "other")}
    tables = [
        python("alone", stamp.format(0, out["alone"]), alone=True, timeout=600),
        python("other", stamp.format(0.5, out["other"]), timeout=60),
    ]
    put(root, "preflight.toml", manifest(*tables))
    assert run(root).returncode == 0
    alone, other = (int(Path(out[name]).read_text()) for name in ("alone", "other"))
    assert alone > other


# --- ends -------------------------------------------------------------------------------------

FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", deaf])
part = {out!r} + ".part"
with open(part, "w") as file:
    file.write(f"{{os.getpid()}} {{child.pid}}")
os.rename(part, {out!r})
time.sleep(600)
"""


def family(root: Path, **keys: object) -> tuple[str, Path]:
    """Return a check that hangs with a child, both deaf to SIGTERM, and where their pids are."""
    out = root.parent / "pids"
    return python("family", FAMILY.format(out=str(out)), **keys), out


def gone(pid: int) -> bool:
    """Return whether a process is no more, or is a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def all_gone(pids: list[int]) -> bool:
    until = time.monotonic() + 30
    while time.monotonic() < until and not all(map(gone, pids)):
        time.sleep(0.05)
    return all(map(gone, pids))


def test_a_hanging_check_is_ended_with_all_that_it_started(run, make_workspace) -> None:
    root = make_workspace()
    table, out = family(root, timeout=3)
    put(root, "preflight.toml", manifest(table))
    done = run(root)
    assert (statuses(done), done.returncode) == ({"family": "timeout"}, 1)
    assert done.report["findings"][0]["code"] == "family/timeout"
    assert all_gone([int(pid) for pid in out.read_text().split()])


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_check(how, code, make_workspace) -> None:
    root = make_workspace()
    table, out = family(root, timeout=600)
    put(root, "preflight.toml", manifest(table))
    words = ["-m", "flows.preflight", "--engine", "direct", "--workspace", str(root)]
    child = subprocess.Popen(
        [sys.executable, *words], cwd=session.REPOSITORY, env=session.clean_environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 60
    while not out.exists() and time.monotonic() < until:
        time.sleep(0.05)
    child.send_signal(how)
    assert child.wait(60) == code
    assert all_gone([int(pid) for pid in out.read_text().split()])


def test_the_deadline_ends_every_check(run, make_workspace) -> None:
    root = make_workspace()
    table, out = family(root, timeout=600)
    put(root, "preflight.toml", manifest(table))
    done = run(root, "--max-seconds", "4")
    assert done.returncode == 3
    assert "--max-seconds 4 ran out" in done.report["message"]
    assert all_gone([int(pid) for pid in out.read_text().split()])


def test_no_secret_of_the_environment_is_shown(run_flow, make_workspace) -> None:
    leak = "import os; print('password', os.environ['APP_PASSWORD']); raise SystemExit(1)"
    root = make_workspace({"preflight.toml": manifest(python("leak", leak, stream=True))})
    words = ("--engine", "direct", "--workspace", root)
    done = run_flow("preflight", *words, env={"APP_PASSWORD": "hunter2hunter2"})
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr
    assert "password ***" in done.stdout
    assert os.environ.get("APP_PASSWORD") is None
