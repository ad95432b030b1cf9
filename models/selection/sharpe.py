"""Sharpe ratios told honestly: with skewness, kurtosis and length, and as the best of many.

Ratios are of one period (a day), not annual: annual = daily · √(periods a year). All of it takes the periods as
independent; P&L with positive autocorrelation has less information than its length says, and these probabilities
are then too high.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..windows import sample
from .scores import sharpe_ratios

__all__ = ["Moments", "deflated_sharpe", "expected_maximum", "moments", "probabilistic_sharpe"]

_NORMAL = NormalDist()


class Moments(NamedTuple):
    """What a Sharpe ratio's own error depends on."""

    sharpe: float  # of one period
    skewness: float
    kurtosis: float  # 3 for the normal law
    periods: int


def moments(pnl: npt.ArrayLike) -> Moments:
    """Return the Sharpe ratio of a P&L with the skewness and the kurtosis of its sample (both divide by n).

    Args:
        pnl: (n,) money by period, n ≥ 2, not constant.

    Raises:
        ValueError: fewer than two periods, a NaN or an infinity, or a P&L that is the same in every period.
    """
    values = sample(pnl, "pnl", least=2)
    if not np.ptp(values):
        raise ValueError(f"pnl must vary, got {values[0]} in each of {values.size} periods")
    spread = values - values.mean()
    spread /= np.abs(spread).max()  # powers of a small number would vanish
    variance = float(np.mean(spread**2))
    return Moments(
        sharpe=float(sharpe_ratios(values[np.newaxis])[0]),
        skewness=float(np.mean(spread**3)) / variance**1.5,
        kurtosis=float(np.mean(spread**4)) / variance**2,
        periods=values.size,
    )


def probabilistic_sharpe(observed: Moments, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio is above `benchmark`, as a large sample gives it.

    Φ((SR − b) √(n − 1) / √(1 − γ₃ SR + (γ₄ − 1)/4 · SR²)). Losses that are rare and large (γ₃ < 0, γ₄ > 3) make
    an observed ratio worth less.

    Args:
        observed: moments of the P&L; kurtosis ≥ 1 + skewness², as every law has it.
        benchmark: a Sharpe ratio of one period.

    Raises:
        ValueError: fewer than two periods, moments that no law has, a NaN or an infinity, or a law with two values
            whose Sharpe ratio has no error to this order.

    Source: Bailey, López de Prado (2012), Journal of Risk 15(2), equation 11; the error is Mertens (2002).
    """
    ratio, skewness, kurtosis, periods = observed
    if not all(math.isfinite(each) for each in (ratio, skewness, kurtosis, benchmark)):
        raise ValueError(f"moments and benchmark must be finite, got {observed} and {benchmark}")
    if periods < 2:
        raise ValueError(f"periods must be at least 2, got {periods}")
    if kurtosis < (1 + skewness**2) * (1 - 1e-9):  # rounding may take that much from a law with two values
        raise ValueError(f"kurtosis must be at least 1 + skewness² = {1 + skewness**2}, got {kurtosis}")
    # INVARIANT: at least (1 − γ₃ SR / 2)², hence never negative but for rounding.
    variance = 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2
    if variance <= 1e-12:
        raise ValueError(f"a Sharpe ratio of {ratio} has no error to this order, with skewness {skewness}")
    return _NORMAL.cdf((ratio - benchmark) * math.sqrt((periods - 1) / variance))


def expected_maximum(trials: float, variance: float) -> float:
    """Return how large the best of so many Sharpe ratios is expected to be where every true one is 0.

    √V · ((1 − γ) Φ⁻¹(1 − 1/N) + γ Φ⁻¹(1 − 1/(N e))), γ = 0.5772… (Euler–Mascheroni), for N independent normal
    ratios. Against the exact mean of the maximum it is 8 % low at N = 2, 2 % high at 10 and 0.4 % high at 1,000.
    Below N = 2 it falls without bound; there the chord to 0 at N = 1 is taken, which is lower than the truth.

    Args:
        trials: N ≥ 1, not necessarily whole (see `selection.trials`).
        variance: V ≥ 0, of the Sharpe ratios across the trials.

    Raises:
        ValueError: trials below 1, a negative variance, a NaN or an infinity.

    Source: Bailey, López de Prado (2014), Journal of Portfolio Management 40(5), equation 1 and appendix 1.
    """
    if not 1 <= trials < math.inf:
        raise ValueError(f"trials must be finite and at least 1, got {trials}")
    if not 0 <= variance < math.inf:
        raise ValueError(f"variance must be finite and at least 0, got {variance}")
    count, weight = max(trials, 2.0), float(np.euler_gamma)
    largest = (1 - weight) * _upper(1 / count) + weight * _upper(1 / (count * math.e))
    return math.sqrt(variance) * largest * min(trials - 1, 1.0)


def deflated_sharpe(best: Moments, trials: float, variance: float) -> float:
    """Return the probability that the best of many has a true Sharpe ratio above what luck gives the best of so many.

    `probabilistic_sharpe` against `expected_maximum`. Two things move V that are not luck: sets that truly differ
    (some lose by their fees alone) raise it and make this strict; sets that hardly differ lower it, as they should.

    Args:
        best: moments of the best set's P&L.
        trials: how many sets were tried, or the effective number of them (see `selection.trials`).
        variance: of the Sharpe ratios across the sets, of one period.

    Raises:
        ValueError: as the two functions.

    Source: Bailey, López de Prado (2014), Journal of Portfolio Management 40(5), equation 2.
    """
    return probabilistic_sharpe(best, expected_maximum(trials, variance))


def _upper(probability: float) -> float:
    """Return what a standard normal exceeds with this probability; exact for small ones, unlike Φ⁻¹(1 − p)."""
    return -_NORMAL.inv_cdf(probability)
