"""Paths of random volatility: Heston by its characteristic function, rough Bergomi by published and exact laws, regimes by
their chain.
"""

from __future__ import annotations

import cmath
import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import hyp2f1, ndtr

from hedgerow.models.scenarios.grid import DAY_NS, YEAR_NS, Grid
from hedgerow.models.scenarios.heston import heston
from hedgerow.models.scenarios.regimes import Regime, regime_flip, stormy_steps
from hedgerow.models.scenarios.rough_bergomi import rough_bergomi, rough_variance
from hedgerow.models.scenarios.streams import stream


def near_mean(sample: np.ndarray, expected: float, errors: float = 4, bias: float = 0) -> bool:
    return bool(abs(sample.mean() - expected) <= errors * sample.std(ddof=1) / math.sqrt(sample.size) + bias)


def controlled(payoff: np.ndarray, last: np.ndarray, expected: float) -> np.ndarray:
    """Return payoffs with the final price, whose mean is known, as control variate."""
    return payoff - np.cov(payoff, last)[0, 1] / last.var(ddof=1) * (last - expected)


# Heston

# Feller's condition holds in the first, and fails badly in the second (Andersen 2008, case I with a shorter life).
GENTLE: dict[str, Any] = {
    "volatility": 0.25,
    "long_volatility": 0.2,
    "reversion": 3.0,
    "vol_of_vol": 0.4,
    "correlation": -0.6,
}
HARSH: dict[str, Any] = {
    "volatility": 0.2,
    "long_volatility": 0.2,
    "reversion": 0.5,
    "vol_of_vol": 1.0,
    "correlation": -0.9,
}


def heston_call(strike: float, years: float, case: dict[str, Any]) -> float:
    """Return the call on a spot of 1 without interest: Lewis (2001), with the characteristic function in the form of
    Albrecher, Mayer, Schoutens, Tistaert (2007), which does not jump.
    """
    kappa, theta, xi, rho = case["reversion"], case["long_volatility"] ** 2, case["vol_of_vol"], case["correlation"]

    def transform(u: complex) -> complex:
        b = kappa - 1j * rho * xi * u
        d = cmath.sqrt(b * b + xi * xi * (1j * u + u * u))
        g = (b - d) / (b + d)
        decayed = cmath.exp(-d * years)
        level = kappa * theta / xi**2 * ((b - d) * years - 2 * cmath.log((1 - g * decayed) / (1 - g)))
        return cmath.exp(level + case["volatility"] ** 2 * (b - d) / xi**2 * (1 - decayed) / (1 - g * decayed))

    def integrand(u: float) -> float:
        return (cmath.exp(-1j * u * math.log(strike)) * transform(u - 0.5j)).real / (u * u + 0.25)

    area, _ = quad(integrand, 0, math.inf, epsabs=1e-10, limit=500)
    return 1 - math.sqrt(strike) / math.pi * float(area)


def test_the_characteristic_function_of_the_test_gives_black_and_scholes_where_volatility_hardly_moves() -> None:
    from hedgerow.models.options import call

    still = {**GENTLE, "volatility": 0.2, "vol_of_vol": 1e-4, "correlation": 0.0}
    assert heston_call(1.1, 0.5, still) == pytest.approx(call(1, 1.1, 0.5, 0.2).value, abs=1e-7)


