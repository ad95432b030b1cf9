"""Selection under honesty: published values, closed forms, brute force, and noise of which the truth is known."""

from __future__ import annotations

import math
import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import kurtosis, norm, rankdata, skew

from hedgerow.models.risk import conditional_value_at_risk
from hedgerow.models.selection import overfitting as cscv
from hedgerow.models.selection import trials
from hedgerow.models.selection.neighbours import Neighbourhood
from hedgerow.models.selection.overfitting import MOST_READS, affordable_blocks, overfitting
from hedgerow.models.selection.scores import STEEPEST, sharpe_ratios, tail_adjusted_means
from hedgerow.models.selection.sharpe import (
    Moments,
    deflated_sharpe,
    expected_maximum,
    moments,
    probabilistic_sharpe,
)
from hedgerow.models.selection.trials import average_correlation, average_trials, spectral_trials

whole = st.integers(-20, 20).map(float)
matrices = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 30)), elements=whole)


def noise(sets: int, periods: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(sets, periods))


# Scores


@given(matrices)
def test_a_sharpe_ratio_is_mean_over_deviation(pnl: np.ndarray) -> None:
    for row, found in zip(pnl, sharpe_ratios(pnl), strict=True):
        if np.ptp(row):
            assert found == pytest.approx(row.mean() / row.std(ddof=1), rel=1e-9, abs=1e-12)
        else:
            assert found == np.sign(row[0]) * STEEPEST


@given(matrices, st.sampled_from([0.25, 2.0, 1024.0]))
def test_a_sharpe_ratio_knows_neither_size_nor_order(pnl: np.ndarray, size: float) -> None:
    assert sharpe_ratios(size * pnl).tolist() == sharpe_ratios(pnl).tolist()
    assert sharpe_ratios(pnl[:, ::-1]).tolist() == sharpe_ratios(pnl).tolist()  # whole money: sums are exact
    assert sharpe_ratios(-pnl).tolist() == (-sharpe_ratios(pnl)).tolist()


@pytest.mark.parametrize("value", [0.1, -3.7, 1e-9, 1e9])
def test_a_constant_pnl_is_seen_through_rounding(value: float) -> None:
    assert sharpe_ratios(np.full((1, 1001), value)).tolist() == [math.copysign(STEEPEST, value)]


