"""European options on one underlying without dividends: the Black–Scholes value and its sensitivities.

Prices in one unit, time in years, volatility per √year, rates per year with continuous compounding. The error
of a value is of the order 1e-15 of the spot, so a far out-of-the-money option has fewer good digits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Option", "call", "normal_cdf", "put"]


class Option(NamedTuple):
    """An option's value and sensitivities, per unit of the underlying."""

    value: float  # price
    delta: float  # ∂value/∂spot
    gamma: float  # ∂²value/∂spot², 1/price
    vega: float  # ∂value/∂volatility, price per 1.00 of volatility
    theta: float  # ∂value/∂(calendar time), price per year


def call(spot: float, strike: float, years: float, volatility: float, rate: float = 0.0) -> Option:
    """Return the Black–Scholes value and sensitivities of a European call.

    Where nothing random is left (years or volatility 0) the value is max(S − K·e^(−rate·years), 0) and delta
    is 1, or ½ at the discounted strike, or 0. Gamma is then 0, but infinite at the discounted strike; theta
    is −infinite at the strike at expiry (volatility > 0).

    Args:
        spot: S, a price > 0.
        strike: K, a price > 0.
        years: time to expiry, ≥ 0.
        volatility: per √year, ≥ 0.
        rate: per year, |rate · years| ≤ 700.

    Raises:
        ValueError: a NaN, an infinity, or an argument outside its range.

    Source: Black, Scholes (1973), Journal of Political Economy 81(3); Hull (2018), Options, Futures, and
        Other Derivatives, chapters 15 and 19.
    """
    law = _law(spot, strike, years, volatility, rate)
    value = max(spot * law.above_in_shares - law.discounted * law.above, 0.0)
    theta = law.decay - rate * law.discounted * law.above
    return Option(value, law.above_in_shares, law.gamma, law.vega, theta)


def put(spot: float, strike: float, years: float, volatility: float, rate: float = 0.0) -> Option:
    """Return the Black–Scholes value and sensitivities of a European put.

    Arguments, limits and errors as `call`. Computed by itself and not from the call by parity, which would
    lose the digits of a far out-of-the-money put.
    """
    law = _law(spot, strike, years, volatility, rate)
    value = max(law.discounted * law.below - spot * law.below_in_shares, 0.0)
    theta = law.decay + rate * law.discounted * law.below
    return Option(value, -law.below_in_shares, law.gamma, law.vega, theta)


def normal_cdf(x: float) -> float:
    """Return the standard normal distribution function at x, with a small relative error in both tails."""
    return math.erfc(-x / _SQRT_2) / 2


_SQRT_2 = math.sqrt(2)
_SQRT_2_PI = math.sqrt(2 * math.pi)


class _Law(NamedTuple):
    """What calls and puts share; the chances are those of ending above or below the strike."""

    discounted: float  # the strike's present value, price
    above_in_shares: float  # N(d1), with the spot as unit of account
    above: float  # N(d2), in money
    below_in_shares: float  # N(−d1)
    below: float  # N(−d2)
    gamma: float
    vega: float
    decay: float  # theta without interest, price per year


def _law(spot: float, strike: float, years: float, volatility: float, rate: float) -> _Law:
    for name, price in (("spot", spot), ("strike", strike)):
        if not 0 < price < math.inf:
            raise ValueError(f"{name} must be finite and above 0, got {price}")
    for name, value in (("years", years), ("volatility", volatility)):
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and at least 0, got {value}")
    if not abs(rate * years) <= 700:  # beyond, the exponential leaves the range of a float
        raise ValueError(f"rate times years must be within 700, got {rate} times {years}")
    discounted = strike * math.exp(-rate * years)
    ratio = spot / discounted if discounted else math.inf
    if not 0 < ratio < math.inf:
        raise ValueError(f"spot over discounted strike is out of range, got {spot} and {discounted}")
    root = math.sqrt(years)
    spread = volatility * root
    if not spread:
        return _certain(spot, discounted, root, volatility)
    d1 = math.log(ratio) / spread + spread / 2
    d2 = d1 - spread
    density = math.exp(-d1 * d1 / 2) / _SQRT_2_PI
    return _Law(
        discounted,
        normal_cdf(d1),
        normal_cdf(d2),
        normal_cdf(-d1),
        normal_cdf(-d2),
        gamma=density / (spot * spread),
        vega=spot * density * root,
        decay=-spot * density * volatility / (2 * root),
    )


def _certain(spot: float, discounted: float, root: float, volatility: float) -> _Law:
    """Return the limit in which nothing random is left: `root` (of the years) or `volatility` is 0."""
    if spot != discounted:
        above = float(spot > discounted)
        return _Law(discounted, above, above, 1 - above, 1 - above, gamma=0.0, vega=0.0, decay=0.0)
    return _Law(
        discounted,
        *(0.5, 0.5, 0.5, 0.5),
        gamma=math.inf,
        vega=spot * root / _SQRT_2_PI,
        decay=-math.inf if volatility else 0.0,
    )
