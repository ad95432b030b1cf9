"""The path of a crash: published closes hit exactly, and a seeded Brownian bridge between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .arguments import count, deviation
from .crashes import Crash

__all__ = ["crash_path"]

Array = npt.NDArray[np.float64]


def crash_path(crash: Crash, sizes: Sequence[int], generator: np.random.Generator, *, volatility: float) -> Array:
    """Return prices (n,) as shares of the close before the crash, n the sum of `sizes`.

    Session k has `sizes[k]` prices, evenly spaced over it, the last at its close. A published close is level / level before,
    one division of two published numbers and the same on every machine. All other prices are synthetic: the log price is a
    Brownian bridge from one published close to the next, so that a close that is not published is a point of a bridge over
    several sessions. Draws n normals, in order; prices between closes need `exp` and `log`.

    Args:
        crash: its closes.
        sizes: one for each session, ≥ 1.
        generator: of `streams.stream`, or any other.
        volatility: of the log price, per √session, in [0, 1000]; at 0 the log price goes from close to close in a line.

    Raises:
        ValueError: another number of sessions, an empty one, or a volatility outside its range.

    Source: Glasserman (2003), Monte Carlo Methods in Financial Engineering, section 3.1 (Brownian bridge). The closes: see
        `crashes.SOURCES`.
    """
    if len(sizes) != len(crash.sessions):
        raise ValueError(f"the crash has {len(crash.sessions)} sessions, got sizes of {len(sizes)}")
    for size in sizes:
        count("size", size)
    deviation("volatility", volatility)
    steps = np.repeat(1.0 / np.asarray(sizes, np.float64), sizes)
    walk = volatility * np.cumsum(generator.standard_normal(steps.size) * np.sqrt(steps))
    clock = np.concatenate([number + np.arange(1, size + 1) / size for number, size in enumerate(sizes)])
    ends = np.cumsum(sizes) - 1
    ratios = crash.ratios()
    known = [number for number, ratio in enumerate(ratios) if ratio is not None]
    closes = np.array([ratio for ratio in ratios if ratio is not None])
    pinned = ends[known]
    # A bridge is the walk less the line through its own ends, plus the line through the closes.
    gaps = np.concatenate(([0.0], np.log(closes) - walk[pinned]))
    path: Array = np.exp(walk + np.interp(clock, np.concatenate(([0.0], clock[pinned])), gaps))
    path[pinned] = closes
    return path