@given(matrices, st.floats(0, 3), st.floats(0, 0.99))
def test_a_tail_score_is_the_mean_less_the_weighted_cvar(pnl: np.ndarray, weight: float, confidence: float) -> None:
    expected = [row.mean() - weight * conditional_value_at_risk(-row, confidence) for row in pnl]
    assert tail_adjusted_means(pnl, weight, confidence) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("pnl", "message"),
    [
        (np.zeros(3), "pnl must be two-dimensional, sets by periods, got 1 dimensions"),
        (np.zeros((2, 1)), "pnl must hold at least 2 periods, got 1"),
        (np.zeros((0, 5)), "pnl must hold at least 1 sets, got 0"),
        ([[1, 2], [3, math.nan]], "pnl must be finite, got nan for set 1 in period 1"),
    ],
)
def test_a_bad_matrix_is_refused(pnl: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sharpe_ratios(pnl)


@pytest.mark.parametrize(("weight", "confidence"), [(-1, 0.9), (math.inf, 0.9), (1, 1.0), (1, -0.1)])
def test_a_bad_tail_is_refused(weight: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        tail_adjusted_means(np.zeros((2, 5)), weight, confidence)


# Sharpe ratios of one


@pytest.mark.parametrize("size", [1e-120, 1.0, 1e120])
def test_moments_are_those_of_scipy_at_any_size(size: float) -> None:
    pnl = np.random.default_rng(1).exponential(size=200) - 0.7
    found = moments(size * pnl)
    expected = (pnl.mean() / pnl.std(ddof=1), skew(pnl), kurtosis(pnl, fisher=False), 200)
    assert found == pytest.approx(expected, rel=1e-10)


def test_the_moments_of_a_constant_pnl_are_refused() -> None:
    with pytest.raises(ValueError, match=r"pnl must vary, got 2\.0 in each of 5 periods"):
        moments([2.0] * 5)


def test_the_probability_is_about_even_where_the_truth_is_met() -> None:
    assert probabilistic_sharpe(Moments(0.1, -1, 6, 500), 0.1) == 0.5


def test_rare_large_losses_and_short_samples_make_a_ratio_worth_less() -> None:
    plain = probabilistic_sharpe(Moments(0.1, 0, 3, 500))
    assert probabilistic_sharpe(Moments(0.1, -2, 6, 500)) < plain
    assert probabilistic_sharpe(Moments(0.1, 0, 20, 500)) < plain
    assert probabilistic_sharpe(Moments(0.1, 0, 3, 100)) < plain


def test_the_probability_is_above_any_level_as_often_as_it_should_be() -> None:
    # Gains of an exponential law less 0.9: true ratio 0.1, skewness 2, kurtosis 9.
    samples = np.random.default_rng(2).exponential(size=(3000, 400)) - 0.9
    found = np.array([probabilistic_sharpe(moments(pnl), benchmark=0.1) for pnl in samples])
    for level in (0.1, 0.5, 0.9):
        # Four errors of a share of 3,000 are .037 at most; the law holds for large samples only.
        assert np.mean(found > level) == pytest.approx(1 - level, abs=0.04)
    normal = np.array([probabilistic_sharpe(moments(pnl)._replace(skewness=0, kurtosis=3), 0.1) for pnl in samples])
    assert np.mean(normal > 0.9) < 0.08  # what leaving the skewness out would do


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (Moments(0.1, 0, 3, 1), "periods must be at least 2, got 1"),
        (Moments(0.1, 2, 3, 9), r"kurtosis must be at least 1 \+ skewness² = 5, got 3"),
        (Moments(math.nan, 0, 3, 9), "moments and benchmark must be finite"),
        (Moments(1.0, 2, 5, 9), "a Sharpe ratio of 1.0 has no error to this order, with skewness 2"),
    ],
)
def test_moments_that_no_law_has_are_refused(observed: Moments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        probabilistic_sharpe(observed)


# The best of many


def test_the_published_example_of_the_deflated_sharpe_ratio() -> None:
    # Bailey, López de Prado (2014): annual SR 2.5 over 1,250 days of 250 a year, N = 100, V = 1/2 annual.
    best = Moments(2.5 / math.sqrt(250), -3, 10, 1250)
    assert expected_maximum(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(best, 100, 0.5 / 250) == pytest.approx(0.9004, abs=5e-5)


@pytest.mark.parametrize(("count", "error"), [(2, 0.08), (5, 0.026), (10, 0.024), (100, 0.01), (1000, 0.005)])
def test_the_expected_maximum_is_near_the_exact_one(count: int, error: float) -> None:
    exact = quad(lambda x: x * count * norm.pdf(x) * norm.cdf(x) ** (count - 1), -10, 12)[0]
    assert expected_maximum(count, 1) == pytest.approx(exact, rel=error)


@pytest.mark.parametrize("trials", [1.1, 1.5, 1.9])
def test_the_expected_maximum_of_fewer_than_two_is_below_the_exact_one_and_above_zero(trials: float) -> None:
    exact = quad(lambda x: x * trials * norm.pdf(x) * norm.cdf(x) ** (trials - 1), -10, 12)[0]
    assert 0 < expected_maximum(trials, 1) < exact


@given(st.floats(1, 1e9), st.floats(1, 2), st.floats(0, 10))
def test_the_expected_maximum_grows_with_trials_and_with_the_root_of_the_variance(
    trials: float, factor: float, variance: float
) -> None:
    assert expected_maximum(trials, variance) <= expected_maximum(factor * trials, variance) * (1 + 1e-12)
    assert expected_maximum(trials, 4 * variance) == pytest.approx(2 * expected_maximum(trials, variance))


def test_the_deflated_ratio_falls_with_the_number_of_trials_and_begins_at_the_plain_one() -> None:
    best = Moments(0.12, -0.5, 5, 750)
    found = [deflated_sharpe(best, trials, 1 / 750) for trials in (1, 1.5, 2, 10, 100, 10_000)]
    assert found[0] == probabilistic_sharpe(best)
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)


def test_the_deflated_ratio_of_the_best_of_noise_is_no_evidence() -> None:
    found = []
    for seed in range(150):
        pnl = noise(50, 250, seed)
        ratios = sharpe_ratios(pnl)
        found.append(deflated_sharpe(moments(pnl[ratios.argmax()]), 50, float(ratios.var(ddof=1))))
    # Its benchmark is a mean: about half of the bests of noise are above it, and hardly any far above.
    assert 0.35 < np.mean(np.array(found) > 0.5) < 0.65
    assert np.mean(np.array(found) > 0.95) < 0.05


@pytest.mark.parametrize(("trials", "variance"), [(0.5, 1), (math.nan, 1), (math.inf, 1), (2, -1), (2, math.inf)])
def test_a_bad_number_of_trials_or_variance_is_refused(trials: float, variance: float) -> None:
    with pytest.raises(ValueError, match="must be finite and at least"):
        expected_maximum(trials, variance)


# How many trials


def orthogonal(sets: int, periods: int = 512) -> np.ndarray:
    """Return sets whose sample correlations are 0: waves of different frequencies over whole periods."""
    return np.stack([np.sin(2 * np.pi * (k + 1) * np.arange(periods) / periods) for k in range(sets)])


@given(arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(4, 20)), elements=whole))
def test_the_mean_correlation_is_that_of_all_pairs(pnl: np.ndarray) -> None:
    pnl[:, 0] = 100.0 + np.arange(len(pnl))  # so that none is constant
    pairs = np.corrcoef(pnl)[np.triu_indices(len(pnl), 1)]
    assert average_correlation(pnl) == pytest.approx(pairs.mean(), abs=1e-12)


