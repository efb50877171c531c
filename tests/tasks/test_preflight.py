"""Checks side by side: one that is stuck is given up, a bug ends the others."""

from __future__ import annotations

import time

import pytest

from autopack.deadline import Deadline
from autopack.preflight.checks import Wanted
from autopack.report import Finding
from tasks import preflight as steps
from tasks import preflight_builtin
from tasks.preflight_session import Preflight, workers
from tests.support.preflight import check, manifest, python


@pytest.fixture
def ready(make_workspace, monkeypatch):
    """Return `ready(tables, builtins)`: a preflight whose built-in checks are these functions."""

    def make(tables, builtins) -> Preflight:
        root = make_workspace({"preflight.toml": manifest(*tables)})
        for name, function in builtins.items():
            monkeypatch.setitem(preflight_builtin.BUILTINS, name, function)
            monkeypatch.setitem(preflight_builtin.ARGS, name, frozenset())
        preflight = Preflight(str(root), Wanted("ci"), False, Deadline.after(600))
        steps.read(preflight)
        return preflight

    return make


def run(preflight: Preflight) -> list[tuple[str, str]]:
    """Run the checks; return each with its status, in the order in which they ended."""
    ended = []
    steps.run_checks(preflight, lambda outcome: ended.append((outcome.check.id, outcome.status)))
    return ended


def test_a_built_in_check_that_is_stuck_is_given_up_and_the_others_run(ready, monkeypatch) -> None:
    monkeypatch.setattr(steps, "STUCK_S", 0.1)
    preflight = ready(
        [check("stuck", timeout=0.1), python("next", "print(1)")],
        {"stuck": lambda _ground: time.sleep(600)},
    )
    assert sorted(run(preflight)) == [("next", "passed"), ("stuck", "timeout")]
    (found,) = preflight.outcomes["stuck"].findings
    assert found.code == "stuck/timeout"


def test_every_thread_may_be_stuck_and_the_rest_still_runs(ready, monkeypatch) -> None:
    monkeypatch.setattr(steps, "STUCK_S", 0.1)
    names = [f"stuck{n}" for n in range(workers())]
    stuck = {name: lambda _ground: time.sleep(600) for name in names}
    tables = [*(check(name, timeout=0.2) for name in names), python("next", "", alone=True)]
    assert dict(run(ready(tables, stuck))) == {**dict.fromkeys(names, "timeout"), "next": "passed"}


def test_a_bug_of_a_built_in_check_is_no_verdict(ready) -> None:
    def bug(_ground) -> list[Finding]:
        raise KeyError("oops")

    with pytest.raises(KeyError, match="oops"):
        run(ready([check("bug"), python("long", "import time; time.sleep(600)")], {"bug": bug}))


def test_a_built_in_check_has_nothing_to_say_about_what_is_not_there(ready) -> None:
    preflight = ready([check("none")], {"none": lambda _ground: "nothing here"})
    assert run(preflight) == [("none", "skipped")]
    assert preflight.outcomes["none"].first == "nothing here"


def test_a_check_for_another_platform_is_skipped(ready) -> None:
    elsewhere = next(name for name in ("win32", "darwin") if name != steps.sys.platform)
    preflight = ready([python("a", "raise SystemExit(1)", platforms=[elsewhere])], {})
    assert run(preflight) == [("a", "skipped")]
    assert preflight.outcomes["a"].first.startswith("not for ")


def test_as_many_run_at_once_as_there_are_processors(ready) -> None:
    import threading

    now, most, lock = [0], [0], threading.Lock()

    def counted(_ground) -> list[Finding]:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.2)
        with lock:
            now[0] -= 1
        return []

    names = [f"c{n}" for n in range(4 * workers())]
    run(ready([check(name) for name in names], dict.fromkeys(names, counted)))
    assert most[0] <= workers()


def test_a_built_in_check_that_is_given_up_keeps_no_pass(ready, monkeypatch) -> None:
    monkeypatch.setattr(steps, "STUCK_S", 0.1)
    preflight = ready([check("stuck", timeout=0.1)], {"stuck": lambda _ground: time.sleep(1) or []})
    preflight.passed["stuck"] = "key"
    assert run(preflight) == [("stuck", "timeout")]
    time.sleep(1.5)  # it ends well, and too late
    assert preflight.passed == {}
