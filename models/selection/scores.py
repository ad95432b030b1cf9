"""What parameter sets are ranked by: one number a set from its P&L by period, many sets at a time.

Higher is better. Every score depends on the order of neither sets nor periods.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..windows import Window

__all__ = ["STEEPEST", "Matrix", "matrix", "sharpe_of_sums", "sharpe_ratios", "tail_adjusted_means"]

Matrix = npt.NDArray[np.float64]

STEEPEST = 1e6
"""The largest Sharpe ratio of a period that doubles resolve: above it the deviation is what rounding leaves."""


def matrix(pnl: npt.ArrayLike, sets: int = 1, periods: int = 1) -> Matrix:
    """Return `pnl` as a (sets, periods) float64 matrix, or refuse it.

    Args:
        pnl: (sets, periods) money.
        sets: the smallest number of sets accepted, ≥ 1.
        periods: the smallest number of periods accepted, ≥ 1.

    Raises:
        ValueError: not two-dimensional, too few sets or periods, a NaN or an infinity.
    """
    values = np.asarray(pnl, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"pnl must be two-dimensional, sets by periods, got {values.ndim} dimensions")
    if values.shape[0] < sets:
        raise ValueError(f"pnl must hold at least {sets} sets, got {values.shape[0]}")
    if values.shape[1] < periods:
        raise ValueError(f"pnl must hold at least {periods} periods, got {values.shape[1]}")
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(f"pnl must be finite, got {values[row, column]} for set {row} in period {column}")
    return values


def sharpe_ratios(pnl: npt.ArrayLike) -> Window:
    """Return mean over standard deviation of each set's P&L, for one period; the deviation divides by n − 1.

    Scale-free: P&L in money and returns on a fixed capital give the same. The benchmark is 0. A set that earned
    nothing in every period has 0; one that earned the same in every period has `STEEPEST` with the sign of it.

    Args:
        pnl: (sets, periods) money, periods ≥ 2.

    Returns:
        (sets,) in [−STEEPEST, STEEPEST].

    Raises:
        ValueError: as `matrix`.

    Source: Sharpe (1994), Journal of Portfolio Management 21(1).
    """
    values = matrix(pnl, periods=2)
    return sharpe_of_sums(values.sum(axis=1), np.square(values).sum(axis=1), values.shape[1])


def sharpe_of_sums(total: Matrix, squares: Matrix, periods: int | Matrix) -> Matrix:
    """Return Sharpe ratios from the sums of P&L and of its squares over `periods` ≥ 2 periods, element by element.

    The sums of a union of days are the sums of its parts, so that a score of any union costs no look at the days.
    One pass loses figures where |mean| is far above the deviation, as no P&L of a strategy is: 12 figures less
    2·log10(mean / deviation) are left.
    """
    variation = squares - total * total / periods  # (n − 1) variances
    # INVARIANT: a ratio of STEEPEST is a variation of about 1e-12 of the squares, where rounding begins to rule.
    flat = variation <= squares / STEEPEST**2
    deviation = np.sqrt(np.where(flat, 1.0, variation) / (periods - 1))
    ratios: Matrix = np.where(flat, np.sign(total) * STEEPEST, total / periods / deviation)
    return np.clip(ratios, -STEEPEST, STEEPEST)


def tail_adjusted_means(pnl: npt.ArrayLike, weight: float, confidence: float) -> Window:
    """Return mean − weight · CVaR of each set's P&L, in money of one period.

    CVaR is the mean loss of the worst (1 − confidence) share of the periods, the period at the boundary split, as
    `risk.conditional_value_at_risk` has it. Unlike a Sharpe ratio it grows with the size of the position.

    Args:
        pnl: (sets, periods) money.
        weight: how much a unit of tail loss counts against a unit of mean, ≥ 0; 0 gives the mean.
        confidence: in [0, 1).

    Raises:
        ValueError: as `matrix`; a weight or a confidence outside its range.

    Source: Rockafellar, Uryasev (2002), Journal of Banking & Finance 26(7), for the coherent tail mean.
    """
    values = matrix(pnl)
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight must be finite and at least 0, got {weight}")
    if not 0 <= confidence < 1:
        raise ValueError(f"confidence must be in [0, 1), got {confidence}")
    tail = (1 - confidence) * values.shape[1]
    whole = min(math.floor(tail), values.shape[1])
    worst = np.sort(values, axis=1)
    loss = -worst[:, :whole].sum(axis=1)
    if whole < values.shape[1]:
        loss -= (tail - whole) * worst[:, whole]
    scores: Window = values.mean(axis=1) - weight * loss / tail
    return scores
