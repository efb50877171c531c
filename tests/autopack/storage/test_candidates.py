"""What could go: whole folders, by age, the newest kept, within caps; each entry in one state."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autopack.storage.candidates import DAY_NS, Candidates, candidates
from autopack.storage.classify import Kind
from autopack.storage.policy import Policy
from autopack.storage.snapshot import NotSeen, totals
from autopack.storage.verdicts import State
from tests.support.trees import NOW_NS, snapshot_of


def old(size: int = 10, days: int = 100, **columns: Any) -> dict[str, Any]:
    """Return the columns of an old file."""
    return {"size": size, "mtime_ns": NOW_NS - days * DAY_NS, **columns}


def folder(days: int = 100, **columns: Any) -> dict[str, Any]:
    """Return the columns of a folder that nothing came to lately."""
    return {"kind": Kind.FOLDER, "mtime_ns": NOW_NS - days * DAY_NS, **columns}


def policy(*match: str, **more: Any) -> Policy:
    """Return a policy with one category; words for the policy itself begin with an underscore."""
    own = {key: value for key, value in more.items() if not key.startswith("_")}
    whole = {key[1:]: value for key, value in more.items() if key.startswith("_")}
    category = {"match": list(match), "older_than_days": 30, "action": "quarantine", **own}
    return Policy.model_validate({"refuse_share": 100, "categories": {"it": category}, **whole})


def found(entries: dict[str, Any], rules: Policy, *not_seen: NotSeen, **fields: Any) -> Candidates:
    snapshot = snapshot_of({"stays": 1_000_000, **entries}, *not_seen, **fields)
    return candidates(snapshot, rules, NOW_NS)


def names(seen: Candidates) -> list[str]:
    return [one.path for one in seen.items]


def states(seen: Candidates) -> dict[str, tuple[int, int]]:
    """Return entries and bytes of the first category by state."""
    return {
        state.name.lower(): (told.entries, told.allocated)
        for state, told in seen.totals[0].by_state.items()
    }


# --- units ------------------------------------------------------------------------------------


def test_a_folder_that_matches_goes_as_one_item() -> None:
    entries = {
        "a/node_modules": folder(), "a/node_modules/x": folder(),
        "a/node_modules/x/1.js": old(5000), "a/node_modules/2.js": old(1),
        "a/node_modules-old/3.js": old(),
    }  # fmt: skip
    seen = found(entries, policy("**/node_modules/**"))
    assert names(seen) == ["a/node_modules"]
    one = seen.items[0]
    assert (one.files, one.size, one.allocated) == (2, 5001, 8192 + 4096 + 2 * 4096)
    assert (one.category, one.rule, one.age_days) == ("it", "**/node_modules/**", 100)
    assert states(seen) == {"eligible": (4, one.allocated)}


def test_the_outermost_wins_over_what_lies_in_it() -> None:
    entries = {"dist": folder(), "dist/build": folder(), "dist/build/a": old(), "build/a": old()}
    entries["build"] = folder()
    assert names(found(entries, policy("**/dist/**", "**/build/**"))) == ["build", "dist"]


def test_the_content_of_a_folder_goes_one_by_one_if_so_named() -> None:
    entries = {"logs": folder(), "logs/a": folder(), "logs/a/1": old(), "logs/b.log": old()}
    assert names(found(entries, policy("logs/*"))) == ["logs/a", "logs/b.log"]


def test_names_that_sort_between_a_folder_and_its_content_stay_apart() -> None:
    entries = {"x": folder(), "x/1": old(1), "x-y": old(2), "x.z/1": old(4), "x0": old(8)}
    seen = found({**entries, "x.z": folder()}, policy("x", "x-y"))
    assert {one.path: one.size for one in seen.items} == {"x": 1, "x-y": 2}


def test_the_root_itself_is_never_an_item() -> None:
    seen = found({"a": old(), "b/c": old(), "b": folder()}, policy("?", "b/**"))
    assert names(seen) == ["a", "b"]
    assert seen.category[0] == 0


def test_the_first_category_that_matches_counts() -> None:
    category = {"match": ["*.log"], "older_than_days": 1, "action": "quarantine"}
    rules = Policy.model_validate(
        {
            "refuse_share": 100,
            "categories": {"a": category, "b": {**category, "match": ["*.log", "*.tmp"]}},
        }
    )
    seen = found({"x.log": old(), "x.tmp": old()}, rules)
    assert {one.path: one.category for one in seen.items} == {"x.log": "a", "x.tmp": "b"}


def test_what_is_only_reported_is_counted_and_keeps_its_folder() -> None:
    rules = Policy.model_validate(
        {
            "refuse_share": 100,
            "categories": {
                "wanted": {"match": ["**/wanted/**"]},
                "cache": {"match": ["cache/**"], "older_than_days": 0, "action": "quarantine"},
            },
        }
    )
    entries = {
        "cache": folder(),
        "cache/wanted": folder(),
        "cache/wanted/a": old(),
        "cache/b": old(),
    }
    seen = found(entries, rules)
    assert names(seen) == ["cache/b"]
    assert states(seen) == {"reported": (2, 8192)}


def test_case_counts_as_the_policy_says() -> None:
    entries = {"Build": folder(), "Build/a": old()}
    assert names(found(entries, policy("build/**"))) == []
    assert names(found(entries, policy("build/**", _case="insensitive"))) == ["Build"]


# --- what keeps a folder from going as a whole ----------------------------------------------------


def test_something_protected_keeps_its_folder_and_nothing_else() -> None:
    entries = {
        "build": folder(), "build/src": folder(), "build/src/main.py": old(),
        "build/data.db": old(), "build/.git/HEAD": old(), "build/.git": folder(),
        "build/out": folder(), "build/out/a.o": old(),
    }  # fmt: skip
    seen = found(entries, policy("build/**", _protected={"code": ["*.py"]}))
    assert names(seen) == ["build/out"]
    assert states(seen)["protected"][0] == 6


def test_what_was_not_seen_keeps_its_folder() -> None:
    entries = {"c": folder(), "c/secret": folder(), "c/open": folder(), "c/open/a": old()}
    for why in ("denied", "mount", "filesystem", "failed"):
        seen = found(entries, policy("c/**"), NotSeen("c/secret", why))  # type: ignore[arg-type]
        assert names(seen) == ["c/open"]
        assert states(seen)["denied"][0] == 2


def test_what_was_not_seen_and_has_no_row_keeps_the_nearest_folder() -> None:
    seen = found({"c": folder(), "c/a": old()}, policy("c/**"), NotSeen("c/gone/deep", "denied"))
    assert names(seen) == ["c/a"]


def test_special_files_mounts_and_foreign_rows_keep_their_folder() -> None:
    strange = [
        {"kind": Kind.SPECIAL}, {"kind": Kind.JUNCTION}, {"kind": Kind.OTHER_REPARSE},
        {"kind": Kind.UNKNOWN}, {"dev": 2}, {"foreign": True},
    ]  # fmt: skip
    for columns in strange:
        entries = {"c": folder(), "c/x": old(**columns), "c/y": folder(), "c/y/a": old()}
        seen = found(entries, policy("c/**"))
        assert names(seen) == ["c/y"], columns
        assert states(seen)["denied"][0] == 2


def test_links_go_with_their_folder_and_never_alone() -> None:
    entries = {
        "c": folder(),
        "c/l": old(kind=Kind.LINK),
        "c/a": old(),
        "l.log": old(kind=Kind.LINK),
    }
    seen = found(entries, policy("c/**", "*.log"))
    assert names(seen) == ["c"]
    assert states(seen)["denied"][0] == 1


def test_what_a_followed_link_leads_to_is_never_an_item() -> None:
    entries = {
        "c": folder(), "c/l": old(kind=Kind.LINK), "c/l/far": folder(foreign=True),
        "c/l/far/a": old(foreign=True), "c/b": old(),
    }  # fmt: skip
    assert names(found(entries, policy("c/**"))) == ["c/b"]


# --- age, number, caps ---------------------------------------------------------------------------


def test_the_newest_change_inside_decides_the_age() -> None:
    entries = {"c": folder(), "c/a": old(), "c/d": folder(), "c/d/new": old(days=29)}
    seen = found(entries, policy("c/**"))
    assert names(seen) == []
    assert states(seen) == {"young": (4, 4 * 4096)}
    entries["c/d/new"] = old(days=30)
    assert names(found(entries, policy("c/**"))) == ["c"]


def test_a_new_name_in_an_old_folder_makes_it_young() -> None:
    entries = {"c": folder(), "c/d": folder(days=1), "c/d/a": old()}
    assert names(found(entries, policy("c/**"))) == []


def test_what_changed_while_the_scan_ran_or_in_the_future_is_young() -> None:
    entries = {"a": old(days=0), "b": {"mtime_ns": NOW_NS + DAY_NS}, "c": {"mtime_ns": NOW_NS - 1}}
    seen = found(entries, policy("a", "b", "c", older_than_days=0))
    assert names(seen) == ["c"]
    assert (
        names(found(entries, policy("a", "b", "c", older_than_days=0), started_ns=NOW_NS - 5)) == []
    )


def test_no_age_means_never() -> None:
    seen = found({"a.log": old(days=9999)}, policy("*.log", older_than_days=None))
    assert names(seen) == []
    assert states(seen) == {"reported": (1, 4096)}


def test_the_newest_of_each_folder_stay() -> None:
    entries = {
        f"{project}/runs/{n}/log": old(days=40 + n) for project in ("p", "q") for n in range(4)
    } | {f"{project}/runs/{n}": folder(40 + n) for project in ("p", "q") for n in range(4)}
    seen = found(entries, policy("*/runs/*", keep_newest=3))
    assert names(seen) == ["p/runs/3", "q/runs/3"]
    assert states(seen)["kept"] == (12, 12 * 4096)


def test_what_is_too_young_counts_among_the_newest() -> None:
    entries = {"r/1": old(days=1), "r/2": old(days=50), "r/3": old(days=60)}
    assert names(found(entries, policy("r/*", keep_newest=1))) == ["r/2", "r/3"]


def test_caps_include_the_item_at_hand_and_take_the_oldest_first() -> None:
    entries = {"a": old(6000, 50), "b": old(6000, 60), "c": old(6000, 70), "d": old(100, 40)}
    seen = found(entries, policy("?", "stays", caps={"max_bytes": 20_000}))
    assert names(seen) == ["b", "c"]
    assert states(seen) == {"eligible": (2, 16384), "capped": (2, 12288), "young": (1, 1003520)}
    assert names(found(entries, policy("?", caps={"max_items": 1}))) == ["c"]
    assert names(found(entries, policy("?", caps={"max_items": 0}))) == []


def test_one_item_above_the_cap_does_not_pass_it() -> None:
    seen = found({"a": old(200 << 30, allocated=0)}, policy("a", caps={"max_bytes": 50 << 30}))
    assert names(seen) == []
    assert states(seen) == {"capped": (1, 0)}


# --- bytes ----------------------------------------------------------------------------------------


def test_a_sparse_file_counts_what_it_holds_on_the_disk() -> None:
    one = found({"a": old(10**12, allocated=8192)}, policy("a", caps={"max_bytes": 10**12})).items[
        0
    ]
    assert (one.size, one.allocated, one.reclaimable) == (10**12, 8192, 8192)


def test_a_hard_link_counts_once_and_nothing_comes_back_while_a_name_is_outside() -> None:
    inside = {"ino": 900, "nlink": 2}
    entries = {"c": folder(), "c/1": old(5000, **inside), "c/2": old(5000, **inside)}
    one = found(entries, policy("c/**")).items[0]
    assert (one.size, one.allocated, one.reclaimable, one.files) == (5000, 12288, 12288, 2)
    entries = {
        key: value if key == "c" else {**value, "nlink": 3} for key, value in entries.items()
    }
    one = found(entries, policy("c/**")).items[0]
    assert (one.allocated, one.reclaimable) == (12288, 4096)
    assert found({"f.log": old(5000, **inside)}, policy("*.log")).items[0].reclaimable == 0


# --- refusals -------------------------------------------------------------------------------------


def test_too_large_a_share_of_the_root_is_refused() -> None:
    entries = {"a": old(1_000_000)}
    assert found(entries, policy("a", _refuse_share=60)).refusal is None
    words = found(entries, policy("a", _refuse_share=40)).refusal
    assert words
    assert "refuse_share" in words


def test_caps_do_not_hide_too_large_a_share() -> None:
    entries = {"a": old(900_000), "b": old(900_000)}
    seen = found(entries, policy("a", "b", _refuse_share=50, caps={"max_items": 1}))
    assert seen.refusal


def test_an_empty_keep_set_is_refused() -> None:
    snapshot = snapshot_of({"a": old(), "b": old()})
    rules = policy("a", "b")
    assert "min_keep" in (candidates(snapshot, rules, NOW_NS).refusal or "")
    assert candidates(snapshot_of({"a": old(), "b": old(), "c": 1}), rules, NOW_NS).refusal is None


def test_a_tree_with_nothing_in_it_is_no_reason_to_refuse() -> None:
    seen = candidates(snapshot_of({}), policy("a"), NOW_NS)
    assert (seen.items, seen.refusal) == ((), None)


# --- every entry has one state --------------------------------------------------------------------

KINDS = [Kind.FILE, Kind.FOLDER, Kind.LINK, Kind.SPECIAL]
PARTS = st.sampled_from(["a", "b", "c.log", "build", "x.db", "build-2"])
ROWS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS), "size": st.integers(0, 9000), "nlink": st.integers(1, 2),
        "ino": st.integers(100, 110),
        "mtime_ns": st.integers(0, 90).map(lambda days: NOW_NS - days * DAY_NS),
    }
)  # fmt: skip
TREES = st.dictionaries(st.lists(PARTS, min_size=1, max_size=4).map("/".join), ROWS, max_size=14)


def made(entries: dict[str, Any]) -> dict[str, Any]:
    """Return entries in which only folders hold something."""
    inner = {path[:n] for path in entries for n, letter in enumerate(path) if letter == "/"}
    return {path: {**row, "kind": Kind.FOLDER, "nlink": 1} if path in inner else row
            for path, row in entries.items()}  # fmt: skip


@given(TREES, st.integers(0, 2), st.integers(0, 3))
def test_the_states_of_a_category_part_its_entries(
    entries: dict[str, Any], keep: int, items: int
) -> None:
    rules = policy("**/build/**", "*.log", keep_newest=keep, caps={"max_items": items})
    snapshot = snapshot_of(made(entries))
    seen = candidates(snapshot, rules, NOW_NS)
    whole = seen.totals[0].of()
    assert whole.entries == int((seen.category != 0).sum())
    assert int((seen.state != int(State.NONE)).sum()) == whole.entries
    assert whole.allocated <= totals(snapshot.frame).allocated
    paths = snapshot.frame["path"].to_list()
    eligible = {
        path for path, state in zip(paths, seen.state, strict=True) if state == State.ELIGIBLE
    }
    within = {
        path for path in paths
        if any(path == one or path.startswith(f"{one}/") for one in names(seen))
    }  # fmt: skip
    assert eligible == within
    assert len(names(seen)) <= items
    assert not any(path.endswith(".db") or "/x.db/" in path for path in eligible)
    assert sum(one.files for one in seen.items) == sum(
        kind == int(Kind.FILE) and path in eligible
        for path, kind in zip(paths, snapshot.frame["kind"], strict=True)
    )
