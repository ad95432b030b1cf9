"""Order flow: signed shocks beside a price, correlated with its returns."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .arguments import count, deviation, rate, within
from .brownian import prices_of
from .grid import Grid

__all__ = ["PricesAndFlow", "order_flow_shocks"]


class PricesAndFlow(NamedTuple):
    """Prices (paths, n), and the signed flow (paths, n) of the step that ends at each; 0 at the first time."""

    prices: npt.NDArray[np.float64]
    flow: npt.NDArray[np.float64]


def order_flow_shocks(
    grid: Grid,
    generator: np.random.Generator,
    *,
    start: float,
    volatility: float,
    flow_volatility: float,
    correlation: float,
    drift: float = 0.0,
    paths: int = 1,
) -> PricesAndFlow:
    """Return geometric Brownian motion, and a signed order flow whose shocks correlate with its log returns.

    log S moves by (μ − σ²/2) Δ + σ √Δ Z and the flow of the step is φ √Δ (ρ Z + √(1 − ρ²) Z'), Z and Z' independent
    normals: buys above sells are positive, and corr(log return, flow) = ρ step by step and over any number of steps. The
    regression of returns on flow has the slope ρ σ / φ, which is Kyle's λ in logarithms, and R² = ρ².

    Draws (2, paths, steps) normals: Z, then Z'. With paths = 1 the prices are those of `geometric_brownian_motion`.

    Args:
        grid: the times.
        generator: of `streams.stream`, or any other.
        start: the first price, > 0.
        volatility: σ per √year, in [0, 1000].
        flow_volatility: φ, units of what is traded per √year, ≥ 0.
        correlation: ρ in [−1, 1].
        drift: μ per year, within ±1,000.
        paths: ≥ 1.

    Raises:
        ValueError: an argument outside its range, or a price that leaves the range of floats.

    Source: Kyle (1985), Econometrica 53(6); Cont, Kukanov, Stoikov (2014), Journal of Financial Econometrics 12(1), for the
        linear relation of price moves and order-flow imbalance.
    """
    deviation("volatility", volatility)
    within("flow_volatility", flow_volatility, 0, 1e30)
    within("correlation", correlation, -1, 1)
    rate("drift", drift)
    count("paths", paths)
    root = math.sqrt(grid.step_years)
    shocks, own = generator.standard_normal((2, paths, grid.steps))
    logs = np.zeros((paths, grid.steps + 1))
    np.cumsum(shocks, axis=1, out=logs[:, 1:])
    logs *= root
    prices = prices_of(start, (drift - volatility**2 / 2) * grid.years() + volatility * logs)
    flow = np.zeros(logs.shape)
    flow[:, 1:] = flow_volatility * root * (correlation * shocks + math.sqrt(1 - correlation**2) * own)
    return PricesAndFlow(prices, flow)
