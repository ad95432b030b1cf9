"""Brownian motion, geometric Brownian motion, and how log prices become prices."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .arguments import above, count, deviation, rate
from .grid import Grid

__all__ = ["brownian_motion", "geometric_brownian_motion", "prices_of"]

Array = npt.NDArray[np.float64]


def brownian_motion(grid: Grid, generator: np.random.Generator, *, paths: int = 1) -> Array:
    """Return W (paths, n) in √years with W = 0 at the first time; draws (paths, steps) normals.

    Raises:
        ValueError: no path.
    """
    count("paths", paths)
    walk = np.zeros((paths, grid.steps + 1))
    np.cumsum(generator.standard_normal((paths, grid.steps)), axis=1, out=walk[:, 1:])
    walk *= math.sqrt(grid.step_years)
    return walk


def prices_of(start: float, logs: Array) -> Array:
    """Return start · exp(logs), (paths, n).

    Args:
        start: a price > 0.
        logs: (paths, n) log prices less that of the start.

    Raises:
        ValueError: a start that is not above 0, or a price that is 0 or infinite in floats.
    """
    above("start", start)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        prices: Array = start * np.exp(logs)
    if not (np.isfinite(prices).all() and (prices > 0).all()):
        raise ValueError("the prices leave the range of floats: less volatility, drift or time is needed")
    return prices


def geometric_brownian_motion(
    grid: Grid, generator: np.random.Generator, *, start: float, volatility: float, drift: float = 0.0, paths: int = 1
) -> Array:
    """Return prices (paths, n) of S_t = S_0 · exp((μ − σ²/2) t + σ W_t), exact at the times of the grid.

    Draws (paths, steps) normals.

    Args:
        grid: the times.
        generator: of `streams.stream`, or any other.
        start: S_0, a price > 0.
        volatility: σ per √year, in [0, 1000].
        drift: μ per year, within ±1,000: E[S_t] = S_0 · exp(μ t). At 0 the price is a martingale.
        paths: ≥ 1.

    Raises:
        ValueError: an argument outside its range, or a price that leaves the range of floats.

    Source: Black, Scholes (1973), Journal of Political Economy 81(3); Glasserman (2003), Monte Carlo Methods in Financial
        Engineering, section 3.2.
    """
    deviation("volatility", volatility)
    rate("drift", drift)
    walk = brownian_motion(grid, generator, paths=paths)
    return prices_of(start, (drift - volatility**2 / 2) * grid.years() + volatility * walk)
