"""A flash crash: a fall, a trough and a recovery of declared shape, laid over geometric Brownian motion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arguments import count, within
from .brownian import geometric_brownian_motion
from .grid import Grid

__all__ = ["crash_shape", "flash_crash"]

Array = npt.NDArray[np.float64]


def crash_shape(
    grid: Grid, *, at_ns: int, depth: float, fall_ns: int, trough_ns: int, recovery_ns: int, recovered: float
) -> Array:
    """Return (n,) factors in (0, 1] that the crash puts on the price.

    (1 − depth)^g(t), with g piecewise linear: 0 until `at_ns`, 1 after the fall and through the trough, 1 − recovered after
    the recovery and for ever. So the price falls, and rises, by the same share in each second of its phase.

    Args:
        grid: the times.
        at_ns: from the first time to the begin of the fall, ≥ 0; the fall ends within the grid.
        depth: the share of the price that is lost at the trough, in [0, 1).
        fall_ns: how long it falls, ≥ 1.
        trough_ns: how long it stays there, ≥ 0.
        recovery_ns: how long it recovers, ≥ 1.
        recovered: the share of the fall, in logarithms, that comes back, in [0, 1].

    Raises:
        ValueError: an argument outside its range.

    Source: the shape is declared, not fitted. The fall of the E-mini S&P 500 on 6 May 2010 (5 % in under 5 minutes, a halt
        of 5 seconds, back in about 20 minutes) is told in CFTC and SEC (2010), Findings regarding the market events of
        May 6, 2010; Kirilenko, Kyle, Samadi, Tuzun (2017), Journal of Finance 72(3).
    """
    count("at_ns", at_ns, 0)
    count("fall_ns", fall_ns)
    count("trough_ns", trough_ns, 0)
    count("recovery_ns", recovery_ns)
    if not 0 <= depth < 1:
        raise ValueError(f"depth must be in [0, 1), got {depth}")
    within("recovered", recovered, 0, 1)
    if at_ns + fall_ns > grid.span_ns:
        raise ValueError(f"the fall must end within the path of {grid.span_ns} ns, got {at_ns + fall_ns} ns")
    corners = np.cumsum([at_ns, fall_ns, trough_ns, recovery_ns])
    share = np.interp(grid.offsets(), corners, [0.0, 1.0, 1.0, 1.0 - recovered])
    factors: Array = np.exp(np.log1p(-depth) * share)
    return factors


def flash_crash(
    grid: Grid,
    generator: np.random.Generator,
    *,
    start: float,
    volatility: float,
    at_ns: int,
    depth: float,
    fall_ns: int,
    trough_ns: int,
    recovery_ns: int,
    recovered: float,
    drift: float = 0.0,
    paths: int = 1,
) -> Array:
    """Return prices (paths, n): geometric Brownian motion times `crash_shape`, the same crash on every path.

    E[S_t] = S_0 · exp(μ t) · (1 − depth)^g(t). Draws (paths, steps) normals, so that without a crash (depth 0) the path is
    that of `geometric_brownian_motion`.

    Raises:
        ValueError: as `geometric_brownian_motion` and `crash_shape`, which have the arguments and the sources.
    """
    shape = crash_shape(
        grid,
        at_ns=at_ns,
        depth=depth,
        fall_ns=fall_ns,
        trough_ns=trough_ns,
        recovery_ns=recovery_ns,
        recovered=recovered,
    )
    prices = geometric_brownian_motion(grid, generator, start=start, volatility=volatility, drift=drift, paths=paths)
    return prices * shape
