"""How many independent trials a sweep amounts to: neighbouring parameter sets trade alike.

No single number says it for every kind of dependence. Both estimators here are meant for `expected_maximum` with
the variance *across* the sets; that variance has already lost what all sets have in common. What the largest of
200 Sharpe ratios without an edge comes to, in units of the error 1/√500 of one, and what `expected_maximum` makes of
it with each number of trials (in brackets; means of 60 samples of 500 periods):

    sets                                    true maximum   N       average       spectral
    independent                             2.77           2.79    2.79 (200)    2.79 (200)
    every pair correlated .5                1.97           1.98    1.81 (101)    0.75 (4.0)
    every pair correlated .9                0.88           0.89    0.62 (21)     0.04 (1.2)
    ten groups, .98 inside                  1.76           2.49    2.46 (182)    1.44 (10)
    a line of sets, .9 to the next          2.31           2.63    2.60 (183)    1.84 (22)
    a line of sets, .99 to the next         1.28           1.73    1.55 (88)     0.48 (2.7)

In none of these is N itself too low. `average_trials` follows it closely: a little too low where all pairs are alike, too
high for groups and for grids, which is the safe side. `spectral_trials` counts groups, and is too low a bar: read it
as how many kinds of behaviour there are, and not as a way to a better verdict.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .scores import Matrix, matrix

__all__ = ["average_correlation", "average_trials", "spectral_trials"]


def average_correlation(pnl: npt.ArrayLike) -> float:
    """Return the mean correlation of the pairs of sets, in [−1/(sets − 1), 1] but for rounding.

    Costs one look at each number: the sum of all correlations is the squared length of the sum of the sets.

    Args:
        pnl: (sets, periods) money, sets ≥ 2, periods ≥ 3, no set constant.

    Raises:
        ValueError: as `scores.matrix`, or a set whose P&L is the same in every period.
    """
    units = _units(pnl)
    sets = len(units)
    total = units.sum(axis=0)
    return float((total @ total - sets) / (sets * (sets - 1)))


def average_trials(pnl: npt.ArrayLike) -> float:
    """Return ρ̄ + (1 − ρ̄) N, with ρ̄ the mean correlation of the N sets, in [1, N].

    Linear between one trial (all sets the same) and N (uncorrelated). Two groups of equal sets have ρ̄ near ½ and
    count as N/2, far too many: it errs on the strict side.

    Args:
        pnl: as `average_correlation`.

    Raises:
        ValueError: as `average_correlation`.

    Source: Bailey, López de Prado (2014), Journal of Portfolio Management 40(5), appendix 3.
    """
    values = matrix(pnl)
    rho = average_correlation(values)
    sets = len(values)
    return min(max(rho + (1 - rho) * sets, 1.0), float(sets))


def spectral_trials(pnl: npt.ArrayLike) -> float:
    """Return (Σλ)² / Σλ², the participation ratio of the eigenvalues λ of the sets' correlations, in [1, N].

    K groups of equal size, correlated 1 inside and 0 across, give K; N uncorrelated sets give N. In a finite sample
    uncorrelated sets have correlations of size 1/√periods, whose squares would add up to many: each squared
    correlation r² is therefore lowered to r² − (1 − r²) / (periods − 2), which is 0 on average where there is none.
    No eigenvalue is computed: Σλ² is the sum of the squared correlations.

    Args:
        pnl: as `average_correlation`.

    Raises:
        ValueError: as `average_correlation`.

    Source: Bretherton et al. (1999), Journal of Climate 12(7), equation 5; the correction is Ezekiel's for r².
    """
    units = _units(pnl)
    sets, periods = len(units), units.shape[1]
    # Either product has the same squared norm; the smaller one is taken.
    gram = units @ units.T if sets <= periods else units.T @ units
    squares = (float(np.square(gram).sum()) - sets) / (sets * (sets - 1))
    squares = max(0.0, squares - (1 - squares) / (periods - 2))
    return float(min(max(sets / (1 + (sets - 1) * squares), 1.0), sets))


def _units(pnl: npt.ArrayLike) -> Matrix:
    """Return each set's P&L less its mean, at length 1: correlations are their inner products."""
    values = matrix(pnl, sets=2, periods=3)
    constant = np.flatnonzero(np.ptp(values, axis=1) == 0)
    if constant.size:
        raise ValueError(f"every set's pnl must vary, got {values[constant[0], 0]} throughout for set {constant[0]}")
    spread = values - values.mean(axis=1, keepdims=True)
    spread /= np.abs(spread).max(axis=1, keepdims=True)
    units: Matrix = spread / np.sqrt(np.square(spread).sum(axis=1, keepdims=True))
    return units