@pytest.mark.parametrize(("sets", "periods"), [(8, 40), (40, 12)])
def test_spectral_trials_are_those_of_the_eigenvalues_after_the_correction(sets: int, periods: int) -> None:
    common = noise(1, periods, 3)
    pnl = noise(sets, periods, 4) + 2 * common * np.linspace(-1, 1, sets)[:, None]
    correlations = np.corrcoef(pnl)
    squares = correlations**2
    lowered = squares - (1 - squares) / (periods - 2)
    eigenvalues = np.linalg.eigvalsh(correlations)
    assert (eigenvalues**2).sum() == pytest.approx(squares.sum())  # what the estimator rests on
    np.fill_diagonal(lowered, 1.0)
    assert spectral_trials(pnl) == pytest.approx(sets**2 / lowered.sum())


@pytest.mark.parametrize("estimator", [average_trials, spectral_trials])
def test_equal_sets_are_one_trial_and_uncorrelated_ones_are_all(estimator) -> None:
    same = np.repeat(noise(1, 100, 5), 20, axis=0) * np.arange(1, 21)[:, None] + 3
    assert estimator(same) == pytest.approx(1, abs=1e-9)
    assert estimator(orthogonal(20)) == pytest.approx(20, rel=0.01)


def test_groups_of_equal_sets_are_counted_by_the_spectrum_and_overcounted_by_the_mean() -> None:
    groups = np.repeat(orthogonal(4), 25, axis=0)
    assert spectral_trials(groups) == pytest.approx(4, rel=0.01)
    rho = 24 / 99  # of 99 other sets 24 are the same
    assert average_trials(groups) == pytest.approx(rho + (1 - rho) * 100, rel=1e-9)


def test_the_correction_takes_the_sampling_noise_out_of_the_spectrum() -> None:
    found = [spectral_trials(noise(100, 60, seed)) for seed in range(10)]
    assert np.mean(found) > 95  # N / (1 + N / periods) = 38 without it


def drawn(sets: str, seed: int) -> np.ndarray:
    """Return 200 sets of 500 periods without an edge, as a line of the table in `selection.trials` names them."""
    own = noise(200, 500, seed)
    if strength := re.search(r"correlated (.*)", sets):
        rho = float(strength[1])
        return math.sqrt(rho) * noise(1, 500, seed + 10_000) + math.sqrt(1 - rho) * own
    if strength := re.search(r"ten groups, (.*) inside", sets):
        rho = float(strength[1])
        return math.sqrt(rho) * np.repeat(noise(10, 500, seed + 10_000), 20, axis=0) + math.sqrt(1 - rho) * own
    if strength := re.search(r"line of sets, (.*) to", sets):
        rho = float(strength[1])
        for index in range(1, 200):
            own[index] = rho * own[index - 1] + math.sqrt(1 - rho**2) * own[index]
    return own


