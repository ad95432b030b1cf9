"""Whether a window still comes from where it came from: its law, and its correlation with another."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

from ..models.drift import (
    bin_counts,
    correlation,
    fisher_distance,
    population_stability_critical,
    population_stability_index,
)
from ..models.windows import Window

__all__ = ["CorrelationChange", "PopulationStability", "correlation_within", "population_stability_within"]


class PopulationStability(NamedTuple):
    """Whether two samples are of one law as far as can be told, the index, what chance explains of it, and why not."""

    ok: bool
    value: float
    critical: float
    reason: str


class CorrelationChange(NamedTuple):
    """Whether a correlation is what it was as far as can be told, by how much it changed, what chance explains, and why
    not.
    """

    ok: bool
    value: float
    critical: float
    before: float
    after: float
    reason: str


def population_stability_within(
    *, values: Window, recent: int, bins: int = 10, limit: float = 0.25, confidence: float = 0.99
) -> PopulationStability:
    """Check that the last values of a window are distributed like those before them.

    It fails where the population stability index is both above the limit, so that the shift is large, and above its
    critical value at the sizes of the samples, so that it is no accident. The bins hold equal shares of the earlier values;
    one without recent values counts there as half a value.

    Args:
        values: (n + recent,) values, oldest first, taken as independent; n ≥ 5 · bins.
        recent: how many of the last values are compared with the n before them, ≥ 5 · bins.
        bins: from 2 to 1001.
        limit: index ≥ 0.
        confidence: in (0, 1); of windows without a shift about a share 1 − confidence is above the critical value.

    Returns:
        ok, whether value is at most limit or at most critical; value, the index, ≥ 0; critical, > 0; reason, a text, empty
        where ok.

    Raises:
        ValueError: a NaN, too few values, an argument outside its range, or so many equal earlier values, as in a constant
            window, that they do not part into bins.

    Source: Yurdakul, Naranjo (2020), Journal of Risk Model Validation 14(4), 89–100.
    """
    if not limit >= 0:
        raise ValueError(f"limit must be at least 0, got {limit}")
    earlier, later = _parted(values, recent)
    counts = bin_counts(earlier, later, bins)
    value = population_stability_index(*counts)
    critical = population_stability_critical(bins, earlier.size, later.size, confidence)
    ok = value <= limit or value <= critical
    reason = f"the index is {value:.3g}: above {limit:.3g}, and above the {critical:.3g} that chance explains"
    return PopulationStability(ok, value, critical, "" if ok else reason)


def correlation_within(*, first: Window, second: Window, recent: int, confidence: float = 0.99) -> CorrelationChange:
    """Check that the last pairs of two windows are correlated like those before them.

    A two-sided test by Fisher's z of whether both correlations are one. It takes the pairs as independent and normal;
    with the fat tails of returns it fails more often by chance than stated.

    Args:
        first: (n + recent,) values, oldest first, n ≥ 4.
        second: (n + recent,) values of the same moments.
        recent: how many of the last pairs are compared with the n before them, ≥ 4.
        confidence: in (0, 1).

    Returns:
        ok, whether |value| ≤ critical; value, by how many standard errors the transformed correlation rose; critical, the
        normal quantile of (1 + confidence) / 2; before and after, the two correlations, in (−1, 1); reason, a text, empty
        where ok.

    Raises:
        ValueError: a NaN, too few pairs, windows of different lengths, confidence outside (0, 1), values that are constant
            before or after, or pairs on one line, for which Fisher's z is infinite.

    Source: Fisher (1921), Metron 1, 3–32.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    if first.size != second.size:
        raise ValueError(f"windows must be of one length, got {first.size} and {second.size}")
    parts = _parted(first, recent), _parted(second, recent)
    before, after = (correlation(one, other) for one, other in zip(*parts, strict=True))
    value = fisher_distance(after, recent, before, first.size - recent)
    critical = NormalDist().inv_cdf((1 + confidence) / 2)
    ok = abs(value) <= critical
    moved = f"the correlation was {before:.3g} and is {after:.3g}"
    reason = f"{moved}: {abs(value):.3g} standard errors away, and chance explains {critical:.3g}"
    return CorrelationChange(ok, value, critical, before, after, "" if ok else reason)


def _parted(values: Window, recent: int) -> tuple[Window, Window]:
    """Return a window's earlier values and its `recent` last ones."""
    if not 1 <= recent < values.size:
        raise ValueError(f"recent must be at least 1 and leave earlier values of {values.size}, got {recent}")
    return values[:-recent], values[-recent:]
