"""How long Brownian motion stays in a band: the exact law of its first exit, and how many exits a span of time has.

W is Brownian motion of variance σ² a unit of time. τ is its first exit from (−h, h) when it starts in the middle. By
scaling, τ = (h/σ)²·τ₁ with τ₁ the exit of standard Brownian motion from (−1, 1), and

    E[exp(−λτ₁)] = 1 / cosh √(2λ),   E[τ₁] = 1,   E[τ₁²] = 5/3.

Source: Borodin, Salminen (2002), Handbook of Brownian Motion, part II, 1.3.0.2.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = [
    "MEAN",
    "OFFSET",
    "OVERSHOOT",
    "OVERSHOOT_VARIANCE",
    "SECOND_MOMENT",
    "exit_times",
    "expected_exits",
    "survival",
]

MEAN = 1.0
SECOND_MOMENT = 5.0 / 3.0
OFFSET = SECOND_MOMENT / (2 * MEAN**2) - 1
"""What the expected number of exits is above T/E[τ] for long T, here −1/6: the renewal theorem's second term.

Source: Feller (1971), vol. II, XI.3: E[N_T] = T/E[τ] + E[τ²]/(2·E[τ]²) − 1 + o(1).
"""

OVERSHOOT = 0.5825971579390107
"""−ζ(½)/√(2π): by how many steps' deviations σ√Δt a walk of normal steps is beyond a distant level when it is first seen
there. Source: Chernoff (1965), Ann. Math. Stat. 36; Siegmund (1985), Sequential Analysis, chapter X; for barriers that
are watched at times Broadie, Glasserman, Kou (1997), Mathematical Finance 7(4)."""

OVERSHOOT_VARIANCE = 0.25
"""The variance of that overshoot, in squared deviations of a step: E[H³]/(3·E[H]) − OVERSHOOT² for the ladder height H.

The tests hold it, and OVERSHOOT, to a simulation of the walk.
"""

Array = npt.NDArray[np.float64]

_TERMS = range(5)
_MEETING = 0.6
"""Below it the series of reflections is summed, above it the series of eigenvalues; there, what either leaves out with so
many terms is below 1e-20."""


def expected_exits(variance: float, half_width: float, step_deviation: float = 0.0, *, refined: bool = True) -> float:
    """Return how often a driftless Brownian path is expected to leave a band that is centred anew at each exit.

    Args:
        variance: σ²T of the whole span.
        half_width: h > 0 of the band, in the units of √variance.
        step_deviation: σ√Δt where the path is seen at steps only; 0 for all the time.
        refined: add the variance of the overshoot, which counts for steps that are no small part of the band.

    Returns:
        σ²T/((h + 0.5826·σ√Δt)² + σ²Δt/4) − 1/6. Each exit has E[W_τ²] = σ²·E[τ] (Wald), and W_τ is h and the overshoot;
        left out are terms that vanish as T grows, and as h/(σ√Δt) does.
    """
    seen = (half_width + OVERSHOOT * step_deviation) ** 2
    if refined:
        seen += OVERSHOOT_VARIANCE * step_deviation**2
    return variance / seen + OFFSET


def survival(times: npt.ArrayLike) -> Array:
    """Return P(τ₁ > t) of standard Brownian motion in (−1, 1), for t > 0; exact to some 1e-15."""
    t = np.asarray(times, dtype=np.float64)
    result: Array = np.where(t < _MEETING, 1 - _left(np.minimum(t, _MEETING)), _stayed(np.maximum(t, _MEETING)))
    return result


def exit_times(generator: np.random.Generator, size: int | tuple[int, ...]) -> Array:
    """Return independent draws of τ₁: the inverse of its distribution function at uniform numbers.

    The inverse is a table that Newton's method improves until it is exact to rounding; no time is discretised.
    """
    uniform = np.maximum(generator.random(size), 2.0**-53)
    places, levels = _table()
    t = np.interp(uniform, levels, places)
    for _ in range(3):
        t = np.maximum(t - (survival(t) - uniform) / _slope(t), 0.5 * t)
    return t


@cache
def _table() -> tuple[Array, Array]:
    """Return times and their survival, the latter rising as `np.interp` wants it."""
    places = np.geomspace(32.0, 0.01, 20_001)
    levels = survival(places)
    kept = np.concatenate(([True], np.diff(levels) > 0))
    return places[kept], levels[kept]


def _left(t: Array) -> Array:
    """P(τ₁ ≤ t) by reflections: 2·Σ (−1)ᵏ erfc((2k + 1)/√(2t))."""
    from scipy.special import erfc

    total = np.zeros_like(t)
    for k in _TERMS:
        total += 2 * (-1) ** k * erfc((2 * k + 1) / np.sqrt(2 * t))
    return total


def _stayed(t: Array) -> Array:
    """P(τ₁ > t) by eigenvalues: (4/π)·Σ (−1)ᵏ/(2k + 1)·exp(−(2k + 1)²π²t/8)."""
    total = np.zeros_like(t)
    for k in _TERMS:
        total += 4 / math.pi * (-1) ** k / (2 * k + 1) * np.exp(-((2 * k + 1) ** 2) * math.pi**2 * t / 8)
    return total


def _slope(t: Array) -> Array:
    """d/dt P(τ₁ > t), always below 0; both series as above."""
    early, late = np.minimum(t, _MEETING), np.maximum(t, _MEETING)
    first, second = np.zeros_like(t), np.zeros_like(t)
    for k in _TERMS:
        odd = 2 * k + 1
        first -= 2 * (-1) ** k * odd / np.sqrt(2 * math.pi * early**3) * np.exp(-(odd**2) / (2 * early))
        second -= math.pi / 2 * (-1) ** k * odd * np.exp(-(odd**2) * math.pi**2 * late / 8)
    result: Array = np.minimum(np.where(t < _MEETING, first, second), -1e-300)
    return result