@pytest.mark.parametrize("case", [GENTLE, HARSH], ids=["gentle", "harsh"])
def test_calls_under_heston_cost_what_the_characteristic_function_says(case: dict[str, Any]) -> None:
    last = heston(Grid(16, YEAR_NS // 16), stream(1), start=1, **case, paths=20_000)[:, -1]
    assert near_mean(last, 1)
    for strike in (0.8, 1.0, 1.2):
        payoff = controlled(np.maximum(last - strike, 0), last, 1)
        assert near_mean(payoff, heston_call(strike, 1, case))


@pytest.mark.slow
@pytest.mark.parametrize("case", [GENTLE, HARSH], ids=["gentle", "harsh"])
def test_calls_under_heston_cost_so_to_a_few_hundredths_of_a_percent_of_the_spot(case: dict[str, Any]) -> None:
    last = heston(Grid(32, YEAR_NS // 32), stream(2), start=1, **case, paths=200_000)[:, -1]
    for strike in (0.8, 1.0, 1.2):
        payoff = controlled(np.maximum(last - strike, 0), last, 1)
        assert payoff.std() / math.sqrt(payoff.size) < 0.0002
        assert near_mean(payoff, heston_call(strike, 1, case))


def test_heston_has_the_drift_that_it_says_even_where_steps_are_long() -> None:
    last = heston(Grid(2, YEAR_NS // 2), stream(3), start=10, **HARSH, drift=0.3, paths=20_000)[:, -1]
    assert near_mean(last, 10 * math.exp(0.3))


def test_the_variance_of_log_prices_is_the_integral_of_the_expected_variance() -> None:
    # Without correlation the log price's martingale part has the variance E∫V = θT + (V0 − θ)(1 − e^(−κT))/κ.
    case = {**GENTLE, "correlation": 0.0, "volatility": 0.4, "vol_of_vol": 0.05}
    logs = np.log(heston(Grid(12, YEAR_NS // 12), stream(4), start=1, **case, paths=20_000)[:, -1])
    expected = 0.04 + (0.16 - 0.04) * -math.expm1(-3) / 3
    assert near_mean(logs + expected / 2, 0)
    assert near_mean((logs + expected / 2) ** 2, expected, bias=0.0005)


def test_where_volatility_hardly_moves_heston_is_geometric_brownian_motion() -> None:
    grid = Grid(50, DAY_NS)
    found = heston(
        grid,
        stream(5),
        start=1,
        volatility=0.3,
        long_volatility=0.3,
        reversion=1,
        vol_of_vol=1e-6,
        correlation=0.5,
    )
    shocks = stream(5).standard_normal((2, 50))
    moves = 0.3 * math.sqrt(1 / 365) * (0.5 * shocks[0] + math.sqrt(0.75) * shocks[1]) - 0.045 / 365
    assert np.diff(np.log(found[0])) == pytest.approx(moves, abs=1e-6)


def test_a_step_too_long_for_a_positive_correlation_is_refused() -> None:
    case = {**HARSH, "correlation": 1.0, "reversion": 5.0}
    with pytest.raises(ValueError, match="the step is too long for this positive correlation"):
        heston(Grid(3, 10 * YEAR_NS), stream(6), start=1, **case)
    assert (heston(Grid(100, DAY_NS), stream(6), start=1, **case) > 0).all()


# Rough Bergomi

ROUGH: dict[str, Any] = {"volatility": 0.235, "vol_of_vol": 1.9, "hurst": 0.07}
STRIKES = np.exp([-0.1787, 0.0, 0.1041])
PUBLISHED = np.array([0.2961, 0.2061, 0.1576])  # at a quarter of a year, correlation −0.9


def black(spot: np.ndarray | float, strike: float, total: np.ndarray | float) -> np.ndarray:
    """Return calls on spots with the total variance that is left until expiry."""
    root = np.sqrt(total)
    ahead = np.log(spot / strike) / root + root / 2
    return np.asarray(spot * ndtr(ahead) - strike * ndtr(ahead - root))


def smile(variance: np.ndarray, increments: np.ndarray, years: float, rho: float) -> tuple[np.ndarray, np.ndarray]:
    """Return implied volatilities and their standard errors, given the variance and its shocks.

    Given both, the final price is log-normal, so that each path gives a price and no payoff (McCrickerd, Pakkanen 2018); the
    part of the price that the shocks drive, whose mean is 1, is the control variate.
    """
    held = variance[:, :-1]
    total = held.sum(axis=1) * (years / increments.shape[1])
    driven = np.exp(rho * (np.sqrt(held) * increments).sum(axis=1) - rho**2 / 2 * total)
    volatilities, errors = [], []
    for strike in STRIKES.tolist():
        prices = controlled(black(driven, strike, (1 - rho**2) * total), driven, 1)
        mean, error = prices.mean(), prices.std(ddof=1) / math.sqrt(prices.size)

        def implied(price: float, strike: float = strike) -> float:
            return float(brentq(lambda sigma: float(black(1.0, strike, sigma**2 * years)) - price, 0.01, 2))

        volatilities.append(implied(mean))
        errors.append((implied(mean + error) - implied(mean - error)) / 2)
    return np.array(volatilities), np.array(errors)


def rough_smile(per_year: int, paths: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smile at a quarter of a year, paths in blocks of 4,000."""
    grid = Grid(per_year // 4, 10**9, year_ns=per_year * 10**9)
    parts = [rough_variance(grid, stream(seed, block), **ROUGH, paths=4_000) for block in range(paths // 4_000)]
    variance = np.concatenate([part.variance for part in parts])
    return smile(variance, np.concatenate([part.increments for part in parts]), 0.25, -0.9)


def test_the_expected_rough_variance_is_flat_at_any_step() -> None:
    for steps in (1, 7, 50):
        found = rough_variance(Grid(steps, DAY_NS), stream(7, steps), **{**ROUGH, "vol_of_vol": 0.8}, paths=20_000)
        assert (found.variance[:, 0] == 0.235**2).all()
        assert (found.variance > 0).all()
        assert all(near_mean(found.variance[:, index], 0.235**2) for index in range(1, steps + 1))


def volterra_law(steps: int, years: float, hurst: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact covariances of Y at the grid, (steps, steps), and of Y with W, (steps, steps)."""
    alpha = hurst - 0.5
    times = np.arange(1, steps + 1) * (years / steps)
    first, last = np.minimum.outer(times, times), np.maximum.outer(times, times)
    ratio = np.minimum(first / last, 1 - 1e-15)
    own = 2 * hurst / (1 + alpha) * first ** (1 + alpha) * last**alpha * hyp2f1(1, -alpha, 2 + alpha, ratio)
    own[np.diag_indices(steps)] = times ** (2 * hurst)
    left = times[:, np.newaxis] - first
    crossed = math.sqrt(2 * hurst) / (alpha + 1) * (times[:, np.newaxis] ** (alpha + 1) - left ** (alpha + 1))
    return own, crossed


@pytest.mark.parametrize("hurst", [0.07, 0.3])
def test_the_hybrid_scheme_has_nearly_the_covariances_of_the_volterra_process(hurst: float) -> None:
    steps, paths = 20, 40_000
    grid = Grid(steps, YEAR_NS // steps)
    found = rough_variance(grid, stream(8), volatility=1, vol_of_vol=1, hurst=hurst, paths=paths)
    logs = np.log(found.variance[:, 1:])
    process = logs - logs.mean(axis=0)
    walk = np.cumsum(found.increments, axis=1)
    own, crossed = volterra_law(steps, 1, hurst)
    scale = 4 / math.sqrt(paths)
    # A sampling error of four deviations, and the error of the scheme: below 2 % of the variance.
    assert process.T @ process / paths == pytest.approx(own, abs=scale * math.sqrt(2) + 0.02)
    assert process.T @ walk / paths == pytest.approx(crossed, abs=scale * math.sqrt(2) + 0.02)


def test_the_fast_convolution_is_the_sum_that_it_stands_for() -> None:
    grid, hurst = Grid(37, DAY_NS), 0.1
    found = rough_variance(grid, stream(9), volatility=1, vol_of_vol=1, hurst=hurst)
    step, alpha = 1 / 365, hurst - 0.5
    shocks = stream(9).standard_normal((2, 1, 37))[:, 0]
    increments = math.sqrt(step) * shocks[0]
    covariance = np.array([[step, step ** (alpha + 1) / (alpha + 1)], [0, step ** (2 * alpha + 1) / (2 * alpha + 1)]])
    covariance[1, 0] = covariance[0, 1]
    near = (np.linalg.cholesky(covariance) @ shocks)[1]
    logs = []
    for i in range(1, 38):
        best = [((k ** (alpha + 1) - (k - 1) ** (alpha + 1)) / (alpha + 1)) ** (1 / alpha) for k in range(2, i + 1)]
        far = sum((b * step) ** alpha * increments[i - k] for k, b in enumerate(best, 2))
        spread = covariance[1, 1] + sum((b * step) ** (2 * alpha) * step for b in best)
        logs.append(math.sqrt(2 * hurst) * (near[i - 1] + far) - hurst * spread)
    assert np.log(found.variance[0, 1:]) == pytest.approx(np.array(logs), abs=1e-10)
    assert found.increments[0] == pytest.approx(increments)


def test_the_smile_of_the_hybrid_scheme_is_that_of_the_exact_process_at_the_same_steps() -> None:
    steps, paths = 39, 40_000
    own, crossed = volterra_law(steps, 0.25, 0.07)
    times = np.arange(1, steps + 1) * (0.25 / steps)
    law = np.block([[own, crossed], [crossed.T, np.minimum.outer(times, times)]])
    drawn = stream(10).standard_normal((paths, 2 * steps)) @ np.linalg.cholesky(law + 1e-13 * np.eye(2 * steps)).T
    walk = np.concatenate([np.zeros((paths, 1)), drawn[:, steps:]], axis=1)
    logs = 1.9 * drawn[:, :steps] - 1.9**2 / 2 * times**0.14
    variance = 0.235**2 * np.exp(np.concatenate([np.zeros((paths, 1)), logs], axis=1))
    exact, exact_errors = smile(variance, np.diff(walk, axis=1), 0.25, -0.9)
    hybrid, errors = rough_smile(156, paths, seed=11)
    assert (np.abs(hybrid - exact) <= 4 * np.hypot(errors, exact_errors) + 0.0008).all()


def test_prices_under_rough_volatility_have_the_smile_of_their_variance() -> None:
    grid = Grid(39, 10**9, year_ns=156 * 10**9)
    last = rough_bergomi(grid, stream(12), start=1, correlation=-0.9, **ROUGH, paths=40_000)[:, -1]
    assert near_mean(last, 1)
    volatilities, errors = rough_smile(156, 40_000, seed=13)
    for strike, volatility, error in zip(STRIKES.tolist(), volatilities.tolist(), errors.tolist(), strict=True):
        payoff = controlled(np.maximum(last - strike, 0), last, 1)
        wide = [float(black(1.0, strike, (volatility + by) ** 2 / 4)) for by in (-4 * error, 0, 4 * error)]
        assert near_mean(payoff, wide[1], bias=(wide[2] - wide[0]) / 2)


def test_rough_prices_grow_with_the_drift() -> None:
    grid = Grid(12, YEAR_NS // 12)
    last = rough_bergomi(grid, stream(23), start=10, correlation=-0.5, drift=0.3, **ROUGH, paths=20_000)[:, -1]
    assert near_mean(last, 10 * math.exp(0.3))


def test_few_steps_make_the_right_wing_too_high() -> None:
    coarse, _ = rough_smile(52, 40_000, seed=14)
    assert coarse[2] > PUBLISHED[2] + 0.012


@pytest.mark.slow
def test_rough_bergomi_has_the_published_smile_at_1248_steps_a_year() -> None:
    found, errors = rough_smile(1_248, 200_000, seed=15)
    assert (errors < 0.001).all()
    assert (np.abs(found - PUBLISHED) <= 3 * errors + 0.00005).all()  # four digits are published


@pytest.mark.slow
def test_at_more_steps_the_smile_goes_on_below_the_published_one_on_its_right() -> None:
    # The published figures are those of about 1,248 steps: the exact process at 2,496 is 10 bp below them, and so is this.
    found, errors = rough_smile(2_496, 120_000, seed=16)
    assert (np.abs(found - PUBLISHED)[:2] <= 3 * errors[:2] + 0.0008).all()
    assert found[2] == pytest.approx(0.1566, abs=3 * float(errors[2]) + 0.0002)
    assert found[2] < PUBLISHED[2]


# Regimes

CALM, STORMY = Regime(0.1, 0.05, 20 / 365), Regime(0.5, -0.4, 5 / 365)


def test_storms_take_their_share_and_last_as_long_as_they_say() -> None:
    grid = Grid(200_000, DAY_NS // 4)
    flags = stormy_steps(grid, stream(17), calm_stay=CALM.stay, stormy_stay=STORMY.stay)[0].astype(float)
    # The chain's autocorrelation is r^lag with r = e^(−(1/20 + 1/5)/4), hence the error of its mean.
    r = math.exp(-(1 / 20 + 1 / 5) / 4)
    error = math.sqrt(0.2 * 0.8 * (1 + r) / (1 - r) / flags.size)
    assert abs(flags.mean() - 0.2) <= 4 * error
    lagged = [float(np.mean((flags[lag:] - 0.2) * (flags[: flags.size - lag] - 0.2))) for lag in (1, 4, 12)]
    assert lagged == pytest.approx([0.16 * r**lag for lag in (1, 4, 12)], abs=0.01)
    turns = np.flatnonzero(np.diff(flags))
    stays = np.diff(turns)
    storms = stays[flags[turns[:-1] + 1] == 1]
    calms = stays[flags[turns[:-1] + 1] == 0]
    mixing = 1 - r
    assert near_mean(storms, 1 / (0.8 * mixing))
    assert near_mean(calms, 1 / (0.2 * mixing))


def test_the_first_step_is_stormy_as_often_as_any() -> None:
    flags = stormy_steps(Grid(3, DAY_NS), stream(18), calm_stay=0.3, stormy_stay=0.1, paths=20_000)
    assert all(near_mean(flags[:, step].astype(float), 0.25) for step in range(3))


def test_the_chain_at_a_time_does_not_depend_on_the_steps_to_it() -> None:
    coarse = stormy_steps(Grid(2, 8 * DAY_NS), stream(19), calm_stay=CALM.stay, stormy_stay=STORMY.stay, paths=20_000)
    fine = stormy_steps(Grid(16, DAY_NS), stream(20), calm_stay=CALM.stay, stormy_stay=STORMY.stay, paths=20_000)
    expected = 0.2**2 + 0.16 * math.exp(-8 * (1 / 20 + 1 / 5))
    assert near_mean(coarse.all(axis=1).astype(float), expected)
    assert near_mean((fine[:, 0] & fine[:, 8]).astype(float), expected)


def test_each_step_moves_as_its_regime_does() -> None:
    grid = Grid(50_000, DAY_NS)
    flags = stormy_steps(grid, stream(21), calm_stay=CALM.stay, stormy_stay=STORMY.stay)[0]
    moves = np.diff(np.log(regime_flip(grid, stream(21), start=1, calm=CALM, stormy=STORMY)[0]))
    for regime, mine in ((CALM, moves[~flags]), (STORMY, moves[flags])):
        assert near_mean(mine, (regime.drift - regime.volatility**2 / 2) / 365)
        assert near_mean(mine**2, regime.volatility**2 / 365, bias=1e-6)


def test_two_regimes_alike_are_one() -> None:
    grid = Grid(100, DAY_NS)
    alike = regime_flip(grid, stream(22), start=5, calm=CALM, stormy=CALM, paths=2)
    generator = stream(22)
    stormy_steps(grid, generator, calm_stay=CALM.stay, stormy_stay=CALM.stay, paths=2)
    shocks = generator.standard_normal((2, 100))
    expected = np.cumsum((0.05 - 0.005) / 365 + 0.1 / math.sqrt(365) * shocks, axis=1)
    assert np.log(alike[:, 1:] / 5) == pytest.approx(expected, abs=1e-12)


# Bad arguments


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e9, -2.0, 0.0])
@pytest.mark.parametrize("name", ["long_volatility", "reversion", "vol_of_vol"])
def test_heston_refuses_what_is_not_well_above_zero(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be in \[.*\], got"):
        heston(Grid(1, DAY_NS), stream(0), start=1, **{**GENTLE, name: value})


@pytest.mark.parametrize("value", [math.nan, -1.1, 1.1])
def test_a_correlation_lies_between_minus_one_and_one(value: float) -> None:
    with pytest.raises(ValueError, match=r"correlation must be in \[-1, 1\], got"):
        heston(Grid(1, DAY_NS), stream(0), start=1, **{**GENTLE, "correlation": value})
    with pytest.raises(ValueError, match=r"correlation must be in \[-1, 1\], got"):
        rough_bergomi(Grid(1, DAY_NS), stream(0), start=1, **ROUGH, correlation=value)


@pytest.mark.parametrize("value", [math.nan, 0.0, 0.5])
def test_a_hurst_exponent_is_rough(value: float) -> None:
    with pytest.raises(ValueError, match=r"hurst must be in \[0.01, 0.49\], got"):
        rough_variance(Grid(1, DAY_NS), stream(0), **{**ROUGH, "hurst": value})


def test_a_wild_variance_that_floats_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="the prices leave the range of floats"):
        rough_bergomi(
            Grid(50, YEAR_NS), stream(0), start=1, volatility=1e3, vol_of_vol=1, hurst=0.1, correlation=0, paths=20
        )


def test_a_regime_without_length_or_with_a_negative_volatility_is_refused() -> None:
    with pytest.raises(ValueError, match="calm_stay must be finite and above 0, got 0"):
        regime_flip(Grid(1, DAY_NS), stream(0), start=1, calm=Regime(0.1, 0, 0), stormy=STORMY)
    with pytest.raises(ValueError, match=r"the volatility of stormy must be in \[0, 1000\], got -1"):
        regime_flip(Grid(1, DAY_NS), stream(0), start=1, calm=CALM, stormy=Regime(-1, 0, 1))
