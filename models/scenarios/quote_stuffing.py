"""Quote stuffing: floods of messages within microseconds, at a price that hardly moves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .arguments import count
from .brownian import geometric_brownian_motion
from .grid import Grid

__all__ = ["Stuffed", "quote_stuffing"]


class Stuffed(NamedTuple):
    """One path: the events of the grid and those of the floods, by time."""

    times: npt.NDArray[np.int64]  # (n,) ns, never decreasing
    prices: npt.NDArray[np.float64]  # (n,)
    flood: npt.NDArray[np.bool_]  # (n,) whether the event belongs to a flood


def quote_stuffing(
    grid: Grid,
    generator: np.random.Generator,
    *,
    start: float,
    volatility: float,
    bursts: int,
    messages: int,
    gap_ns: int,
    flicker: float,
    drift: float = 0.0,
) -> Stuffed:
    """Return one path of geometric Brownian motion with bursts of messages between its events.

    A burst is `messages` events, `gap_ns` apart, each at the last price of the grid times 1 + flicker or 1 − flicker, evenly
    drawn. Bursts begin at times drawn evenly and independently from those where they end within the path, which is a Poisson
    process given how many there are; they may overlap. n = steps + 1 + bursts · messages.

    Draws (1, steps) normals, (bursts,) whole numbers for the begins, (bursts, messages) signs.

    Args:
        grid: the times of the events that are no flood.
        generator: of `streams.stream`, or any other.
        start: the first price, > 0.
        volatility: σ per √year, in [0, 1000].
        bursts: ≥ 0.
        messages: events of a burst, ≥ 1.
        gap_ns: between two of them, ≥ 0.
        flicker: relative, in [0, 1).
        drift: μ per year, within ±1,000.

    Raises:
        ValueError: an argument outside its range, a burst longer than the path, or a price that leaves the range of floats.

    Source: what such floods look like: Egginton, Van Ness, Van Ness (2016), Quote stuffing, Financial Management 45(3). The
        shape is declared, not fitted.
    """
    count("bursts", bursts, 0)
    count("messages", messages)
    count("gap_ns", gap_ns, 0)
    if not 0 <= flicker < 1:
        raise ValueError(f"flicker must be in [0, 1), got {flicker}")
    length = messages * gap_ns
    if bursts and length > grid.span_ns:
        raise ValueError(f"a burst must fit in the path of {grid.span_ns} ns, got {length} ns")
    prices = geometric_brownian_motion(grid, generator, start=start, volatility=volatility, drift=drift)[0]
    begins = generator.integers(0, grid.span_ns - length + 1, bursts) if bursts else np.zeros(0, dtype=np.int64)
    within = (begins[:, np.newaxis] + gap_ns * np.arange(1, messages + 1)).ravel()
    signs = 2.0 * generator.integers(0, 2, within.size) - 1.0
    flooded = prices[within // grid.step_ns] * (1 + flicker * signs)
    offsets = np.concatenate((grid.offsets(), within))
    order = np.argsort(offsets, kind="stable")  # at one time the grid's event is first
    return Stuffed(
        times=grid.begin_ns + offsets[order],
        prices=np.concatenate((prices, flooded))[order],
        flood=order > grid.steps,
    )
