"""Values of options, as a strategy needs them."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from ..models import options

__all__ = ["YEAR_S", "CallValue", "call_value"]

YEAR_S = 365 * 86_400.0
"""Seconds in the year that volatilities and rates refer to: 365 days, weekends and nights included."""


class CallValue(NamedTuple):
    """A call on one unit of the underlying."""

    value: Annotated[float, "P"]
    delta: float
    gamma: Annotated[float, "1/P"]


def call_value(
    *,
    spot: Annotated[float, "P"],
    strike: Annotated[float, "P"],
    expiry: Annotated[float, "s"],
    volatility: float,
    rate: float = 0.0,
) -> CallValue:
    """Value a European call on one unit of the underlying by Black–Scholes.

    Args:
        spot: price > 0.
        strike: price > 0.
        expiry: seconds from now until the option expires, ≥ 0; at 0 the value is the payoff.
        volatility: per √year of 365 days, ≥ 0: 0.2 is 20 % a year.
        rate: per year of 365 days, continuously compounded.

    Returns:
        value, a price ≥ 0; delta in [0, 1]; gamma, 1/price, ≥ 0.

    Raises:
        ValueError: a NaN, an argument outside its range, or nothing random left at the strike, where gamma is
            infinite.

    Source: Black, Scholes (1973), Journal of Political Economy 81(3).
    """
    option = options.call(spot, strike, expiry / YEAR_S, volatility, rate)
    if option.gamma == float("inf"):
        raise ValueError("gamma is infinite: the call is at its strike with no time or volatility left")
    return CallValue(option.value, option.delta, option.gamma)
