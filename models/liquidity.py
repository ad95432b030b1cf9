"""Liquidity: what drains against what was forecast."""

from __future__ import annotations

import math

__all__ = ["net_drain"]


def net_drain(outflow: float, inflow: float, forecast: float) -> float:
    """Return the net outflow of a period as a share of the liquidity that was forecast for it.

    Args:
        outflow: money that left in the period, ≥ 0.
        inflow: money that came in, ≥ 0.
        forecast: liquidity that was forecast for the period, in money, > 0.

    Returns:
        A share; negative where more came in than left, above 1 where more drained than was forecast to be there.

    Raises:
        ValueError: a NaN, an infinity, or an argument outside its range: against a forecast of nothing every drain is
            infinite, and none is measured.

    Source: net outflows against a stock of liquidity, as in Basel Committee on Banking Supervision (2013), Basel III: The
        Liquidity Coverage Ratio, paragraph 69; without its cap on inflows and its run-off rates.
    """
    for name, value in (("outflow", outflow), ("inflow", inflow)):
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and at least 0, got {value}")
    if not 0 < forecast < math.inf:
        raise ValueError(f"forecast must be finite and above 0, got {forecast}")
    return (outflow - inflow) / forecast
