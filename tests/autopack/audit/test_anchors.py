"""Heads that are kept elsewhere: with one of the newest record, no tampering goes unseen."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autopack.audit.anchors import Anchor, compare, head_of, judge, open_tail, proven
from autopack.audit.chain import Head, read
from autopack.errors import UsageError
from autopack.report import Finding
from tests.support import audits
from tests.support.audits import TAMPERINGS, linked

PATH = "audit.jsonl"


def chained(count: int) -> bytes:
    return linked([{"flow": "toy", "n": n} for n in range(count)])


def anchors(data: bytes, *seqs: int) -> list[Anchor]:
    heads = read(data).heads
    return [Anchor(Head(seq, heads[seq]), "the database") for seq in seqs]


def errors(data: bytes, heads: list[Anchor]) -> list[Finding]:
    seen = read(data)
    found = [*judge(PATH, seen), *compare(PATH, seen, heads)]
    return [finding for finding in found if finding.severity == "error"]


@settings(max_examples=1000)
@given(st.integers(2, 9), st.sampled_from(TAMPERINGS), st.randoms(use_true_random=False))
@example(2, audits.cut_records, Random(1))
@example(2, audits.feign_a_torn_line, Random(1))
def test_every_tampering_is_an_error_when_the_newest_head_is_kept(
    count: int, tamper, luck: Random
) -> None:
    data = chained(count)
    kept = anchors(data, count)
    assert errors(data, kept) == []
    changed = tamper(data, luck)
    if changed != data:
        assert errors(changed, kept) != []


@settings(max_examples=300)
@given(st.integers(2, 9), st.sampled_from(TAMPERINGS), st.randoms(use_true_random=False))
def test_a_tampering_and_then_more_records_is_an_error_too(count: int, tamper, luck) -> None:
    """Whoever tampers may wait until the program has gone on."""
    data = chained(count)
    changed = tamper(data, luck)
    rows = audits.lines(changed)
    try:
        before = [audits.members(row) for row in rows]
    except ValueError:
        return  # the program would go on behind a torn line; the chain's own tests do
    later = linked([*before, *({"flow": "later"} for _ in range(3))])
    if changed != data and later[: len(data)] != data:
        assert errors(later, anchors(data, count)) != []


def test_an_older_head_still_shows_that_its_records_are_gone() -> None:
    data = chained(5)
    cut = b"".join(audits.lines(data)[:2])
    [found] = errors(cut, anchors(data, 3, 4))
    assert found.code == "chain_cut"
    assert found.message == (
        "the chain was cut: it ends with record 2, the database has record 3 (1 more head says so)"
    )


def test_the_first_record_that_is_another_is_named_and_the_last_that_is_not() -> None:
    data = chained(6)
    rows = [audits.members(row) for row in audits.lines(data)]
    rows[3]["flow"] = "another"
    [found] = errors(linked(rows), anchors(data, 2, 5, 6))
    assert found.code == "chain_rewritten"
    assert found.message == (
        "record 5 is not the one that the database has; record 2 still is (1 more head says so)"
    )


def test_a_cut_after_the_newest_head_cannot_be_seen_and_that_is_said() -> None:
    data = chained(5)
    cut = b"".join(audits.lines(data)[:4])
    kept = anchors(data, 3)
    assert errors(cut, kept) == []
    assert proven(read(cut), kept) == 3
    [told] = open_tail(PATH, read(cut), kept)
    assert (told.code, told.severity) == ("tail_newer", "info")
    assert "the records after 3" in told.message


def test_without_any_head_it_is_said_that_the_tail_is_open() -> None:
    [told] = open_tail(PATH, read(chained(3)), [])
    assert (told.code, told.severity) == ("tail_open", "warning")
    assert open_tail(PATH, read(b""), []) == []


def test_a_chain_that_is_gone_was_cut() -> None:
    [found] = errors(b"", anchors(chained(2), 2))
    assert found.code == "chain_cut"


def test_a_copy_may_go_another_way_and_is_no_error() -> None:
    ours, theirs = chained(3), linked([*({"flow": "toy", "n": n} for n in range(2)), {"x": 1}])
    fork = [Anchor(Head(3, read(theirs).heads[3]), "the database", fork=True)]
    [told] = compare(PATH, read(ours), fork)
    assert (told.code, told.severity) == ("chain_forked", "warning")
    same = [Anchor(Head(3, read(ours).heads[3]), "the database", fork=True)]
    assert compare(PATH, read(ours), same) == []
    assert proven(read(ours), same) == 3


@pytest.mark.parametrize(
    "text", ["", "3", "3:", f"0:{'a' * 64}", f"-1:{'a' * 64}", f"3:{'g' * 64}"]
)
def test_what_is_no_head_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no SEQ:SHA256"):
        head_of(text)


def test_a_head_is_read_as_it_is_printed() -> None:
    head = Head(12, "ab" * 32)
    assert head_of(str(head)) == head
