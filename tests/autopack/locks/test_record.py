"""The record: whole, or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.locks.record import SIZE, Moment, Process, Record, decode, encode

RECORD = Record(
    mode="exclusive",
    role="holder",
    generation=87,
    process=Process("vm", "c9633cbf-0a42-40d4-b031-b5421bc6e628", 4026531836, 4711, 1186),
    since=Moment(1_800_000_000.5, 12.25),
    beat=Moment(1_800_000_724.5, 736.25),
    moved=Moment(1_800_000_686.5, 698.25),
    owner="tidy-full",
    flow_run_id="0f9c8f0e-7b6c-4a52-9a83-0d1f6c6a9f3e",
    command="python -m flows.tidy --full --execute",
    phase="consolidate",
    note="nightly",
    beats=144,
    moves=118,
    done=118,
    total=200,
)
big = st.integers(0, 2**64 - 1)
moments = st.builds(Moment, st.floats(allow_nan=False), st.floats(allow_nan=False))
records = st.builds(
    Record,
    mode=st.sampled_from(["exclusive", "shared"]),
    role=st.sampled_from(["holder", "waiter"]),
    generation=big,
    process=st.builds(
        Process, st.text(max_size=16), st.text(max_size=9), big, st.integers(0, 2**32 - 1), big
    ),
    since=moments, beat=moments, moved=moments,
    owner=st.text(max_size=16), flow_run_id=st.text(max_size=9), command=st.text(max_size=18),
    phase=st.text(max_size=10), note=st.text(max_size=16),
    beats=big, moves=st.integers(0, 2**32 - 1), done=big, total=big,
)  # fmt: skip


@given(records)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    data = encode(record)
    assert len(data) == SIZE
    assert decode(data) == record


def test_a_record_cut_short_anywhere_is_none() -> None:
    data = encode(RECORD)
    assert [n for n in range(SIZE) if decode(data[:n]) is not None] == []
    assert [
        n for n in range(SIZE) if decode(data[:n].ljust(SIZE, b"\0")) not in (None, RECORD)
    ] == []
    assert decode(data + b"\0") is None


def test_a_record_with_any_bit_flipped_is_none() -> None:
    data = bytearray(encode(RECORD))
    read = []
    for at in range(SIZE):
        for bit in range(8):
            data[at] ^= 1 << bit
            read.append(decode(bytes(data)))
            data[at] ^= 1 << bit
    assert set(read) == {None}


def test_a_record_half_overwritten_by_another_is_none() -> None:
    one, other = encode(RECORD), encode(replace(RECORD, generation=88, beats=1, phase="verify"))
    mixed = [one[:n] + other[n:] for n in range(SIZE + 1)]
    assert {decode(data) for data in mixed if data not in (one, other)} == {None}


@pytest.mark.parametrize("data", [b"", bytes(SIZE), b"\xff" * SIZE, b"{}".ljust(SIZE)])
def test_what_was_never_a_record_is_none(data: bytes) -> None:
    assert decode(data) is None


@given(st.text(min_size=60, max_size=200))
def test_a_long_text_is_cut_between_two_characters(text: str) -> None:
    read = decode(encode(replace(RECORD, owner=text, note=text, command=text)))
    assert read is not None
    for cut, most in ((read.owner, 64), (read.note, 64), (read.command, 72)):
        assert text.startswith(cut)
        room = most - len(cut.encode())
        assert len(cut) == len(text) or len(text[len(cut)].encode()) > room >= 0


def test_what_utf_8_cannot_write_is_marked() -> None:
    read = decode(encode(replace(RECORD, command="python \udcff")))
    assert read is not None
    assert read.command == "python ?"


def test_heartbeat_and_progress_move_on_their_own() -> None:
    now = Moment(1.0, 2.0)
    beaten = RECORD.beaten(now)
    assert (beaten.beats, beaten.beat, beaten.moved) == (145, now, RECORD.moved)
    moved = RECORD.progressed(now, -1, 300, "")
    assert (moved.moves, moved.done, moved.total, moved.phase) == (119, 0, 300, "consolidate")
    assert moved.beat == RECORD.beat