TABLE = re.findall(r"^ {4}(\S.*?) {2,}(\d.*)$", str(trials.__doc__), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(("sets", "line"), TABLE, ids=[sets for sets, _ in TABLE])
def test_the_table_of_the_estimators_is_what_noise_gives(sets: str, line: str) -> None:
    found = []
    for seed in range(60):
        pnl = drawn(sets, seed)
        ratios = sharpe_ratios(pnl)  # noise turned over is noise as well: the best and the worst are of one law
        counts = (200, average_trials(pnl), spectral_trials(pnl))
        bars = [expected_maximum(count, float(ratios.var(ddof=1))) for count in counts]
        found.append((*(math.sqrt(500) * np.array([np.ptp(ratios) / 2, *bars])), *counts[1:]))
    best, every, mean, mean_count, spectrum, spectrum_count = map(float, re.findall(r"[\d.]+", line))
    expected = (best, every, mean, spectrum)
    assert np.mean(found, axis=0)[:4] == pytest.approx(expected, abs=0.05)
    assert np.mean(found, axis=0)[4:] == pytest.approx((mean_count, spectrum_count), rel=0.1)


def test_the_table_of_the_estimators_has_six_lines() -> None:
    assert len(TABLE) == 6


def structures(kind: str, strength: float, seed: int, sets: int = 100, periods: int = 250) -> np.ndarray:
    """Return sets that have no edge: every pair correlated, or each with the one before it."""
    own = noise(sets, periods, seed)
    if kind == "all alike":
        return math.sqrt(strength) * noise(1, periods, seed + 10_000) + math.sqrt(1 - strength) * own
    for index in range(1, sets):
        own[index] = strength * own[index - 1] + math.sqrt(1 - strength**2) * own[index]
    return own


@pytest.mark.parametrize(
    ("kind", "strength", "mean_is_safe"),
    [("all alike", 0.0, True), ("all alike", 0.5, False), ("in a line", 0.9, True), ("in a line", 0.98, True)],
)
def test_the_number_of_sets_is_never_too_low_and_the_spectrum_is(
    kind: str, strength: float, mean_is_safe: bool
) -> None:
    best, every, mean, spectrum = [], [], [], []
    for seed in range(80):
        pnl = structures(kind, strength, seed)
        ratios = sharpe_ratios(pnl)
        variance = float(ratios.var(ddof=1))
        best.append(ratios.max())
        every.append(expected_maximum(100, variance))
        mean.append(expected_maximum(average_trials(pnl), variance))
        spectrum.append(expected_maximum(spectral_trials(pnl), variance))
    truth, error = np.mean(best), np.std(best) / math.sqrt(80)
    assert np.mean(every) > truth - 2 * error
    assert np.mean(mean) > (truth if mean_is_safe else 0.85 * truth) - 2 * error
    if strength:
        assert np.mean(spectrum) < 0.85 * truth


def test_a_set_that_never_varies_is_no_trial() -> None:
    with pytest.raises(ValueError, match=r"every set's pnl must vary, got 0\.0 throughout for set 1"):
        average_trials(np.stack([np.arange(5.0), np.zeros(5)]))


# The probability of backtest overfitting


def by_brute_force(pnl: np.ndarray, blocks: int) -> tuple[float, float, float, float, list[float]]:
    """Return what the definition says, one half at a time."""
    parts = np.array_split(np.arange(pnl.shape[1]), blocks)
    below, lost, inside, outside, logits = [], [], [], [], []

    def ratios(days: np.ndarray) -> list[float]:
        halves = pnl[:, days]
        return [
            row.mean() / row.std(ddof=1) if np.ptp(row) else float(np.sign(row[0]) * STEEPEST)
            for row in halves.round(9)
        ]

    for past in combinations(range(blocks), blocks // 2):
        before = np.concatenate([parts[block] for block in past])
        after = np.concatenate([parts[block] for block in range(blocks) if block not in past])
        scores, later = np.round(ratios(before), 9), np.round(ratios(after), 9)
        chosen = np.flatnonzero(scores == scores.max())
        omega = (rankdata(later) / (len(pnl) + 1))[chosen]
        below.append(np.mean((omega < 0.5) + 0.5 * (omega == 0.5)))
        lost.append(np.mean(pnl[chosen][:, after].sum(axis=1) < 0))
        inside.append(scores.max())
        outside.append(later[chosen].mean())
        logits.append(float(np.log(omega / (1 - omega)).mean()))
    return (*(float(np.mean(each)) for each in (below, lost, inside, outside)), sorted(logits))


def told(found: cscv.Overfitting) -> tuple[float, float, float, float, list[float]]:
    return (*found[:4], sorted(found.logits.tolist()))


def assert_same(one: tuple, other: tuple) -> None:
    assert one[:4] == pytest.approx(other[:4], rel=1e-6, abs=1e-6)
    assert one[4] == pytest.approx(other[4], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("sets", "periods", "blocks"), [(2, 8, 2), (5, 23, 4), (7, 41, 6), (4, 67, 8)])
def test_the_probability_is_that_of_the_definition(sets: int, periods: int, blocks: int) -> None:
    for seed in range(5):
        pnl = noise(sets, periods, seed)
        assert_same(told(overfitting(pnl, blocks)), by_brute_force(pnl, blocks))


@given(arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(8, 14)), elements=st.integers(-1, 1).map(float)))
def test_ties_and_sets_that_do_not_move_are_ranked_as_the_definition_says(pnl: np.ndarray) -> None:
    assert_same(told(overfitting(pnl, 4)), by_brute_force(pnl, 4))


