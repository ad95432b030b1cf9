"""Heston's stochastic volatility, by Andersen's quadratic-exponential scheme with the martingale correction."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .arguments import count, deviation, rate, within
from .brownian import prices_of
from .grid import Grid

__all__ = ["heston"]

_SWITCH = 1.5  # ψ from which the exponential law is used; Andersen's choice within [1, 2]
_SQRT_2 = math.sqrt(2)


def heston(
    grid: Grid,
    generator: np.random.Generator,
    *,
    start: float,
    volatility: float,
    long_volatility: float,
    reversion: float,
    vol_of_vol: float,
    correlation: float,
    drift: float = 0.0,
    paths: int = 1,
) -> npt.NDArray[np.float64]:
    """Return prices (paths, n) of dS = μ S dt + √V S dB, dV = κ (θ − V) dt + ξ √V dW with corr(dB, dW) = ρ.

    The scheme is QE-M. V at the next time has the exact conditional mean and variance and the law a (b + Z)² or, near 0, an
    atom at 0 with an exponential tail; so V ≥ 0 whether Feller's condition 2κθ ≥ ξ² holds or not. log S is the exact
    integral with the trapezoidal rule for ∫V dt, corrected so that E[S_t] = S_0 · exp(μ t) holds at any step. The bias that
    is left is that of the law of ∫V dt within a step; docs/scenarios.md has its measured size. About 1 µs a step.

    Draws, path by path, (2, steps) normals: those of V, then those of S.

    Args:
        grid: the times.
        generator: of `streams.stream`, or any other.
        start: S_0, a price > 0.
        volatility: √V_0 per √year, ≥ 0.
        long_volatility: √θ per √year, in [0.001, 1000].
        reversion: κ per year, in [0.001, 1e6]; the half-life of a deviation of V is ln 2 / κ.
        vol_of_vol: ξ per year, in [1e-6, 1000].
        correlation: ρ in [−1, 1].
        drift: μ per year, within ±1,000.
        paths: ≥ 1.

    Raises:
        ValueError: an argument outside its range, a price that leaves the range of floats, or a step too long for a positive
            correlation, where the scheme has no finite mean.

    Source: Heston (1993), Review of Financial Studies 6(2); Andersen (2008), Journal of Computational Finance 11(3),
        sections 3.2, 4.2 and 4.3.
    """
    deviation("volatility", volatility)
    deviation("long_volatility", long_volatility, least=1e-3)
    within("reversion", reversion, 1e-3, 1e6)
    deviation("vol_of_vol", vol_of_vol, least=1e-6)
    within("correlation", correlation, -1, 1)
    rate("drift", drift)
    count("paths", paths)
    scheme = _scheme(grid.step_years, long_volatility**2, reversion, vol_of_vol, correlation)
    logs = np.zeros((paths, grid.steps + 1))
    for path in range(paths):
        shocks = generator.standard_normal((2, grid.steps)).tolist()
        moves = np.fromiter(_moves(scheme, volatility**2, *shocks), np.float64, grid.steps)
        np.cumsum(moves, out=logs[path, 1:])
    return prices_of(start, logs + drift * grid.years())


class _Scheme(NamedTuple):
    """What all steps share; names as in Andersen's section 4, for γ1 = γ2 = ½."""

    theta: float
    decay: float  # e^(−κΔ)
    spread: float  # the part of Var[V'] per unit of V
    floor: float  # the part of Var[V'] that does not depend on V
    k2: float
    k3: float  # = K4
    tilt: float  # A = K2 + K4 / 2


def _scheme(step: float, theta: float, kappa: float, xi: float, rho: float) -> _Scheme:
    decay = math.exp(-kappa * step)
    lost = -math.expm1(-kappa * step)
    k2 = step / 2 * (kappa * rho / xi - 0.5) + rho / xi
    k3 = step / 2 * (1 - rho * rho)
    return _Scheme(
        theta,
        decay,
        spread=xi * xi * decay * lost / kappa,
        floor=theta * xi * xi * lost * lost / (2 * kappa),
        k2=k2,
        k3=k3,
        tilt=k2 + k3 / 2,
    )


def _moves(scheme: _Scheme, variance: float, shocks: list[float], price_shocks: list[float]) -> Iterator[float]:
    """Yield the log move of each step, without the drift. Floats, not arrays: each step needs the one before."""
    theta, decay, spread, floor, k2, k3, tilt = scheme
    sqrt, log, erfc = math.sqrt, math.log, math.erfc
    for shock, price_shock in zip(shocks, price_shocks, strict=True):
        mean = theta + (variance - theta) * decay
        psi = (variance * spread + floor) / (mean * mean)
        if psi <= _SWITCH:
            twice = 2 / psi
            b2 = twice - 1 + sqrt(twice * (twice - 1))
            a = mean / (1 + b2)
            room = 1 - 2 * tilt * a
            if room <= 0:
                raise _too_long()
            following = a * (sqrt(b2) + shock) ** 2
            correction = tilt * b2 * a / room - log(room) / 2
        else:
            atom = (psi - 1) / (psi + 1)
            rate = (1 - atom) / mean
            if tilt >= rate:
                raise _too_long()
            above_shock = erfc(shock / _SQRT_2) / 2  # 1 − Φ(Z), with all its digits in the upper tail
            following = 0.0 if above_shock >= 1 - atom else log((1 - atom) / above_shock) / rate
            correction = log(atom + rate * (1 - atom) / (rate - tilt))
        # With K0* = −ln M − (K1 + K3 / 2) V, Andersen's K1 cancels.
        yield k2 * following - correction - k3 / 2 * variance + sqrt(k3 * (variance + following)) * price_shock
        variance = following


def _too_long() -> ValueError:
    return ValueError("the step is too long for this positive correlation and vol_of_vol: a shorter step is needed")
