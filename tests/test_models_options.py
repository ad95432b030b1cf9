"""Black–Scholes values and the no-trade band: published values, parity, finite differences, scaling."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, stats

from hedgerow.models.hedging import band_target, half_width
from hedgerow.models.options import Option, call, normal_cdf, put

spots = st.floats(20, 500)
years = st.floats(0.01, 3)
volatilities = st.floats(0.05, 1)
rates = st.floats(-0.05, 0.15)


def test_values_agree_with_hull() -> None:
    # Hull, Options, Futures, and Other Derivatives, example 15.6.
    assert round(call(42, 40, 0.5, 0.2, 0.1).value, 2) == 4.76
    assert round(put(42, 40, 0.5, 0.2, 0.1).value, 2) == 0.81


def test_sensitivities_agree_with_hull() -> None:
    # Hull, chapter 19: stock 49, strike 50, 5 %, 20 %, 20 weeks.
    option = call(49, 50, 0.3846, 0.2, 0.05)
    assert round(option.value, 1) == 2.4
    assert [round(option.delta, 3), round(option.gamma, 3)] == [0.522, 0.066]
    assert [round(option.vega, 1), round(option.theta, 2)] == [12.1, -4.31]


@given(spots, spots, years, volatilities, rates)
def test_a_call_less_a_put_is_a_forward(s: float, k: float, t: float, v: float, r: float) -> None:
    long, short = call(s, k, t, v, r), put(s, k, t, v, r)
    discounted = k * math.exp(-r * t)
    assert long.value - short.value == pytest.approx(s - discounted, abs=1e-12 * (s + k))
    assert long.delta - short.delta == pytest.approx(1, abs=1e-15)
    assert (long.gamma, long.vega) == (short.gamma, short.vega)
    assert long.theta - short.theta == pytest.approx(-r * discounted, abs=1e-12 * (s + k))


@given(spots, spots, years, volatilities, rates)
def test_a_put_is_a_call_on_the_strike_paid_in_the_underlying(s: float, k: float, t: float, v: float, r: float) -> None:
    # With the stock as unit of account its rate is 0 and the money's is the strike's drift.
    discounted = k * math.exp(-r * t)
    assert put(s, k, t, v, r).value == pytest.approx(call(discounted, s, t, v).value, abs=1e-12 * (s + k))


@pytest.mark.parametrize(("s", "k", "t", "v", "r"), [(42, 40, 0.5, 0.2, 0.1), (80, 100, 2, 0.4, -0.02)])
def test_a_value_is_the_discounted_mean_of_the_payoff(s: float, k: float, t: float, v: float, r: float) -> None:
    law = stats.lognorm(s=v * math.sqrt(t), scale=s * math.exp((r - v * v / 2) * t))
    mean, _ = integrate.quad(lambda x: (x - k) * law.pdf(x), k, law.ppf(1 - 1e-14), epsabs=1e-11)
    assert call(s, k, t, v, r).value == pytest.approx(math.exp(-r * t) * mean, abs=1e-8)


@pytest.mark.parametrize("option", [call, put])
@pytest.mark.parametrize("rate", [0.0, 0.07, -0.01])
@pytest.mark.parametrize("spot", [70.0, 99.0, 100.0, 150.0])
def test_sensitivities_are_the_derivatives_of_the_value(option, rate: float, spot: float) -> None:
    strike, t, v, h = 100.0, 0.75, 0.3, 1e-4
    found: Option = option(spot, strike, t, v, rate)

    def value(ds: float = 0, dt: float = 0, dv: float = 0) -> float:
        return option(spot + ds, strike, t + dt, v + dv, rate).value

    assert found.delta == pytest.approx((value(ds=h) - value(ds=-h)) / (2 * h), abs=1e-8)
    assert found.gamma == pytest.approx((value(ds=0.01) - 2 * value() + value(ds=-0.01)) / 1e-4, abs=1e-7)
    assert found.vega == pytest.approx((value(dv=h) - value(dv=-h)) / (2 * h), abs=1e-5)
    assert found.theta == pytest.approx((value(dt=-h) - value(dt=h)) / (2 * h), abs=1e-5)


@given(spots, spots, years, volatilities, st.sampled_from([0.25, 2.0, 1024.0]))
def test_a_value_scales_with_the_price_unit(s: float, k: float, t: float, v: float, unit: float) -> None:
    found, scaled = call(s, k, t, v, 0.03), call(unit * s, unit * k, t, v, 0.03)
    assume(all(part == 0 or abs(part) > 1e-300 for part in found))  # powers of 2 are exact, but for subnormal numbers
    units = Option(value=unit, delta=1, gamma=1 / unit, vega=unit, theta=unit)
    assert scaled == tuple(part * factor for part, factor in zip(found, units, strict=True))


@given(spots, spots, years, volatilities, rates)
def test_a_call_lies_between_its_arbitrage_bounds(s: float, k: float, t: float, v: float, r: float) -> None:
    value = call(s, k, t, v, r).value
    assert max(s - k * math.exp(-r * t), 0) - 1e-12 * s <= value <= s


@pytest.mark.parametrize(("spot", "delta"), [(120.0, 1.0), (100.0, 0.5), (80.0, 0.0)])
def test_at_expiry_an_option_is_its_payoff(spot: float, delta: float) -> None:
    long, short = call(spot, 100, 0, 0.2, 0.05), put(spot, 100, 0, 0.2, 0.05)
    assert (long.value, long.delta) == (max(spot - 100, 0), delta)
    assert (short.value, short.delta) == (max(100 - spot, 0), delta - 1)
    assert long.gamma == (math.inf if spot == 100 else 0)
    assert long.theta == (-math.inf if spot == 100 else -5 * delta)  # the last of the time value goes at once


@pytest.mark.parametrize("spot", [80.0, 100.0, 120.0])
def test_without_volatility_an_option_is_a_forward_or_nothing(spot: float) -> None:
    discounted = 100 * math.exp(-0.05)
    option = call(spot, 100, 1, 0, 0.05)
    assert option.value == max(spot - discounted, 0)
    assert option.theta == (-0.05 * discounted if spot > discounted else 0)


def test_a_sure_payoff_at_the_strike_loses_no_time_value() -> None:
    assert call(100, 100, 0, 0) == (0, 0.5, math.inf, 0, 0)


@pytest.mark.parametrize("spot", [80.0, 120.0])
@pytest.mark.parametrize("option", [call, put])
def test_the_last_moment_runs_into_the_payoff(option, spot: float) -> None:
    assert option(spot, 100, 1e-9, 0.2, 0.05) == pytest.approx(option(spot, 100, 0, 0.2, 0.05), abs=1e-6)


@pytest.mark.parametrize("x", [-37.0, -8.0, -1.0, 0.0, 0.3, 5.0])
def test_the_normal_law_is_good_in_both_tails(x: float) -> None:
    assert normal_cdf(x) == pytest.approx(stats.norm.cdf(x), rel=1e-12)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["spot", "strike", "years", "volatility"])
@pytest.mark.parametrize("option", [call, put])
def test_a_bad_argument_is_refused(option, name: str, bad: float) -> None:
    arguments = {"spot": 1.0, "strike": 1.0, "years": 1.0, "volatility": 0.2} | {name: bad}
    with pytest.raises(ValueError, match=f"{name} must be finite and "):
        option(**arguments)


@pytest.mark.parametrize("rate", [701.0, -701.0, math.nan, math.inf])
def test_a_rate_beyond_a_float_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate times years must be within 700"):
        call(1, 1, 1, 0.2, rate)


@pytest.mark.parametrize(("spot", "strike"), [(1e-200, 1e200), (1e200, 1e-200)])
def test_prices_too_far_apart_are_refused(spot: float, strike: float) -> None:
    with pytest.raises(ValueError, match="spot over discounted strike is out of range"):
        call(spot, strike, 1, 0.2)


@pytest.mark.parametrize(
    ("moneyness", "target"), [(-0.05, 0.2946), (-0.01, 0.5), (0, 0.5), (0.01, 0.5), (0.05, 0.7284)]
)
def test_the_hedge_of_the_note_comes_out(moneyness: float, target: float) -> None:
    # Issue 2, point 11: computed there by another implementation of Whalley and Wilmott.
    spot = math.exp(moneyness)
    option = call(spot, 1, 0.1, 0.2)
    width = half_width(spot, option.gamma, cost=1e-5, risk_aversion=1)
    assert round(band_target(option.delta, width, 0.5), 4) == target


def test_a_half_width_solves_its_cubic() -> None:
    width = half_width(spot=50, gamma=-0.04, cost=0.001, risk_aversion=0.3)
    assert 2 * 0.3 * width**3 == pytest.approx(3 * 0.001 * 50 * 0.04**2, rel=1e-14)


def test_a_half_width_follows_its_powers() -> None:
    width = half_width(50, 0.04, 0.001, 0.3)
    assert half_width(50, 0.04, 0.008, 0.3) == pytest.approx(2 * width, rel=1e-14)
    assert half_width(50, 0.04, 0.001, 8 * 0.3) == pytest.approx(width / 2, rel=1e-14)
    assert half_width(50, 8 * 0.04, 0.001, 0.3) == pytest.approx(4 * width, rel=1e-14)


def test_without_cost_there_is_no_band() -> None:
    assert half_width(50, 0.04, 0, 0.3) == 0
    assert band_target(0.37, 0, previous=0.5) == 0.37


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(-2, 2))
def test_a_target_moves_as_little_as_it_may(delta: float, width: float, previous: float) -> None:
    target = band_target(delta, width, previous)
    assert delta - width <= target <= delta + width
    assert abs(target - previous) == pytest.approx(max(abs(previous - delta) - width, 0), abs=1e-15)


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(-2, 2))
def test_a_target_once_reached_is_kept(delta: float, width: float, previous: float) -> None:
    target = band_target(delta, width, previous)
    assert band_target(delta, width, target) == target


@pytest.mark.parametrize(
    ("name", "bad"),
    [("spot", 0), ("gamma", math.inf), ("cost", -1e-9), ("cost", math.nan), ("risk_aversion", 0)],
)
def test_a_band_of_bad_arguments_is_refused(name: str, bad: float) -> None:
    arguments = {"spot": 1.0, "gamma": 1.0, "cost": 0.1, "risk_aversion": 1.0} | {name: bad}
    with pytest.raises(ValueError, match=f"{name.replace('_', ' ')} must be finite"):
        half_width(**arguments)


@pytest.mark.parametrize("arguments", [(math.nan, 0, 0), (0, -1, 0), (0, math.inf, 0), (0, 0, math.nan)])
def test_a_target_of_bad_quantities_is_refused(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="quantities must be finite and the half-width at least 0"):
        band_target(*arguments)