@pytest.mark.parametrize("seed", range(3))
def test_a_score_of_ones_own_is_used_as_the_sharpe_ratio_is(seed: int) -> None:
    pnl = noise(6, 50, seed)
    assert_same(told(overfitting(pnl, 6, score=sharpe_ratios)), told(overfitting(pnl, 6)))
    other = overfitting(pnl, 6, score=lambda half: half.mean(axis=1))
    assert other.inside != overfitting(pnl, 6).inside


@pytest.mark.parametrize("sets", [3, 10])
def test_choosing_among_noise_is_drawing_lots(sets: int) -> None:
    found = np.array([overfitting(noise(sets, 160, seed), 8).probability for seed in range(300)])
    error = found.std() / math.sqrt(found.size)
    assert error < 0.02
    assert found.mean() == pytest.approx(0.5, abs=3 * error)


def test_one_truly_better_set_is_found_again() -> None:
    pnl = noise(50, 1000, 1)
    pnl[17] += 0.25  # an annual Sharpe ratio of 4
    found = overfitting(pnl, 16)
    assert found.probability < 0.01
    assert found.loss < 0.01
    assert (found.logits > 2).mean() > 0.95


def test_sets_that_all_earn_the_same_in_the_end_are_chosen_for_what_is_paid_back() -> None:
    # Bailey et al. (2017), section 6: best in one half is worst in the other, where the whole is equal for all.
    pnl = noise(100, 1000, 2)
    pnl = (pnl - pnl.mean(axis=1, keepdims=True)) / pnl.std(axis=1, keepdims=True)
    found = overfitting(pnl, 8)
    assert found.probability == 1
    assert found.loss == 1
    assert found.outside == pytest.approx(-found.inside, rel=0.02)


@given(st.integers(0, 50), st.randoms(use_true_random=False), st.sampled_from([0.25, 8.0]))
def test_neither_the_order_of_the_sets_nor_the_currency_matters(seed: int, random, size: float) -> None:
    pnl = noise(5, 24, seed)
    order = random.sample(range(5), 5)
    assert told(overfitting(size * pnl[order], 4)) == told(overfitting(pnl, 4))


def test_equal_sets_are_at_the_median_of_each_other() -> None:
    found = overfitting(np.repeat(noise(1, 40, 3), 6, axis=0), 8)
    assert found.probability == 0.5
    assert set(found.logits.tolist()) == {0.0}


def test_every_half_is_once_the_past_and_once_the_future() -> None:
    found = overfitting(noise(3, 40, 4), 10)
    assert found.logits.size == math.comb(10, 5)


def test_the_result_does_not_depend_on_how_many_are_scored_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pnl = noise(7, 90, 5)
    whole_ = told(overfitting(pnl, 10))
    monkeypatch.setattr(cscv, "_AT_ONCE", 50)
    assert told(overfitting(pnl, 10)) == whole_


@pytest.mark.parametrize("blocks", [3, 0, 18, -2])
def test_a_number_of_blocks_that_cannot_be_halved_or_is_too_large_is_refused(blocks: int) -> None:
    with pytest.raises(ValueError, match=rf"blocks must be even and in \[2, 16\], got {blocks}"):
        overfitting(noise(3, 100, 0), blocks)


@pytest.mark.parametrize(("shape", "message"), [((1, 100), "at least 2 sets, got 1"), ((2, 31), "32 periods, got 31")])
def test_too_few_sets_or_periods_are_refused(shape: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        overfitting(noise(*shape, 0), 16)


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="a score must be one finite number a set"):
        overfitting(noise(3, 40, 0), 4, score=lambda half: half.mean(axis=1) * math.nan)


