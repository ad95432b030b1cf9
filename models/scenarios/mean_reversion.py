"""Mean reversion: a log price that is an Ornstein–Uhlenbeck process."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from .arguments import above, count, deviation, within
from .brownian import prices_of
from .grid import Grid

__all__ = ["ornstein_uhlenbeck"]


def ornstein_uhlenbeck(
    grid: Grid,
    generator: np.random.Generator,
    *,
    start: float,
    mean: float,
    volatility: float,
    reversion: float,
    paths: int = 1,
) -> npt.NDArray[np.float64]:
    """Return prices (paths, n) of S = exp(X), dX = κ (ln m − X) dt + σ dW, by the exact transition.

    X after a step Δ is ln m + (X − ln m) e^(−κΔ) + σ √((1 − e^(−2κΔ)) / 2κ) Z. In the long run X is normal around ln m with
    variance σ²/2κ and autocovariance (σ²/2κ) e^(−κ|lag|); so m is the median of the price and its mean is
    m · exp(σ²/4κ).

    Draws (paths, steps) normals.

    Args:
        grid: the times.
        generator: of `streams.stream`, or any other.
        start: S_0, a price > 0.
        mean: m, the price whose logarithm X returns to, > 0.
        volatility: σ per √year, in [0, 1000].
        reversion: κ per year, in [1e-6, 1e9]; the half-life of a deviation is ln 2 / κ.
        paths: ≥ 1.

    Raises:
        ValueError: an argument outside its range, or a price that leaves the range of floats.

    Source: Uhlenbeck, Ornstein (1930), Physical Review 36; Glasserman (2003), section 3.3.1.
    """
    above("start", start)
    above("mean", mean)
    deviation("volatility", volatility)
    within("reversion", reversion, 1e-6, 1e9)
    count("paths", paths)
    decay = math.exp(-reversion * grid.step_years)
    spread = volatility * math.sqrt(-math.expm1(-2 * reversion * grid.step_years) / (2 * reversion))
    moves = spread * generator.standard_normal((paths, grid.steps))
    first = math.log(start / mean)
    logs = np.empty((paths, grid.steps + 1))
    for path in range(paths):
        walk = accumulate(moves[path].tolist(), lambda log, move: decay * log + move, initial=first)
        logs[path] = np.fromiter(walk, np.float64, grid.steps + 1)
    prices = prices_of(mean, logs)
    prices[:, 0] = start
    return prices
