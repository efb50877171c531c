"""`python -m flows.preflight` on small projects: what runs, what is said, what is left alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support import session
from tests.support.preflight import (
    add_check,
    change,
    check,
    manifest,
    put,
    python,
    red,
    statuses,
    tree,
)
from tests.support.process import Finished


def test_what_is_missing_counts_more_than_what_is_found(flight, project) -> None:
    add_check(
        project, check("tool", "no-such-tool-anywhere") + python("red", "raise SystemExit(1)")
    )
    done = flight(project)
    assert done.returncode == 4
    assert statuses(done) | {"tool": "missing", "red": "failed"} == statuses(done)
    assert "tool could not run: 'no-such-tool-anywhere' is not on PATH" in done.report["message"]


def test_an_optional_check_without_its_tool_is_skipped_and_a_scheduled_one_is_left_out(
    flight, project
) -> None:
    add_check(project, check("maybe", "no-such-tool", cadence="optional"))
    add_check(project, check("nightly", "no-such-tool", cadence="scheduled"))
    done = flight(project)
    assert done.returncode == 0
    assert statuses(done)["maybe"] == "skipped"
    assert "nightly" not in statuses(done)
    assert flight(project, "--scheduled").returncode == 4


def test_what_is_asked_for_by_name_and_cannot_run_is_no_pass(flight, project) -> None:
    elsewhere = next(name for name in ("win32", "darwin") if name != sys.platform)
    add_check(project, check("maybe", "no-such-tool", cadence="optional"))
    add_check(project, python("there", "", platforms=[elsewhere]))
    done = flight(project, "--only", "maybe", "there")
    assert done.returncode == 4
    assert statuses(done) == {"maybe": "missing", "there": "missing"}
    assert done.report["checks"][1]["first"] == f"not for {sys.platform}"


@pytest.mark.parametrize(
    ("cadence", "status", "code"), [("always", "missing", 4), ("optional", "skipped", 0)]
)
def test_a_check_that_lacks_its_network_is_never_a_pass(
    cadence, status, code, flight, make_workspace
) -> None:
    away = "raise SystemExit('error: Name or service not known')"
    table = python("audit", away, network=True, cadence=cadence)
    done = flight(make_workspace({"preflight.toml": manifest(table)}))
    assert (statuses(done)["audit"], done.returncode) == (status, code)
    words = "it could not look: error: Name or service not known"
    assert done.report["checks"][0]["first"] == words


def test_a_failure_that_is_no_network_stays_a_failure(flight, make_workspace) -> None:
    table = python(
        "audit", "raise SystemExit('a hole was found')", network=True, cadence="optional"
    )
    done = flight(make_workspace({"preflight.toml": manifest(table)}))
    assert (statuses(done)["audit"], done.returncode) == ("failed", 1)


def test_nothing_is_written_to_the_tree(flight, project) -> None:
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
    done = flight(project, "--tier", "ci", "--changed", seconds=300)
    assert done.returncode == 0, done.report["checks"]
    assert tree(project) == before
    (cache,) = done.report["writes"]["files"]
    assert Path(cache).is_relative_to(session.FOLDER / "cache")


def test_an_import_that_writes_to_the_tree_is_told_and_refused(flight, project) -> None:
    put(project, "toy/core.py", "open(__file__ + '.log', 'w').write('x')\n")
    before = tree(project)
    done = flight(project)
    assert red(done) == {"imports"}
    assert "an import must not write" in done.report["findings"][0]["message"]
    assert tree(project) == before


def cached(done: Finished) -> set[str]:
    return {check["id"] for check in done.report["checks"] if check["cached"]}


def test_changed_leaves_out_what_passed_on_the_same_inputs(flight, project) -> None:
    assert cached(flight(project, "--changed")) == set()
    assert cached(flight(project, "--changed")) == set(statuses(flight(project)))
    put(project, "toy/core.py", '"""Other."""\n')
    left = cached(flight(project, "--changed"))
    assert not left & {"syntax", "imports", "versions"}
    assert left >= {"pins", "counts", "rules"}
    put(project, "docs/NEW.md", "# New\n")  # a rule may ask for any name
    assert not cached(flight(project, "--changed"))
    put(project, "toy/core.py", "import no_such\n")
    for _ in range(2):  # a failure is never kept
        done = flight(project, "--changed")
        assert (red(done), done.returncode) == ({"imports"}, 1)
    assert "pins" in cached(done)


def test_without_changed_no_pass_is_taken_from_before(flight, project) -> None:
    flight(project, "--changed")
    done = flight(project)
    assert not any(check["cached"] for check in done.report["checks"])
    assert done.report["writes"]["files"] == []


def test_a_change_of_the_manifest_runs_a_check_again(flight, project) -> None:
    add_check(project, python("hello", "print(1)", inputs=["toy/**"]))
    flight(project, "--changed")
    change(project, "preflight.toml", "print(1)", "print(2)")
    kept = cached(flight(project, "--changed"))
    assert "syntax" in kept
    assert "hello" not in kept


def test_a_check_without_inputs_always_runs(flight, project) -> None:
    add_check(project, python("hello", "print(1)"))
    flight(project, "--changed")
    assert "hello" not in cached(flight(project, "--changed"))


def test_a_built_in_check_has_what_it_reads_in_its_key_whatever_its_inputs_say(
    flight, project
) -> None:
    change(project, "preflight.toml", '["pyproject.toml", "requirements/*"]', '["pyproject.toml"]')
    flight(project, "--changed")
    assert "pins" in cached(flight(project, "--changed"))
    change(project, "requirements/runtime.txt", "2.12.3", "1.0")
    assert red(flight(project, "--changed")) == {"pins"}


def test_a_change_of_the_script_that_a_check_runs_runs_it_again(flight, project) -> None:
    put(project, "probe.py", "print('fine')\n")
    add_check(project, check("probe", "python", "probe.py", inputs=["docs/*"]))
    flight(project, "--changed")
    assert "probe" in cached(flight(project, "--changed"))
    put(project, "probe.py", "raise SystemExit('broken')\n")
    assert red(flight(project, "--changed", "--only", "probe")) == {"probe"}


def test_a_pass_is_forgotten_when_the_check_fails_on_the_same_inputs(flight, project) -> None:
    put(project.parent, "verdict", "0")
    code = f"raise SystemExit(int(open({str(project.parent / 'verdict')!r}).read()))"
    add_check(project, python("outer", code, inputs=["docs/*"]))
    flight(project, "--changed")
    put(project.parent, "verdict", "1")
    assert red(flight(project)) == {"outer"}
    assert red(flight(project, "--changed")) == {"outer"}


def test_a_tier_contains_the_ones_before_it(flight, make_workspace) -> None:
    tables = [python(tier, "", tier=tier) for tier in ("ci", "quick", "full")]
    root = make_workspace({"preflight.toml": manifest(*tables)})
    ran = [set(statuses(flight(root, "--tier", tier))) for tier in ("quick", "full", "ci")]
    assert ran == [{"quick"}, {"quick", "full"}, {"quick", "full", "ci"}]
    assert set(statuses(flight(root, "--only", "ci"))) == {"ci"}


def test_a_run_of_no_check_is_no_pass(flight, make_workspace) -> None:
    root = make_workspace({"preflight.toml": manifest(python("slow", "", tier="ci"))})
    done = flight(root)
    assert done.returncode == 2
    assert "preflight.toml has no check in tier quick" in done.stderr
    assert flight(root, "--tier", "ci").returncode == 0


def test_list_runs_nothing(flight, project) -> None:
    add_check(project, python("never", "import pathlib; pathlib.Path('ran').touch()", tier="ci"))
    done = flight(project, "--list")
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
def test_a_wrong_command_line_is_one_line(flags, said, flight, project) -> None:
    done = flight(project, *flags)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_manifest_with_a_fault_names_its_line(flight, make_workspace) -> None:
    text = manifest(python("a", "", tier="quick")).replace("tier", "teir")
    done = flight(make_workspace({"preflight.toml": text}))
    assert done.returncode == 2
    line = text.splitlines().index('teir = "quick"') + 1
    assert f"preflight.toml:{line}: unknown key 'teir'; did you mean 'tier'?" in done.stderr


def test_a_workspace_without_a_manifest_gets_checks_of_its_own(flight, project) -> None:
    (project / "preflight.toml").unlink()
    done = flight(project, "--tier", "full")
    assert done.returncode == 0, done.report["checks"]
    assert done.report["manifest"] == "default_preflight.toml"
    assert statuses(done) == {
        "syntax": "passed", "nav-links": "passed", "counts": "passed", "ledgers": "passed",
        "pins": "passed", "versions": "passed", "rules": "passed", "phase-specs": "skipped",
        "backlog": "skipped", "imports": "passed",
    }  # fmt: skip


@pytest.mark.corpus
def test_the_real_workspace_is_checked_without_a_manifest(flight, corpus) -> None:
    done = flight(corpus, seconds=300)
    assert done.returncode == 1
    assert red(done) == {"nav-links", "counts", "rules"}
    assert statuses(done)["syntax"] == "passed"


def test_what_a_tool_says_about_lines_is_a_finding_there(flight, project) -> None:
    words = (
        "print('toy/core.py:3:7: error: no such thing\\nnot/there.py:1: x'); raise SystemExit(1)"
    )
    add_check(project, python("types", words))
    (found,) = flight(project).report["findings"]
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


def test_the_lines_of_a_stream_are_shown_at_once_but_not_to_a_program(
    run_flow, flight, make_workspace
) -> None:
    table = python("tests", "print('one'); print('two')", stream=True)
    root = make_workspace({"preflight.toml": manifest(table)})
    done = run_flow("preflight", "--engine", "direct", "--workspace", root)
    assert done.stderr.startswith("tests | one\ntests | two\npreflight: tests passed (")
    assert flight(root).stderr == ""


def test_what_is_alone_runs_when_the_others_have_ended(flight, make_workspace) -> None:
    stamp = "import sys, time; time.sleep({}); open({!r}, 'w').write(repr(time.monotonic_ns()))"
    root = make_workspace()
    out = {name: str(root.parent / name) for name in ("alone", "other")}
    tables = [
        python("alone", stamp.format(0, out["alone"]), alone=True, timeout=600),
        python("other", stamp.format(0.5, out["other"]), timeout=60),
    ]
    put(root, "preflight.toml", manifest(*tables))
    assert flight(root).returncode == 0
    alone, other = (int(Path(out[name]).read_text()) for name in ("alone", "other"))
    assert alone > other


def test_what_a_tool_says_about_no_file_of_the_workspace_is_no_place(
    flight, make_workspace
) -> None:
    root = make_workspace()
    (root / "a.py").write_text("")
    (root.parent / "out.py").write_text("")
    said = [
        "n" * 5000 + ":1: a very long name", f"{root.parent}/out.py:1: absolute",
        "../out.py:1: beside", "/etc/passwd:1: elsewhere", f"{root}/a.py:3:1: absolute and inside",
    ]  # fmt: skip
    table = python("tool", f"print(*{said!r}, sep='\\n'); raise SystemExit(1)")
    put(root, "preflight.toml", manifest(table))
    done = flight(root)
    assert done.returncode == 1, done.stderr
    (found,) = done.report["findings"]
    assert (found["path"], found["line"]) == ("a.py", 3)


def test_an_error_of_an_import_may_be_long_in_any_script(flight, project) -> None:
    put(project, "toy/core.py", "raise RuntimeError('\U0001f600' * 600)\n")
    done = flight(project, "--only", "imports")
    assert (red(done), done.returncode) == ({"imports"}, 1), done.stderr


@pytest.mark.parametrize("text", ["x = " + "[" * 20_000, "x = " + "9" * 5_000])
def test_a_project_file_that_no_parser_takes_is_a_finding(text, flight, project) -> None:
    put(project, "pyproject.toml", text)
    done = flight(project, "--only", "versions", "pins")
    assert (red(done), done.returncode) == ({"versions", "pins"}, 1), done.stderr


def test_a_pass_is_forgotten_although_the_run_is_cut_short(flight, project) -> None:
    put(project.parent, "verdict", "0")
    code = f"raise SystemExit(int(open({str(project.parent / 'verdict')!r}).read()))"
    slow = f"import time; time.sleep(600 * int(open({str(project.parent / 'verdict')!r}).read()))"
    flaky = python("flaky", code, inputs=["docs/*"])
    add_check(project, flaky + python("slow", slow, timeout=900, alone=True))
    flight(project, "--changed")
    put(project.parent, "verdict", "1")
    done = flight(project, "--only", "flaky", "slow", "--max-seconds", "4")
    assert (done.returncode, statuses(done)) == (3, {"flaky": "failed"})
    put(project.parent, "verdict", "0")
    assert cached(flight(project, "--changed", "--only", "flaky")) == set()


def test_no_name_and_no_tool_drives_the_terminal(run_flow, make_workspace) -> None:
    root = make_workspace()
    (root / "\x1b]0;title\x07.py").write_text("def f(:\n")
    put(root, "README.md", "x")
    (root / "\x1b[2J.md").mkdir()
    says = python("says", "print('\\x1b[2J'); raise SystemExit(1)", stream=True)
    put(root, "preflight.toml", manifest(check("syntax", inputs=["**/*.py"]), says))
    words = ("--engine", "direct", "--workspace", root)
    done = run_flow("preflight", *words)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    assert "says | \\x1b[2J" in done.stderr
    backlog = run_flow("preflight", "backlog", root / "\x1b[2J.md", *words)
    assert backlog.returncode == 4
    assert "\x1b" not in backlog.stdout + backlog.stderr
