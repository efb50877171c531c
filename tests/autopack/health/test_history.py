"""Earlier looks come back as they were kept; what is no look is counted and passed over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.health.history import POINTS, Look, line_of, moved, parse

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NUMBERS = st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False))


def looks(*values: float) -> list[Look]:
    return [Look(NOW + timedelta(hours=n), {"drifts": value}) for n, value in enumerate(values)]


@given(st.lists(NUMBERS, max_size=5))
def test_looks_come_back_as_they_were_kept(numbers) -> None:
    kept = [Look(NOW + timedelta(hours=n), one) for n, one in enumerate(numbers)]
    assert parse(look.line() for look in reversed(kept)) == (kept, 0)


@pytest.mark.parametrize("line", [
    "{", "[]", "null", '{"at": "2026-01-31T12:00:00"}', '{"at": 3, "numbers": {}}',
    '{"at": "2026-01-31T12:00:00+00:00", "numbers": {"a": NaN}}',
    '{"at": "2026-01-31T12:00:00+00:00", "numbers": {"a": "many"}}',
    '{"at": "2026-01-31T12:00:00", "numbers": {"a": 1}}',
    '{"at": "2026-01-31T12:00:00+00:00", "numbers": {"a": 1' + "0" * 400 + "}}", "[" * 100_000,
])  # fmt: skip
def test_a_line_that_is_no_look_is_counted(line) -> None:
    good = looks(1)
    assert parse([line, good[0].line(), ""]) == (good, 1)


def test_a_line_shows_the_newest_points() -> None:
    points = line_of(looks(*range(POINTS + 5)), "drifts")
    assert [value for _, value in points] == list(range(5, POINTS + 5))
    assert line_of(looks(1), "other") == []


def test_a_number_that_stood_still_has_moved_before() -> None:
    assert moved(line_of(looks(5, 3, 3), "drifts")) == -2
    assert moved(line_of(looks(3, 3), "drifts")) is None
