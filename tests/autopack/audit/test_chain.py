"""The form of a chain: what is read back, and what the links alone show."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.audit import chain
from autopack.audit.chain import FIRST, BadRecord, Head, read
from tests.support.audits import TAMPERINGS, UNSEEN_WITHOUT_A_HEAD, lines, linked, members

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
RECORD = st.dictionaries(st.text().filter(lambda k: k not in chain.RESERVED), JSON, max_size=4)


@given(st.lists(RECORD, max_size=5))
def test_whatever_a_record_says_the_chain_is_whole(records) -> None:
    seen = read(linked(records))
    assert seen.bad is None
    assert sorted(seen.heads) == list(range(1, len(records) + 1))


def test_the_head_is_the_digest_of_the_last_line() -> None:
    data = linked([{"n": 1}, {"n": 2}])
    seen = read(data)
    assert seen.head == Head(2, chain.digest(lines(data)[-1][:-1]))
    assert str(seen.head) == f"2:{seen.heads[2]}"
    assert seen.genesis == seen.heads[1]


def test_nothing_is_a_chain_without_a_head() -> None:
    assert read(b"") == chain.Chain({}, None, None, None)
    assert read(b"").head is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"seq":2,"prev":"%s","prev":"%s"}', "the line is not written as records are"),
        (b'{"seq": 2,"prev":"%s"}', "the line is not written as records are"),
        (b' {"seq":2,"prev":"%s"}', "the line is not written as records are"),
        (b'{"seq":2,"prev":"%s"}\r', "the line is not written as records are"),
        (b'{"seq":2,"a":"\xc3\xa9","prev":"%s"}', "the line is not written as records are"),
        (b'\xef\xbb\xbf{"seq":2,"prev":"%s"}', "the line is not written as records are"),
        (b'{"seq":3,"prev":"%s"}', "record number 3 follows 1"),
        (b'{"seq":1,"prev":"%s"}', "record number 1 follows 1"),
    ],
)
def test_a_last_line_that_no_program_of_ours_wrote_is_tampering(line: bytes, why: str) -> None:
    first = linked([{}])
    prev = read(first).heads[1].encode()
    forged = line.replace(b"%s", prev)
    assert read(first + forged + b"\n").bad == BadRecord(2, "tampered", why, seq=2)


@pytest.mark.parametrize(
    "line",
    [b"", b"nonsense", b"[]", b"2", b'{"seq":true,"prev":""}', b'{"seq":2}', b"[" * 100_000],
    ids=["empty", "words", "list", "number", "truth", "no prev", "deep"],
)
def test_what_is_no_record_is_a_torn_write_at_the_end_and_tampering_before(line: bytes) -> None:
    first = linked([{}])
    torn = read(first + line + b"\n").bad
    assert torn == BadRecord(2, "torn", "the write of this record was cut short", seq=2)
    bad = read(first + line + b"\n" + lines(linked([{}, {}]))[1]).bad
    assert bad == BadRecord(2, "tampered", "bad JSON", seq=2)


def test_the_digests_behind_a_bad_line_are_still_told() -> None:
    rows = lines(linked([{"n": n} for n in range(4)]))
    good = read(b"".join(rows)).heads
    seen = read(b"".join([rows[0], rows[1].replace(b'"n":1', b'"n":7'), *rows[2:]]))
    assert seen.tampered == BadRecord(3, "tampered", "broken link: prev is not the line before", 3)
    assert {seq for seq in good if seen.heads[seq] == good[seq]} == {1, 3, 4}


def test_a_part_of_a_chain_is_read_from_what_stood_before_it() -> None:
    rows = lines(linked([{"n": n} for n in range(4)]))
    whole = read(b"".join(rows))
    part = read(b"".join(rows[2:]), Head(2, whole.heads[2]))
    assert (part.bad, part.head) == (None, whole.head)
    assert read(b"".join(rows[2:]), Head(0, FIRST)).tampered is not None


def test_other_programs_may_spell_their_lines_as_they_like() -> None:
    data = b'{"prev": "' + FIRST.encode() + b'", "seq": 1, "a": "\xc3\xa9"}\n'
    assert read(data, exact=False).bad is None
    assert read(data).tampered is not None


@given(st.integers(2, 8), st.sampled_from(TAMPERINGS), st.randoms(use_true_random=False))
def test_the_links_show_whatever_does_not_reach_the_newest_records(
    count: int, tamper, luck: Random
) -> None:
    data = linked([{"flow": "toy", "n": n} for n in range(count)])
    changed = tamper(data, luck)
    seen = read(changed)
    if tamper not in UNSEEN_WITHOUT_A_HEAD:
        assert seen.tampered is not None
    elif seen.bad is None:
        again = linked([members(row) for row in lines(changed)])
        assert changed == again, "what the links do not show looks written by us"
