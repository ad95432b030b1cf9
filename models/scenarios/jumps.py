"""Geometric Brownian motion with Merton's log-normal jumps."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .arguments import deviation, rate, within
from .brownian import brownian_motion, prices_of
from .grid import Grid

__all__ = ["merton_jumps"]


def merton_jumps(
    grid: Grid,
    generator: np.random.Generator,
    *,
    start: float,
    volatility: float,
    intensity: float,
    jump_mean: float,
    jump_deviation: float,
    drift: float = 0.0,
    paths: int = 1,
) -> npt.NDArray[np.float64]:
    """Return prices (paths, n) of a jump diffusion, exact at the times of the grid.

    S_t = S_0 · exp((μ − σ²/2 − λ m) t + σ W_t + J_1 + … + J_{N_t}) with N a Poisson process of intensity λ, J normal with
    mean a and deviation b, and m = exp(a + b²/2) − 1, so that E[S_t] = S_0 · exp(μ t). The jumps of a step are one sum:
    given k of them it is normal with mean k a and variance k b².

    Draws (paths, steps) normals, (paths, steps) Poisson counts, and a normal for each step with a jump.

    Args:
        grid: the times.
        generator: of `streams.stream`, or any other.
        start: S_0, a price > 0.
        volatility: σ per √year, in [0, 1000], of the part without jumps.
        intensity: λ, jumps per year, ≥ 0.
        jump_mean: a, of the log jump.
        jump_deviation: b, of the log jump, ≥ 0.
        drift: μ per year, within ±1,000.
        paths: ≥ 1.

    Raises:
        ValueError: an argument outside its range, or a price that leaves the range of floats.

    Source: Merton (1976), Journal of Financial Economics 3(1–2); Glasserman (2003), section 3.5.1.
    """
    deviation("volatility", volatility)
    within("intensity", intensity, 0, 1e9)
    rate("drift", drift)
    within("jump_mean", jump_mean, -100, 100)
    within("jump_deviation", jump_deviation, 0, 10)
    compensator = intensity * math.expm1(jump_mean + jump_deviation**2 / 2)
    logs = volatility * brownian_motion(grid, generator, paths=paths)
    counts = generator.poisson(intensity * grid.step_years, (paths, grid.steps))
    jumps = np.zeros(counts.shape)
    struck = counts > 0
    number = counts[struck].astype(np.float64)
    sizes = generator.standard_normal(number.size)
    jumps[struck] = number * jump_mean + np.sqrt(number) * jump_deviation * sizes
    logs[:, 1:] += np.cumsum(jumps, axis=1)
    logs += (drift - volatility**2 / 2 - compensator) * grid.years()
    return prices_of(start, logs)
