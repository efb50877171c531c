"""Mending touches the owned blocks alone, in the file's own line ends, and only once."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autopack.io.files import ledger_file
from autopack.sot.blocks import find_block
from autopack.sot.compose import skeleton
from autopack.sot.ledgers import BY_STEM
from tests.autopack.sot.counted import NOW, pages, said, true_files

BUILD, README = "docs/BUILD_HISTORY.md", "README.md"

WORD = st.sampled_from(
    ["text", "3 build entries", "**Summary**: 9 builds", "Total_Builds: 4", "\f", "\x00", "é", "|",
     "```", "~~~", "<!-- note -->", "SOT_SUMMARY_START", "- **Build entries**: 7", "\ufeff", "    "]
)  # fmt: skip
# What may stand around the blocks of a ledger: no heading, no marker at the start of a line.
LINES = st.lists(WORD.map(lambda word: f" {word}"), max_size=4)
BODY = st.lists(
    st.sampled_from(
        ["## BUILD-{n}: section", "### BUILD-{n}.{n} | 2026-01-03 | x", "text", "```", "## Other",
         "<!-- META", "Total_Builds: 77", "-->", "**Summary**: 5 build entries",
         "| 2026-01-03 | BUILD-{n} | a | b | c |", "<!-- AUTO-GENERATED SUMMARY -->", "\f", ""]
    ), max_size=12,
)  # fmt: skip
META = st.lists(
    st.sampled_from(
        ["Total_Builds: 158", "Total_Builds: 0", "Total_Builds: lots", "Total_Builds: 3 unique",
         "Last_Updated: 2026-01-03", "Last_Updated: 2026-01-03T20:30:00Z", "Last_Updated: soon",
         "Last_Updated: 2026-01-02T18:30:00.000000Z", "Sources: a, b", "Total_Decisions: 4"]
    ), max_size=5,
)  # fmt: skip
SUMMARY = st.lists(
    st.sampled_from(
        ["**Summary**: 171 build entries (151 unique builds) documented | Last updated: x",
         "**Summary**: 3 builds", "**Summary**: none", "a note of somebody"]
    ), max_size=3,
)  # fmt: skip


@st.composite
def ledgers(draw) -> tuple[list[bytes], bytes]:
    """Return the parts between the blocks of a ledger, and the ledger."""
    eol = draw(st.sampled_from(["\n", "\r\n"]))
    n = draw(st.integers(1, 200))
    before, between, after = (draw(LINES) for _ in range(3))
    body = [line.format(n=n) for line in draw(BODY)]
    parts = [
        ["# Build History", *before, "<!-- AUTO-GENERATED SUMMARY - X -->"],
        draw(SUMMARY),
        ["<!-- END AUTO-GENERATED SUMMARY -->", *between, "<!-- META"],
        draw(META),
        ["-->", *after, "## INDEX", "| a |", *body, draw(st.sampled_from(["", "end"]))],
    ]
    joined = [eol.join([*part, ""]).encode() for part in parts[:-1]]
    joined.append(eol.join(parts[-1]).encode())
    return joined, b"".join(joined)


@settings(max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
@given(ledgers())
def test_nothing_but_the_owned_blocks_changes_in_a_thousand_ledgers(made) -> None:
    parts, data = made
    first = len(parts[0])
    mended = pages({BUILD: data}).mended(NOW)
    new = mended.contents[BUILD]
    assert new.startswith(parts[0])
    assert new.endswith(parts[4])
    inner = new[first : len(new) - len(parts[4])]
    summary, seam, meta = inner.partition(parts[2])
    assert seam == parts[2], "what stands between the blocks"
    for block, old in ((summary, parts[1]), (meta, parts[3])):
        kept = [line for line in old.split(b"\n") if not _generated(line)]
        assert [line for line in block.split(b"\n") if not _generated(line)] == kept
        ends = b"\r\n" if parts[0].split(b"\n")[0].endswith(b"\r") else b"\n"
        assert block.count(b"\n") == block.count(ends)
    head = b"".join(parts[:4]) + parts[4].partition(b"\n## ")[0]
    if not any(mark in head for mark in (b"```", b"~~~", b"Total_Decisions")):
        assert said(mended.contents) == []
    assert mended.mended(NOW + timedelta(days=1)).contents == mended.contents


def _generated(line: bytes) -> bool:
    """Tell whether the generator writes such a line: it may come, go or change."""
    return line.startswith((b"**Summary**:", b"Total_", b"Last_Updated:"))


def test_an_unchanged_count_changes_no_byte_not_even_a_stamp() -> None:
    files = true_files()
    later = NOW + timedelta(days=365)
    assert pages(files).mended(later).contents == files


def test_a_changed_count_renews_the_stamps_of_its_own_blocks_in_their_own_shape() -> None:
    files = true_files()
    files[BUILD] = files[BUILD].replace(b"Total_Builds: 3", b"Total_Builds: 4")
    later = NOW + timedelta(days=1)
    new = pages(files).mended(later).contents
    assert new[README] == files[README]
    old, now = files[BUILD].split(b"\n"), new[BUILD].split(b"\n")
    assert [pair for pair in zip(old, now, strict=True) if pair[0] != pair[1]] == [
        (b"Last_Updated: 2026-11-24T12:00:05Z", b"Last_Updated: 2026-11-25T12:00:05Z"),
        (b"Total_Builds: 4", b"Total_Builds: 3"),
    ]


def test_lines_of_the_readme_block_that_are_no_claims_stay() -> None:
    files = true_files()
    block = (
        b"<!-- SOT_SUMMARY_START -->\r\n**Last Updated**: 2026-01-03 14:28\r\n\r\n"
        b"- **Builds Completed**: 169 (includes multi-phase builds)\r\n"
        b"- **Coverage**: 91 %\r\n- **Debugging Sessions**: 83\r\n\r\n*By hand*\r\n"
        b"<!-- SOT_SUMMARY_END -->"
    )
    files[README] = b"# R\r\n\r\n" + block + b"\xff\xfeu\0t\0f\0"
    new = pages(files).mended(NOW).contents[README]
    assert new.startswith(b"# R\r\n\r\n<!-- SOT_SUMMARY_START -->\r\n**Last Updated**: 2026-11-24")
    assert new.endswith(
        b"- **Unique debug sessions**: 2\r\n- **Coverage**: 91 %\r\n\r\n*By hand*\r\n"
        b"<!-- SOT_SUMMARY_END -->\xff\xfeu\0t\0f\0"
    )
    assert new.count(b"\n") == new.count(b"\r\n")


def test_a_block_in_an_orphan_fence_is_still_the_block() -> None:
    files = true_files()
    orphan = b"```\nnever closed\n\n" + files[README].replace(b"entries**: 3", b"entries**: 9")
    assert find_block("readme", orphan).block
    files[README] = orphan
    assert b"entries**: 3" in pages(files).mended(NOW).contents[README]


def test_the_latest_entry_is_titled_by_its_row_then_its_section() -> None:
    files = true_files()
    assert b"Latest build**: BUILD-170.10: Title of BUILD-170.10" in files[README]
    section = files[BUILD] + b"\n### BUILD-171 | 2026-01-04 | *Newest* `one`\n"
    grown = pages(files).with_ledger(ledger_file(BY_STEM["BUILD_HISTORY"], section))
    assert b"Latest build**: BUILD-171: Newest one" in grown.mended(NOW).contents[README]


def test_a_ledger_without_entries_has_none_as_its_latest_and_stays_so() -> None:
    files = {BUILD: skeleton(BY_STEM["BUILD_HISTORY"]), README: true_files()[README]}
    mended = pages(files).mended(NOW)
    assert b"- **Latest build**: none\n" in mended.contents[README]
    assert not [line for line in said(mended.contents) if "BUILD" in line or "latest" in line]
    assert mended.mended(NOW + timedelta(days=1)).contents == mended.contents


def test_a_stamp_that_states_a_count_stays_a_line_of_its_own() -> None:
    files = true_files()
    stamp, rest = files[README].split(b"\n\n- **Build", 1)
    files[README] = stamp + b" (169 builds)\n\n- **Build" + rest
    mended = pages(files).mended(NOW)
    assert (
        b"**Last Updated**: 2026-11-24 12:00\n\n- **Build entries**: 3\n"
        in (mended.contents[README])
    )
    assert said(mended.contents) == []
