"""Exact tests: against sums of fractions, the published table, and each other."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.rules.statistics import (
    benjamini_hochberg,
    binomial_cdf,
    clopper_pearson,
    dispersion,
    fisher_p,
    rates_p,
    ratio_interval,
)


def exact_cdf(k: int, n: int, p: Fraction) -> Fraction:
    return sum((math.comb(n, x) * p**x * (1 - p) ** (n - x) for x in range(k + 1)), Fraction(0))


@given(n=st.integers(1, 60), share=st.fractions(0, 1, max_denominator=50), data=st.data())
def test_the_binomial_is_the_sum_of_its_exact_terms(n, share, data) -> None:
    k = data.draw(st.integers(0, n))
    assert binomial_cdf(k, n, float(share)) == pytest.approx(
        float(exact_cdf(k, n, share)), rel=1e-9, abs=1e-12
    )


def test_large_counts_stay_between_0_and_1() -> None:
    assert binomial_cdf(1_000_000, 2_000_000, 0.5) == pytest.approx(0.5, abs=1e-3)
    assert 0 <= binomial_cdf(10, 1_000_000, 0.5) < 1e-300
    assert binomial_cdf(999_990, 1_000_000, 0.5) == 1.0


def test_what_became_far_oftener_is_never_taken_for_rarer() -> None:
    assert rates_p(10, 2000, 1000, 1000) == 1.0
    low, high = ratio_interval(10, 2000, 1000, 1000)
    assert 90 < low < 200 < high < 500


@pytest.mark.parametrize(
    ("before", "equal", "threefold"),
    [(3, None, 0), (4, None, 2), (5, 0, 4), (8, 1, 9), (10, 3, 13), (20, 10, 36), (50, 33, 111)],
)
def test_how_many_may_follow_for_a_fall_to_be_seen(before, equal, threefold) -> None:
    def most(exposure: int) -> int | None:
        seen = [x for x in range(200) if rates_p(before, x, 1, exposure) <= 0.05]
        return max(seen, default=None)

    assert (most(1), most(3)) == (equal, threefold)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (1, 1), (40, 200)])
def test_the_interval_of_a_share_leaves_its_tails_outside(k, n) -> None:
    low, high = clopper_pearson(k, n)
    assert low <= k / n <= high
    if k:
        assert 1 - binomial_cdf(k - 1, n, low) == pytest.approx(0.025, abs=1e-9)
    if k < n:
        assert binomial_cdf(k, n, high) == pytest.approx(0.025, abs=1e-9)


def test_the_interval_of_a_ratio_has_its_ends_where_nothing_is_known() -> None:
    low, high = ratio_interval(10, 9, 1, 3)
    assert (round(low, 3), round(high, 3)) == (0.108, 0.821)
    assert ratio_interval(10, 0, 1, 3)[0] == 0
    assert math.isinf(ratio_interval(0, 10, 1, 3)[1])


@given(*[st.integers(0, 25)] * 4)
def test_fisher_is_the_sum_of_the_hypergeometric_terms(a, b, c, d) -> None:
    row, column, total = a + b, b + d, a + b + c + d
    whole = math.comb(total, row)
    terms = (
        math.comb(column, x) * math.comb(total - column, row - x)
        for x in range(max(0, row + column - total), b + 1)
    )
    assert fisher_p(a, b, c, d) == pytest.approx(float(Fraction(sum(terms), whole)), rel=1e-9)


def test_benjamini_and_hochberg_1995() -> None:
    published = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
        0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000,
    ]  # fmt: skip
    adjusted = benjamini_hochberg(published)
    assert sum(p <= 0.05 for p in adjusted) == 4
    assert adjusted == sorted(adjusted)
    assert benjamini_hochberg([]) == []


def test_bursts_are_seen() -> None:
    assert dispersion([1, 0, 2, 1, 0, 1]) < 1
    assert dispersion([0] * 20 + [12]) > 5
    assert dispersion([]) == dispersion([0, 0]) == 1
