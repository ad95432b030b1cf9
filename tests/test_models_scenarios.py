"""Price paths: grids, streams, and the kinds with a closed form, which are held to it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.models.options import call
from hedgerow.models.scenarios.brownian import brownian_motion, geometric_brownian_motion, prices_of
from hedgerow.models.scenarios.flash_crash import crash_shape, flash_crash
from hedgerow.models.scenarios.grid import DAY_NS, YEAR_NS, Grid
from hedgerow.models.scenarios.jumps import merton_jumps
from hedgerow.models.scenarios.mean_reversion import ornstein_uhlenbeck
from hedgerow.models.scenarios.order_flow import order_flow_shocks
from hedgerow.models.scenarios.quote_stuffing import quote_stuffing
from hedgerow.models.scenarios.streams import stream

SECOND = 10**9
DAYS = Grid(365, DAY_NS)


def near_mean(sample: np.ndarray, expected: float, errors: float = 4) -> bool:
    """Whether the mean of independent draws lies within some standard errors of what is expected."""
    return bool(abs(sample.mean() - expected) <= errors * sample.std(ddof=1) / math.sqrt(sample.size))


def near_call(last: np.ndarray, start: float, strike: float, expected: float) -> bool:
    """Whether the mean payoff of a call does, with the final price, whose mean is known, as control variate."""
    payoff = np.maximum(last - strike, 0)
    slope = np.cov(payoff, last)[0, 1] / last.var(ddof=1)
    return near_mean(payoff - slope * (last - start), expected)


# Grid


def test_a_grid_has_one_time_more_than_steps_and_ends_where_it_says() -> None:
    grid = Grid(4, 15 * 60 * SECOND, begin_ns=7, year_ns=4 * 60 * 60 * SECOND)
    assert grid.times().tolist() == [7 + step * 900 * SECOND for step in range(5)]
    assert grid.times().dtype == np.int64
    assert grid.years().tolist() == [0, 1 / 16, 1 / 8, 3 / 16, 1 / 4]
    assert grid.times()[-1] - grid.times()[0] == grid.span_ns


@given(st.integers(1, 2000), st.integers(1, 10**15), st.integers(-(10**18), 10**18))
def test_the_times_of_a_grid_are_exact(steps: int, step_ns: int, begin_ns: int) -> None:
    times = Grid(steps, step_ns, begin_ns).times().tolist()
    assert times == [begin_ns + step * step_ns for step in range(steps + 1)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0, "step_ns": 1}, "steps must be at least 1, got 0"),
        ({"steps": 1, "step_ns": 0}, "step_ns must be at least 1, got 0"),
        ({"steps": 1, "step_ns": 1, "year_ns": 0}, "year_ns must be at least 1, got 0"),
        ({"steps": 2, "step_ns": 2**62}, "the times must fit 64 bits"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grid(**arguments)


# Streams


def test_a_path_has_the_stream_of_the_seeds_child_of_its_number() -> None:
    children = np.random.SeedSequence(7).spawn(4)
    for path, child in enumerate(children):
        expected = np.random.Generator(np.random.PCG64(child)).random(5)
        assert stream(7, path).random(5).tolist() == expected.tolist()


def test_streams_of_two_paths_or_two_seeds_differ() -> None:
    drawn = {stream(seed, path).random() for seed in range(10) for path in range(10)}
    assert len(drawn) == 100


@pytest.mark.parametrize(("seed", "path"), [(-1, 0), (0, -1)])
def test_a_negative_seed_or_path_is_refused(seed: int, path: int) -> None:
    with pytest.raises(ValueError, match="must be at least 0, got -1"):
        stream(seed, path)


# Brownian motion


def test_brownian_motion_has_independent_increments_with_the_variance_of_their_time() -> None:
    walk = brownian_motion(Grid(3, DAY_NS), stream(1), paths=50_000)
    moves = np.diff(walk, axis=1) * math.sqrt(365)
    assert (walk[:, 0] == 0).all()
    assert all(near_mean(moves[:, step] ** 2, 1) for step in range(3))
    assert all(near_mean(moves[:, one] * moves[:, other], 0) for one, other in [(0, 1), (0, 2), (1, 2)])


@pytest.mark.parametrize("strike", [80.0, 100.0, 125.0])
def test_calls_on_geometric_brownian_motion_cost_what_black_and_scholes_say(strike: float) -> None:
    last = geometric_brownian_motion(Grid(2, YEAR_NS // 4), stream(2), start=100, volatility=0.3, paths=100_000)[:, -1]
    assert near_call(last, 100, strike, call(100, strike, 0.5, 0.3).value)


def test_the_expected_price_grows_with_the_drift() -> None:
    prices = geometric_brownian_motion(DAYS, stream(3), start=50, volatility=0.2, drift=0.1, paths=4_000)
    assert near_mean(prices[:, 73], 50 * math.exp(0.1 * 0.2))
    assert near_mean(prices[:, 365], 50 * math.exp(0.1))


def test_without_volatility_the_price_is_its_drift() -> None:
    prices = geometric_brownian_motion(DAYS, stream(0), start=8, volatility=0, drift=-0.5)
    assert prices[0] == pytest.approx(8 * np.exp(-0.5 * DAYS.years()), rel=1e-14)


def test_the_price_scales_with_its_start_and_the_year_with_the_clock() -> None:
    one = geometric_brownian_motion(DAYS, stream(4), start=100, volatility=0.2, drift=0.05)
    assert geometric_brownian_motion(DAYS, stream(4), start=200, volatility=0.2, drift=0.05) == pytest.approx(2 * one)
    hours = Grid(365, DAY_NS // 24, year_ns=YEAR_NS // 24)
    assert geometric_brownian_motion(hours, stream(4), start=100, volatility=0.2, drift=0.05) == pytest.approx(one)


def test_the_same_stream_gives_the_same_path_and_another_another() -> None:
    paths = [geometric_brownian_motion(DAYS, stream(5, path), start=1, volatility=0.2).tolist() for path in (0, 0, 1)]
    assert paths[0] == paths[1]
    assert paths[0] != paths[2]


def test_prices_that_floats_cannot_hold_are_refused() -> None:
    for log in (800.0, -800.0, math.nan):
        with pytest.raises(ValueError, match="the prices leave the range of floats"):
            prices_of(1, np.array([[0.0, log]]))


# Merton

JUMPS: dict[str, Any] = {"volatility": 0.2, "intensity": 3.0, "jump_mean": -0.08, "jump_deviation": 0.12}


def merton_call(spot: float, strike: float, years: float) -> float:
    """Return Merton's series of Black–Scholes prices, without interest."""
    mean, spread, intensity = JUMPS["jump_mean"], JUMPS["jump_deviation"], JUMPS["intensity"]
    growth = math.exp(mean + spread**2 / 2)
    rate = intensity * growth * years
    total = 0.0
    for jumps in range(60):
        volatility = math.sqrt(JUMPS["volatility"] ** 2 + jumps * spread**2 / years)
        drift = -intensity * (growth - 1) + jumps * math.log(growth) / years
        chance = math.exp(-rate + jumps * math.log(rate) - math.lgamma(jumps + 1))
        total += chance * call(spot, strike, years, volatility, drift).value
    return total


