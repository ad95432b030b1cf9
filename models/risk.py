"""Risk measures of a sample: value at risk, conditional value at risk, drawdowns.

Losses are positive: a loss of 0.02 is a return of −0.02. A negative value at risk is therefore a sure gain at
that confidence. Every measure has the unit of its sample (a share for returns, money for P&L).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .windows import Window, sample

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["conditional_value_at_risk", "drawdowns", "historical_value_at_risk", "normal_value_at_risk"]


def historical_value_at_risk(losses: npt.ArrayLike, confidence: float) -> float:
    """Return the ⌈confidence · n⌉-th smallest loss.

    At least a share `confidence` of the losses are no larger. This is the lower quantile of the empirical
    distribution (NumPy's `inverted_cdf`): always a loss that happened, never interpolated. With n < 1 / (1 −
    confidence) it is the largest loss, and says nothing about the tail beyond.

    Args:
        losses: (n,) losses, n ≥ 1.
        confidence: in (0, 1).

    Raises:
        ValueError: an empty sample, a NaN or an infinity, or confidence outside (0, 1).

    Source: Hyndman, Fan (1996), The American Statistician 50(4), definition 1.
    """
    values = sample(losses, "losses")
    _check_confidence(confidence)
    # In binary 0.07 · 100 is 7.000000000000001, whose ceiling is one rank too high: a confidence is a short
    # decimal.
    rank = max(1, math.ceil(round(confidence * values.size, 9)))
    import numpy as np

    return float(np.partition(values, rank - 1)[rank - 1])


def normal_value_at_risk(losses: npt.ArrayLike, confidence: float, horizon: int = 1) -> float:
    """Return the value at risk of a normal law with the sample's mean and standard deviation.

    The deviation divides by n − 1. Over `horizon` periods, taken as independent, the mean grows with the
    horizon and the deviation with its root. Returns have fatter tails than the normal law: beyond about 0.95
    this understates their losses.

    Args:
        losses: (n,) losses of one period each, n ≥ 2.
        confidence: in (0, 1).
        horizon: periods, ≥ 1.

    Raises:
        ValueError: fewer than two losses, a NaN or an infinity, confidence outside (0, 1), or horizon below
            1.

    Source: McNeil, Frey, Embrechts (2015), Quantitative Risk Management, chapter 2.
    """
    values = sample(losses, "losses", least=2)
    _check_confidence(confidence)
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 period, got {horizon}")
    from statistics import NormalDist

    deviation = float(values.std(ddof=1)) * math.sqrt(horizon)
    return float(values.mean()) * horizon + NormalDist().inv_cdf(confidence) * deviation


def conditional_value_at_risk(losses: npt.ArrayLike, confidence: float) -> float:
    """Return the mean of the worst (1 − confidence) share of the losses (expected shortfall).

    Args:
        losses: (n,) losses, n ≥ 1.
        confidence: in [0, 1); 0 gives the mean.

    Returns:
        A loss, at least the historical value at risk. The loss at the boundary is split, so that exactly the
        share 1 − confidence counts and the measure is coherent.

    Raises:
        ValueError: an empty sample, a NaN or an infinity, or confidence outside [0, 1).

    Source: Rockafellar, Uryasev (2002), Journal of Banking & Finance 26(7), for scenario models.
    """
    values = sample(losses, "losses")
    if not 0 <= confidence < 1:
        raise ValueError(f"confidence must be in [0, 1), got {confidence}")
    tail = (1 - confidence) * values.size
    whole = min(math.floor(tail), values.size)
    import numpy as np

    worst = np.sort(values)[::-1]
    boundary = float(worst[whole]) if whole < values.size else 0.0
    return (math.fsum(worst[:whole]) + (tail - whole) * boundary) / tail


def drawdowns(equity: npt.ArrayLike) -> Window:
    """Return how far each value lies below the highest so far, as a share of that peak.

    Args:
        equity: (n,) equity in money, n ≥ 1; the first value > 0, so that every peak is.

    Returns:
        (n,) shares ≥ 0; 0 at a new peak, above 1 where equity is negative.

    Raises:
        ValueError: an empty sample, a NaN or an infinity, or a first value that is not positive.
    """
    values = sample(equity, "equity")
    if values[0] <= 0:
        raise ValueError(f"equity must start above 0 for a drawdown to be a share, got {values[0]}")
    import numpy as np

    peaks = np.maximum.accumulate(values)
    shares: Window = (peaks - values) / peaks
    return shares


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
