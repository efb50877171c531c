"""Exact tests on counts, from the standard library alone.

`math.lgamma` gives a binomial probability to about 1e-13 of its value, far below what a decision at
5 % can see. Tests are one-sided: the question is whether something became rarer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def binomial_cdf(k: int, n: int, p: float) -> float:
    """Return P(X <= k) for X ~ Bin(n, p): the smaller tail is summed, the other is what is left."""
    if k < 0 or p >= 1.0:
        return float(k >= n)
    if k >= n or p <= 0.0:
        return 1.0
    if k < n * p:
        return _tail(k, n, p)
    return 1.0 - _tail(n - k - 1, n, 1 - p)


def _tail(k: int, n: int, p: float) -> float:
    """Return P(X <= k) below the mean: the terms from k downwards, each from the one above."""
    term = math.exp(_choose(n, k) + k * math.log(p) + (n - k) * math.log1p(-p))
    terms, odds = [term], (1 - p) / p
    for x in range(k, 0, -1):
        term *= x / (n - x + 1) * odds
        terms.append(term)
        if term <= terms[0] * 1e-20:
            break
    return min(1.0, math.fsum(terms))


def _choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def rates_p(before: int, after: int, exposure_before: float, exposure_after: float) -> float:
    """Return the one-sided p-value that the rate fell: X_after given n is binomial under no change.

    Przyborowski and Wilenski (1940): two Poisson counts, given their sum.
    """
    share = exposure_after / (exposure_before + exposure_after)
    return binomial_cdf(after, before + after, share)


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a binomial share."""
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else _root(lambda p: 1 - binomial_cdf(k - 1, n, p) - tail)
    high = 1.0 if k == n else _root(lambda p: tail - binomial_cdf(k, n, p))
    return low, high


def _root(rising: Callable[[float], float]) -> float:
    """Return where a rising function of a share crosses 0, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def ratio_interval(
    before: int, after: int, exposure_before: float, exposure_after: float
) -> tuple[float, float]:
    """Return the exact 95 % interval of rate after ÷ rate before; `inf` where nothing bounds it."""
    low, high = clopper_pearson(after, before + after)

    def ratio(share: float) -> float:
        odds = share / (1 - share) if share < 1 else math.inf
        return odds * exposure_before / exposure_after

    return ratio(low), ratio(high)


def fisher_p(a: int, b: int, c: int, d: int) -> float:
    """Return the one-sided p-value that `b` is small in the table [[a, b], [c, d]]."""
    row, column, total = a + b, b + d, a + b + c + d
    lowest = max(0, row + column - total)
    whole = _choose(total, row)
    terms = (
        math.exp(_choose(column, x) + _choose(total - column, row - x) - whole)
        for x in range(lowest, b + 1)
    )
    return min(1.0, math.fsum(terms))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that those at most q have a false discovery rate of q."""
    adjusted = [1.0] * len(p_values)
    smallest = 1.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, n in reversed(list(enumerate(order, 1))):
        smallest = min(smallest, p_values[n] * len(p_values) / rank)
        adjusted[n] = smallest
    return adjusted


def dispersion(counts: Sequence[int]) -> float:
    """Return variance ÷ mean of counts per run: 1 for Poisson, more for bursts; 1 if unknown."""
    if len(counts) < 2 or not any(counts):
        return 1.0
    mean = sum(counts) / len(counts)
    return sum((count - mean) ** 2 for count in counts) / (len(counts) - 1) / mean
