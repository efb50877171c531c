"""Chains for the tests of the audit, and every way to tamper with one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from autopack.audit import chain
from autopack.audit.chain import FIRST

TIME = "2026-01-31T00:00:00.000+00:00"


def linked(records: Sequence[dict[str, Any]]) -> bytes:
    """Return a chain of these records as the program would have written it."""
    prev, lines = FIRST, []
    for seq, record in enumerate(records, start=1):
        line = chain.encode({"seq": seq, "time": TIME, **record, "prev": prev})
        prev = chain.digest(line)
        lines.append(line + b"\n")
    return b"".join(lines)


def members(line: bytes) -> dict[str, Any]:
    """Return what a record says, and when, besides its links."""
    return {k: v for k, v in json.loads(line).items() if k not in {"seq", "prev"}}


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def edit_a_byte(data: bytes, luck: Random) -> bytes:
    at = luck.randrange(len(data) - 1)
    return data[:at] + bytes([data[at] ^ luck.randrange(1, 256)]) + data[at + 1 :]


def edit_a_value(data: bytes, luck: Random) -> bytes:
    """Change a record and leave the links as they are."""
    rows = lines(data)
    at = luck.randrange(len(rows))
    rows[at] = chain.encode({**json.loads(rows[at]), "flow": "another"}) + b"\n"
    return b"".join(rows)


def edit_and_link_again(data: bytes, luck: Random) -> bytes:
    """Change a record and write everything behind it anew, so that all links fit."""
    rows = [members(row) for row in lines(data)]
    at = luck.randrange(len(rows))
    rows[at] = {**rows[at], "flow": "another"}
    return linked(rows)


def space_out(data: bytes, luck: Random) -> bytes:
    """Write a record with other white space, which no reader of JSON would notice."""
    rows = lines(data)
    at = luck.randrange(len(rows))
    rows[at] = rows[at].replace(b":", b": ", 1)
    return b"".join(rows)


def say_twice(data: bytes, luck: Random) -> bytes:
    """Give a record a second `flow`, which hides the first from some readers."""
    rows = lines(data)
    at = luck.randrange(len(rows))
    rows[at] = rows[at].replace(b'{"seq"', b'{"flow":"another","seq"', 1)
    return b"".join(rows)


def remove(data: bytes, luck: Random) -> bytes:
    """Remove some records from anywhere."""
    rows = lines(data)
    at = luck.randrange(len(rows))
    del rows[at : at + luck.randint(1, 3)]
    return b"".join(rows)


def remove_and_link_again(data: bytes, luck: Random) -> bytes:
    return linked([members(row) for row in lines(remove(data, luck))])


def swap(data: bytes, luck: Random) -> bytes:
    rows = lines(data)
    one, other = luck.sample(range(len(rows)), 2)
    rows[one], rows[other] = rows[other], rows[one]
    return b"".join(rows)


def cut_records(data: bytes, luck: Random) -> bytes:
    rows = lines(data)
    return b"".join(rows[: luck.randrange(len(rows))])


def cut_bytes(data: bytes, luck: Random) -> bytes:
    return data[: luck.randrange(len(data) - 1)]


def double(data: bytes, luck: Random) -> bytes:
    rows = lines(data)
    at = luck.randrange(len(rows))
    return b"".join([*rows[:at], rows[at], *rows[at:]])


def put_in(data: bytes, luck: Random) -> bytes:
    """Put a record in that never was, and link everything behind it again."""
    rows = [members(row) for row in lines(data)]
    rows.insert(luck.randrange(len(rows)), {"flow": "never-was"})
    return linked(rows)


def feign_a_torn_line(data: bytes, luck: Random) -> bytes:
    """Make rubbish of a record and let the next one say that its write had been cut short."""
    rows = lines(data)
    at = luck.randrange(len(rows) - 1)
    rows[at] = b"rubbish\n"
    rows[at + 1] = (
        chain.encode(
            {**json.loads(rows[at + 1]), "after_torn_tail": True, "prev": chain.digest(b"rubbish")}
        )
        + b"\n"
    )
    return b"".join(rows)


TAMPERINGS: tuple[Callable[[bytes, Random], bytes], ...] = (
    edit_a_byte, edit_a_value, edit_and_link_again, space_out, say_twice, remove,
    remove_and_link_again, swap, cut_records, cut_bytes, double, put_in, feign_a_torn_line,
)  # fmt: skip
UNSEEN_WITHOUT_A_HEAD = {
    edit_and_link_again, remove, remove_and_link_again, cut_records, cut_bytes, put_in,
    edit_a_value, feign_a_torn_line, edit_a_byte,
}  # fmt: skip
"""Those that the links alone may not show: they reach the newest records, or write all anew."""
