"""Paths of simulated prices: exits of a band one after another, and Brownian motion seen at steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...models.scenarios.brownian import brownian_motion, prices_of
from ...models.scenarios.grid import YEAR_NS, Grid
from .exits import exit_times
from .outcomes import Path

__all__ = ["EDGE", "START", "Exits", "exits_until", "on_grid", "random_walk", "signs"]

START = 100.0
"""The first price of every path."""

EDGE = 1e-9
"""By what share of the band an exit is sent beyond its edge, so that no rounding of a price keeps it inside."""

BLOCK = 100
"""Paths of exits that are drawn at a time."""

Array = npt.NDArray[np.float64]


class Exits(NamedTuple):
    """A path that is seen when it leaves the band and at its end, and by how much its next exit is later than that.

    Fields:
        path: a tick at the start, one at every exit up to the end, one at the end, at the last exit's price.
        exits: how many, up to the end. up to the end.
        overrun: by how much the sum of the first `exits` + 1 spans exceeds the whole, in mean spans; > 0.
    """

    path: Path
    exits: int
    overrun: float


def exits_until(
    generator: np.random.Generator, paths: int, spans: float, band: float, volatility: float
) -> Iterator[Exits]:
    """Yield Brownian motion of the log price, without drift, seen at its exact exits of a band that is centred anew.

    The band is |P − A| ≥ band·min(P, A), so that the log price leaves at ±ln(1 + band). Between exits there is no tick: the
    rule does nothing there. What a path of continuous observation would show is drawn from its exact law.

    Args:
        generator: of all paths.
        paths: how many.
        spans: length of a path in mean spans between exits, σ²T/ln(1 + band)²; > 0.
        band: half-width as a share, > 0.
        volatility: σ per √year; it sets how long a span is on the clock.
    """
    half = math.log1p(band)
    enough = int(spans + 10 * math.sqrt(spans) + 20)
    for first in range(0, paths, BLOCK):
        for drawn in exit_times(generator, (min(BLOCK, paths - first), enough)):
            while drawn.sum() <= spans:  # next to never: what is drawn lasts ten deviations longer than is needed
                drawn = np.append(drawn, exit_times(generator, enough))
            ends = np.cumsum(drawn)
            count = int(np.searchsorted(ends, spans, side="right"))
            logs = half * (1 + EDGE) * np.cumsum(np.concatenate(([0.0], signs(generator, count), [0.0])))
            times = np.concatenate(([0.0], ends[:count], [spans])) * (half / volatility) ** 2 * YEAR_NS
            yield Exits(Path(times.astype(np.int64), prices_of(START, logs)), count, float(ends[count]) - spans)


def signs(generator: np.random.Generator, count: int) -> Array:
    """Return `count` independent signs, +1 or −1 with equal chances."""
    drawn: Array = generator.integers(0, 2, count).astype(np.float64)
    return 2 * drawn - 1


def random_walk(generator: np.random.Generator, grid: Grid, volatility: float, paths: int) -> tuple[Array, Array]:
    """Return prices (paths, n) whose logarithm is Brownian motion without drift, and its increments (paths, steps)."""
    logs = volatility * brownian_motion(grid, generator, paths=paths)
    return prices_of(START, logs), np.diff(logs, axis=1)


def on_grid(grid: Grid, prices: Array) -> Iterator[Path]:
    """Yield the rows of prices (paths, n) as paths with the times of the grid."""
    times = grid.times()
    for row in prices:
        yield Path(times, row)
