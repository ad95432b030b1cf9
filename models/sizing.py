"""Hedge sizing: from a score and the depth of the book to the share of the exposure to hedge."""

from __future__ import annotations

import math
from types import MappingProxyType

from .curve import MonotoneCurve

__all__ = ["CURVES", "hedge_share", "liquidity_weight"]

_SENTIMENT = MonotoneCurve([(0, 0.05), (0.3, 0.25), (0.7, 0.75), (1, 1)])

CURVES = MappingProxyType(
    {
        "default": _SENTIMENT,
        "sentiment": _SENTIMENT,
        "volatility": MonotoneCurve([(0, 0.10), (0.4, 0.30), (0.8, 0.80), (1, 1)]),
        "momentum": MonotoneCurve([(0, 0), (0.5, 0.20), (0.9, 0.60), (1, 0.90)]),
        "funding": MonotoneCurve([(0, 0.05), (0.3, 0.15), (0.6, 0.50), (1, 1)]),
    }
)
"""The named curves from score to hedge, each over all of [0, 1]."""


def liquidity_weight(depth: float, max_depth: float) -> float:
    """Return min(1, log(1 + depth) / log(1 + max_depth)), in [0, 1].

    The logarithm makes it nearly inert: against 10,000,000 a book of 10,000 still weighs 0.57, and one of 100
    weighs 0.29. It also depends on the currency's unit: the same book counted in cents weighs more. It tells
    an empty book from a full one, and is no measure of what an order would cost.

    Args:
        depth: money within ±1 % of mid, ≥ 0.
        max_depth: money > 0 from which the weight is 1.

    Raises:
        ValueError: a NaN, an infinity, a negative depth, or max_depth not above 0.
    """
    if not 0 <= depth < math.inf:
        raise ValueError(f"depth must be finite and at least 0, got {depth}")
    if not 0 < max_depth < math.inf:
        raise ValueError(f"max_depth must be finite and above 0, got {max_depth}")
    return min(1.0, math.log1p(depth) / math.log1p(max_depth))


def hedge_share(curve: MonotoneCurve, score: float, weight: float, maximum: float = 1.0) -> float:
    """Return clip(curve(score · weight), 0, maximum): the share of the exposure to hedge.

    Args:
        curve: over all of [0, 1].
        score: in [0, 1].
        weight: in [0, 1], see `liquidity_weight`. A thin book lowers the hedge, down to curve(0).
        maximum: largest share, in [0, 1].

    Raises:
        ValueError: a NaN, or an argument outside its range. Nothing is clipped on the way in: a score of 1.01
            is an error upstream, and not a full hedge.
    """
    if not 0 <= score <= 1:
        raise ValueError(f"score must be in [0, 1], got {score}")
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be in [0, 1], got {weight}")
    if not 0 <= maximum <= 1:
        raise ValueError(f"maximum must be in [0, 1], got {maximum}")
    return min(max(curve(score * weight), 0.0), maximum)
