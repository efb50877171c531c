"""What may never go, whatever the policy says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.sot.ledgers import LEDGERS as SOT_LEDGERS
from autopack.state_files import REGISTRY
from autopack.storage.classify import Kind
from autopack.storage.policy import Policy
from autopack.storage.protection import AMBIGUOUS, LEDGERS, Guard, Protection
from tests.support.trees import frame_of

NOTHING = Protection(Policy())
WINDOWS = Protection(Policy(case="insensitive"))
SOME = Protection(
    Policy(
        protected={"sources": ["src/**", "**/*.py"], "archive": ["archive/superseded/**"]},
        pinned=["keep/me"],
    )
)


def flags(protection: Protection, entries: dict[str, object]) -> dict[str, Guard]:
    frame = frame_of(entries)
    codes = protection.flags(frame)
    return {path: Guard(code) for path, code in zip(frame["path"], codes, strict=True)}


def test_a_protected_root_is_protected_itself() -> None:
    for path in ("src", "src/main.c", "src/a/b", "archive/superseded", "keep/me", "keep/me/x"):
        assert SOME.reason(path), path
    for path in ("srcs", "a/src", "archive", "keep"):
        assert SOME.reason(path) is None, path


def test_the_reason_names_the_group() -> None:
    assert SOME.reason("src") == "protected: sources"
    assert SOME.reason("a/b.py/c") == "protected: sources"
    assert SOME.reason("keep/me") == "pinned"
    assert SOME.reason("docs/BUILD_HISTORY.md") == "a ledger"
    assert SOME.reason("x/.git/HEAD") == "state: git"


def test_a_folder_around_something_protected_is_told_apart() -> None:
    entries = {"build/src/main.py": 1, "build/data.db": 1, "build/out/a.o": 1, "src/x": 1}
    found = flags(SOME, entries)
    assert found["build"] is Guard.AROUND
    assert found["build/src"] is Guard.AROUND
    assert found["build/src/main.py"] is Guard.PROTECTED
    assert found["build/data.db"] is Guard.PROTECTED
    assert found["build/out"] is Guard.FREE
    assert found["build/out/a.o"] is Guard.FREE
    assert found["src"] is Guard.PROTECTED
    assert found["src/x"] is Guard.PROTECTED
    assert found[""] is Guard.AROUND


def test_every_state_file_is_protected_whatever_the_policy_says() -> None:
    for state in REGISTRY:
        path = state.glob.replace("**/", "some/where/").replace("*", "x")
        assert bool(NOTHING.reason(path)) is not state.rebuilt, path
        assert bool(NOTHING.reason(f"{path.upper()}/below")) is not state.rebuilt, path


def test_state_of_a_workspace_below_the_root_is_protected_too() -> None:
    for path in (".autonomous_runs/_index/a", ".autonomous_runs/.locks", "docs/DEBUG_LOG.md"):
        assert NOTHING.reason(f"projects/one/{path}"), path


def test_the_ledgers_are_those_of_the_workspace() -> None:
    assert {f"**/{ledger.path}" for ledger in SOT_LEDGERS} == set(LEDGERS)


@pytest.mark.parametrize(
    "path",
    [
        ".git", "a/.git", "a/.git/config", ".GIT/config", "autopack.db", "a/b.DB", "a/b.db-wal",
        "a/b.db-shm", "a/b.sqlite-journal", "a/b.SQLITE3-WAL", ".autopack-quarantine/run/1",
        "a/.autopack-quarantine", "docs/build_history.MD", "a/.autopack-x.tmp",
    ],
)  # fmt: skip
def test_databases_checkouts_and_ledgers_are_so_in_every_spelling(path: str) -> None:
    assert NOTHING.reason(path)


def test_packages_may_go_and_other_folders_of_that_kind_may_not() -> None:
    assert NOTHING.reason("a/node_modules/x.js") is None
    assert NOTHING.reason(".venv/lib")


def test_case_variants_are_protected_under_every_policy() -> None:
    for protection in (
        SOME,
        Protection(Policy(case="insensitive", protected={"s": ["src/**", "*.py"]})),
    ):
        for path in ("SRC/main.c", "Src", "foo.PY", "a/FOO.Py"):
            assert protection.reason(path), path


@pytest.mark.parametrize(
    "path",
    ["/etc/x", "//?/C:/x", "a//b", "a/", "..", "a/../b", "./a", "a/.", "a\0b", ""],
)
def test_what_is_no_plain_relative_path_is_refused_everywhere(path: str) -> None:
    assert NOTHING.reason(path) == AMBIGUOUS
    assert WINDOWS.reason(path) == AMBIGUOUS


@pytest.mark.parametrize(
    "path",
    [
        "\\\\\\\\?\\\\C:\\\\x", "\\\\\\\\server\\\\share", "a\\\\b/c", "C:/x", "C:x",
        "PROGRA~1", "a/LONGNA~12.TXT/b", "x~1", "name.", "a/name ", "x/.git ", "x/.git./HEAD",
        "file.txt:stream", "a/b::$DATA", "CON", "nul", "a/COM1.txt", "lpt9.log.gz", "aux ",
        "con .txt", "COM¹", "conin$", "what?", "a*b", "a|b", 'a"b', "a<b", "tab\tb", "new\nline",
        "raw\\xff",
    ],
)  # fmt: skip
def test_names_that_windows_reads_as_others_are_refused_there(path: str) -> None:
    assert WINDOWS.reason(path) == AMBIGUOUS
    frame = frame_of({path: 1})
    assert WINDOWS.flags(frame)[frame.height - 1] == Guard.PROTECTED


@pytest.mark.parametrize(
    "path",
    ["console.txt", "a/com10", "comment", "nullable", "a.b/c", "~backup", "file.txt~", "a~b", "é",
     "lpt", "a b", ".hidden", "averylongname~1"],
)  # fmt: skip
def test_names_that_only_look_alike_are_free(path: str) -> None:
    assert WINDOWS.reason(path) is None


def test_on_posix_such_names_are_names_like_others() -> None:
    for path in ("2024-01-01T10:00:00.log", "con", "a\\\\b", "x~1", "raw\\xff", "new\nline"):
        assert NOTHING.reason(path) is None, path


NAMES = st.sampled_from(["src", "SRC", "a", "b.py", "x.db", "x.db-wal", ".git", "docs", "keep",
                         "me", "a:b", "con", "é", "DEBUG_LOG.md", "node_modules"])  # fmt: skip
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=5).map("/".join),
    st.just({"kind": Kind.FOLDER}),
    max_size=12,
)


@given(TREES, st.sampled_from([NOTHING, SOME, WINDOWS]))
def test_rows_and_single_paths_are_judged_alike(
    entries: dict[str, object], protection: Protection
) -> None:
    found = flags(protection, entries)
    for path, guard in found.items():
        below = [other for other in found if other.startswith(f"{path}/") or (not path and other)]
        if path and protection.reason(path):
            assert guard is Guard.PROTECTED
            assert all(found[other] is Guard.PROTECTED for other in below)
        elif any(protection.reason(other) for other in below):
            assert guard is Guard.AROUND
        else:
            assert guard is Guard.FREE


def test_the_first_protected_of_many_paths_is_named() -> None:
    assert SOME.first(["a/b", "a/x.py", "src"]) == ("a/x.py", "protected: sources")
    assert SOME.first(["a/b"]) is None
    assert SOME.first([]) is None


def both(protection: Protection, path: str) -> bool:
    """Return what is said of a path, alone and as a row."""
    frame = frame_of({path: 1})
    alone = protection.reason(path) is not None
    assert alone == (protection.flags(frame)[frame.height - 1] == Guard.PROTECTED)
    return alone


def test_a_root_inside_the_workspace_is_protected_as_the_workspace_sees_it() -> None:
    policy = Policy(protected={"sources": ["src/**"]})
    state = Protection(policy, inside=".autonomous_runs")
    assert both(state, "_index/a")
    assert both(state, "audit.jsonl")
    assert not both(state, "p/runs/1")
    assert both(Protection(policy, inside="src"), "any/thing")
    assert both(Protection(policy, inside="docs"), "BUILD_HISTORY.md")
    assert not both(Protection(policy), "any/thing")


def test_a_root_around_the_workspace_is_protected_as_the_workspace_sees_it() -> None:
    protection = Protection(Policy(protected={"sources": ["src/**"]}), holds="home/it")
    assert both(protection, "home/it/src/a")
    assert both(protection, "home/it/config/a")
    assert both(protection, "src/a")
    assert not both(protection, "home/other/src/a")
    assert not both(protection, "home/its/src/a")
    assert not both(protection, "home/it/x")
