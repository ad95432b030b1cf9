"""The best of all sets beside what a search of so many finds by luck."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ...models import performance
from ...models.selection import trials
from ...models.selection.overfitting import Score, affordable_blocks, overfitting
from ...models.selection.scores import Matrix, sharpe_ratios
from ...models.selection.sharpe import deflated_sharpe, expected_maximum, moments, probabilistic_sharpe
from .judgement import Luck

__all__ = ["luck"]

YEAR_NS = 365.25 * performance.DAY_NS


def luck(
    pnl: Matrix,
    days: npt.NDArray[np.int64],
    parameters: Mapping[str, npt.NDArray[np.float64]],
    score: Score | None = None,
) -> Luck:
    """Deflate the best Sharpe ratio of a sweep, and tell how far choosing by a score overfits.

    Args:
        pnl: (sets, days) money, finite; two sets at least vary from day to day. Those that do not are no trials, but
            can be chosen, and are ranked with the others in the probability of overfitting.
        days: (days,) when each day begins, ns, ascending.
        parameters: name → (sets,) values, to name the best one.
        score: what sets are chosen by; None for the Sharpe ratio.

    Raises:
        ValueError: more numbers than `overfitting` reads.
    """
    tried = np.flatnonzero(np.ptp(pnl, axis=1) > 0)
    moving = pnl[tried]
    ratios = sharpe_ratios(moving)
    best = int(tried[ratios.argmax()])
    observed = moments(pnl[best])
    variance = float(ratios.var(ddof=1))
    counts = (trials.average_trials(moving), float(tried.size))
    chance = overfitting(pnl, affordable_blocks(len(pnl), days.size, score), score)
    return Luck(
        best=best,
        parameters={name: float(column[best]) for name, column in parameters.items()},
        profit=math.fsum(pnl[best]),
        sharpe=observed.sharpe,
        year=float((days.size - 1) / ((int(days[-1]) - int(days[0])) / YEAR_NS)),
        skewness=observed.skewness,
        kurtosis=observed.kurtosis,
        variance=variance,
        trials=int(tried.size),
        effective=counts[0],
        kinds=trials.spectral_trials(moving),
        single=probabilistic_sharpe(observed),
        expected=(expected_maximum(counts[0], variance), expected_maximum(counts[1], variance)),
        deflated=(deflated_sharpe(observed, counts[0], variance), deflated_sharpe(observed, counts[1], variance)),
        overfitting=chance.probability,
        overfitting_loss=chance.loss,
        blocks=chance.blocks,
    )
