"""Measures of a run: closed forms, laws, and `arch` as the independent reference for the bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hedgerow.models import performance
from hedgerow.models.performance import DAY_NS, Drawdown, Interval, Periods, Tail

money = st.integers(-1000, 1000).map(float)  # whole: sums are exact
equities = arrays(np.float64, st.integers(1, 40), elements=st.integers(1, 1000).map(float))


def autoregression(coefficient: float, n: int, seed: int) -> np.ndarray:
    shocks = np.random.default_rng(seed).normal(size=n + 50)
    for index in range(1, n + 50):
        shocks[index] += coefficient * shocks[index - 1]
    return shocks[50:]


# Drawdown


def test_the_deepest_drawdown_is_found_with_its_place() -> None:
    equity = [100, 120, 90, 110, 120, 60, 119, 121, 100]
    assert performance.max_drawdown(equity) == Drawdown(depth=0.5, amount=60, peak=4, trough=5, recovery=7)


def test_a_drawdown_is_measured_as_a_share_and_not_in_money() -> None:
    found = performance.max_drawdown([10, 5, 100, 90])
    assert found == Drawdown(depth=0.5, amount=5, peak=0, trough=1, recovery=2)


def test_a_drawdown_at_the_end_has_no_recovery() -> None:
    assert performance.max_drawdown([100, 80]) == Drawdown(0.2, 20, 0, 1, None)


def test_equity_that_never_falls_has_no_drawdown() -> None:
    assert performance.max_drawdown([1, 1, 2])[:2] == (0, 0)


@given(equities)
def test_no_later_value_lies_deeper_below_an_earlier_one(equity: np.ndarray) -> None:
    found = performance.max_drawdown(equity)
    pairs = [(equity[i] - equity[j]) / equity[i] for i in range(equity.size) for j in range(i, equity.size)]
    assert found.depth == max(pairs)
    assert found.depth == (equity[found.peak] - equity[found.trough]) / equity[found.peak]
    assert equity[found.peak] == equity[: found.trough + 1].max()
    if found.recovery is None:
        assert found.depth > 0
        assert (equity[found.trough :] < equity[found.peak]).all()
    else:
        assert equity[found.recovery] >= equity[found.peak]
        assert (equity[found.trough : found.recovery] < equity[found.peak]).all()


# Periods


def test_a_day_runs_from_the_last_row_before_it_to_its_own_last_row() -> None:
    hours = np.array([1, 23, 24 + 5, 4 * 24, 4 * 24 + 1])  # nothing on days 2 and 3
    found = performance.period_pnl(hours * (DAY_NS // 24), [101, 104, 100, 90, 95], initial=100)
    assert (found.start_ns // DAY_NS).tolist() == [0, 1, 4]
    assert found.pnl.tolist() == [4, -4, -5]


def test_days_before_the_epoch_are_days_too() -> None:
    found = performance.period_pnl(np.array([-1, 0]), [1, 3], initial=0)
    assert (found.start_ns.tolist(), found.pnl.tolist()) == ([-DAY_NS, 0], [1, 2])


@given(st.data(), arrays(np.float64, st.integers(1, 40), elements=money), money, st.integers(1, 50))
def test_periods_sum_to_the_change_of_equity(
    data: st.DataObject, equity: np.ndarray, initial: float, period: int
) -> None:
    steps = data.draw(arrays(np.int64, equity.size, elements=st.integers(0, 30)))
    found = performance.period_pnl(np.cumsum(steps) - 100, equity, initial, period)
    assert found.pnl.sum() == equity[-1] - initial
    assert (np.diff(found.start_ns) > 0).all()
    assert (found.start_ns % period == 0).all()


@pytest.mark.parametrize(
    ("times", "equity", "initial", "period", "message"),
    [
        ([2, 1], [1, 2], 0, 1, "time_ns must not decrease"),
        ([1], [1, 2], 0, 1, r"time_ns must have one value a row and at least one row, got \(1,\) for 2 rows"),
        ([1.0, 2.0], [1, 2], 0, 1, "time_ns must be int64 nanoseconds, got float64"),
        ([1, 2], [1, math.nan], 0, 1, "equity must be finite"),
        ([1, 2], [1, 2], math.inf, 1, "initial must be finite, got inf"),
        ([1, 2], [1, 2], 0, 0, "period_ns must be at least 1, got 0"),
    ],
)
def test_bad_rows_are_refused(times, equity, initial: float, period: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        performance.period_pnl(np.array(times), equity, initial, period)


def test_the_tail_names_the_worst_day_and_the_mean_of_the_worst() -> None:
    pnl = np.array([3.0, -50, 7, -10, -50] + [1.0] * 15)
    periods = Periods(np.arange(20) * DAY_NS, pnl)
    assert performance.tail(periods, 0.85) == Tail(
        worst=-50,
        worst_start_ns=DAY_NS,
        value_at_risk=-1,  # the 17th smallest loss of 20 is a gain of 1
        conditional_value_at_risk=pytest.approx((50 + 50 + 10) / 3, rel=1e-14),
        confidence=0.85,
    )


# Bootstrap


@pytest.mark.parametrize("coefficient", [-0.5, 0.0, 0.4, 0.9])
@pytest.mark.parametrize("n", [20, 63, 500, 2001])
def test_the_block_length_is_the_one_that_arch_chooses(coefficient: float, n: int) -> None:
    from arch.bootstrap import optimal_block_length

    for seed in range(5):
        pnl = autoregression(coefficient, n, seed)
        expected = optimal_block_length(pnl)["circular"].iloc[0]
        assert performance.block_length(pnl) == max(1, math.ceil(expected))


def test_dependent_days_ask_for_longer_blocks() -> None:
    lengths = [performance.block_length(autoregression(c, 2000, seed=3)) for c in (0.0, 0.5, 0.95)]
    assert lengths[0] < lengths[1] < lengths[2]


@given(st.sampled_from([0.25, 2, 1024]), st.integers(0, 20))
def test_the_block_length_does_not_know_the_currency(factor: float, seed: int) -> None:
    pnl = autoregression(0.6, 200, seed)
    assert performance.block_length(factor * pnl) == performance.block_length(pnl)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7])
def test_a_constant_sample_has_blocks_of_one_and_an_interval_of_no_width(value: float) -> None:
    found = performance.bootstrap_total(np.full(30, value), seed=0)
    assert found.block == 1
    assert (found.low, found.high) == pytest.approx((30 * value, 30 * value), rel=1e-14)


@pytest.mark.parametrize("block", [1, 7, 10, 40])
def test_the_bootstrap_has_the_variance_of_its_blocks(block: int) -> None:
    # The starts are independent and even on the circle, so the variances of the block sums add up.
    pnl = autoregression(0.7, 40, seed=1)
    around = np.concatenate((pnl, pnl))
    lengths = [block] * (40 // block) + ([40 % block] if 40 % block else [])
    variance = sum(np.var([around[i : i + length].sum() for i in range(40)]) for length in lengths)
    found = performance.bootstrap_total(pnl, seed=2, block=block, replications=40_000, confidence=0.6826895)
    if block == 40:
        assert (found.low, found.high) == pytest.approx((pnl.sum(), pnl.sum()))  # a rotation of the sample
    else:
        # The middle 68.27 % of a nearly normal law is one deviation either side.
        assert (found.high - found.low) / 2 == pytest.approx(math.sqrt(variance), rel=0.05)
        assert (found.high + found.low) / 2 == pytest.approx(pnl.sum(), abs=0.05 * math.sqrt(variance))


def test_the_interval_is_the_one_that_arch_draws() -> None:
    from arch.bootstrap import CircularBlockBootstrap

    pnl = np.random.default_rng(5).exponential(size=103) - 1  # skewed, and no multiple of the block
    draws = CircularBlockBootstrap(6, pnl, seed=1).apply(np.sum, 8000)[:, 0]
    low, high = np.quantile(draws, [0.05, 0.95])
    found = performance.bootstrap_total(pnl, seed=9, block=6, replications=20_000, confidence=0.9)
    # Sampling error of a 5 % quantile from 8,000 draws: about 0.024 deviations. Four of them.
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * draws.std())


def test_the_interval_covers_the_mean_of_dependent_days_about_as_often_as_it_says() -> None:
    samples = [autoregression(0.4, 300, seed) for seed in range(300)]
    intervals = [performance.bootstrap_total(pnl, seed=0, replications=400, confidence=0.9) for pnl in samples]
    covered = np.mean([not interval.excludes(0) for interval in intervals])
    naive = [performance.bootstrap_total(pnl, seed=0, replications=400, confidence=0.9, block=1) for pnl in samples]
    assert 0.82 < covered < 0.94  # a block bootstrap covers a little less than it says
    assert np.mean([not interval.excludes(0) for interval in naive]) < 0.75  # what ignoring dependence would do


def test_the_same_seed_gives_the_same_interval_and_another_another() -> None:
    pnl = autoregression(0.3, 100, seed=0)
    first = performance.bootstrap_total(pnl, seed=1)
    assert first == performance.bootstrap_total(pnl, seed=1)
    assert first.low != performance.bootstrap_total(pnl, seed=2).low


def test_the_interval_does_not_depend_on_how_many_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pnl = autoregression(0.3, 100, seed=0)
    whole = performance.bootstrap_total(pnl, seed=1, block=3)
    monkeypatch.setattr(performance, "_DRAWS_AT_ONCE", 1000)
    assert performance.bootstrap_total(pnl, seed=1, block=3) == whole


def test_the_interval_moves_and_scales_with_the_pnl() -> None:
    pnl = autoregression(0.3, 100, seed=0)
    found = performance.bootstrap_total(pnl, seed=1, block=5)
    moved = performance.bootstrap_total(4 * pnl - 2, seed=1, block=5)
    assert (moved.low, moved.high) == pytest.approx((4 * found.low - 200, 4 * found.high - 200), rel=1e-12)


def test_more_confidence_makes_a_wider_interval() -> None:
    pnl = autoregression(0.3, 100, seed=0)
    intervals = [performance.bootstrap_total(pnl, seed=1, confidence=c) for c in (0.5, 0.9, 0.99)]
    assert intervals[2].low < intervals[1].low < intervals[0].low < intervals[0].high < intervals[1].high
    assert intervals[1].high < intervals[2].high


@pytest.mark.parametrize(("value", "excluded"), [(-2.1, True), (-2, False), (0, False), (3, False), (3.1, True)])
def test_an_interval_excludes_what_lies_outside_it(value: float, excluded: bool) -> None:
    assert Interval(-2, 3, 0.5, 0.95, 1, 100, 0).excludes(value) is excluded


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 1.0}, r"confidence must be in \(0, 1\), got 1.0"),
        ({"replications": 99}, "replications must be at least 100, got 99"),
        ({"block": 0}, r"block must be in \[1, 20\], got 0"),
        ({"block": 21}, r"block must be in \[1, 20\], got 21"),
    ],
)
def test_a_bad_bootstrap_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        performance.bootstrap_total(np.arange(20.0), seed=0, **options)


def test_too_few_days_carry_no_interval() -> None:
    with pytest.raises(ValueError, match="pnl must hold at least 20 values, got 19"):
        performance.bootstrap_total(np.arange(19.0), seed=0)


# Trades


@given(st.lists(st.floats(-1e9, 1e9)), st.randoms(use_true_random=False))
def test_turnover_counts_buys_and_sells_in_any_order(notionals: list[float], random) -> None:
    shuffled = [random.choice((-1, 1)) * notional for notional in notionals]
    random.shuffle(shuffled)
    assert performance.turnover(shuffled) == performance.turnover(notionals)
    assert performance.turnover(notionals) >= abs(math.fsum(notionals))


def test_turnover_is_zero_without_trades_and_refuses_a_nan() -> None:
    assert performance.turnover([]) == 0
    with pytest.raises(ValueError, match="notionals must be finite"):
        performance.turnover([1, math.nan])


def test_at_the_break_even_fee_the_trades_earn_nothing() -> None:
    traded, fee, pnl = 2_000_000.0, 0.0005, 400.0
    before_fees = pnl + fee * traded
    assert before_fees - performance.break_even_fee(before_fees, traded) * traded == 0
    assert performance.break_even_fee(before_fees, traded) == 0.0007


def test_the_break_even_fee_is_negative_for_trades_that_lose_without_fees_and_absent_without_trades() -> None:
    assert performance.break_even_fee(-50, 100) == -0.5
    assert performance.break_even_fee(0, 0) is None


@pytest.mark.parametrize(("pnl", "traded"), [(math.nan, 1), (1, -1), (1, math.nan), (1, math.inf)])
def test_a_break_even_fee_of_bad_numbers_is_refused(pnl: float, traded: float) -> None:
    with pytest.raises(ValueError, match="the P&L must be finite and the turnover at least 0"):
        performance.break_even_fee(pnl, traded)


# States


def test_a_state_lasts_until_the_next_row() -> None:
    times = np.array([0, 10, 10, 40, 100])
    assert performance.state_times_ns(times, [0, 2, 1, 0, 2], states=4).tolist() == [70, 30, 0, 0]
    assert performance.state_shares(times, [0, 2, 1, 0, 2], states=4).tolist() == [0.7, 0.3, 0, 0]


def test_state_times_are_exact_over_decades_of_nanoseconds() -> None:
    end = 2**62 + 1  # a float would lose the last nanosecond
    assert performance.state_times_ns(np.array([0, 3, end]), [0, 1, 0], states=2).tolist() == [3, end - 3]


@given(st.lists(st.tuples(st.integers(0, 10**18), st.integers(0, 3)), min_size=1, max_size=30))
def test_the_states_share_out_all_of_the_time(rows: list[tuple[int, int]]) -> None:
    times, states = np.array(sorted(time for time, _ in rows)), np.array([state for _, state in rows])
    assert performance.state_times_ns(times, states, 4).sum() == times[-1] - times[0]
    if times[-1] > times[0]:
        assert performance.state_shares(times, states, 4).sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize(
    ("times", "states", "message"),
    [
        ([], [], "state must be a one-dimensional array of integers"),
        ([0, 1], [0, 2], r"state must be in \[0, 2\), got 0 to 2"),
        ([0, 1], [-1, 0], r"state must be in \[0, 2\), got -1 to 0"),
        ([0, 1], [0.0, 1.0], "state must be a one-dimensional array of integers"),
        ([1, 0], [0, 1], "time_ns must not decrease"),
        ([0, 0], [0, 1], "the rows span no time"),
    ],
)
def test_bad_states_are_refused(times: list[int], states: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        performance.state_shares(np.array(times, dtype=np.int64), states, states=2)
