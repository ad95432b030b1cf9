"""Delta hedging under proportional costs: the band in which not to trade."""

from __future__ import annotations

import math

__all__ = ["band_target", "half_width"]


def half_width(spot: float, gamma: float, cost: float, risk_aversion: float) -> float:
    """Return the half-width (3 c S Γ² / (2 a))^⅓ of the no-trade band around delta, at interest rate 0.

    The leading term for small costs, of the optimal hedge of one who values terminal wealth W by −exp(−a W).
    Twice the cost makes the band a quarter wider. Where gamma grows without limit (at the strike near expiry)
    so does the band, and the approximation fails.

    Args:
        spot: S, price = money/quantity, > 0.
        gamma: Γ of the position hedged, quantity per price; its sign is of no account.
        cost: c, one-way cost as a share of notional, ≥ 0.
        risk_aversion: a, 1/money, > 0.

    Returns:
        A quantity of the underlying, ≥ 0: (c S Γ² / a) is a quantity cubed. A position n times as large, with
        gamma n times as large, has a band n^⅔ times as wide.

    Raises:
        ValueError: a NaN, an infinity, or an argument outside its range.

    Source: Whalley, Wilmott (1997), Mathematical Finance 7(3), 307–324.
    """
    if not 0 < spot < math.inf:
        raise ValueError(f"spot must be finite and above 0, got {spot}")
    if not math.isfinite(gamma):
        raise ValueError(f"gamma must be finite, got {gamma}")
    if not 0 <= cost < math.inf:
        raise ValueError(f"cost must be finite and at least 0, got {cost}")
    if not 0 < risk_aversion < math.inf:
        raise ValueError(f"risk aversion must be finite and above 0, got {risk_aversion}")
    return math.cbrt(1.5 * cost * spot * gamma * gamma / risk_aversion)


def band_target(delta: float, half_width: float, previous: float) -> float:
    """Return the hedge to hold: `previous` inside delta ± half_width, else the nearer edge of that band.

    Args:
        delta: quantity that would offset the position.
        half_width: quantity ≥ 0.
        previous: quantity held now.

    Raises:
        ValueError: a NaN, an infinity, or a negative half-width.
    """
    if not (math.isfinite(delta) and math.isfinite(previous) and 0 <= half_width < math.inf):
        raise ValueError(
            "quantities must be finite and the half-width at least 0, "
            f"got delta {delta}, half-width {half_width}, previous {previous}"
        )
    return min(max(previous, delta - half_width), delta + half_width)
