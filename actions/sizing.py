"""Sizing a hedge from a score."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from ..models.sizing import CURVES, hedge_share, liquidity_weight

__all__ = ["Curve", "Hedge", "hedge_curve"]

Curve = Literal["default", "sentiment", "volatility", "momentum", "funding"]


class Hedge(NamedTuple):
    """Shares in [0, 1]: how much of the exposure to hedge, and the weight that the depth gave the score."""

    hedge: float
    confidence: float


def hedge_curve(
    *,
    score: float,
    depth: Annotated[float, "M"],
    curve: Curve = "default",
    max_depth: Annotated[float, "M"] = 10_000_000.0,
    maximum: float = 1.0,
) -> Hedge:
    """Size a hedge by a monotone curve of the score, weighted by the depth of the book.

    The weight is min(1, log(1 + depth) / log(1 + max_depth)) and the hedge clip(curve(score · weight), 0,
    maximum). The logarithm makes the weight nearly inert: against the default a book of 10,000 still weighs
    0.57. It also depends on the currency's unit. A book of no depth still gives the curve's first value, 0.05
    for the default.

    Args:
        score: in [0, 1].
        depth: money within ±1 % of mid, ≥ 0.
        curve: `default` and `sentiment` (0, .05) (.3, .25) (.7, .75) (1, 1); `volatility` (0, .10) (.4, .30)
            (.8, .80) (1, 1); `momentum` (0, 0) (.5, .20) (.9, .60) (1, .90); `funding` (0, .05) (.3, .15)
            (.6, .50) (1, 1).
        max_depth: money > 0 from which the weight is 1.
        maximum: largest hedge, a share in [0, 1].

    Returns:
        hedge, a share in [0, maximum]; confidence, the weight, in [0, 1].

    Raises:
        ValueError: an unknown curve, a NaN, or an argument outside its range.

    Source: Fritsch, Butland (1984), SIAM J. Sci. Stat. Comput. 5(2), for the interpolation.
    """
    chosen = CURVES.get(curve)
    if chosen is None:
        raise ValueError(f"unknown curve `{curve}`, expected one of {', '.join(CURVES)}")
    weight = liquidity_weight(depth, max_depth)
    return Hedge(hedge_share(chosen, score, weight, maximum), weight)