def test_work_without_end_is_refused_before_it_begins() -> None:
    with pytest.raises(ValueError, match="16 blocks would read 2574000000 numbers, at most 268435456 are allowed"):
        overfitting(np.zeros((200, 1000)), 16, score=sharpe_ratios)


@pytest.mark.parametrize(
    ("sets", "periods", "score", "blocks"),
    [
        (1000, 2500, None, 16),
        (1000, 2500, sharpe_ratios, 8),
        (100_000, 2500, None, 12),
        (10, 9, None, 4),
        (5, 4, None, 2),
    ],
)
def test_the_affordable_number_of_blocks_is_the_largest_within_the_limit(
    sets: int, periods: int, score, blocks: int
) -> None:
    assert affordable_blocks(sets, periods, score) == blocks
    cost = sets if score is None else sets * periods
    assert math.comb(blocks, blocks // 2) * cost <= MOST_READS
    more = blocks + 2
    assert more > 16 or periods < 2 * more or math.comb(more, more // 2) * cost > MOST_READS


def test_no_number_of_blocks_may_be_affordable() -> None:
    with pytest.raises(ValueError, match="1000000 sets of 2500 periods are out of reach"):
        affordable_blocks(1_000_000, 2500, sharpe_ratios)


# Neighbours


def product(**levels: list[float]) -> dict[str, np.ndarray]:
    columns = np.meshgrid(*levels.values(), indexing="ij")
    return {name: column.ravel() for name, column in zip(levels, columns, strict=True)}


def test_neighbours_on_a_grid_are_one_step_away_in_one_parameter() -> None:
    sets = product(k=[6, 8, 20], alpha=[0, 0.1, 0.3, 0.4])
    found = Neighbourhood(sets)
    assert found.grid
    assert found.of(5).tolist() == [1, 4, 6, 9]  # k = 8, alpha = 0.1
    assert found.of(0).tolist() == [1, 4]


@given(st.integers(1, 4), st.integers(2, 4), st.booleans())
def test_on_a_grid_to_be_a_neighbour_is_mutual(k: int, alpha: int, switch: bool) -> None:
    sets = product(k=list(range(k)), alpha=list(range(alpha)), **({"on": [0.0, 1.0]} if switch else {}))
    found = Neighbourhood(sets)
    near = [set(found.of(index).tolist()) for index in range(len(sets["k"]))]
    assert all(one in near[other] for one, others in enumerate(near) for other in others)
    assert sum(map(len, near)) == 2 * sum(
        (size - 1) * len(near) // size for size in (k, alpha, *([2] if switch else []))
    )


def test_a_grid_with_holes_is_still_a_grid() -> None:
    sets = product(k=[1, 2, 3], alpha=[1, 2, 3])
    kept = np.array([0, 1, 2, 3, 5, 8])
    found = Neighbourhood({name: column[kept] for name, column in sets.items()})
    assert found.grid
    assert kept[found.of(3)].tolist() == [0]  # of set 3 the ones at 4 and 6 are missing


def test_neighbours_in_a_sample_are_the_nearest_on_the_scale_of_each_range() -> None:
    draw = np.random.default_rng(0).random((2, 50))
    sets = {"k": 4 + 100 * draw[0], "alpha": 0.001 * draw[1], "fixed": np.ones(50)}
    found = Neighbourhood(sets)
    assert not found.grid
    for index in (0, 7, 49):
        scaled = np.stack([(column - column.min()) / np.ptp(column) for column in (sets["k"], sets["alpha"])])
        distance = [math.dist(scaled[:, index], scaled[:, other]) for other in range(50)]
        nearest = sorted((each for each in range(50) if each != index), key=distance.__getitem__)[:4]
        assert found.of(index).tolist() == sorted(nearest)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"k": [1, 2], "alpha": [1, 2, 3]}, "every parameter must have one value a set, got `k` 2, `alpha` 3"),
        ({"k": [1, 1]}, "at least one parameter must differ between sets"),
        ({}, "at least one parameter must differ between sets"),
        ({"k": [1, math.nan]}, "`k` must be finite"),
        ({"k": [1, 2, 1], "on": [1, 1, 1]}, "sets 0 and 2 have the same parameters"),
    ],
)
def test_columns_that_tell_no_neighbours_are_refused(columns: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Neighbourhood(columns)
