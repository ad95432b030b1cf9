"""95 % intervals: of a mean, of a ratio of means, of a share, of the exponent of a power law."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .evidence import Interval

__all__ = ["CONFIDENCE", "exponent", "line_root", "mean", "ratio", "share", "without_noise"]

CONFIDENCE = 0.95

Array = npt.NDArray[np.float64]


def mean(sample: npt.ArrayLike) -> Interval:
    """Return the mean of independent values with Student's interval.

    Raises:
        ValueError: fewer than two values, or one that is not finite.
    """
    values = _sample(sample)
    error = float(values.std(ddof=1)) / math.sqrt(values.size)
    return _around(float(values.mean()), error, values.size, values.size - 1)


def ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Interval:
    """Return mean(above) / mean(below) of pairs, with an interval by the delta method.

    Args:
        above: (n,) one value a run.
        below: (n,) one value a run, in the same order; of a mean that is not 0.

    Raises:
        ValueError: unequal lengths, fewer than two runs, a value that is not finite, or a mean of `below` of 0.
    """
    top, bottom = _sample(above), _sample(below)
    if top.size != bottom.size:
        raise ValueError(f"a ratio needs as many values above as below, got {top.size} and {bottom.size}")
    scale = float(bottom.mean())
    if scale == 0:
        raise ValueError("a ratio needs a mean below that is not 0")
    value = float(top.mean()) / scale
    error = float((top - value * bottom).std(ddof=1)) / (abs(scale) * math.sqrt(top.size))
    return _around(value, error, top.size, top.size - 1)


def without_noise(sample: npt.ArrayLike, controls: Sequence[npt.ArrayLike]) -> Array:
    """Return the sample less its least-squares fit on controls whose true mean is 0; the mean estimates the same number.

    Args:
        sample: (n,) one value a run.
        controls: each (n,), of mean exactly 0 by construction and not constant; n is at least 10 times their number.

    Returns:
        (n,) values. Their mean is biased by O(1/n) and their spread, which the interval is made of, widened by
        √((n − 1)/(n − 1 − controls)) for the coefficients that were fitted.

    Raises:
        ValueError: too few runs, unequal lengths, or a value that is not finite.

    Source: Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 4.1.
    """
    values = _sample(sample)
    columns = [_sample(control) for control in controls]
    if any(column.size != values.size for column in columns):
        raise ValueError("a control needs one value a run")
    if values.size < 10 * len(columns):
        raise ValueError(f"{len(columns)} controls need at least {10 * len(columns)} runs, got {values.size}")
    if not columns:
        return values
    # Scaled to one size, so that the least squares are well conditioned; a scale changes no fit.
    design = np.stack([column / column.std() for column in columns], axis=1)
    slopes = np.linalg.lstsq(design - design.mean(axis=0), values - values.mean(), rcond=None)[0]
    left: Array = values - design @ slopes
    freedom = math.sqrt((values.size - 1) / (values.size - 1 - len(columns)))
    result: Array = left.mean() + (left - left.mean()) * freedom
    return result


def share(count: int, runs: int) -> Interval:
    """Return the share of runs in which something happened, with the interval of Clopper and Pearson (1934).

    It covers with at least 95 %, and at most 97.5 % where nothing or everything happened.

    Raises:
        ValueError: no runs, or a count outside [0, runs].
    """
    from scipy.stats import beta

    if not (runs >= 1 and 0 <= count <= runs):
        raise ValueError(f"a share needs 0 ≤ count ≤ runs and at least one run, got {count} of {runs}")
    outside = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(outside, count, runs - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - outside, count + 1, runs - count)) if count < runs else 1.0
    return Interval(count / runs, low, high, runs)


def exponent(scales: Sequence[float], samples: Sequence[npt.ArrayLike]) -> Interval:
    """Return c of the power law mean(sample) ∝ scale^c, with an interval.

    The logarithms of the means are fitted by a straight line, weighted by their own errors; the samples are independent.

    Args:
        scales: (m,) positive and not all equal, m ≥ 2.
        samples: for each scale (n,) values of positive mean.

    Raises:
        ValueError: fewer than two scales, equal ones, or a mean that is not positive.
    """
    values = [_sample(sample) for sample in samples]
    means = np.array([one.mean() for one in values])
    if len(scales) != len(values) or len(set(scales)) < 2 or min(scales) <= 0 or not (means > 0).all():
        raise ValueError("an exponent needs two scales or more, and positive means")
    errors = np.array([one.std(ddof=1) / math.sqrt(one.size) for one in values]) / means
    value, error, _ = _line(np.log(np.array(scales)), np.log(means), errors)
    return _around(value, error, sum(one.size for one in values), None)


def line_root(places: Sequence[float], found: Sequence[Interval]) -> Interval:
    """Return where a straight line through independent means crosses 0, with an interval by the delta method.

    Args:
        places: (m,) where the means were taken, m ≥ 2, not all equal.
        found: their intervals.

    Raises:
        ValueError: fewer than two places, or a line without a slope.
    """
    if len(places) != len(found) or len(set(places)) < 2:
        raise ValueError("a line needs two places or more")
    quantile = _normal()
    # A mean that was found without any error would get all the weight; then they all get the same.
    errors = np.array([one.width / 2 / quantile for one in found])
    slope, slope_error, (centre, level, level_error) = _line(
        np.array(places), np.array([one.value for one in found]), errors if (errors > 0).all() else np.zeros(len(found))
    )
    if slope == 0:
        raise ValueError("a line without a slope crosses nothing")
    root = centre - level / slope
    error = math.hypot(level_error / slope, level / slope**2 * slope_error)
    return _around(root, error, sum(one.runs for one in found), None)


def _line(x: Array, y: Array, errors: Array) -> tuple[float, float, tuple[float, float, float]]:
    """Return slope, its error, and (the weighted centre of x, the line's level there, that level's error)."""
    exact = not (errors > 0).all()
    weights = np.ones(x.size) if exact else errors**-2.0
    total = float(weights.sum())
    centre = float((weights * x).sum()) / total
    level = float((weights * y).sum()) / total
    spread = float((weights * (x - centre) ** 2).sum())
    slope = float((weights * (x - centre) * (y - level)).sum()) / spread
    if not exact:
        return slope, spread**-0.5, (centre, level, total**-0.5)
    # Without errors of their own, the distances from the line stand for them.
    left = y - level - slope * (x - centre)
    scatter = math.sqrt(float((left**2).sum()) / max(1, x.size - 2))
    return slope, scatter / math.sqrt(spread), (centre, level, scatter / math.sqrt(x.size))


def _around(value: float, error: float, runs: int, freedom: int | None) -> Interval:
    from scipy.stats import t

    quantile = _normal() if freedom is None else float(t.ppf((1 + CONFIDENCE) / 2, freedom))
    return Interval(value, value - quantile * error, value + quantile * error, runs)


def _normal() -> float:
    from scipy.stats import norm

    return float(norm.ppf((1 + CONFIDENCE) / 2))


def _sample(sample: npt.ArrayLike) -> Array:
    values = np.asarray(sample, dtype=np.float64)
    if values.ndim != 1 or values.size < 2:
        raise ValueError(f"a sample needs at least two values in one row, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("a sample must be finite")
    return values
