"""Rough volatility: the rough Bergomi model by the hybrid scheme."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .arguments import count, deviation, rate, within
from .brownian import prices_of
from .grid import Grid

__all__ = ["RoughVariance", "rough_bergomi", "rough_variance"]

Array = npt.NDArray[np.float64]


class RoughVariance(NamedTuple):
    """Instantaneous variance per year, and the Brownian increments that drive it."""

    variance: Array  # (paths, n), > 0
    increments: Array  # (paths, steps), √years


def rough_variance(
    grid: Grid,
    generator: np.random.Generator,
    *,
    volatility: float,
    vol_of_vol: float,
    hurst: float,
    paths: int = 1,
) -> RoughVariance:
    """Return V_t = ξ · exp(η Y_t − η² Var[Y_t] / 2) with the Volterra process Y_t = √(2H) ∫_0^t (t − s)^α dW_s, α = H − ½.

    The hybrid scheme with κ = 1: over the last step, where the kernel is singular, the integral is drawn exactly, jointly
    with the increment of W; over the steps before, the kernel is a constant (b_k Δ)^α, its mean over the step, which makes
    the mean square error least. The sum over them is a convolution, by a fast Fourier transform: n log n.

    Var[Y_t] is that of the scheme, (2H) (Δ^2H / 2H + Δ Σ (b_k Δ)^2α), and not its limit t^2H, so that E[V_t] = ξ holds
    exactly at any step.

    Draws (2, paths, steps) normals: the increments of W, then what is left of the last steps' integrals.

    Args:
        grid: the times.
        generator: of `streams.stream`, or any other.
        volatility: √ξ per √year, ≥ 0; the forward variance ξ is flat.
        vol_of_vol: η per year^H, ≥ 0.
        hurst: H in [0.01, 0.49].
        paths: ≥ 1.

    Raises:
        ValueError: an argument outside its range.

    Source: Bayer, Friz, Gatheral (2016), Quantitative Finance 16(6); Bennedsen, Lunde, Pakkanen (2017), Finance and
        Stochastics 21(4), sections 2.2 and 3.3.
    """
    deviation("volatility", volatility)
    deviation("vol_of_vol", vol_of_vol)
    within("hurst", hurst, 0.01, 0.49)
    count("paths", paths)
    steps, step = grid.steps, grid.step_years
    alpha = hurst - 0.5
    shocks = generator.standard_normal((2, paths, steps))
    increments = math.sqrt(step) * shocks[0]
    near_variance = step ** (2 * hurst) / (2 * hurst)
    near_slope = step**alpha / (alpha + 1)  # the covariance of the last step's integral with its increment, over Δ
    near = near_slope * increments + math.sqrt(near_variance - near_slope**2 * step) * shocks[1]
    kernel = _kernel(steps, step, alpha)
    volterra = np.zeros((paths, steps + 1))
    volterra[:, 1:] = math.sqrt(2 * hurst) * (near + _convolved(increments, kernel))
    spread = np.zeros(steps + 1)
    spread[1:] = 2 * hurst * (near_variance + step * np.cumsum(kernel**2))
    with np.errstate(over="ignore", under="ignore"):
        variance: Array = volatility**2 * np.exp(vol_of_vol * volterra - vol_of_vol**2 / 2 * spread)
    return RoughVariance(variance, increments)


def rough_bergomi(
    grid: Grid,
    generator: np.random.Generator,
    *,
    start: float,
    volatility: float,
    vol_of_vol: float,
    hurst: float,
    correlation: float,
    drift: float = 0.0,
    paths: int = 1,
) -> Array:
    """Return prices (paths, n) of dS = μ S dt + √V S dB with V as `rough_variance` and corr(dB, dW) = ρ.

    log S moves by (μ − V/2) Δ + √V (ρ ΔW + √(1 − ρ²) √Δ Z), V at the beginning of the step, so that E[S_t] = S_0 · exp(μ t)
    exactly. V is held over a step, while it is rough: skews are too flat where steps are long. docs/scenarios.md has the
    measured error of implied volatilities by steps a year.

    Draws as `rough_variance`, then (paths, steps) normals.

    Args:
        grid: the times.
        generator: of `streams.stream`, or any other.
        start: S_0, a price > 0.
        volatility: √ξ per √year, ≥ 0.
        vol_of_vol: η per year^H, ≥ 0.
        hurst: H in [0.01, 0.49].
        correlation: ρ in [−1, 1].
        drift: μ per year, within ±1,000.
        paths: ≥ 1.

    Raises:
        ValueError: an argument outside its range, or a price that leaves the range of floats.

    Source: as `rough_variance`.
    """
    within("correlation", correlation, -1, 1)
    rate("drift", drift)
    step = grid.step_years
    variance, increments = rough_variance(
        grid, generator, volatility=volatility, vol_of_vol=vol_of_vol, hurst=hurst, paths=paths
    )
    own = math.sqrt((1 - correlation**2) * step) * generator.standard_normal(increments.shape)
    held = variance[:, :-1]
    logs = np.zeros(variance.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        np.cumsum(np.sqrt(held) * (correlation * increments + own) - held * (step / 2), axis=1, out=logs[:, 1:])
    return prices_of(start, logs + drift * grid.years())


def _kernel(steps: int, step: float, alpha: float) -> Array:
    """Return (steps,) the mean of (t − s)^α over the k-th step back, k = 1 …; 0 for the first, which is drawn exactly."""
    kernel = np.zeros(steps)
    back = np.arange(2.0, steps + 1)
    # k^(α+1) − (k−1)^(α+1), without the cancellation.
    kernel[1:] = step**alpha / (alpha + 1) * back ** (alpha + 1) * -np.expm1((alpha + 1) * np.log1p(-1 / back))
    return kernel


def _convolved(increments: Array, kernel: Array) -> Array:
    """Return (paths, steps) Σ_j kernel[j] · increments[:, i − j]."""
    steps = kernel.size
    size = 1 << (2 * steps - 1).bit_length()  # long enough that the circle does not close
    spectrum = np.fft.rfft(increments, size) * np.fft.rfft(kernel, size)
    convolved: Array = np.fft.irfft(spectrum, size)[:, :steps]
    return convolved
