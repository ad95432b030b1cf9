"""How a path of each kind of scenario is drawn: the values of its keys, in its own units, to a model's arguments."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...models.scenarios.bootstrap import Blocks, block_bootstrap
from ...models.scenarios.brownian import geometric_brownian_motion
from ...models.scenarios.crash_path import crash_path
from ...models.scenarios.crashes import Crash
from ...models.scenarios.flash_crash import flash_crash
from ...models.scenarios.grid import Grid
from ...models.scenarios.heston import heston
from ...models.scenarios.jumps import merton_jumps
from ...models.scenarios.mean_reversion import ornstein_uhlenbeck
from ...models.scenarios.order_flow import order_flow_shocks
from ...models.scenarios.quote_stuffing import quote_stuffing
from ...models.scenarios.regimes import Regime, regime_flip
from ...models.scenarios.rough_bergomi import rough_bergomi
from ...models.scenarios.sessions import Sessions

__all__ = [
    "Path",
    "draw_bootstrap",
    "draw_crash",
    "draw_flash_crash",
    "draw_gbm",
    "draw_heston",
    "draw_merton",
    "draw_order_flow",
    "draw_ou",
    "draw_quote_stuffing",
    "draw_regimes",
    "draw_rough_bergomi",
]


class Path(NamedTuple):
    """One path: times (n,) int64 ns, never decreasing; prices (n,) > 0; the signed order flow (n,), where there is one."""

    times: npt.NDArray[np.int64]
    prices: npt.NDArray[np.float64]
    flow: npt.NDArray[np.float64] | None = None


def draw_gbm(grid: Grid, stream: np.random.Generator, *, start: float, volatility: float, drift: float) -> Path:
    """Draw `geometric_brownian_motion`."""
    prices = geometric_brownian_motion(grid, stream, start=start, volatility=volatility, drift=drift)
    return Path(grid.times(), prices[0])


def draw_merton(
    grid: Grid,
    stream: np.random.Generator,
    *,
    start: float,
    volatility: float,
    drift: float,
    jumps: float,
    jump_mean: float,
    jump_deviation: float,
) -> Path:
    """Draw `merton_jumps`."""
    prices = merton_jumps(
        grid,
        stream,
        start=start,
        volatility=volatility,
        intensity=jumps,
        jump_mean=jump_mean,
        jump_deviation=jump_deviation,
        drift=drift,
    )
    return Path(grid.times(), prices[0])


def _reversion(grid: Grid, half_life_ns: int) -> float:
    """Return κ per year of a half-life."""
    return math.log(2) * grid.year_ns / half_life_ns


def draw_heston(
    grid: Grid,
    stream: np.random.Generator,
    *,
    start: float,
    volatility: float,
    drift: float,
    long_volatility: float,
    half_life: int,
    vol_of_vol: float,
    correlation: float,
) -> Path:
    """Draw `heston`; a half-life in ns stands for κ."""
    prices = heston(
        grid,
        stream,
        start=start,
        volatility=volatility,
        long_volatility=long_volatility,
        reversion=_reversion(grid, half_life),
        vol_of_vol=vol_of_vol,
        correlation=correlation,
        drift=drift,
    )
    return Path(grid.times(), prices[0])


def draw_ou(
    grid: Grid, stream: np.random.Generator, *, start: float, mean: float, volatility: float, half_life: int
) -> Path:
    """Draw `ornstein_uhlenbeck`; a half-life in ns stands for κ."""
    prices = ornstein_uhlenbeck(
        grid, stream, start=start, mean=mean, volatility=volatility, reversion=_reversion(grid, half_life)
    )
    return Path(grid.times(), prices[0])


def draw_rough_bergomi(
    grid: Grid,
    stream: np.random.Generator,
    *,
    start: float,
    volatility: float,
    drift: float,
    vol_of_vol: float,
    hurst: float,
    correlation: float,
) -> Path:
    """Draw `rough_bergomi`."""
    prices = rough_bergomi(
        grid,
        stream,
        start=start,
        volatility=volatility,
        vol_of_vol=vol_of_vol,
        hurst=hurst,
        correlation=correlation,
        drift=drift,
    )
    return Path(grid.times(), prices[0])


def draw_bootstrap(
    grid: Grid,
    stream: np.random.Generator,
    *,
    start: float,
    log_returns: npt.NDArray[np.float64],
    block: float,
    blocks: Blocks,
    of: str,
    column: str,
) -> Path:
    """Draw `block_bootstrap` of returns that were read from column `column` of `of`."""
    del of, column  # where the returns came from
    prices = block_bootstrap(grid, stream, log_returns, start=start, block=block, blocks=blocks)
    return Path(grid.times(), prices[0])


def draw_crash(crash: Crash, grid: Grid, stream: np.random.Generator, *, start: float, volatility: float) -> Path:
    """Draw `crash_path` from a start; the volatility is per √session."""
    assert isinstance(grid, Sessions)
    sizes = [grid.each] * len(grid.closes_ns)
    prices = np.concatenate(([start], start * crash_path(crash, sizes, stream, volatility=volatility)))
    if not (np.isfinite(prices).all() and (prices > 0).all()):
        raise ValueError("the prices leave the range of floats: less volatility is needed")
    return Path(grid.times(), prices)


def draw_flash_crash(
    grid: Grid,
    stream: np.random.Generator,
    *,
    start: float,
    volatility: float,
    drift: float,
    at: float,
    depth: float,
    fall: int,
    trough: int,
    recovery: int,
    recovered: float,
) -> Path:
    """Draw `flash_crash`, its fall beginning after the share `at` of the path; other times in ns."""
    prices = flash_crash(
        grid,
        stream,
        start=start,
        volatility=volatility,
        at_ns=int(at * grid.span_ns),
        depth=depth,
        fall_ns=fall,
        trough_ns=trough,
        recovery_ns=recovery,
        recovered=recovered,
        drift=drift,
    )
    return Path(grid.times(), prices[0])


def draw_regimes(
    grid: Grid,
    stream: np.random.Generator,
    *,
    start: float,
    calm_volatility: float,
    calm_drift: float,
    calm_stay: int,
    stormy_volatility: float,
    stormy_drift: float,
    stormy_stay: int,
) -> Path:
    """Draw `regime_flip`; stays in ns."""
    calm = Regime(calm_volatility, calm_drift, calm_stay / grid.year_ns)
    stormy = Regime(stormy_volatility, stormy_drift, stormy_stay / grid.year_ns)
    return Path(grid.times(), regime_flip(grid, stream, start=start, calm=calm, stormy=stormy)[0])


def draw_quote_stuffing(
    grid: Grid,
    stream: np.random.Generator,
    *,
    start: float,
    volatility: float,
    drift: float,
    bursts: int,
    messages: int,
    gap: int,
    flicker: float,
) -> Path:
    """Draw `quote_stuffing`; the gap in ns."""
    found = quote_stuffing(
        grid,
        stream,
        start=start,
        volatility=volatility,
        bursts=bursts,
        messages=messages,
        gap_ns=gap,
        flicker=flicker,
        drift=drift,
    )
    return Path(found.times, found.prices)


def draw_order_flow(
    grid: Grid,
    stream: np.random.Generator,
    *,
    start: float,
    volatility: float,
    drift: float,
    flow_volatility: float,
    correlation: float,
) -> Path:
    """Draw `order_flow_shocks`."""
    found = order_flow_shocks(
        grid,
        stream,
        start=start,
        volatility=volatility,
        flow_volatility=flow_volatility,
        correlation=correlation,
        drift=drift,
    )
    return Path(grid.times(), found.prices[0], found.flow[0])
