"""A part of the chain and its manifest."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.audit import chain
from autopack.audit.chain import FIRST, Head
from autopack.audit.export import check, export
from autopack.errors import UsageError
from tests.support.audits import TAMPERINGS, lines, linked

DATA = linked([{"flow": "toy", "n": n} for n in range(6)])


@pytest.mark.parametrize("since", [None, "1", "4", "6", "2026-01-31", "2026-01-30T23:59:59Z"])
def test_an_export_is_a_part_of_the_chain_and_checks_out(since: str | None) -> None:
    made = export(DATA, since)
    assert made
    assert DATA.endswith(made.data)
    assert made.first == (int(since) if since and since.isdecimal() else 1)
    manifest = json.loads(json.dumps(made.manifest(None)))
    copy, why = check(made.data, manifest)
    assert (why, copy.head) == (None, chain.read(DATA).head)
    assert made.name == f"audit-{made.first:08}-00000006.jsonl"


def test_what_stood_before_the_first_record_is_in_the_manifest() -> None:
    heads = chain.read(DATA).heads
    made, whole = export(DATA, "4"), export(DATA, None)
    assert made
    assert whole
    assert made.after == Head(3, heads[3])
    assert whole.after == Head(0, FIRST)


@pytest.mark.parametrize("since", ["7", "2026-02-01", "2026-01-31T00:00:01+00:00"])
def test_since_the_future_there_is_nothing(since: str) -> None:
    assert export(DATA, since) is None
    assert export(b"", None) is None


@pytest.mark.parametrize("since", ["", "yesterday", "-1", "4.5"])
def test_since_something_else_is_a_usage_error(since: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        export(DATA, since)


def test_a_torn_line_is_exported_where_records_follow_and_left_out_where_none_does() -> None:
    torn = lines(DATA)[-1][:20]
    after = {"after_torn_tail": True, "prev": chain.digest(torn)}
    line = chain.encode({"seq": 7, "time": "2026-02-01T00:00:00.000+00:00", **after})
    data = DATA + torn + b"\n" + line + b"\n"
    assert chain.read(data).tampered is None
    made = export(data + b"torn again", None)
    assert made
    assert made.data == data
    assert check(made.data, made.manifest(None))[1] is None
    late = export(data, "7")
    assert late
    assert late.data == line + b"\n"
    assert check(late.data, late.manifest(None))[1] is None


@given(st.sampled_from(TAMPERINGS), st.randoms(use_true_random=False))
def test_a_copy_that_was_tampered_with_is_not_whole(tamper, luck: Random) -> None:
    made = export(DATA, None)
    assert made
    changed = tamper(made.data, luck)
    if changed != made.data:
        assert check(changed, made.manifest(None))[1] is not None


@pytest.mark.parametrize(
    "manifest",
    [None, [], {}, {"schema": "x"}, {"after": {"seq": 0, "sha256": FIRST}, "head": {"seq": True}}],
)
def test_what_is_no_manifest_is_said(manifest) -> None:
    assert check(DATA, manifest)[1] == "the manifest is none of an export"
