"""Value at risk, its conditional mean and drawdowns: laws, and SciPy and NumPy as independent references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from hedgerow.models.risk import (
    conditional_value_at_risk,
    drawdowns,
    historical_value_at_risk,
    normal_value_at_risk,
)

samples = arrays(np.float64, st.integers(2, 60), elements=st.floats(-1e3, 1e3))
confidences = st.sampled_from([0.01, 0.07, 0.5, 0.9, 0.95, 0.975, 0.99, 0.999])
MEASURES = [historical_value_at_risk, normal_value_at_risk, conditional_value_at_risk]


def test_historical_value_at_risk_is_the_ranked_loss() -> None:
    losses = np.arange(1.0, 101.0)  # the r-th smallest loss is r
    found = [historical_value_at_risk(losses, confidence) for confidence in (0.001, 0.07, 0.5, 0.95, 0.951, 0.99)]
    assert found == [1, 7, 50, 95, 96, 99]


@given(samples, st.sampled_from([0.25, 0.5, 0.75, 0.875]))
def test_historical_value_at_risk_is_the_quantile_without_interpolation(losses: np.ndarray, confidence: float) -> None:
    # Confidences with short binary forms: NumPy's own rank suffers from 0.07 · 100 = 7.000000000000001.
    expected = np.quantile(losses, confidence, method="inverted_cdf")
    assert historical_value_at_risk(losses, confidence) == expected


@given(samples, confidences)
def test_no_more_than_the_tail_exceeds_the_historical_value_at_risk(losses: np.ndarray, confidence: float) -> None:
    exceeding = np.count_nonzero(losses > historical_value_at_risk(losses, confidence))
    assert exceeding <= (1 - confidence) * losses.size + 1e-9


def test_the_largest_loss_is_all_that_a_short_window_can_say() -> None:
    losses = np.arange(1.0, 100.0)  # 99 < 1 / (1 − 0.99)
    assert historical_value_at_risk(losses, 0.99) == 99
    assert historical_value_at_risk(np.arange(1.0, 101.0), 0.99) == 99


@pytest.mark.parametrize("horizon", [1, 10])
@pytest.mark.parametrize("confidence", [0.01, 0.5, 0.95, 0.999])
def test_normal_value_at_risk_is_the_quantile_of_the_summed_normal_law(confidence: float, horizon: int) -> None:
    losses = np.array([0.01, -0.02, 0.015, 0.003, -0.007])
    mean, deviation = math.fsum(losses) / 5, stats.tstd(losses)
    expected = stats.norm.ppf(confidence, loc=horizon * mean, scale=math.sqrt(horizon) * deviation)
    assert normal_value_at_risk(losses, confidence, horizon) == pytest.approx(expected, rel=1e-13)


@given(samples, confidences)
def test_conditional_value_at_risk_is_the_least_cost_of_insuring_the_tail(
    losses: np.ndarray, confidence: float
) -> None:
    # Rockafellar and Uryasev (2000): the minimum over v of v + E[(loss − v)⁺] / (1 − α), attained at a loss.
    excess = np.maximum(losses[:, None] - losses[None, :], 0).mean(axis=0)
    expected = (losses + excess / (1 - confidence)).min()
    assert conditional_value_at_risk(losses, confidence) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_loss_at_the_boundary_is_split() -> None:
    # The worst 1.5 of 5 losses: all of 10 and half of 4.
    assert conditional_value_at_risk([1, 10, 2, 4, 3], 0.7) == pytest.approx((10 + 0.5 * 4) / 1.5, rel=1e-14)


def test_conditional_value_at_risk_at_confidence_zero_is_the_mean() -> None:
    assert conditional_value_at_risk([1.0, 2.0, 6.0], 0) == 3


def test_a_tail_thinner_than_one_loss_is_the_largest_loss() -> None:
    assert conditional_value_at_risk([1.0, 2.0, 6.0], 1 - 2**-53) == 6


@given(samples, confidences)
def test_the_mean_beyond_a_loss_is_no_smaller_than_that_loss(losses: np.ndarray, confidence: float) -> None:
    conditional = conditional_value_at_risk(losses, confidence)
    assert conditional >= historical_value_at_risk(losses, confidence) - 1e-9
    assert conditional >= losses.mean() - 1e-9


@given(st.integers(2, 30).flatmap(lambda n: st.tuples(*[arrays(np.float64, n, elements=st.floats(-9, 9))] * 2)))
def test_conditional_value_at_risk_rewards_diversification(books: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = books
    together = conditional_value_at_risk(first + second, 0.8)
    assert together <= conditional_value_at_risk(first, 0.8) + conditional_value_at_risk(second, 0.8) + 1e-9


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_moves_and_scales_with_its_sample_and_knows_no_order(measure) -> None:
    losses = np.random.default_rng(7).standard_t(4, size=97)
    value = measure(losses, 0.9)
    assert measure(3 * losses + 0.5, 0.9) == pytest.approx(3 * value + 0.5, rel=1e-12)
    assert measure(losses[::-1], 0.9) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_does_not_fall_as_confidence_rises(measure) -> None:
    losses = np.random.default_rng(8).standard_t(4, size=50)
    values = [measure(losses, confidence) for confidence in np.linspace(0.02, 0.98, 49)]
    assert np.all(np.diff(values) >= 0)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_leaves_its_sample_as_it_was(measure) -> None:
    losses = np.array([3.0, 1.0, 2.0])
    losses.flags.writeable = False
    measure(losses, 0.5)
    assert losses.tolist() == [3, 1, 2]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([], "losses must hold at least"),
        ([1.0, math.nan], "losses must be finite, got a NaN or an infinity"),
        ([1.0, math.inf], "losses must be finite, got a NaN or an infinity"),
        ([[1.0, 2.0]], "losses must be one-dimensional, got 2 dimensions"),
    ],
)
def test_a_bad_sample_is_refused(measure, losses: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(losses, 0.5)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("confidence", [-0.1, 1, 95, math.nan])
def test_a_confidence_outside_its_range_is_refused(measure, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"confidence must be in [\[(]0, 1\), got"):
        measure([1.0, 2.0], confidence)


def test_a_normal_law_needs_two_losses_and_one_period() -> None:
    with pytest.raises(ValueError, match="losses must hold at least 2 values, got 1"):
        normal_value_at_risk([0.1], 0.9)
    with pytest.raises(ValueError, match="horizon must be at least 1 period, got 0"):
        normal_value_at_risk([0.1, 0.2], 0.9, 0)


def test_drawdowns_are_shares_of_the_running_peak() -> None:
    assert drawdowns([100, 80, 120, 60, -12]).tolist() == [0, 0.2, 0, 0.5, 1.1]


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0.5, 1e6)), st.sampled_from([0.25, 2, 1024]))
def test_drawdowns_do_not_know_the_currency(equity: np.ndarray, factor: float) -> None:
    assert np.array_equal(drawdowns(factor * equity), drawdowns(equity))


@pytest.mark.parametrize("equity", [[0.0, 1.0], [-1.0]])
def test_equity_that_starts_at_nothing_has_no_drawdown(equity: list[float]) -> None:
    with pytest.raises(ValueError, match="equity must start above 0 for a drawdown to be a share"):
        drawdowns(equity)
