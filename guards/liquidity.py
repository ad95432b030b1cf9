"""Limits of liquidity."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from ..models.liquidity import net_drain

__all__ = ["NetDrain", "drain_within"]


class NetDrain(NamedTuple):
    """Whether the net drain is within its limit, and what it is, as a share of the forecast."""

    ok: bool
    value: float


def drain_within(
    *,
    outflow: Annotated[float, "M"],
    inflow: Annotated[float, "M"],
    forecast: Annotated[float, "M"],
    limit: float = 0.25,
) -> NetDrain:
    """Check that the net outflow of a period is at most a share of the liquidity that was forecast for it.

    Args:
        outflow: money that left in the period, ≥ 0.
        inflow: money that came in, ≥ 0.
        forecast: liquidity that was forecast for the period, in money, > 0.
        limit: share of the forecast, ≥ 0.

    Returns:
        ok, whether value ≤ limit; value, (outflow − inflow) / forecast, negative where more came in.

    Raises:
        ValueError: a NaN, an infinity, or an argument outside its range.

    Source: Basel Committee on Banking Supervision (2013), Basel III: The Liquidity Coverage Ratio, paragraph 69, for net
        outflows; without its cap on inflows and its run-off rates.
    """
    if not limit >= 0:
        raise ValueError(f"limit must be at least 0, got {limit}")
    value = net_drain(outflow, inflow, forecast)
    return NetDrain(value <= limit, value)