@pytest.mark.parametrize("strike", [75.0, 100.0, 130.0])
def test_calls_on_a_jump_diffusion_cost_what_mertons_series_says(strike: float) -> None:
    last = merton_jumps(Grid(3, YEAR_NS // 6), stream(6), start=100, **JUMPS, paths=150_000)[:, -1]
    expected = merton_call(100, strike, 0.5)
    assert near_call(last, 100, strike, expected)
    # The jumps are what is tested: the same total variance without them would cost something else.
    total = JUMPS["volatility"] ** 2 + 3 * (JUMPS["jump_mean"] ** 2 + JUMPS["jump_deviation"] ** 2)
    assert not near_call(last, 100, strike, call(100, strike, 0.5, math.sqrt(total)).value)


def test_the_expected_price_does_not_know_of_the_jumps() -> None:
    last = merton_jumps(Grid(3, YEAR_NS // 6), stream(17), start=100, **JUMPS, drift=0.2, paths=150_000)[:, -1]
    assert near_mean(last, 100 * math.exp(0.1))


def test_without_jumps_a_jump_diffusion_is_geometric_brownian_motion() -> None:
    quiet = {**JUMPS, "intensity": 0.0}
    expected = geometric_brownian_motion(DAYS, stream(7), start=100, volatility=0.2, drift=0.3)
    assert merton_jumps(DAYS, stream(7), start=100, drift=0.3, **quiet) == pytest.approx(expected, rel=1e-12)


def test_jumps_of_known_size_come_as_often_as_their_intensity_says() -> None:
    sure = {"volatility": 0.0, "intensity": 50.0, "jump_mean": math.log(0.9), "jump_deviation": 0.0}
    prices = merton_jumps(DAYS, stream(8), start=1.0, **sure, paths=400)
    jumps = (np.diff(np.log(prices), axis=1) - 50 * 0.1 / 365) / math.log(0.9)  # the drift makes up for them
    assert jumps == pytest.approx(np.rint(jumps), abs=1e-9)
    assert near_mean(np.rint(jumps).sum(axis=1), 50)


# Ornstein–Uhlenbeck

REVERTING: dict[str, Any] = {"start": 130.0, "mean": 100.0, "volatility": 0.4, "reversion": 20.0}


def test_a_log_price_that_reverts_has_the_mean_variance_and_covariance_of_its_law() -> None:
    logs = np.log(ornstein_uhlenbeck(Grid(60, DAY_NS), stream(9), **REVERTING, paths=20_000))
    first, second = 25 / 365, 60 / 365
    means = [math.log(100) + math.log(1.3) * math.exp(-20 * t) for t in (first, second)]
    variance = 0.4**2 / 40 * (1 - math.exp(-40 * first))
    assert near_mean(logs[:, 25], means[0])
    assert near_mean(logs[:, 60], means[1])
    assert near_mean((logs[:, 25] - means[0]) ** 2, variance)
    covariance = variance * math.exp(-20 * (second - first))
    assert near_mean((logs[:, 25] - means[0]) * (logs[:, 60] - means[1]), covariance)


def test_the_law_at_a_time_does_not_depend_on_the_steps_to_it() -> None:
    coarse = ornstein_uhlenbeck(Grid(1, 30 * DAY_NS), stream(10), **REVERTING, paths=20_000)[:, -1]
    fine = ornstein_uhlenbeck(Grid(30, DAY_NS), stream(11), **REVERTING, paths=20_000)[:, -1]
    for power in (1, 2):
        error = math.hypot(*(np.std(np.log(one) ** power) / math.sqrt(20_000) for one in (coarse, fine)))
        assert abs(np.mean(np.log(coarse) ** power) - np.mean(np.log(fine) ** power)) <= 4 * error


def test_without_noise_half_of_a_deviation_is_left_after_the_half_life() -> None:
    years = 10 / 365
    prices = ornstein_uhlenbeck(
        Grid(40, DAY_NS), stream(0), start=400, mean=100, volatility=0, reversion=math.log(2) / years
    )[0]
    assert prices[[0, 10, 20, 30, 40]] == pytest.approx([400, 200, 100 * 2**0.5, 100 * 2**0.25, 100 * 2**0.125])


# Flash crash

CRASH: dict[str, Any] = {
    "at_ns": 100 * SECOND,
    "depth": 0.1,
    "fall_ns": 50 * SECOND,
    "trough_ns": 10 * SECOND,
    "recovery_ns": 100 * SECOND,
    "recovered": 0.8,
}


def test_a_crash_falls_by_its_depth_and_recovers_what_it_says() -> None:
    shape = crash_shape(Grid(400, SECOND), **CRASH)
    assert (shape[:101] == 1).all()
    assert shape[125] == pytest.approx(0.9**0.5)
    assert shape[150:161] == pytest.approx(np.full(11, 0.9))
    assert shape[210] == pytest.approx(0.9**0.6)
    assert shape[260:] == pytest.approx(np.full(141, 0.9**0.2))
    assert (np.diff(shape[100:151]) < 0).all()
    assert (np.diff(shape[160:261]) > 0).all()


def test_a_crash_is_laid_over_the_path_that_the_stream_gives_without_it() -> None:
    grid = Grid(400, SECOND)
    quiet = geometric_brownian_motion(grid, stream(12), start=70, volatility=0.5, drift=0.1, paths=3)
    crashed = flash_crash(grid, stream(12), start=70, volatility=0.5, drift=0.1, **CRASH, paths=3)
    assert crashed / quiet == pytest.approx(np.tile(crash_shape(grid, **CRASH), (3, 1)))
    calm = flash_crash(grid, stream(12), start=70, volatility=0.5, drift=0.1, **{**CRASH, "depth": 0.0}, paths=3)
    assert calm == pytest.approx(quiet)


def test_a_path_may_end_before_the_crash_has_recovered() -> None:
    assert crash_shape(Grid(155, SECOND), **CRASH)[-1] == pytest.approx(0.9)
    with pytest.raises(ValueError, match="the fall must end within the path of 149000000000 ns, got 150000000000 ns"):
        crash_shape(Grid(149, SECOND), **CRASH)


# Quote stuffing


def test_a_flood_is_many_events_within_microseconds_at_an_almost_still_price() -> None:
    grid = Grid(3_600, SECOND, begin_ns=5)
    found = quote_stuffing(
        grid, stream(13), start=100, volatility=0.2, bursts=7, messages=500, gap_ns=1_000, flicker=1e-5
    )
    assert found.times.size == found.prices.size == 3_601 + 7 * 500
    assert (np.diff(found.times) >= 0).all()
    assert found.times[0] == 5
    assert found.times[-1] == 5 + grid.span_ns
    # Without the floods the path is that of the same stream without them.
    quiet = geometric_brownian_motion(grid, stream(13), start=100, volatility=0.2)[0]
    assert found.prices[~found.flood] == pytest.approx(quiet)
    assert found.times[~found.flood].tolist() == grid.times().tolist()
    # Each message stands one flicker from the last price of the grid.
    last = quiet[(found.times[found.flood] - 5) // SECOND]
    away = found.prices[found.flood] / last - 1
    assert np.abs(away) == pytest.approx(np.full(3_500, 1e-5), rel=1e-6)
    assert 1_500 < (away > 0).sum() < 2_000
    # Seven runs of 500 messages a microsecond apart.
    gaps = np.diff(found.times[found.flood])
    assert sorted(gaps.tolist())[: 7 * 499] == [1_000] * (7 * 499)


def test_the_messages_of_a_burst_come_one_gap_after_its_begin_and_after_each_other() -> None:
    grid = Grid(50, SECOND, begin_ns=11)
    found = quote_stuffing(grid, stream(18), start=1, volatility=0.1, bursts=3, messages=4, gap_ns=7, flicker=0.1)
    generator = stream(18)
    generator.standard_normal((1, 50))
    begins = generator.integers(0, 50 * SECOND - 28 + 1, 3)
    expected = sorted(11 + int(begin) + 7 * message for begin in begins for message in (1, 2, 3, 4))
    assert found.times[found.flood].tolist() == expected


def test_bursts_begin_evenly_over_the_path() -> None:
    grid = Grid(1_000, SECOND)
    found = quote_stuffing(grid, stream(14), start=1, volatility=0, bursts=4_000, messages=1, gap_ns=1, flicker=0)
    share = found.times[found.flood] / grid.span_ns
    assert near_mean(share, 1 / 2)
    assert near_mean(share**2, 1 / 3)
    assert (found.prices == 1).all()


def test_a_path_without_bursts_is_the_grid() -> None:
    found = quote_stuffing(
        Grid(9, SECOND), stream(0), start=1, volatility=0.1, bursts=0, messages=5, gap_ns=1, flicker=0.1
    )
    assert found.times.tolist() == Grid(9, SECOND).times().tolist()
    assert not found.flood.any()


def test_a_burst_longer_than_the_path_is_refused() -> None:
    with pytest.raises(ValueError, match="a burst must fit in the path of 10 ns, got 11 ns"):
        quote_stuffing(Grid(10, 1), stream(0), start=1, volatility=0, bursts=1, messages=11, gap_ns=1, flicker=0)


# Order flow


@pytest.mark.parametrize("correlation", [-1.0, -0.4, 0.0, 0.7, 1.0])
def test_order_flow_correlates_with_returns_as_it_says(correlation: float) -> None:
    found = order_flow_shocks(
        Grid(40_000, SECOND), stream(15), start=100, volatility=0.2, flow_volatility=1e6, correlation=correlation
    )
    returns, flow = np.diff(np.log(found.prices[0])), found.flow[0, 1:]
    assert found.flow[0, 0] == 0
    measured = np.corrcoef(returns, flow)[0, 1]
    assert abs(measured - correlation) <= 4 * (1 - correlation**2) / math.sqrt(40_000) + 1e-9
    # Over blocks of steps too, and with the size that it says.
    sums = np.corrcoef(returns.reshape(-1, 10).sum(axis=1), flow.reshape(-1, 10).sum(axis=1))[0, 1]
    assert abs(sums - correlation) <= 4 * (1 - correlation**2) / math.sqrt(4_000) + 1e-9
    assert near_mean(flow**2, 1e12 * SECOND / YEAR_NS)
    assert near_mean(flow, 0)
    # A flow tells nothing of the returns after it.
    assert near_mean(returns[1:] * flow[:-1], 0)


def test_the_price_beside_the_flow_is_the_geometric_brownian_motion_of_its_stream() -> None:
    found = order_flow_shocks(DAYS, stream(16), start=9, volatility=0.3, flow_volatility=1, correlation=0.5, drift=0.2)
    assert found.prices == pytest.approx(
        geometric_brownian_motion(DAYS, stream(16), start=9, volatility=0.3, drift=0.2), rel=1e-12
    )


# Bad arguments

MODELS: dict[Any, dict[str, Any]] = {
    geometric_brownian_motion: {"start": 1.0, "volatility": 0.2, "drift": 0.0},
    merton_jumps: {"start": 1.0, **JUMPS},
    ornstein_uhlenbeck: REVERTING,
    order_flow_shocks: {"start": 1.0, "volatility": 0.2, "flow_volatility": 1.0, "correlation": 0.0},
}


@pytest.mark.parametrize(("model", "name"), [(model, name) for model, good in MODELS.items() for name in good])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_refused_by_name(model: Any, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        model(DAYS, stream(0), **{**MODELS[model], name: value})


@pytest.mark.parametrize("model", MODELS)
def test_no_path_and_a_start_of_nothing_are_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="paths must be at least 1, got 0"):
        model(DAYS, stream(0), **MODELS[model], paths=0)
    with pytest.raises(ValueError, match="start must be finite and above 0, got 0"):
        model(DAYS, stream(0), **{**MODELS[model], "start": 0})


@pytest.mark.parametrize("name", ["volatility", "jump_deviation", "intensity"])
def test_what_cannot_be_negative_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        merton_jumps(DAYS, stream(0), start=1, **{**JUMPS, name: -0.1})
