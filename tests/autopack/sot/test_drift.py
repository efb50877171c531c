"""Planted drift: every claim, wrong, missing, said twice or only in a false twin, is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.autopack.sot.counted import NOW, pages, said, true_files

BUILD, DEC, DBG = (f"docs/{s}.md" for s in ("BUILD_HISTORY", "ARCHITECTURE_DECISIONS", "DEBUG_LOG"))
README, INDEX = "README.md", "docs/INDEX.md"


@dataclass(frozen=True)
class Stated:
    """One claim of the true workspace: where, and the text that states it."""

    path: str
    text: str
    place: str

    def __str__(self) -> str:
        return f"{self.path.rpartition('/')[2]}: {self.text}"


CLAIMS = [
    Stated(BUILD, "Total_Builds: 3", "meta"),
    Stated(DEC, "Total_Decisions: 1", "meta"),
    Stated(DBG, "Total_Issues: 2", "meta"),
    Stated(BUILD, "3 build entries", "summary"),
    Stated(BUILD, "2 unique builds", "summary"),
    Stated(BUILD, "3 unique dotted ids", "summary"),
    Stated(DEC, "1 decision entries", "summary"),
    Stated(DEC, "2 unique decisions", "summary"),
    Stated(DBG, "2 debug entries", "summary"),
    Stated(DBG, "2 unique debug sessions", "summary"),
    Stated(README, "- **Build entries**: 3", "readme"),
    Stated(README, "- **Unique builds**: 2", "readme"),
    Stated(README, "- **Unique dotted build ids**: 3", "readme"),
    Stated(README, "- **Latest build**: BUILD-170.10: Title of BUILD-170.10", "readme"),
    Stated(README, "- **Decision entries**: 1", "readme"),
    Stated(README, "- **Unique decisions**: 2", "readme"),
    Stated(README, "- **Debug entries**: 2", "readme"),
    Stated(README, "- **Unique debug sessions**: 2", "readme"),
]


def wrong(text: str, claim: Stated) -> str:
    """State one more than is true."""
    more = re.sub(r"\d+(?!.*\d)", lambda m: str(int(m[0]) + 1), claim.text)
    if "Latest" in claim.text:
        more = "- **Latest build**: BUILD-170.2: Title of BUILD-170.10"
    return text.replace(claim.text, more)


def missing(text: str, claim: Stated) -> str:
    """State it nowhere."""
    whole = claim.text if claim.place == "summary" else claim.text + "\n"
    return text.replace(whole, "")


def duplicated(text: str, claim: Stated) -> str:
    """State it twice in its block."""
    joint = ", " if claim.place == "summary" else "\n"
    return text.replace(claim.text, claim.text + joint + claim.text)


def in_a_twin_only(text: str, claim: Stated) -> str:
    """State it where it looks generated and is not."""
    marks = {
        "meta": "\n<!-- META\n{}\n-->\n",
        "summary": "\n**Summary**: {} documented\n",
        "readme": "\n```markdown\n<!-- SOT_SUMMARY_START -->\n{}\n<!-- SOT_SUMMARY_END -->\n```\n",
    }
    return missing(text, claim) + marks[claim.place].format(claim.text)


PLANTED: list[tuple[Callable[[str, Stated], str], Stated]] = [
    (plant, claim) for claim in CLAIMS for plant in (wrong, missing, duplicated, in_a_twin_only)
]


def test_a_true_workspace_raises_no_alarm() -> None:
    files = true_files()
    assert said(files) == []
    for claim in CLAIMS:
        assert files[claim.path].decode().count(claim.text) == 1, claim


def test_there_are_more_kinds_than_forty() -> None:
    assert len(PLANTED) >= 40


@pytest.mark.parametrize(
    ("plant", "claim"), PLANTED, ids=[f"{plant.__name__} {claim}" for plant, claim in PLANTED]
)
def test_planted_drift_is_found_and_mended(
    plant: Callable[[str, Stated], str], claim: Stated
) -> None:
    files = true_files()
    text = files[claim.path].decode()
    planted = plant(text, claim)
    assert planted != text
    files[claim.path] = planted.encode()
    found = said(files)
    problem = {"wrong": "drift", "in_a_twin_only": "missing"}.get(plant.__name__, plant.__name__)
    severity = "warning" if claim.place == "meta" else "error"
    assert any(
        line.startswith(f"{severity} {claim.place}_{problem} {claim.path}:") for line in found
    ), found
    assert all(claim.path in line for line in found)
    mended = pages(files).mended(NOW)
    assert said(mended.contents) == []
    assert mended.mended(NOW).contents == mended.contents


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_a_wrong_number_in_a_false_twin_is_no_drift(claim: Stated) -> None:
    files = true_files()
    text = files[claim.path].decode()
    twin = in_a_twin_only(text, claim).removeprefix(missing(text, claim))
    files[claim.path] = (text + re.sub(r"\d+", "99", twin)).encode()
    assert said(files) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"3 build entries", b"4 build entries", "error navigation_drift"),
        (b"2 unique builds", b"3 unique builds", "error navigation_drift"),
        (b"2 debug entries", b"7 debug entries", "error navigation_drift"),
        (b"3 build entries", b"3 builds", "warning navigation_unnamed"),
    ],
)
def test_what_the_navigation_page_states_is_checked_too(old, new, code) -> None:
    files = true_files()
    files[INDEX] = files[INDEX].replace(old, new)
    assert [line.rpartition(" ")[0] for line in said(files)] == [code]


@pytest.mark.parametrize(
    ("path", "old", "new", "codes"),
    [
        (DBG, b"2 debug entries (2 unique debug sessions)", b"2 debug session(s)",
         ["error summary_unnamed"]),
        (DBG, b"2 debug entries (2 unique debug sessions)", b"83 debug session(s)",
         ["error summary_unnamed", "error summary_drift"]),
        (README, b"- **Build entries**: 3\n", b"- **Builds Completed**: 3 (with phases)\n",
         ["error readme_unnamed"]),
        (README, b"- **Debug entries**: 2\n", b"- **Debug entries**: many\n",
         ["error readme_drift"]),
        (BUILD, b"Total_Builds: 3\n", b"Total_Builds: lots\n", ["warning meta_drift"]),
        (BUILD, b"Total_Builds: 3\n", b"Total_Builds: 2 unique builds\n", []),
        (BUILD, b"Total_Builds: 3\n", b"Total_Builds: 3 unique builds\n", ["warning meta_drift"]),
        (BUILD, b"<!-- META\n", b"<!-- Meta\n", ["warning meta_missing"]),
        (BUILD, b"<!-- END AUTO", b"<!-- DONE AUTO", ["error summary_unclosed"]),
        (README, b"<!-- SOT_SUMMARY_END -->", b"", ["error readme_unclosed"]),
        (README, b"<!-- SOT_SUMMARY_START -->\n", b"<!-- SOT_SUMMARY_START -->\n" * 2,
         ["error readme_duplicated"]),
        (README, b"<!-- SOT_SUMMARY_START -->\n", b"", ["warning readme_missing"]),
    ],
)  # fmt: skip
def test_vague_broken_and_absent_claims(path, old, new, codes) -> None:
    files = true_files()
    assert old in files[path]
    files[path] = files[path].replace(old, new)
    assert sorted(line.rpartition(" ")[0] for line in said(files)) == sorted(codes)


def test_the_true_value_and_the_line_are_named() -> None:
    files = true_files()
    files[README] = files[README].replace(b"**Build entries**: 3", b"**Build entries**: 169")
    (drift,) = pages(files).drifts
    finding = drift.finding()
    line = files[README].split(b"\n").index(b"- **Build entries**: 169") + 1
    assert (finding.path, finding.line, finding.fix) == (
        README, line, "python -m flows.sot_counts --execute",
    )  # fmt: skip
    assert finding.message == (
        "claims 'Build entries: 169'; true is 3 (index_entries of BUILD_HISTORY)"
    )
    assert (drift.claimed, drift.true, drift.count) == (169, 3, "index_entries")


def test_a_ledger_with_conflict_markers_is_not_counted_and_nothing_is_mended_from_it() -> None:
    files = true_files()
    files[BUILD] += b"<<<<<<< ours\n"
    files[README] = files[README].replace(b"**Debug entries**: 2", b"**Debug entries**: 5")
    found = pages(files)
    assert [finding.code for finding in found.blocked] == ["conflict_markers"]
    assert said(files) == [f"error readme_drift {README}:12"]
    assert found.mended(NOW).contents == files


def test_counts_of_a_ledger_that_is_gone_are_drift() -> None:
    files = true_files()
    del files[DBG]
    assert said(files) == ["error readme_drift README.md:12", "error readme_drift README.md:13",
                           f"error navigation_drift {INDEX}:4"]  # fmt: skip
    assert pages(files).mended(NOW).contents == files, "a lost ledger is not laundered into truth"


def in_block(line: str) -> list[str]:
    """Return what is said of one more line in the README block."""
    files = true_files()
    end = b"<!-- SOT_SUMMARY_END -->"
    files[README] = files[README].replace(end, line.encode() + b"\n" + end)
    return [found.rpartition(" ")[0] for found in said(files)]


@pytest.mark.parametrize(
    "line",
    ["- **Build status**: passing", "- **Build system**: GNU make 4.3", "- **Coverage**: 91 %",
     "- **Known issues**: see the [tracker](x)", "- **Debug mode**: off", "Since 2024.",
     "- ✅ **Build status**: passing", "<!-- builds: see 2 -->", "- [Builds](x): 2 pages",
     "- **Next decision**: move to Postgres 16", "  counted on Monday", "### Decisions"],
)  # fmt: skip
def test_a_line_that_states_no_count_is_no_claim_and_stays(line: str) -> None:
    assert in_block(line) == []
    files = true_files()
    start = b"<!-- SOT_SUMMARY_START -->\n"
    files[README] = files[README].replace(start, start + line.encode() + b"\n")
    files[README] = files[README].replace(b"entries**: 3", b"entries**: 4")
    mended = pages(files).mended(NOW).contents[README]
    assert line.encode() + b"\n" in mended
    assert b"entries**: 3" in mended


@pytest.mark.parametrize(
    "line",
    ["- Builds: 99", "* Build entries: 99", "**Build entries**: 99", "  - **Build entries**: 99",
     "| Builds | 99 |", "- __Build entries__: 99", "- 99 builds, 88 decisions", "Total: 99 builds",
     "- **Build entries**: 3k", "- **Build entries**: 3+", "- **Last build**: BUILD-9",
     "- **Builds Completed**: ~99", "- ✅ **Builds**: 99", "> - Builds: 99", "- **📦 Builds:** 99",
     "- Builds (all): 99", "Total builds = 99"],
)  # fmt: skip
def test_a_wrong_count_in_any_other_shape_is_found_and_mended(line: str) -> None:
    assert [found for found in in_block(line) if found.startswith("error readme_")]
    files = true_files()
    for old in (b"- **Build entries**: 3", b"- **Unique builds**: 2"):
        files[README] = files[README].replace(old, line.encode())
    assert said(pages(files).mended(NOW).contents) == []


@pytest.mark.parametrize(
    "line",
    ["Each phase adds 4 build entries", "See the 5 builds in BUILD_HISTORY.md that touch tidy",
     "`BUILD_HISTORY.md`: `99 build entries`", "BUILD_HISTORY.md <!-- 99 build entries -->",
     "Phase 2 decisions are in ARCHITECTURE_DECISIONS.md", "BUILD_HISTORY.md since 2024, v2, 3.1",
     "    BUILD-163 in BUILD_HISTORY.md, 2026-01-03", "BUILD_HISTORY.md holds 3 entries"],
)  # fmt: skip
def test_prose_that_states_no_count_raises_no_alarm(line: str) -> None:
    files = true_files()
    files[INDEX] += line.encode() + b"\n"
    assert said(files) == []


@pytest.mark.parametrize(
    "line",
    ["BUILD_HISTORY.md: **99** build entries", "| BUILD_HISTORY.md | 99 entries |",
     "BUILD_HISTORY.md (99 entries)", "99 stray rows in BUILD_HISTORY.md",
     "99 unique architecture decisions in ARCHITECTURE_DECISIONS.md",
     "99 documented build entries: BUILD_HISTORY.md", "99 build sections in BUILD_HISTORY.md"],
)  # fmt: skip
def test_prose_that_states_a_wrong_count_is_found(line: str) -> None:
    files = true_files()
    files[INDEX] += line.encode() + b"\n"
    assert [found.partition(" docs")[0] for found in said(files)] == ["error navigation_drift"]


@pytest.mark.parametrize(
    ("value", "codes", "becomes"),
    [
        ("3 entries, 2 unique", [], "3 entries, 2 unique"),
        ("3 index_entries (9 unique_base)", ["warning meta_drift"],
         "3 index_entries (2 unique_base)"),
        ("4 entries, 99 unique_sections", ["warning meta_drift"] * 2,
         "3 entries, 1 unique_sections"),
        ("3+", ["warning meta_drift"], "3"),
        ("3.5", ["warning meta_drift"], "3"),
        ("9.5 (8 unique)", ["warning meta_drift"], "3"),
        ("1" * 5000, ["warning meta_drift"], "3"),
    ],
)  # fmt: skip
def test_every_number_of_a_meta_total_is_judged_by_its_own_name(value, codes, becomes) -> None:
    files = true_files()
    files[BUILD] = files[BUILD].replace(b"Total_Builds: 3", f"Total_Builds: {value}".encode())
    assert [found.partition(" docs")[0] for found in said(files)] == codes
    mended = pages(files).mended(NOW).contents
    assert f"Total_Builds: {becomes}\n".encode() in mended[BUILD]
    assert said(mended) == []


def test_the_total_of_another_ledger_that_stands_twice_is_mended_too() -> None:
    files = true_files()
    twice = b"Total_Issues: 2\nTotal_Issues: 7\nTotal_Builds: 3\n"
    files[BUILD] = files[BUILD].replace(b"Total_Builds: 3\n", twice)
    mended = pages(files).mended(NOW).contents
    assert b"Total_Issues: 2\nTotal_Builds: 3\n" in mended[BUILD]
    assert said(mended) == []


def test_a_one_line_meta_keeps_what_it_holds() -> None:
    files = true_files()
    start = files[BUILD].index(b"<!-- META")
    end = files[BUILD].index(b"-->", start)
    files[BUILD] = files[BUILD][:start] + b"<!-- META Sources: archive/ " + files[BUILD][end:]
    mended = pages(files).mended(NOW).contents
    assert b"<!-- META Sources: archive/ \nTotal_Builds: 3\n-->" in mended[BUILD]
    assert said(mended) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"<!-- SOT_SUMMARY_START -->", b"  <!--SOT_SUMMARY_START-->"),
     (b"# R\n\n<!-- SOT", b"\xef\xbb\xbf<!-- SOT")],
)  # fmt: skip
def test_a_marker_in_another_shape_is_still_one(old: bytes, new: bytes) -> None:
    files = true_files()
    files[README] = files[README].replace(old, new).replace(b"entries**: 3", b"entries**: 4")
    assert [found.partition(" READ")[0] for found in said(files)] == ["error readme_drift"]
    assert b"entries**: 3" in pages(files).mended(NOW).contents[README]
