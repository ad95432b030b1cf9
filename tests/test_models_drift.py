"""Population stability and Fisher's z: SciPy and NumPy as independent references, laws, and their size by simulation."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from hedgerow.models.drift import (
    bin_counts,
    chi_square_quantile,
    chi_square_tail,
    correlation,
    fisher_distance,
    population_stability_critical,
    population_stability_index,
)

counted = arrays(np.float64, 6, elements=st.integers(0, 50)).filter(lambda counts: counts.any())
filled = arrays(np.float64, 6, elements=st.integers(1, 50))


# --- the χ² law ---


@given(st.floats(0, 3000), st.integers(1, 1000))
def test_the_tail_is_that_of_scipy(x: float, freedom: int) -> None:
    assert chi_square_tail(x, freedom) == pytest.approx(stats.chi2.sf(x, freedom), abs=1e-12)


@given(st.floats(0.0001, 0.9999), st.integers(1, 1000))
def test_the_quantile_is_that_of_scipy(confidence: float, freedom: int) -> None:
    assert chi_square_quantile(confidence, freedom) == pytest.approx(stats.chi2.ppf(confidence, freedom), rel=1e-8)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (chi_square_tail, (-1.0, 3), "x must be finite and at least 0, got -1.0"),
        (chi_square_tail, (math.nan, 3), "x must be finite and at least 0, got nan"),
        (chi_square_tail, (1.0, 0), "degrees of freedom must be from 1 to 1000, got 0"),
        (chi_square_quantile, (0.5, 1001), "degrees of freedom must be from 1 to 1000, got 1001"),
        (chi_square_quantile, (1.0, 3), r"confidence must be in \(0, 1\), got 1.0"),
        (population_stability_critical, (1, 9, 9, 0.9), "bins must be at least 2, got 1"),
        (population_stability_critical, (2, 9, 0, 0.9), "samples must hold at least 1 value, got 9 and 0"),
    ],
)
def test_what_has_no_value_is_refused(function: Any, arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)


# --- the population stability index ---


@given(filled, filled)
def test_the_index_is_both_divergences_of_kullback_and_leibler(first: np.ndarray, second: np.ndarray) -> None:
    p, q = first / first.sum(), second / second.sum()
    expected = stats.entropy(p, q) + stats.entropy(q, p)
    assert population_stability_index(first, second) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(counted, counted)
def test_the_index_is_finite_never_negative_and_knows_no_order(first: np.ndarray, second: np.ndarray) -> None:
    found = population_stability_index(first, second)
    assert 0 <= found < math.inf
    assert population_stability_index(second, first) == pytest.approx(found, rel=1e-12, abs=1e-15)
    assert population_stability_index(first[::-1], second[::-1]) == pytest.approx(found, rel=1e-12, abs=1e-15)
    assert population_stability_index(first, first) == 0


def test_an_empty_bin_counts_as_half_an_observation_and_one_that_is_empty_twice_as_nothing() -> None:
    expected = (0.5 - 0.05) * math.log(0.5 / 0.05) + (0.5 - 1.0) * math.log(0.5 / 1.0)
    assert population_stability_index([5, 5], [0, 10]) == pytest.approx(expected, rel=1e-12)
    assert population_stability_index([5, 5, 0], [0, 10, 0]) == population_stability_index([5, 5], [0, 10])


@pytest.mark.parametrize(
    ("reference", "recent", "message"),
    [
        ([5.0], [5.0], "reference must hold at least 2 values, got 1"),
        ([5.0, 5.0], [5.0, 5.0, 1.0], "samples must be in the same bins, got 2 and 3"),
        ([5.0, math.nan], [5.0, 5.0], "reference must be finite"),
        ([5.0, 5.0], [5.0, -1.0], "counts of recent must be at least 0 and some above it"),
        ([0.0, 0.0], [5.0, 1.0], "counts of reference must be at least 0 and some above it"),
    ],
)
def test_counts_that_are_none_are_refused(reference: list[float], recent: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        population_stability_index(reference, recent)


@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_bins_are_cut_where_numpy_finds_the_quantiles(bins: int, seed: int) -> None:
    source = np.random.default_rng(seed)
    reference, recent = source.normal(size=10 * bins + 3), source.normal(1, 2, size=5 * bins)
    # Halves of ranks are exact in binary only for some shares; these quantiles are taken by rank, as whole numbers.
    edges = [sorted(reference)[math.ceil(k * reference.size / bins) - 1] for k in range(1, bins)]
    first, second = bin_counts(reference, recent, bins)
    for sample, found in ((reference, first), (recent, second)):
        expected = [sum(low < x <= high for x in sample) for low, high in pairwise([-math.inf, *edges, math.inf])]
        assert found.tolist() == expected
    assert max(first) - min(first) <= 1
    if bins in (2, 4, 8):
        assert edges == np.quantile(reference, np.arange(1, bins) / bins, method="inverted_cdf").tolist()


@pytest.mark.parametrize(
    ("reference", "recent", "bins", "message"),
    [
        (np.arange(20.0), np.arange(20.0), 1, "bins must be at least 2, got 1"),
        (np.arange(19.0), np.arange(20.0), 4, "reference must hold at least 20 values, got 19"),
        (np.arange(20.0), np.arange(19.0), 4, "recent must hold at least 20 values, got 19"),
        (np.ones(20), np.arange(20.0), 2, "reference has too many equal values for 2 bins"),
        (np.minimum(np.arange(20.0), 14), np.arange(20.0), 4, "reference has too many equal values for 4 bins"),
        (np.arange(20.0), np.append(np.arange(19.0), math.nan), 4, "recent must be finite"),
    ],
)
def test_samples_that_do_not_part_into_bins_are_refused(
    reference: np.ndarray, recent: np.ndarray, bins: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bin_counts(reference, recent, bins)


def test_a_recent_sample_may_be_constant_and_is_far_from_its_reference() -> None:
    counts = bin_counts(np.arange(100.0), np.full(50, 3.0), 10)
    assert counts[1].tolist() == [50, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert population_stability_index(*counts) > population_stability_critical(10, 100, 50, 0.999999)


def indices(size: int, draws: int, seed: int) -> np.ndarray:
    """Return the indices of pairs of samples of one law, of `size` values each, in ten bins."""
    source = np.random.default_rng(seed)
    pairs = source.normal(size=(draws, 2, size))
    return np.array([population_stability_index(*bin_counts(first, second, 10)) for first, second in pairs])


def test_the_plain_rule_cries_wolf_one_time_in_five_and_the_critical_value_does_not() -> None:
    # By the law P(χ²₉ > 0.25 / 0.02) = 0.187; by simulation a little more, because samples of 100 have heavier tails.
    assert stats.chi2.sf(0.25 / (1 / 100 + 1 / 100), 9) == pytest.approx(0.1866, abs=1e-4)
    found = indices(100, 4000, 1)
    error = math.sqrt(0.2 * 0.8 / 4000)
    assert 0.187 - 4 * error < np.mean(found > 0.25) < 0.26
    critical = population_stability_critical(10, 100, 100, 0.99)
    assert critical == pytest.approx(stats.chi2.ppf(0.99, 9) * 0.02, rel=1e-12)
    assert np.mean(found > critical) < 0.03


def test_with_larger_samples_the_critical_value_is_exceeded_as_often_as_stated() -> None:
    found = indices(1000, 2000, 2)
    for confidence in (0.9, 0.95, 0.99):
        exceeding = np.mean(found > population_stability_critical(10, 1000, 1000, confidence))
        error = math.sqrt(confidence * (1 - confidence) / 2000)
        assert abs(exceeding - (1 - confidence)) < 4 * error


# --- correlations ---

pairs = st.integers(4, 40).flatmap(
    lambda n: st.tuples(*[arrays(np.float64, n, elements=st.floats(-1e3, 1e3), unique=True)] * 2)
)


@given(pairs)
def test_a_correlation_is_that_of_numpy(both: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = both
    if min(np.ptp(first), np.ptp(second)) > 1e-3:
        assert correlation(first, second) == pytest.approx(np.corrcoef(first, second)[0, 1], abs=1e-9)


@given(st.integers(0, 2**32 - 1), st.sampled_from([2.0**-900, 0.25, 1.0, 2.0**900]))
def test_a_correlation_moves_with_no_unit_and_changes_sign_with_a_side(seed: int, scale: float) -> None:
    first, second = np.random.default_rng(seed).normal(size=(2, 12))
    found = correlation(first, second)
    assert correlation(scale * first, second) == found
    assert correlation(-first, second) == -found
    assert correlation(second, first) == found


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1.0], [1.0], "first must hold at least 2 values, got 1"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "samples must be pairs, got 2 and 3 values"),
        ([1.0, math.nan], [1.0, 2.0], "first must be finite"),
        ([0.1, 0.1, 0.1], [1.0, 2.0, 3.0], "first is constant: it has no correlation"),
        ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], "second is constant: it has no correlation"),
        ([1.0, 2.0, 3.0], [1.0, 1.0 + 2**-52, 1.0], "second is constant: it has no correlation"),
    ],
)
def test_what_is_correlated_with_nothing_is_refused(first: list[float], second: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        correlation(first, second)


@given(st.floats(-0.99, 0.99), st.integers(4, 500), st.floats(-0.99, 0.99), st.integers(4, 500))
def test_the_distance_is_what_the_formula_of_logarithms_says(one: float, n: int, other: float, m: int) -> None:
    z = [math.log((1 + r) / (1 - r)) / 2 for r in (one, other)]
    expected = (z[0] - z[1]) / math.sqrt(1 / (n - 3) + 1 / (m - 3))
    assert fisher_distance(one, n, other, m) == pytest.approx(expected, abs=1e-9)
    assert fisher_distance(other, m, one, n) == -fisher_distance(one, n, other, m)
    assert fisher_distance(one, n, one, m) == 0


@pytest.mark.parametrize("value", [1.0, -1.0, 1 - 2**-53, math.nan, 2.0])
def test_a_perfect_correlation_has_no_distance(value: float) -> None:
    for arguments in ((value, 50, 0.3, 50), (0.3, 50, value, 50)):
        with pytest.raises(ValueError, match=r"a correlation must be within \(-1, 1\) for Fisher's z"):
            fisher_distance(*arguments)


def test_a_distance_needs_four_pairs_on_either_side() -> None:
    assert math.isfinite(fisher_distance(0.1, 4, 0.2, 4))
    for n, m in ((3, 4), (4, 3)):
        with pytest.raises(ValueError, match=f"each correlation must be of at least 4 pairs, got {n} and {m}"):
            fisher_distance(0.1, n, 0.2, m)


@pytest.mark.parametrize("truth", [0.0, 0.8])
def test_normal_pairs_of_one_correlation_exceed_the_critical_value_as_often_as_stated(truth: float) -> None:
    source = np.random.default_rng(3)
    drawn = source.multivariate_normal([0, 0], [[1, truth], [truth, 1]], size=(2000, 100))
    found = [fisher_distance(correlation(*each[:60].T), 60, correlation(*each[60:].T), 40) for each in drawn]
    exceeding = np.mean(np.abs(found) > stats.norm.ppf(0.975))
    assert abs(exceeding - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 2000)


def test_pairs_with_fat_tails_exceed_the_critical_value_far_more_often_than_stated() -> None:
    # Student's t with four degrees of freedom: a normal pair over the root of a χ² divided by its degrees of freedom.
    source = np.random.default_rng(5)
    normal = source.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=(4000, 100))
    drawn = normal / np.sqrt(source.chisquare(4, size=(4000, 100, 1)) / 4)
    found = [fisher_distance(correlation(*each[:60].T), 60, correlation(*each[60:].T), 40) for each in drawn]
    assert np.mean(np.abs(found) > stats.norm.ppf(0.995)) == pytest.approx(0.08, abs=0.02)
