"""Hedging an option position."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from ..models import hedging, options
from .options import YEAR_S

__all__ = ["NoTradeBand", "no_trade_band"]


class NoTradeBand(NamedTuple):
    """Quantities of the underlying: the hedge to hold, the band's middle and its half-width."""

    target: Annotated[float, "Q"]
    delta: Annotated[float, "Q"]
    half_width: Annotated[float, "Q"]


def no_trade_band(
    *,
    spot: Annotated[float, "M/Q"],
    strike: Annotated[float, "M/Q"],
    expiry: Annotated[float, "s"],
    volatility: float,
    cost: float,
    risk_aversion: Annotated[float, "1/M"],
    previous: Annotated[float, "Q"],
    size: Annotated[float, "Q"] = 1.0,
) -> NoTradeBand:
    """Hedge short calls only outside the Whalley–Wilmott band around delta, and then to its edge.

    The band is delta ± (3 c S Γ² / (2 a))^⅓ at interest rate 0, with delta and Γ of the whole position. Units
    hold it together: S in M/Q, Γ in Q per price = Q²/M and a in 1/M make c S Γ² / a a quantity cubed. Hence a
    larger position has a relatively narrower band (its half-width grows with size^⅔): a is an aversion to
    money, not to a share of it.

    Args:
        spot: price of the underlying, > 0.
        strike: price, > 0.
        expiry: seconds from now until the calls expire, > 0.
        volatility: per √year of 365 days, > 0.
        cost: one-way cost of trading the underlying as a share of notional, ≥ 0.
        risk_aversion: a per unit of money, > 0: a fair gamble with standard deviation s is worth about
            a s² / 2 to avoid.
        previous: quantity of the underlying held now, long > 0.
        size: quantity of the underlying that the calls are written on, > 0: contracts times multiplier.

    Returns:
        target, the quantity to hold; delta, the quantity that offsets the calls; half_width of the band.
        `target` is `previous` where that lies in the band, so a spec can order `target` on every event.

    Raises:
        ValueError: expired calls, a NaN, or an argument outside its range.

    Source: Whalley, Wilmott (1997), Mathematical Finance 7(3).
    """
    if not (expiry > 0 and volatility > 0):
        raise ValueError(f"expiry and volatility must be above 0, got {expiry} and {volatility}")
    if not 0 < size < float("inf"):
        raise ValueError(f"size must be finite and above 0, got {size}")
    option = options.call(spot, strike, expiry / YEAR_S, volatility)
    delta = size * option.delta
    half_width = hedging.half_width(spot, size * option.gamma, cost, risk_aversion)
    return NoTradeBand(hedging.band_target(delta, half_width, previous), delta, half_width)
